#include "core/plugin/pool.h"

#include <pthread.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"

enum state { OPENING, READY, FAILED };

/* One instance, or the attempt to have one. An attached entry is found by its
 * key. A detached one serves those who hold it and is closed by the last. */
struct entry {
    char *key;
    uint64_t version;
    enum state state;
    bool attached;
    size_t users; /* borrowers, and whoever waits for the opening */
    struct es_instance *instance;
    struct es_error why; /* FAILED */
    int64_t idle_since_ms;
    struct entry *prev, *next; /* among the attached */
};

struct es_pool {
    pthread_mutex_t lock; /* guards all below, and all entries */
    pthread_cond_t opened;
    struct es_map by_key;
    struct entry *entries; /* attached */
    size_t open_count;
};

int es_pool_new(struct es_pool **ret, struct es_error *err)
{
    struct es_pool *p = es_mem_calloc(1, sizeof *p);

    if (!p)
        return es_error_nomem(err);
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        es_mem_free(p);
        return es_error_nomem(err);
    }
    if (pthread_cond_init(&p->opened, NULL) != 0) {
        pthread_mutex_destroy(&p->lock);
        es_mem_free(p);
        return es_error_nomem(err);
    }
    *ret = p;
    return 0;
}

/* Never under the lock: closing may talk to a backend. */
static void entry_free(struct entry *e)
{
    if (!e)
        return;
    es_instance_close(e->instance);
    es_mem_free(e->key);
    es_mem_free(e);
}

/* Frees a chain of entries that detach_locked made. */
static void free_chain(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        entry_free(e);
        e = next;
    }
}

static int attach_locked(struct es_pool *p, struct entry *e)
{
    if (es_map_put(&p->by_key, e->key, e, NULL) < 0)
        return ES_E_NOMEM;
    e->attached = true;
    e->next = p->entries;
    if (e->next)
        e->next->prev = e;
    p->entries = e;
    return 0;
}

/* The entry is not found any more. It is added to *idle, to be freed, when
 * nobody uses it; else its last user does that. */
static void detach_locked(struct es_pool *p, struct entry *e, struct entry **idle)
{
    es_map_remove(&p->by_key, e->key);
    if (e->prev)
        e->prev->next = e->next;
    else
        p->entries = e->next;
    if (e->next)
        e->next->prev = e->prev;
    e->attached = false;
    e->prev = e->next = NULL;
    if (e->users == 0) {
        if (e->instance)
            p->open_count--;
        e->next = *idle;
        *idle = e;
    }
}

/* One user less. Returns the entry when it was the last one of a detached
 * entry, to be freed. */
static struct entry *leave_locked(struct es_pool *p, struct entry *e)
{
    e->users--;
    e->idle_since_ms = es_mono_ms();
    if (e->users || e->attached)
        return NULL;
    if (e->instance)
        p->open_count--;
    return e;
}

static struct entry *entry_new(const char *key, uint64_t version)
{
    struct entry *e = es_mem_calloc(1, sizeof *e);

    if (!e)
        return NULL;
    *e = (struct entry){.key = es_mem_strdup(key), .version = version, .state = OPENING, .users = 1};
    if (e->key)
        return e;
    entry_free(e);
    return NULL;
}

/* Of this version, and not lost with its plugin's process. */
static bool is_good(const struct entry *e, uint64_t version)
{
    return e->version == version && (e->state != READY || !es_instance_stale(e->instance));
}

/* *ret is the entry to use, with one user more. *mine: the caller has to open it. */
static int claim_locked(struct es_pool *p, const char *key, uint64_t version, struct entry **ret, bool *mine,
                        struct entry **idle)
{
    struct entry *e = es_map_get(&p->by_key, key);

    *mine = false;
    if (e && e->version > version)
        return ES_E_CONFLICT;
    if (e && is_good(e, version)) {
        e->users++;
        *ret = e;
        return 0;
    }
    struct entry *fresh = entry_new(key, version);
    if (!fresh)
        return ES_E_NOMEM;
    if (e)
        detach_locked(p, e, idle);
    if (attach_locked(p, fresh) < 0) {
        entry_free(fresh);
        return ES_E_NOMEM;
    }
    *mine = true;
    *ret = fresh;
    return 0;
}

