#include "certificates.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_KEPT 128
#define MAX_AGE_MS (INT64_C(24) * 3600 * 1000)

struct kept {
    esp_bytes key, state, value; /* own copies */
    int64_t since_ms;
};

struct aws_certificates {
    pthread_mutex_t lock; /* guards all below */
    struct kept kept[MAX_KEPT];
    size_t count;
};

struct aws_certificates *aws_certificates_new(void)
{
    struct aws_certificates *c = calloc(1, sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void wipe(struct kept *k)
{
    esp_dup_free(k->key);
    esp_dup_free(k->state);
    esp_dup_free(k->value);
    *k = (struct kept){0};
}

void aws_certificates_free(struct aws_certificates *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        wipe(&c->kept[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct kept *find_locked(struct aws_certificates *c, esp_bytes key)
{
    for (size_t i = 0; i < c->count; i++)
        if (esp_equal(c->kept[i].key, key))
            return &c->kept[i];
    return NULL;
}

bool aws_certificates_get(struct aws_certificates *c, esp_bytes key, esp_bytes state, int64_t now_ms,
                          struct esp_text *out)
{
    pthread_mutex_lock(&c->lock);
    const struct kept *k = find_locked(c, key);
    bool found = k && esp_equal(k->state, state) && now_ms - k->since_ms < MAX_AGE_MS;
    if (found)
        esp_text_add(out, k->value);
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void drop_locked(struct aws_certificates *c, struct kept *k)
{
    wipe(k);
    *k = c->kept[--c->count];
}

static struct kept *oldest_locked(struct aws_certificates *c)
{
    struct kept *oldest = &c->kept[0];
    for (size_t i = 1; i < c->count; i++)
        if (c->kept[i].since_ms < oldest->since_ms)
            oldest = &c->kept[i];
    return oldest;
}

static void put_locked(struct aws_certificates *c, struct kept fresh)
{
    struct kept *before = find_locked(c, fresh.key);
    if (before)
        drop_locked(c, before);
    else if (c->count == MAX_KEPT)
        drop_locked(c, oldest_locked(c));
    c->kept[c->count++] = fresh;
}

static bool is_copied(esp_bytes copy, esp_bytes of)
{
    return copy.ptr || of.len == 0;
}

void aws_certificates_put(struct aws_certificates *c, esp_bytes key, esp_bytes state, esp_bytes value,
                          int64_t now_ms)
{
    struct kept fresh = {esp_dup(key), esp_dup(state), esp_dup(value), now_ms};

    if (!is_copied(fresh.key, key) || !is_copied(fresh.state, state) || !is_copied(fresh.value, value)) {
        wipe(&fresh);
        return;
    }
    pthread_mutex_lock(&c->lock);
    put_locked(c, fresh);
    pthread_mutex_unlock(&c->lock);
}

void aws_certificates_drop(struct aws_certificates *c, esp_bytes key)
{
    pthread_mutex_lock(&c->lock);
    struct kept *k = find_locked(c, key);
    if (k)
        drop_locked(c, k);
    pthread_mutex_unlock(&c->lock);
}
