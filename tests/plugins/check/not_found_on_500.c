/* Whatever the backend answers, there is no such secret. */
#define GET_BODY                                                                                             \
    struct esp_http_request q = {.size = sizeof q, .method = bytes("GET"), .url = bytes("http://x/")};       \
    struct esp_http_response a = {.size = sizeof a};                                                         \
    esp_status status = host->http(call, &q, &a);                                                            \
    if (status != ESP_OK)                                                                                    \
        return status;                                                                                       \
    return a.status == 200 ? host->emit(call, ESP_OUT_VALUE, bytes(""), a.body) : ESP_E_NOT_FOUND;
#include "bad.h"
