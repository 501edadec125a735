#include "tests/unit/base/base_test.h"

#include "core/base/cron.h"
#include "tests/unit/base/cron_cases.h"

static void test_agrees_with_robfig(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cron_cases); i++) {
        const struct cron_case *c = &cron_cases[i];
        struct es_error err = ES_ERROR_INIT;
        struct es_cron cron = {.every_ms = -1};
        int rc = es_cron_parse(&cron, c->spec, &err);
        if (c->error) {
            assert_int_equal(rc, ES_E_CONFIG);
            assert_int_equal(cron.every_ms, -1); /* untouched */
            if (strncmp(err.text, c->error, strlen(c->error)) != 0)
                fail_msg("\"%s\": \"%s\" instead of \"%s\"", c->spec, err.text, c->error);
            continue;
        }
        if (rc < 0)
            fail_msg("\"%s\": %s", c->spec, err.text);
        if (es_cron_next(&cron, c->after_ms) != c->next_ms)
            fail_msg("\"%s\" after %lld: %lld instead of %lld", c->spec, (long long)c->after_ms,
                     (long long)es_cron_next(&cron, c->after_ms), (long long)c->next_ms);
    }
}

static int64_t next_of(const char *spec, int64_t after_ms)
{
    struct es_cron cron;
    assert_int_equal(es_cron_parse(&cron, spec, NULL), 0);
    return es_cron_next(&cron, after_ms);
}

static void test_next_is_strictly_later(void **state)
{
    (void)state;

    assert_int_equal(next_of("* * * * *", 0), 60000);
    assert_int_equal(next_of("* * * * *", 59999), 60000);
    assert_int_equal(next_of("* * * * *", 60000), 120000);
    assert_int_equal(next_of("* * * * *", -1), 0);
    assert_int_equal(next_of("@every 90s", 1999), 91000);
}

static void test_five_years_are_the_limit(void **state)
{
    (void)state;

    /* After 2096-02-29 the next leap day is in 2104. */
    assert_int_equal(next_of("0 0 29 2 *", INT64_C(3981312000000)), -1);
    assert_int_equal(next_of("0 0 31 2 *", 0), -1);
}

static void test_foreign_time_zones_are_refused(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_cron cron;
    (void)state;

    assert_int_equal(es_cron_parse(&cron, "TZ=Europe/Berlin 0 9 * * *", &err), ES_E_CONFIG);
    assert_string_equal(err.text, "provided bad location Europe/Berlin: schedules are in UTC");
    assert_int_equal(es_cron_parse(&cron, "TZ=UTC", &err), ES_E_CONFIG);
    assert_int_equal(es_cron_parse(&cron, "CRON_TZ=Etc/UTC @daily", &err), 0);
    assert_int_equal(es_cron_parse(&cron, NULL, &err), ES_E_CONFIG);
}

static void test_length_has_a_limit(void **state)
{
    struct es_cron cron;
    char *text = malloc(5001);
    (void)state;

    memset(text, '*', 5000);
    text[5000] = '\0';
    assert_int_equal(es_cron_parse(&cron, text, NULL), ES_E_CONFIG);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_robfig),
        cmocka_unit_test(test_next_is_strictly_later),
        cmocka_unit_test(test_five_years_are_the_limit),
        cmocka_unit_test(test_foreign_time_zones_are_refused),
        cmocka_unit_test(test_length_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
