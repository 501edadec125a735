/* Shared reads: who is served by which, what is kept, and that nobody suffers
 * from somebody else's failure. The first half owns the clock; the second half
 * runs threads. */
#include "probe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/locked.h"
#include "core/base/text.h"
#include "core/plugin/reads.h"

#define WINDOW_MS 10000

static int64_t now_ms;

static int64_t test_now(void *ctx)
{
    (void)ctx;
    return __atomic_load_n(&now_ms, __ATOMIC_SEQ_CST);
}

static const struct es_clock test_clock = {.mono_ms = test_now, .unix_ms = test_now};

static struct es_metrics *metrics;
static struct es_reads *reads;
static int made;            /* reads that were really made; atomic */
static int next_result;     /* how they end */
static int pause_ms;        /* how long they take */
static const char *content; /* what they find */

static int setup_with(size_t max_bytes)
{
    const struct es_reads_opts opts = {
        .clock = &test_clock, .window_ms = WINDOW_MS, .max_bytes = max_bytes, .metrics = metrics};

    now_ms = 1000000;
    made = next_result = pause_ms = 0;
    content = "first";
    return es_reads_new(&reads, &opts, NULL);
}

static int setup(void **state)
{
    (void)state;
    metrics = es_metrics_new();
    return setup_with(0);
}

static int teardown(void **state)
{
    (void)state;
    es_reads_free(reads);
    es_metrics_free(metrics);
    return 0;
}

static int fetch(void *ctx, struct es_values *ret, struct es_error *err)
{
    (void)ctx;
    int result = __atomic_load_n(&next_result, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
    usleep((useconds_t)pause_ms * 1000);
    if (result < 0)
        return es_error_set(err, result, "no answer");
    return es_values_set(ret, "", content, strlen(content));
}

static struct es_read_call call_of(const char *key)
{
    return (struct es_read_call){.key = key,
                                 .provider = "probe",
                                 .operation = "get",
                                 .deadline_ms = es_mono_ms() + 20000,
                                 .read = fetch};
}

static int run(struct es_reading *g, const char *key, struct es_values *ret, struct es_error *err)
{
    const struct es_read_call call = call_of(key);
    return es_reads_run(g, &call, ret, err);
}

/* Reads `key` in a pass of its own, due at `since_ms`, and expects this. */
static void expect(const char *key, int64_t since_ms, bool others, const char *value)
{
    struct es_reading g = {.reads = reads, .since_ms = since_ms, .others = others, .again = !others};
    struct es_values found = {0};
    struct es_error err = ES_ERROR_INIT;

    if (run(&g, key, &found, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].blob.len, strlen(value));
    assert_memory_equal(found.items[0].blob.ptr, value, strlen(value));
    es_values_fini(&found);
    es_reading_end(&g);
}

static bool page_says(const char *line)
{
    struct es_buf page;

    es_buf_init(&page, 1 << 20);
    es_metrics_write(metrics, &page);
    bool says = strstr(es_buf_str(&page), line) != NULL;
    es_buf_fini(&page);
    return says;
}

/* ---- what serves whom ---- */

static void test_a_read_serves_who_was_due_before_it_began(void **state)
{
    (void)state;
    expect("k", now_ms, true, "first");
    content = "second";
    now_ms += 5000;
    expect("k", 1000000, true, "first");
    expect("k", 999000, true, "first");
    assert_int_equal(made, 1);
    assert_true(page_says(
        "esod_provider_reads_shared_total{provider=\"probe\",operation=\"get\",how=\"window\"} 2\n"));
}

static void test_who_was_asked_later_reads_again_and_serves_others_from_then_on(void **state)
{
    (void)state;
    expect("k", now_ms, true, "first");
    content = "second";
    now_ms += 1;
    expect("k", 1000001, true, "second");
    expect("k", 1000000, true, "second"); /* what is newer is as good */
    assert_int_equal(made, 2);
}

static void test_other_keys_are_other_reads(void **state)
{
    (void)state;
    expect("k", now_ms, true, "first");
    content = "second";
    expect("l", now_ms, true, "second");
    assert_int_equal(made, 2);
}

static void test_a_missing_secret_is_an_answer(void **state)
{
    struct es_reading g = {.reads = reads, .since_ms = now_ms, .others = true};
    struct es_values found = {0};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    next_result = ES_E_NOT_FOUND;
    for (int i = 0; i < 3; i++) {
        assert_error(run(&g, "k", &found, &err), &err, ES_E_NOT_FOUND, "no answer");
        assert_int_equal(found.count, 0);
    }
    assert_int_equal(made, 1);
}

static void test_a_failure_is_not_kept(void **state)
{
    struct es_reading g = {.reads = reads, .since_ms = now_ms, .others = true, .again = true};
    struct es_values found = {0};
    struct es_error err = ES_ERROR_INIT;
    static const int codes[] = {ES_E_DENIED, ES_E_RETRY, ES_E_CANCELLED};
    (void)state;

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        next_result = codes[i];
        assert_error(run(&g, "k", &found, &err), &err, codes[i], "no answer");
        assert_int_equal(found.count, 0);
    }
    es_reading_end(&g);
    next_result = 0;
    expect("k", now_ms, true, "first");
    assert_int_equal(made, 4);
}

