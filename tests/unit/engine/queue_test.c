/* The work queue: one entry a key, one worker a key, due times, lanes, backoff.
 * The first half owns the clock; the second half runs threads on the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/engine/queue.h"

#define ALLOC_COUNTS_BYTES
#include "tests/unit/failing_alloc.h"

struct fake {
    int64_t now_ms;
    uint32_t random;
};

static int64_t fake_now(void *ctx)
{
    return ((struct fake *)ctx)->now_ms;
}

static uint32_t fake_random(void *ctx)
{
    return ((struct fake *)ctx)->random;
}

static struct fake fake;
static const struct es_clock clock_of_test = {
    .unix_ms = fake_now, .mono_ms = fake_now, .random = fake_random, .ctx = &fake};
static struct es_queue *q;

static int setup(void **state)
{
    const struct es_queue_opts opts = {.clock = &clock_of_test};
    (void)state;
    fake = (struct fake){.now_ms = 1000000};
    q = es_queue_new(&opts);
    return q ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    es_queue_free(q);
    return 0;
}

static void add(const char *key, int64_t delay_ms)
{
    assert_int_equal(es_queue_add(q, 0, key, delay_ms, ES_LANE_URGENT), 0);
}

/* Asks first, so that no test waits for a clock that stands still. */
static bool is_due(void)
{
    struct es_queue_stats s;
    es_queue_stats(q, &s);
    return s.waiting > 0;
}

static struct es_work take(const char *want)
{
    struct es_work w = {0};
    if (!is_due())
        fail_msg("nothing is due, not even %s", want);
    assert_true(es_queue_take(q, &w));
    assert_string_equal(w.key, want);
    return w;
}

static void done(struct es_work *w)
{
    es_queue_done(q, w, -1, ES_LANE_URGENT);
}

static void assert_stats(size_t waiting, size_t delayed, size_t running)
{
    struct es_queue_stats s;
    es_queue_stats(q, &s);
    assert_int_equal(s.waiting, waiting);
    assert_int_equal(s.delayed, delayed);
    assert_int_equal(s.running, running);
}

/* ---- entries ---- */

static void test_a_key_is_there_once(void **state)
{
    struct es_queue_stats s;
    (void)state;

    for (int i = 0; i < 100; i++)
        add("ns/a", 0);
    assert_stats(1, 0, 0);
    struct es_work w = take("ns/a");
    assert_stats(0, 0, 1);
    done(&w);
    assert_stats(0, 0, 0);
    es_queue_stats(q, &s);
    assert_int_equal(s.added, 100);
}

/* What was read since the newest reason arose is fresh; time is a reason of its own. */
static void test_since_when_there_is_a_reason(void **state)
{
    (void)state;
    add("a", 0);
    fake.now_ms += 100;
    add("a", 0); /* while it waits */
    fake.now_ms += 100;
    struct es_work w = take("a");
    assert_true(w.asked);
    assert_int_equal(w.since_ms, 1000100);
    assert_int_equal(w.waited_ms, 200);

    fake.now_ms += 50;
    add("a", 0); /* while it is worked on */
    fake.now_ms += 50;
    done(&w);
    w = take("a");
    assert_true(w.asked);
    assert_int_equal(w.since_ms, 1000250);

    es_queue_done(q, &w, 5000, ES_LANE_URGENT);
    fake.now_ms += 6000;
    w = take("a");
    assert_false(w.asked);
    assert_int_equal(w.since_ms, 1005300);

    es_queue_done(q, &w, 5000, ES_LANE_URGENT);
    fake.now_ms += 6000;
    add("a", 0); /* asked for what was due anyway */
    w = take("a");
    assert_true(w.asked);
    assert_int_equal(w.since_ms, 1012300);
    done(&w);
}

static void test_one_event_may_ask_for_many(void **state)
{
    (void)state;
    fake.now_ms += 500;
    assert_int_equal(es_queue_add_since(q, 0, "a", 1000200, ES_LANE_URGENT), 0);
    assert_int_equal(es_queue_add_since(q, 0, "b", 1000200, ES_LANE_URGENT), 0);
    add("b", 0);
    assert_int_equal(es_queue_add_since(q, 0, "b", 1000100, ES_LANE_URGENT), 0); /* an older reason */
    struct es_work a = take("a"), b = take("b");
    assert_int_equal(a.since_ms, 1000200);
    assert_int_equal(b.since_ms, 1000500);
    done(&a);
    done(&b);
}

