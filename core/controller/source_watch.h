/* core/controller/source_watch.h: the watches that tell of sources.
 *
 * One for each kind, begun when the first store has read such an object and ended
 * when none depends on one any more. They bring metadata only, and nothing
 * of it is kept: a cluster has many Secrets, and a store reads one or two. */
#ifndef ES_CONTROLLER_SOURCE_WATCH_H
#define ES_CONTROLLER_SOURCE_WATCH_H

#include <stdbool.h>

#include "core/controller/controller.h"
#include "core/plugin/services.h"

struct es_source_watches;

struct es_source_watches *es_source_watches_new(struct es_env *env); /* NULL without memory */
void es_source_watches_free(struct es_source_watches *w);            /* the caches are the cluster's */

/* Begins to watch unless that is done already. Not from a cache's callback. */
void es_source_watches_begin(struct es_source_watches *w, enum es_kube_read what);

/* Ends it, if it runs. The main thread only. */
void es_source_watches_end(struct es_source_watches *w, enum es_kube_read what);

/* The version of a source that another cache has: a Secret that is also a target of
 * ours does not come with the watch above. */
bool es_source_elsewhere(struct es_env *env, enum es_kube_read what, const char *ns, const char *name,
                         char rv[ES_RV_MAX]);

#endif
