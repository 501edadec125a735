/* What the recorder of events remembers, for how long, and how much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/map.h"
#include "core/cluster/event_memory.h"

#define MINUTE 60000
#define START (100 * INT64_C(60000))

static struct es_event_memory memory;

static int set_up(void **state)
{
    (void)state;
    es_event_memory_init(&memory, 32768);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    es_event_memory_fini(&memory);
    return 0;
}

static struct es_event_key key(int object, int message)
{
    int about[2] = {object, 0}, all[2] = {object, message + 1};
    struct es_event_key k = {.about = es_hash64(about, sizeof about)};

    k.alike = es_hash64(&k.about, sizeof k.about);
    k.message = es_hash64(all, sizeof all);
    return k;
}

/* Says it; the count that its Event object has then. */
static uint32_t say(int object, int message, int64_t now_ms)
{
    struct es_event_key k = key(object, message);
    enum es_event_fate fate = es_event_judge(&memory, &k, now_ms);

    if (fate == ES_EVENT_FLOOD)
        return 0;
    struct es_event_object o = es_event_recall(&memory, &k, fate, now_ms);
    if (!o.count)
        o = (struct es_event_object){.named_unix_ms = object, .serial = (uint16_t)message};
    assert_int_equal(o.named_unix_ms, object);
    o.count++;
    es_event_remember(&memory, &k, fate, &o, now_ms);
    return o.count;
}

static void test_a_budget_an_object(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 25; i++)
        assert_int_equal(say(1, 1, START), i);
    assert_int_equal(say(1, 1, START), 0);
    assert_int_equal(say(2, 1, START), 1); /* another one's */
    assert_int_equal(say(1, 1, START + 4 * MINUTE), 0);
    assert_int_equal(say(1, 1, START + 10 * MINUTE), 26);
    assert_int_equal(say(1, 1, START + 10 * MINUTE), 27);
    assert_int_equal(say(1, 1, START + 10 * MINUTE), 0);
}

static void test_the_tenth_text_is_combined(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        assert_int_equal(say(1, i, START), 1);
    struct es_event_key tenth = key(1, 9), third = key(1, 2);
    assert_int_equal(es_event_judge(&memory, &tenth, START), ES_EVENT_COMBINED);
    assert_int_equal(es_event_judge(&memory, &third, START), ES_EVENT_SINGLE);
    assert_int_equal(es_event_judge(&memory, &tenth, START + 9 * MINUTE), ES_EVENT_COMBINED);
    /* Ten quiet minutes, and it begins anew. */
    assert_int_equal(es_event_judge(&memory, &tenth, START + 20 * MINUTE), ES_EVENT_SINGLE);
}

static void test_an_object_is_forgotten_after_ten_minutes(void **state)
{
    (void)state;
    assert_int_equal(say(1, 1, START), 1);
    assert_int_equal(say(1, 1, START + 10 * MINUTE), 2);
    assert_int_equal(say(1, 1, START + 21 * MINUTE), 1);
}

/* Ten thousand ExternalSecrets that fail every seven minutes are ten thousand Event
 * objects, however long that lasts. */
static void test_ten_thousand_that_fail_again_and_again(void **state)
{
    enum { MANY = 10000, ROUNDS = 6 };
    size_t anew = 0;
    (void)state;

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < MANY; i++)
            anew += say(i, 1, START + round * 7 * MINUTE + i * 40) == 1;
    print_message("%zu Event objects for %d failures, %zu records\n", anew, MANY * ROUNDS, memory.count);
    assert_int_equal(anew, MANY);
    assert_true(memory.cap <= 32768);
}

static void test_there_is_an_end(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_true(say(i, 1, START + i) >= 1);
    assert_true(memory.cap <= 32768 && memory.count <= memory.cap / 4 * 3);
    assert_int_equal(say(99999, 1, START + 100000), 2); /* the last ones are known */
}

static void test_sweeping_gives_memory_back(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        say(i, 1, START);
    size_t cap = memory.cap;
    say(7000, 1, START + 9 * MINUTE);
    es_event_memory_sweep(&memory, START + 9 * MINUTE);
    assert_int_equal(memory.cap, cap);
    es_event_memory_sweep(&memory, START + 12 * MINUTE);
    assert_int_equal(memory.cap, 64);
    assert_int_equal(memory.count, 3);
    assert_int_equal(say(7000, 1, START + 12 * MINUTE), 2);
    es_event_memory_sweep(&memory, START + 40 * MINUTE);
    assert_int_equal(memory.cap, 0);
    assert_null(memory.records);
    assert_int_equal(say(7000, 1, START + 40 * MINUTE), 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_a_budget_an_object),
        WITH(test_the_tenth_text_is_combined),
        WITH(test_an_object_is_forgotten_after_ten_minutes),
        WITH(test_ten_thousand_that_fail_again_and_again),
        WITH(test_there_is_an_end),
        WITH(test_sweeping_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
