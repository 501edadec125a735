/* core/controller/provision.h: ClusterExternalSecrets and ClusterPushSecrets.
 *
 * Both are a parent without a namespace, which keeps a child (an ExternalSecret, a
 * PushSecret) in every namespace that it selects. What differs between the two stands in
 * a row of a table; the rest is one piece of code (specification: push-and-cluster,
 * sections 2 and 3). The children are ordinary objects, served by their own
 * controllers.
 *
 * What is there is known from the caches: a pass that finds everything in order asks the
 * API server for nothing. */
#ifndef ES_CONTROLLER_PROVISION_H
#define ES_CONTROLLER_PROVISION_H

#include <jansson.h>

#include "core/cluster/cache.h"
#include "core/controller/controller.h"

/* The caches' side. `kept` is a parent, or a child. */
void es_cluster_external_secret_index(const json_t *kept, struct es_terms *t);
void es_cluster_push_secret_index(const json_t *kept, struct es_terms *t);
void es_provision_index_child(const json_t *kept, struct es_terms *t);
void es_provision_mark_parent(const json_t *kept, struct es_marks *ret);
void es_cluster_external_secret_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                        const json_t *kept);
void es_cluster_push_secret_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                    const json_t *kept);

/* An object of a child's kind changed or went (`what` as in cache.h): its parent repairs it,
 * and whoever waits for its name may have it. Any thread. */
void es_provision_child_changed(struct es_env *env, enum es_controller_id child, const char *ns,
                                const char *name, unsigned what, const json_t *kept);

/* A namespace came, went, began to end, or has other labels: each parent looks at it. */
void es_provision_namespace_changed(struct es_env *env, const char *name);

/* The finalizers among an object's that a parent puts on namespaces, as an array; NULL: none. What a
 * cache of namespaces keeps, and the terms that it finds them under. */
json_t *es_provision_finalizers(const json_t *ns_object);
void es_provision_index_namespace(const json_t *kept, struct es_terms *t);

/* Asks for a pass of every parent, over all that it selects. */
void es_provision_all_again(struct es_env *env);

#endif
