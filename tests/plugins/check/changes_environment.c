/* Tells its library where to look, and everybody else too. */
#include <stdlib.h>

#define GET_BODY                                                                                             \
    setenv("HOME", "/nowhere", 1);                                                                           \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
