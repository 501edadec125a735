/* Believes that its block always has what it needs. */
#include "esp/plugin.h"
static esp_status configure_badly(struct esp_call *call, const struct esp_request *request);
#define CONFIGURE configure_badly
#include "bad.h"

static esp_status configure_badly(struct esp_call *call, const struct esp_request *request)
{
    const char *region = memmem(request->json.ptr, request->json.len, "\"region\":\"", 10);
    (void)call;
    return region[10] == '"' ? ESP_E_CONFIG : ESP_OK;
}
