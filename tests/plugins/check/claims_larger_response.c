/* Sets the size of a response without having the memory for it. */
#define GET_BODY                                                                                             \
    struct esp_http_request q = {.size = sizeof q, .method = bytes("GET"), .url = bytes("http://x/")};       \
    struct esp_http_response a = {.size = sizeof a + 64};                                                    \
    return host->http(call, &q, &a);
#include "bad.h"
