/* What the service manager hears, round by round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/cmd/supervisor.h"

static char heard[4096];

void __wrap_es_notify(const char *lines);

void __wrap_es_notify(const char *lines)
{
    size_t len = strlen(heard);

    snprintf(heard + len, sizeof heard - len, "%s;", lines);
}

static void assert_heard(const char *want)
{
    assert_string_equal(heard, want);
    *heard = '\0';
}

static void test_rounds(void **state)
{
    struct es_supervisor s = {0};

    (void)state;
    es_supervisor_tick(&s, true, "the first lists are still being read");
    assert_heard("READY=1\nSTATUS=the first lists are still being read;WATCHDOG=1;");
    es_supervisor_tick(&s, true, "the first lists are still being read");
    assert_heard(""); /* nothing new, and the last beat was just now */
    es_supervisor_tick(&s, true, "serving");
    assert_heard("STATUS=serving;");
    s.beat_ms -= 1000;
    es_supervisor_tick(&s, true, "serving");
    assert_heard("WATCHDOG=1;");
}

static void test_what_is_stuck_does_not_beat(void **state)
{
    struct es_supervisor s = {0};

    (void)state;
    es_supervisor_tick(&s, false, "serving");
    assert_heard("READY=1\nSTATUS=serving;");
    s.beat_ms -= 5000;
    es_supervisor_tick(&s, false, "serving");
    assert_heard("");
    es_supervisor_tick(&s, true, "serving");
    assert_heard("WATCHDOG=1;");
}

/* A server's words are in it, and could be another message. */
static void test_a_status_is_one_line(void **state)
{
    struct es_supervisor s = {.started = true, .beat_ms = INT64_MAX / 2};

    (void)state;
    es_supervisor_tick(&s, true, "no answer\nMAINPID=1");
    assert_heard("STATUS=no answer;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_what_is_stuck_does_not_beat),
        cmocka_unit_test(test_a_status_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
