/* plugins/fake/memory.h: what was pushed, kept until the process ends.
 *
 * Each store has a shelf of its own, found by kind, namespace and name, that
 * outlives the store's instances. Any thread may call any of these. */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include "entries.h"

struct fake_shelf;

/* The shelf of a store, made at the first call. NULL without memory. Never freed. */
struct fake_shelf *fake_memory_shelf(esp_bytes kind, esp_bytes namespace, esp_bytes name);

/* Puts a value on the shelf, or replaces it there. False without memory, or when all
 * shelves together would hold more than FAKE_MEMORY_MAX bytes. */
#define FAKE_MEMORY_MAX (64u << 20)
bool fake_memory_put(struct fake_shelf *shelf, esp_bytes key, esp_bytes value);

bool fake_memory_has(struct fake_shelf *shelf, esp_bytes key);

/* Appends the value. False if there is none. Failure to copy shows in `ret`. */
bool fake_memory_get(struct fake_shelf *shelf, esp_bytes key, struct esp_text *ret);

/* A copy of everything, to be freed with fake_memory_free_copy. False without memory. */
bool fake_memory_copy(struct fake_shelf *shelf, struct fake_entries *ret);
void fake_memory_free_copy(struct fake_entries *copy);

#endif
