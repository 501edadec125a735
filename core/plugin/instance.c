#include "core/plugin/instance.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/call.h"
#include "core/plugin/document.h"
#include "core/plugin/instance_own.h"
#include "core/plugin/reads.h"
#include "core/plugin/registry_own.h"
#include "core/plugin/remote.h"
#include "core/plugin/whole.h"

#define CLOSE_MS 5000

struct es_instance {
    const struct es_registry *registry;
    const struct es_provider *provider;
    void *state; /* the plugin's */
    void *slot;  /* the pool's */
    char *store; /* identity as JSON, ready for documents */
    struct es_reads *reads;
    char *reads_prefix; /* of the keys of what is read through it; begins as its store's */
    bool personal;      /* atomic: the consumer decides about the answers, they are his namespace's alone */

    bool no_batch; /* atomic: the backend refuses get_batch */

    /* The identity again, for what is left to say when nobody asks any more. */
    char *store_kind, *store_namespace, *store_name, *consumer_namespace;

    /* One operation at a time unless the provider is concurrent. The lock is not
     * held while the plugin works: `busy` is. */
    pthread_mutex_t lock; /* guards busy */
    pthread_cond_t turn;
    bool busy;
};

static const struct esp_store_ops *ops_of(const struct es_provider *p)
{
    return p->component->store;
}

static bool has_cap(const struct es_instance *i, uint64_t cap)
{
    return (i->provider->caps & cap) != 0;
}

/* What 1.0 did not know. */
#if ESP_ABI_MINOR >= 1
static bool has_fields(const struct es_instance *i)
{
    return has_cap(i, ESP_CAP_FIELDS);
}

static bool is_strict(const struct es_instance *i)
{
    return has_cap(i, ESP_CAP_STRICT_PROPERTIES);
}

static bool is_per_namespace(const struct es_instance *i)
{
    return has_cap(i, ESP_CAP_PER_NAMESPACE);
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

static bool is_per_namespace(const struct es_instance *i)
{
    (void)i;
    return false;
}
#endif

const struct es_provider *es_instance_provider(const struct es_instance *i)
{
    return i->provider;
}

bool es_instance_stale(const struct es_instance *i)
{
    struct es_remote *remote = i->provider->plugin->remote;
    return remote && es_remote_stale(remote, i->state);
}

void **es_instance_slot(struct es_instance *i)
{
    return &i->slot;
}

/* ---- one at a time ---- */

static int gate_enter(struct es_instance *i, const struct esp_call *c, struct es_error *err)
{
    const struct timespec until = {.tv_sec = (time_t)(c->deadline_ms / 1000),
                                   .tv_nsec = (long)(c->deadline_ms % 1000) * 1000000};
    int late = 0;

    if (has_cap(i, ESP_CAP_CONCURRENT))
        return 0;
    pthread_mutex_lock(&i->lock);
    while (i->busy && late == 0)
        late = pthread_cond_timedwait(&i->turn, &i->lock, &until);
    bool mine = !i->busy;
    if (mine)
        i->busy = true;
    pthread_mutex_unlock(&i->lock);
    if (!mine)
        return es_error_set(err, ES_E_CANCELLED,
                            "%s of the %s provider waited too long for another operation on the store",
                            es_op_name(c->op), i->provider->name);
    return 0;
}

static void gate_leave(struct es_instance *i)
{
    if (has_cap(i, ESP_CAP_CONCURRENT))
        return;
    pthread_mutex_lock(&i->lock);
    i->busy = false;
    pthread_cond_signal(&i->turn);
    pthread_mutex_unlock(&i->lock);
}

static int gate_init(struct es_instance *i)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return -1;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* as es_mono_ms counts */
    int failed = pthread_cond_init(&i->turn, &attr);
    pthread_condattr_destroy(&attr);
    if (failed)
        return -1;
    if (pthread_mutex_init(&i->lock, NULL) != 0) {
        pthread_cond_destroy(&i->turn);
        return -1;
    }
    return 0;
}

/* ---- running an operation ---- */

static void call_begin(struct esp_call *c, const struct es_instance *i, enum es_op op,
                       const struct es_authority *who)
{
    es_call_begin(c, i->registry, i->provider->plugin, i->provider->component, op, who);
}

static int document_failed(const struct esp_call *c, const struct es_buf *doc, struct es_error *err)
{
    return doc->len >= doc->max / 2
               ? es_error_set(err, ES_E_TOO_LARGE, "the request document of %s is too large",
                              es_op_name(c->op))
               : es_error_nomem(err);
}

/* Reads that were really made: what a backend may charge for. */
static void count_read(const struct esp_call *c, int rc)
{
    const char *result = rc == 0 ? "success" : rc == ES_E_NOT_FOUND ? "not_found" : "error";

    if (c->op == ES_OP_GET || c->op == ES_OP_GET_MAP || c->op == ES_OP_GET_BATCH || c->op == ES_OP_LIST)
        es_metric_add(es_registry_reads(c->registry),
                      (const char *const[]){es_call_provider(c), es_op_name(c->op), result}, 1);
}

