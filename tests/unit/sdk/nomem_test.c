/* Each allocation fails in turn: a lookup says so and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>

#include "json_cases.h"
#include "tests/unit/failing_alloc.h"

/* Looks up with the n-th allocation failing. True if there was an n-th. */
static bool look(size_t n, const char *json, const char *path, bool exists, esp_bytes expected)
{
    struct esp_text out;
    esp_text_init(&out, 1u << 20);
    failed_one = false;
    until_failure = n;
    int rc = esp_json_get(esp_str(json), esp_str(path), ESP_JSON_PATH, &out);
    until_failure = SIZE_MAX;
    if (failed_one) {
        assert_int_equal(rc, -1);
        assert_int_equal(out.len, 0);
    } else {
        assert_int_equal(rc, exists);
        assert_true(esp_equal(esp_text_bytes(&out), expected));
    }
    esp_text_free(&out);
    return failed_one;
}

static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        while (look(n, cases[i].json, cases[i].path, cases[i].exists, esp_span(cases[i].text, cases[i].len)))
            n++;
        assert_true(n > 0 || cases[i].len == 0);
    }
}

static void test_copies_and_texts_say_so(void **state)
{
    (void)state;
    struct esp_text t;
    until_failure = 0;
    assert_null(esp_dup(esp_str("a")).ptr);
    esp_text_init(&t, 100);
    until_failure = 0;
    esp_text_adds(&t, "a");
    esp_text_adds(&t, "b");
    assert_true(esp_text_failed(&t));
    assert_int_equal(t.len, 0);
    esp_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_copies_and_texts_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
