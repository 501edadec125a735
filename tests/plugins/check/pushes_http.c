/* Nothing is wrong with this one: a store behind HTTP that takes what is pushed. What it is
 * asked is handed on as JSON, values included, so that a test can look at it. */
#include <stdlib.h>

#include <esp/json.h>
#include <esp/text.h>

#include "esp/plugin.h"
static esp_status open_url(struct esp_call *call, const struct esp_request *request, void **instance);
static void close_url(void *instance, struct esp_call *call);
static esp_status get_http(void *instance, struct esp_call *call, const struct esp_request *request);
static esp_status exists_http(void *instance, struct esp_call *call, const struct esp_request *request);
static esp_status push_http(void *instance, struct esp_call *call, const struct esp_request *request);
static esp_status remove_http(void *instance, struct esp_call *call, const struct esp_request *request);
#define OPEN open_url
#define CLOSE close_url
#define GET get_http
#define EXISTS exists_http
#define PUSH push_http
#define REMOVE remove_http
#define CAPS (ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_WHOLE_VALUES | ESP_CAP_CONCURRENT)
#define SCHEMA                                                                                               \
    "{\"type\":\"object\",\"description\":\"A store behind HTTP.\",\"required\":[\"url\"],\"properties\":{"  \
    "\"url\":{\"type\":\"string\",\"description\":\"Where it is.\"}}}"
#include "bad.h"

#define TEXT_MAX ((size_t)1 << 20)

static esp_status open_url(struct esp_call *call, const struct esp_request *request, void **instance)
{
    struct esp_text *url = calloc(1, sizeof *url);
    if (!url)
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("out of memory"));
    esp_text_init(url, TEXT_MAX);
    esp_json_get_raw(request->json, bytes("spec"), url, NULL);
    esp_bytes spec = esp_dup(esp_text_bytes(url));
    esp_text_cut(url, 0);
    esp_json_get(spec, bytes("url"), ESP_JSON_PATH, url);
    esp_dup_free(spec);
    *instance = url;
    return ESP_OK;
}

static void close_url(void *instance, struct esp_call *call)
{
    (void)call;
    esp_text_free(instance);
    free(instance);
}

/* METHOD URL/key, the property as a query. */
static esp_status ask(struct esp_text *base, struct esp_call *call, const char *method, const char *key,
                      esp_bytes document, esp_bytes body, struct esp_http_response *answer)
{
    struct esp_text url;
    esp_text_init(&url, TEXT_MAX);
    esp_text_add(&url, esp_text_bytes(base));
    esp_text_addc(&url, '/');
    esp_json_get(document, bytes(key), ESP_JSON_PATH, &url);
    esp_text_addc(&url, '?');
    esp_json_get(document, bytes("property"), ESP_JSON_PATH, &url);
    struct esp_http_request q = {.size = sizeof q,
                                 .method = bytes(method),
                                 .url = esp_text_bytes(&url),
                                 .body = body,
                                 .api = bytes(method)};
    esp_status status = host->http(call, &q, answer);
    esp_text_free(&url);
    return status;
}

static esp_status judge(struct esp_call *call, esp_status status, const struct esp_http_response *answer)
{
    if (status != ESP_OK || answer->status == 200 || answer->status == 404)
        return status;
    return host->fail(call, answer->status == 403 ? ESP_E_DENIED : ESP_E_RETRY, 0,
                      bytes(answer->status == 403 ? "the backend refuses" : "the backend is not well"));
}

static esp_status get_http(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_response a = {.size = sizeof a};
    esp_status status = judge(call, ask(instance, call, "GET", "key", request->json, (esp_bytes){0}, &a), &a);
    if (status == ESP_OK && a.status == 404)
        return ESP_E_NOT_FOUND;
    return status == ESP_OK ? host->emit(call, ESP_OUT_VALUE, bytes(""), a.body) : status;
}

static esp_status exists_http(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_response a = {.size = sizeof a};
    esp_status status =
        judge(call, ask(instance, call, "GET", "remoteKey", request->json, (esp_bytes){0}, &a), &a);
    if (status != ESP_OK)
        return status;
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(a.status == 404 ? "false" : "true"));
}

static esp_status push_http(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_response a = {.size = sizeof a};
    struct esp_text body;
    esp_text_init(&body, TEXT_MAX);
    esp_text_adds(&body, "{\"request\":");
    esp_text_add(&body, request->json);
    esp_text_adds(&body, ",\"values\":");
    esp_json_values(request->values, request->value_count, false, &body);
    esp_text_addc(&body, '}');
    esp_status status =
        judge(call, ask(instance, call, "PUT", "remoteKey", request->json, esp_text_bytes(&body), &a), &a);
    esp_text_free(&body);
    return status;
}

static esp_status remove_http(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_response a = {.size = sizeof a};
    return judge(call, ask(instance, call, "DELETE", "remoteKey", request->json, request->json, &a), &a);
}