static void test_a_map_comes_back_as_it_was(void **state)
{
    struct es_reading g = {.reads = reads, .others = true};
    struct es_values found = {0};
    (void)state;

    content = "";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run(&g, "empty value", &found, NULL), 0);
        assert_int_equal(found.count, 1);
        assert_string_equal(found.items[0].key, "");
        assert_int_equal(found.items[0].blob.len, 0);
        es_values_fini(&found);
    }
    assert_int_equal(made, 1);
}

static int fetch_map(void *ctx, struct es_values *ret, struct es_error *err)
{
    static const char *const keys[] = {"a", "b c", "z"};
    (void)ctx;
    (void)err;
    made++;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(es_values_set(ret, keys[i], "\0bytes\xff", i * 3), 0);
    return 0;
}

static int fetch_nothing(void *ctx, struct es_values *ret, struct es_error *err)
{
    (void)ctx;
    (void)ret;
    (void)err;
    made++;
    return 0;
}

static void test_bytes_and_lengths_survive(void **state)
{
    struct es_reading g = {.reads = reads, .others = true};
    struct es_read_call call = call_of("m");
    struct es_values mine = {0}, shared = {0};
    (void)state;

    call.read = fetch_map;
    assert_int_equal(es_reads_run(&g, &call, &mine, NULL), 0);
    assert_int_equal(es_reads_run(&g, &call, &shared, NULL), 0);
    assert_int_equal(shared.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(shared.items[i].key, mine.items[i].key);
        assert_true(es_blob_equal(&shared.items[i].blob, &mine.items[i].blob));
    }
    es_values_fini(&mine);
    es_values_fini(&shared);
    call = call_of("n");
    call.read = fetch_nothing; /* a find that finds nothing */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(es_reads_run(&g, &call, &shared, NULL), 0);
        assert_int_equal(shared.count, 0);
    }
    assert_int_equal(made, 2);
}

/* ---- what is kept ---- */

static void test_a_pass_holds_what_it_wants_again(void **state)
{
    struct es_reading g = {.reads = reads, .since_ms = now_ms, .again = true};
    struct es_values found = {0};
    (void)state;

    assert_true(es_reading_shares(&g));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(&g, "k", &found, NULL), 0);
        es_values_fini(&found);
    }
    assert_int_equal(made, 1);
    assert_int_equal(es_reads_bytes(reads), es_locked_cost(1));
    assert_true(
        page_says("esod_provider_reads_shared_total{provider=\"probe\",operation=\"get\",how=\"pass\"} 2\n"));
    es_reading_end(&g);
    assert_int_equal(es_reads_bytes(reads), 0); /* and not longer */
    expect("k", 0, false, "first");
    assert_int_equal(made, 2);
}

static void test_what_nobody_else_wants_is_not_shared(void **state)
{
    const struct es_reading alone = {.reads = reads}, nowhere = {.others = true};
    (void)state;
    assert_false(es_reading_shares(&alone));
    assert_false(es_reading_shares(&nowhere));
    assert_false(es_reading_shares(NULL));
}

static void test_an_answer_is_wiped_when_the_window_is_over(void **state)
{
    (void)state;
    expect("k", now_ms, true, "first");
    now_ms += WINDOW_MS - 1;
    es_reads_sweep(reads, INT64_MAX);
    assert_int_not_equal(es_reads_bytes(reads), 0);
    now_ms += 1;
    es_reads_sweep(reads, 1000000 + 1); /* who waits was due after the read began */
    assert_int_equal(es_reads_bytes(reads), 0);
    expect("k", 0, true, "first");
    assert_int_equal(made, 2);
}

static void test_who_waits_in_the_queue_finds_it_after_the_window_too(void **state)
{
    (void)state;
    expect("k", now_ms, true, "first");
    now_ms += 59999;
    es_reads_sweep(reads, 1000000);
    expect("k", 1000000, true, "first");
    assert_int_equal(made, 1);
    now_ms += 1; /* but not for ever */
    es_reads_sweep(reads, 1000000);
    assert_int_equal(es_reads_bytes(reads), 0);
}