/* Asked for later, taken earlier: it cannot be fresher than now. */
static void test_no_reason_lies_in_the_future(void **state)
{
    (void)state;
    add("a", 5000);
    add("a", 0);
    struct es_work w = take("a");
    assert_int_equal(w.since_ms, 1000000);
    done(&w);
}

static void test_kinds_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(es_queue_add(q, 0, "ns/a", 0, ES_LANE_URGENT), 0);
    assert_int_equal(es_queue_add(q, 2, "ns/a", 0, ES_LANE_URGENT), 0);
    struct es_work first = take("ns/a"), second = take("ns/a");
    assert_int_equal(first.kind, 0);
    assert_int_equal(second.kind, 2);
    done(&first);
    done(&second);
}

static void test_first_in_first_out(void **state)
{
    static const char *const keys[] = {"d", "b", "a", "c"};
    (void)state;

    for (int i = 0; i < 4; i++)
        add(keys[i], 0);
    for (int i = 0; i < 4; i++) {
        struct es_work w = take(keys[i]);
        done(&w);
    }
}

static void test_the_earliest_due_time_wins(void **state)
{
    (void)state;

    add("a", 5000);
    add("a", 9000);
    fake.now_ms += 4999;
    assert_false(is_due());
    fake.now_ms += 1;
    struct es_work w = take("a");
    done(&w);

    add("a", 9000);
    add("a", 100);
    fake.now_ms += 100;
    w = take("a");
    done(&w);
    assert_stats(0, 0, 0); /* the later one is gone with it */
}

static void test_due_in_order_of_time(void **state)
{
    enum { N = 200 };
    unsigned seed = 3;
    (void)state;

    for (int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add(key, rand_r(&seed) % 10000);
        if (i % 3 == 0)
            add(key, rand_r(&seed) % 10000);
    }
    int64_t last = 0;
    fake.now_ms += 10000;
    for (int i = 0; i < N; i++) {
        struct es_work w = {0};
        assert_true(is_due() && es_queue_take(q, &w));
        int64_t due = fake.now_ms - w.waited_ms;
        assert_true(due >= last);
        last = due;
        done(&w);
    }
    assert_stats(0, 0, 0);
}

/* ---- while it runs ---- */

static void test_again_while_running(void **state)
{
    (void)state;

    add("a", 0);
    struct es_work w = take("a");
    add("a", 0);
    add("a", 0);
    assert_stats(0, 0, 1); /* one worker on a key */
    done(&w);
    assert_stats(1, 0, 0);
    w = take("a");
    done(&w);
    assert_stats(0, 0, 0);
}

static void test_what_was_asked_for_meanwhile_is_not_put_off(void **state)
{
    (void)state;

    add("a", 0);
    struct es_work w = take("a");
    add("a", 50);
    es_queue_done(q, &w, 60000, ES_LANE_CALM);
    fake.now_ms += 50;
    w = take("a");

    add("a", 60000);
    es_queue_done(q, &w, 70, ES_LANE_URGENT); /* the worker wants it sooner */
    fake.now_ms += 70;
    w = take("a");

    add("a", 0); /* an edit ends the backoff that the failure would begin */
    assert_true(es_queue_failed(q, &w, 0, ES_LANE_URGENT) >= 900);
    w = take("a");
    assert_int_equal(w.failures, 1);
    done(&w);
}

static void test_a_pass_may_ask_for_the_next(void **state)
{
    (void)state;

    add("a", 0);
    struct es_work w = take("a");
    es_queue_done(q, &w, 3600000, ES_LANE_URGENT);
    assert_stats(0, 1, 0);
    add("a", 0); /* something happened before */
    w = take("a");
    assert_stats(0, 0, 1);
    es_queue_done(q, &w, 0, ES_LANE_URGENT);
    w = take("a");
    assert_int_equal(w.waited_ms, 0);
    done(&w);
}

