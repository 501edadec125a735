#include "core/http/lane.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/http/pump.h"
#include "core/http/slot.h"
#include "core/http/stall.h"

#define STACK_BYTES ((size_t)256 * 1024)
#define LONGEST_NAP_MS 10000 /* libcurl drops stale connections only when it runs */
#define CANCEL_POLL_MS 100
#define MAX_FREE_SLOTS 32
#define MAX_STREAMS_PER_CONNECTION 1000L

enum es_want { WANT_START = 1, WANT_RESUME = 2, WANT_DROP = 4 };

struct es_lane {
    struct es_lane_opts opts;
    CURLM *multi;
    struct es_pump *pump; /* of a lane with HTTP/1.1; else NULL */
    CURLSH *share;        /* TLS sessions */
    pthread_t thread;
    int64_t beat_ms; /* atomic */
    bool started;

    pthread_mutex_t lock; /* guards what follows, and the fields of exchanges that say so */
    struct es_exchange *ops_head, *ops_tail;
    bool woken; /* somebody has called wake since the last look */
    bool stopping, quitting;

    /* The lane's thread only. */
    struct es_exchange *active;
    struct es_slot *free_slots;
    size_t free_count;
    bool suspect; /* see stall.h */
};

/* ---- requests to the lane's thread ---- */

static void wake_up(struct es_lane *lane)
{
    if (lane->pump)
        es_pump_wake(lane->pump);
    else
        curl_multi_wakeup(lane->multi);
}

static void queue_op(struct es_lane *lane, struct es_exchange *x, unsigned want)
{
    pthread_mutex_lock(&lane->lock);
    bool wake = false;
    if (!x->gone) {
        x->wants |= want;
        if (!x->op_queued) {
            x->op_queued = true;
            x->op_next = NULL;
            if (lane->ops_tail)
                lane->ops_tail->op_next = x;
            else
                lane->ops_head = x;
            lane->ops_tail = x;
        }
        wake = !lane->woken;
        lane->woken = true;
    }
    pthread_mutex_unlock(&lane->lock);
    if (wake)
        wake_up(lane);
}

static struct es_exchange *pop_op(struct es_lane *lane, unsigned *wants)
{
    pthread_mutex_lock(&lane->lock);
    struct es_exchange *x = lane->ops_head;
    if (x) {
        lane->ops_head = x->op_next;
        if (!lane->ops_head)
            lane->ops_tail = NULL;
        *wants = x->wants;
        x->wants = 0;
        x->op_queued = false;
    } else
        lane->woken = false;
    pthread_mutex_unlock(&lane->lock);
    return x;
}

static void unlink_op_locked(struct es_lane *lane, struct es_exchange *x)
{
    struct es_exchange *before = NULL;

    if (!x->op_queued)
        return;
    for (struct es_exchange *i = lane->ops_head; i != x; i = i->op_next)
        before = i;
    if (before)
        before->op_next = x->op_next;
    else
        lane->ops_head = x->op_next;
    if (lane->ops_tail == x)
        lane->ops_tail = before;
    x->op_queued = false;
}

void es_lane_submit(struct es_lane *lane, struct es_exchange *x)
{
    __atomic_add_fetch(&lane->opts.counters->in_flight, 1, __ATOMIC_RELAXED);
    queue_op(lane, x, WANT_START);
}

void es_lane_wait(struct es_exchange *x)
{
    while (sem_wait(&x->done) < 0 && errno == EINTR)
        ;
}

void es_lane_resume(struct es_lane *lane, struct es_exchange *x)
{
    queue_op(lane, x, WANT_RESUME);
}

void es_lane_drop(struct es_lane *lane, struct es_exchange *x)
{
    queue_op(lane, x, WANT_DROP);
    es_lane_wait(x);
}

/* ---- slots ---- */

static struct es_slot *take_slot(struct es_lane *lane)
{
    struct es_slot *slot = lane->free_slots;

