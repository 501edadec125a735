/* Nothing is wrong with this one: a store behind HTTP, with a credential in a Secret. */
#include <stdlib.h>

#include "esp/plugin.h"
static esp_status open_url(struct esp_call *call, const struct esp_request *request, void **instance);
static void close_url(void *instance, struct esp_call *call);
static esp_status get_http(void *instance, struct esp_call *call, const struct esp_request *request);
#define OPEN open_url
#define CLOSE close_url
#define GET get_http
#define CAPS (ESP_CAP_READ | ESP_CAP_WHOLE_VALUES | ESP_CAP_CONCURRENT)
#define SCHEMA                                                                                               \
    "{\"type\":\"object\",\"description\":\"A store behind HTTP.\",\"required\":[\"url\"],\"properties\":{"  \
    "\"url\":{\"type\":\"string\",\"description\":\"Where it is.\"},"                                        \
    "\"secret\":{\"type\":\"string\",\"description\":\"The Secret with the token.\"}}}"
#include "bad.h"

#define TEXT_MAX 200

/* The first string under this name, as it stands there; without escapes it is the value. */
static int text_of(esp_bytes json, const char *name, char out[TEXT_MAX])
{
    const char *at = memmem(json.ptr, json.len, name, strlen(name));
    if (!at)
        return -1;
    at += strlen(name);
    const char *end = memchr(at, '"', (size_t)((const char *)json.ptr + json.len - at));
    if (!end || end - at >= TEXT_MAX || memchr(at, '\\', (size_t)(end - at)))
        return -1;
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return 0;
}

static esp_status open_url(struct esp_call *call, const struct esp_request *request, void **instance)
{
    char *url = malloc(TEXT_MAX);
    if (!url)
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("out of memory"));
    if (text_of(request->json, "\"url\":\"", url) < 0) {
        free(url);
        return host->fail(call, ESP_E_CONFIG, 0, bytes("url: is missing"));
    }
    *instance = url;
    return ESP_OK;
}

static void close_url(void *instance, struct esp_call *call)
{
    (void)call;
    free(instance);
}

static uint64_t wait_of(const struct esp_http_response *a)
{
    for (size_t i = 0; i < a->header_count; i++)
        if (a->headers[i].name.len == 11 && memcmp(a->headers[i].name.ptr, "retry-after", 11) == 0 &&
            a->headers[i].value.len == 1)
            return (uint64_t)(a->headers[i].value.ptr[0] - '0') * 1000;
    return 0;
}

static esp_status judge(struct esp_call *call, const struct esp_http_response *a)
{
    if (a->status == 200)
        return host->emit(call, ESP_OUT_VALUE, bytes(""), a->body);
    if (a->status == 404)
        return ESP_E_NOT_FOUND;
    if (a->status == 401 || a->status == 403)
        return host->fail(call, ESP_E_DENIED, 0, bytes("the backend refuses the token"));
    return host->fail(call, ESP_E_RETRY, wait_of(a), bytes("the backend is not well"));
}

static esp_status get_http(void *instance, struct esp_call *call, const struct esp_request *request)
{
    char key[TEXT_MAX], url[2 * TEXT_MAX], bearer[2 * TEXT_MAX] = "Bearer ";
    esp_bytes token = {0};
    if (text_of(request->json, "\"key\":\"", key) < 0)
        return host->fail(call, ESP_E_CONFIG, 0, bytes("this key cannot be asked for"));
    esp_status status =
        host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("login"), bytes("token"), &token);
    if (status != ESP_OK)
        return status;
    strcpy(url, instance);
    strcat(url, key);
    strncat(bearer, (const char *)token.ptr, token.len < TEXT_MAX ? token.len : TEXT_MAX);
    esp_pair header = {bytes("authorization"), bytes(bearer)};
    struct esp_http_request q = {
        .size = sizeof q, .method = bytes("GET"), .url = bytes(url), .headers = &header, .header_count = 1};
    struct esp_http_response a = {.size = sizeof a};
    status = host->http(call, &q, &a);
    return status == ESP_OK ? judge(call, &a) : status;
}
