#include "core/plugin/reads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/locked.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#define MAX_BYTES ((size_t)8 << 20)
#define LEAST_KEPT_MS 1000 /* a pass may have been taken from the queue and not have read yet */
#define MOST_KEPT_MS 60000 /* however long the queue is */
#define LOOK_MS 100        /* how soon one who waits notices that he is cancelled */

enum state {
    READING,
    ANSWERED, /* with values, or that there is no secret */
    FAILED,
    LEFT, /* the reader gave up, the answer is his alone, or there was no memory for it */
};

/* One read of a provider. An attached one is found by its key; a detached one
 * serves those who hold it, and ends with the last. Constant once it is answered. */
struct es_read {
    char *key;
    enum state state;
    bool attached, keep;
    size_t users; /* who waits for it, reads it, or holds it */
    int64_t start_ms;
    unsigned char *packed; /* ANSWERED with values: see pack */
    size_t size;
    struct es_error why;
    struct es_read *prev, *next; /* among the attached, newest first */
};

struct es_reads {
    const struct es_clock *clock;
    int64_t window_ms;
    size_t max_bytes;
    struct es_metric *shared;

    pthread_mutex_t lock; /* guards all below, and all reads */
    pthread_cond_t ended;
    struct es_map by_key;
    struct es_read *newest, *oldest; /* attached */
    size_t bytes;                    /* of the attached */
};

/* ---- answers as one piece of memory ---- */

/* For each value: the lengths of key and value, the key with its NUL, the value. */
struct piece {
    size_t key, value;
};

static size_t packed_size(const struct es_values *values)
{
    size_t size = 0;
    for (size_t i = 0; i < values->count; i++)
        size += sizeof(struct piece) + strlen(values->items[i].key) + 1 + values->items[i].blob.len;
    return size;
}

static void pack(unsigned char *to, const struct es_values *values)
{
    for (size_t i = 0; i < values->count; i++) {
        const struct es_value *v = &values->items[i];
        const struct piece p = {strlen(v->key) + 1, v->blob.len};
        memcpy(to, &p, sizeof p);
        memcpy(to + sizeof p, v->key, p.key);
        if (p.value)
            memcpy(to + sizeof p + p.key, v->blob.ptr, p.value);
        to += sizeof p + p.key + p.value;
    }
}

static int unpack(const unsigned char *from, size_t size, struct es_values *ret, struct es_error *err)
{
    const unsigned char *end = from + size;

    while (from < end) {
        struct piece p;
        memcpy(&p, from, sizeof p);
        from += sizeof p;
        if (es_values_set(ret, (const char *)from, from + p.key, p.value) < 0) {
            es_values_fini(ret);
            return es_error_nomem(err);
        }
        from += p.key + p.value;
    }
    return 0;
}

/* ---- life of one read ---- */

static size_t cost_of(const struct es_read *e)
{
    return e->packed ? es_locked_cost(e->size) : 0;
}

static void read_free(struct es_read *e)
{
    if (!e)
        return;
    es_locked_free(e->packed, e->size);
    es_mem_free(e->key);
    free(e);
}

static struct es_read *read_new(const char *key, int64_t now_ms)
{
    struct es_read *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    *e = (struct es_read){.key = es_mem_strdup(key), .state = READING, .start_ms = now_ms, .users = 1};
    if (e->key)
        return e;
    free(e);
    return NULL;
}

static int attach_locked(struct es_reads *r, struct es_read *e)
{
    if (es_map_put(&r->by_key, e->key, e, NULL) < 0)
        return ES_E_NOMEM;
    e->attached = true;
    e->next = r->newest;
    if (e->next)
        e->next->prev = e;
    else
        r->oldest = e;
    r->newest = e;
    return 0;
}

/* It is found no more. Freed, unless somebody holds it. */
static void detach_locked(struct es_reads *r, struct es_read *e)
{
    es_map_remove(&r->by_key, e->key);
    if (e->prev)
        e->prev->next = e->next;
    else
        r->newest = e->next;
    if (e->next)
        e->next->prev = e->prev;
    else
        r->oldest = e->prev;
    e->prev = e->next = NULL;
    e->attached = false;
    r->bytes -= cost_of(e);
    if (e->users == 0)
        read_free(e);
}

static void leave_locked(struct es_reads *r, struct es_read *e)
{
    if (--e->users)
        return;
    if (!e->attached)
        read_free(e);
    else if (!e->keep)
        detach_locked(r, e);
}

/* ---- reading ---- */

/* The read to use, with one user more; *mine: it is the caller's to make. NULL
 * without memory. */
