/* Formats numbers as people at home do. */
#include <locale.h>

#define GET_BODY                                                                                             \
    setlocale(LC_ALL, "C.UTF-8");                                                                            \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