    if (slot) {
        lane->free_slots = slot->next;
        lane->free_count--;
        return slot;
    }
    return es_slot_new(&(struct es_slot_opts){.share = lane->share,
                                              .user_agent = lane->opts.user_agent,
                                              .ca_file = lane->opts.ca_file,
                                              .connect_timeout_ms = lane->opts.connect_timeout_ms,
                                              .http11 = lane->opts.http11});
}

static void give_slot(struct es_lane *lane, struct es_slot *slot)
{
    es_slot_clear(slot);
    if (slot->has_login || lane->free_count == MAX_FREE_SLOTS) {
        es_slot_free(slot);
        return;
    }
    slot->next = lane->free_slots;
    lane->free_slots = slot;
    lane->free_count++;
}

/* ---- the end of an exchange ---- */

static void count(struct es_lane *lane, struct es_exchange *x)
{
    struct es_http_counters *c = lane->opts.counters;
    CURL *easy = x->slot->easy;
    long connects = 0, request = 0, head = 0;
    curl_off_t up = 0, down = 0;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &head);
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    __atomic_add_fetch(&c->connections_opened, (uint64_t)connects, __ATOMIC_RELAXED);
    __atomic_add_fetch(&c->bytes_sent, (uint64_t)request + (uint64_t)up, __ATOMIC_RELAXED);
    __atomic_add_fetch(&c->bytes_received, (uint64_t)head + (uint64_t)down, __ATOMIC_RELAXED);
}

void es_lane_observe(struct es_lane *lane, struct es_exchange *x)
{
    long connects = 0;

    if (x->observed)
        return;
    x->observed = true;
    __atomic_add_fetch(&lane->opts.counters->requests, 1, __ATOMIC_RELAXED);
    if (x->code)
        __atomic_add_fetch(&lane->opts.counters->failures, 1, __ATOMIC_RELAXED);
    if (!lane->opts.observe)
        return;
    if (x->slot)
        curl_easy_getinfo(x->slot->easy, CURLINFO_NUM_CONNECTS, &connects);
    struct es_http_sample sample = {.api = x->api,
                                    .method = x->method,
                                    .host = x->host,
                                    .status = x->code ? 0 : x->head.status,
                                    .code = x->code,
                                    .duration_us = (es_mono_ns() - x->start_ns) / 1000,
                                    .new_connection = connects > 0};
    lane->opts.observe(lane->opts.observe_ctx, &sample);
}

static void unlink_active(struct es_lane *lane, struct es_exchange *x)
{
    if (x->prev)
        x->prev->next = x->next;
    else
        lane->active = x->next;
    if (x->next)
        x->next->prev = x->prev;
}

/* After this x is its owner's again. */
static void finish(struct es_lane *lane, struct es_exchange *x)
{
    es_lane_observe(lane, x);
    if (x->slot) {
        count(lane, x);
        lane->suspect = lane->suspect || es_stall_suspect(x);
        curl_multi_remove_handle(lane->multi, x->slot->easy);
        give_slot(lane, x->slot);
        x->slot = NULL;
        unlink_active(lane, x);
    }
    if (x->hooks->finished)
        x->hooks->finished(x);
    __atomic_sub_fetch(&lane->opts.counters->in_flight, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&lane->lock);
    unlink_op_locked(lane, x);
    x->gone = true;
    pthread_mutex_unlock(&lane->lock);
    /* Without the lock, which whoever wakes up would have to wait for; and a semaphore,
     * for it may be freed before this returns. */
    sem_post(&x->done);
}

/* ---- what the thread does ---- */

/* true: x is over its bounds, and has failed. */
static bool is_over(struct es_exchange *x, int64_t now_ms)
{
    char span[ES_TIME_TEXT_MAX];

    if (x->cancelled && __atomic_load_n(x->cancelled, __ATOMIC_ACQUIRE))
        es_exchange_fail(x, ES_E_CANCELLED, "cancelled");
    else if (now_ms >= x->deadline_ms)
        es_exchange_fail(x, ES_E_CANCELLED, "no answer within %s", es_duration_format(x->timeout_ms, span));
    else if (x->idle_ms && x->head.complete && !x->paused && now_ms >= x->last_byte_ms + x->idle_ms)
        es_exchange_fail(x, ES_E_RETRY, "no data within %s", es_duration_format(x->idle_ms, span));
    return x->code != 0;
}

