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
    /* A full list begins: what is not set again before `synced` is gone. May
     * come again before `synced` when the list had to be begun anew. */
    void (*restart)(void *ctx);
    /* Does the sink have this very version of the object already? Then it is
     * not parsed and `event` is not called for it. Most events of a controller's
     * watch tell it of its own writes. NULL: never. */
    bool (*known)(void *ctx, const char *ns, const char *name, const char *resource_version);
    /* ADDED and MODIFIED are SET. `object` is borrowed until it returns; the
     * sink may take members out of it. It comes without managedFields. */
    void (*event)(void *ctx, enum es_watch_event event, json_t *object);
    /* The full list is complete; from here on events are changes. */
    void (*synced)(void *ctx);
    /* Something went wrong and is being retried (err; after a 403 or 404 too:
     * rights and CRDs come and go), or works again (NULL). A watch that
     * worked and lost its connection is not yet trouble: that is reported
     * when it cannot be resumed. Every failed attempt is reported. */
    void (*trouble)(void *ctx, const struct es_error *err);
    void *ctx;
};

struct es_watch_opts {
    const struct es_kind *kind;
    const char *ns; /* NULL: all namespaces */
    const char *label_selector, *field_selector;
    bool metadata_only; /* PartialObjectMetadata: no spec, data or status is sent */
    int64_t window_ms;  /* the server ends the watch after about this time; 0: 5 to 10 minutes, at random */
};

struct es_watch;

/* Texts in opts are copied; `kube` must outlive the watch. */
int es_watch_new(struct es_watch **ret, struct es_kube *kube, const struct es_watch_opts *opts,
                 const struct es_watch_sink *sink, struct es_error *err);

/* Cancels and joins the thread: within about 100 ms, whatever it waits for,
 * unless the sink is slow. Not from the sink. NULL is fine. es_kube_stop ends
 * the thread as well; the memory still wants this. */
void es_watch_free(struct es_watch *w);

#endif
