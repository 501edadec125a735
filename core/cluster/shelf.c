#include "core/cluster/shelf.h"

#include <pthread.h>
#include <stdlib.h>

struct loose {
    struct es_cache *cache; /* NULL: free */
    unsigned users;         /* es_shelf_each calls that have it in hand */
    bool leaving;           /* nobody picks it up any more */
};

struct es_shelf {
    struct es_cache *fixed[ES_SHELF_FIXED_MAX]; /* constant once closed */
    size_t fixed_count;
    bool closed;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;  /* a cache was laid down by its last user */
    struct loose loose[ES_SHELF_LOOSE_MAX];
    unsigned loose_count; /* atomic: read without the lock to see that there are none */
};

struct es_shelf *es_shelf_new(void)
{
    struct es_shelf *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    return s;
}

void es_shelf_free(struct es_shelf *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->fixed_count; i++)
        es_cache_free(s->fixed[i]);
    for (size_t i = 0; i < ES_SHELF_LOOSE_MAX; i++)
        es_cache_free(s->loose[i].cache);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void es_shelf_close(struct es_shelf *s)
{
    s->closed = true;
}

static int too_many(int max, struct es_error *err)
{
    return es_error_set(err, ES_E_TOO_LARGE, "more than %d resources would be watched at once", max);
}

static int put_fixed(struct es_shelf *s, struct es_cache *cache, struct es_error *err)
{
    if (s->fixed_count == ES_SHELF_FIXED_MAX)
        return too_many(ES_SHELF_FIXED_MAX, err);
    s->fixed[s->fixed_count++] = cache;
    return 0;
}

/* The place of a cache, or with NULL the first free one. */
static struct loose *place_locked(struct es_shelf *s, const struct es_cache *cache)
{
    for (size_t i = 0; i < ES_SHELF_LOOSE_MAX; i++)
        if (s->loose[i].cache == cache)
            return &s->loose[i];
    return NULL;
}

int es_shelf_put(struct es_shelf *s, struct es_cache *cache, struct es_error *err)
{
    if (!s->closed)
        return put_fixed(s, cache, err);
    pthread_mutex_lock(&s->lock);
    struct loose *place = place_locked(s, NULL);
    if (place) {
        place->cache = cache;
        __atomic_fetch_add(&s->loose_count, 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&s->lock);
    return place ? 0 : too_many(ES_SHELF_LOOSE_MAX, err);
}

void es_shelf_take(struct es_shelf *s, struct es_cache *cache)
{
    pthread_mutex_lock(&s->lock);
    struct loose *place = place_locked(s, cache);
    if (place)
        place->leaving = true;
    while (place && place->users)
        pthread_cond_wait(&s->idle, &s->lock);
    if (place) {
        *place = (struct loose){0};
        __atomic_fetch_sub(&s->loose_count, 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&s->lock);
}

bool es_shelf_each_fixed(struct es_shelf *s, es_shelf_fn *fn, void *ctx)
{
    for (size_t i = 0; i < s->fixed_count; i++)
        if (!fn(ctx, s->fixed[i]))
            return false;
    return true;
}

static size_t pick_up(struct es_shelf *s, struct loose *hand[ES_SHELF_LOOSE_MAX])
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < ES_SHELF_LOOSE_MAX; i++)
        if (s->loose[i].cache && !s->loose[i].leaving) {
            s->loose[i].users++;
            hand[n++] = &s->loose[i];
        }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void lay_down(struct es_shelf *s, struct loose *hand[ES_SHELF_LOOSE_MAX], size_t n)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        hand[i]->users--;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

bool es_shelf_each(struct es_shelf *s, es_shelf_fn *fn, void *ctx)
{
    struct loose *hand[ES_SHELF_LOOSE_MAX];
    bool all = es_shelf_each_fixed(s, fn, ctx);

    if (!all || !__atomic_load_n(&s->loose_count, __ATOMIC_ACQUIRE))
        return all;
    size_t n = pick_up(s, hand);
    for (size_t i = 0; all && i < n; i++)
        all = fn(ctx, hand[i]->cache);
    lay_down(s, hand, n);
    return all;
}