/* ---- failures ---- */

static int64_t fail_once(int64_t at_least_ms)
{
    struct es_work w = take("a");
    int64_t delay = es_queue_failed(q, &w, at_least_ms, ES_LANE_URGENT);
    fake.now_ms += delay - 1;
    assert_false(is_due());
    fake.now_ms += 1;
    assert_true(is_due());
    return delay;
}

static void test_backoff_doubles_up_to_seven_minutes(void **state)
{
    static const int64_t want_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 420, 420, 420};
    (void)state;

    add("a", 0);
    for (size_t i = 0; i < sizeof want_s / sizeof *want_s; i++)
        assert_int_equal(fail_once(0), want_s[i] * 1000);
    for (int i = 0; i < 100; i++) /* and no overflow, however long it lasts */
        assert_int_equal(fail_once(0), 420000);

    struct es_work w = take("a");
    assert_true(w.failures >= 12);
    es_queue_done(q, &w, 0, ES_LANE_URGENT); /* a success */
    assert_int_equal(fail_once(0), 1000);
    struct es_queue_stats s;
    es_queue_stats(q, &s);
    assert_int_equal(s.retried, 113);
}

static void test_jitter_takes_up_to_a_half(void **state)
{
    (void)state;

    add("a", 0);
    fake.random = 500; /* of 501 */
    assert_int_equal(fail_once(0), 500);
    fake.random = 57;
    assert_int_equal(fail_once(0), 2000 - 57);
    for (uint32_t r = 0; r < 20; r++) {
        fake.random = r * 214748364u + r;
        int64_t delay = fail_once(0);
        assert_true(delay >= 2000 && delay <= 420000);
    }
}

static void test_retry_after_is_a_floor(void **state)
{
    (void)state;

    add("a", 0);
    assert_int_equal(fail_once(30000), 30000);
    assert_int_equal(fail_once(500), 2000);
    assert_int_equal(fail_once(600000), 600000); /* even above our own ceiling */
}

static void test_retry_after_is_spread(void **state)
{
    static const struct {
        int64_t asked, most;
    } cases[] = {{1000, 2000}, {20000, 25000}, {600000, 630000}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake.random = (uint32_t)(cases[i].most - cases[i].asked);
        add("a", 0);
        struct es_work w = take("a");
        assert_int_equal(es_queue_failed(q, &w, cases[i].asked, ES_LANE_URGENT), cases[i].most);
        add("a", 0);
        w = take("a");
        fake.random++; /* and around: never sooner than asked */
        assert_true(es_queue_failed(q, &w, cases[i].asked, ES_LANE_URGENT) >= cases[i].asked);
        add("a", 0);
        w = take("a");
        es_queue_done(q, &w, -1, ES_LANE_URGENT);
    }
}

/* A thousand that are told the same do not all come in the same tenth of the time. */
static void test_a_thousand_do_not_come_back_at_once(void **state)
{
    enum { MANY = 1000, PARTS = 10 };
    static const int64_t asked[] = {0, 8000}; /* nothing, and a Retry-After */
    char key[16];
    (void)state;

    for (size_t a = 0; a < sizeof asked / sizeof *asked; a++) {
        int in_part[PARTS] = {0};
        const int64_t first = asked[a] ? asked[a] : 500, most = asked[a] ? 2000 : 500;
        for (int i = 0; i < MANY; i++) {
            fake.random = (uint32_t)i * 2654435761u;
            snprintf(key, sizeof key, "%zu/%d", a, i);
            add(key, 0);
            struct es_work w = take(key);
            int64_t delay = es_queue_failed(q, &w, asked[a], ES_LANE_URGENT);
            assert_in_range(delay, first, first + most);
            in_part[(delay - first) * PARTS / (most + 1)]++;
        }
        for (int p = 0; p < PARTS; p++)
            assert_in_range(in_part[p], MANY / PARTS / 2, 2 * MANY / PARTS);
    }
}

static void test_failures_are_remembered_through_an_early_try(void **state)
{
    (void)state;

    add("a", 0);
    struct es_work w = take("a");
    es_queue_failed(q, &w, 0, ES_LANE_URGENT);
    add("a", 0);
    w = take("a");
    assert_int_equal(w.failures, 1);
    assert_int_equal(es_queue_failed(q, &w, 0, ES_LANE_URGENT), 2000);
}

