/* plugins/kubernetes/find.c: all Secrets of the namespace, or those with certain labels. */
#include <stdlib.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "api.h"

/* As many as other clients ask for. Where that many are more than an answer may be
 * (a Secret holds up to 1 MiB), so few that they are not. */
#define PAGE 500
#define SMALL_PAGE 8

#define MAX_PAGES 10000
#define MAX_TRIES 3
#define MAX_PATH ((size_t)32 << 10)

/* The pages of one list, all of one revision. They are borrowed from the call, which keeps
 * its answers to the end. */
struct pages {
    esp_bytes *items;
    size_t count, cap;
    size_t limit;
    struct esp_text next; /* the token of the page after the last; empty at the end */
};

static bool add_page(struct pages *p, esp_bytes body)
{
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 8;
        esp_bytes *items = reallocarray(p->items, cap, sizeof *items);
        if (!items)
            return false;
        p->items = items;
        p->cap = cap;
    }
    p->items[p->count++] = body;
    esp_text_cut(&p->next, 0);
    return esp_json_get(body, esp_str("metadata.continue"), ESP_JSON_PATH, &p->next) >= 0;
}

/* labelSelector=a=b,c=d, encoded. */
static void add_selector(struct esp_text *path, const json_t *tags)
{
    const char *name, *before = "&labelSelector=";
    json_t *value;

    json_object_foreach ((json_t *)tags, name, value) {
        esp_text_adds(path, before);
        esp_query_add(path, esp_str(name));
        esp_text_adds(path, "%3D");
        esp_query_add(path, esp_span(json_string_value(value), json_string_length(value)));
        before = "%2C";
    }
}

static esp_status ask_page(const struct kube_store *store, struct esp_call *call, const json_t *tags,
                           const struct pages *p, struct esp_http_response *answer)
{
    struct esp_text path;

    esp_text_init(&path, MAX_PATH);
    kube_path(&path, store->remote_namespace, esp_str(""));
    esp_text_addf(&path, "?limit=%zu", p->limit);
    add_selector(&path, tags);
    if (p->next.len) {
        esp_text_adds(&path, "&continue=");
        esp_query_add(&path, esp_text_bytes(&p->next));
    }
    const struct kube_request request = {"GET", "ListSecrets", esp_text_bytes(&path), {0}};
    esp_status status =
        esp_text_failed(&path) ? kube_no_memory(call) : kube_ask(store, call, &request, answer);
    esp_text_free(&path);
    return status;
}

static esp_status refuse(const struct kube_store *store, struct esp_call *call,
                         const struct esp_http_response *answer)
{
    struct esp_text what;

    esp_text_init(&what, KUBE_WHAT_MAX);
    esp_text_addf(&what, "list secrets in namespace \"%.*s\"", ESP_ARG(store->remote_namespace));
    esp_status status = kube_refused(call, answer, esp_text_str(&what));
    esp_text_free(&what);
    return status;
}

/* A list is told apart from whatever else answers with 200. */
static bool is_list(esp_bytes body)
{
    struct esp_text items;
    enum esp_json_kind kind = ESP_JSON_NONE;

    esp_text_init(&items, KUBE_MAX_TEXT);
    bool has = esp_json_check(body, NULL) && esp_json_get_raw(body, esp_str("items"), &items, &kind) == 1;
    esp_text_free(&items);
    return has && (kind == ESP_JSON_ARRAY || kind == ESP_JSON_NULL);
}

/* One page more. 410: the token of the first pages is too old to go on from. A list of two
 * revisions would show a Secret twice or not at all, so all begins again. */
static esp_status next_page(const struct kube_store *store, struct esp_call *call, const json_t *tags,
                            struct pages *p, bool *gone)
{
    struct esp_http_response answer;
    esp_status status = ask_page(store, call, tags, p, &answer);

    if (status == ESP_E_INTERNAL && p->limit > SMALL_PAGE) {
        p->limit = SMALL_PAGE;
        status = ask_page(store, call, tags, p, &answer);
    }
    if (status != ESP_OK)
        return status;
    *gone = answer.status == 410;
    if (*gone) {
        p->count = 0;
        esp_text_cut(&p->next, 0);
        return ESP_OK;
    }
    if (answer.status != 200 || !is_list(answer.body))
        return refuse(store, call, &answer);
    return add_page(p, answer.body) ? ESP_OK : kube_no_memory(call);
}

static esp_status read_pages(const struct kube_store *store, struct esp_call *call, const json_t *tags,
                             struct pages *p)
{
    for (size_t tries = 1; p->count < MAX_PAGES;) {
        bool gone = false;
        esp_status status = next_page(store, call, tags, p, &gone);
        if (status != ESP_OK)
            return status;
        if (gone && tries++ == MAX_TRIES)
            return esp_failf(
                kube_host, call, ESP_E_RETRY,
                "cannot list secrets in namespace \"%.*s\": the list changed %d times faster than "
                "it could be read (status 410)",
                ESP_ARG(store->remote_namespace), MAX_TRIES);
        if (!gone && p->next.len == 0)
            return ESP_OK;
    }
    return esp_failf(kube_host, call, ESP_E_INTERNAL, "the list of secrets does not end");
}

static esp_status emit_secret(struct esp_call *call, esp_bytes item, struct esp_text *out)
{
    struct kube_secret secret;
    esp_status status;

    esp_text_cut(out, 0);
    if (!kube_secret_read(&secret, item) || !kube_secret_values(&secret, out))
        status = kube_no_memory(call);
    else
        status = kube_host->emit(call, ESP_OUT_VALUE, esp_text_bytes(&secret.name), esp_text_bytes(out));
    kube_secret_free(&secret);
    return status;
}

static esp_status emit_page(struct esp_call *call, esp_bytes body, struct esp_text *out)
{
    struct esp_json_iter it;
    struct esp_text items;
    esp_bytes item;
    esp_status status = ESP_OK;

    esp_text_init(&items, KUBE_MAX_TEXT);
    if (esp_json_get_raw(body, esp_str("items"), &items, NULL) < 0 ||
        !esp_json_elements(&it, esp_text_bytes(&items)))
        status = kube_no_memory(call);
    while (status == ESP_OK && esp_json_element(&it, &item))
        status = emit_secret(call, item, out);
    esp_text_free(&items);
    return status;
}

static esp_status list(const struct kube_store *store, struct esp_call *call, const json_t *tags)
{
    struct pages pages = {.limit = PAGE};
    struct esp_text out;

    esp_text_init(&pages.next, MAX_PATH);
    esp_text_init(&out, KUBE_MAX_TEXT);
    esp_status status = read_pages(store, call, tags, &pages);
    for (size_t i = 0; i < pages.count && status == ESP_OK; i++)
        status = emit_page(call, pages.items[i], &out);
    esp_text_free(&out);
    esp_text_free(&pages.next);
    free(pages.items);
    return status;
}

esp_status kube_list(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *find = esp_tree_read(request->json);

    if (!find)
        return kube_no_memory(call);
    const json_t *tags = json_object_get(find, "tags");
    esp_status status = tags || json_is_object(json_object_get(find, "name"))
                            ? list(instance, call, tags)
                            : esp_failf(kube_host, call, ESP_E_CONFIG,
                                        "unexpected find operator: the kubernetes store finds by name.regexp "
                                        "or by tags");
    json_decref(find);
    return status;
}
