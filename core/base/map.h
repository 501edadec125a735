/* core/base/map.h: a hash map from text to a pointer.
 *
 * Keys are not copied: the map points into what the caller stores, which is
 * how a cache of a hundred thousand objects keeps each key once. Seeded
 * SipHash-like hashing, so that tenants cannot choose collisions. Not locked. */
#ifndef ES_BASE_MAP_H
#define ES_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct es_map_slot {
    uint32_t hash;
    uint32_t probe; /* 0: empty, else distance + 1 */
    const char *key;
    void *value;
};

struct es_map {
    struct es_map_slot *slots;
    size_t count, cap;
};

void es_map_fini(struct es_map *m);                        /* frees the table, not what it points to */
void *es_map_get(const struct es_map *m, const char *key); /* NULL: none */

/* `key` must live as long as the entry. Replaces key and value of an equal
 * key and returns the old value through *ret_old (may be NULL). `value` must
 * not be NULL. 0 or ES_E_NOMEM. */
int es_map_put(struct es_map *m, const char *key, void *value, void **ret_old);

void *es_map_remove(struct es_map *m, const char *key); /* the value that was there, or NULL */

/* Visits every entry in no order; start with *pos = 0. NULL at the end. The
 * map must not change meanwhile. */
void *es_map_next(const struct es_map *m, size_t *pos);

/* The hash used here, for other tables: seeded once per process. */
uint64_t es_hash64(const void *data, size_t len);

#endif