static struct es_read *claim_locked(struct es_reads *r, const struct es_reading *g, const char *key,
                                    bool *mine)
{
    struct es_read *e = es_map_get(&r->by_key, key);

    *mine = false;
    if (e && e->start_ms >= g->since_ms) {
        e->users++;
        e->keep = e->keep || g->others;
        return e;
    }
    struct es_read *fresh = read_new(key, r->clock->mono_ms(r->clock->ctx));
    if (!fresh)
        return NULL;
    if (e)
        detach_locked(r, e);
    if (attach_locked(r, fresh) < 0) {
        read_free(fresh);
        return NULL;
    }
    fresh->keep = g->others;
    *mine = true;
    return fresh;
}

static bool is_over(const struct es_read_call *call)
{
    return es_mono_ms() >= call->deadline_ms ||
           (call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED));
}

/* Until the read has ended; false: the caller's time is over. */
static bool wait_locked(struct es_reads *r, const struct es_read *e, const struct es_read_call *call)
{
    while (e->state == READING && !is_over(call)) {
        int64_t until_ms = es_mono_ms() + LOOK_MS;
        const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                       .tv_nsec = (long)(until_ms % 1000) * 1000000};
        pthread_cond_timedwait(&r->ended, &r->lock, &until);
    }
    return e->state != READING;
}

/* How a read ended that returned `rc`. Who was cancelled or came too late says
 * nothing about what others would have got. */
static enum state state_after(int rc, const struct es_read_call *call)
{
    if (rc == 0 || rc == ES_E_NOT_FOUND)
        return ANSWERED;
    return rc == ES_E_CANCELLED || rc == ES_E_NOMEM || is_over(call) ? LEFT : FAILED;
}

static void make_room_locked(struct es_reads *r)
{
    for (struct es_read *e = r->oldest, *newer; e && r->bytes > r->max_bytes; e = newer) {
        newer = e->prev;
        if (e->packed)
            detach_locked(r, e);
    }
}

/* Publishes how the read ended and wakes those who wait for it. */
static void settle_locked(struct es_reads *r, struct es_read *e, enum state state)
{
    e->state = state;
    if (e->attached && state != ANSWERED) {
        detach_locked(r, e);
    } else if (e->attached) {
        r->bytes += cost_of(e);
        make_room_locked(r);
    }
    pthread_cond_broadcast(&r->ended);
}

static int make(struct es_reads *r, struct es_read *e, const struct es_read_call *call, struct es_values *ret,
                struct es_error *err)
{
    struct es_error why = ES_ERROR_INIT;
    int rc = call->read(call->ctx, ret, &why);
    bool unfit = call->unfit && __atomic_load_n(call->unfit, __ATOMIC_ACQUIRE);
    enum state state = unfit ? LEFT : state_after(rc, call);
    size_t size = rc == 0 && !unfit ? packed_size(ret) : 0;
    unsigned char *packed = size ? es_locked_alloc(size) : NULL;

    if (packed)
        pack(packed, ret);
    else if (size)
        state = LEFT;
    if (rc < 0)
        why.code = rc;
    if (rc < 0 && err)
        *err = why;
    pthread_mutex_lock(&r->lock);
    e->packed = packed;
    e->size = size;
    e->why = why;
    settle_locked(r, e, state);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static int take(const struct es_read *e, struct es_values *ret, struct es_error *err)
{
    if (e->why.code == 0)
        return unpack(e->packed, e->size, ret, err);
    if (err)
        *err = e->why;
    return e->why.code;
}

/* The caller is done with it, unless his pass wants the answer again. */
static void part(struct es_reading *g, struct es_read *e, bool answered)
{
    struct es_read **held = NULL;

    if (g->again && answered)
        held = realloc(g->held, (g->held_count + 1) * sizeof(struct es_read *));
    if (held) {
        g->held = held;
        g->held[g->held_count++] = e;
        return;
    }
    pthread_mutex_lock(&g->reads->lock);
    leave_locked(g->reads, e);
    pthread_mutex_unlock(&g->reads->lock);
}

static bool is_held(const struct es_reading *g, const struct es_read *e)
{
    for (size_t i = 0; i < g->held_count; i++)
        if (g->held[i] == e)
            return true;
    return false;
}

static void count_shared(const struct es_reads *r, const struct es_read_call *call, const char *how)
{
    es_metric_add(r->shared, (const char *const[]){call->provider, call->operation, how}, 1);
}

/* One round: a read of somebody's, or one's own. 1: that somebody gave up. */
static int read_once(struct es_reading *g, const struct es_read_call *call, struct es_values *ret,
                     struct es_error *err)
{
    struct es_reads *r = g->reads;
    bool mine, ended = true;

