/* Hands out an instance although it failed. */
#include "esp/plugin.h"
static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance);
#define OPEN open_badly
#include "bad.h"

static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)request;
    *instance = NULL;
    return host->fail(call, ESP_E_CONFIG, 0, bytes("spec.x is missing"));
}