/* The outputs stay in the call until it ends. */
static int run(struct es_instance *i, struct esp_call *c, esp_op op, const struct es_buf *doc,
               const esp_pair *values, size_t value_count, struct es_error *err)
{
    const struct esp_request request = {.size = sizeof request,
                                        .json = {(const uint8_t *)doc->ptr, doc->len},
                                        .values = values,
                                        .value_count = value_count};

    if (!op)
        return es_error_set(err, ES_E_UNSUPPORTED, "%s is not supported by the %s provider",
                            es_op_name(c->op), i->provider->name);
    if (es_buf_failed(doc))
        return document_failed(c, doc, err);
    if (es_call_remaining_ms(c) <= 0)
        return es_call_settle(c, ESP_E_CANCELLED, err);
    int rc = gate_enter(i, c, err);
    if (rc < 0)
        return rc;
    c->values = values;
    c->value_count = value_count;
    esp_status status = op(i->state, c, &request);
    gate_leave(i);
    if (c->for_consumer)
        __atomic_store_n(&i->personal, true, __ATOMIC_RELEASE);
    rc = es_call_settle(c, status, err);
    count_read(c, rc);
    return rc;
}

/* ---- check, open, close ---- */

int es_provider_check(const struct es_registry *r, const struct es_provider *p,
                      const struct es_authority *who, const struct es_open_opts *opts,
                      void (*warn)(void *ctx, const char *text), void *ctx, struct es_error *err)
{
    char text[ES_CALL_MAX_TEXT + 1];
    struct esp_call call;
    struct es_buf doc;

    if (!ops_of(p)->check)
        return 0;
    es_call_begin(&call, r, p->plugin, p->component, ES_OP_CHECK, who);
    es_doc_open(&doc, who, opts);
    const struct esp_request request = {.size = sizeof request, .json = {(const uint8_t *)doc.ptr, doc.len}};
    int rc = es_buf_failed(&doc) ? document_failed(&call, &doc, err)
                                 : es_call_settle(&call, ops_of(p)->check(NULL, &call, &request), err);
    for (size_t i = 0; warn && i < call.output_count; i++) {
        const struct es_blob *value = &call.outputs[i].value;
        warn(ctx, es_call_clean_text(text, sizeof text, (esp_bytes){value->ptr, value->len}));
    }
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}

static void instance_free(struct es_instance *i)
{
    if (!i)
        return;
    es_mem_free(i->store);
    es_mem_free(i->reads_prefix);
    es_mem_free(i->store_kind);
    es_mem_free(i->store_namespace);
    es_mem_free(i->store_name);
    es_mem_free(i->consumer_namespace);
    pthread_cond_destroy(&i->turn);
    pthread_mutex_destroy(&i->lock);
    es_mem_free(i);
}

static char *copy_text(const char *text)
{
    return es_mem_strdup(text ? text : "");
}

/* Each instance has a number of its own: what another version of the store, another
 * login or another consumer has got is never taken for its own. */
static char *reads_prefix(const struct es_instance *i)
{
    static uint64_t last; /* atomic */
    uint64_t number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);

    return es_strf("%s/%s/%s|%llu|", i->store_kind, i->store_namespace, i->store_name,
                   (unsigned long long)number);
}

static int instance_make(struct es_instance **ret, const struct es_registry *r, const struct es_provider *p,
                         const struct es_authority *who, const struct es_open_opts *opts,
                         struct es_error *err)
{
    struct es_instance *i = es_mem_calloc(1, sizeof *i);

    if (!i || gate_init(i) < 0) {
        es_mem_free(i);
        return es_error_nomem(err);
    }
    i->registry = r;
    i->provider = p;
    i->reads = opts ? opts->reads : NULL;
    i->personal = is_per_namespace(i);
    i->store = es_doc_store(who);
    i->store_kind = copy_text(who->store_kind);
    i->store_namespace = copy_text(who->store_namespace);
    i->store_name = copy_text(who->store_name);
    i->consumer_namespace = copy_text(who->consumer_namespace);
    if (i->store_kind && i->store_namespace && i->store_name)
        i->reads_prefix = reads_prefix(i);
    if (!i->store || !i->reads_prefix || !i->consumer_namespace) {
        instance_free(i);
        return es_error_nomem(err);
    }
    *ret = i;
    return 0;
}

int es_instance_open(struct es_instance **ret, const struct es_registry *r, const struct es_provider *p,
                     const struct es_authority *who, const struct es_open_opts *opts, struct es_error *err)
{
    struct es_instance *i = NULL;
    struct esp_call call;
    struct es_buf doc;

    int rc = instance_make(&i, r, p, who, opts, err);
    if (rc < 0)
        return rc;
    call_begin(&call, i, ES_OP_OPEN, who);
    es_doc_open(&doc, who, opts);
    const struct esp_request request = {.size = sizeof request, .json = {(const uint8_t *)doc.ptr, doc.len}};
    if (es_buf_failed(&doc))
        rc = document_failed(&call, &doc, err);
    else if (es_call_remaining_ms(&call) <= 0)
        rc = es_call_settle(&call, ESP_E_CANCELLED, err);
    else {
        esp_status status = ops_of(p)->open(&call, &request, &i->state);
        rc = es_call_settle(&call, status, err);
        /* Opened, but a rule was broken: the plugin believes it is open. */
        if (rc < 0 && status == ESP_OK && ops_of(p)->close)
            ops_of(p)->close(i->state, &call);
    }
    es_buf_fini(&doc);
    es_call_end(&call);
    if (rc < 0)
        instance_free(i);
    else
        *ret = i;
    return rc;
}

