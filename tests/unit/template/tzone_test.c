/* Time zones: rules by themselves, and files as the machine has them where it has any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/template/tzone.h"

static void check_rule(const char *rule, int64_t unix_s, int32_t want, const char *want_name)
{
    int32_t offset = 1;
    char name[ES_TZONE_MAX] = "?";

    if (!es_tzone_by_rule(rule, strlen(rule), unix_s, &offset, name))
        fail_msg("%s is not read", rule);
    assert_int_equal(offset, want);
    assert_string_equal(name, want_name);
}

/* Moments around the changes of 2024, the southern summer, days by number. */
static void test_rules(void **state)
{
    static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3", sydney[] = "AEST-10AEDT,M10.1.0,M4.1.0/3";
    (void)state;

    check_rule("UTC0", 0, 0, "UTC");
    check_rule("IST-5:30", 0, 19800, "IST");
    check_rule("<-03>3", 0, -10800, "-03");
    check_rule(berlin, 1711846799, 3600, "CET");
    check_rule(berlin, 1711846800, 7200, "CEST");
    check_rule(berlin, 1729990799, 7200, "CEST");
    check_rule(berlin, 1729990800, 3600, "CET");
    check_rule(sydney, 1704067200, 39600, "AEDT");
    check_rule(sydney, 1719792000, 36000, "AEST");
    check_rule("EST5EDT4,M3.2.0/2:00:00,M11.1.0", 1719792000, -14400, "EDT");
    check_rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1719792000, -3600, "-01");
    check_rule("AAA0BBB,J60,J300", 1709251199, 0, "AAA"); /* March 1, 2024, 2:00 is the change */
    check_rule("AAA0BBB,J60/0,J300", 1709251200, 3600, "BBB");
    check_rule("AAA0BBB,59/0,300", 1709164800, 3600, "BBB");
}

static void test_what_is_no_rule(void **state)
{
    static const char *const rules[] = {"",
                                        "C1",
                                        "CET",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M1.1.0",
                                        "CET-1CEST,M3.6.0,M1.1.0",
                                        "<+03",
                                        "CET-1CEST,M3.5,M1.1.0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3x",
                                        "CET-1:x",
                                        "CET-1CEST,J,J1"};
    int32_t offset = 7;
    char name[ES_TZONE_MAX] = "?";
    (void)state;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (es_tzone_by_rule(rules[i], strlen(rules[i]), 0, &offset, name))
            fail_msg("%s is read", rules[i]);
}

/* A file made here: two transitions, at 100 and 200, and a rule behind them. */
static size_t make_file(unsigned char *out, const char *rule)
{
    static const unsigned char head[20] = "TZif2",
                               times[] = {0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 200, 1, 0};
    static const unsigned char counts[2][24] = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4},
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 8}};
    static const unsigned char types[] = {0, 0, 0, 60, 0, 0, 0, 0, 0, 120, 1, 4};
    size_t n = 0;

#define ADD(data, size) (memcpy(out + n, data, size), n += (size))
    ADD(head, 20);
    ADD(counts[0], 24);
    ADD(types, 6);
    ADD("ONE", 4);
    ADD(head, 20);
    ADD(counts[1], 24);
    ADD(times, sizeof times);
    ADD(types, sizeof types);
    ADD("ONE\0TWO", 8);
    ADD(rule, strlen(rule));
    return n;
}

static void check_file(const unsigned char *file, size_t len, int64_t at, int32_t want, const char *want_name)
{
    int32_t offset = 1;
    char name[ES_TZONE_MAX] = "?";

    assert_true(es_tzone_in_file(file, len, at, &offset, name));
    assert_int_equal(offset, want);
    assert_string_equal(name, want_name);
}

static void test_files(void **state)
{
    unsigned char file[400];
    size_t len = make_file(file, "\nIST-5:30\n");
    int32_t offset;
    char name[ES_TZONE_MAX];
    (void)state;

    check_file(file, len, 0, 60, "ONE");
    check_file(file, len, 100, 120, "TWO");
    check_file(file, len, 199, 120, "TWO");
    check_file(file, len, 200, 19800, "IST");
    len = make_file(file, "\n\n");
    check_file(file, len, 300, 60, "ONE");
    /* Cut anywhere before the rule, it is no zone. */
    for (size_t cut = 0; cut < len - 2; cut++)
        assert_false(es_tzone_in_file(file, cut, 0, &offset, name));
}

static void test_names(void **state)
{
    static const char *const names[] = {"",    "../etc/passwd", "/etc/passwd", "Nowhere/Land",
                                        "a b", "UTC\n",         "Europe"};
    int32_t offset;
    char name[ES_TZONE_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_false(es_tzone_at(names[i], strlen(names[i]), 0, &offset, name));
    /* Where there are zone files, Berlin is one of them. */
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "r");
    assert_int_equal(es_tzone_at("Europe/Berlin", 13, 1719792000, &offset, name), f != NULL);
    if (f) {
        fclose(f);
        assert_int_equal(offset, 7200);
        assert_string_equal(name, "CEST");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_what_is_no_rule),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
