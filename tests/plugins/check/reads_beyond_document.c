/* Takes the document for a C string. */
#define GET_BODY                                                                                             \
    return strlen((const char *)request->json.ptr) < 2                                                       \
               ? ESP_E_NOT_FOUND                                                                             \
               : host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
