/* Has a lot to say: 100,000 times a character of three bytes. */
#define GET_BODY                                                                                             \
    static uint8_t much[300000];                                                                             \
    for (size_t i = 0; i < sizeof much; i += 3)                                                              \
        memcpy(much + i, "\xe2\x82\xac", 3);                                                                 \
    return host->fail(call, ESP_E_RETRY, UINT64_MAX, (esp_bytes){much, sizeof much});
#include "bad.h"
