#include <string.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/document.h"
#include "core/plugin/instance_own.h"
#include "core/plugin/instance_run.h"
#include "core/plugin/reads.h"
#include "core/plugin/whole.h"

/* What 1.0 did not know. */
#if ESP_ABI_MINOR >= 1
static bool has_fields(const struct es_instance *i)
{
    return es_instance_can(i, ESP_CAP_FIELDS);
}

static bool is_strict(const struct es_instance *i)
{
    return es_instance_can(i, ESP_CAP_STRICT_PROPERTIES);
}
#else
static bool has_fields(const struct es_instance *i)
{
    (void)i;
    return false;
}

static bool is_strict(const struct es_instance *i)
{
    (void)i;
    return false;
}
#endif

/* ---- get, get_map ---- */

static int take_one(struct esp_call *c, struct es_blob *ret, struct es_error *err)
{
    if (c->output_count == 0)
        return es_error_set(err, ES_E_INTERNAL, "the %s plugin returned success from %s without a value",
                            c->plugin->name, es_op_name(c->op));
    es_blob_fini(ret);
    *ret = c->outputs[0].value;
    c->outputs[0].value = (struct es_blob){0};
    return 0;
}

/* A read of get or get_map, before it is known who makes it. */
struct ask {
    struct es_instance *instance;
    const struct es_authority *who;
    const json_t *ref;
    enum es_op op;
};

static int take_all(struct esp_call *c, struct es_values *ret, struct es_error *err)
{
    for (size_t n = 0; n < c->output_count; n++)
        if (es_values_move(ret, c->outputs[n].key ? c->outputs[n].key : "", &c->outputs[n].value) < 0)
            return es_error_nomem(err);
    return 0;
}

static void ask_document(struct es_buf *doc, const struct ask *a, const struct es_authority *who)
{
    es_doc_get(doc, a->ref, !es_instance_can(a->instance, ESP_CAP_WHOLE_VALUES), a->instance->store, who);
}

/* What the plugin itself answers: with the property only if it wants one. The value
 * of get has the key "". */
static int ask_plugin(void *ctx, struct es_values *ret, struct es_error *err)
{
    const struct ask *a = ctx;
    const struct esp_store_ops *ops = es_provider_ops(a->instance->provider);
    struct es_blob value = {0};
    struct esp_call call;
    struct es_buf doc;

    es_instance_begin(&call, a->instance, a->op, a->who);
    ask_document(&doc, a, a->who);
    int rc =
        es_instance_run(a->instance, &call, a->op == ES_OP_GET ? ops->get : ops->get_map, &doc, NULL, 0, err);
    if (rc == 0 && a->op == ES_OP_GET_MAP) {
        rc = take_all(&call, ret, err);
    } else if (rc == 0) {
        rc = take_one(&call, &value, err);
        if (rc == 0 && es_values_move(ret, "", &value) < 0)
            rc = es_error_nomem(err);
    }
    if (rc < 0)
        es_values_fini(ret);
    es_blob_fini(&value);
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}

/* Whether the consumer decides shows while somebody reads. From then on each namespace has
 * keys of its own, and that one read is not shared. */
static char *read_key(struct es_instance *i, const struct es_authority *who, enum es_op op, const char *what,
                      const bool **ret_unfit)
{
    bool personal = __atomic_load_n(&i->personal, __ATOMIC_ACQUIRE);

    *ret_unfit = personal ? NULL : &i->personal;
    return es_strf("%s%s|%s|%s", i->reads_prefix, es_op_name(op), personal ? who->consumer_namespace : "",
                   what);
}

int es_instance_share(struct es_instance *i, const struct es_authority *who, enum es_op op, const char *what,
                      int (*read)(void *ctx, struct es_values *ret, struct es_error *err), void *ctx,
                      struct es_values *ret, struct es_error *err)
{
    const bool *unfit;
    char *key = read_key(i, who, op, what, &unfit);
    const struct es_read_call call = {.key = key,
                                      .provider = i->provider->name,
                                      .operation = es_op_name(op),
                                      .deadline_ms = who->deadline_ms ? who->deadline_ms
                                                                      : es_mono_ms() + ES_CALL_DEFAULT_MS,
                                      .cancelled = who->cancelled,
                                      .unfit = unfit,
                                      .read = read,
                                      .ctx = ctx};

