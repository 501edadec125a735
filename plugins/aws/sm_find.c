/* Secrets Manager: dataFrom.find.
 *
 * By name alone, AWS lists names, and the core reads those that its regular expression matches. For a path,
 * AWS sends the values along. Tags are looked at here: AWS finds what has such a key and, on whichever tag, a
 * value that begins in such a way. */
#include "batch.h"
#include "sm.h"
#include "tags.h"

static void add_filter(struct esp_text *out, const char *key, esp_bytes value)
{
    bool first = out->len && out->ptr[out->len - 1] == '[';
    esp_text_adds(out, first ? "{" : ",{");
    aws_json_text(out, "Key", esp_str(key));
    aws_json_raw(out, "Values", esp_str("["));
    aws_json_item(out, value);
    esp_text_adds(out, "]}");
}

static void add_filters(struct aws_request *r, esp_bytes name, const json_t *tags)
{
    const char *key;
    json_t *value;

    if (name.len == 0 && json_object_size(tags) == 0)
        return;
    aws_json_raw(&r->body, "Filters", esp_str("["));
    json_object_foreach ((json_t *)tags, key, value) {
        add_filter(&r->body, "tag-key", esp_str(key));
        add_filter(&r->body, "tag-value", esp_span(json_string_value(value), json_string_length(value)));
    }
    if (name.len)
        add_filter(&r->body, "name", name);
    esp_text_addc(&r->body, ']');
}

static bool has_tags(const json_t *list, const json_t *wanted)
{
    return json_object_size(wanted) == 0 || !aws_tags_missing(list, wanted);
}

/* Names are as `get` takes them: without the prefix. What lies outside of it is not this store's. */
static esp_status emit_names(struct aws_store *store, struct esp_call *call, const json_t *page,
                             const json_t *tags)
{
    esp_status status = ESP_OK;
    json_t *secret;
    size_t i;

    json_array_foreach (json_object_get(page, "SecretList"), i, secret) {
        esp_bytes name = aws_text(secret, "Name");
        if (status == ESP_OK && name.len > store->prefix.len && esp_starts_with(name, store->prefix) &&
            has_tags(json_object_get(secret, "Tags"), tags))
            status = aws_host->emit(call, ESP_OUT_NAME,
                                    esp_span(name.ptr + store->prefix.len, name.len - store->prefix.len),
                                    esp_str(""));
    }
    return status;
}

static esp_status take_names(struct aws_store *store, struct esp_call *call, const struct aws_request *r,
                             const json_t *tags)
{
    json_t *page = aws_request_tree(r, call);
    esp_status status = page ? emit_names(store, call, page, tags) : ESP_E_INTERNAL;
    json_decref(page);
    return status;
}

/* All that has the tags is wanted: the values are read here, many in one call. */
static esp_status read_names(struct aws_store *store, struct esp_call *call, const json_t *page,
                             const json_t *tags)
{
    struct aws_names names = {0};
    esp_status status = ESP_OK;
    json_t *secret;
    size_t i;

    json_array_foreach (json_object_get(page, "SecretList"), i, secret)
        if (has_tags(json_object_get(secret, "Tags"), tags) &&
            !aws_names_add(&names, aws_text(secret, "Name")))
            status = aws_no_memory(call);
    if (status == ESP_OK)
        status = aws_names_read(store, call, &names);
    aws_names_free(&names);
    return status;
}

static esp_status take_tagged(struct aws_store *store, struct esp_call *call, const struct aws_request *r,
                              const json_t *tags)
{
    json_t *page = aws_request_tree(r, call);
    esp_status status = page ? read_names(store, call, page, tags) : ESP_E_INTERNAL;
    json_decref(page);
    return status;
}

static esp_status emit_entry(struct esp_call *call, esp_bytes entry)
{
    struct aws_verdict verdict = {0};
    struct esp_text name, value;

    esp_text_init(&name, AWS_MAX_ID);
    esp_text_init(&value, AWS_MAX_TEXT);
    esp_json_plain(aws_json_member(entry, "Name"), &name);
    aws_sm_value(entry, esp_text_bytes(&name), &value, &verdict);
    esp_status status = esp_text_failed(&name) ? aws_no_memory(call) : aws_tell(call, &verdict);
    if (status == ESP_OK)
        status = aws_host->emit(call, ESP_OUT_VALUE, esp_text_bytes(&name), esp_text_bytes(&value));
    esp_text_free(&name);
    esp_text_free(&value);
    return status;
}

