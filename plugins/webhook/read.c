/* plugins/webhook/read.c: one request, and what its answer says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <esp/json.h>

#include "exchange.h"
#include "jsonpath.h"

#define PATH_STEP "cannot get templated json path: "

/* One read on its way. */
struct reading {
    const struct hook_store *store;
    struct hook_ref ref;
    struct esp_text secrets, for_url, plain; /* data of templates */
    esp_bytes path;                          /* the JSONPath, rendered */
    struct esp_http_response answer;
};

static void free_reading(struct reading *r)
{
    esp_text_free(&r->secrets);
    esp_text_free(&r->for_url);
    esp_text_free(&r->plain);
}

/* The JSONPath comes before any Secret is read, if it needs none: then the core knows that there is
 * no secret in it, and errors may name it. */
static esp_status render_path(struct reading *r, struct esp_call *call)
{
    struct esp_text data;

    if (hook_names_secret(r->store, r->store->json_path))
        return ESP_OK;
    esp_text_init(&data, HOOK_MAX_TEXT);
    hook_add_data(&data, &r->ref, false, esp_str(""));
    esp_status status = hook_render(call, PATH_STEP, r->store->json_path, &data, &r->path);
    esp_text_free(&data);
    return status;
}

static esp_status prepare(struct reading *r, struct esp_call *call)
{
    esp_text_init(&r->secrets, HOOK_MAX_TEXT);
    esp_text_init(&r->for_url, HOOK_MAX_TEXT);
    esp_text_init(&r->plain, HOOK_MAX_TEXT);
    esp_status status = render_path(r, call);
    if (status == ESP_OK)
        status = hook_add_secrets(r->store, call, &r->secrets);
    if (status != ESP_OK)
        return status;
    hook_add_data(&r->for_url, &r->ref, true, esp_text_bytes(&r->secrets));
    hook_add_data(&r->plain, &r->ref, false, esp_text_bytes(&r->secrets));
    if (hook_names_secret(r->store, r->store->json_path))
        status = hook_render(call, PATH_STEP, r->store->json_path, &r->plain, &r->path);
    return status;
}

/* 304 is nothing that anybody asked for, as no request says what is known already. */
static esp_status judge(const struct reading *r, struct esp_call *call)
{
    if (r->answer.status == 404)
        return ESP_E_NOT_FOUND;
    if (r->answer.status == 304)
        return esp_failf(hook_host, call, ESP_E_RETRY, "not modified");
    return hook_succeeded(&r->answer) ? ESP_OK : hook_refused(call, "", &r->answer);
}

/* Asks the endpoint. ESP_E_NOT_FOUND, without a sentence, for a 404. */
static esp_status ask(struct reading *r, struct esp_call *call)
{
    struct hook_exchange x = {.method = r->store->method.len ? r->store->method : esp_str("GET"),
                              .api = "HTTPRequest",
                              .before = "",
                              .for_url = &r->for_url,
                              .plain = &r->plain};
    esp_status status = prepare(r, call);
    if (status == ESP_OK)
        status = hook_render(call, "failed to parse body: ", r->store->body, &r->plain, &x.body);
    if (status == ESP_OK)
        status = hook_send(r->store, call, &x, &r->answer);
    return status == ESP_OK ? judge(r, call) : status;
}

static struct hook_ref ref_of(const json_t *document)
{
    return (struct hook_ref){.key = esp_tree_text(document, "key"),
                             .property = esp_tree_text(document, "property"),
                             .version = esp_tree_text(document, "version"),
                             .namespace = esp_tree_text(document, "namespace")};
}

/* ---- answers ---- */

static esp_status emit(struct esp_call *call, esp_bytes key, const struct esp_text *value)
{
    if (esp_text_failed(value))
        return hook_no_memory(call);
    return hook_host->emit(call, ESP_OUT_VALUE, key, esp_text_bytes(value));
}

static bool is_integer(esp_bytes digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (strchr(".eE", digits.ptr[i]))
            return false;
    return true;
}

