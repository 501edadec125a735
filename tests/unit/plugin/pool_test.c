/* Opened stores that are shared: opened once, closed when nobody uses them. */
#include "probe.h"

#include <pthread.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/plugin/pool.h"

static struct es_registry *registry;
static struct es_authority who;
static struct es_pool *pool;
static int open_delay_ms, open_result;

static int setup(void **state)
{
    (void)state;
    probe_reset();
    registry = probe_registry(NULL);
    who = probe_who("{}");
    open_delay_ms = 0;
    open_result = 0;
    return es_pool_new(&pool, NULL);
}

static int teardown(void **state)
{
    (void)state;
    es_pool_free(pool);
    assert_int_equal(probe_opened, probe_closed); /* nothing is left open, ever */
    es_registry_free(registry);
    probe_who_free(&who);
    return 0;
}

static void nap(int ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static int attempts;

static int open_store(void *ctx, struct es_instance **ret, struct es_error *err)
{
    assert_ptr_equal(ctx, &who);
    __atomic_add_fetch(&attempts, 1, __ATOMIC_SEQ_CST);
    nap(open_delay_ms);
    int result = __atomic_load_n(&open_result, __ATOMIC_SEQ_CST);
    if (result < 0)
        return es_error_set(err, result, "cannot log in");
    return es_instance_open(ret, registry, es_registry_provider(registry, "probe"), &who, NULL, err);
}

static struct es_instance *borrow(const char *key, uint64_t version)
{
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;
    if (es_pool_borrow(pool, key, version, open_store, &who, &i, &err) < 0)
        fail_msg("%s", err.text);
    return i;
}

static void test_one_opening_for_many(void **state)
{
    (void)state;
    struct es_instance *a = borrow("team/store", 1);
    assert_ptr_equal(borrow("team/store", 1), a);
    struct es_instance *b = borrow("team/other", 1);
    assert_ptr_not_equal(a, b);
    assert_int_equal(probe_opened, 2);
    es_pool_return(pool, a);
    es_pool_return(pool, a);
    es_pool_return(pool, b);
    es_pool_return(pool, NULL);
    assert_int_equal(probe_closed, 0); /* kept for the next one */
    assert_ptr_equal(borrow("team/store", 1), a);
    es_pool_return(pool, a);
    assert_int_equal(es_pool_count(pool), 2);
}

static void test_another_version_replaces(void **state)
{
    (void)state;
    struct es_instance *old = borrow("team/store", 1);
    struct es_instance *new = borrow("team/store", 2);
    assert_ptr_not_equal(old, new);
    assert_int_equal(es_pool_count(pool), 2);
    assert_int_equal(probe_closed, 0); /* somebody works with the old one */
    es_pool_return(pool, old);
    assert_int_equal(probe_closed, 1);
    es_pool_return(pool, new);
    assert_int_equal(probe_closed, 1);
    new = borrow("team/store", 3); /* nobody used "2": closed at once */
    assert_int_equal(probe_closed, 2);
    es_pool_return(pool, new);
    assert_int_equal(es_pool_count(pool), 1);
}

/* Two that are asked for in turn must not replace each other. */
static void test_a_late_comer_does_not_replace(void **state)
{
    struct es_instance *late = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    struct es_instance *new = borrow("team/store", 2);
    for (int i = 0; i < 3; i++) {
        int rc = es_pool_borrow(pool, "team/store", 1, open_store, &who, &late, &err);
        assert_error(rc, &err, ES_E_CONFLICT, "the store was changed meanwhile");
        assert_null(late);
        assert_ptr_equal(borrow("team/store", 2), new);
        es_pool_return(pool, new);
    }
    es_pool_return(pool, new);
    assert_int_equal(probe_opened, 1);
    es_pool_return(pool, borrow("team/other", 1)); /* another key has versions of its own */

    es_pool_drop(pool, "team/store"); /* where nothing is open, there is nothing to protect */
    es_pool_return(pool, borrow("team/store", 1));
    assert_int_equal(probe_opened, 3);
}

static void test_drop_and_sweep(void **state)
{
    (void)state;
    struct es_instance *a = borrow("team/store/x", 1);
    struct es_instance *b = borrow("team/store/y", 1);
    struct es_instance *c = borrow("team/stork", 1);
    es_pool_return(pool, b);
    es_pool_drop(pool, "team/store/");
    assert_int_equal(probe_closed, 1); /* b; a is in use */
    es_pool_return(pool, a);
    assert_int_equal(probe_closed, 2);
    es_pool_sweep(pool, 0);
    assert_int_equal(probe_closed, 2); /* c is in use */
    es_pool_return(pool, c);
    es_pool_sweep(pool, 60000);
    assert_int_equal(probe_closed, 2); /* not idle long enough */
    nap(20);
    es_pool_sweep(pool, 10);
    assert_int_equal(probe_closed, 3);
    assert_int_equal(es_pool_count(pool), 0);
    es_pool_sweep(pool, 0);
}

/* ---- threads ---- */

struct borrower {
    pthread_t thread;
    uint64_t version;
    struct es_instance *instance;
    struct es_error err;
    int rc;
};

static void *borrow_here(void *arg)
{
    struct borrower *b = arg;
    b->rc = es_pool_borrow(pool, "team/store", b->version, open_store, &who, &b->instance, &b->err);
    return NULL;
}

static void start(struct borrower *list, size_t count, uint64_t version)
{
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct borrower){.version = version};
        assert_int_equal(pthread_create(&list[i].thread, NULL, borrow_here, &list[i]), 0);
    }
}