static void start(struct es_lane *lane, struct es_exchange *x)
{
    if (is_over(x, es_mono_ms())) {
        finish(lane, x);
        return;
    }
    if (es_exchange_barred(x)) {
        finish(lane, x);
        return;
    }
    struct es_slot *slot = take_slot(lane);
    if (!slot || es_slot_configure(slot, x, lane->opts.http11) != CURLE_OK ||
        curl_multi_add_handle(lane->multi, slot->easy) != CURLM_OK) {
        es_slot_free(slot);
        es_exchange_fail(x, ES_E_NOMEM, "out of memory");
        finish(lane, x);
        return;
    }
    x->slot = slot;
    x->prev = NULL;
    x->next = lane->active;
    if (x->next)
        x->next->prev = x;
    lane->active = x;
}

/* true: something was started. */
static bool do_ops(struct es_lane *lane, bool stopping)
{
    struct es_exchange *x;
    unsigned wants;
    bool started = false;

    while ((x = pop_op(lane, &wants)) != NULL) {
        if (stopping || (wants & WANT_DROP)) {
            es_exchange_fail(x, ES_E_CANCELLED, stopping ? "the transport stops" : "cancelled");
            finish(lane, x);
        } else if (wants & WANT_START) {
            start(lane, x);
            started = true;
        } else if ((wants & WANT_RESUME) && x->paused) {
            x->paused = false;
            x->last_byte_ms = es_mono_ms();
            curl_easy_pause(x->slot->easy, CURLPAUSE_CONT);
        }
    }
    return started;
}

/* true: something has ended. */
static bool reap(struct es_lane *lane)
{
    CURLMsg *msg;
    int left;
    bool ended = false;

    while ((msg = curl_multi_info_read(lane->multi, &left)) != NULL) {
        struct es_exchange *x = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode rc = msg->data.result; /* the message dies with the handle's removal */
        if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK || !x)
            continue;
        es_outcome_set(x, rc);
        finish(lane, x);
        ended = true;
    }
    return ended;
}

/* A round of libcurl, and another one when something started or ended in it:
 * then, and for large answers, see stall.h. What waited for a connection
 * starts when something else ends. */
static void perform_all(struct es_lane *lane, bool started)
{
    bool changed = started;
    int running;

    do {
        if (lane->suspect)
            es_stall_cure(lane->active);
        lane->suspect = false;
        curl_multi_perform(lane->multi, &running);
        bool ended = reap(lane);
        if (!changed && !ended)
            return;
        changed = ended;
    } while (lane->active);
}

static void perform(struct es_lane *lane, bool started)
{
    if (lane->pump) {
        es_pump_run(lane->pump);
        reap(lane);
    } else {
        perform_all(lane, started);
    }
}

/* Ends what is over, and returns how long the rest lets the thread sleep. */
static int check_bounds(struct es_lane *lane)
{
    int64_t now = es_mono_ms(), nap = LONGEST_NAP_MS;
    struct es_exchange *next;

    for (struct es_exchange *x = lane->active; x; x = next) {
        next = x->next;
        if (is_over(x, now)) {
            finish(lane, x);
            continue;
        }
        if (x->https && !lane->opts.http11) {
            int64_t look = es_stall_look(x, now);
            nap = look < nap ? look : nap;
        }
        if (x->cancelled && nap > CANCEL_POLL_MS)
            nap = CANCEL_POLL_MS;
        if (x->deadline_ms - now < nap)
            nap = x->deadline_ms - now;
        if (x->idle_ms && x->head.complete && !x->paused && x->last_byte_ms + x->idle_ms - now < nap)
            nap = x->last_byte_ms + x->idle_ms - now;
    }
    return (int)nap;
}

/* A process that was stopped goes on here, perhaps much later: what it had
 * begun to send must not be sent to its end if the gate has closed meanwhile. */
