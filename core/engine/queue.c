#include "core/engine/queue.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/error.h"
#include "core/base/map.h"
#include "core/engine/heap.h"

#define NOT_ASKED INT64_MIN
#define CALM_WORKERS 2
#define WATCH_MAX_MS 1000 /* a clock that jumps, as those of tests do, is noticed after so long */
#define SPREAD_MAX_MS 30000
#define FAILURES_MAX 30 /* more than it takes to reach the longest backoff */

struct es_queue {
    const struct es_clock *clock;
    int64_t backoff_base_ms, backoff_max_ms;

    pthread_mutex_t lock; /* guards what follows */
    /* Who finds nothing due waits. One of them watches the time, so that when an
     * item falls due one worker wakes up, not all of them. */
    pthread_cond_t wake, watch;
    size_t idle;            /* how many wait for `wake` */
    bool watched;           /* somebody waits for `watch`, */
    int64_t watch_until_ms; /* until then */
    uint64_t wakeups;
    struct es_map map; /* id -> item */
    struct es_heap lanes[ES_LANES];
    uint64_t serial, added, retried;
    struct {
        uint64_t added, retried;
    } kinds[ES_QUEUE_KINDS];
    size_t running, calm_running, calm_workers;
    bool stopped;
};

static int64_t now_ms(const struct es_queue *q)
{
    return q->clock->mono_ms(q->clock->ctx);
}

/* ---- life ---- */

struct es_queue *es_queue_new(const struct es_queue_opts *opts)
{
    static const struct es_queue_opts none;
    struct es_queue *q = calloc(1, sizeof *q);
    pthread_condattr_t attr;

