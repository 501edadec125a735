#include "core/cluster/writes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"

/* The watch has been told, so the object is stored and the answer is on its way.
 * Should it not come, the event is worth parsing: others wait behind it. */
#define PATIENCE_NS (50 * INT64_C(1000000))

struct es_writes {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended; /* a write that was waited for is over */
    struct es_write *first;
};

struct es_writes *es_writes_new(void)
{
    struct es_writes *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;

    if (!w)
        return NULL;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->ended, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void es_writes_free(struct es_writes *w)
{
    if (!w)
        return;
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void es_writes_begin(struct es_writes *w, struct es_write *write)
{
    pthread_mutex_lock(&w->lock);
    write->next = w->first;
    write->prev_next = &w->first;
    if (write->next)
        write->next->prev_next = &write->next;
    w->first = write;
    pthread_mutex_unlock(&w->lock);
}

void es_writes_end(struct es_writes *w, struct es_write *write)
{
    pthread_mutex_lock(&w->lock);
    *write->prev_next = write->next;
    if (write->next)
        write->next->prev_next = write->prev_next;
    bool awaited = write->awaited;
    pthread_mutex_unlock(&w->lock);
    if (awaited)
        pthread_cond_broadcast(&w->ended);
}

static struct es_write *find_locked(const struct es_writes *w, const struct es_kind *kind, const char *ns,
                                    const char *name)
{
    struct es_write *i = w->first;

    while (i && (strcmp(i->name, name) != 0 || strcmp(i->ns, ns) != 0 || !es_kind_same(i->kind, kind)))
        i = i->next;
    return i;
}

static struct timespec soon(void)
{
    int64_t until = es_mono_ns() + PATIENCE_NS;
    return (struct timespec){until / 1000000000, (long)(until % 1000000000)};
}

bool es_writes_wait(struct es_writes *w, const struct es_kind *kind, const char *ns, const char *name)
{
    struct timespec until = {0};
    int rc = 0;

    pthread_mutex_lock(&w->lock);
    struct es_write *write = find_locked(w, kind, ns, name);
    bool found = write != NULL;
    if (found)
        until = soon();
    while (rc == 0 && write) {
        write->awaited = true;
        rc = pthread_cond_timedwait(&w->ended, &w->lock, &until);
        write = find_locked(w, kind, ns, name);
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}
