/* core/base/metrics.h: counters, gauges and histograms in Prometheus' text
 * exposition format (version 0.0.4).
 *
 * A family is registered once at start-up; samples are found by their label
 * values. All functions may be called on any thread. */
#ifndef ES_BASE_METRICS_H
#define ES_BASE_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"

enum es_metric_type { ES_COUNTER, ES_GAUGE, ES_HISTOGRAM };

struct es_metrics;
struct es_metric; /* a family; lives as long as its registry */

#define ES_METRIC_LABELS_MAX 12

/* NULL without memory. */
struct es_metrics *es_metrics_new(void);
void es_metrics_free(struct es_metrics *m); /* NULL is fine */

/* `labels` (count names) are in the order in which values are given later.
 * `buckets`: upper bounds for histograms, ascending; otherwise NULL, 0. All
 * texts are borrowed for the life of the registry. The same name again gives
 * the same family. NULL without memory; every function below accepts NULL. */
struct es_metric *es_metrics_family(struct es_metrics *m, enum es_metric_type type, const char *name,
                                    const char *help, const char *const *labels, size_t label_count,
                                    const double *buckets, size_t bucket_count);

/* `values`: one per label; NULL counts as "", and may stand for the whole array
 * of a family without labels. A call that does not fit the family's type does
 * nothing, as does one without memory. */
void es_metric_add(struct es_metric *f, const char *const *values, double delta); /* counter, gauge */
void es_metric_set(struct es_metric *f, const char *const *values, double value); /* gauge */
void es_metric_observe(struct es_metric *f, const char *const *values, double value);

/* Forgets all samples whose first `count` labels have these values. At once
 * when that is all labels, otherwise by a walk over the family. */
void es_metric_forget(struct es_metric *f, const char *const *values, size_t count);

/* Families whose samples stand elsewhere: what is counted for each of ten
 * thousand objects has one place in their owner's table, and becomes text when a
 * page is asked for. */
struct es_metric_source {
    /* Once a page, before its first sample; what `write` then gets. NULL: no samples. */
    void *(*open)(void *ctx);
    /* Writes some samples of family `which`, with es_metric_sample, from *pos on
     * (0 at first) and moves *pos. False: these were the last. */
    bool (*write)(void *ctx, void *view, int which, size_t *pos, const struct es_metric *f,
                  struct es_buf *out);
    void (*close)(void *ctx, void *view);
    void *ctx;
};

#define ES_METRIC_SOURCES_MAX 8 /* of a registry */

/* Counter or gauge. `source` and all texts are borrowed for the life of the registry; the
 * source's functions may be called on any thread. 0 or ES_E_NOMEM. */
int es_metrics_source_family(struct es_metrics *m, const struct es_metric_source *source, int which,
                             enum es_metric_type type, const char *name, const char *help,
                             const char *const *labels, size_t label_count);

/* One line, for `write` above. */
void es_metric_sample(const struct es_metric *f, struct es_buf *out, const char *const *values, double value);

/* Everything, families sorted by name, samples sorted by labels (of a source: as
 * it gives them); families without samples are left out. The hooks below run
 * first, under no lock. */
void es_metrics_write(struct es_metrics *m, struct es_buf *out);

/* The same in pieces, for pages of megabytes: a piece is a family, or some samples
 * of a source. A page is one thread's at a time and holds no lock between its
 * pieces. NULL without memory. */
struct es_metrics_page;
struct es_metrics_page *es_metrics_page_open(struct es_metrics *m);
/* Appends the next piece; false: there is none. */
bool es_metrics_page_next(struct es_metrics_page *p, struct es_buf *out);
void es_metrics_page_close(struct es_metrics_page *p); /* NULL is fine */

/* Runs `fn` before each write, to refresh gauges that are cheaper to read on
 * demand (queue depth, process memory). 0 or ES_E_NOMEM. */
int es_metrics_on_collect(struct es_metrics *m, void (*fn)(void *ctx), void *ctx);

#endif
