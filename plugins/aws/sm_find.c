/* Secrets Manager: dataFrom.find.
 *
 * By name alone, AWS lists names, and the core reads those that its regular expression matches. For a path,
 * AWS sends the values along. Tags are looked at here: AWS finds what has such a key and, on whichever tag, a
 * value that begins in such a way. */
#include "search.h"
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

/* Those of the list that have the tags: a new reference, NULL without memory. */
static json_t *tagged(const json_t *list, const json_t *tags)
{
    json_t *kept = json_array(), *secret;
    size_t i;
    int rc = kept ? 0 : -1;

    json_array_foreach (list, i, secret)
        if (rc == 0 && !aws_tags_missing(json_object_get(secret, "Tags"), tags))
            rc = json_array_append(kept, secret);
    if (rc == 0)
        return kept;
    json_decref(kept);
    return NULL;
}

/* What becomes of a page of ListSecrets. */
typedef esp_status on_list(struct aws_store *store, struct esp_call *call, const json_t *list);

static esp_status take_list(struct aws_store *store, struct esp_call *call, const struct aws_request *r,
                            const json_t *tags, on_list *take)
{
    json_t *page = aws_request_tree(r, call);
    json_t *list = page ? tagged(json_object_get(page, "SecretList"), tags) : NULL;

    esp_status status = list ? take(store, call, list) : aws_no_memory(call);
    json_decref(list);
    json_decref(page);
    return status;
}

static esp_status emit_entry(struct esp_call *call, esp_bytes entry)
{
    return aws_search_emit(call, entry, aws_sm_value);
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

static esp_status take_values(struct esp_call *call, const struct aws_request *r)
{
    struct aws_field lists[] = {{.name = "Errors"}, {.name = "SecretValues"}};

    aws_json_pick(r->answer.body, lists, 2);
    esp_status status = aws_search_each(call, lists[0].raw, judge_entry);
    return status == ESP_OK ? aws_search_each(call, lists[1].raw, emit_entry) : status;
}

/* A search: the same request for every page. */
struct search {
    esp_bytes name; /* what names have to begin with; empty: anything */
    const json_t *tags;
    on_list *take; /* NULL: the values are asked for right away */
};

static esp_status get_page(struct aws_store *store, struct esp_call *call, const void *ctx,
                           struct aws_pages *pages, bool *more)
{
    const struct search *s = ctx;
    struct aws_request r;

    aws_request_begin(&r, &aws_sm_api, s->take ? "ListSecrets" : "BatchGetSecretValue", s->name);
    add_filters(&r, s->name, s->tags);
    aws_pages_ask(pages, &r, "NextToken");
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r))
        status = aws_request_fail(&r, call);
    if (status == ESP_OK)
        status = s->take ? take_list(store, call, &r, s->tags, s->take) : take_values(call, &r);
    if (status == ESP_OK)
        status = aws_pages_turn(pages, call, &r, "NextToken", more);
    aws_request_end(&r);
    return status;
}

static esp_status run(struct aws_store *store, struct esp_call *call, esp_bytes name, const json_t *tags,
                      on_list *take)
{
    return aws_search_pages(store, call, get_page, &(struct search){name, tags, take});
}

/* By name without a path: what the regular expression begins with makes the list shorter. A filter that
 * begins with ! would list all others. */
static esp_status by_name(struct aws_store *store, struct esp_call *call, esp_bytes hint, const json_t *tags)
{
    struct esp_text name;

    aws_store_id(store, hint, &name);
    if (name.len && *name.ptr == '!')
        esp_text_cut(&name, 0);
    esp_status status = esp_text_failed(&name)
                            ? aws_no_memory(call)
                            : run(store, call, esp_text_bytes(&name), tags, aws_search_names);
    esp_text_free(&name);
    return status;
}

static esp_status find(struct aws_store *store, struct esp_call *call, const json_t *what)
{
    const json_t *tags = json_object_get(what, "tags");
    esp_bytes path = esp_tree_text(what, "path");
    bool has_name = json_is_object(json_object_get(what, "name"));

    if (!has_name && json_object_size(tags) == 0)
        return esp_failf(aws_host, call, ESP_E_CONFIG, "unexpected find operator");
    if (has_name && path.len == 0)
        return by_name(store, call, esp_tree_text(what, "prefix"), tags);
    if (json_object_size(tags) > 0)
        return run(store, call, path, tags, aws_search_read);
    return run(store, call, path, NULL, NULL);
}

esp_status aws_sm_list(void *store, struct esp_call *call, const struct esp_request *req)
{
    json_t *what = aws_document(call, req);
    esp_status status = what ? find(store, call, what) : ESP_E_INTERNAL;
    json_decref(what);
    return status;
}
