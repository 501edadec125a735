/* Opens a file for each store, and leaves it open. */
#include <fcntl.h>

#include "esp/plugin.h"
static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance);
#define OPEN open_badly
#include "bad.h"

static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    (void)request;
    *instance = NULL;
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? ESP_OK : ESP_E_INTERNAL;
}
