#include "core/plugin/document.h"

#include <string.h>

#include "core/base/mem.h"

#define MAX_DOCUMENT ((size_t)8 << 20)

/* ---- pieces; every member ends with a comma, the tail has none ---- */

static void add_text(struct es_buf *doc, const char *name, const char *value, size_t len)
{
    es_buf_addf(doc, "\"%s\":", name);
    es_buf_add_json(doc, value ? value : "", value ? len : 0);
    es_buf_addc(doc, ',');
}

/* A string member of `from`, or `fallback` when it has none. */
static void add_string(struct es_buf *doc, const json_t *from, const char *name, const char *fallback)
{
    const json_t *value = json_object_get(from, name);

    if (json_string_length(value))
        add_text(doc, name, json_string_value(value), json_string_length(value));
    else
        add_text(doc, name, fallback, strlen(fallback));
}

static int to_buf(const char *text, size_t len, void *doc)
{
    es_buf_add(doc, text, len);
    return es_buf_failed(doc) ? -1 : 0;
}

static void add_value(struct es_buf *doc, const char *name, const json_t *value)
{
    es_buf_addf(doc, "\"%s\":", name);
    if (json_dump_callback(value, to_buf, doc, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
        doc->failed = true;
    es_buf_addc(doc, ',');
}

static void add_optional(struct es_buf *doc, const json_t *from, const char *name)
{
    const json_t *value = json_object_get(from, name);
    if (value && !json_is_null(value))
        add_value(doc, name, value);
}

static void add_object(struct es_buf *doc, const json_t *from, const char *name)
{
    const json_t *value = json_object_get(from, name);
    if (json_is_object(value))
        add_value(doc, name, value);
    else
        es_buf_addf(doc, "\"%s\":{},", name);
}

static void begin(struct es_buf *doc)
{
    es_buf_init(doc, MAX_DOCUMENT);
    es_buf_addc(doc, '{');
}

static void add_tail(struct es_buf *doc, const char *store, const struct es_authority *who)
{
    const char *ns = who->consumer_namespace ? who->consumer_namespace : "";

    es_buf_adds(doc, "\"store\":");
    es_buf_adds(doc, store);
    es_buf_adds(doc, ",\"namespace\":");
    es_buf_add_json(doc, ns, strlen(ns));
    es_buf_addc(doc, '}');
}

static void add_store(struct es_buf *doc, const struct es_authority *who)
{
    const char *kind = who->store_kind ? who->store_kind : "";
    const char *ns = who->store_namespace ? who->store_namespace : "";
    const char *name = who->store_name ? who->store_name : "";

    es_buf_addc(doc, '{');
    add_text(doc, "kind", kind, strlen(kind));
    add_text(doc, "namespace", ns, strlen(ns));
    add_text(doc, "name", name, strlen(name));
    es_buf_addf(doc, "\"generation\":%lld}", (long long)who->store_generation);
}

char *es_doc_store(const struct es_authority *who)
{
    struct es_buf text;

    es_buf_init(&text, MAX_DOCUMENT);
    add_store(&text, who);
    return es_buf_take(&text);
}

/* ---- documents ---- */

void es_doc_open(struct es_buf *doc, const struct es_authority *who, const struct es_open_opts *opts)
{
    begin(doc);
    if (who->spec)
        add_value(doc, "spec", who->spec);
    else
        es_buf_adds(doc, "\"spec\":{},");
    if (opts && opts->retry_settings)
        add_value(doc, "retrySettings", opts->retry_settings);
    if (opts && opts->ca_pem)
        add_text(doc, "caBundle", opts->ca_pem, strlen(opts->ca_pem));
    char *store = es_doc_store(who);
    if (store)
        add_tail(doc, store, who);
    else
        doc->failed = true;
    es_mem_free(store);
}

void es_doc_empty(struct es_buf *doc, const char *store, const struct es_authority *who)
{
    begin(doc);
    add_tail(doc, store, who);
}

static void add_ref(struct es_buf *doc, const json_t *ref, bool with_property)
{
    add_string(doc, ref, "key", "");
    add_string(doc, with_property ? ref : NULL, "property", "");
    add_string(doc, ref, "version", "");
    add_string(doc, ref, "metadataPolicy", "None");
}

void es_doc_get(struct es_buf *doc, const json_t *ref, bool with_property, const char *store,
                const struct es_authority *who)
{
    begin(doc);
    add_ref(doc, ref, with_property);
    add_tail(doc, store, who);
}

void es_doc_refs(struct es_buf *doc, const json_t *const *refs, size_t count, bool with_property,
                 const char *store, const struct es_authority *who)
{
    begin(doc);
    es_buf_adds(doc, "\"refs\":[");
    for (size_t i = 0; i < count; i++) {
        es_buf_adds(doc, i ? ",{" : "{");
        add_ref(doc, refs[i], with_property);
        doc->len -= !es_buf_failed(doc); /* its last comma */
        es_buf_addc(doc, '}');
    }
    es_buf_adds(doc, "],");
    add_tail(doc, store, who);
}

void es_doc_batch(struct es_buf *doc, const char *const *keys, size_t count, const char *store,
                  const struct es_authority *who)
{
    begin(doc);
    es_buf_adds(doc, "\"refs\":[");
    for (size_t i = 0; i < count; i++) {
        es_buf_adds(doc, i ? ",{" : "{");
        add_text(doc, "key", keys[i], strlen(keys[i]));
        es_buf_adds(doc, "\"property\":\"\",\"version\":\"\",\"metadataPolicy\":\"None\"}");
    }
    es_buf_adds(doc, "],");
    add_tail(doc, store, who);
}

void es_doc_list(struct es_buf *doc, const json_t *find, const char *prefix, const char *store,
                 const struct es_authority *who)
{
    begin(doc);
    add_optional(doc, find, "name");
    add_optional(doc, find, "path");
    add_optional(doc, find, "tags");
    add_text(doc, "prefix", prefix, strlen(prefix));
    add_tail(doc, store, who);
}

void es_doc_push(struct es_buf *doc, const json_t *request, const char *store, const struct es_authority *who)
{
    begin(doc);
    add_string(doc, request, "remoteKey", "");
    add_string(doc, request, "property", "");
    add_string(doc, request, "secretKey", "");
    add_optional(doc, request, "metadata");
    add_string(doc, request, "type", "");
    add_object(doc, request, "labels");
    add_object(doc, request, "annotations");
    add_tail(doc, store, who);
}

void es_doc_remove(struct es_buf *doc, const json_t *request, const char *store,
                   const struct es_authority *who)
{
    begin(doc);
    add_string(doc, request, "remoteKey", "");
    add_string(doc, request, "property", "");
    add_optional(doc, request, "metadata");
    add_tail(doc, store, who);
}

void es_doc_exists(struct es_buf *doc, const json_t *request, const char *store,
                   const struct es_authority *who)
{
    begin(doc);
    add_string(doc, request, "remoteKey", "");
    add_string(doc, request, "property", "");
    add_tail(doc, store, who);
}