    int rc = key ? es_reads_run(who->reading, &call, ret, err) : es_error_nomem(err);
    es_mem_free(key);
    return rc;
}

/* The answer to the same document is the same, whoever asks. */
static int ask(struct ask *a, struct es_values *ret, struct es_error *err)
{
    static const struct es_authority anybody;
    struct es_buf doc;

    if (!es_reading_shares(a->who->reading))
        return ask_plugin(a, ret, err);
    ask_document(&doc, a, &anybody);
    int rc = es_buf_failed(&doc)
                 ? ask_plugin(a, ret, err) /* says what is wrong with it */
                 : es_instance_share(a->instance, a->who, a->op, es_buf_str(&doc), ask_plugin, a, ret, err);
    es_buf_fini(&doc);
    return rc;
}

static int get_value(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                     struct es_blob *ret, struct es_error *err)
{
    struct ask a = {i, who, ref, ES_OP_GET};
    struct es_values found = {0};

    int rc = ask(&a, &found, err);
    if (rc == 0) {
        es_blob_fini(ret);
        *ret = found.items[0].blob;
        found.items[0].blob = (struct es_blob){0};
    }
    es_values_fini(&found);
    return rc;
}

static int look_up(const struct es_instance *i, const struct es_blob *whole, const json_t *ref,
                   struct es_blob *ret, struct es_error *err)
{
    const json_t *property = json_object_get(ref, "property");
    size_t len = json_string_length(property);

    if (has_fields(i))
        return es_whole_field(whole, json_string_value(property), len, ret, err);
    int rc = es_whole_property(whole, json_string_value(property), len, ret, err);
    if (rc != ES_E_NOT_FOUND || !is_strict(i))
        return rc;
    return es_error_set(err, ES_E_CONFIG, "key %s does not exist in secret %s", json_string_value(property),
                        json_string_value(json_object_get(ref, "key")));
}

int es_instance_get(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                    struct es_blob *ret, struct es_error *err)
{
    const json_t *property = json_object_get(ref, "property");
    size_t len = json_string_length(property);
    struct es_blob whole = {0};

    if (!es_instance_can(i, ESP_CAP_WHOLE_VALUES) || len == 0)
        return get_value(i, who, ref, ret, err);
    int rc = get_value(i, who, ref, &whole, err);
    if (rc == 0)
        rc = look_up(i, &whole, ref, ret, err);
    es_blob_fini(&whole);
    return rc;
}

int es_instance_get_map(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                        struct es_values *ret, struct es_error *err)
{
    struct ask a = {i, who, ref, ES_OP_GET_MAP};
    struct es_values found = {0};
    struct es_blob blob = {0};
    int rc;

    if (es_instance_can(i, ESP_CAP_WHOLE_VALUES)) {
        rc = es_instance_get(i, who, ref, &blob, err);
        if (rc == 0)
            rc = es_whole_members(&blob, &found, err);
        es_blob_fini(&blob);
    } else {
        rc = ask(&a, &found, err);
    }
    if (rc == 0 && es_values_merge(ret, &found) < 0)
        rc = es_error_nomem(err);
    es_values_fini(&found);
    return rc;
}

/* ---- what find.c uses ---- */