void es_instance_close(struct es_instance *i)
{
    struct esp_call call;

    if (!i)
        return;
    es_reads_forget(i->reads, i->reads_prefix);
    /* Without a spec: what a plugin needs to say goodbye it has already, and
     * the cluster gives it nothing more. */
    const struct es_authority nobody = {.store_kind = i->store_kind,
                                        .store_namespace = i->store_namespace,
                                        .store_name = i->store_name,
                                        .consumer_namespace = i->consumer_namespace,
                                        .deadline_ms = es_mono_ms() + CLOSE_MS};
    if (ops_of(i->provider)->close) {
        call_begin(&call, i, ES_OP_CLOSE, &nobody);
        ops_of(i->provider)->close(i->state, &call);
        es_call_end(&call);
    }
    instance_free(i);
}

int es_instance_validate(struct es_instance *i, const struct es_authority *who, struct es_error *err)
{
    struct esp_call call;
    struct es_buf doc;

    if (!ops_of(i->provider)->validate)
        return es_error_set(err, ES_E_UNDECIDED, "%s", "");
    call_begin(&call, i, ES_OP_VALIDATE, who);
    es_doc_empty(&doc, i->store, who);
    int rc = run(i, &call, ops_of(i->provider)->validate, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}

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
    es_doc_get(doc, a->ref, !has_cap(a->instance, ESP_CAP_WHOLE_VALUES), a->instance->store, who);
}

/* What the plugin itself answers: with the property only if it wants one. The value
 * of get has the key "". */
static int ask_plugin(void *ctx, struct es_values *ret, struct es_error *err)
{
    const struct ask *a = ctx;
    const struct esp_store_ops *ops = ops_of(a->instance->provider);
    struct es_blob value = {0};
    struct esp_call call;
    struct es_buf doc;

    call_begin(&call, a->instance, a->op, a->who);
    ask_document(&doc, a, a->who);
    int rc = run(a->instance, &call, a->op == ES_OP_GET ? ops->get : ops->get_map, &doc, NULL, 0, err);
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

    if (!has_cap(i, ESP_CAP_WHOLE_VALUES) || len == 0)
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

    if (has_cap(i, ESP_CAP_WHOLE_VALUES)) {
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

    call_begin(c, i, ES_OP_LIST, who);
    es_doc_list(&doc, find, prefix, i->store, who);
    int rc = run(i, c, ops_of(i->provider)->list, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    return rc;
}

int es_instance_get_batch(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                          const char *const *keys, size_t count, struct es_error *err)
{
    struct es_buf doc;

    call_begin(c, i, ES_OP_GET_BATCH, who);
    c->ref_count = count;
    es_doc_batch(&doc, keys, count, i->store, who);
    int rc = run(i, c, ops_of(i->provider)->get_batch, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    return rc;
}

int es_instance_get_refs(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                         const json_t *const *refs, size_t count, struct es_error *err)
{
    struct es_buf doc;

    call_begin(c, i, ES_OP_GET_BATCH, who);
    c->ref_count = count;
    es_doc_refs(&doc, refs, count, !has_cap(i, ESP_CAP_WHOLE_VALUES), i->store, who);
    int rc = run(i, c, ops_of(i->provider)->get_batch, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    return rc;
}

bool es_instance_has_batch(const struct es_instance *i)
{
    return ops_of(i->provider)->get_batch && !__atomic_load_n(&i->no_batch, __ATOMIC_RELAXED);
}

void es_instance_no_batch(struct es_instance *i)
{
    __atomic_store_n(&i->no_batch, true, __ATOMIC_RELAXED);
}

bool es_instance_is_whole(const struct es_instance *i)
{
    return has_cap(i, ESP_CAP_WHOLE_VALUES);
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

    call_begin(&call, i, ES_OP_PUSH, who);
    call.metadata = json_object_get(request, "metadata");
    es_doc_push(&doc, request, i->store, who);
    const esp_pair *pairs = value_pairs(&call, values);
    if (!pairs)
        rc = es_error_nomem(err);
    else
        rc = run(i, &call, ops_of(i->provider)->push, &doc, pairs, values->count, err);
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

    call_begin(&call, i, ES_OP_REMOVE, who);
    es_doc_remove(&doc, request, i->store, who);
    int rc = run(i, &call, ops_of(i->provider)->remove, &doc, NULL, 0, err);
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

    call_begin(&call, i, ES_OP_EXISTS, who);
    es_doc_exists(&doc, request, i->store, who);
    int rc = run(i, &call, ops_of(i->provider)->exists, &doc, NULL, 0, err);
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
