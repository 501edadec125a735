/* core/kube/watch.h: keeps a sink informed of one resource.
 *
 * A thread per watch lists, then watches, and recovers by itself: it resumes
 * at the last resourceVersion after a lost connection, starts over after 410,
 * and backs off (0.1 s to 30 s with jitter) while the API server is away. The
 * first list is streamed (sendInitialEvents) where the API server offers it,
 * else paged; objects are handed over one by one. */
#ifndef ES_KUBE_WATCH_H
#define ES_KUBE_WATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/kube/client.h"

enum es_watch_event { ES_WATCH_SET, ES_WATCH_GONE };

/* Called on the watch thread, never concurrently for one watch. */
struct es_watch_sink {
    /* A full list begins: what is not set again before `synced` is gone. */
    void (*restart)(void *ctx);
    /* ADDED and MODIFIED are SET. `object` is borrowed until it returns; the
     * sink may take members out of it. */
    void (*event)(void *ctx, enum es_watch_event event, json_t *object);
    /* The full list is complete; from here on events are changes. */
    void (*synced)(void *ctx);
    /* Something went wrong and is being retried (err), or works again (NULL). */
    void (*trouble)(void *ctx, const struct es_error *err);
    void *ctx;
};

struct es_watch_opts {
    const struct es_kind *kind;
    const char *ns; /* NULL: all namespaces */
    const char *label_selector, *field_selector;
    int64_t window_ms; /* the server ends the watch after about this time; 0: 5 to 10 minutes, at random */
};

struct es_watch;

/* Texts in opts are copied. */
int es_watch_new(struct es_watch **ret, struct es_kube *kube, const struct es_watch_opts *opts,
                 const struct es_watch_sink *sink, struct es_error *err);
void es_watch_free(struct es_watch *w); /* NULL is fine; cancels and joins the thread */

#endif
