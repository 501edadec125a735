#include "core/controller/denied.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"

struct name {
    struct name *next;
    enum es_controller_id id;
    char text[];
};

/* A namespace, and who of it was turned away. */
struct place {
    struct name *names;
    char ns[];
};

struct es_denied {
    pthread_mutex_t lock; /* guards all below */
    struct es_map places; /* ns -> place; none is empty */
    size_t count;
};

struct es_denied *es_denied_new(void)
{
    struct es_denied *d = calloc(1, sizeof *d);
    if (d)
        pthread_mutex_init(&d->lock, NULL);
    return d;
}

static void free_names(struct name *n)
{
    while (n) {
        struct name *next = n->next;
        free(n);
        n = next;
    }
}

void es_denied_free(struct es_denied *d)
{
    struct place *p;

    if (!d)
        return;
    for (size_t pos = 0; (p = es_map_next(&d->places, &pos));) {
        free_names(p->names);
        free(p);
    }
    es_map_fini(&d->places);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static struct place *add_place_locked(struct es_denied *d, const char *ns)
{
    struct place *p = es_map_get(&d->places, ns);
    size_t size = strlen(ns) + 1;

    if (p)
        return p;
    p = calloc(1, sizeof *p + size);
    if (!p)
        return NULL;
    memcpy(p->ns, ns, size);
    if (es_map_put(&d->places, p->ns, p, NULL) == 0)
        return p;
    free(p);
    return NULL;
}

static void drop_if_empty_locked(struct es_denied *d, struct place *p)
{
    if (p->names)
        return;
    es_map_remove(&d->places, p->ns);
    free(p);
}

/* Where the name stands in the list, or its end. */
static struct name **find_name(struct place *p, enum es_controller_id id, const char *name)
{
    struct name **at = &p->names;

    while (*at && ((*at)->id != id || !es_streq((*at)->text, name)))
        at = &(*at)->next;
    return at;
}

void es_denied_add(struct es_denied *d, enum es_controller_id id, const char *ns, const char *name)
{
    size_t size = strlen(name) + 1;

    pthread_mutex_lock(&d->lock);
    struct place *p = add_place_locked(d, ns);
    struct name **at = p ? find_name(p, id, name) : NULL;
    if (at && !*at) {
        *at = calloc(1, sizeof **at + size);
        if (*at) {
            (*at)->id = id;
            memcpy((*at)->text, name, size);
            d->count++;
        }
    }
    if (p)
        drop_if_empty_locked(d, p);
    pthread_mutex_unlock(&d->lock);
}

void es_denied_forget(struct es_denied *d, enum es_controller_id id, const char *ns, const char *name)
{
    pthread_mutex_lock(&d->lock);
    struct place *p = d->count ? es_map_get(&d->places, ns) : NULL;
    struct name **at = p ? find_name(p, id, name) : NULL;
    if (at && *at) {
        struct name *n = *at;
        *at = n->next;
        free(n);
        d->count--;
        drop_if_empty_locked(d, p);
    }
    pthread_mutex_unlock(&d->lock);
}

static struct name *take_names(struct es_denied *d, const char *ns)
{
    struct name *names = NULL;

    pthread_mutex_lock(&d->lock);
    struct place *p = d->count ? es_map_remove(&d->places, ns) : NULL;
    if (p)
        names = p->names;
    for (const struct name *n = names; n; n = n->next)
        d->count--;
    pthread_mutex_unlock(&d->lock);
    free(p);
    return names;
}

void es_denied_wake(struct es_env *env, const char *ns)
{
    struct name *names = take_names(env->denied, ns);

    for (const struct name *n = names; n; n = n->next)
        env->enqueue(env->enqueue_ctx, n->id, ns, n->text);
    free_names(names);
}

size_t es_denied_count(struct es_denied *d)
{
    pthread_mutex_lock(&d->lock);
    size_t count = d->count;
    pthread_mutex_unlock(&d->lock);
    return count;
}
