/* Bytes, texts with a ceiling, and sentences for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

static void test_bytes_compare_by_length_and_value(void **state)
{
    (void)state;
    assert_true(esp_equal(esp_str("a"), esp_span("ab", 1)));
    assert_false(esp_equal(esp_str("a"), esp_str("ab")));
    assert_true(esp_equal(esp_str(NULL), esp_str("")));
    assert_false(esp_equal(esp_span("a\0b", 3), esp_span("a\0c", 3)));
    assert_true(esp_equal_str(esp_span("key=", 3), "key"));
    assert_true(esp_compare(esp_str("a"), esp_str("b")) < 0);
    assert_true(esp_compare(esp_str("a"), esp_str("ab")) < 0);
    assert_true(esp_compare(esp_str("\xff"), esp_str("a")) > 0);
    assert_int_equal(esp_compare(esp_str(""), esp_str(NULL)), 0);
    assert_true(esp_starts_with(esp_str("abc"), esp_str("ab")));
    assert_true(esp_starts_with(esp_str("abc"), esp_str("")));
    assert_false(esp_starts_with(esp_str("ab"), esp_str("abc")));
}

static void test_copies_have_a_terminator_that_does_not_count(void **state)
{
    (void)state;
    esp_bytes copy = esp_dup(esp_span("a\0b", 3));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b\0", 4);
    esp_dup_free(copy);
    copy = esp_dup(esp_span(NULL, 0));
    assert_non_null(copy.ptr);
    esp_dup_free(copy);
    esp_dup_free(esp_span(NULL, 0));
}

static void test_text_grows(void **state)
{
    (void)state;
    struct esp_text t;
    esp_text_init(&t, 100000);
    assert_string_equal(esp_text_str(&t), "");
    for (int i = 0; i < 1000; i++) {
        esp_text_adds(&t, "ab");
        esp_text_addc(&t, 'c');
        esp_text_addf(&t, "%03d", i);
        esp_text_add(&t, esp_span("\0", 1));
    }
    assert_false(esp_text_failed(&t));
    assert_int_equal(t.len, 7000);
    assert_memory_equal(t.ptr + 6993, "abc999\0", 8);
    esp_text_cut(&t, 3);
    esp_text_cut(&t, 9);
    esp_text_addc(&t, '!');
    assert_string_equal(esp_text_str(&t), "abc!");
    esp_text_free(&t);
    assert_int_equal(esp_text_bytes(&t).len, 0);
}

static void test_failure_sticks(void **state)
{
    (void)state;
    struct esp_text t;
    esp_text_init(&t, 4);
    esp_text_adds(&t, "four");
    assert_false(esp_text_failed(&t));
    esp_text_addc(&t, 'x');
    assert_true(esp_text_failed(&t));
    esp_text_cut(&t, 0);
    esp_text_adds(&t, "");
    esp_text_adds(&t, "ok");
    assert_true(esp_text_failed(&t));
    assert_int_equal(t.len, 0);
    esp_text_free(&t);
    assert_false(esp_text_failed(&t));
    esp_text_addf(&t, "%s", "12345");
    assert_true(esp_text_failed(&t));
    esp_text_free(&t);
    struct esp_text none;
    esp_text_init(&none, 0);
    esp_text_adds(&none, "");
    assert_false(esp_text_failed(&none));
    esp_text_addc(&none, 'a');
    assert_true(esp_text_failed(&none));
    esp_text_free(&none);
}

static void test_cut_bytes_are_wiped(void **state)
{
    (void)state;
    struct esp_text t;
    esp_text_init(&t, 100);
    esp_text_adds(&t, "keep secret");
    esp_text_cut(&t, 5);
    for (size_t i = 5; i < 11; i++)
        assert_int_equal(t.ptr[i], 0);
    esp_text_free(&t);
}

struct esp_call {
    esp_status status;
    char why[2000];
};

static esp_status record(struct esp_call *call, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    assert_int_equal(retry_after_ms, 0);
    call->status = status;
    memcpy(call->why, why.ptr, why.len);
    call->why[why.len] = 0;
    return status;
}

static void test_failf_says_why(void **state)
{
    (void)state;
    struct esp_host host = {.size = sizeof host, .fail = record};
    struct esp_call call = {0};
    esp_bytes key = esp_span("path/to/key", 7);
    assert_int_equal(esp_failf(&host, &call, ESP_E_RETRY, "reading %.*s: status %d", ESP_ARG(key), 503),
                     ESP_E_RETRY);
    assert_int_equal(call.status, ESP_E_RETRY);
    assert_string_equal(call.why, "reading path/to: status 503");
    esp_failf(&host, &call, ESP_E_CONFIG, "[%.*s]", ESP_ARG(esp_str(NULL)));
    assert_string_equal(call.why, "[]");
}

static void test_failf_cuts_between_characters(void **state)
{
    (void)state;
    struct esp_host host = {.size = sizeof host, .fail = record};
    struct esp_call call = {0};
    char text[1500];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[1498] = 0;
    esp_failf(&host, &call, ESP_E_CONFIG, "x%s", text);
    assert_int_equal(strlen(call.why), 999);
    esp_failf(&host, &call, ESP_E_CONFIG, "%s", text);
    assert_int_equal(strlen(call.why), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_compare_by_length_and_value),
        cmocka_unit_test(test_copies_have_a_terminator_that_does_not_count),
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_cut_bytes_are_wiped),
        cmocka_unit_test(test_failf_says_why),
        cmocka_unit_test(test_failf_cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