static void join(struct borrower *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(list[i].thread, NULL);
}

static void test_others_wait_for_the_opening(void **state)
{
    struct borrower list[8];
    (void)state;

    attempts = 0;
    open_delay_ms = 50;
    start(list, 8, 1);
    join(list, 8);
    assert_int_equal(attempts, 1);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(list[i].rc, 0);
        assert_ptr_equal(list[i].instance, list[0].instance);
        es_pool_return(pool, list[i].instance);
    }
}

static void test_a_failure_is_shared_and_forgotten(void **state)
{
    struct borrower list[8];
    (void)state;

    attempts = 0;
    open_delay_ms = 100;
    open_result = ES_E_DENIED;
    start(list, 8, 1);
    join(list, 8);
    /* Who came after the first attempt had ended made one of its own. */
    assert_in_range(attempts, 1, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_error(list[i].rc, &list[i].err, ES_E_DENIED, "cannot log in");
        assert_null(list[i].instance);
    }
    assert_int_equal(es_pool_count(pool), 0);
    open_result = 0;
    open_delay_ms = 0;
    es_pool_return(pool, borrow("team/store", 1));
    assert_int_equal(es_pool_count(pool), 1);
}

static void test_a_drop_during_the_opening(void **state)
{
    struct borrower one[1], two[1];
    (void)state;

    attempts = 0;
    open_delay_ms = 100;
    start(one, 1, 1);
    while (__atomic_load_n(&attempts, __ATOMIC_SEQ_CST) == 0)
        nap(1);
    es_pool_drop(pool, "team/");
    start(two, 1, 1); /* does not get what was dropped */
    join(one, 1);
    join(two, 1);
    assert_int_equal(one->rc, 0);
    assert_int_equal(two->rc, 0);
    assert_ptr_not_equal(one->instance, two->instance);
    assert_int_equal(attempts, 2);
    es_pool_return(pool, one->instance);
    assert_int_equal(probe_closed, 1);
    es_pool_return(pool, two->instance);
    assert_int_equal(probe_closed, 1);
}

static void *work(void *arg)
{
    static const char *const keys[] = {"a/1", "a/2", "b/1"};
    unsigned seed = (unsigned)(uintptr_t)arg;
    struct es_blob value = {0};
    struct es_error err = ES_ERROR_INIT;

    for (int i = 0; i < 300; i++) {
        seed = seed * 1103515245u + 12345u;
        struct es_instance *in = NULL;
        uint64_t version = (seed >> 20) % 8 == 0 ? 2 : 1;
        if (es_pool_borrow(pool, keys[(seed >> 16) % 3], version, open_store, &who, &in, &err) < 0)
            continue; /* the disturber's doing, or a newer one is there */
        if (es_instance_get(in, &who, NULL, &value, &err) < 0)
            __atomic_add_fetch(&attempts, 1000000, __ATOMIC_SEQ_CST);
        es_pool_return(pool, in);
        if ((seed >> 24) % 16 == 0)
            es_pool_drop(pool, "a/");
    }
    es_blob_fini(&value);
    return NULL;
}

static void *disturb(void *arg)
{
    for (int i = 0; i < 200; i++) {
        __atomic_store_n(&open_result, i % 5 == 0 ? ES_E_RETRY : 0, __ATOMIC_SEQ_CST);
        es_pool_sweep(pool, 0);
        (void)es_pool_count(pool);
        nap(1);
    }
    __atomic_store_n(&open_result, 0, __ATOMIC_SEQ_CST);
    return arg;
}

static void test_everything_at_once(void **state)
{
    pthread_t threads[9];
    (void)state;

    attempts = 0;
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i == 8 ? disturb : work, (void *)(uintptr_t)(i + 1)), 0);
    for (size_t i = 0; i < 9; i++)
        pthread_join(threads[i], NULL);
    assert_true(attempts > 0 && attempts < 1000000); /* no get failed */
    es_pool_sweep(pool, 0);
    assert_int_equal(es_pool_count(pool), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_opening_for_many),          TEST(test_another_version_replaces),
        TEST(test_a_late_comer_does_not_replace), TEST(test_drop_and_sweep),
        TEST(test_others_wait_for_the_opening),   TEST(test_a_failure_is_shared_and_forgotten),
        TEST(test_a_drop_during_the_opening),     TEST(test_everything_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
