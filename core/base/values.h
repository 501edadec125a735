/* core/base/values.h: secret bytes, and sets of them by key.
 *
 * A secret is never a char *: no formatter takes an es_blob by accident, and
 * its memory is wiped when freed. */
#ifndef ES_BASE_VALUES_H
#define ES_BASE_VALUES_H

#include <stdbool.h>
#include <stddef.h>

struct es_blob {
    unsigned char *ptr; /* NULL when empty; one NUL follows the bytes, not counted */
    size_t len;
};

int es_blob_set(struct es_blob *b, const void *data, size_t len); /* 0 or ES_E_NOMEM, then untouched */
void es_blob_fini(struct es_blob *b);
bool es_blob_equal(const struct es_blob *a, const struct es_blob *b); /* constant time for equal lengths */

struct es_value {
    char *key;
    struct es_blob blob;
};

/* Sorted by key (bytewise), keys unique. Zeroes are an empty set. */
struct es_values {
    struct es_value *items;
    size_t count, cap;
};

void es_values_fini(struct es_values *v);

/* Copies key and bytes; an existing key is overwritten. 0 or ES_E_NOMEM. */
int es_values_set(struct es_values *v, const char *key, const void *data, size_t len);

/* Moves the blob in (emptied on success). 0 or ES_E_NOMEM. */
int es_values_move(struct es_values *v, const char *key, struct es_blob *blob);

const struct es_blob *es_values_get(const struct es_values *v, const char *key); /* NULL: none */
void es_values_remove(struct es_values *v, const char *key);

/* Moves all of `from` into `into`, overwriting; `from` ends empty. On
 * ES_E_NOMEM both hold a part. */
int es_values_merge(struct es_values *into, struct es_values *from);

#endif