static void test_own_backoff_bounds(void **state)
{
    const struct es_queue_opts opts = {.clock = &clock_of_test, .backoff_base_ms = 10, .backoff_max_ms = 25};
    static const int64_t want[] = {10, 20, 25, 25};
    (void)state;

    es_queue_free(q);
    q = es_queue_new(&opts);
    add("a", 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fail_once(0), want[i]);
}

/* ---- lanes ---- */

static void test_lanes_go_in_order(void **state)
{
    (void)state;

    es_queue_add(q, 0, "calm", 0, ES_LANE_CALM);
    fake.now_ms += 1000;
    es_queue_add(q, 0, "urgent", 0, ES_LANE_URGENT);
    fake.now_ms += 1000;
    es_queue_add(q, 0, "first", 0, ES_LANE_FIRST);
    assert_true(es_queue_busy(q));
    struct es_work a = take("first"), b = take("urgent");
    assert_false(es_queue_busy(q)); /* calm work is no hurry */
    struct es_work c = take("calm");
    assert_int_equal(c.waited_ms, 2000);
    done(&a);
    done(&b);
    done(&c);
}

static void test_a_far_urgent_entry_does_not_hold_up_calm_work(void **state)
{
    (void)state;

    es_queue_add(q, 0, "urgent", 5000, ES_LANE_URGENT);
    es_queue_add(q, 0, "calm", 0, ES_LANE_CALM);
    assert_false(es_queue_busy(q));
    struct es_work w = take("calm");
    done(&w);
    fake.now_ms += 5000;
    assert_true(es_queue_busy(q));
}

static void test_an_entry_moves_to_the_better_lane(void **state)
{
    (void)state;

    es_queue_add(q, 0, "a", 8000, ES_LANE_CALM);
    es_queue_add(q, 0, "b", 0, ES_LANE_URGENT);
    es_queue_add(q, 0, "a", 9000, ES_LANE_FIRST); /* lane of this, time of that */
    fake.now_ms += 8000;
    struct es_work w = take("a");
    done(&w);
    w = take("b");
    es_queue_add(q, 0, "b", 0, ES_LANE_CALM);
    es_queue_add(q, 0, "b", 0, ES_LANE_FIRST);
    es_queue_add(q, 0, "b", 0, ES_LANE_URGENT);
    es_queue_add(q, 0, "c", 0, ES_LANE_URGENT);
    done(&w);
    w = take("b");
    done(&w);
    w = take("c");
    done(&w);
}

static void test_an_urgent_call_lifts_a_calm_housekeeping_pass(void **state)
{
    (void)state;

    add("a", 0);
    add("b", 0);
    struct es_work w = take("a");
    es_queue_done(q, &w, 0, ES_LANE_CALM);
    add("a", 0);
    w = take("b");
    done(&w);
    assert_true(es_queue_busy(q));
    w = take("a");
    done(&w);
}

static void test_calm_work_leaves_workers_free(void **state)
{
    struct es_queue_stats s;
    (void)state;

    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof key, "calm%d", i);
        es_queue_add(q, 0, key, 0, ES_LANE_CALM);
    }
    struct es_work a = take("calm0"), b = take("calm1");
    es_queue_stats(q, &s);
    assert_int_equal(s.waiting, 3); /* due, but two are enough */
    add("urgent", 0);
    struct es_work c = take("urgent");
    done(&a);
    a = take("calm2");
    done(&a);
    done(&b);
    a = take("calm3");
    b = take("calm4");
    done(&a);
    done(&b);
    done(&c);
    assert_stats(0, 0, 0);
}

/* ---- the end ---- */

static void test_stop_forgets_what_comes_later(void **state)
{
    struct es_work w = {0}, none;
    (void)state;

    add("a", 0);
    add("b", 0);
    w = take("a");
    es_queue_stop(q);
    assert_false(es_queue_take(q, &none));
    assert_int_equal(es_queue_add(q, 0, "c", 0, ES_LANE_URGENT), 0);
    es_queue_done(q, &w, 0, ES_LANE_URGENT);
    assert_stats(1, 0, 0); /* b: nobody takes it any more */
    assert_false(es_queue_take(q, &none));
}

