/* core/base/arena.h: memory that ends together, wiped when it does. */
#ifndef ES_BASE_ARENA_H
#define ES_BASE_ARENA_H

#include <stddef.h>

struct es_arena_block;
struct es_arena {
    struct es_arena_block *blocks;
    size_t used, max; /* bytes handed out, and their ceiling (0: 64 MiB) */
};

void es_arena_init(struct es_arena *a, size_t max);
void es_arena_fini(struct es_arena *a); /* wipes; zeroes are fine */

/* Zeroed, aligned for any type. NULL without memory or above the ceiling. */
void *es_arena_alloc(struct es_arena *a, size_t size);

/* A copy with a NUL behind it. */
void *es_arena_dup(struct es_arena *a, const void *data, size_t len);

#endif
