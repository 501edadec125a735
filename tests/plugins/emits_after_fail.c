/* Fails, and goes on as if nothing had happened. */
#define GET_BODY                                                                                             \
    host->fail(call, ESP_E_DENIED, 0, bytes("permission denied"));                                           \
    host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));                                              \
    return ESP_E_DENIED;
#include "bad.h"
