/* One value was asked for. */
#define GET_BODY                                                                                             \
    host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("one"));                                                \
    host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("two"));                                                \
    return ESP_OK;
#include "bad.h"