/* Ten thousand objects sleep here until their interval is over. */
static void test_an_entry_takes_little(void **state)
{
    enum { COUNT = 10000, MOST = 112 };
    size_t before = live_bytes;
    (void)state;

    for (int n = 0; n < COUNT; n++) {
        char key[64];
        snprintf(key, sizeof key, "team-%02d/app-%06d", n % 50, n);
        add(key, 3600000);
    }
    size_t each = (live_bytes - before) / COUNT;
    if (each > MOST)
        fail_msg("%zu bytes for an entry", each);
}

/* Nothing is half in the queue when memory runs out, and what was in it stays. */
static void test_each_allocation_fails_once(void **state)
{
    struct es_work work;
    (void)state;

    for (size_t n = 0;; n++) {
        failed_one = false;
        until_failure = n;
        int rc = 0;
        for (int i = 0; i < 100 && rc == 0; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%zu-%d", n, i);
            rc = es_queue_add(q, 0, key, 0, ES_LANE_URGENT);
        }
        until_failure = SIZE_MAX;
        assert_int_equal(rc, failed_one ? ES_E_NOMEM : 0);
        add("last", 0);
        do
            assert_true(es_queue_take(q, &work));
        while (es_queue_done(q, &work, -1, ES_LANE_URGENT), is_due());
        if (!failed_one)
            break;
        assert_true(n < 500);
    }
}

static void test_keys_have_a_ceiling(void **state)
{
    char key[1000];
    (void)state;

    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    assert_true(es_queue_add(q, 0, key, 0, ES_LANE_URGENT) < 0);
    key[253 + 1 + 253] = '\0'; /* the longest namespace and name there are */
    add(key, 0);
    struct es_work w = take(key);
    done(&w);
}

/* ---- threads, on the real clock ---- */

enum { KEYS = 40, TAKERS = 6, ADDERS = 3, ADDS = 4000 };

struct crowd {
    struct es_queue *q;
    int working[KEYS];            /* how many workers are on a key: never more than one */
    int wanted[KEYS], seen[KEYS]; /* a serial of what was asked for, and the newest that a pass began with */
    int passes, overlaps;
    unsigned seed;
};

static void *take_much(void *ctx)
{
    struct crowd *c = ctx;
    struct es_work w;
    unsigned seed = __atomic_add_fetch(&c->seed, 1, __ATOMIC_SEQ_CST);

    while (es_queue_take(c->q, &w)) {
        int i = atoi(w.key);
        if (__atomic_add_fetch(&c->working[i], 1, __ATOMIC_SEQ_CST) != 1)
            __atomic_add_fetch(&c->overlaps, 1, __ATOMIC_SEQ_CST);
        int wanted = __atomic_load_n(&c->wanted[i], __ATOMIC_SEQ_CST);
        if (rand_r(&seed) % 8 == 0)
            usleep((useconds_t)(rand_r(&seed) % 100));
        __atomic_store_n(&c->seen[i], wanted, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&c->passes, 1, __ATOMIC_SEQ_CST);
        __atomic_sub_fetch(&c->working[i], 1, __ATOMIC_SEQ_CST);
        switch (rand_r(&seed) % 6) {
        case 0:
            es_queue_failed(c->q, &w, 0, ES_LANE_URGENT);
            break;
        case 1:
            es_queue_done(c->q, &w, rand_r(&seed) % 5, ES_LANE_CALM);
            break;
        default:
            es_queue_done(c->q, &w, -1, ES_LANE_URGENT);
        }
    }
    return NULL;
}

static void *add_much(void *ctx)
{
    struct crowd *c = ctx;
    unsigned seed = __atomic_add_fetch(&c->seed, 1, __ATOMIC_SEQ_CST);

    for (int n = 0; n < ADDS; n++) {
        int i = rand_r(&seed) % KEYS;
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        __atomic_add_fetch(&c->wanted[i], 1, __ATOMIC_SEQ_CST);
        es_queue_add(c->q, 0, key, rand_r(&seed) % 4 ? 0 : rand_r(&seed) % 3, (enum es_lane)(n % ES_LANES));
        if (n % 64 == 0)
            usleep(200);
    }
    return NULL;
}

