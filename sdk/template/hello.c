/* hello.c: answers every key with a greeting. Copy it, rename it, and put your
 * backend where hello_get is. It reads best from its end. */
#include <stdlib.h>

#include <esp/json.h>
#include <esp/plugin.h>
#include <esp/text.h>

/* More than a Kubernetes Secret can hold. Whatever grows has a ceiling. */
#define TEXT_MAX (1 << 20)

extern const char hello_schema[]; /* schema.json, compiled in */

static const struct esp_host *host;

static esp_status no_room(struct esp_call *call)
{
    return esp_failf(host, call, ESP_E_INTERNAL, "out of memory, or a text above %d bytes", TEXT_MAX);
}

static void hello_close(void *instance, struct esp_call *call)
{
    (void)call;
    esp_text_free(instance);
    free(instance);
}

/* The instance of a store is its greeting. The request is borrowed, so it is copied. */
static esp_status hello_open(struct esp_call *call, const struct esp_request *req, void **instance)
{
    struct esp_text *greeting = malloc(sizeof *greeting);
    if (!greeting)
        return no_room(call);
    esp_text_init(greeting, TEXT_MAX);
    int found = esp_json_get(req->json, esp_str("spec.greeting"), ESP_JSON_PATH, greeting);
    if (found == 1) {
        *instance = greeting;
        return ESP_OK;
    }
    hello_close(greeting, call);
    if (found < 0)
        return no_room(call);
    return esp_failf(host, call, ESP_E_CONFIG, "spec.provider.hello.greeting is required");
}

/* Several threads may be here at once (ESP_CAP_CONCURRENT): the greeting is only read. */
static esp_status hello_get(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct esp_text answer;
    esp_text_init(&answer, TEXT_MAX);
    esp_text_add(&answer, esp_text_bytes(instance));
    esp_text_adds(&answer, ", ");
    esp_status status;
    if (esp_json_get(req->json, esp_str("key"), ESP_JSON_PATH, &answer) == 1)
        status = host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&answer));
    else
        status = no_room(call); /* every request has a key */
    esp_text_free(&answer);     /* and wipes it: values are secrets */
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
