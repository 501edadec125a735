#include "core/engine/engine.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/controller/provision.h"
#include "core/controller/sources.h"
#include "core/engine/work_metrics.h"
#include "core/kube/obj.h"

#define DEFAULT_WORKERS 24
#define WORKERS_MAX 256
#define WORKER_STACK ((size_t)256 * 1024)
#define SWEEP_EVERY_MS 30000
#define STORE_IDLE_MS (10 * 60 * INT64_C(1000))
#define EVENTS_GRACE_MS 2000
#define CLOCK_STEP_MS 5000
#define TRIM_AFTER 200
#define TRIM_PAD ((size_t)64 * 1024)

struct es_engine {
    struct es_env *env;
    struct es_queue *queue;
    struct es_work_metrics *metrics;
    struct worker {
        struct es_engine *engine;
        int number;
        pthread_t thread;
    } workers[WORKERS_MAX];
    int wanted, running; /* only the main thread, as the next two */
    bool standby, synced;
    bool cancelled; /* atomic; env->cancelled points here */
    int64_t next_sweep_ms;
    int64_t wall_ms;     /* the wall clock less the monotonic one, when last looked at */
    uint64_t trimmed_at; /* the queue's count of additions then */
};

/* Stores before what reads from them. */
static enum es_lane lane_of(int kind)
{
    return kind == ES_SECRET_STORE || kind == ES_CLUSTER_SECRET_STORE ? ES_LANE_FIRST : ES_LANE_URGENT;
}

static void enqueue_since(void *ctx, enum es_controller_id id, const char *ns, const char *name,
                          int64_t since_ms)
{
    struct es_engine *e = ctx;
    char *key = es_key_of(ns, name);
    if (key)
        es_queue_add_since(e->queue, (int)id, key, since_ms, lane_of((int)id));
    es_mem_free(key);
}

static void enqueue(void *ctx, enum es_controller_id id, const char *ns, const char *name)
{
    const struct es_clock *clock = ((struct es_engine *)ctx)->env->clock;
    enqueue_since(ctx, id, ns, name, clock->mono_ms(clock->ctx));
}

/* ---- a worker ---- */

static enum es_work_result result_of(int rc, const struct es_outcome *outcome)
{
    if (rc < 0)
        return ES_WORK_ERROR;
    if (outcome->after_ms < 0)
        return ES_WORK_SUCCESS;
    return outcome->after_ms ? ES_WORK_REQUEUE_AFTER : ES_WORK_REQUEUE;
}

/* That esod ends, or that somebody else was quicker, is nobody's mistake. */
static enum es_log_level level_of(const struct es_error *err)
{
    return err->code == ES_E_CANCELLED || err->code == ES_E_CONFLICT ? ES_INFO : ES_ERROR;
}

static void log_failure(const struct es_controller *c, const char *ns, const char *name,
                        const struct es_error *err, int64_t delay_ms)
{
    es_log(level_of(err), c->logger, "the pass failed and will be repeated", ES_F_STR("controller", c->name),
           ES_F_STR("namespace", ns), ES_F_STR("name", name), ES_F_STR("error", err->text),
           ES_F_STR("kind", es_code_name(err->code)), ES_F_MS("retryMs", delay_ms));
}

static void work_on(struct es_engine *e, int worker, struct es_work *work)
{
    const struct es_controller *c = &es_controllers[work->kind];
    const struct es_cause cause = {.since_ms = work->since_ms,
                                   .periodic = !work->asked && work->failures == 0};
    struct es_outcome outcome = {.after_ms = -1};
    struct es_error err = ES_ERROR_INIT;
    char ns[256];
    const char *name = es_key_split(work->key, ns);
    int64_t started_ns = es_mono_ns();

    es_work_began(e->metrics, worker, work);
    int rc = c->reconcile(e->env, ns, name, &cause, &outcome, &err);
    es_work_ended(e->metrics, worker, result_of(rc, &outcome));
    if (rc < 0) {
        int64_t at_least_ms = rc == ES_E_RETRY ? err.retry_after_ms : 0;
        /* The key lives until the work is handed back. */
        char *key = es_mem_strdup(work->key);
        int64_t delay_ms = es_queue_failed(e->queue, work, at_least_ms, lane_of(work->kind));
        if (key)
            log_failure(c, ns, es_key_split(key, ns), &err, delay_ms);
        es_mem_free(key);
        return;
    }
    es_log(ES_DEBUG, c->logger, "pass", ES_F_STR("namespace", ns), ES_F_STR("name", name),
           ES_F_INT("us", (es_mono_ns() - started_ns) / 1000), ES_F_MS("againInMs", outcome.after_ms));
    es_queue_done(e->queue, work, outcome.after_ms, outcome.calm ? ES_LANE_CALM : lane_of(work->kind));
}

