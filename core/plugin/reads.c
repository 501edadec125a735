#include "core/plugin/reads.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/locked.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/reads_own.h"

#define MAX_BYTES ((size_t)8 << 20)
#define LEAST_KEPT_MS 1000 /* a pass may have been taken from the queue and not have read yet */
#define MOST_KEPT_MS 60000 /* however long the queue is */
#define LOOK_MS 100        /* how soon one who waits notices that he is cancelled */

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
    *e =
        (struct es_read){.key = es_mem_strdup(key), .state = ES_READ_READING, .start_ms = now_ms, .users = 1};
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

struct es_read *es_reads_claim_locked(struct es_reads *r, const char *key, int64_t since_ms, bool others,
                                      bool *mine)
{
    struct es_read *e = es_map_get(&r->by_key, key);

    *mine = false;
    if (e && e->start_ms >= since_ms) {
        e->users++;
        e->keep = e->keep || others;
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
    fresh->keep = others;
    *mine = true;
    return fresh;
}

bool es_read_is_over(int64_t deadline_ms, const bool *cancelled)
{
    return es_mono_ms() >= deadline_ms || (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED));
}

static bool is_over(const struct es_read_call *call)
{
    return es_read_is_over(call->deadline_ms, call->cancelled);
}

/* Until the read has ended; false: the caller's time is over. */
static bool wait_locked(struct es_reads *r, const struct es_read *e, const struct es_read_call *call)
{
    while (e->state == ES_READ_READING && !is_over(call)) {
        int64_t until_ms = es_mono_ms() + LOOK_MS;
        const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                       .tv_nsec = (long)(until_ms % 1000) * 1000000};
        pthread_cond_timedwait(&r->ended, &r->lock, &until);
    }
    return e->state != ES_READ_READING;
}

/* How a read ended that returned `rc`. */
static enum es_read_state state_after(int rc, bool alone)
{
    if (alone || rc == ES_E_CANCELLED || rc == ES_E_NOMEM)
        return ES_READ_LEFT;
    return rc == 0 || rc == ES_E_NOT_FOUND ? ES_READ_ANSWERED : ES_READ_FAILED;
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
static void settle_locked(struct es_reads *r, struct es_read *e, enum es_read_state state)
{
    e->state = state;
    if (e->attached && state != ES_READ_ANSWERED) {
        detach_locked(r, e);
    } else if (e->attached) {
        r->bytes += cost_of(e);
        make_room_locked(r);
    }
    pthread_cond_broadcast(&r->ended);
}

void es_reads_publish(struct es_reads *r, struct es_read *e, int rc, const struct es_values *values,
                      const struct es_error *why, bool alone)
{
    enum es_read_state state = state_after(rc, alone);
    size_t size = rc == 0 && state == ES_READ_ANSWERED ? packed_size(values) : 0;
    unsigned char *packed = size ? es_locked_alloc(size) : NULL;

    if (packed)
        pack(packed, values);
    else if (size)
        state = ES_READ_LEFT;
    pthread_mutex_lock(&r->lock);
    e->packed = packed;
    e->size = size;
    if (rc < 0) {
        e->why = *why;
        e->why.code = rc;
    }
    settle_locked(r, e, state);
    pthread_mutex_unlock(&r->lock);
}

void es_reads_abandon(struct es_reads *r, struct es_read *e)
{
    pthread_mutex_lock(&r->lock);
    settle_locked(r, e, ES_READ_LEFT);
    leave_locked(r, e);
    pthread_mutex_unlock(&r->lock);
}

static int make(struct es_reads *r, struct es_read *e, const struct es_read_call *call, struct es_values *ret,
                struct es_error *err)
{
    struct es_error why = ES_ERROR_INIT;
    int rc = call->read(call->ctx, ret, &why);
    bool unfit = call->unfit && __atomic_load_n(call->unfit, __ATOMIC_ACQUIRE);

