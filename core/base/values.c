#include "core/base/values.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/mem.h"

int es_blob_set(struct es_blob *b, const void *data, size_t len)
{
    unsigned char *ptr = es_mem_alloc(len + 1);
    if (!ptr)
        return ES_E_NOMEM;
    if (len)
        memcpy(ptr, data, len);
    ptr[len] = '\0';
    es_blob_fini(b);
    b->ptr = ptr;
    b->len = len;
    return 0;
}

void es_blob_fini(struct es_blob *b)
{
    es_mem_free(b->ptr);
    *b = (struct es_blob){0};
}

bool es_blob_equal(const struct es_blob *a, const struct es_blob *b)
{
    return a->len == b->len && (!a->len || CRYPTO_memcmp(a->ptr, b->ptr, a->len) == 0);
}

void es_values_fini(struct es_values *v)
{
    for (size_t i = 0; i < v->count; i++) {
        es_mem_free(v->items[i].key);
        es_blob_fini(&v->items[i].blob);
    }
    free(v->items);
    *v = (struct es_values){0};
}

/* Where `key` is, or where it would go. */
static size_t find_slot(const struct es_values *v, const char *key, bool *found)
{
    size_t low = 0, high = v->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(v->items[mid].key, key);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

static int open_slot(struct es_values *v, size_t slot, const char *key)
{
    if (v->count == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 8;
        struct es_value *items = realloc(v->items, cap * sizeof *items);
        if (!items)
            return ES_E_NOMEM;
        v->items = items;
        v->cap = cap;
    }
    char *copy = es_mem_strdup(key);
    if (!copy)
        return ES_E_NOMEM;
    memmove(v->items + slot + 1, v->items + slot, (v->count - slot) * sizeof *v->items);
    v->items[slot] = (struct es_value){.key = copy};
    v->count++;
    return 0;
}

int es_values_move(struct es_values *v, const char *key, struct es_blob *blob)
{
    bool found;
    size_t slot = find_slot(v, key, &found);

    if (!found && open_slot(v, slot, key) < 0)
        return ES_E_NOMEM;
    es_blob_fini(&v->items[slot].blob);
    v->items[slot].blob = *blob;
    *blob = (struct es_blob){0};
    return 0;
}

int es_values_set(struct es_values *v, const char *key, const void *data, size_t len)
{
    struct es_blob blob = {0};

    if (es_blob_set(&blob, data, len) < 0)
        return ES_E_NOMEM;
    int rc = es_values_move(v, key, &blob);
    es_blob_fini(&blob);
    return rc;
}

const struct es_blob *es_values_get(const struct es_values *v, const char *key)
{
    bool found;
    size_t slot = find_slot(v, key, &found);
    return found ? &v->items[slot].blob : NULL;
}

void es_values_remove(struct es_values *v, const char *key)
{
    bool found;
    size_t slot = find_slot(v, key, &found);

    if (!found)
        return;
    es_mem_free(v->items[slot].key);
    es_blob_fini(&v->items[slot].blob);
    v->count--;
    memmove(v->items + slot, v->items + slot + 1, (v->count - slot) * sizeof *v->items);
}

int es_values_merge(struct es_values *into, struct es_values *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (es_values_move(into, from->items[i].key, &from->items[i].blob) < 0)
            return ES_E_NOMEM;
    es_values_fini(from);
    return 0;
}