/* Without decimals, as the reference has it, but integers beyond 2^53 stay what they are. */
static void add_number(struct esp_text *out, esp_bytes digits)
{
    char copy[400];

    if (is_integer(digits) || digits.len >= sizeof copy) {
        esp_text_add(out, digits);
        return;
    }
    memcpy(copy, digits.ptr, digits.len);
    copy[digits.len] = '\0';
    esp_text_addf(out, "%.0f", strtod(copy, NULL));
    esp_wipe(copy, sizeof copy);
}

static esp_status add_value(struct esp_call *call, const struct hook_value *v, struct esp_text *out);

static esp_status add_first(struct esp_call *call, const struct hook_value *first, struct esp_text *out)
{
    if (!first)
        return esp_failf(hook_host, call, ESP_E_CONFIG, "filter worked but didn't get any result");
    return add_value(call, first, out);
}

static esp_status add_node(struct esp_call *call, const struct hook_node *node, struct esp_text *out)
{
    const struct hook_value first = {.kind = HOOK_NODE, .node = node->first};

    if (node->kind == ESP_JSON_ARRAY)
        return add_first(call, node->first ? &first : NULL, out);
    if (node->kind == ESP_JSON_NUMBER)
        add_number(out, node->raw);
    else if (node->kind != ESP_JSON_OBJECT)
        esp_json_plain(node->raw, out);
    else if (!esp_json_sorted(node->raw, out))
        return hook_no_memory(call);
    return ESP_OK;
}

/* One value as a Secret holds it: of a list the first. */
static esp_status add_value(struct esp_call *call, const struct hook_value *v, struct esp_text *out)
{
    switch (v->kind) {
    case HOOK_NULL:
        break;
    case HOOK_BOOL:
        esp_text_adds(out, v->truth ? "true" : "false");
        break;
    case HOOK_NUMBER:
        esp_text_addf(out, "%.0f", v->number);
        break;
    case HOOK_TEXT:
        esp_text_add(out, v->text);
        break;
    case HOOK_LIST:
        return add_first(call, v->list->count ? v->list->items : NULL, out);
    case HOOK_NODE:
        return add_node(call, v->node, out);
    }
    return ESP_OK;
}

static esp_status emit_value(struct esp_call *call, const struct hook_value *v)
{
    struct esp_text out;

    esp_text_init(&out, HOOK_MAX_TEXT);
    esp_status status = add_value(call, v, &out);
    if (status == ESP_OK)
        status = emit(call, esp_str(""), &out);
    esp_text_free(&out);
    return status;
}

/* A member as a Secret holds it: a number in full, null as nothing. */
static esp_status emit_member(struct esp_call *call, const struct hook_node *member)
{
    struct esp_text name, value;
    esp_status status = ESP_OK;

    esp_text_init(&name, 4096);
    esp_text_init(&value, HOOK_MAX_TEXT);
    esp_json_plain(member->name, &name);
    if (member->kind == ESP_JSON_OBJECT || member->kind == ESP_JSON_ARRAY) {
        if (!esp_json_sorted(member->raw, &value))
            status = hook_no_memory(call);
    } else if (esp_json_get(member->raw, esp_str("@this"), ESP_JSON_PATH, &value) < 0) {
        status = hook_no_memory(call);
    }
    if (status == ESP_OK)
        status = esp_text_failed(&name) ? hook_no_memory(call) : emit(call, esp_text_bytes(&name), &value);
    esp_text_free(&name);
    esp_text_free(&value);
    return status;
}

static esp_status emit_members(struct esp_call *call, const struct hook_value *v)
{
    esp_status status = ESP_OK;

    if (v->kind != HOOK_NODE || v->node->kind != ESP_JSON_OBJECT)
        return esp_failf(hook_host, call, ESP_E_CONFIG, "failed to get response (wrong type: %s)",
                         hook_type_name(v));
    for (const struct hook_node *n = v->node->first; n && status == ESP_OK; n = n->next)
        status = emit_member(call, n);
    return status;
}

