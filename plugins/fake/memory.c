#include "memory.h"

#include <pthread.h>
#include <stdlib.h>

struct item {
    struct item *next;
    esp_bytes key, value;
};

struct fake_shelf {
    struct fake_shelf *next;
    esp_bytes kind, namespace, name;
    struct item *items;
};

/* Guards everything below and every shelf. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_shelf *shelves;
static size_t bytes_held;

static struct fake_shelf *new_shelf_locked(esp_bytes kind, esp_bytes namespace, esp_bytes name)
{
    struct fake_shelf *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->kind = esp_dup(kind);
    s->namespace = esp_dup(namespace);
    s->name = esp_dup(name);
    if (!s->kind.ptr || !s->namespace.ptr || !s->name.ptr) {
        esp_dup_free(s->kind);
        esp_dup_free(s->namespace);
        esp_dup_free(s->name);
        free(s);
        return NULL;
    }
    s->next = shelves;
    shelves = s;
    return s;
}

struct fake_shelf *fake_memory_shelf(esp_bytes kind, esp_bytes namespace, esp_bytes name)
{
    pthread_mutex_lock(&lock);
    struct fake_shelf *s = shelves;
    while (s && !(esp_equal(s->kind, kind) && esp_equal(s->namespace, namespace) && esp_equal(s->name, name)))
        s = s->next;
    if (!s)
        s = new_shelf_locked(kind, namespace, name);
    pthread_mutex_unlock(&lock);
    return s;
}

static struct item *find_locked(const struct fake_shelf *shelf, esp_bytes key)
{
    struct item *item = shelf->items;
    while (item && !esp_equal(item->key, key))
        item = item->next;
    return item;
}

static bool fits_locked(size_t more)
{
    return more <= FAKE_MEMORY_MAX && bytes_held <= FAKE_MEMORY_MAX - more;
}

static bool replace_locked(struct item *item, esp_bytes value)
{
    if (!fits_locked(value.len))
        return false;
    esp_bytes copy = esp_dup(value);
    if (!copy.ptr)
        return false;
    bytes_held = bytes_held - item->value.len + value.len;
    esp_dup_free(item->value);
    item->value = copy;
    return true;
}

static bool add_locked(struct fake_shelf *shelf, esp_bytes key, esp_bytes value)
{
    if (!fits_locked(key.len + value.len))
        return false;
    struct item *item = calloc(1, sizeof *item);
    if (!item)
        return false;
    item->key = esp_dup(key);
    item->value = esp_dup(value);
    if (!item->key.ptr || !item->value.ptr) {
        esp_dup_free(item->key);
        esp_dup_free(item->value);
        free(item);
        return false;
    }
    bytes_held += key.len + value.len;
    item->next = shelf->items;
    shelf->items = item;
    return true;
}

bool fake_memory_put(struct fake_shelf *shelf, esp_bytes key, esp_bytes value)
{
    pthread_mutex_lock(&lock);
    struct item *item = find_locked(shelf, key);
    bool done = item ? replace_locked(item, value) : add_locked(shelf, key, value);
    pthread_mutex_unlock(&lock);
    return done;
}

bool fake_memory_has(struct fake_shelf *shelf, esp_bytes key)
{
    pthread_mutex_lock(&lock);
    bool found = find_locked(shelf, key) != NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

bool fake_memory_get(struct fake_shelf *shelf, esp_bytes key, struct esp_text *ret)
{
    pthread_mutex_lock(&lock);
    const struct item *item = find_locked(shelf, key);
    if (item)
        esp_text_add(ret, item->value);
    pthread_mutex_unlock(&lock);
    return item != NULL;
}

static bool copy_item(const struct item *item, struct fake_entries *ret)
{
    esp_bytes key = esp_dup(item->key), value = esp_dup(item->value);
    if (key.ptr && value.ptr && fake_entries_add(ret, key, esp_str(""), value))
        return true;
    esp_dup_free(key);
    esp_dup_free(value);
    return false;
}

bool fake_memory_copy(struct fake_shelf *shelf, struct fake_entries *ret)
{
    bool ok = true;
    *ret = (struct fake_entries){0};
    pthread_mutex_lock(&lock);
    for (const struct item *item = shelf->items; item && ok; item = item->next)
        ok = copy_item(item, ret);
    pthread_mutex_unlock(&lock);
    if (!ok)
        fake_memory_free_copy(ret);
    return ok;
}

void fake_memory_free_copy(struct fake_entries *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        esp_dup_free(copy->items[i].key);
        esp_dup_free(copy->items[i].value);
    }
    fake_entries_free(copy);
}
