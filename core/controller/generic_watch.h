/* core/controller/generic_watch.h: watches of the kinds that target.manifest names.
 *
 * One for each kind, for as long as an ExternalSecret uses it. Of an object the
 * cache keeps who it is ("metadata": namespace, name, uid, resourceVersion), whether
 * it is "intact" and the hash of its "content": no value. A change of an object that
 * is not as it was left wakes those whose target it is. Any thread. */
#ifndef ES_CONTROLLER_GENERIC_WATCH_H
#define ES_CONTROLLER_GENERIC_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/cluster/cache.h"
#include "core/controller/controller.h"
#include "core/kube/kind.h"

struct es_generic_watches;

struct es_generic_watches *es_generic_watches_new(struct es_env *env); /* NULL without memory */

/* After the cluster, which ends the watches and frees their caches. NULL is fine. */
void es_generic_watches_free(struct es_generic_watches *g);

/* From here on ns/name uses this kind and no other. The cache lives until it uses
 * another one or none, so only its own pass may read it. NULL: the kind is not
 * watched (yet), which is logged when it is a failure; a later call tries again. */
struct es_cache *es_generic_watches_use(struct es_generic_watches *g, const char *ns, const char *name,
                                        const struct es_kind *kind);

/* ns/name uses none any more. Costs nothing while no kind is watched. */
void es_generic_watches_release(struct es_generic_watches *g, const char *ns, const char *name);

bool es_generic_watches_is_watched(struct es_generic_watches *g, const struct es_kind *kind);

/* The content that ns/name left at its target, as a number; what the API server
 * adds by itself (defaults) is part of it. 0: not known, as after a start. */
void es_generic_watches_note(struct es_generic_watches *g, const char *ns, const char *name,
                             uint64_t content);
uint64_t es_generic_watches_noted(struct es_generic_watches *g, const char *ns, const char *name);

/* How long ns/name has to wait before it repairs its target; 0: now, and that is
 * noted. A controller that changes the object again and again is not fought at full
 * speed: the second repair waits for a second after the first, and so on up to a minute. */
int64_t es_generic_watches_repair_in(struct es_generic_watches *g, const char *ns, const char *name,
                                     int64_t now_mono_ms);

/* The term under which an ExternalSecret with a target.manifest is indexed. */
#define ES_GENERIC_TERM_MAX 1024
const char *es_generic_term(char out[ES_GENERIC_TERM_MAX], const char *api_version, const char *kind,
                            const char *ns, const char *name);

#endif