static void test_the_oldest_goes_when_there_is_too_much(void **state)
{
    char key[8];
    (void)state;

    es_reads_free(reads);
    assert_int_equal(setup_with(3 * es_locked_cost(1)), 0);
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "k%d", i);
        expect(key, now_ms, true, "first");
    }
    assert_int_equal(es_reads_bytes(reads), 3 * es_locked_cost(1));
    expect("k4", now_ms, true, "first");
    expect("k2", now_ms, true, "first");
    assert_int_equal(made, 5);
    expect("k1", now_ms, true, "first");
    assert_int_equal(made, 6);
}

static void test_one_answer_larger_than_all_room_is_used_and_not_kept(void **state)
{
    static char large[3 << 12];
    (void)state;

    es_reads_free(reads);
    assert_int_equal(setup_with(es_locked_cost(1)), 0);
    memset(large, 'x', sizeof large - 1);
    content = large;
    expect("k", now_ms, true, large);
    assert_int_equal(es_reads_bytes(reads), 0);
}

static void test_a_store_that_changed_takes_its_answers_along(void **state)
{
    (void)state;
    expect("SecretStore/a/s|1|get|k", now_ms, true, "first");
    expect("SecretStore/a/s2|1|get|k", now_ms, true, "first");
    es_reads_forget(reads, "SecretStore/a/s|");
    assert_int_equal(es_reads_bytes(reads), es_locked_cost(1));
    expect("SecretStore/a/s|1|get|k", now_ms, true, "first");
    expect("SecretStore/a/s2|1|get|k", now_ms, true, "first");
    assert_int_equal(made, 3);
    es_reads_forget(NULL, "");
}

/* ---- threads ---- */

struct reader {
    pthread_t thread;
    int64_t wait_ms;
    const bool *cancelled;
    int rc;
    size_t count;
};

static void *read_along(void *arg)
{
    struct reader *r = arg;
    struct es_reading g = {.reads = reads, .since_ms = 1000000, .others = true};
    struct es_values found = {0};
    struct es_error err = ES_ERROR_INIT;
    struct es_read_call call = call_of("k");

    call.deadline_ms = es_mono_ms() + r->wait_ms;
    call.cancelled = r->cancelled;
    r->rc = es_reads_run(&g, &call, &found, &err);
    r->count = found.count;
    es_values_fini(&found);
    es_reading_end(&g);
    return NULL;
}

static void begin(struct reader *r)
{
    assert_int_equal(pthread_create(&r->thread, NULL, read_along, r), 0);
}

static void until_made(int count)
{
    int64_t end = es_mono_ms() + 10000;
    while (__atomic_load_n(&made, __ATOMIC_SEQ_CST) < count && es_mono_ms() < end)
        usleep(500);
    assert_true(__atomic_load_n(&made, __ATOMIC_SEQ_CST) >= count);
}

static void test_all_wait_for_the_one_under_way(void **state)
{
    struct reader readers[16] = {{0}};
    (void)state;

    pause_ms = 150;
    for (int i = 0; i < 16; i++) {
        readers[i].wait_ms = 20000;
        begin(&readers[i]);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].rc, 0);
        assert_int_equal(readers[i].count, 1);
    }
    assert_int_equal(made, 1);
}

static void test_a_failure_goes_to_all_who_wait(void **state)
{
    struct reader readers[8] = {{0}};
    (void)state;

    pause_ms = 200;
    next_result = ES_E_DENIED;
    readers[0].wait_ms = 20000;
    begin(&readers[0]);
    until_made(1);
    for (int i = 1; i < 8; i++) {
        readers[i].wait_ms = 20000;
        begin(&readers[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].rc, ES_E_DENIED);
    }
    /* Who came when it had failed already has asked again. */
    assert_in_range(made, 1, 7);
    assert_int_equal(es_reads_bytes(reads), 0);
}

/* The first one's time ends while it reads; the second does not share that fate. */
static void test_who_gives_up_fails_nobody_else(void **state)
{
    struct reader hasty = {.wait_ms = 1}, patient = {.wait_ms = 20000};
    (void)state;

    pause_ms = 300;
    next_result = ES_E_RETRY; /* how its transport saw it */
    begin(&hasty);
    until_made(1);
    __atomic_store_n(&next_result, 0, __ATOMIC_SEQ_CST);
    begin(&patient);
    pthread_join(hasty.thread, NULL);
    pthread_join(patient.thread, NULL);
    assert_int_equal(hasty.rc, ES_E_RETRY);
    assert_int_equal(patient.rc, 0);
    assert_int_equal(patient.count, 1);
    assert_int_equal(made, 2);
}

