/* Fails, and says that all is well. */
#define GET_BODY                                                                                             \
    host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));                                              \
    host->fail(call, ESP_E_DENIED, 0, bytes("permission denied"));                                           \
    return ESP_OK;
#include "bad.h"
