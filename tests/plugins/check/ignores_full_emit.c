/* Does not look whether a result was taken. */
#include "esp/plugin.h"
static esp_status list_three(void *instance, struct esp_call *call, const struct esp_request *request);
#define LIST list_three
#define CAPS (ESP_CAP_READ | ESP_CAP_LIST)
#include "bad.h"

static esp_status list_three(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    host->emit(call, ESP_OUT_NAME, bytes("a"), bytes(""));
    host->emit(call, ESP_OUT_NAME, bytes("b"), bytes(""));
    host->emit(call, ESP_OUT_NAME, bytes("c"), bytes(""));
    return ESP_OK;
}
