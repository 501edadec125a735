/* Takes a request for what it knows only if the size is exactly that. */
#define GET_BODY                                                                                             \
    if (request->size != sizeof *request)                                                                    \
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("strange request"));                                \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
