/* core/cluster/events.h: Kubernetes Events about objects.
 *
 * Recording never blocks and never fails a pass: events wait in a bounded
 * queue for a thread of their own, behind the work that they report. What was
 * said before is counted, combined or cut off (event_memory.h). Events are best
 * effort by their nature: a full queue drops the newest and counts it. */
#ifndef ES_CLUSTER_EVENTS_H
#define ES_CLUSTER_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/cluster/cluster.h"
#include "core/kube/kind.h"

struct es_events;

enum es_event_type { ES_EVENT_NORMAL, ES_EVENT_WARNING };

struct es_events_opts {
    struct es_cluster *cluster;
    struct es_metrics *metrics; /* or NULL */
    /* More urgent work is waiting: send slowly. NULL: never. */
    bool (*busy)(void *ctx);
    void *busy_ctx;
};

int es_events_new(struct es_events **ret, const struct es_events_opts *opts, struct es_error *err);

/* Sends what waits for at most `grace_ms`, joins, frees. NULL is fine. */
void es_events_free(struct es_events *e, int64_t grace_ms);

/* `about` is the object (metadata is read from it); `component` the source.
 * The message is cut at 1024 bytes, the API server's limit. */
void es_event_record(struct es_events *e, const struct es_kind *kind, const json_t *about,
                     enum es_event_type type, const char *reason, const char *component, const char *message);

#endif
