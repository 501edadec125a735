/* plugins/webhook/push.c: sends a value, and asks for it to be deleted. */
#include <esp/push.h>

#include "exchange.h"

/* The reference says it twice of what an endpoint refuses. */
#define FAILED "failed to push webhook data: "

/* The data of the templates of one write. */
struct writing {
    struct esp_text value, secrets, for_url, plain;
};

static void init(struct writing *w)
{
    esp_text_init(&w->value, HOOK_MAX_TEXT);
    esp_text_init(&w->secrets, HOOK_MAX_TEXT);
    esp_text_init(&w->for_url, 3 * HOOK_MAX_TEXT);
    esp_text_init(&w->plain, 2 * HOOK_MAX_TEXT);
}

static void fini(struct writing *w)
{
    esp_text_free(&w->value);
    esp_text_free(&w->secrets);
    esp_text_free(&w->for_url);
    esp_text_free(&w->plain);
}

static esp_status prepare(struct writing *w, const struct hook_store *store, struct esp_call *call,
                          const struct hook_ref *ref)
{
    esp_status status = hook_add_secrets(store, call, &w->secrets);

    if (status != ESP_OK)
        return status;
    hook_add_data(&w->for_url, ref, true, esp_text_bytes(&w->secrets));
    hook_add_data(&w->plain, ref, false, esp_text_bytes(&w->secrets));
    return ESP_OK;
}

/* Without a template the body is the value, byte for byte. */
static esp_status send_value(const struct hook_store *store, struct esp_call *call, const struct writing *w)
{
    struct hook_exchange x = {.method = store->method.len ? store->method : esp_str("POST"),
                              .api = "HTTPRequest",
                              .before = FAILED,
                              .body = esp_text_bytes(&w->value),
                              .for_url = &w->for_url,
                              .plain = &w->plain};
    struct esp_http_response answer;
    esp_status status = ESP_OK;

    if (store->body.len)
        status = hook_render(call, FAILED "failed to parse body: ", store->body, &w->plain, &x.body);
    if (status == ESP_OK)
        status = hook_send(store, call, &x, &answer);
    if (status != ESP_OK || hook_succeeded(&answer))
        return status;
    return hook_refused(call, FAILED FAILED, &answer);
}

static esp_status push(const struct hook_store *store, struct esp_call *call,
                       const struct esp_request *request, const json_t *document)
{
    struct hook_ref ref = {.remote_key = esp_tree_text(document, "remoteKey"),
                           .secret_key = esp_tree_text(document, "secretKey"),
                           .property = esp_tree_text(document, "property"),
                           .namespace = esp_tree_text(document, "namespace"),
                           .has_value = true};
    struct writing w;

    if (ref.remote_key.len == 0)
        return esp_failf(hook_host, call, ESP_E_CONFIG, "remote key must be defined");
    init(&w);
    esp_status status = esp_push_value(hook_host, call, request, &w.value);
    ref.value = esp_text_bytes(&w.value);
    if (status == ESP_OK)
        status = prepare(&w, store, call, &ref);
    if (status == ESP_OK)
        status = send_value(store, call, &w);
    fini(&w);
    return status;
}

esp_status hook_push(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *document = esp_tree_read(request->json);

    if (!document)
        return hook_no_memory(call);
    esp_status status = push(instance, call, request, document);
    json_decref(document);
    return status;
}

/* What is not there need not be deleted. */
static esp_status ask_to_delete(const struct hook_store *store, struct esp_call *call,
                                const struct writing *w)
{
    const struct hook_exchange x = {.method = esp_str("DELETE"),
                                    .api = "HTTPRequest",
                                    .before = "failed to delete secret: ",
                                    .for_url = &w->for_url,
                                    .plain = &w->plain};
    struct esp_http_response answer;
    esp_status status = hook_send(store, call, &x, &answer);

    if (status != ESP_OK || hook_succeeded(&answer) || answer.status == 404)
        return status;
    return hook_refused(call, "delete ", &answer);
}

esp_status hook_remove(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const struct hook_store *store = instance;
    json_t *document = esp_tree_read(request->json);
    struct writing w;

    if (!document)
        return hook_no_memory(call);
    const struct hook_ref ref = {.remote_key = esp_tree_text(document, "remoteKey"),
                                 .property = esp_tree_text(document, "property"),
                                 .namespace = esp_tree_text(document, "namespace")};
    init(&w);
    esp_status status = prepare(&w, store, call, &ref);
    if (status == ESP_OK)
        status = ask_to_delete(store, call, &w);
    fini(&w);
    json_decref(document);
    return status;
}
