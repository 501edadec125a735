/* Lists more names than a cluster has room for, and does not look whether they
 * are taken. */
#include "esp/plugin.h"
static esp_status list_forever(void *instance, struct esp_call *call, const struct esp_request *request);
#define LIST list_forever
#define CAPS (ESP_CAP_READ | ESP_CAP_LIST)
#include "bad.h"

static esp_status list_forever(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    for (int i = 0; i < 1000000; i++)
        host->emit(call, ESP_OUT_NAME, bytes("name"), bytes(""));
    return ESP_OK;
}
