/* hello.c: answers every key with a greeting. Copy it, rename it, and put your
 * backend where hello_get is. */
#include <stdlib.h>

#include <esp/json.h>
#include <esp/plugin.h>
#include <esp/text.h>

extern const char hello_schema[]; /* schema.json, compiled in */

static const struct esp_host *host;

#define TEXT_MAX 65536

static esp_status hello_open(struct esp_call *call, const struct esp_request *req, void **instance)
{
    struct esp_text *greeting = malloc(sizeof *greeting);
    if (!greeting)
        return esp_failf(host, call, ESP_E_INTERNAL, "out of memory");
    esp_text_init(greeting, TEXT_MAX);
    if (esp_json_get(req->json, esp_str("spec.greeting"), ESP_JSON_PATH, greeting) != 1) {
        free(greeting);
        return esp_failf(host, call, ESP_E_CONFIG, "spec.provider.hello.greeting is required");
    }
    *instance = greeting;
    return ESP_OK;
}

static void hello_close(void *instance, struct esp_call *call)
{
    (void)call;
    esp_text_free(instance);
    free(instance);
}

static esp_status hello_get(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct esp_text answer;
    esp_text_init(&answer, TEXT_MAX);
    esp_text_add(&answer, esp_text_bytes(instance));
    esp_text_adds(&answer, ", ");
    int found = esp_json_get(req->json, esp_str("key"), ESP_JSON_PATH, &answer);
    esp_status status = found == 1 ? host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&answer))
                                   : esp_failf(host, call, ESP_E_CONFIG, "the key is too long to be greeted");
    esp_text_free(&answer);
    return status;
}

static const struct esp_store_ops ops = {
    .size = sizeof ops,
    .open = hello_open,
    .close = hello_close,
    .get = hello_get,
};

static const struct esp_component store = {
    .size = sizeof store,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES,
    .maintenance = ESP_MAINTAINED,
    .name = "hello",
    .schema = hello_schema,
    .store = &ops,
};

static const struct esp_component *const components[] = {&store, NULL};

static const struct esp_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .name = "hello",
    .version = "0.1.0",
    .components = components,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    host = services;
    return &plugin;
}
