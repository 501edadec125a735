#include "tests/unit/base/base_test.h"

#include "core/base/clock.h"

static void test_durations(void **state)
{
    /* Results of Go's time.ParseDuration, in ms towards zero. */
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"+0", 0},
        {"-0", 0},
        {"1h", 3600000},
        {"1h30m", 5400000},
        {"300ms", 300},
        {"-1.5h", -5400000},
        {"+5s", 5000},
        {".5s", 500},
        {"5.s", 5000},
        {"1.5s2.25m", 136500},
        {"1us", 0},
        {"1500us", 1},
        {"-1500us", -1},
        {"1500\xC2\xB5s", 1},
        {"1500\xCE\xBCs", 1},
        {"1500000ns", 1},
        {"0.9999999999999999999999m", 59999},
        {"100000h", INT64_C(360000000000)},
        {"9223372036854775807ns", INT64_C(9223372036854)},
        {"-9223372036854775808ns", INT64_C(-9223372036854)},
    };
    static const char *const wrong[] = {"",
                                        "1",
                                        "h",
                                        "1x",
                                        "1 h",
                                        " 1h",
                                        "1h ",
                                        "--1h",
                                        "1h-1m",
                                        ".s",
                                        "-",
                                        "+",
                                        "1hm",
                                        "e",
                                        ".",
                                        "1..5s",
                                        "9223372036854775808ns",
                                        "3000000h",
                                        "99999999999999999999s",
                                        "1H"};
    int64_t ms;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(es_duration_parse(cases[i].text, &ms), 0);
        assert_int_equal(ms, cases[i].ms);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ms = 77;
        if (es_duration_parse(wrong[i], &ms) == 0)
            fail_msg("\"%s\" was accepted", wrong[i]);
        assert_int_equal(ms, 77);
    }
    assert_int_equal(es_duration_parse(NULL, &ms), -1);
}

static void test_duration_texts(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ms"},
        {-1, "-1ms"},
        {999, "999ms"},
        {1000, "1s"},
        {1500, "1.5s"},
        {1050, "1.05s"},
        {60000, "1m0s"},
        {3600000, "1h0m0s"},
        {5400000, "1h30m0s"},
        {3661001, "1h1m1.001s"},
        {-90500, "-1m30.5s"},
        {INT64_C(360000000000), "100000h0m0s"},
    };
    char out[ES_TIME_TEXT_MAX];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(es_duration_format(cases[i].ms, out), cases[i].text);
    assert_true(strlen(es_duration_format(INT64_MIN, out)) > 10);
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T12:34:56Z", INT64_C(1709210096000)},
        {"2024-02-29t12:34:56z", INT64_C(1709210096000)},
        {"2024-02-29 12:34:56.7Z", INT64_C(1709210096700)},
        {"2024-02-29T12:34:56.123456789+05:30", INT64_C(1709190296123)},
        {"2024-02-29T12:34:56-23:59", INT64_C(1709296436000)},
        {"1960-06-01T10:00:00.5Z", INT64_C(-302450399500)},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
    };
    static const char *const wrong[] = {"",
                                        "2024-02-29",
                                        "2024-02-29T12:34:56",
                                        "2024-02-30T12:34:56Z",
                                        "2023-02-29T12:34:56Z",
                                        "2100-02-29T00:00:00Z",
                                        "2024-04-31T00:00:00Z",
                                        "2024-13-01T00:00:00Z",
                                        "2024-00-01T00:00:00Z",
                                        "2024-01-00T00:00:00Z",
                                        "2024-01-01T24:00:00Z",
                                        "2024-01-01T00:60:00Z",
                                        "2024-01-01T00:00:61Z",
                                        "2024-01-01T00:00:00.Z",
                                        "2024-01-01T00:00:00+5:30",
                                        "2024-01-01T00:00:00+0530",
                                        "2024-01-01T00:00:00Zx",
                                        "24-01-01T00:00:00Z"};
    int64_t ms;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(es_time_parse(cases[i].text, &ms), 0);
        assert_int_equal(ms, cases[i].ms);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (es_time_parse(wrong[i], &ms) == 0)
            fail_msg("\"%s\" was accepted", wrong[i]);
    assert_int_equal(es_time_parse(NULL, &ms), -1);
}

static void test_time_texts(void **state)
{
    char out[ES_TIME_TEXT_MAX];
    (void)state;

    assert_string_equal(es_time_format(0, out), "1970-01-01T00:00:00Z");
    assert_string_equal(es_time_format(INT64_C(1709210096999), out), "2024-02-29T12:34:56Z");
    assert_string_equal(es_time_format(-1, out), "1969-12-31T23:59:59Z");
    assert_string_equal(es_time_format_micro(INT64_C(1709210096007), out), "2024-02-29T12:34:56.007000Z");
    assert_string_equal(es_time_format_micro(-1, out), "1969-12-31T23:59:59.999000Z");
    for (int64_t day = -719162; day < 2932896; day += 997) {
        int64_t ms = day * 86400000 + 12345000, back;
        assert_int_equal(es_time_parse(es_time_format(ms, out), &back), 0);
        assert_int_equal(back, ms);
    }
}

static void test_clocks_move(void **state)
{
    const struct es_clock *c = &es_system_clock;
    int64_t mono = es_mono_ns();
    (void)state;

    assert_true(c->mono_ms(c->ctx) >= mono / 1000000);
    assert_true(es_mono_ns() >= mono);
    assert_true(c->unix_ms(c->ctx) - es_unix_ms() <= 0);
    assert_true(es_unix_ms() > INT64_C(1700000000000));
    bool differ = false;
    uint32_t first = c->random(c->ctx);
    for (int i = 0; i < 8; i++)
        differ |= c->random(c->ctx) != first;
    assert_true(differ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),   cmocka_unit_test(test_duration_texts),
        cmocka_unit_test(test_times),       cmocka_unit_test(test_time_texts),
        cmocka_unit_test(test_clocks_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
