#include "core/engine/work_metrics.h"

#include <stdlib.h>

#include "core/base/clock.h"

static const double pass_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                      0.5,   1,      2.5,   5,    10,    30,   60};
/* client-go's, which begin where a queue in memory does. */
static const double queue_seconds[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000};

static const char *const results[] = {[ES_WORK_SUCCESS] = "success",
                                      [ES_WORK_ERROR] = "error",
                                      [ES_WORK_REQUEUE] = "requeue",
                                      [ES_WORK_REQUEUE_AFTER] = "requeue_after"};

/* Its worker's alone, but for the page, which reads: atomics. */
struct seat {
    int64_t since_ns; /* 0: idle */
    int kind;
};

struct es_work_metrics {
    struct es_work_metrics_opts opts;
    struct es_metric *passes, *failures, *seconds, *active, *most;
    struct es_metric *depth, *adds, *retries, *waited, *worked, *unfinished, *longest;
    struct seat seats[];
};

static const char *const *labels_of(const struct es_work_metrics *w, int kind, const char *out[3])
{
    out[0] = out[1] = w->opts.controllers[kind];
    out[2] = "0";
    return out;
}

/* ---- when a page is asked for ---- */

struct under_way {
    int count;
    double sum_s, longest_s;
};

static void look_at_workers(const struct es_work_metrics *w, struct under_way all[ES_QUEUE_KINDS])
{
    int64_t now_ns = es_mono_ns();

    for (int i = 0; i < w->opts.workers; i++) {
        int64_t since_ns = __atomic_load_n(&w->seats[i].since_ns, __ATOMIC_ACQUIRE);
        if (!since_ns)
            continue;
        struct under_way *u = &all[__atomic_load_n(&w->seats[i].kind, __ATOMIC_RELAXED)];
        double seconds = now_ns > since_ns ? (double)(now_ns - since_ns) / 1e9 : 0;
        u->count++;
        u->sum_s += seconds;
        u->longest_s = seconds > u->longest_s ? seconds : u->longest_s;
    }
}

static void collect(void *ctx)
{
    struct es_work_metrics *w = ctx;
    struct under_way under_way[ES_QUEUE_KINDS] = {{0}};
    struct es_queue_stats stats;
    const char *labels[3];

    es_queue_stats(w->opts.queue, &stats);
    look_at_workers(w, under_way);
    for (int k = 0; k < w->opts.controller_count; k++) {
        labels_of(w, k, labels);
        es_metric_set(w->active, labels, under_way[k].count);
        es_metric_set(w->unfinished, labels, under_way[k].sum_s);
        es_metric_set(w->longest, labels, under_way[k].longest_s);
        es_metric_set(w->adds, labels, (double)stats.kinds[k].added);
        es_metric_set(w->retries, labels, (double)stats.kinds[k].retried);
        es_metric_set(w->depth, labels, (double)(stats.kinds[k].waiting - stats.kinds[k].calm));
        labels[2] = "-100"; /* controller-runtime's low priority */
        es_metric_set(w->depth, labels, (double)stats.kinds[k].calm);
    }
}

/* ---- while it works ---- */

void es_work_began(struct es_work_metrics *w, int worker, const struct es_work *work)
{
    struct seat *seat = &w->seats[worker];
    const char *labels[3];

    es_metric_observe(w->waited, labels_of(w, work->kind, labels), (double)work->waited_ms / 1000);
    __atomic_store_n(&seat->kind, work->kind, __ATOMIC_RELAXED);
    __atomic_store_n(&seat->since_ns, es_mono_ns(), __ATOMIC_RELEASE);
}

void es_work_ended(struct es_work_metrics *w, int worker, enum es_work_result result)
{
    struct seat *seat = &w->seats[worker];
    double seconds = (double)(es_mono_ns() - seat->since_ns) / 1e9;
    const char *labels[3];

    labels_of(w, seat->kind, labels);
    __atomic_store_n(&seat->since_ns, 0, __ATOMIC_RELEASE);
    es_metric_observe(w->seconds, labels, seconds);
    es_metric_observe(w->worked, labels, seconds);
    es_metric_add(w->passes, (const char *const[]){labels[0], results[result]}, 1);
    if (result == ES_WORK_ERROR)
        es_metric_add(w->failures, labels, 1);
}

