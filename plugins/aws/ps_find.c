/* Parameter Store: dataFrom.find.
 *
 * By name, AWS walks a path and sends the values along. By tags it lists names, all of which are wanted. */
#include "ps.h"

#include <string.h>

#include "batch.h"

static void begin_filters(struct aws_request *r)
{
    aws_json_raw(&r->body, "ParameterFilters", esp_str("["));
}

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

/* A search in pages. `take` gets what stands under Parameters. */
struct search {
    const char *operation;
    esp_bytes path;
    const json_t *tags;
    esp_status (*take)(struct aws_store *store, struct esp_call *call, esp_bytes parameters);
    bool *denied; /* when not NULL: told here that a right is missing, and no failure */
};

static void write_search(struct aws_request *r, const struct search *s)
{
    if (strcmp(s->operation, "GetParametersByPath") == 0) {
        aws_json_text(&r->body, "Path", s->path);
        aws_json_flag(&r->body, "Recursive", true);
        aws_json_flag(&r->body, "WithDecryption", true);
        return;
    }
    begin_filters(r);
    add_tag_filters(r, s->tags);
    if (s->path.len)
        add_filter(r, esp_str("Path"), "Recursive", s->path);
    esp_text_addc(&r->body, ']');
}

static esp_status get_page(struct aws_store *store, struct esp_call *call, const struct search *s,
                           struct aws_pages *pages, bool *more)
{
    struct aws_request r;

    *more = false;
    aws_request_begin(&r, &aws_ssm_api, s->operation, s->path);
    write_search(&r, s);
    aws_pages_ask(pages, &r, "NextToken");
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        status = s->take(store, call, aws_json_member(r.answer.body, "Parameters"));
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
    struct aws_pages pages = {0};
    esp_status status = ESP_OK;
    bool more = true;

    while (status == ESP_OK && more)
        status = get_page(store, call, s, &pages, &more);
    aws_pages_end(&pages);
    return status;
}

/* ---- what becomes of a page ---- */

static esp_status emit_value(struct esp_call *call, esp_bytes parameter)
{
    struct aws_verdict verdict = {0};
    struct esp_text name, value;

    esp_text_init(&name, AWS_MAX_ID);
    esp_text_init(&value, AWS_MAX_TEXT);
    esp_json_plain(aws_json_member(parameter, "Name"), &name);
    aws_ps_value(parameter, esp_text_bytes(&name), &value, &verdict);
    esp_status status = esp_text_failed(&name) ? aws_no_memory(call) : aws_tell(call, &verdict);
    if (status == ESP_OK)
        status = aws_host->emit(call, ESP_OUT_VALUE, esp_text_bytes(&name), esp_text_bytes(&value));
    esp_text_free(&name);
    esp_text_free(&value);
    return status;
}

static esp_status take_values(struct aws_store *store, struct esp_call *call, esp_bytes parameters)
{
    struct esp_json_iter it;
    esp_bytes parameter;
    esp_status status = ESP_OK;

    (void)store;
    if (parameters.len == 0 || !esp_json_elements(&it, parameters))
        return ESP_OK;
    while (status == ESP_OK && esp_json_element(&it, &parameter))
        status = emit_value(call, parameter);
    return status;
}

/* As `get` takes it: without the prefix; what lies outside of it is not this store's. */
static esp_status emit_name(struct aws_store *store, struct esp_call *call, esp_bytes parameter)
{
    struct esp_text text;
    esp_status status = ESP_OK;

    esp_text_init(&text, AWS_MAX_ID);
    esp_json_plain(aws_json_member(parameter, "Name"), &text);
    esp_bytes name = esp_text_bytes(&text);
    if (esp_text_failed(&text))
        status = aws_no_memory(call);
    else if (name.len > store->prefix.len && esp_starts_with(name, store->prefix))
        status =
            aws_host->emit(call, ESP_OUT_NAME,
                           esp_span(name.ptr + store->prefix.len, name.len - store->prefix.len), esp_str(""));
    esp_text_free(&text);
    return status;
}

static esp_status take_names(struct aws_store *store, struct esp_call *call, esp_bytes parameters)
{
    struct esp_json_iter it;
    esp_bytes parameter;
    esp_status status = ESP_OK;

    if (parameters.len == 0 || !esp_json_elements(&it, parameters))
        return ESP_OK;
    while (status == ESP_OK && esp_json_element(&it, &parameter))
        status = emit_name(store, call, parameter);
    return status;
}

static bool add_name(struct aws_names *names, esp_bytes parameter)
{
    struct esp_text text;

    esp_text_init(&text, AWS_MAX_ID);
    esp_json_plain(aws_json_member(parameter, "Name"), &text);
    bool added = !esp_text_failed(&text) && aws_names_add(names, esp_text_bytes(&text));
    esp_text_free(&text);
    return added;
}

/* All that has the tags is wanted, so the values are read here, many in one call. */
static esp_status read_names(struct aws_store *store, struct esp_call *call, esp_bytes parameters)
{
    struct aws_names names = {0};
    struct esp_json_iter it;
    esp_bytes parameter;
    esp_status status = ESP_OK;

    if (parameters.len == 0 || !esp_json_elements(&it, parameters))
        return ESP_OK;
    while (status == ESP_OK && esp_json_element(&it, &parameter))
        if (!add_name(&names, parameter))
            status = aws_no_memory(call);
    if (status == ESP_OK)
        status = aws_names_read(store, call, &names);
    aws_names_free(&names);
    return status;
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
    struct search walk = {"GetParametersByPath", narrow(path.len ? path : esp_str("/"), hint), NULL,
                          take_values, &denied};

    esp_status status = run(store, call, &walk);
    if (status != ESP_OK || !denied)
        return status;
    return run(store, call, &(struct search){"DescribeParameters", walk.path, NULL, take_names, NULL});
}

static esp_status find(struct aws_store *store, struct esp_call *call, const json_t *what)
{
    const json_t *tags = json_object_get(what, "tags");
    esp_bytes path = aws_text(what, "path");

    if (json_is_object(json_object_get(what, "name")))
        return by_name(store, call, path, aws_text(what, "prefix"));
    if (json_object_size(tags) == 0)
        return esp_failf(aws_host, call, ESP_E_CONFIG, "unexpected find operator");
    return run(store, call, &(struct search){"DescribeParameters", path, tags, read_names, NULL});
}

esp_status aws_ps_list(void *store, struct esp_call *call, const struct esp_request *req)
{
    json_t *what = json_loadb((const char *)req->json.ptr, req->json.len, JSON_ALLOW_NUL, NULL);
    esp_status status = what ? find(store, call, what) : aws_no_memory(call);
    json_decref(what);
    return status;
}