/* JSON in a string is read once more. */
static esp_status emit_map(struct esp_call *call, const struct hook_value *v)
{
    struct hook_tree tree = {0};
    struct esp_text inner, why;
    bool text = v->kind == HOOK_TEXT || (v->kind == HOOK_NODE && v->node->kind == ESP_JSON_STRING);

    if (!text)
        return emit_members(call, v);
    esp_text_init(&inner, HOOK_MAX_TEXT);
    esp_text_init(&why, 500);
    if (v->kind == HOOK_TEXT)
        esp_text_add(&inner, v->text);
    else
        esp_json_plain(v->node->raw, &inner);
    esp_status status =
        hook_tree_read(&tree, esp_text_bytes(&inner), &why)
            ? emit_members(call, &(const struct hook_value){.kind = HOOK_NODE, .node = tree.root})
            : esp_failf(hook_host, call, ESP_E_CONFIG, "failed to parse response json from jsonpath: %s",
                        esp_text_str(&why));
    hook_tree_free(&tree);
    esp_text_free(&inner);
    esp_text_free(&why);
    return status;
}

typedef esp_status emit_fn(struct esp_call *call, const struct hook_value *v);

static esp_status follow(const struct reading *r, struct esp_call *call, const struct hook_tree *tree,
                         emit_fn *answer)
{
    struct hook_value value = {.kind = HOOK_NODE, .node = tree->root};
    struct hook_path *path = NULL;
    struct esp_text why;

    if (r->path.len == 0)
        return answer(call, &value);
    esp_text_init(&why, 900);
    esp_status status = hook_path_get(&path, r->path, tree->root, &value, &why)
                            ? answer(call, &value)
                            : esp_failf(hook_host, call, ESP_E_CONFIG, "failed to get response path %.*s: %s",
                                        ESP_ARG(r->path), esp_text_str(&why));
    hook_path_free(path);
    esp_text_free(&why);
    return status;
}

/* Reads the answer as JSON and hands what the path finds in it to `answer`. */
static esp_status with_json(const struct reading *r, struct esp_call *call, emit_fn *answer)
{
    struct hook_tree tree = {0};
    struct esp_text why;

    esp_text_init(&why, 500);
    esp_status status = hook_tree_read(&tree, r->answer.body, &why)
                            ? follow(r, call, &tree, answer)
                            : esp_failf(hook_host, call, ESP_E_CONFIG, "failed to parse response json: %s",
                                        esp_text_str(&why));
    hook_tree_free(&tree);
    esp_text_free(&why);
    return status;
}

/* ---- operations ---- */

typedef esp_status finish_fn(const struct reading *r, struct esp_call *call);

static esp_status read_with(void *instance, struct esp_call *call, const struct esp_request *request,
                            finish_fn *finish)
{
    struct reading r = {.store = instance};
    json_t *document = esp_tree_read(request->json);

    if (!document)
        return hook_no_memory(call);
    r.ref = ref_of(document);
    esp_status status = ask(&r, call);
    if (status == ESP_OK)
        status = finish(&r, call);
    free_reading(&r);
    json_decref(document);
    return status;
}

static esp_status finish_get(const struct reading *r, struct esp_call *call)
{
    return r->path.len ? with_json(r, call, emit_value)
                       : hook_host->emit(call, ESP_OUT_VALUE, esp_str(""), r->answer.body);
}

static esp_status finish_map(const struct reading *r, struct esp_call *call)
{
    return with_json(r, call, emit_map);
}

esp_status hook_get(void *instance, struct esp_call *call, const struct esp_request *request)
{
    return read_with(instance, call, request, finish_get);
}

esp_status hook_get_map(void *instance, struct esp_call *call, const struct esp_request *request)
{
    return read_with(instance, call, request, finish_map);
}

/* There is no such thing as a list of all that a URL could answer. The words are the reference's. */
esp_status hook_list(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return esp_failf(hook_host, call, ESP_E_UNSUPPORTED, "not implemented");
}

/* Whether it is there is whether it can be read: with the remote key as the key. */
esp_status hook_exists(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct reading r = {.store = instance};
    json_t *document = esp_tree_read(request->json);

    if (!document)
        return hook_no_memory(call);
    r.ref.key = r.ref.remote_key = esp_tree_text(document, "remoteKey");
    r.ref.property = esp_tree_text(document, "property");
    r.ref.namespace = esp_tree_text(document, "namespace");
    esp_status status = ask(&r, call);
    free_reading(&r);
    json_decref(document);
    if (status != ESP_OK && status != ESP_E_NOT_FOUND)
        return status;
    return hook_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(status == ESP_OK ? "true" : "false"));
}
