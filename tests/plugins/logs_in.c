/* Nothing wrong with it: its value is the credential that it was opened with, or, of a
 * store with a URL, what that answers to a client who trusts the store's CA. With
 * "lazy" the credential is read by each `get`; with a serviceAccountRef it is a token of
 * that account. A credential "wrong" is refused, as a
 * backend would. */
#include <stdlib.h>
#include <string.h>

#include "esp/json.h"
#include "esp/text.h"

#define SCHEMA "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
#define CAPS ESP_CAP_READ | ESP_CAP_WHOLE_VALUES
#define OPEN log_in
#define CLOSE log_out
#define GET get_something
#define VALIDATE try_it
static esp_status log_in(struct esp_call *call, const struct esp_request *request, void **instance);
static void log_out(void *instance, struct esp_call *call);
static esp_status get_something(void *instance, struct esp_call *call, const struct esp_request *request);
static esp_status try_it(void *instance, struct esp_call *call, const struct esp_request *request);
#include "bad.h"

struct session {
    esp_bytes document; /* of `open` */
    esp_bytes token;
};

/* A member of the store's document, as text; free it. */
static struct esp_text member(esp_bytes document, const char *path)
{
    struct esp_text t;

    esp_text_init(&t, 64 << 10);
    (void)esp_json_get(document, esp_str(path), ESP_JSON_PATH, &t);
    return t;
}

static esp_status ask_for_token(struct esp_call *call, esp_bytes account, esp_bytes *token)
{
    const esp_bytes audience = esp_str("backend");
    return host->sa_token(call, esp_str(""), account, &audience, 1, 0, token);
}

/* Empty when the store names no credential. */
static esp_status read_token(struct esp_call *call, esp_bytes document, esp_bytes *token)
{
    struct esp_text name = member(document, "spec.auth.secretRef.name");
    struct esp_text key = member(document, "spec.auth.secretRef.key");
    struct esp_text ns = member(document, "spec.auth.secretRef.namespace");
    struct esp_text account = member(document, "spec.auth.serviceAccountRef.name");
    esp_status status = ESP_OK;

    if (account.len)
        status = ask_for_token(call, esp_text_bytes(&account), token);
    if (name.len)
        status = host->kube_read(call, ESP_KUBE_SECRET, esp_text_bytes(&ns), esp_text_bytes(&name),
                                 esp_text_bytes(&key), token);
    esp_text_free(&name);
    esp_text_free(&key);
    esp_text_free(&ns);
    esp_text_free(&account);
    if (status == ESP_OK && esp_equal_str(*token, "wrong"))
        return esp_failf(host, call, ESP_E_DENIED, "the credential was refused");
    return status;
}

static bool is_lazy(esp_bytes document)
{
    struct esp_text lazy = member(document, "spec.lazy");
    bool yes = esp_equal_str(esp_text_bytes(&lazy), "true");
    esp_text_free(&lazy);
    return yes;
}

static esp_status log_in(struct esp_call *call, const struct esp_request *request, void **instance)
{
    esp_bytes token = {0};
    esp_status status = is_lazy(request->json) ? ESP_OK : read_token(call, request->json, &token);

    if (status != ESP_OK)
        return status;
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return esp_failf(host, call, ESP_E_INTERNAL, "out of memory");
    s->document = esp_dup(request->json);
    s->token = esp_dup(token);
    if (!s->document.ptr || !s->token.ptr) {
        log_out(s, call);
        return esp_failf(host, call, ESP_E_INTERNAL, "out of memory");
    }
    *instance = s;
    return ESP_OK;
}

static void log_out(void *instance, struct esp_call *call)
{
    struct session *s = instance;
    (void)call;
    esp_dup_free(s->document);
    esp_dup_free(s->token);
    free(s);
}

/* Asks the store's URL; *body is empty when it has none. */
static esp_status ask(struct esp_call *call, const struct session *s, bool *asked, esp_bytes *body)
{
    struct esp_text url = member(s->document, "spec.url");
    struct esp_text ca = member(s->document, "caBundle");
    struct esp_http_request request = {.size = sizeof request,
                                       .method = esp_str("GET"),
                                       .url = esp_text_bytes(&url),
                                       .ca_pem = esp_text_bytes(&ca),
                                       .api = esp_str("Ask")};
    struct esp_http_response response = {.size = sizeof response};
    esp_status status = ESP_OK;

    *asked = url.len > 0;
    if (*asked)
        status = host->http(call, &request, &response);
    if (status == ESP_OK)
        *body = response.body;
    esp_text_free(&url);
    esp_text_free(&ca);
    return status;
}

static esp_status get_something(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const struct session *s = instance;
    esp_bytes value = {0};
    bool asked = false;
    esp_status status = ask(call, s, &asked, &value);
    (void)request;

    if (status == ESP_OK && !asked) {
        value = s->token;
        if (is_lazy(s->document))
            status = read_token(call, s->document, &value);
    }
    return status == ESP_OK ? host->emit(call, ESP_OUT_VALUE, esp_str(""), value) : status;
}

static esp_status try_it(void *instance, struct esp_call *call, const struct esp_request *request)
{
    esp_bytes body = {0};
    bool asked = false;
    (void)request;
    return ask(call, instance, &asked, &body);
}