    if (rc < 0 && err) {
        *err = why;
        err->code = rc;
    }
    es_reads_publish(r, e, rc, ret, &why, unfit || (rc < 0 && rc != ES_E_NOT_FOUND && is_over(call)));
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

void es_reads_leave(struct es_reads *r, struct es_read *e)
{
    pthread_mutex_lock(&r->lock);
    leave_locked(r, e);
    pthread_mutex_unlock(&r->lock);
}

bool es_reading_hold(struct es_reading *g, struct es_read *e, const char *how)
{
    struct es_held *held = realloc(g->held, (g->held_count + 1) * sizeof *held);

    if (!held)
        return false;
    g->held = held;
    g->held[g->held_count++] = (struct es_held){e, how};
    return true;
}

/* The caller is done with it, unless his pass wants the answer again. */
static void part(struct es_reading *g, struct es_read *e, bool keep)
{
    if (!keep || !es_reading_hold(g, e, "pass"))
        es_reads_leave(g->reads, e);
}

/* What the pass holds of this key, unless it is of no use. */
static struct es_held *find_held_locked(const struct es_reading *g, const char *key)
{
    for (size_t i = 0; i < g->held_count; i++)
        if (g->held[i].read->state != ES_READ_LEFT && es_streq(g->held[i].read->key, key))
            return &g->held[i];
    return NULL;
}

static bool is_held(const struct es_reading *g, const char *key)
{
    pthread_mutex_lock(&g->reads->lock);
    bool yes = find_held_locked(g, key) != NULL;
    pthread_mutex_unlock(&g->reads->lock);
    return yes;
}

static void count_shared(const struct es_reads *r, const struct es_read_call *call, const char *how)
{
    es_metric_add(r->shared, (const char *const[]){call->provider, call->operation, how}, 1);
}

/* The read that serves, with one user more; `ret_how` it came. */
static struct es_read *find_locked(struct es_reading *g, const struct es_read_call *call, bool *ret_mine,
                                   bool *ret_held, const char **ret_how)
{
    struct es_held *held = find_held_locked(g, call->key);
    struct es_read *e;

    *ret_held = held != NULL;
    *ret_mine = false;
    if (held) {
        e = held->read;
        e->users++;
        *ret_how = held->how;
        held->how = "pass";
    } else {
        e = es_reads_claim_locked(g->reads, call->key, g->since_ms, g->others, ret_mine);
        *ret_how = e && e->state == ES_READ_READING ? "in_flight" : "window";
    }
    return e;
}

/* One round: a read of somebody's, or one's own. 1: that somebody gave up. */
static int read_once(struct es_reading *g, const struct es_read_call *call, struct es_values *ret,
                     struct es_error *err)
{
    struct es_reads *r = g->reads;
    bool mine, held, ended = true;
    const char *how;

    pthread_mutex_lock(&r->lock);
    struct es_read *e = find_locked(g, call, &mine, &held, &how);
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
    else if (e->state != ES_READ_LEFT)
        rc = take(e, ret, err);
    if (!mine && ended && rc != 1 && how)
        count_shared(r, call, how);
    part(g, e, g->again && !held && ended && e->state == ES_READ_ANSWERED);
    return rc;
}

int es_reads_run(struct es_reading *g, const struct es_read_call *call, struct es_values *ret,
                 struct es_error *err)
{
    int rc;

    if (!g->again && !g->others && !is_held(g, call->key))
        return call->read(call->ctx, ret, err);
    do
        rc = read_once(g, call, ret, err);
    while (rc == 1);
    return rc;
}

bool es_reading_shares(const struct es_reading *g)
{
    return g && g->reads && (g->again || g->others || g->held_count);
}

void es_reading_end(struct es_reading *g)
{
    if (!g || !g->held)
        return;
    pthread_mutex_lock(&g->reads->lock);
    for (size_t i = 0; i < g->held_count; i++)
        leave_locked(g->reads, g->held[i].read);
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
        if (e->state == ES_READ_ANSWERED && !is_of_use(r, e, now_ms, oldest_due_ms))
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
