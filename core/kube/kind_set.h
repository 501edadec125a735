/* core/kube/kind_set.h: kinds that are met at run time, kept until the end.
 *
 * Pointers into the set stay good, so that caches, watches and objects may hold
 * them without a count. Not safe for threads: its owner has a lock. */
#ifndef ES_KUBE_KIND_SET_H
#define ES_KUBE_KIND_SET_H

#include "core/kube/kind.h"

#define ES_KIND_SET_MAX 1024

struct es_kind_node;
struct es_kind_set { /* zeroes: empty */
    struct es_kind_node *first;
    int count;
};

void es_kind_set_fini(struct es_kind_set *s);

/* The set's own kind with all of these fields, added if it was not there. NULL
 * without memory, or above ES_KIND_SET_MAX. */
const struct es_kind *es_kind_set_put(struct es_kind_set *s, const struct es_kind *kind);

#endif
