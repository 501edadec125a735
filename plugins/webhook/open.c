/* plugins/webhook/open.c: from a spec to a store, and whether there is somebody at its URL. */
#include <stdlib.h>

#include <esp/duration.h>

#include "hook.h"

#define VALIDATION_MS 15000

static esp_status read_timeout(struct esp_call *call, const json_t *spec, uint32_t *ret)
{
    esp_bytes text = esp_tree_text(spec, "timeout");
    int64_t ms = 0;

    if (text.len == 0 || esp_duration_ms(text, &ms)) {
        *ret = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
        return ESP_OK;
    }
    return esp_failf(hook_host, call, ESP_E_CONFIG,
                     "timeout \"%.*s\" is not a duration like 10s, 1m30s or 250ms", ESP_ARG(text));
}

esp_status hook_check(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *document = esp_tree_read(request->json);
    uint32_t timeout_ms = 0;

    (void)instance;
    if (!document)
        return hook_no_memory(call);
    esp_status status = read_timeout(call, json_object_get(document, "spec"), &timeout_ms);
    json_decref(document);
    return status;
}

void hook_close(void *instance, struct esp_call *call)
{
    struct hook_store *store = instance;

    (void)call;
    json_decref(store->request);
    free(store);
}

static void fill(struct hook_store *store, const json_t *spec)
{
    store->url = esp_tree_text(spec, "url");
    store->method = esp_tree_text(spec, "method");
    store->body = esp_tree_text(spec, "body");
    store->json_path = esp_tree_text(json_object_get(spec, "result"), "jsonPath");
    store->headers = json_object_get(spec, "headers");
    store->secrets = json_object_get(spec, "secrets");
    store->ntlm = json_object_get(json_object_get(spec, "auth"), "ntlm");
    store->ca = esp_tree_text(store->request, "caBundle");
    store->cluster_wide =
        esp_equal_str(esp_tree_text(json_object_get(store->request, "store"), "kind"), "ClusterSecretStore");
}

esp_status hook_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    struct hook_store *store = calloc(1, sizeof *store);

    if (!store)
        return hook_no_memory(call);
    store->request = esp_tree_read(request->json);
    const json_t *spec = json_object_get(store->request, "spec");
    fill(store, spec);
    esp_status status = store->request ? read_timeout(call, spec, &store->timeout_ms) : hook_no_memory(call);
    if (status == ESP_OK)
        *instance = store;
    else
        hook_close(store, call);
    return status;
}

/* ---- validate ---- */

/* scheme://host:port of the URL; empty when a template decides about it. */
static esp_bytes origin_of(esp_bytes url)
{
    size_t at = 0;

    while (at + 3 <= url.len && !esp_starts_with(esp_span(url.ptr + at, url.len - at), esp_str("://")))
        at++;
    at += 3;
    while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?' && url.ptr[at] != '#' &&
           url.ptr[at] != '{')
        at++;
    return at >= url.len || url.ptr[at] != '{' ? esp_span(url.ptr, at < url.len ? at : url.len) : esp_str("");
}

/* Is somebody there? The reference connects to the host and says nothing. A plugin has no sockets,
 * so this asks for the root and takes any answer: nothing that a template would add goes out,
 * no credential, no body, and HEAD changes nothing. An answer that is an error decides nothing,
 * for the root is not what the store asks for. A certificate that is not trusted shows as
 * well; the store is served all the same, and says what will be wrong. */
esp_status hook_validate(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const struct hook_store *store = instance;
    esp_bytes origin = origin_of(store->url);
    struct esp_http_response answer = {.size = sizeof answer};
    struct esp_text url;

    (void)request;
    if (origin.len == 0)
        return ESP_E_UNDECIDED;
    esp_text_init(&url, 4096);
    esp_text_add(&url, origin);
    esp_text_addc(&url, '/');
    const struct esp_http_request head = {.size = sizeof head,
                                          .timeout_ms = VALIDATION_MS,
                                          .method = esp_str("HEAD"),
                                          .url = esp_text_bytes(&url),
                                          .ca_pem = store->ca,
                                          .api = esp_str("Validate")};
    esp_status status = esp_text_failed(&url) ? hook_no_memory(call) : hook_host->http(call, &head, &answer);
    esp_text_free(&url);
    if (status == ESP_E_DENIED)
        return ESP_E_UNDECIDED;
    if (status == ESP_E_RETRY)
        return esp_failf(hook_host, call, ESP_E_RETRY, "error accessing external store: no answer from %.*s",
                         ESP_ARG(origin));
    return status == ESP_OK && answer.status >= 400 ? ESP_E_UNDECIDED : status;
}