/* Publishes how the opening ended and wakes those who wait for it. */
static void settle_locked(struct es_pool *p, struct entry *e, int rc, struct es_instance *instance,
                          const struct es_error *why, struct entry **idle)
{
    if (rc == 0) {
        e->state = READY;
        e->instance = instance;
        *es_instance_slot(instance) = e;
        p->open_count++;
    } else {
        e->state = FAILED;
        e->why = *why;
        e->why.code = rc;
        if (e->attached) /* a failure is not remembered */
            detach_locked(p, e, idle);
    }
    pthread_cond_broadcast(&p->opened);
}

static int no_entry(int rc, struct es_error *err)
{
    return rc == ES_E_CONFLICT ? es_error_set(err, rc, "the store was changed meanwhile")
                               : es_error_nomem(err);
}

int es_pool_borrow(struct es_pool *p, const char *key, uint64_t version,
                   int (*open)(void *ctx, struct es_instance **ret, struct es_error *err), void *ctx,
                   struct es_instance **ret, struct es_error *err)
{
    struct es_instance *instance = NULL;
    struct entry *e = NULL, *idle = NULL, *last = NULL;
    struct es_error why = ES_ERROR_INIT;
    bool mine;

    pthread_mutex_lock(&p->lock);
    int rc = claim_locked(p, key, version, &e, &mine, &idle);
    if (e && mine) {
        pthread_mutex_unlock(&p->lock);
        rc = open(ctx, &instance, &why);
        pthread_mutex_lock(&p->lock);
        settle_locked(p, e, rc, instance, &why, &idle);
    }
    while (e && e->state == OPENING)
        pthread_cond_wait(&p->opened, &p->lock);
    if (!e) {
        rc = no_entry(rc, err);
    } else if (e->state == FAILED) {
        rc = e->why.code;
        if (err)
            *err = e->why;
        last = leave_locked(p, e);
    } else {
        *ret = e->instance;
        rc = 0;
    }
    pthread_mutex_unlock(&p->lock);
    entry_free(last);
    free_chain(idle);
    return rc;
}

void es_pool_return(struct es_pool *p, struct es_instance *i)
{
    if (!i)
        return;
    pthread_mutex_lock(&p->lock);
    struct entry *last = leave_locked(p, *es_instance_slot(i));
    pthread_mutex_unlock(&p->lock);
    entry_free(last);
}

void es_pool_drop(struct es_pool *p, const char *prefix)
{
    struct entry *idle = NULL;

    pthread_mutex_lock(&p->lock);
    for (struct entry *e = p->entries, *next; e; e = next) {
        next = e->next;
        if (es_str_starts(e->key, prefix))
            detach_locked(p, e, &idle);
    }
    pthread_mutex_unlock(&p->lock);
    free_chain(idle);
}

void es_pool_sweep(struct es_pool *p, int64_t idle_ms)
{
    int64_t now = es_mono_ms();
    struct entry *idle = NULL;

    pthread_mutex_lock(&p->lock);
    for (struct entry *e = p->entries, *next; e; e = next) {
        next = e->next;
        if (e->users == 0 && now - e->idle_since_ms >= idle_ms)
            detach_locked(p, e, &idle);
    }
    pthread_mutex_unlock(&p->lock);
    free_chain(idle);
}

size_t es_pool_count(struct es_pool *p)
{
    pthread_mutex_lock(&p->lock);
    size_t count = p->open_count;
    pthread_mutex_unlock(&p->lock);
    return count;
}

void es_pool_free(struct es_pool *p)
{
    if (!p)
        return;
    es_pool_drop(p, "");
    es_map_fini(&p->by_key);
    pthread_cond_destroy(&p->opened);
    pthread_mutex_destroy(&p->lock);
    es_mem_free(p);
}