/* One that may not be read fails the search: without it, a Secret would lose keys in silence. */
static esp_status judge_entry(struct esp_call *call, esp_bytes entry)
{
    struct aws_verdict verdict = {0};
    struct esp_text id;

    esp_text_init(&id, AWS_MAX_ID);
    esp_json_plain(aws_json_member(entry, "SecretId"), &id);
    aws_sm_judge_entry(entry, esp_text_bytes(&id), &verdict);
    esp_text_free(&id);
    return verdict.status == ESP_E_NOT_FOUND ? ESP_OK : aws_tell(call, &verdict);
}

static esp_status each(struct esp_call *call, esp_bytes list, esp_status (*one)(struct esp_call *, esp_bytes))
{
    struct esp_json_iter it;
    esp_bytes entry;
    esp_status status = ESP_OK;

    if (list.len == 0 || !esp_json_elements(&it, list))
        return ESP_OK;
    while (status == ESP_OK && esp_json_element(&it, &entry))
        status = one(call, entry);
    return status;
}

static esp_status take_values(struct aws_store *store, struct esp_call *call, const struct aws_request *r,
                              const json_t *tags)
{
    struct aws_field lists[] = {{.name = "Errors"}, {.name = "SecretValues"}};

    (void)store;
    (void)tags;
    aws_json_pick(r->answer.body, lists, 2);
    esp_status status = each(call, lists[0].raw, judge_entry);
    return status == ESP_OK ? each(call, lists[1].raw, emit_entry) : status;
}

/* A search: the same request for every page. */
struct search {
    const char *operation;
    esp_bytes name; /* what names have to begin with; empty: anything */
    const json_t *tags;
    esp_status (*take)(struct aws_store *store, struct esp_call *call, const struct aws_request *r,
                       const json_t *tags);
};

static esp_status get_page(struct aws_store *store, struct esp_call *call, const struct search *s,
                           struct aws_pages *pages, bool *more)
{
    struct aws_request r;

    aws_request_begin(&r, &aws_sm_api, s->operation, s->name);
    add_filters(&r, s->name, s->tags);
    aws_pages_ask(pages, &r, "NextToken");
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r))
        status = aws_request_fail(&r, call);
    if (status == ESP_OK)
        status = s->take(store, call, &r, s->tags);
    if (status == ESP_OK)
        status = aws_pages_turn(pages, call, &r, "NextToken", more);
    aws_request_end(&r);
    return status;
}

static esp_status run(struct aws_store *store, struct esp_call *call, const struct search *s)
{
    struct aws_pages pages = {0};
    esp_status status = ESP_OK;
    bool more = true;

    while (status == ESP_OK && more)
        status = get_page(store, call, s, &pages, &more);
    aws_pages_end(&pages);
    return status;
}

/* By name without a path: what the regular expression begins with makes the list shorter. A filter that
 * begins with ! would list all others. */
static esp_status by_name(struct aws_store *store, struct esp_call *call, esp_bytes hint, const json_t *tags)
{
    struct esp_text name;

    aws_store_id(store, hint, &name);
    if (name.len && *name.ptr == '!')
        esp_text_cut(&name, 0);
    esp_status status =
        esp_text_failed(&name)
            ? aws_no_memory(call)
            : run(store, call, &(struct search){"ListSecrets", esp_text_bytes(&name), tags, take_names});
    esp_text_free(&name);
    return status;
}

static esp_status find(struct aws_store *store, struct esp_call *call, const json_t *what)
{
    const json_t *tags = json_object_get(what, "tags");
    esp_bytes path = aws_text(what, "path");
    bool has_name = json_is_object(json_object_get(what, "name"));

    if (!has_name && json_object_size(tags) == 0)
        return esp_failf(aws_host, call, ESP_E_CONFIG, "unexpected find operator");
    if (has_name && path.len == 0)
        return by_name(store, call, aws_text(what, "prefix"), tags);
    if (json_object_size(tags) > 0)
        return run(store, call, &(struct search){"ListSecrets", path, tags, take_tagged});
    return run(store, call, &(struct search){"BatchGetSecretValue", path, NULL, take_values});
}

esp_status aws_sm_list(void *store, struct esp_call *call, const struct esp_request *req)
{
    json_t *what = json_loadb((const char *)req->json.ptr, req->json.len, JSON_ALLOW_NUL, NULL);
    esp_status status = what ? find(store, call, what) : aws_no_memory(call);
    json_decref(what);
    return status;
}
