/* Nothing wrong with it, but it needs what 1.1 brought. The key of `get` says what it
 * does: "wait N" waits so many milliseconds; "login" asks the store's url with NTLM as
 * its user; "secret" hands out the store's whole Secret; "quotes" puts a value of that
 * into its excuse; all else is its own answer, with the consumer's namespace before it. */
#include <stdio.h>
#include <stdlib.h>

#include "esp/json.h"
#include "esp/text.h"

#define NEEDS_MINOR 1
#define SCHEMA "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
#define CAPS ESP_CAP_READ | ESP_CAP_WHOLE_VALUES | ESP_CAP_CONCURRENT | ESP_CAP_PER_NAMESPACE
#define OPEN keep_document
#define CLOSE drop_document
#define GET do_as_told
static esp_status keep_document(struct esp_call *call, const struct esp_request *request, void **instance);
static void drop_document(void *instance, struct esp_call *call);
static esp_status do_as_told(void *instance, struct esp_call *call, const struct esp_request *request);
#include "bad.h"

static esp_status keep_document(struct esp_call *call, const struct esp_request *request, void **instance)
{
    esp_bytes *document = malloc(sizeof *document);

    if (!document)
        return esp_failf(host, call, ESP_E_INTERNAL, "out of memory");
    *document = esp_dup(request->json);
    *instance = document;
    return ESP_OK;
}

static void drop_document(void *instance, struct esp_call *call)
{
    (void)call;
    esp_dup_free(*(esp_bytes *)instance);
    free(instance);
}

static struct esp_text member(esp_bytes document, const char *path)
{
    struct esp_text t;

    esp_text_init(&t, 64 << 10);
    (void)esp_json_get(document, esp_str(path), ESP_JSON_PATH, &t);
    return t;
}

static esp_status log_in(struct esp_call *call, esp_bytes document)
{
    struct esp_text url = member(document, "spec.url"), user = member(document, "spec.user"),
                    password = member(document, "spec.password");
    const struct esp_http_request request = {.size = sizeof request,
                                             .flags = ESP_HTTP_NTLM,
                                             .method = esp_str("GET"),
                                             .url = esp_text_bytes(&url),
                                             .username = esp_text_bytes(&user),
                                             .password = esp_text_bytes(&password)};
    struct esp_http_response response = {.size = sizeof response};

    esp_status status = host->http(call, &request, &response);
    if (status == ESP_OK)
        status = response.status == 200
                     ? host->emit(call, ESP_OUT_VALUE, esp_str(""), response.body)
                     : esp_failf(host, call, ESP_E_DENIED, "the login was answered with %d", response.status);
    esp_text_free(&url);
    esp_text_free(&user);
    esp_text_free(&password);
    return status;
}

static esp_status read_secret(struct esp_call *call, bool quote)
{
    esp_bytes object = {0};
    esp_status status =
        host->kube_read(call, ESP_KUBE_SECRET_OBJECT, esp_str(""), esp_str("ours"), esp_str(""), &object);

    if (status != ESP_OK || !quote)
        return status == ESP_OK ? host->emit(call, ESP_OUT_VALUE, esp_str(""), object) : status;
    struct esp_text value = member(object, "data.token");
    status = esp_failf(host, call, ESP_E_DENIED, "the backend does not like %.*s or s3cr3t-token",
                       (int)value.len, (const char *)value.ptr);
    esp_text_free(&value);
    return status;
}

static esp_status answer(struct esp_call *call, esp_bytes document)
{
    struct esp_text ns = member(document, "namespace");

    esp_text_adds(&ns, "'s answer");
    esp_status status = host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&ns));
    esp_text_free(&ns);
    return status;
}

static esp_status do_as_told(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct esp_text key = member(request->json, "key");
    const char *what = esp_text_str(&key);
    esp_status status = ESP_OK;

    if (strncmp(what, "wait ", 5) == 0)
        status = host->wait(call, (uint32_t)strtoul(what + 5, NULL, 10));
    else if (strcmp(what, "login") == 0)
        status = log_in(call, *(esp_bytes *)instance);
    else if (strcmp(what, "secret") == 0 || strcmp(what, "quotes") == 0)
        status = read_secret(call, *what == 'q');
    if (status == ESP_OK && *what != 'l' && *what != 's')
        status = answer(call, request->json);
    esp_text_free(&key);
    return status;
}