static void hold_back(struct es_lane *lane)
{
    struct es_exchange *next;

    for (struct es_exchange *x = lane->active; x; x = next) {
        next = x->next;
        if (x->gate && !x->head.status && es_exchange_barred(x))
            finish(lane, x);
    }
}

static void cancel_all(struct es_lane *lane)
{
    while (lane->active) {
        struct es_exchange *x = lane->active;
        es_exchange_fail(x, ES_E_CANCELLED, "the transport stops");
        finish(lane, x);
    }
}

int64_t es_lane_beat_ms(const struct es_lane *lane)
{
    return __atomic_load_n(&lane->beat_ms, __ATOMIC_RELAXED);
}

static void *run(void *arg)
{
    struct es_lane *lane = arg;

    for (;;) {
        __atomic_store_n(&lane->beat_ms, es_mono_ms(), __ATOMIC_RELAXED);
        pthread_mutex_lock(&lane->lock);
        bool stopping = lane->stopping, quitting = lane->quitting;
        pthread_mutex_unlock(&lane->lock);
        bool started = do_ops(lane, stopping);
        if (stopping)
            cancel_all(lane);
        if (quitting)
            break;
        hold_back(lane);
        perform(lane, started);
        int nap = check_bounds(lane);
        if (lane->pump)
            es_pump_wait(lane->pump, nap);
        else
            curl_multi_poll(lane->multi, NULL, 0, nap, NULL);
    }
    return NULL;
}

/* ---- birth and death ---- */

static int start_thread(struct es_lane *lane)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (pthread_attr_init(&attr) != 0)
        return ES_E_NOMEM;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    lane->started = pthread_create(&lane->thread, &attr, run, lane) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (!lane->started)
        return ES_E_NOMEM;
    pthread_setname_np(lane->thread, lane->opts.name);
    return 0;
}

static int set_up_curl(struct es_lane *lane)
{
    const struct es_lane_opts *o = &lane->opts;

    lane->multi = curl_multi_init();
    lane->share = curl_share_init();
    if (!lane->multi || !lane->share)
        return ES_E_NOMEM;
    curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(lane->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, MAX_STREAMS_PER_CONNECTION);
    curl_multi_setopt(lane->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->max_host_connections);
    curl_multi_setopt(lane->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)o->max_total_connections);
    curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)o->max_idle_connections);
    /* Used by this thread only: no lock functions. */
    if (curl_share_setopt(lane->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return ES_E_NOMEM;
    return o->http11 ? es_pump_new(&lane->pump, lane->multi) : 0;
}

int es_lane_new(struct es_lane **ret, const struct es_lane_opts *opts, struct es_error *err)
{
    struct es_lane *lane = es_mem_calloc(1, sizeof *lane);

    if (!lane)
        return es_error_nomem(err);
    lane->opts = *opts;
    lane->beat_ms = es_mono_ms();
    pthread_mutex_init(&lane->lock, NULL);
    if (set_up_curl(lane) < 0 || start_thread(lane) < 0) {
        es_lane_free(lane);
        return es_error_nomem(err);
    }
    *ret = lane;
    return 0;
}

static void raise_flags(struct es_lane *lane, bool quit)
{
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    lane->quitting = lane->quitting || quit;
    pthread_mutex_unlock(&lane->lock);
    if (lane->multi)
        wake_up(lane);
}

void es_lane_stop(struct es_lane *lane)
{
    raise_flags(lane, false);
}

void es_lane_free(struct es_lane *lane)
{
    if (!lane)
        return;
    if (lane->started) {
        raise_flags(lane, true);
        pthread_join(lane->thread, NULL);
    }
    while (lane->free_slots) {
        struct es_slot *slot = lane->free_slots;
        lane->free_slots = slot->next;
        es_slot_free(slot);
    }
    curl_multi_cleanup(lane->multi);
    es_pump_free(lane->pump);
    curl_share_cleanup(lane->share);
    pthread_mutex_destroy(&lane->lock);
    es_mem_free(lane);
}
