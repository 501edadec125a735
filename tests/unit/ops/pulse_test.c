/* When does a thread count as stuck? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/ops/pulse.h"

static void test_a_minute_of_standing_still(void **state)
{
    struct es_buf notes;
    struct es_pulse p = {"the main loop", 5000};
    (void)state;

    es_buf_init(&notes, 1000);
    assert_true(es_pulse_moves(&p, 5000, &notes));
    assert_true(es_pulse_moves(&p, 5000 + ES_PULSE_STUCK_MS - 1, &notes));
    assert_int_equal(notes.len, 0);
    assert_false(es_pulse_moves(&p, 5000 + 73999, &notes));
    assert_string_equal(es_buf_str(&notes), "the main loop has not moved for 73 s\n");
    p.beat_ms = 78999; /* it goes on */
    assert_true(es_pulse_moves(&p, 79000, &notes));
    es_buf_fini(&notes);
}

static void test_what_has_not_begun_is_not_stuck(void **state)
{
    struct es_pulse p = {"the transport", 0};
    (void)state;
    assert_true(es_pulse_moves(&p, 10 * ES_PULSE_STUCK_MS, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_minute_of_standing_still),
        cmocka_unit_test(test_what_has_not_begun_is_not_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
