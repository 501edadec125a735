#include "core/base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/error.h"

/* SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). */
#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND(v)                                                                                             \
    do {                                                                                                     \
        v[0] += v[1], v[1] = ROTL(v[1], 13), v[1] ^= v[0], v[0] = ROTL(v[0], 32);                            \
        v[2] += v[3], v[3] = ROTL(v[3], 16), v[3] ^= v[2];                                                   \
        v[0] += v[3], v[3] = ROTL(v[3], 21), v[3] ^= v[0];                                                   \
        v[2] += v[1], v[1] = ROTL(v[1], 17), v[1] ^= v[2], v[2] = ROTL(v[2], 32);                            \
    } while (0)

static uint64_t seed[2];
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
    /* Without a random seed the map still works, only guessable. */
    if (getrandom(seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed[0] = (uint64_t)(uintptr_t)&seed;
}

uint64_t es_hash64(const void *data, size_t len)
{
    pthread_once(&seeded, make_seed);
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    const unsigned char *p = data;
    size_t left = len;
    uint64_t word;

    for (; left >= 8; p += 8, left -= 8) {
        memcpy(&word, p, 8);
        v[3] ^= word;
        ROUND(v);
        v[0] ^= word;
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)p[i] << (8 * i);
    v[3] ^= word;
    ROUND(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    ROUND(v);
    ROUND(v);
    ROUND(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint32_t hash_key(const char *key)
{
    return (uint32_t)es_hash64(key, strlen(key));
}

void es_map_fini(struct es_map *m)
{
    free(m->slots);
    *m = (struct es_map){0};
}

static struct es_map_slot *find(const struct es_map *m, const char *key, uint32_t hash)
{
    if (!m->cap)
        return NULL;
    size_t mask = m->cap - 1;
    uint32_t probe = 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask, probe++) {
        struct es_map_slot *s = &m->slots[i];
        /* Robin Hood order: a shorter probe here means ours is not further on. */
        if (s->probe < probe)
            return NULL;
        if (s->hash == hash && strcmp(s->key, key) == 0)
            return s;
    }
}

void *es_map_get(const struct es_map *m, const char *key)
{
    struct es_map_slot *s = m->cap ? find(m, key, hash_key(key)) : NULL;
    return s ? s->value : NULL;
}

static void insert(struct es_map *m, struct es_map_slot in)
{
    size_t mask = m->cap - 1;
    in.probe = 1;
    for (size_t i = in.hash & mask;; i = (i + 1) & mask, in.probe++) {
        struct es_map_slot *s = &m->slots[i];
        if (!s->probe) {
            *s = in;
            return;
        }
        if (s->probe < in.probe) {
            struct es_map_slot out = *s;
            *s = in;
            in = out;
        }
    }
}

static int grow(struct es_map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct es_map_slot *old = m->slots;
    size_t old_cap = m->cap;
    struct es_map_slot *slots = calloc(cap, sizeof *slots);

    if (!slots)
        return ES_E_NOMEM;
    m->slots = slots;
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].probe)
            insert(m, old[i]);
    free(old);
    return 0;
}

int es_map_put(struct es_map *m, const char *key, void *value, void **ret_old)
{
    uint32_t hash = hash_key(key);
    struct es_map_slot *s = find(m, key, hash);

    if (ret_old)
        *ret_old = s ? s->value : NULL;
    if (s) {
        s->key = key;
        s->value = value;
        return 0;
    }
    if (m->count + 1 > m->cap / 8 * 7 && grow(m) < 0)
        return ES_E_NOMEM;
    insert(m, (struct es_map_slot){.hash = hash, .key = key, .value = value});
    m->count++;
    return 0;
}

void *es_map_remove(struct es_map *m, const char *key)
{
    struct es_map_slot *s = m->cap ? find(m, key, hash_key(key)) : NULL;
    if (!s)
        return NULL;
    void *value = s->value;
    size_t mask = m->cap - 1;
    size_t i = (size_t)(s - m->slots);
    /* Shift the followers back instead of leaving a tombstone. */
    for (;;) {
        size_t next = (i + 1) & mask;
        if (m->slots[next].probe <= 1)
            break;
        m->slots[i] = m->slots[next];
        m->slots[i].probe--;
        i = next;
    }
    m->slots[i] = (struct es_map_slot){0};
    m->count--;
    return value;
}

void *es_map_next(const struct es_map *m, size_t *pos)
{
    while (*pos < m->cap) {
        const struct es_map_slot *s = &m->slots[(*pos)++];
        if (s->probe)
            return s->value;
    }
    return NULL;
}
