/* core/controller/watched.h: whom a change of something else concerns. */
#ifndef ES_CONTROLLER_WATCHED_H
#define ES_CONTROLLER_WATCHED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/controller/controller.h"

/* Stands for generation, uid, labels, annotations and deletion of an object: what people write. */
uint64_t es_mark_metadata(const json_t *kept);

/* Asks for a pass of each ExternalSecret that reads from this store (`ns` is "" for
 * a ClusterSecretStore), in all namespaces or in `only_ns` unless that is "". One
 * that is in its backoff retries now; one that has nothing to do sees so at
 * once. Returns how many there are. */
size_t es_wake_dependents(struct es_env *env, const char *ns, const char *name, const char *only_ns);

#endif