/* ---- life ---- */

static void register_passes(struct es_work_metrics *w)
{
    static const char *const labels[] = {"controller", "result"};
    struct es_metrics *m = w->opts.metrics;

    w->passes = es_metrics_family(m, ES_COUNTER, "controller_runtime_reconcile_total",
                                  "Passes by controller and result.", labels, 2, NULL, 0);
    w->failures = es_metrics_family(m, ES_COUNTER, "controller_runtime_reconcile_errors_total",
                                    "Passes that failed, by controller.", labels, 1, NULL, 0);
    w->seconds = es_metrics_family(m, ES_HISTOGRAM, "controller_runtime_reconcile_time_seconds",
                                   "Duration of a pass, by controller.", labels, 1, pass_seconds,
                                   sizeof pass_seconds / sizeof *pass_seconds);
    w->active = es_metrics_family(m, ES_GAUGE, "controller_runtime_active_workers",
                                  "Workers that are in a pass, by controller.", labels, 1, NULL, 0);
    w->most = es_metrics_family(m, ES_GAUGE, "controller_runtime_max_concurrent_reconciles",
                                "Workers there are; all controllers share them.", labels, 1, NULL, 0);
}

static void register_queue(struct es_work_metrics *w)
{
    static const char *const labels[] = {"name", "controller", "priority"};
    const size_t bounds = sizeof queue_seconds / sizeof *queue_seconds;
    struct es_metrics *m = w->opts.metrics;

    w->depth = es_metrics_family(
        m, ES_GAUGE, "workqueue_depth",
        "Objects that are due and wait for a worker; housekeeping has priority -100.", labels, 3, NULL, 0);
    w->adds = es_metrics_family(m, ES_COUNTER, "workqueue_adds_total",
                                "Times that an object was put in the queue.", labels, 2, NULL, 0);
    w->retries = es_metrics_family(m, ES_COUNTER, "workqueue_retries_total",
                                   "Times that an object was put off after a failure.", labels, 2, NULL, 0);
    w->waited = es_metrics_family(m, ES_HISTOGRAM, "workqueue_queue_duration_seconds",
                                  "How long an object that was due waited for a worker.", labels, 2,
                                  queue_seconds, bounds);
    w->worked = es_metrics_family(m, ES_HISTOGRAM, "workqueue_work_duration_seconds",
                                  "How long a worker had an object.", labels, 2, queue_seconds, bounds);
    w->unfinished = es_metrics_family(m, ES_GAUGE, "workqueue_unfinished_work_seconds",
                                      "Age of all passes that are under way, summed up.", labels, 2, NULL, 0);
    w->longest = es_metrics_family(m, ES_GAUGE, "workqueue_longest_running_processor_seconds",
                                   "Age of the oldest pass that is under way.", labels, 2, NULL, 0);
}

/* A rate needs a series that was there before the first failure. */
static void start_at_zero(struct es_work_metrics *w)
{
    const char *labels[3];

    for (int k = 0; k < w->opts.controller_count; k++) {
        labels_of(w, k, labels);
        es_metric_add(w->failures, labels, 0);
        es_metric_set(w->most, labels, w->opts.workers);
        for (int r = 0; r < ES_WORK_RESULTS; r++)
            es_metric_add(w->passes, (const char *const[]){labels[0], results[r]}, 0);
    }
}

int es_work_metrics_new(struct es_work_metrics **ret, const struct es_work_metrics_opts *opts,
                        struct es_error *err)
{
    struct es_work_metrics *w = calloc(1, sizeof *w + (size_t)opts->workers * sizeof *w->seats);

    if (!w)
        return es_error_nomem(err);
    w->opts = *opts;
    register_passes(w);
    register_queue(w);
    start_at_zero(w);
    if (opts->metrics && es_metrics_on_collect(opts->metrics, collect, w) < 0) {
        free(w);
        return es_error_nomem(err);
    }
    *ret = w;
    return 0;
}

void es_work_metrics_free(struct es_work_metrics *w)
{
    free(w);
}
