/* core/cluster/writes.h: which objects are being written at this moment.
 *
 * An API server answers a write and tells the watches of it at the same time.
 * Whoever hears of it first has to parse it and put it into the cache; whoever
 * comes second need not, when the version is known by then. So a watch that is
 * told of an object while a write of ours to it is under way waits for the
 * answer, which is about to come and says the same. */
#ifndef ES_CLUSTER_WRITES_H
#define ES_CLUSTER_WRITES_H

#include <stdbool.h>

#include "core/kube/kind.h"

struct es_writes;

/* One write, on the stack of who makes it. Texts are borrowed until its end. */
struct es_write {
    const struct es_kind *kind;
    const char *ns, *name;
    struct es_write *next, **prev_next;
    bool awaited;
};

struct es_writes *es_writes_new(void);    /* NULL without memory */
void es_writes_free(struct es_writes *w); /* no write and no wait may be under way; NULL is fine */

void es_writes_begin(struct es_writes *w, struct es_write *write);
void es_writes_end(struct es_writes *w, struct es_write *write); /* after the answer has gone to the caches */

/* Waits until no write to the object is under way, a moment at most. False: there
 * was none to wait for. */
bool es_writes_wait(struct es_writes *w, const struct es_kind *kind, const char *ns, const char *name);

#endif
