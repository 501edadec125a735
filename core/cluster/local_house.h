/* core/cluster/local_house.h: a folder of manifests behind the cluster
 * interface. The same controllers run on it as on a real API server.
 *
 * It keeps objects in memory and behaves as an API server does where the
 * controllers can tell: resourceVersions and uids, generation, optimistic
 * locking, field managers of Secret data, labels and annotations
 * (managedFields), the status subresource, finalizers and deletion, owner
 * references (the dependents of a deleted owner go too). */
#ifndef ES_CLUSTER_LOCAL_HOUSE_H
#define ES_CLUSTER_LOCAL_HOUSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/cluster/cluster.h"

struct es_local; /* the house itself; owned by its cluster */

/* `*ret_local` is borrowed from the cluster. */
int es_cluster_new_local(struct es_cluster **ret, struct es_local **ret_local, struct es_error *err);

/* Adds or replaces an object as `kubectl apply` would: status and server-set
 * metadata of what is there are kept. v1beta1 objects are read as v1.
 * Watches see the change. `object` is borrowed. */
int es_local_apply(struct es_local *l, const json_t *object, struct es_error *err);
int es_local_delete(struct es_local *l, const struct es_kind *kind, const char *ns, const char *name,
                    struct es_error *err);

/* Every object of a kind, sorted by key; each returns false to end. */
void es_local_each(struct es_local *l, const struct es_kind *kind,
                   bool (*each)(void *ctx, const json_t *object), void *ctx);

/* Grows with every change of anything: lets a watcher see that something moved. */
uint64_t es_local_revision(struct es_local *l);

#endif
