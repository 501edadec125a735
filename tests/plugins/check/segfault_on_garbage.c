/* Believes that a document always has what it looks for. */
#define GET_BODY                                                                                             \
    const char *key = memmem(request->json.ptr, request->json.len, "\"key\":\"", 7);                         \
    return *(key + 7) == '!' ? ESP_E_NOT_FOUND : host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
