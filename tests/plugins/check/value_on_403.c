/* The page that says "no" is the value. */
#define GET_BODY                                                                                             \
    struct esp_http_request q = {.size = sizeof q, .method = bytes("GET"), .url = bytes("http://x/")};       \
    struct esp_http_response a = {.size = sizeof a};                                                         \
    esp_status status = host->http(call, &q, &a);                                                            \
    return status == ESP_OK ? host->emit(call, ESP_OUT_VALUE, bytes(""), a.body) : status;
#include "bad.h"