static void *worker(void *arg)
{
    struct worker *w = arg;
    struct es_work work;

    while (es_queue_take(w->engine->queue, &work))
        work_on(w->engine, w->number, &work);
    return NULL;
}

static int start_workers(struct es_engine *e, struct es_error *err)
{
    pthread_attr_t attr;
    int rc = 0;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, WORKER_STACK);
    while (e->running < e->wanted && rc == 0) {
        struct worker *w = &e->workers[e->running];
        *w = (struct worker){.engine = e, .number = e->running};
        rc = pthread_create(&w->thread, &attr, worker, w);
        if (rc == 0)
            e->running++;
    }
    pthread_attr_destroy(&attr);
    /* A few workers are enough to go on with. */
    return e->running ? 0 : es_error_set(err, ES_E_INTERNAL, "cannot start a worker: %s", strerror(rc));
}

/* ---- life ---- */

static bool is_busy(void *ctx)
{
    struct es_engine *e = ctx;
    return es_queue_busy(e->queue);
}

static int count_work(struct es_engine *e, struct es_error *err)
{
    static const char *names[ES_CONTROLLERS]; /* the same every time */
    struct es_work_metrics_opts opts = {.metrics = e->env->metrics,
                                        .queue = e->queue,
                                        .workers = e->wanted,
                                        .controllers = names,
                                        .controller_count = ES_CONTROLLERS};

    for (int i = 0; i < ES_CONTROLLERS; i++)
        names[i] = es_controllers[i].name;
    return es_work_metrics_new(&e->metrics, &opts, err);
}

int es_engine_new(struct es_engine **ret, struct es_env *env, const struct es_engine_opts *opts,
                  struct es_error *err)
{
    struct es_engine *e = calloc(1, sizeof *e);
    struct es_queue_opts queue = {.clock = env->clock,
                                  .backoff_base_ms = opts->backoff_base_ms,
                                  .backoff_max_ms = opts->backoff_max_ms};

    if (!e || !(e->queue = es_queue_new(&queue))) {
        free(e);
        return es_error_nomem(err);
    }
    e->env = env;
    e->wanted = opts->workers > 0 ? opts->workers : DEFAULT_WORKERS;
    if (e->wanted > WORKERS_MAX)
        e->wanted = WORKERS_MAX;
    e->standby = opts->standby;
    env->enqueue = enqueue;
    env->enqueue_since = enqueue_since;
    env->enqueue_ctx = e;
    env->cancelled = &e->cancelled;
    struct es_events_opts events = {
        .cluster = env->cluster, .metrics = env->metrics, .busy = is_busy, .busy_ctx = e};
    int rc = count_work(e, err);
    if (rc == 0)
        rc = es_events_new(&env->events, &events, err);
    if (rc == 0)
        rc = es_controllers_init(env, err);
    if (rc < 0) {
        es_engine_free(e);
        return rc;
    }
    *ret = e;
    return 0;
}

int es_engine_start(struct es_engine *e, struct es_error *err)
{
    e->next_sweep_ms = es_mono_ms() + SWEEP_EVERY_MS;
    e->env->started_mono_ms = e->env->clock->mono_ms(e->env->clock->ctx);
    return es_cluster_start(e->env->cluster, err);
}

/* A burst leaves the allocator with free pages that it would keep. */
static void give_memory_back(struct es_engine *e)
{
    struct es_queue_stats s;

    es_queue_stats(e->queue, &s);
    if (s.added - e->trimmed_at < TRIM_AFTER || s.waiting || s.running)
        return;
    e->trimmed_at = s.added;
    malloc_trim(TRIM_PAD);
}

