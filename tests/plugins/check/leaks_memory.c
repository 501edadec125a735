/* Has no close, and so never frees what open made. */
#include <stdlib.h>

#include "esp/plugin.h"
static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance);
#define OPEN open_badly
#include "bad.h"

static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    (void)request;
    *instance = malloc(100);
    return *instance ? ESP_OK : ESP_E_INTERNAL;
}
