#include "entries.h"

#include <stdlib.h>

bool fake_entries_add(struct fake_entries *e, esp_bytes key, esp_bytes version, esp_bytes value)
{
    if (e->count == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 8;
        struct fake_entry *items = reallocarray(e->items, cap, sizeof *items);
        if (!items)
            return false;
        e->items = items;
        e->cap = cap;
    }
    e->items[e->count] = (struct fake_entry){key, version, value, e->count};
    e->count++;
    return true;
}

static int by_name(const struct fake_entry *a, const struct fake_entry *b)
{
    int order = esp_compare(a->key, b->key);
    return order ? order : esp_compare(a->version, b->version);
}

static int by_name_then_age(const void *left, const void *right)
{
    const struct fake_entry *a = left, *b = right;
    int order = by_name(a, b);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static int name_only(const void *left, const void *right)
{
    return by_name(left, right);
}

void fake_entries_sort(struct fake_entries *e)
{
    if (e->count == 0)
        return;
    qsort(e->items, e->count, sizeof *e->items, by_name_then_age);
    size_t kept = 0;
    for (size_t i = 1; i < e->count; i++) {
        if (by_name(&e->items[kept], &e->items[i]) != 0)
            kept++;
        e->items[kept] = e->items[i];
    }
    e->count = kept + 1;
}

const struct fake_entry *fake_entries_find(const struct fake_entries *e, esp_bytes key, esp_bytes version)
{
    struct fake_entry wanted = {.key = key, .version = version};
    return e->count ? bsearch(&wanted, e->items, e->count, sizeof *e->items, name_only) : NULL;
}

void fake_entries_free(struct fake_entries *e)
{
    free(e->items);
    *e = (struct fake_entries){0};
}
