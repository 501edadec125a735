/* core/check/guard.h: memory that ends where a page begins that nobody may touch.
 *
 * Whoever reads or writes one byte too many crashes there and then. */
#ifndef ES_CHECK_GUARD_H
#define ES_CHECK_GUARD_H

#include <stddef.h>

struct es_guard {
    void *ptr; /* `len` bytes, the last of them right before the page */
    void *map;
    size_t map_len;
};

/* A copy of `len` bytes; NULL data: zeroes. Without memory the process ends:
 * a check that cannot set its scene has nothing to say. */
void es_guard_init(struct es_guard *g, const void *data, size_t len);
void es_guard_fini(struct es_guard *g);

#endif
