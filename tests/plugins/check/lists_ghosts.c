/* Names secrets that it does not have. */
#include "esp/plugin.h"
static esp_status list_ghost(void *instance, struct esp_call *call, const struct esp_request *request);
#define LIST list_ghost
#define CAPS (ESP_CAP_READ | ESP_CAP_LIST)
#define GET_BODY                                                                                             \
    return memmem(request->json.ptr, request->json.len, "\"key\":\"a\"", 9)                                  \
               ? host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"))                                  \
               : ESP_E_NOT_FOUND;
#include "bad.h"

static esp_status list_ghost(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return host->emit(call, ESP_OUT_NAME, bytes("ghost"), bytes(""));
}
