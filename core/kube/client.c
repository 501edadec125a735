#include "core/kube/client.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"

#define QUERY_MAX (16 * 1024)
#define PAGE 500
#define JSON "application/json"
#define METADATA_LIST "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

/* A name that is missing would turn a request for one object into one for all. */
static int check_name(const struct es_kind *kind, const char *ns, const char *name, struct es_error *err)
{
    if (es_str_empty(name))
        return es_error_set(err, ES_E_INVALID, "a %s without a name", kind->kind);
    if (kind->namespaced && es_str_empty(ns))
        return es_error_set(err, ES_E_INVALID, "%s \"%s\" without a namespace", kind->kind, name);
    return 0;
}

/* Sends `obj` (may be NULL). */
static int send_object(struct es_kube *k, struct es_kube_call *call, const json_t *obj,
                       struct es_http_response *res, struct es_error *err)
{
    char *text = NULL;

    *res = (struct es_http_response){0};
    if (obj) {
        text = es_json_text(obj, &call->body_len);
        if (!text)
            return es_error_nomem(err);
        call->body = text;
        call->content_type = call->content_type ? call->content_type : JSON;
    }
    int rc = es_kube_call(k, call, res, err);
    es_mem_free(text);
    return rc;
}

/* The text of the answer to a write, without managedFields. */
static const char *answer_of(struct es_http_response *res, size_t *ret_len)
{
    *ret_len = res->body.len;
    return *ret_len ? es_kube_drop_managed_fields(res->body.ptr, ret_len) : es_buf_str(&res->body);
}

/* Sends `obj` (may be NULL) and parses the answer if anybody wants it. */
static int exchange(struct es_kube *k, struct es_kube_call *call, const json_t *obj, json_t **ret,
                    struct es_error *err)
{
    struct es_http_response res;
    int rc = send_object(k, call, obj, &res, err);

    if (rc == 0 && ret) {
        size_t len = res.body.len;
        const char *answer = obj ? answer_of(&res, &len) : es_buf_str(&res.body);
        rc = es_kube_parse(ret, answer, len, err);
    }
    es_http_response_fini(&res);
    return rc;
}

int es_kube_get(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name, json_t **ret,
                struct es_error *err)
{
    struct es_kube_call call = {.method = "GET", .kind = kind, .ns = ns, .name = name};
    int rc = check_name(kind, ns, name, err);
    return rc < 0 ? rc : exchange(k, &call, NULL, ret, err);
}

/* The query of a write: only ever a manager's name and one more. */
static int write_query(struct es_buf *query, const char *manager, bool force, struct es_error *err)
{
    es_buf_init(query, QUERY_MAX);
    es_query_add(query, "fieldManager", manager);
    es_query_add(query, "force", force ? "true" : NULL);
    return es_buf_failed(query) ? es_error_nomem(err) : 0;
}

static int write_object(struct es_kube *k, struct es_kube_call *call, const json_t *obj, const char *manager,
                        bool force, json_t **ret, struct es_error *err)
{
    struct es_buf query;
    int rc = write_query(&query, manager, force, err);

    if (rc == 0) {
        call->query = es_buf_str(&query);
        rc = exchange(k, call, obj, ret, err);
    }
    es_buf_fini(&query);
    return rc;
}

int es_kube_create(struct es_kube *k, const struct es_kind *kind, const char *ns, const json_t *obj,
                   const char *manager, json_t **ret, struct es_error *err)
{
    struct es_kube_call call = {.method = "POST", .kind = kind, .ns = ns};
    int rc = check_name(kind, ns, "new", err);
    return rc < 0 ? rc : write_object(k, &call, obj, manager, false, ret, err);
}

int es_kube_update(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                   const char *subresource, const json_t *obj, const char *manager, json_t **ret,
                   struct es_error *err)
{
    struct es_kube_call call = {
        .method = "PUT", .kind = kind, .ns = ns, .name = name, .subresource = subresource};
    int rc = check_name(kind, ns, name, err);
    return rc < 0 ? rc : write_object(k, &call, obj, manager, false, ret, err);
}