/* Answers that no waiting pass can use any more are wiped. */
static void sweep_reads(struct es_engine *e)
{
    const struct es_clock *clock = e->env->clock;
    struct es_queue_stats s;

    if (!e->env->reads)
        return;
    es_queue_stats(e->queue, &s);
    es_reads_sweep(e->env->reads, s.waiting ? clock->mono_ms(clock->ctx) - s.oldest_ms : INT64_MAX);
}

static void look_again(void *ctx, const char *ns, const char *name)
{
    enqueue(ctx, ES_EXTERNAL_SECRET, ns, name);
}

static void push_again(void *ctx, const char *ns, const char *name)
{
    enqueue(ctx, ES_PUSH_SECRET, ns, name);
}

/* The queue counts on a clock that nobody sets, and that stands still while a
 * machine is suspended; what is due is decided by the wall clock. Whenever the
 * two part, everybody looks again. */
static void follow_wall_clock(struct es_engine *e)
{
    const struct es_clock *clock = e->env->clock;
    int64_t now_ms = clock->unix_ms(clock->ctx) - clock->mono_ms(clock->ctx);
    int64_t step_ms = now_ms - e->wall_ms;

    if (e->running && llabs(step_ms) < CLOCK_STEP_MS)
        return;
    e->wall_ms = now_ms;
    if (!e->running)
        return;
    es_log(ES_INFO, "engine", "the wall clock has been set, or the machine was asleep",
           ES_F_MS("stepMs", step_ms));
    es_cache_each_all(e->env->external_secrets, look_again, e);
    if (e->env->push_secrets)
        es_cache_each_all(e->env->push_secrets, push_again, e);
    es_provision_all_again(e->env);
}

int es_engine_tick(struct es_engine *e, struct es_error *err)
{
    e->synced = e->synced || es_cluster_synced(e->env->cluster);
    if (!e->running)
        follow_wall_clock(e); /* from where steps are counted */
    if (!e->running && e->synced && !e->standby) {
        int rc = start_workers(e, err);
        if (rc < 0)
            return rc;
        es_log(ES_INFO, "engine", "caches are filled, workers run", ES_F_INT("workers", e->running),
               ES_F_INT("externalSecrets", es_cache_count(e->env->external_secrets)));
    }
    follow_wall_clock(e);
    give_memory_back(e);
    sweep_reads(e);
    if (es_mono_ms() >= e->next_sweep_ms) {
        e->next_sweep_ms = es_mono_ms() + SWEEP_EVERY_MS;
        es_pool_sweep(e->env->pool, STORE_IDLE_MS);
        es_sources_sweep(e->env);
    }
    return 0;
}

void es_engine_lead(struct es_engine *e)
{
    e->standby = false;
    e->env->started_mono_ms = e->env->clock->mono_ms(e->env->clock->ctx);
}

bool es_engine_ready(const struct es_engine *e)
{
    return e->running > 0 || (e->standby && e->synced);
}

bool es_engine_idle(struct es_engine *e)
{
    struct es_queue_stats s;
    es_queue_stats(e->queue, &s);
    return s.waiting == 0 && s.running == 0;
}

static bool passes_end_within(struct es_engine *e, int64_t grace_ms)
{
    int64_t until_ms = es_mono_ms() + grace_ms;
    struct es_queue_stats s;

    for (es_queue_stats(e->queue, &s); s.running && es_mono_ms() < until_ms; es_queue_stats(e->queue, &s))
        usleep(5000);
    return s.running == 0;
}

void es_engine_stop(struct es_engine *e, int64_t grace_ms)
{
    es_queue_stop(e->queue);
    bool in_time = passes_end_within(e, grace_ms);
    if (!in_time) {
        __atomic_store_n(&e->cancelled, true, __ATOMIC_RELAXED);
        es_cluster_stop(e->env->cluster);
    }
    for (int i = 0; i < e->running; i++)
        pthread_join(e->workers[i].thread, NULL);
    e->running = 0;
    es_events_free(e->env->events, in_time ? EVENTS_GRACE_MS : 0);
    e->env->events = NULL;
    es_cluster_stop(e->env->cluster);
}

void es_engine_free(struct es_engine *e)
{
    if (!e)
        return;
    es_events_free(e->env->events, 0);
    e->env->events = NULL;
    es_work_metrics_free(e->metrics);
    es_queue_free(e->queue);
    free(e);
}

void es_engine_stats(struct es_engine *e, struct es_queue_stats *ret)
{
    es_queue_stats(e->queue, ret);
}