static bool comes_to_rest(struct es_queue *queue, int patience_ms)
{
    struct es_queue_stats s;
    do {
        es_queue_stats(queue, &s);
        if (!s.waiting && !s.delayed && !s.running)
            return true;
        usleep(1000);
    } while (patience_ms--);
    return false;
}

static void test_a_crowd(void **state)
{
    const struct es_queue_opts opts = {.backoff_base_ms = 2, .backoff_max_ms = 4};
    struct crowd c = {.q = es_queue_new(&opts)};
    pthread_t takers[TAKERS], adders[ADDERS];
    (void)state;

    assert_non_null(c.q);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take_much, &c), 0);
    for (int i = 0; i < ADDERS; i++)
        assert_int_equal(pthread_create(&adders[i], NULL, add_much, &c), 0);
    for (int i = 0; i < ADDERS; i++)
        pthread_join(adders[i], NULL);
    assert_true(comes_to_rest(c.q, 20000));
    es_queue_stop(c.q);
    for (int i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    assert_int_equal(c.overlaps, 0);
    assert_true(c.passes > KEYS);
    for (int i = 0; i < KEYS; i++) /* no ask was lost: a pass began after the last one */
        assert_int_equal(c.seen[i], c.wanted[i]);
    es_queue_free(c.q);
}

struct sleeper {
    struct es_queue *q;
    int64_t taken_ms; /* 0: not yet */
    char key[16];
    bool stopped;
    int work_ms;
};

static void *take_one(void *ctx)
{
    struct sleeper *s = ctx;
    struct es_work w;

    if (!es_queue_take(s->q, &w)) {
        s->stopped = true;
        return NULL;
    }
    __atomic_store_n(&s->taken_ms, es_mono_ms(), __ATOMIC_SEQ_CST);
    snprintf(s->key, sizeof s->key, "%s", w.key);
    usleep((useconds_t)s->work_ms * 1000);
    es_queue_done(s->q, &w, -1, ES_LANE_URGENT);
    return NULL;
}

/* Two takers wait; the one that waits for the far due time is woken for
 * something else and works long. The other has to take over its watch. */
static void test_no_due_time_is_slept_through(void **state)
{
    struct es_queue *real = es_queue_new(NULL);
    struct sleeper a = {.q = real, .work_ms = 600}, b = {.q = real, .work_ms = 600};
    pthread_t ta, tb;
    (void)state;

    assert_non_null(real);
    assert_int_equal(pthread_create(&ta, NULL, take_one, &a), 0);
    assert_int_equal(pthread_create(&tb, NULL, take_one, &b), 0);
    usleep(50000); /* both wait without an end */
    int64_t start = es_mono_ms();
    es_queue_add(real, 0, "later", 200, ES_LANE_URGENT); /* one of them watches the time now */
    usleep(20000);
    es_queue_add(real, 0, "now", 0, ES_LANE_URGENT); /* either may be woken for this */
    pthread_join(ta, NULL);
    pthread_join(tb, NULL);
    const struct sleeper *later = strcmp(a.key, "later") == 0 ? &a : &b;
    assert_string_equal(later->key, "later");
    assert_true(later->taken_ms - start >= 199);
    assert_true(later->taken_ms - start < 550); /* not when the other was done */
    es_queue_free(real);
}

static void *take_all(void *ctx)
{
    struct es_work w;

    while (es_queue_take(ctx, &w))
        es_queue_done(ctx, &w, -1, ES_LANE_URGENT);
    return NULL;
}

/* What falls due wakes one worker, and another one that watches the time after
 * it: not the whole crowd. */
