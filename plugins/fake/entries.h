/* plugins/fake/entries.h: a list of entries, sorted to be searched. */
#ifndef FAKE_ENTRIES_H
#define FAKE_ENTRIES_H

#include <esp/text.h>

/* The bytes belong to whoever added the entry. */
struct fake_entry {
    esp_bytes key, version, value;
    size_t order; /* when it was added */
};

struct fake_entries {
    struct fake_entry *items;
    size_t count, cap;
};

/* At the end, unsorted. False without memory. */
bool fake_entries_add(struct fake_entries *e, esp_bytes key, esp_bytes version, esp_bytes value);

/* By key, then version, as bytes. Of equal ones, the last added stays. */
void fake_entries_sort(struct fake_entries *e);

/* In a sorted list; NULL if there is none. */
const struct fake_entry *fake_entries_find(const struct fake_entries *e, esp_bytes key, esp_bytes version);

/* The list, not the bytes. */
void fake_entries_free(struct fake_entries *e);

#endif
