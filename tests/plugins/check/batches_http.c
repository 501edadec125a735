/* Nothing is wrong with this one: reads_http, and several secrets in one request. It POSTs the
 * keys in lines; the answer has a line for each: a status, and behind a space the value. */
#define GET_BATCH get_batch_http
#include "esp/plugin.h"
static esp_status get_batch_http(void *instance, struct esp_call *call, const struct esp_request *request);
#include "reads_http.c"

#include <stdio.h>

#define BODY_MAX 4096

/* The keys of all references, in lines. */
static void keys_of(esp_bytes json, char body[BODY_MAX])
{
    char key[TEXT_MAX];
    size_t used = 0;

    for (const uint8_t *end = json.ptr + json.len; text_of(json, "\"key\":\"", key) == 0;) {
        used += (size_t)snprintf(body + used, BODY_MAX - used, "%s\n", key);
        json.ptr = (const uint8_t *)memmem(json.ptr, json.len, "\"key\":\"", 7) + 7;
        json.len = (size_t)(end - json.ptr);
    }
}

static void tell(struct esp_call *call, size_t index, const char *line, size_t len)
{
    char number[24];
    snprintf(number, sizeof number, "%zu", index);
    if (len > 4 && memcmp(line, "200 ", 4) == 0)
        host->emit(call, ESP_OUT_VALUE, bytes(number), (esp_bytes){(const uint8_t *)line + 4, len - 4});
    else if (len >= 3 && memcmp(line, "404", 3) == 0)
        host->fail_at(call, index, ESP_E_NOT_FOUND, bytes(""));
    else
        host->fail_at(call, index, ESP_E_DENIED, bytes("the backend refuses the token"));
}

static esp_status get_batch_http(void *instance, struct esp_call *call, const struct esp_request *request)
{
    char url[2 * TEXT_MAX], body[BODY_MAX] = "", bearer[2 * TEXT_MAX] = "Bearer ";
    esp_bytes token = {0};
    esp_status status =
        host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("login"), bytes("token"), &token);
    if (status != ESP_OK)
        return status;
    keys_of(request->json, body);
    snprintf(url, sizeof url, "%s/batch", (const char *)instance);
    strncat(bearer, (const char *)token.ptr, token.len < TEXT_MAX ? token.len : TEXT_MAX);
    esp_pair header = {bytes("authorization"), bytes(bearer)};
    struct esp_http_request q = {.size = sizeof q,
                                 .method = bytes("POST"),
                                 .url = bytes(url),
                                 .body = bytes(body),
                                 .headers = &header,
                                 .header_count = 1};
    struct esp_http_response a = {.size = sizeof a};
    status = host->http(call, &q, &a);
    if (status == ESP_OK && a.status != 200)
        return judge(call, &a);
    const char *at = (const char *)a.body.ptr, *end = at + (status == ESP_OK ? a.body.len : 0);
    for (size_t i = 0; at < end; i++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            break;
        tell(call, i, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
    return status;
}
