#include "core/engine/heap.h"

#include <stdlib.h>

#include "core/base/error.h"

static bool before(const struct es_item *a, const struct es_item *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->serial < b->serial;
}

static void put(struct es_heap *h, size_t place, struct es_item *i)
{
    h->items[place] = i;
    i->place = (uint32_t)place;
}

static void sift(struct es_heap *h, size_t place)
{
    struct es_item *i = h->items[place];

    while (place && before(i, h->items[(place - 1) / 2])) {
        put(h, place, h->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && before(h->items[child + 1], h->items[child]))
            child++;
        if (!before(h->items[child], i))
            break;
        put(h, place, h->items[child]);
        place = child;
    }
    put(h, place, i);
}

int es_heap_add(struct es_heap *h, struct es_item *i)
{
    if (h->count == ES_NOT_IN_HEAP)
        return ES_E_NOMEM;
    if (h->count == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct es_item **items = realloc(h->items, cap * sizeof(struct es_item *));
        if (!items)
            return ES_E_NOMEM;
        h->items = items;
        h->cap = cap;
    }
    put(h, h->count++, i);
    sift(h, i->place);
    return 0;
}

void es_heap_remove(struct es_heap *h, struct es_item *i)
{
    size_t place = i->place;
    struct es_item *last = h->items[--h->count];

    i->place = ES_NOT_IN_HEAP;
    if (last != i) {
        put(h, place, last);
        sift(h, place);
    }
}
