/* core/plugin/pool.h: opened stores, kept and shared while nothing about them
 * changes.
 *
 * Opening a store may cost a login; thousands of ExternalSecrets must not cost
 * thousands. An entry is found by `key` (which store, for whom) and is good as
 * long as `version` is the same: a number that stands for what it is opened from
 * (the store, its credentials), and grows whenever that changes. */
#ifndef ES_PLUGIN_POOL_H
#define ES_PLUGIN_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/plugin/instance.h"

struct es_pool;

int es_pool_new(struct es_pool **ret, struct es_error *err);

/* Closes everything; nothing may be borrowed any more. */
void es_pool_free(struct es_pool *p);

/* Borrows the instance of key and version, opening it with `open` when there
 * is none (other borrowers of the same key wait for that one opening; a failure
 * is theirs too, and is not remembered). An instance of an older version is
 * closed when its last borrower returns it. ES_E_CONFLICT: there is one of a newer
 * version. A late-comer must not replace it, or the two would go on replacing
 * each other for as long as both are asked for. */
int es_pool_borrow(struct es_pool *p, const char *key, uint64_t version,
                   int (*open)(void *ctx, struct es_instance **ret, struct es_error *err), void *ctx,
                   struct es_instance **ret, struct es_error *err);
void es_pool_return(struct es_pool *p, struct es_instance *i);

/* The store went away or changed: every key that begins with `prefix`. */
void es_pool_drop(struct es_pool *p, const char *prefix);

/* Closes what nobody has borrowed for `idle_ms`. Called now and then. */
void es_pool_sweep(struct es_pool *p, int64_t idle_ms);

size_t es_pool_count(struct es_pool *p);

#endif
