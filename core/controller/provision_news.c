#include "core/controller/provision_news.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"

#define KEY_MAX 300

/* With more than that to look at there is little to be saved. */
#define PLACES_MAX 1000

/* A parent that was looked at as a whole. One without a record has yet to be. */
struct record {
    json_t *places; /* what is new, as keys */
    int64_t complete_ms;
    char key[];
};

struct es_provision_news {
    pthread_mutex_t lock; /* guards what follows */
    struct es_map records;
};

struct es_provision_news *es_provision_news_new(void)
{
    struct es_provision_news *n = calloc(1, sizeof *n);
    if (n)
        pthread_mutex_init(&n->lock, NULL);
    return n;
}

static void record_free(struct record *r)
{
    if (!r)
        return;
    json_decref(r->places);
    free(r);
}

void es_provision_news_free(struct es_provision_news *n)
{
    struct record *r;

    if (!n)
        return;
    for (size_t pos = 0; (r = es_map_next(&n->records, &pos));)
        record_free(r);
    es_map_fini(&n->records);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

static const char *key_of(char out[KEY_MAX], enum es_controller_id id, const char *parent)
{
    snprintf(out, KEY_MAX, "%d/%s", (int)id, parent);
    return out;
}

static struct record *find_locked(struct es_provision_news *n, enum es_controller_id id, const char *parent)
{
    char key[KEY_MAX];
    return es_map_get(&n->records, key_of(key, id, parent));
}

static void drop_locked(struct es_provision_news *n, struct record *r)
{
    if (r)
        es_map_remove(&n->records, r->key);
    record_free(r);
}

/* Whoever cannot be noted, or is one of too many, is found by looking at all. */
void es_provision_news_at(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                          const char *ns)
{
    pthread_mutex_lock(&n->lock);
    struct record *r = find_locked(n, id, parent);
    if (r &&
        (json_object_size(r->places) >= PLACES_MAX || json_object_set_new(r->places, ns, json_true()) < 0))
        drop_locked(n, r);
    pthread_mutex_unlock(&n->lock);
}

void es_provision_news_all(struct es_provision_news *n, enum es_controller_id id, const char *parent)
{
    pthread_mutex_lock(&n->lock);
    drop_locked(n, find_locked(n, id, parent));
    pthread_mutex_unlock(&n->lock);
}

static struct record *add_locked(struct es_provision_news *n, enum es_controller_id id, const char *parent)
{
    struct record *r = calloc(1, sizeof *r + KEY_MAX);

    if (!r)
        return NULL;
    r->places = json_object();
    if (r->places && es_map_put(&n->records, key_of(r->key, id, parent), r, NULL) == 0)
        return r;
    record_free(r);
    return NULL;
}

/* A pass that nobody has named a namespace for came for another reason. */
json_t *es_provision_news_take(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                               int64_t now_ms, int64_t interval_ms)
{
    json_t *places = NULL;

    pthread_mutex_lock(&n->lock);
    struct record *r = find_locked(n, id, parent);
    if (r && json_object_size(r->places) && now_ms - r->complete_ms < interval_ms) {
        json_t *next = json_object();
        places = next ? r->places : NULL;
        r->places = next ? next : r->places;
    }
    if (!places) {
        drop_locked(n, r);
        /* From here on it is noted what is new. */
        r = add_locked(n, id, parent);
        if (r)
            r->complete_ms = now_ms - interval_ms;
    }
    pthread_mutex_unlock(&n->lock);
    return places;
}

void es_provision_news_complete(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                                int64_t began_ms)
{
    pthread_mutex_lock(&n->lock);
    struct record *r = find_locked(n, id, parent);
    if (r)
        r->complete_ms = began_ms;
    pthread_mutex_unlock(&n->lock);
}

int64_t es_provision_news_left_ms(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                                  int64_t now_ms, int64_t interval_ms)
{
    int64_t left_ms = 0;

    pthread_mutex_lock(&n->lock);
    const struct record *r = find_locked(n, id, parent);
    if (r && r->complete_ms + interval_ms > now_ms)
        left_ms = r->complete_ms + interval_ms - now_ms;
    pthread_mutex_unlock(&n->lock);
    return left_ms;
}
