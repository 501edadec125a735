/* core/engine/work_metrics.h: what the queue and the workers are doing, under the
 * names that controller-runtime and client-go have for it. */
#ifndef ES_ENGINE_WORK_METRICS_H
#define ES_ENGINE_WORK_METRICS_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/engine/queue.h"

struct es_work_metrics;

enum es_work_result {
    ES_WORK_SUCCESS,
    ES_WORK_ERROR,
    ES_WORK_REQUEUE,
    ES_WORK_REQUEUE_AFTER,
    ES_WORK_RESULTS
};

struct es_work_metrics_opts {
    struct es_metrics *metrics; /* or NULL */
    struct es_queue *queue;
    int workers;
    const char *const *controllers; /* by the queue's kinds: the label's values; borrowed for ever */
    int controller_count;           /* at most ES_QUEUE_KINDS */
};

/* The queue must outlive it, and it every page. */
int es_work_metrics_new(struct es_work_metrics **ret, const struct es_work_metrics_opts *opts,
                        struct es_error *err);
void es_work_metrics_free(struct es_work_metrics *w); /* NULL is fine */

/* Worker number `worker` takes up some work, and ends it. */
void es_work_began(struct es_work_metrics *w, int worker, const struct es_work *work);
void es_work_ended(struct es_work_metrics *w, int worker, enum es_work_result result);

#endif
