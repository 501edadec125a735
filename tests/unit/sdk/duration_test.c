/* Durations as Go reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <esp/duration.h>
#include <esp/text.h>

static void test_what_is_a_duration(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},          {"10s", 10000},       {"500ms", 500},  {"1m30s", 90000},
                {"1.5h", 5400000}, {".5s", 500},         {"1.s", 1000},   {"+3s", 3000},
                {"1500us", 1},     {"2000\xc2\xb5s", 2}, {"999999ns", 0}, {"1h0m0.001s", 3600001},
                {"3\xce\xbcs", 0}, {"2h45m", 9900000},   {"0.3s", 300}};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = -1;
        assert_true(esp_duration_ms(esp_str(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const bad[] = {
        "", "+", "10", "s", ".s", "-1s", "1 s", "1d", "1s1", "1s ", "ten", "1e3s", "99999999999999h"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 42;
        assert_false(esp_duration_ms(esp_str(bad[i]), &ms));
        assert_int_equal(ms, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_duration),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
