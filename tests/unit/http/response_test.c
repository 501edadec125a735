/* Reading an answer: headers and Retry-After. No network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/http/http.h"

#define NOW_MS (INT64_C(784111777) * 1000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static int64_t retry_after(const char *value)
{
    struct es_http_header headers[] = {{"content-type", "text/plain"}, {"retry-after", value}};
    struct es_http_response r = {.status = 429, .headers = headers, .header_count = 2};
    return es_http_retry_after_ms(&r, NOW_MS);
}

static void test_retry_after_takes_seconds(void **state)
{
    (void)state;
    assert_int_equal(retry_after("0"), 0);
    assert_int_equal(retry_after("1"), 1000);
    assert_int_equal(retry_after("120"), 120000);
    assert_int_equal(retry_after("3601"), 3600000);
    assert_int_equal(retry_after("99999999999999999999999999"), 3600000);
}

static void test_retry_after_takes_dates(void **state)
{
    (void)state;
    assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:47 GMT"), 10000);
    assert_int_equal(retry_after("Sunday, 06-Nov-94 08:49:47 GMT"), 10000);
    assert_int_equal(retry_after("Sun Nov  6 08:49:47 1994"), 10000);
    assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:27 GMT"), 0);
    assert_int_equal(retry_after("Sun, 06 Nov 2044 08:49:47 GMT"), 3600000);
}

static void test_retry_after_ignores_the_rest(void **state)
{
    (void)state;
    assert_int_equal(retry_after(""), 0);
    assert_int_equal(retry_after("soon"), 0);
    assert_int_equal(retry_after("-5"), 0);
    assert_int_equal(retry_after("1.5"), 0);
    assert_int_equal(es_http_retry_after_ms(&(struct es_http_response){.status = 429}, NOW_MS), 0);
}

static void test_header_lookup(void **state)
{
    struct es_http_header headers[] = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
    struct es_http_response r = {.headers = headers, .header_count = 3};

    (void)state;
    assert_string_equal(es_http_response_header(&r, "a"), "1");
    assert_string_equal(es_http_response_header(&r, "b"), "2");
    assert_null(es_http_response_header(&r, "c"));
}

static void test_fini_takes_zeroes(void **state)
{
    struct es_http_response r = {0};

    (void)state;
    es_http_response_fini(&r);
    es_http_response_fini(&r);
    assert_null(r.headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_after_takes_seconds), cmocka_unit_test(test_retry_after_takes_dates),
        cmocka_unit_test(test_retry_after_ignores_the_rest), cmocka_unit_test(test_header_lookup),
        cmocka_unit_test(test_fini_takes_zeroes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
