/* A plugin that uses every service and channel there is, so that its conversations hold
 * every kind of frame. tests/fuzz/record.c writes them down. */
#include "esp/plugin.h"

#include <string.h>

static const struct esp_host *host;

static esp_bytes text(const char *s)
{
    return (esp_bytes){(const uint8_t *)s, strlen(s)};
}

static esp_status chatty_check(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    host->emit(call, ESP_OUT_WARNING, text(""), text("it talks a lot"));
    return ESP_OK;
}

static esp_status chatty_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)request;
    host->log(call, ESP_LOG_INFO, text("opened"));
    *instance = NULL;
    return ESP_OK;
}

static void chatty_close(void *instance, struct esp_call *call)
{
    (void)instance;
    host->log(call, ESP_LOG_DEBUG, text("closed"));
}

static esp_status chatty_validate(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return host->fail(call, ESP_E_UNDECIDED, 0, text("who knows?"));
}

static esp_status ask_http(struct esp_call *call)
{
    const esp_pair headers[] = {{text("Accept"), text("application/json")}, {text("X-Token"), text("t")}};
    const struct esp_http_request request = {.size = sizeof request,
                                             .timeout_ms = 1000,
                                             .flags = ESP_HTTP_FOLLOW,
                                             .method = text("POST"),
                                             .url = text("https://vault.example/v1/kv"),
                                             .body = text("{\"a\":1}"),
                                             .headers = headers,
                                             .header_count = 2,
                                             .server_name = text("vault"),
                                             .api = text("Chatty/Read")};
    struct esp_http_response response = {.size = sizeof response};
    return host->http(call, &request, &response);
}

static esp_status chatty_get(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const esp_bytes audiences[] = {text("vault"), text("other")};
    esp_bytes out = {0};
    (void)instance;
    (void)request;

    host->kube_read(call, ESP_KUBE_SECRET, text("team"), text("creds"), text("password"), &out);
    host->kube_read(call, ESP_KUBE_SERVICE_ACCOUNT, text(""), text("robot"), text(""), &out);
    host->kube_read(call, ESP_KUBE_SECRET_OBJECT, text("team"), text("creds"), text(""), &out);
    host->sa_token(call, text(""), text("robot"), audiences, 2, 900, &out);
    host->ambient(call, ESP_AMBIENT_ENV, text("FUZZ_VALUE"), &out);
    host->ambient(call, ESP_AMBIENT_FILE, text("/dev/null"), &out);
    host->render(call, text("{{ .a }}"), text("{\"a\":1}"), &out);
    host->wait(call, 1);
    ask_http(call);
    return host->emit(call, ESP_OUT_VALUE, text(""), text("a value"));
}

static esp_status chatty_get_map(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    host->emit(call, ESP_OUT_VALUE, text("user"), text("admin"));
    return host->emit(call, ESP_OUT_VALUE, text("password"), text("a value"));
}

static esp_status chatty_get_batch(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    host->emit(call, ESP_OUT_VALUE, text("0"), text("first"));
    host->fail_at(call, 1, ESP_E_NOT_FOUND, text("no second"));
    return host->emit(call, ESP_OUT_VALUE, text("2"), text("third"));
}

static esp_status chatty_list(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    host->emit(call, ESP_OUT_NAME, text("one"), text(""));
    return host->emit(call, ESP_OUT_VALUE, text("two"), text("2"));
}

static esp_status chatty_exists(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return host->emit(call, ESP_OUT_VALUE, text(""), text("true"));
}

static esp_status chatty_push(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return host->fail(call, ESP_E_RETRY, 5000, text("too many requests"));
}

/* That operation has no results: the emit is refused. */
static esp_status chatty_remove(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return host->emit(call, ESP_OUT_VALUE, text(""), text("gone"));
}

static esp_status chatty_configure(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    host->log(call, ESP_LOG_WARN, text("configured"));
    return ESP_OK;
}

static const struct esp_store_ops ops = {.size = sizeof ops,
                                         .check = chatty_check,
                                         .open = chatty_open,
                                         .close = chatty_close,
                                         .validate = chatty_validate,
                                         .get = chatty_get,
                                         .get_map = chatty_get_map,
                                         .get_batch = chatty_get_batch,
                                         .list = chatty_list,
                                         .exists = chatty_exists,
                                         .push = chatty_push,
                                         .remove = chatty_remove};

static const struct esp_component store = {
    .size = sizeof store,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT,
    .maintenance = ESP_MAINTAINED,
    .name = "chatty",
    .label = "Test/Chatty",
    .schema = "{\"type\":\"object\",\"properties\":{\"secret\":{\"type\":\"string\"}}}",
    .store = &ops};

static const struct esp_component *const components[] = {&store, NULL};

static const char *const ambient[] = {"env:FUZZ_*", "file:$FUZZ_FILE", "file:/dev/null", NULL};

static const struct esp_plugin plugin = {.size = sizeof plugin,
                                         .abi_major = ESP_ABI_MAJOR,
                                         .abi_minor = ESP_ABI_MINOR,
                                         .name = "chatty",
                                         .version = "1.0.0",
                                         .components = components,
                                         .config_schema = "{\"type\":\"object\"}",
                                         .configure = chatty_configure,
                                         .ambient = ambient};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *given)
{
    host = given;
    return &plugin;
}
