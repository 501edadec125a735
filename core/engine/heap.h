/* core/engine/heap.h: the queue's items of one lane, the one that is due first at the root.
 *
 * A binary heap of pointers; the items stay the queue's. No locks: the queue's guards it. */
#ifndef ES_ENGINE_HEAP_H
#define ES_ENGINE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ES_NOT_IN_HEAP UINT32_MAX

/* Every object of the cluster has one of these, most of the time asleep: small. */
struct es_item {
    int64_t due_ms;
    int64_t asked_ms; /* of the newest add, the queue's NOT_ASKED: only time makes it due */
    uint64_t serial;  /* first in, first out among equals */
    uint32_t place;   /* in its heap, or ES_NOT_IN_HEAP */
    uint8_t kind, failures;
    uint8_t lane; /* enum es_lane */
    bool running : 1;
    bool calm    : 1;
    bool again   : 1; /* due at `due_ms` once the worker is done */
    char id[];        /* one character for the kind, then the key */
};

struct es_heap {
    struct es_item **items;
    size_t count, cap;
};

/* Zeroes are an empty one; free(items) ends it. items[0] is due first: the earliest, and among equals the one
 * with the lowest serial. Neither changes while the item is in a heap. ES_E_NOMEM when it cannot grow. */
int es_heap_add(struct es_heap *h, struct es_item *i);
void es_heap_remove(struct es_heap *h, struct es_item *i); /* it has to be in this one */

#endif
