/* Asks the backend whether the spec is sound, in an operation without a network. */
#include "esp/plugin.h"
static esp_status check_there(void *instance, struct esp_call *call, const struct esp_request *request);
#define CHECK check_there
#include "bad.h"

static esp_status check_there(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_request q = {.size = sizeof q, .method = bytes("GET"), .url = bytes("http://x/")};
    struct esp_http_response a = {.size = sizeof a};
    (void)instance;
    (void)request;
    return host->http(call, &q, &a);
}
