#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <esp/codec.h>
#include <esp/json.h>

#define STEP_MAX 400

/* ---- NTLM ---- */

struct login {
    struct esp_text name, password;
};

static esp_status read_key(const struct hook_store *store, struct esp_call *call, const char *which,
                           struct esp_text *out)
{
    const json_t *ref = json_object_get(store->ntlm, which);
    struct esp_text data, encoded;
    esp_bytes object = {0}, key = esp_tree_text(ref, "key");

    esp_status status = hook_read_secret(store, call, ref, &object);
    if (status != ESP_OK)
        return status;
    esp_text_init(&data, HOOK_MAX_TEXT);
    esp_text_init(&encoded, HOOK_MAX_TEXT);
    bool found = esp_json_get_raw(object, esp_str("data"), &data, NULL) == 1 &&
                 esp_json_get(esp_text_bytes(&data), key, ESP_JSON_ESCAPED_FIRST, &encoded) == 1 &&
                 esp_base64_decode(esp_text_bytes(&encoded), out);
    esp_text_free(&data);
    esp_text_free(&encoded);
    if (found)
        return ESP_OK;
    return esp_failf(hook_host, call, ESP_E_CONFIG, "auth.ntlm.%s: cannot find secret data for key: \"%.*s\"",
                     which, ESP_ARG(key));
}

static esp_status read_login(const struct hook_store *store, struct esp_call *call, struct login *ret)
{
    esp_text_init(&ret->name, 1024);
    esp_text_init(&ret->password, 1024);
    if (!store->ntlm)
        return ESP_OK;
    esp_status status = read_key(store, call, "usernameSecret", &ret->name);
    return status == ESP_OK ? read_key(store, call, "passwordSecret", &ret->password) : status;
}

static void free_login(struct login *l)
{
    esp_text_free(&l->name);
    esp_text_free(&l->password);
}

/* ---- the request ---- */

static esp_status render_header(struct esp_call *call, const struct hook_exchange *x, const char *name,
                                esp_bytes template, esp_bytes *ret)
{
    char step[STEP_MAX];

    snprintf(step, sizeof step, "%sfailed to parse header %.200s: ", x->before, name);
    return hook_render(call, step, template, x->plain, ret);
}

static esp_status render_headers(const struct hook_store *store, struct esp_call *call,
                                 const struct hook_exchange *x, esp_pair *headers, size_t *count)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)store->headers, name, value) {
        esp_pair *h = &headers[(*count)++];
        esp_bytes template = esp_span(json_string_value(value), json_string_length(value));
        h->name = esp_str(name);
        esp_status status = render_header(call, x, name, template, &h->value);
        if (status != ESP_OK)
            return status;
    }
    return ESP_OK;
}

/* Redirects are followed where nothing can get to somebody else by it: the core takes all headers
 * away that could be credentials when they lead to another host. A body and a login stay. */
static uint32_t flags_of(const struct hook_store *store, const struct hook_exchange *x)
{
    if (store->ntlm)
        return ESP_HTTP_NTLM;
    return x->body.len ? 0 : ESP_HTTP_FOLLOW;
}

static esp_status exchange(struct esp_call *call, const struct hook_exchange *x,
                           const struct esp_http_request *request, struct esp_http_response *ret)
{
    char step[STEP_MAX];

    esp_status status = hook_host->http(call, request, ret);
    if (status == ESP_OK)
        return ESP_OK;
    snprintf(step, sizeof step, "%sfailed to call endpoint: ", x->before);
    return hook_host->fail(call, status, 0, esp_str(step));
}

static esp_status send(const struct hook_store *store, struct esp_call *call, const struct hook_exchange *x,
                       const esp_pair *headers, size_t count, struct esp_http_response *ret)
{
    char step[STEP_MAX];
    esp_bytes url = {0};
    struct login login;

    snprintf(step, sizeof step, "%sfailed to parse url: ", x->before);
    esp_status status = hook_render(call, step, store->url, x->for_url, &url);
    if (status != ESP_OK)
        return status;
    status = read_login(store, call, &login);
    const struct esp_http_request request = {.size = sizeof request,
                                             .timeout_ms = store->timeout_ms,
                                             .flags = flags_of(store, x),
                                             .method = x->method,
                                             .url = url,
                                             .body = x->body,
                                             .headers = headers,
                                             .header_count = count,
                                             .ca_pem = store->ca,
                                             .api = esp_str(x->api),
                                             .username = esp_text_bytes(&login.name),
                                             .password = esp_text_bytes(&login.password)};
    *ret = (struct esp_http_response){.size = sizeof *ret};
    if (status == ESP_OK)
        status = exchange(call, x, &request, ret);
    free_login(&login);
    return status;
}

esp_status hook_send(const struct hook_store *store, struct esp_call *call, const struct hook_exchange *x,
                     struct esp_http_response *ret)
{
    size_t most = json_object_size(store->headers), count = 0;
    esp_pair *headers = calloc(most + 1, sizeof *headers);

    if (!headers)
        return hook_no_memory(call);
    esp_status status = render_headers(store, call, x, headers, &count);
    if (status == ESP_OK)
        status = send(store, call, x, headers, count, ret);
    free(headers);
    return status;
}

/* ---- refusals ---- */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {418, "I'm a teapot"},
        {422, "Unprocessable Entity"},
        {423, "Locked"},
        {425, "Too Early"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "";
}

static esp_status status_of(int status)
{
    if (status == 401 || status == 403 || status == 407)
        return ESP_E_DENIED;
    return status == 408 || status == 425 || status == 429 || status >= 500 ? ESP_E_RETRY : ESP_E_CONFIG;
}

/* Retry-After in seconds; a date is left to the core's own backoff. */
static uint64_t retry_after_ms(const struct esp_http_response *answer)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        const esp_pair *h = &answer->headers[i];
        uint64_t seconds = 0;
        if (!esp_equal_str(h->name, "retry-after") || h->value.len > 9)
            continue;
        for (size_t c = 0; c < h->value.len; c++) {
            if (h->value.ptr[c] < '0' || h->value.ptr[c] > '9')
                return 0;
            seconds = seconds * 10 + (uint64_t)(h->value.ptr[c] - '0');
        }
        return seconds * 1000;
    }
    return 0;
}

esp_status hook_refused(struct esp_call *call, const char *prefix, const struct esp_http_response *answer)
{
    const char *reason = reason_of(answer->status);
    struct esp_text why;

    esp_text_init(&why, 500);
    esp_text_addf(&why, "%sendpoint gave error %d%s%s", prefix, answer->status, *reason ? " " : "", reason);
    esp_status status =
        hook_host->fail(call, status_of(answer->status), retry_after_ms(answer), esp_text_bytes(&why));
    esp_text_free(&why);
    return status;
}
