/* Does not look how a request ended. */
#define GET_BODY                                                                                             \
    struct esp_http_request q = {.size = sizeof q, .method = bytes("GET"), .url = bytes("http://x/")};       \
    struct esp_http_response a = {.size = sizeof a};                                                         \
    host->http(call, &q, &a);                                                                                \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), a.body);
#include "bad.h"
