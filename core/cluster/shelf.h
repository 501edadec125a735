/* core/cluster/shelf.h: the caches of a cluster.
 *
 * Those that stand there before the cluster starts stay until its end and are
 * found without a lock. Others come and go while threads use them: as long as
 * there are none, nobody pays for them. */
#ifndef ES_CLUSTER_SHELF_H
#define ES_CLUSTER_SHELF_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/cluster/cache.h"

#define ES_SHELF_FIXED_MAX 16
#define ES_SHELF_LOOSE_MAX 64

struct es_shelf;

struct es_shelf *es_shelf_new(void);     /* NULL without memory */
void es_shelf_free(struct es_shelf *s);  /* and the caches on it */
void es_shelf_close(struct es_shelf *s); /* the fixed ones are complete: call before a second thread comes */

/* Before es_shelf_close a fixed one, afterwards a loose one; then on any thread. */
int es_shelf_put(struct es_shelf *s, struct es_cache *cache, struct es_error *err);

/* Takes a loose cache down and waits until no es_shelf_each has it in hand. The
 * cache is the caller's again. */
void es_shelf_take(struct es_shelf *s, struct es_cache *cache);

/* Calls `fn` for each cache, the fixed ones first, until it returns false. No
 * lock is held meanwhile; a cache in hand is not taken away. False: it ended early. */
typedef bool es_shelf_fn(void *ctx, struct es_cache *cache);
bool es_shelf_each(struct es_shelf *s, es_shelf_fn *fn, void *ctx);
bool es_shelf_each_fixed(struct es_shelf *s, es_shelf_fn *fn, void *ctx);

#endif