static void test_a_due_time_wakes_no_crowd(void **state)
{
    enum { CROWD = 24, DUE = 40 };
    struct es_queue *real = es_queue_new(NULL);
    struct es_queue_stats stats;
    pthread_t crowd[CROWD];
    char key[16];
    (void)state;

    assert_non_null(real);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&crowd[i], NULL, take_all, real), 0);
    usleep(50000);
    for (int i = 0; i < DUE; i++) {
        snprintf(key, sizeof key, "%d", i);
        es_queue_add(real, 0, key, 100 + i * 5, ES_LANE_URGENT);
    }
    assert_true(comes_to_rest(real, 20000));
    es_queue_stats(real, &stats);
    assert_true(stats.wakeups < 4 * DUE);
    es_queue_stop(real);
    for (int i = 0; i < CROWD; i++)
        pthread_join(crowd[i], NULL);
    es_queue_free(real);
}

static void test_an_earlier_entry_wakes_who_waits_for_a_far_one(void **state)
{
    struct es_queue *real = es_queue_new(NULL);
    struct sleeper a = {.q = real};
    pthread_t t;
    (void)state;

    assert_non_null(real);
    es_queue_add(real, 0, "far", 3600000, ES_LANE_URGENT);
    assert_int_equal(pthread_create(&t, NULL, take_one, &a), 0);
    usleep(50000);
    int64_t start = es_mono_ms();
    es_queue_add(real, 0, "near", 30, ES_LANE_CALM);
    pthread_join(t, NULL);
    assert_string_equal(a.key, "near");
    assert_true(a.taken_ms - start < 5000);
    es_queue_free(real);
}

static void test_stop_wakes_everybody(void **state)
{
    struct es_queue *real = es_queue_new(NULL);
    struct sleeper s[4] = {{.q = real}, {.q = real}, {.q = real}, {.q = real}};
    pthread_t t[4];
    (void)state;

    assert_non_null(real);
    es_queue_add(real, 0, "far", 3600000, ES_LANE_URGENT);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, take_one, &s[i]), 0);
    usleep(30000);
    es_queue_stop(real);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        assert_true(s[i].stopped);
    }
    es_queue_free(real);
}

#define WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_QUEUE(test_a_key_is_there_once),
        WITH_QUEUE(test_since_when_there_is_a_reason),
        WITH_QUEUE(test_one_event_may_ask_for_many),
        WITH_QUEUE(test_no_reason_lies_in_the_future),
        WITH_QUEUE(test_kinds_do_not_mix),
        WITH_QUEUE(test_first_in_first_out),
        WITH_QUEUE(test_the_earliest_due_time_wins),
        WITH_QUEUE(test_due_in_order_of_time),
        WITH_QUEUE(test_again_while_running),
        WITH_QUEUE(test_what_was_asked_for_meanwhile_is_not_put_off),
        WITH_QUEUE(test_a_pass_may_ask_for_the_next),
        WITH_QUEUE(test_backoff_doubles_up_to_seven_minutes),
        WITH_QUEUE(test_jitter_takes_up_to_a_half),
        WITH_QUEUE(test_retry_after_is_a_floor),
        WITH_QUEUE(test_retry_after_is_spread),
        WITH_QUEUE(test_a_thousand_do_not_come_back_at_once),
        WITH_QUEUE(test_failures_are_remembered_through_an_early_try),
        WITH_QUEUE(test_own_backoff_bounds),
        WITH_QUEUE(test_lanes_go_in_order),
        WITH_QUEUE(test_a_far_urgent_entry_does_not_hold_up_calm_work),
        WITH_QUEUE(test_an_entry_moves_to_the_better_lane),
        WITH_QUEUE(test_an_urgent_call_lifts_a_calm_housekeeping_pass),
        WITH_QUEUE(test_calm_work_leaves_workers_free),
        WITH_QUEUE(test_stop_forgets_what_comes_later),
        WITH_QUEUE(test_keys_have_a_ceiling),
        WITH_QUEUE(test_an_entry_takes_little),
        WITH_QUEUE(test_each_allocation_fails_once),
        cmocka_unit_test(test_a_crowd),
        cmocka_unit_test(test_no_due_time_is_slept_through),
        cmocka_unit_test(test_a_due_time_wakes_no_crowd),
        cmocka_unit_test(test_an_earlier_entry_wakes_who_waits_for_a_far_one),
        cmocka_unit_test(test_stop_wakes_everybody),
    };
    es_queue_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
