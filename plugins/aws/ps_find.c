/* Parameter Store: dataFrom.find.
 *
 * By name, AWS walks a path and sends the values along. By tags it lists names, all of which are wanted. */
#include "ps.h"

#include "search.h"
static void add_filter(struct aws_request *r, esp_bytes key, const char *option, esp_bytes value)
{
    bool first = r->body.ptr && r->body.ptr[r->body.len - 1] == '[';
    esp_text_adds(&r->body, first ? "{" : ",{");
    aws_json_text(&r->body, "Key", key);
    aws_json_text(&r->body, "Option", esp_str(option));
    aws_json_raw(&r->body, "Values", esp_str("["));
    aws_json_item(&r->body, value);
    esp_text_adds(&r->body, "]}");
}

static void add_tag_filters(struct aws_request *r, const json_t *tags)
{
    const char *tag;
    json_t *value;

    json_object_foreach ((json_t *)tags, tag, value) {
        struct esp_text key;
        esp_text_init(&key, AWS_MAX_ID);
        esp_text_addf(&key, "tag:%s", tag);
        add_filter(r, esp_text_bytes(&key), "Equals",
                   esp_span(json_string_value(value), json_string_length(value)));
        esp_text_free(&key);
    }
}

/* What becomes of a page of DescribeParameters. */
typedef esp_status on_list(struct aws_store *store, struct esp_call *call, const json_t *list);

/* A search: the same request for every page. */
struct search {
    esp_bytes path;
    const json_t *tags;
    on_list *take; /* NULL: the values of the path are asked for right away */
    bool *denied;  /* when not NULL: told here that a right is missing, and no failure */
};

static void write_walk(struct aws_request *r, const struct search *s)
{
    aws_json_text(&r->body, "Path", s->path);
    aws_json_flag(&r->body, "Recursive", true);
    aws_json_flag(&r->body, "WithDecryption", true);
}

static void write_filters(struct aws_request *r, const struct search *s)
{
    aws_json_raw(&r->body, "ParameterFilters", esp_str("["));
    add_tag_filters(r, s->tags);
    if (s->path.len)
        add_filter(r, esp_str("Path"), "Recursive", s->path);
    esp_text_addc(&r->body, ']');
}

static esp_status emit_parameter(struct esp_call *call, esp_bytes parameter)
{
    return aws_search_emit(call, parameter, aws_ps_value);
}

static esp_status take_page(struct aws_store *store, struct esp_call *call, const struct search *s,
                            const struct aws_request *r)
{
    if (!s->take)
        return aws_search_each(call, aws_json_member(r->answer.body, "Parameters"), emit_parameter);
    json_t *page = aws_request_tree(r, call);
    esp_status status = page ? s->take(store, call, json_object_get(page, "Parameters")) : ESP_E_INTERNAL;
    json_decref(page);
    return status;
}

static esp_status get_page(struct aws_store *store, struct esp_call *call, const void *ctx,
                           struct aws_pages *pages, bool *more)
{
    const struct search *s = ctx;
    struct aws_request r;

    aws_request_begin(&r, &aws_ssm_api, s->take ? "DescribeParameters" : "GetParametersByPath", s->path);
    if (s->take)
        write_filters(&r, s);
    else
        write_walk(&r, s);
    aws_pages_ask(pages, &r, "NextToken");
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        status = take_page(store, call, s, &r);
        if (status == ESP_OK)
            status = aws_pages_turn(pages, call, &r, "NextToken", more);
    } else if (status == ESP_OK && s->denied && aws_request_denied(&r)) {
        *s->denied = true;
    } else if (status == ESP_OK) {
        status = aws_request_fail(&r, call);
    }
    aws_request_end(&r);
    return status;
}

static esp_status run(struct aws_store *store, struct esp_call *call, const struct search *s)
{
    return aws_search_pages(store, call, get_page, s);
}

/* ---- the searches ---- */

/* The folder that all matches of the regular expression are in, when it is below the path: AWS hands out ten
 * parameters a page, so a shorter walk counts. */
static esp_bytes narrow(esp_bytes path, esp_bytes hint)
{
    size_t len = path.len, end = hint.len;

    while (len > 0 && path.ptr[len - 1] == '/')
        len--;
    while (end > 0 && hint.ptr[end - 1] != '/')
        end--;
    bool is_below = end > len + 1 && hint.ptr[len] == '/' && esp_starts_with(hint, esp_span(path.ptr, len));
    return is_below ? esp_span(hint.ptr, end - 1) : path;
}

/* Without the right to walk the path, the names are listed and read one by one. */
static esp_status by_name(struct aws_store *store, struct esp_call *call, esp_bytes path, esp_bytes hint)
{
    bool denied = false;
    struct search walk = {narrow(path.len ? path : esp_str("/"), hint), NULL, NULL, &denied};

    esp_status status = run(store, call, &walk);
    if (status != ESP_OK || !denied)
        return status;
    return run(store, call, &(struct search){walk.path, NULL, aws_search_names, NULL});
}

static esp_status find(struct aws_store *store, struct esp_call *call, const json_t *what)
{
    const json_t *tags = json_object_get(what, "tags");
    esp_bytes path = esp_tree_text(what, "path");

    if (json_is_object(json_object_get(what, "name")))
        return by_name(store, call, path, esp_tree_text(what, "prefix"));
    if (json_object_size(tags) == 0)
        return esp_failf(aws_host, call, ESP_E_CONFIG, "unexpected find operator");
    return run(store, call, &(struct search){path, tags, aws_search_read, NULL});
}

esp_status aws_ps_list(void *store, struct esp_call *call, const struct esp_request *req)
{
    json_t *what = aws_document(call, req);
    esp_status status = what ? find(store, call, what) : ESP_E_INTERNAL;
    json_decref(what);
    return status;
}
