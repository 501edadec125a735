#include "core/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"

#define DEFAULT_MAX ((size_t)64 << 20)
#define BLOCK_SIZE ((size_t)4096)

struct es_arena_block {
    struct es_arena_block *next;
    size_t used, cap;
    alignas(max_align_t) unsigned char bytes[];
};

void es_arena_init(struct es_arena *a, size_t max)
{
    *a = (struct es_arena){.max = max};
}

void es_arena_fini(struct es_arena *a)
{
    while (a->blocks) {
        struct es_arena_block *next = a->blocks->next;
        es_mem_free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

void *es_arena_alloc(struct es_arena *a, size_t size)
{
    size_t max = a->max ? a->max : DEFAULT_MAX;
    size_t align = alignof(max_align_t);

    if (size > max || a->used > max - size)
        return NULL;
    size_t step = (size + align - 1) / align * align;
    struct es_arena_block *b = a->blocks;
    if (!b || b->cap - b->used < step) {
        size_t cap = step > BLOCK_SIZE ? step : BLOCK_SIZE;
        b = es_mem_calloc(1, sizeof *b + cap);
        if (!b)
            return NULL;
        b->cap = cap;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *place = b->bytes + b->used;
    b->used += step;
    a->used += size;
    return place;
}

void *es_arena_dup(struct es_arena *a, const void *data, size_t len)
{
    char *copy = len < SIZE_MAX ? es_arena_alloc(a, len + 1) : NULL;
    if (copy && len)
        memcpy(copy, data, len);
    return copy;
}
