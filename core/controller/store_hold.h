/* core/controller/store_hold.h: keeps a store while a PushSecret needs it to clean up.
 *
 * A PushSecret with deletionPolicy Delete deletes what it has pushed, and that takes the
 * store. So a store has a finalizer exactly while there is such a PushSecret that refers to
 * it, or has pushed to it. Spec: stores, section 3, step 3. */
#ifndef ES_CONTROLLER_STORE_HOLD_H
#define ES_CONTROLLER_STORE_HOLD_H

#include "core/base/error.h"
#include "core/cluster/cache.h"
#include "core/controller/controller.h"

#define ES_STORE_FINALIZER "secretstore.externalsecrets.io/finalizer"

/* Adds or removes the finalizer of a store of ours, as is due. One that is not there, or
 * that others serve, is no failure. Nothing is done where PushSecrets are not served. */
int es_store_hold(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                  struct es_error *err);

/* The same for all stores that have the finalizer and that PushSecrets of `ns` may use:
 * one of these may have let go. */
int es_store_let_go(struct es_env *env, const char *ns, struct es_error *err);

/* ---- terms of the caches' indices ---- */

void es_store_hold_index_push(const json_t *push_secret, struct es_terms *terms);
void es_store_hold_index_store(const json_t *store, struct es_terms *terms);

#endif
