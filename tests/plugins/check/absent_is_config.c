/* Does not know the status for what is not there. */
#define GET_BODY                                                                                             \
    return memmem(request->json.ptr, request->json.len, "\"key\":\"a\"", 9)                                  \
               ? host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"))                                  \
               : host->fail(call, ESP_E_CONFIG, 0, bytes("no such key"));
#include "bad.h"
