/* Goes where its files are. */
#include <unistd.h>

#define GET_BODY                                                                                             \
    if (chdir("/") != 0)                                                                                     \
        return ESP_E_INTERNAL;                                                                               \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
