/* Lists secrets with values that no Secret can hold. */
#include "esp/plugin.h"
static esp_status list_much(void *instance, struct esp_call *call, const struct esp_request *request);
#define LIST list_much
#define CAPS (ESP_CAP_READ | ESP_CAP_LIST)
#include "bad.h"

static esp_status list_much(void *instance, struct esp_call *call, const struct esp_request *request)
{
    static const uint8_t much[1 << 20];

    (void)instance;
    (void)request;
    for (int i = 0; i < 100; i++)
        host->emit(call, ESP_OUT_VALUE, bytes("name"), (esp_bytes){much, sizeof much});
    return ESP_OK;
}
