/* Rejects whatever configuration it gets. */
#include "esp/plugin.h"
static esp_status refuse(struct esp_call *call, const struct esp_request *request);
#define CONFIGURE refuse
#include "bad.h"

static esp_status refuse(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    return host->fail(call, ESP_E_CONFIG, 0, bytes("region: unknown region \"moon\""));
}