static void test_a_cancelled_read_is_made_again_by_the_next(void **state)
{
    struct reader first = {.wait_ms = 20000}, second = {.wait_ms = 20000};
    (void)state;

    pause_ms = 300;
    next_result = ES_E_CANCELLED;
    begin(&first);
    until_made(1);
    __atomic_store_n(&next_result, 0, __ATOMIC_SEQ_CST);
    begin(&second);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_int_equal(first.rc, ES_E_CANCELLED);
    assert_int_equal(second.rc, 0);
    assert_int_equal(made, 2);
}

static void test_who_waits_keeps_to_his_own_time(void **state)
{
    struct reader slow = {.wait_ms = 20000}, hasty = {.wait_ms = 50}, stopped = {.wait_ms = 20000};
    bool cancelled = false;
    (void)state;

    stopped.cancelled = &cancelled;
    pause_ms = 800;
    begin(&slow);
    until_made(1);
    int64_t began_ms = es_mono_ms();
    begin(&hasty);
    begin(&stopped);
    pthread_join(hasty.thread, NULL);
    __atomic_store_n(&cancelled, true, __ATOMIC_RELAXED);
    pthread_join(stopped.thread, NULL);
    assert_in_range(es_mono_ms() - began_ms, 50, 790);
    assert_int_equal(hasty.rc, ES_E_CANCELLED);
    assert_int_equal(stopped.rc, ES_E_CANCELLED);
    pthread_join(slow.thread, NULL);
    assert_int_equal(slow.rc, 0);
    assert_int_equal(made, 1);
}

/* A store is written to while somebody reads: who comes afterwards reads again. */
static void test_a_read_under_way_is_forgotten_too(void **state)
{
    struct reader first = {.wait_ms = 20000}, second = {.wait_ms = 20000};
    (void)state;

    pause_ms = 200;
    begin(&first);
    until_made(1);
    es_reads_forget(reads, "k");
    begin(&second);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_int_equal(first.rc, 0);
    assert_int_equal(second.rc, 0);
    assert_int_equal(made, 2);
}

static void *churn(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    char key[16];

    for (int n = 0; n < 400; n++) {
        struct es_reading g = {.reads = reads,
                               .since_ms = test_now(NULL) - rand_r(&seed) % 3,
                               .again = rand_r(&seed) % 2,
                               .others = rand_r(&seed) % 2};
        for (int i = 0; i < 3; i++) {
            struct es_values found = {0};
            snprintf(key, sizeof key, "k%d", rand_r(&seed) % 4);
            if (run(&g, key, &found, NULL) == 0)
                assert_int_equal(found.count, 1);
            es_values_fini(&found);
        }
        es_reading_end(&g);
        if (rand_r(&seed) % 8 == 0)
            es_reads_forget(reads, "k1");
        if (rand_r(&seed) % 8 == 0)
            es_reads_sweep(reads, INT64_MAX);
        __atomic_add_fetch(&now_ms, rand_r(&seed) % 2, __ATOMIC_SEQ_CST);
        __atomic_store_n(&next_result, rand_r(&seed) % 4 ? 0 : ES_E_CANCELLED, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    pthread_t threads[8];
    (void)state;

    es_reads_free(reads);
    assert_int_equal(setup_with(2 * es_locked_cost(1)), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(es_reads_bytes(reads), 0, 2 * es_locked_cost(1));
    es_reads_forget(reads, "");
    assert_int_equal(es_reads_bytes(reads), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_read_serves_who_was_due_before_it_began),
        T(test_who_was_asked_later_reads_again_and_serves_others_from_then_on),
        T(test_other_keys_are_other_reads),
        T(test_a_missing_secret_is_an_answer),
        T(test_a_failure_is_not_kept),
        T(test_a_map_comes_back_as_it_was),
        T(test_bytes_and_lengths_survive),
        T(test_a_pass_holds_what_it_wants_again),
        T(test_what_nobody_else_wants_is_not_shared),
        T(test_an_answer_is_wiped_when_the_window_is_over),
        T(test_who_waits_in_the_queue_finds_it_after_the_window_too),
        T(test_the_oldest_goes_when_there_is_too_much),
        T(test_one_answer_larger_than_all_room_is_used_and_not_kept),
        T(test_a_store_that_changed_takes_its_answers_along),
        T(test_all_wait_for_the_one_under_way),
        T(test_a_failure_goes_to_all_who_wait),
        T(test_who_gives_up_fails_nobody_else),
        T(test_a_cancelled_read_is_made_again_by_the_next),
        T(test_who_waits_keeps_to_his_own_time),
        T(test_a_read_under_way_is_forgotten_too),
        T(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