static char *copy_text(const char *text, size_t len)
{
    char *copy = es_mem_alloc(len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* The answer as text. */
static int exchange_unparsed(struct es_kube *k, struct es_kube_call *call, const json_t *obj, char **ret_text,
                             size_t *ret_len, struct es_error *err)
{
    struct es_http_response res = {0};
    int rc = check_name(call->kind, call->ns, call->name, err);

    if (rc == 0)
        rc = send_object(k, call, obj, &res, err);
    if (rc == 0) {
        const char *answer = answer_of(&res, ret_len);
        *ret_text = copy_text(answer, *ret_len);
        if (!*ret_text)
            rc = es_error_nomem(err);
    }
    es_http_response_fini(&res);
    return rc;
}

int es_kube_update_status(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                          const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err)
{
    struct es_kube_call call = {
        .method = "PUT", .kind = kind, .ns = ns, .name = name, .subresource = "status"};
    return exchange_unparsed(k, &call, obj, ret_text, ret_len, err);
}

static const char *const patch_types[] = {
    [ES_PATCH_MERGE] = "application/merge-patch+json",
    [ES_PATCH_APPLY] = "application/apply-patch+yaml",
    [ES_PATCH_JSON] = "application/json-patch+json",
};

int es_kube_patch(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                  const char *subresource, enum es_patch_type type, const json_t *patch, const char *manager,
                  json_t **ret, struct es_error *err)
{
    struct es_kube_call call = {.method = "PATCH",
                                .kind = kind,
                                .ns = ns,
                                .name = name,
                                .subresource = subresource,
                                .content_type = patch_types[type]};
    int rc = check_name(kind, ns, name, err);
    return rc < 0 ? rc : write_object(k, &call, patch, manager, type == ES_PATCH_APPLY, ret, err);
}

int es_kube_patch_unparsed(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                           const json_t *patch, char **ret_text, size_t *ret_len, struct es_error *err)
{
    struct es_kube_call call = {
        .method = "PATCH", .kind = kind, .ns = ns, .name = name, .content_type = patch_types[ES_PATCH_MERGE]};
    return exchange_unparsed(k, &call, patch, ret_text, ret_len, err);
}

int es_kube_delete(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                   const char *uid, struct es_error *err)
{
    struct es_kube_call call = {.method = "DELETE", .kind = kind, .ns = ns, .name = name};
    json_t *options = NULL;
    int rc = check_name(kind, ns, name, err);

    if (rc == 0 && uid) {
        options = json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions", "preconditions",
                            "uid", uid);
        rc = options ? 0 : es_error_nomem(err);
    }
    if (rc == 0)
        rc = exchange(k, &call, options, NULL, err);
    json_decref(options);
    return rc;
}

int es_kube_create_sub(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                       const char *subresource, const json_t *obj, json_t **ret, struct es_error *err)
{
    struct es_kube_call call = {
        .method = "POST", .kind = kind, .ns = ns, .name = name, .subresource = subresource};
    int rc = check_name(kind, ns, name, err);
    return rc < 0 ? rc : exchange(k, &call, obj, ret, err);
}

int es_kube_get_path(struct es_kube *k, const char *path, json_t **ret, struct es_error *err)
{
    struct es_kube_call call = {.method = "GET", .path = path, .accept = "application/json, */*"};
    struct es_http_response res;
    int rc = es_kube_call(k, &call, &res, err);

    if (rc == 0 && es_str_starts(es_http_response_header(&res, "content-type"), JSON)) {
        rc = es_kube_parse(ret, es_buf_str(&res.body), res.body.len, err);
    } else if (rc == 0) {
        json_t *text = json_stringn(es_buf_str(&res.body), res.body.len);
        if (text)
            *ret = text;
        else
            rc = es_error_set(err, ES_E_INTERNAL, "the API server's answer for %s is not text", path);
    }
    es_http_response_fini(&res);
    return rc;
}

/* A list on its way, page by page. */
struct listing {
    struct es_kube *k;
    const struct es_kind *kind;
    const char *ns;
    const struct es_kube_list_opts *opts;
    int (*each)(void *ctx, json_t *obj);
    void *ctx;
    int page;
    char *token; /* continue; NULL for the first page */
    char *resource_version;
    bool handed_over; /* something went to `each` */
};

static int fetch_page(struct listing *l, struct es_http_response *res, struct es_error *err)
{
    struct es_buf query;
    char limit[16];

    es_buf_init(&query, QUERY_MAX);
    snprintf(limit, sizeof limit, "%d", l->page);
    es_query_add(&query, "limit", limit);
    es_query_add(&query, "labelSelector", l->opts->label_selector);
    es_query_add(&query, "fieldSelector", l->opts->field_selector);
    es_query_add(&query, "continue", l->token);
    struct es_kube_call call = {.method = "GET",
                                .kind = l->kind,
                                .ns = l->ns,
                                .query = es_buf_str(&query),
                                .accept = l->opts->metadata_only ? METADATA_LIST : NULL,
                                .cancelled = l->opts->cancelled};
    *res = (struct es_http_response){0};
    int rc = es_buf_failed(&query)
                 ? es_error_set(err, ES_E_TOO_LARGE, "the list's selectors are above %d bytes", QUERY_MAX)
                 : es_kube_call(l->k, &call, res, err);
    es_buf_fini(&query);
    return rc;
}

static int hand_over(struct listing *l, const char *item, size_t len, int depth, struct es_error *err)
{
    json_t *obj = NULL;

    /* One tenant's nonsense must not keep everybody's objects from being
     * listed: an object nested like that is left out. */
    if (depth > ES_KUBE_JSON_DEPTH)
        return 0;
    int rc = es_kube_parse(&obj, item, len, err);
    if (rc == 0) {
        l->handed_over = true;
        rc = l->each(l->ctx, obj);
    }
    json_decref(obj);
    return rc;
}

static int hand_over_page(struct listing *l, const char *text, size_t len, struct es_error *err)
{
    const char *item = NULL;
    size_t at = 0, item_len = 0;
    int depth = 0;
    int more = es_kube_next_item(text, len, &at, &item, &item_len, &depth);

    for (; more > 0; more = es_kube_next_item(text, len, &at, &item, &item_len, &depth)) {
        int rc = hand_over(l, item, item_len, depth, err);
        if (rc != 0)
            return rc;
    }
    return more < 0 ? es_error_set(err, more, "the API server's answer is no list of %s", l->kind->plural)
                    : 0;
}

static int replace_text(char **place, const char *text, struct es_error *err)
{
    char *copy = es_str_empty(text) ? NULL : es_mem_strdup(text);

    if (!copy && !es_str_empty(text))
        return es_error_nomem(err);
    es_mem_free(*place);
    *place = copy;
    return 0;
}

/* metadata.continue and .resourceVersion of the page. */
static int note_metadata(struct listing *l, const char *text, size_t len, struct es_error *err)
{
    json_t *metadata = NULL;
    size_t meta_len;
    const char *meta = es_kube_member(text, len, "metadata", &meta_len);

    if (!meta)
        return es_error_set(err, ES_E_INTERNAL, "the API server's list of %s has no metadata",
                            l->kind->plural);
    int rc = es_kube_parse(&metadata, meta, meta_len, err);
    if (rc == 0)
        rc = replace_text(&l->token, es_obj_str(metadata, "continue"), err);
    if (rc == 0)
        rc = replace_text(&l->resource_version, es_obj_str(metadata, "resourceVersion"), err);
    json_decref(metadata);
    return rc;
}

static int list_page(struct listing *l, bool *ret_fetched, struct es_error *err)
{
    struct es_http_response res;
    int rc = fetch_page(l, &res, err);

    *ret_fetched = rc == 0;
    if (rc == 0)
        rc = note_metadata(l, es_buf_str(&res.body), res.body.len, err);
    if (rc == 0)
        rc = hand_over_page(l, es_buf_str(&res.body), res.body.len, err);
    es_http_response_fini(&res);
    return rc;
}

/* What can be done about a page that did not come: true when it is to be
 * asked for again. */
static bool adapt(struct listing *l, int rc, int *expired, void (*restart)(void *ctx))
{
    /* Secrets may be a megabyte each. */
    if (rc == ES_E_TOO_LARGE && l->page > 1) {
        l->page /= 2;
        return true;
    }
    /* A list stitched from two revisions would read as deletions. So when the
     * continue token has expired, what came is void and the list begins anew.
     * Were that to happen over and over, the caller's backoff is wanted. */
    if (rc != ES_E_GONE || !l->token || ++*expired > 3)
        return false;
    es_mem_free(l->token);
    l->token = NULL;
    if (l->handed_over && restart)
        restart(l->ctx);
    l->handed_over = false;
    return true;
}

int es_kube_list(struct es_kube *k, const struct es_kind *kind, const char *ns,
                 const struct es_kube_list_opts *opts, int (*each)(void *ctx, json_t *obj),
                 void (*restart)(void *ctx), void *ctx, char **ret_resource_version, struct es_error *err)
{
    static const struct es_kube_list_opts none;
    struct listing l = {
        .k = k, .kind = kind, .ns = ns, .opts = opts ? opts : &none, .each = each, .ctx = ctx};
    bool fetched, again;
    int expired = 0, rc;

    l.page = l.opts->page > 0 ? l.opts->page : PAGE;
    do {
        rc = list_page(&l, &fetched, err);
        again = rc == 0 ? l.token != NULL : !fetched && adapt(&l, rc, &expired, restart);
    } while (again);

    if (rc == 0 && ret_resource_version) {
        *ret_resource_version = l.resource_version;
        l.resource_version = NULL;
    }
    es_mem_free(l.token);
    es_mem_free(l.resource_version);
    return rc;
}
