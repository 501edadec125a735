#include "core/plugin/instance.h"

#include <pthread.h>
#include <time.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/document.h"
#include "core/plugin/instance_run.h"
#include "core/plugin/reads.h"
#include "core/plugin/registry_own.h"
#include "core/plugin/remote.h"

#define CLOSE_MS 5000

/* What 1.0 did not know. */
static bool is_per_namespace(const struct es_instance *i)
{
#if ESP_ABI_MINOR >= 1
    return es_instance_can(i, ESP_CAP_PER_NAMESPACE);
#else
    (void)i;
    return false;
#endif
}

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

    if (es_instance_can(i, ESP_CAP_CONCURRENT))
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
    if (es_instance_can(i, ESP_CAP_CONCURRENT))
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

void es_instance_begin(struct esp_call *c, const struct es_instance *i, enum es_op op,
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
static void count_read(const struct esp_call *c, int rc, int64_t duration_ns)
{
    const char *const labels[] = {es_call_provider(c), es_op_name(c->op),
                                  rc == 0                ? "success"
                                  : rc == ES_E_NOT_FOUND ? "not_found"
                                                         : "error"};

    if (c->op != ES_OP_GET && c->op != ES_OP_GET_MAP && c->op != ES_OP_GET_BATCH && c->op != ES_OP_LIST)
        return;
    es_metric_add(es_registry_reads(c->registry), labels, 1);
    es_metric_observe(es_registry_read_seconds(c->registry), labels, (double)duration_ns / 1e9);
}

int es_instance_run(struct es_instance *i, struct esp_call *c, esp_op op, const struct es_buf *doc,
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
    int64_t started_ns = es_mono_ns();
    esp_status status = op(i->state, c, &request);
    int64_t duration_ns = es_mono_ns() - started_ns;
    gate_leave(i);
    if (c->for_consumer)
        __atomic_store_n(&i->personal, true, __ATOMIC_RELEASE);
    rc = es_call_settle(c, status, err);
    count_read(c, rc, duration_ns);
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

    if (!es_provider_ops(p)->check)
        return 0;
    es_call_begin(&call, r, p->plugin, p->component, ES_OP_CHECK, who);
    es_doc_open(&doc, who, opts);
    const struct esp_request request = {.size = sizeof request, .json = {(const uint8_t *)doc.ptr, doc.len}};
    int rc = es_buf_failed(&doc)
                 ? document_failed(&call, &doc, err)
                 : es_call_settle(&call, es_provider_ops(p)->check(NULL, &call, &request), err);
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
    es_instance_begin(&call, i, ES_OP_OPEN, who);
    es_doc_open(&doc, who, opts);
    const struct esp_request request = {.size = sizeof request, .json = {(const uint8_t *)doc.ptr, doc.len}};
    if (es_buf_failed(&doc))
        rc = document_failed(&call, &doc, err);
    else if (es_call_remaining_ms(&call) <= 0)
        rc = es_call_settle(&call, ESP_E_CANCELLED, err);
    else {
        esp_status status = es_provider_ops(p)->open(&call, &request, &i->state);
        rc = es_call_settle(&call, status, err);
        /* Opened, but a rule was broken: the plugin believes it is open. */
        if (rc < 0 && status == ESP_OK && es_provider_ops(p)->close)
            es_provider_ops(p)->close(i->state, &call);
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
    if (es_provider_ops(i->provider)->close) {
        es_instance_begin(&call, i, ES_OP_CLOSE, &nobody);
        es_provider_ops(i->provider)->close(i->state, &call);
        es_call_end(&call);
    }
    instance_free(i);
}

int es_instance_validate(struct es_instance *i, const struct es_authority *who, struct es_error *err)
{
    struct esp_call call;
    struct es_buf doc;

    if (!es_provider_ops(i->provider)->validate)
        return es_error_set(err, ES_E_UNDECIDED, "%s", "");
    es_instance_begin(&call, i, ES_OP_VALIDATE, who);
    es_doc_empty(&doc, i->store, who);
    int rc = es_instance_run(i, &call, es_provider_ops(i->provider)->validate, &doc, NULL, 0, err);
    es_buf_fini(&doc);
    es_call_end(&call);
    return rc;
}
