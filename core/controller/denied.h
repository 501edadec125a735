/* core/controller/denied.h: who was turned away by the conditions of a ClusterSecretStore.
 *
 * What decides are the labels of a namespace, and those may change. So it is
 * noted whom they have kept out, by namespace, for the event that lets them in:
 * they are few, unlike all consumers of a namespace. Any thread. */
#ifndef ES_CONTROLLER_DENIED_H
#define ES_CONTROLLER_DENIED_H

#include <stddef.h>

#include "core/controller/controller.h"

struct es_denied *es_denied_new(void); /* NULL without memory */
void es_denied_free(struct es_denied *d);

/* The consumer ns/name, an object of this controller, is to be woken when the labels of `ns` change. Without
 * memory it sits out its backoff. */
void es_denied_add(struct es_denied *d, enum es_controller_id id, const char *ns, const char *name);

/* It has gone. */
void es_denied_forget(struct es_denied *d, enum es_controller_id id, const char *ns, const char *name);

/* The namespace changed: asks for a pass of each, and forgets them. */
void es_denied_wake(struct es_env *env, const char *ns);

size_t es_denied_count(struct es_denied *d); /* consumers */

#endif