    pthread_mutex_lock(&r->lock);
    struct es_read *e = claim_locked(r, g, call->key, &mine);
    const char *how = e && e->state == READING ? "in_flight" : e && is_held(g, e) ? "pass" : "window";
    if (e && !mine)
        ended = wait_locked(r, e, call);
    pthread_mutex_unlock(&r->lock);
    if (!e)
        return call->read(call->ctx, ret, err);

    int rc = 1;
    if (mine)
        rc = make(r, e, call, ret, err);
    else if (!ended)
        rc = es_error_set(err, ES_E_CANCELLED,
                          "%s of the %s provider waited too long for the same read by somebody else",
                          call->operation, call->provider);
    else if (e->state != LEFT)
        rc = take(e, ret, err);
    if (!mine && ended && rc != 1)
        count_shared(r, call, how);
    part(g, e, ended && e->state == ANSWERED);
    return rc;
}

int es_reads_run(struct es_reading *g, const struct es_read_call *call, struct es_values *ret,
                 struct es_error *err)
{
    int rc;

    do
        rc = read_once(g, call, ret, err);
    while (rc == 1);
    return rc;
}

bool es_reading_shares(const struct es_reading *g)
{
    return g && g->reads && (g->again || g->others);
}

void es_reading_end(struct es_reading *g)
{
    if (!g || !g->held)
        return;
    pthread_mutex_lock(&g->reads->lock);
    for (size_t i = 0; i < g->held_count; i++)
        leave_locked(g->reads, g->held[i]);
    pthread_mutex_unlock(&g->reads->lock);
    free(g->held);
    g->held = NULL;
    g->held_count = 0;
}

/* ---- all of them ---- */

void es_reads_forget(struct es_reads *r, const char *prefix)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    for (struct es_read *e = r->newest, *next; e; e = next) {
        next = e->next;
        if (es_str_starts(e->key, prefix))
            detach_locked(r, e);
    }
    pthread_mutex_unlock(&r->lock);
}

/* May a pass come that could use it? Those that were due before it began and still
 * wait; and periodic ones, as long as the window is open. */
static bool is_of_use(const struct es_reads *r, const struct es_read *e, int64_t now_ms,
                      int64_t oldest_due_ms)
{
    int64_t age_ms = now_ms - e->start_ms;
    int64_t window_ms = r->window_ms > LEAST_KEPT_MS ? r->window_ms : LEAST_KEPT_MS;

    return age_ms < window_ms || (age_ms < MOST_KEPT_MS && oldest_due_ms <= e->start_ms);
}

void es_reads_sweep(struct es_reads *r, int64_t oldest_due_ms)
{
    pthread_mutex_lock(&r->lock);
    int64_t now_ms = r->clock->mono_ms(r->clock->ctx);
    for (struct es_read *e = r->newest, *next; e; e = next) {
        next = e->next;
        if (e->state == ANSWERED && !is_of_use(r, e, now_ms, oldest_due_ms))
            detach_locked(r, e);
    }
    pthread_mutex_unlock(&r->lock);
}

size_t es_reads_bytes(struct es_reads *r)
{
    pthread_mutex_lock(&r->lock);
    size_t bytes = r->bytes;
    pthread_mutex_unlock(&r->lock);
    return bytes;
}

static int locks_init(struct es_reads *r)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return -1;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* as es_mono_ms counts */
    int failed = pthread_cond_init(&r->ended, &attr);
    pthread_condattr_destroy(&attr);
    if (failed)
        return -1;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        pthread_cond_destroy(&r->ended);
        return -1;
    }
    return 0;
}

int es_reads_new(struct es_reads **ret, const struct es_reads_opts *opts, struct es_error *err)
{
    static const char *const labels[] = {"provider", "operation", "how"};
    struct es_reads *r = calloc(1, sizeof *r);

    if (!r || locks_init(r) < 0) {
        free(r);
        return es_error_nomem(err);
    }
    r->clock = opts->clock ? opts->clock : &es_system_clock;
    r->window_ms = opts->window_ms;
    r->max_bytes = opts->max_bytes ? opts->max_bytes : MAX_BYTES;
    if (opts->metrics)
        r->shared = es_metrics_family(opts->metrics, ES_COUNTER, "esod_provider_reads_shared_total",
                                      "Reads that were saved, because another one served as well.", labels, 3,
                                      NULL, 0);
    *ret = r;
    return 0;
}

void es_reads_free(struct es_reads *r)
{
    if (!r)
        return;
    es_reads_forget(r, "");
    es_map_fini(&r->by_key);
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
