/* core/controller/tally.h: what the passes over each object came to, for /metrics.
 *
 * The reference operator has up to five series for each ExternalSecret and
 * three for each store, and esod one more for an ExternalSecret that is late. Here an object has one row of
 * numbers, beside its key: the label texts are made when a page is asked for, and nobody waits for that. All
 * functions may be called on any thread. */
#ifndef ES_CONTROLLER_TALLY_H
#define ES_CONTROLLER_TALLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"

struct es_tally;

enum es_tally_kind {
    ES_TALLY_EXTERNAL_SECRET,
    ES_TALLY_SECRET_STORE,
    ES_TALLY_CLUSTER_SECRET_STORE,
    ES_TALLY_PUSH_SECRET,
    ES_TALLY_CLUSTER_EXTERNAL_SECRET,
    ES_TALLY_CLUSTER_PUSH_SECRET,
    ES_TALLY_KINDS
};

/* The Ready condition. */
enum es_tally_ready { ES_TALLY_UNKNOWN, ES_TALLY_FALSE, ES_TALLY_TRUE };

struct es_tally_pass {
    enum es_tally_kind kind;
    const char *ns, *name; /* ns: "" for what has none */
    /* Its app.kubernetes.io labels are read if they are wanted; NULL: as they were. */
    const json_t *object;
    int64_t duration_ns;
    bool failed;
    enum es_tally_ready ready; /* UNKNOWN: as it was */
    /* Of an ExternalSecret: by when, on the tally's monotonic clock, the next pass ought to have ended
     * well. -1: never by itself; 0: as it was, which is right for a pass that failed. */
    int64_t due_ms;
};

/* An ExternalSecret that is due for longer is overdue, and has a series that says for how long.
 * Less is a queue at work, or a read that waits for others (readWindow). */
#define ES_TALLY_OVERDUE_S 60

/* Registers the families. `label_objects`: with the six app_kubernetes_io labels.
 * `metrics` and `clock` must outlive the tally, and no page may be asked for any
 * more when it is freed. */
int es_tally_new(struct es_tally **ret, struct es_metrics *metrics, const struct es_clock *clock,
                 bool label_objects, struct es_error *err);
void es_tally_free(struct es_tally *t); /* NULL is fine */

/* A pass has ended. Without memory it is not counted. NULL is fine. */
void es_tally_count(struct es_tally *t, const struct es_tally_pass *pass);

/* A pass found that the object is gone. An ExternalSecret's counters stay, and
 * condition Deleted takes the place of Ready, as in the reference; but of the
 * last ES_TALLY_GONE_MAX only, where the reference keeps all. Others are forgotten. */
void es_tally_gone(struct es_tally *t, enum es_tally_kind kind, const char *ns, const char *name,
                   int64_t duration_ns);
#define ES_TALLY_GONE_MAX 1000

#endif