int es_instance_list(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                     const json_t *find, const char *prefix, struct es_error *err)
{
    struct es_buf doc;

    es_instance_begin(c, i, ES_OP_LIST, who);
    es_doc_list(&doc, find, prefix, i->store, who);
    int rc = es_instance_run(i, c, es_provider_ops(i->provider)->list, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    return rc;
}

int es_instance_get_batch(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                          const char *const *keys, size_t count, struct es_error *err)
{
    struct es_buf doc;

    es_instance_begin(c, i, ES_OP_GET_BATCH, who);
    c->ref_count = count;
    es_doc_batch(&doc, keys, count, i->store, who);
    int rc = es_instance_run(i, c, es_provider_ops(i->provider)->get_batch, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    return rc;
}

int es_instance_get_refs(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                         const json_t *const *refs, size_t count, struct es_error *err)
{
    struct es_buf doc;

    es_instance_begin(c, i, ES_OP_GET_BATCH, who);
    c->ref_count = count;
    es_doc_refs(&doc, refs, count, !es_instance_can(i, ESP_CAP_WHOLE_VALUES), i->store, who);
    int rc = es_instance_run(i, c, es_provider_ops(i->provider)->get_batch, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    return rc;
}

bool es_instance_has_batch(const struct es_instance *i)
{
    return es_provider_ops(i->provider)->get_batch && !__atomic_load_n(&i->no_batch, __ATOMIC_RELAXED);
}

void es_instance_no_batch(struct es_instance *i)
{
    __atomic_store_n(&i->no_batch, true, __ATOMIC_RELAXED);
}

bool es_instance_is_whole(const struct es_instance *i)
{
    return es_instance_can(i, ESP_CAP_WHOLE_VALUES);
}

char *es_instance_get_key(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                          const bool **ret_unfit)
{
    static const struct es_authority anybody;
    struct ask a = {i, who, ref, ES_OP_GET};
    struct es_buf doc;

    ask_document(&doc, &a, &anybody);
    char *key = es_buf_failed(&doc) ? NULL : read_key(i, who, ES_OP_GET, es_buf_str(&doc), ret_unfit);
    es_buf_fini(&doc);
    return key;
}

/* ---- push, remove, exists ---- */

/* Also when it failed: it may have been done all the same. And for every instance of
 * the store, since all of them read the same backend. */
static void forget_reads_of_store(struct es_instance *i)
{
    if (!i->reads)
        return;
    char *prefix = es_strf("%s/%s/%s|", i->store_kind, i->store_namespace, i->store_name);
    /* Without memory for so little more than needed is forgotten. */
    es_reads_forget(i->reads, prefix ? prefix : "");
    es_mem_free(prefix);
}

static const esp_pair *value_pairs(struct esp_call *c, const struct es_values *values)
{
    esp_pair *pairs = es_arena_alloc(&c->arena, (values->count + 1) * sizeof *pairs);

    for (size_t n = 0; pairs && n < values->count; n++) {
        const struct es_value *v = &values->items[n];
        pairs[n].name = (esp_bytes){(const uint8_t *)v->key, strlen(v->key)};
        pairs[n].value = (esp_bytes){v->blob.ptr, v->blob.len};
    }
    return pairs;
}

int es_instance_push(struct es_instance *i, const struct es_authority *who, const json_t *request,
                     const struct es_values *values, struct es_error *err)
{
    struct esp_call call;
    struct es_buf doc;
    int rc;

    es_instance_begin(&call, i, ES_OP_PUSH, who);
    call.metadata = json_object_get(request, "metadata");
    es_doc_push(&doc, request, i->store, who);
    const esp_pair *pairs = value_pairs(&call, values);
    if (!pairs)
        rc = es_error_nomem(err);
    else
        rc = es_instance_run(i, &call, es_provider_ops(i->provider)->push, &doc, pairs, values->count, err);
    forget_reads_of_store(i);
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}

int es_instance_remove(struct es_instance *i, const struct es_authority *who, const json_t *request,
                       struct es_error *err)
{
    struct esp_call call;
    struct es_buf doc;

    es_instance_begin(&call, i, ES_OP_REMOVE, who);
    es_doc_remove(&doc, request, i->store, who);
    int rc = es_instance_run(i, &call, es_provider_ops(i->provider)->remove, &doc, NULL, 0, err);
    forget_reads_of_store(i);
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}

int es_instance_exists(struct es_instance *i, const struct es_authority *who, const json_t *request,
                       bool *ret, struct es_error *err)
{
    struct es_blob answer = {0};
    struct esp_call call;
    struct es_buf doc;

    es_instance_begin(&call, i, ES_OP_EXISTS, who);
    es_doc_exists(&doc, request, i->store, who);
    int rc = es_instance_run(i, &call, es_provider_ops(i->provider)->exists, &doc, NULL, 0, err);
    if (rc == 0)
        rc = take_one(&call, &answer, err);
    if (rc == 0) {
        bool yes = answer.len == 4 && memcmp(answer.ptr, "true", 4) == 0;
        if (yes || (answer.len == 5 && memcmp(answer.ptr, "false", 5) == 0))
            *ret = yes;
        else
            rc = es_error_set(err, ES_E_INTERNAL, "the %s plugin answered exists with neither true nor false",
                              call.plugin->name);
    }
    es_blob_fini(&answer);
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}
