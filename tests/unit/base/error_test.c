#include "tests/unit/base/base_test.h"

#include "core/base/error.h"
#include "core/base/text.h"

static void test_set_replaces_all(void **state)
{
    struct es_error err = {ES_E_RETRY, 503, 1000, "old"};
    (void)state;

    assert_int_equal(es_error_set(&err, ES_E_CONFIG, "key %s", "a"), ES_E_CONFIG);
    assert_int_equal(err.code, ES_E_CONFIG);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.retry_after_ms, 0);
    assert_string_equal(err.text, "key a");
    assert_int_equal(es_error_set(NULL, ES_E_GONE, "x"), ES_E_GONE);
}

static void test_the_old_text_may_be_an_argument(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    es_error_set(&err, ES_E_CONFIG, "inner");
    es_error_set(&err, ES_E_RETRY, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: inner");
}

static void test_wrap_keeps_the_decision(void **state)
{
    struct es_error err = {ES_E_RETRY, 503, 1000, "server busy"};
    (void)state;

    assert_int_equal(es_error_wrap(&err, "reading %s: ", "x"), ES_E_RETRY);
    assert_string_equal(err.text, "reading x: server busy");
    assert_int_equal(err.http_status, 503);
    assert_int_equal(err.retry_after_ms, 1000);
    assert_int_equal(es_error_wrap(NULL, "x"), ES_E_INTERNAL);
}

static void test_cuts_between_characters(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    char text[2 * ES_ERROR_TEXT_MAX];
    (void)state;

    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        es_error_set(&err, ES_E_CONFIG, "%s", text);
        assert_true(es_utf8_valid(err.text, strlen(err.text)));
        assert_true(strlen(err.text) > ES_ERROR_TEXT_MAX - 6);
        es_error_set(&err, ES_E_CONFIG, "%.1100s", text);
        es_error_wrap(&err, "%.800s: ", "prefix");
        es_error_wrap(&err, "%s",
                      "another prefix that is long enough to push the end out of the text, as it should be, "
                      "for otherwise nothing is cut here at all: ");
        assert_true(es_utf8_valid(err.text, strlen(err.text)));
    }
    es_error_wrap(&err, "%s", text);
    assert_true(es_utf8_valid(err.text, strlen(err.text)));
}

static void test_every_code_has_a_name(void **state)
{
    static const int codes[] = {ES_OK,         ES_E_NOT_FOUND, ES_E_CONFIG,      ES_E_DENIED,
                                ES_E_RETRY,    ES_E_CANCELLED, ES_E_UNSUPPORTED, ES_E_UNDECIDED,
                                ES_E_INTERNAL, ES_E_CONFLICT,  ES_E_EXISTS,      ES_E_GONE,
                                ES_E_INVALID,  ES_E_TOO_LARGE, ES_E_NOMEM};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(es_code_name(codes[i]), es_code_name(codes[k]));
    assert_string_equal(es_code_name(-99), "internal");
    assert_int_equal(es_error_nomem(&err), ES_E_NOMEM);
    assert_string_equal(err.text, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_replaces_all),
        cmocka_unit_test(test_the_old_text_may_be_an_argument),
        cmocka_unit_test(test_wrap_keeps_the_decision),
        cmocka_unit_test(test_cuts_between_characters),
        cmocka_unit_test(test_every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