    if (!q)
        return NULL;
    if (!opts)
        opts = &none;
    q->clock = opts->clock ? opts->clock : &es_system_clock;
    q->calm_workers = opts->calm_workers ? opts->calm_workers : CALM_WORKERS;
    q->backoff_base_ms = opts->backoff_base_ms ? opts->backoff_base_ms : 1000;
    q->backoff_max_ms = opts->backoff_max_ms ? opts->backoff_max_ms : 7 * 60 * 1000;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, &attr);
    pthread_cond_init(&q->watch, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

void es_queue_free(struct es_queue *q)
{
    struct es_item *i;

    if (!q)
        return;
    for (size_t pos = 0; (i = es_map_next(&q->map, &pos));)
        free(i);
    es_map_fini(&q->map);
    for (int lane = 0; lane < ES_LANES; lane++)
        free(q->lanes[lane].items);
    pthread_cond_destroy(&q->wake);
    pthread_cond_destroy(&q->watch);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

void es_queue_stop(struct es_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopped = true;
    pthread_cond_broadcast(&q->wake);
    pthread_cond_broadcast(&q->watch);
    pthread_mutex_unlock(&q->lock);
}

/* ---- adding ---- */

static void forget_locked(struct es_queue *q, struct es_item *i)
{
    es_map_remove(&q->map, i->id);
    free(i);
}

static struct es_item *find_or_add_locked(struct es_queue *q, int kind, const char *key)
{
    char id[768];
    int n = snprintf(id, sizeof id, "%c%s", 'A' + kind, key);
    if (n < 0 || n >= (int)sizeof id || kind < 0 || kind >= ES_QUEUE_KINDS)
        return NULL;
    struct es_item *i = es_map_get(&q->map, id);
    if (i)
        return i;
    i = calloc(1, sizeof *i + (size_t)n + 1);
    if (!i)
        return NULL;
    memcpy(i->id, id, (size_t)n + 1);
    i->kind = (uint8_t)kind;
    i->place = ES_NOT_IN_HEAP;
    i->asked_ms = NOT_ASKED;
    if (es_map_put(&q->map, i->id, i, NULL) < 0) {
        free(i);
        return NULL;
    }
    return i;
}

/* Somebody who waits is to look at the queue again. */
static void wake_one_locked(struct es_queue *q)
{
    if (q->idle)
        pthread_cond_signal(&q->wake);
    else if (q->watched)
        pthread_cond_signal(&q->watch);
}

/* Would whoever watches the time sleep past `due`? One that is overdue will
 * wake up by itself, unless the clock is a test's and has jumped. */
static bool is_missed_locked(const struct es_queue *q, int64_t due, int64_t now)
{
    return q->watched && (due < q->watch_until_ms || q->watch_until_ms <= now);
}

/* There is work at `due`. */
static void tell_locked(struct es_queue *q, int64_t due)
{
    int64_t now = now_ms(q);

    if (due <= now || !q->watched)
        wake_one_locked(q);
    else if (is_missed_locked(q, due, now))
        pthread_cond_signal(&q->watch);
}

static int schedule_locked(struct es_queue *q, struct es_item *i, int64_t due_ms, enum es_lane lane)
{
    i->due_ms = due_ms;
    i->lane = (uint8_t)lane;
    i->serial = q->serial++;
    q->kinds[i->kind].added++;
    if (es_heap_add(&q->lanes[lane], i) < 0)
        return ES_E_NOMEM;
    tell_locked(q, due_ms);
    return 0;
}

static int add_locked(struct es_queue *q, int kind, const char *key, int64_t since, int64_t due,
                      enum es_lane lane)
{
    struct es_item *i = q->stopped ? NULL : find_or_add_locked(q, kind, key);
    int rc = 0;

    if (!i)
        return q->stopped ? 0 : ES_E_NOMEM;
    q->added++;
    if (since > i->asked_ms)
        i->asked_ms = since;
    if (i->running) {
        if (!i->again || due < i->due_ms)
            i->due_ms = due;
        if (!i->again || lane < i->lane)
            i->lane = (uint8_t)lane;
        i->again = true;
    } else if (i->place == ES_NOT_IN_HEAP) {
        rc = schedule_locked(q, i, due, lane);
        if (rc < 0)
            forget_locked(q, i);
    } else if (due < i->due_ms || lane < i->lane) {
        es_heap_remove(&q->lanes[i->lane], i);
        q->kinds[i->kind].added--; /* it waits already */
        rc = schedule_locked(q, i, due < i->due_ms ? due : i->due_ms, lane < i->lane ? lane : i->lane);
    }
    return rc;
}

int es_queue_add(struct es_queue *q, int kind, const char *key, int64_t delay_ms, enum es_lane lane)
{
    pthread_mutex_lock(&q->lock);
    int64_t due = now_ms(q) + delay_ms;
    int rc = add_locked(q, kind, key, due, due, lane);
    pthread_mutex_unlock(&q->lock);
    return rc;
}

int es_queue_add_since(struct es_queue *q, int kind, const char *key, int64_t since_ms, enum es_lane lane)
{
    pthread_mutex_lock(&q->lock);
    int rc = add_locked(q, kind, key, since_ms, now_ms(q), lane);
    pthread_mutex_unlock(&q->lock);
    return rc;
}

/* ---- working ---- */

/* The first entry of a lane that may be worked on now; NULL: none. */
static struct es_item *head_locked(const struct es_queue *q, int lane)
{
    bool full = lane == ES_LANE_CALM && q->calm_running >= q->calm_workers;
    return q->lanes[lane].count && !full ? q->lanes[lane].items[0] : NULL;
}

static struct es_item *due_item_locked(const struct es_queue *q, int64_t now)
{
    for (int lane = 0; lane < ES_LANES; lane++) {
        struct es_item *head = head_locked(q, lane);
        if (head && head->due_ms <= now)
            return head;
    }
    return NULL;
}

static int64_t next_due_locked(const struct es_queue *q)
{
    int64_t next = INT64_MAX;

    for (int lane = 0; lane < ES_LANES; lane++) {
        const struct es_item *head = head_locked(q, lane);
        if (head && head->due_ms < next)
            next = head->due_ms;
    }
    return next;
}

static void watch_locked(struct es_queue *q, int64_t delay_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(delay_ms / 1000);
    until.tv_nsec += delay_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&q->watch, &q->lock, &until);
}

static void wait_locked(struct es_queue *q, int64_t now)
{
    int64_t next = next_due_locked(q);

    if (next != INT64_MAX && !q->watched) {
        q->watched = true;
        q->watch_until_ms = next;
        watch_locked(q, next - now < WATCH_MAX_MS ? next - now : WATCH_MAX_MS);
        q->watched = false;
    } else {
        if (is_missed_locked(q, next, now))
            pthread_cond_signal(&q->watch);
        q->idle++;
        pthread_cond_wait(&q->wake, &q->lock);
        q->idle--;
    }
    q->wakeups++;
}

/* When the reason for this work arose: the newest one, since one pass serves
 * all. What was asked for a later time may be taken for an earlier reason. */
static int64_t since_of(const struct es_item *i, int64_t now)
{
    int64_t since = i->asked_ms != NOT_ASKED ? i->asked_ms : i->due_ms;
    return since < now ? since : now;
}

bool es_queue_take(struct es_queue *q, struct es_work *ret)
{
    struct es_item *i = NULL;

    pthread_mutex_lock(&q->lock);
    while (!q->stopped) {
        int64_t now = now_ms(q);
        i = due_item_locked(q, now);
        if (i) {
            es_heap_remove(&q->lanes[i->lane], i);
            i->running = true;
            i->calm = i->lane == ES_LANE_CALM;
            i->again = false;
            q->running++;
            q->calm_running += i->calm;
            *ret = (struct es_work){.kind = i->kind,
                                    .key = i->id + 1,
                                    .failures = i->failures,
                                    .waited_ms = now - i->due_ms,
                                    .since_ms = since_of(i, now),
                                    .asked = i->asked_ms != NOT_ASKED,
                                    .item = i};
            i->asked_ms = NOT_ASKED;
            break;
        }
        wait_locked(q, now);
    }
    /* This taker may have been the one that watched the time, or the only one that
     * was told of what else is due. */
    int64_t next = next_due_locked(q);
    if (next != INT64_MAX)
        tell_locked(q, next);
    pthread_mutex_unlock(&q->lock);
    return i != NULL;
}

static void finish_locked(struct es_queue *q, struct es_item *i, int64_t delay_ms, enum es_lane lane)
{
    int64_t due = now_ms(q) + delay_ms;

    i->running = false;
    q->running--;
    q->calm_running -= i->calm;
    if (i->calm && q->lanes[ES_LANE_CALM].count)
        wake_one_locked(q);
    if (i->again) {
        /* What was asked for meanwhile comes first. */
        i->again = false;
        if (delay_ms >= 0 && due < i->due_ms)
            i->due_ms = due;
        schedule_locked(q, i, i->due_ms, i->lane);
    } else if (delay_ms >= 0 && !q->stopped) {
        schedule_locked(q, i, due, lane);
    } else {
        forget_locked(q, i);
    }
}

void es_queue_done(struct es_queue *q, struct es_work *work, int64_t delay_ms, enum es_lane lane)
{
    struct es_item *i = work->item;

    pthread_mutex_lock(&q->lock);
    i->failures = 0;
    finish_locked(q, i, delay_ms, lane);
    pthread_mutex_unlock(&q->lock);
}

static int64_t up_to_locked(struct es_queue *q, int64_t most_ms)
{
    return (int64_t)(q->clock->random(q->clock->ctx) % (uint64_t)(most_ms + 1));
}

/* What has failed together must not come back together, or a backend that was too busy is
 * so again. Here jitter only shortens: seven minutes is a promise. */
static int64_t backoff_locked(struct es_queue *q, int failures)
{
    int64_t delay = q->backoff_base_ms;

    for (int n = 0; n < failures && delay < q->backoff_max_ms; n++)
        delay *= 2;
    if (delay > q->backoff_max_ms)
        delay = q->backoff_max_ms;
    return delay - up_to_locked(q, delay / 2);
}

/* A backend tells all of them the same number: what is put on top of it is never
 * so little that they meet again, nor so much that it is not worth the wait. */
static int64_t spread_locked(struct es_queue *q, int64_t at_least_ms)
{
    int64_t spread = at_least_ms / 4;

    if (at_least_ms <= 0)
        return 0;
    if (spread > SPREAD_MAX_MS)
        spread = SPREAD_MAX_MS;
    return at_least_ms + up_to_locked(q, spread < q->backoff_base_ms ? q->backoff_base_ms : spread);
}

int64_t es_queue_failed(struct es_queue *q, struct es_work *work, int64_t at_least_ms, enum es_lane lane)
{
    struct es_item *i = work->item;

    pthread_mutex_lock(&q->lock);
    int64_t delay = backoff_locked(q, i->failures), asked = spread_locked(q, at_least_ms);
    if (delay < asked)
        delay = asked;
    if (i->failures < FAILURES_MAX)
        i->failures++;
    q->retried++;
    q->kinds[i->kind].retried++;
    finish_locked(q, i, delay, lane);
    pthread_mutex_unlock(&q->lock);
    return delay;
}

bool es_queue_busy(struct es_queue *q)
{
    pthread_mutex_lock(&q->lock);
    const struct es_item *due = due_item_locked(q, now_ms(q));
    bool busy = due && due->lane < ES_LANE_CALM;
    pthread_mutex_unlock(&q->lock);
    return busy;
}

void es_queue_stats(struct es_queue *q, struct es_queue_stats *ret)
{
    pthread_mutex_lock(&q->lock);
    int64_t now = now_ms(q);
    *ret = (struct es_queue_stats){
        .running = q->running, .added = q->added, .retried = q->retried, .wakeups = q->wakeups};
    for (int kind = 0; kind < ES_QUEUE_KINDS; kind++) {
        ret->kinds[kind].added = q->kinds[kind].added;
        ret->kinds[kind].retried = q->kinds[kind].retried;
    }
    for (int lane = 0; lane < ES_LANES; lane++)
        for (size_t i = 0; i < q->lanes[lane].count; i++) {
            const struct es_item *item = q->lanes[lane].items[i];
            int64_t waited = now - item->due_ms;
            if (waited < 0) {
                ret->delayed++;
                continue;
            }
            ret->waiting++;
            ret->kinds[item->kind].waiting++;
            ret->kinds[item->kind].calm += lane == ES_LANE_CALM;
            if (waited > ret->oldest_ms)
                ret->oldest_ms = waited;
        }
    pthread_mutex_unlock(&q->lock);
}
