/* core/base/metrics_own.h: how samples lie in memory, for metrics.c, which counts, and metrics_page.c, which
 * writes. */
#ifndef ES_BASE_METRICS_OWN_H
#define ES_BASE_METRICS_OWN_H

#include <pthread.h>
#include <stdint.h>

#include "core/base/metrics.h"

/* One label set: 24 bytes and its label values for a counter or gauge, which
 * is what a hundred thousand objects cost. A histogram has its buckets' counts
 * in values[1..]; values[0] is the sum. */
struct es_sample {
    uint32_t hash;
    uint32_t labels_len;
    double values[]; /* then the label values, a NUL behind each */
};

struct es_metric {
    struct es_metric *next; /* sorted by name */
    enum es_metric_type type;
    const char *name, *help;
    const char *labels[ES_METRIC_LABELS_MAX];
    size_t label_count;
    const double *buckets;
    size_t bucket_count;
    size_t value_count;                    /* doubles in a sample */
    const struct es_metric_source *source; /* has the samples; NULL: they are below */
    int which;

    pthread_mutex_t lock;     /* guards all below */
    struct es_sample **slots; /* open addressing; NULL is empty */
    size_t count, cap;
};

struct es_metric_hook {
    void (*fn)(void *ctx);
    void *ctx;
};

struct es_metrics {
    pthread_mutex_t lock; /* guards the lists, not the families in them */
    struct es_metric *families;
    struct es_metric_hook *hooks;
    size_t hook_count;
};

static inline char *es_sample_labels(const struct es_metric *f, struct es_sample *s)
{
    return (char *)(s->values + f->value_count);
}

/* The i-th of the values that a caller gave; what is missing is empty. */
static inline const char *es_label_at(const char *const *values, size_t i)
{
    return values && values[i] ? values[i] : "";
}

#endif
