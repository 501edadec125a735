/* core/controller/push_watched.h: what of a PushSecret a pass depends on, and whom a
 * change of something else concerns. */
#ifndef ES_CONTROLLER_PUSH_WATCHED_H
#define ES_CONTROLLER_PUSH_WATCHED_H

#include <stddef.h>

#include "core/cluster/cache.h"
#include "core/controller/controller.h"

#define ES_PUSH_FINALIZER "pushsecret.externalsecrets.io/finalizer"

/* For the cache of PushSecrets (es_cache_opts). */
void es_push_secret_index(const json_t *kept, struct es_terms *terms);
void es_push_secret_changed(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept);

/* Asks for a pass of each PushSecret that this Secret may be a source of. Any thread. */
void es_push_source_changed(struct es_env *env, const char *ns, const char *name);

/* The same of all that push Secrets: something may have been missed. */
void es_push_sources_unsure(struct es_env *env);

/* The terms of those that push to a store, by its name and by labels: for
 * es_wake_dependents. */
#define ES_PUSH_TERM_MAX 640
void es_push_store_terms(char by_name[ES_PUSH_TERM_MAX], char by_labels[ES_PUSH_TERM_MAX], const char *ns,
                         const char *name);

#endif
