/* Quotes what a backend sent: a NUL, an escape sequence, half a character. */
#define GET_BODY                                                                                             \
    static const uint8_t dirty[] = "a\0b\x1b[31mc\nd\xffz\xc3";                                              \
    return host->fail(call, ESP_E_DENIED, 0, (esp_bytes){dirty, sizeof dirty - 1});
#include "bad.h"
