/* Hands out a value where there is none to hand out, says that the store is open, and
 * notices when it is not closed again. */
#define OPEN open_badly
#define CLOSE close_badly
struct esp_call;
struct esp_request;
static int open_badly(struct esp_call *call, const struct esp_request *request, void **instance);
static void close_badly(void *instance, struct esp_call *call);
#include "bad.h"

static int opened;

static esp_status open_badly(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)request;
    *instance = &opened;
    if (opened++)
        return host->fail(call, ESP_E_RETRY, 0, bytes("the last store was not closed"));
    host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("a gift"));
    return ESP_OK;
}

static void close_badly(void *instance, struct esp_call *call)
{
    (void)call;
    if (instance == &opened)
        opened--;
}
