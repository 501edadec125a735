#include "tests/unit/base/base_test.h"

#include "core/base/buf.h"
#include "core/base/mem.h"

static void test_appends(void **state)
{
    struct es_buf b;
    (void)state;

    es_buf_init(&b, 1000);
    assert_string_equal(es_buf_str(&b), "");
    es_buf_adds(&b, "a");
    es_buf_addc(&b, 'b');
    es_buf_add(&b, "c\0d", 3);
    es_buf_addf(&b, "%s-%d", "e", 5);
    es_buf_add(&b, NULL, 0);
    assert_int_equal(b.len, 8);
    assert_memory_equal(es_buf_str(&b), "abc\0de-5", 9);
    assert_false(es_buf_failed(&b));
    es_buf_fini(&b);
    assert_string_equal(es_buf_str(&b), "");
}

static void test_ceiling_is_exact_and_failure_sticks(void **state)
{
    struct es_buf b;
    (void)state;

    es_buf_init(&b, 4);
    es_buf_adds(&b, "abcd");
    assert_false(es_buf_failed(&b));
    es_buf_addc(&b, 'e');
    assert_true(es_buf_failed(&b));
    assert_string_equal(es_buf_str(&b), "abcd");
    es_buf_add(&b, "", 0);
    assert_true(es_buf_failed(&b));
    assert_null(es_buf_take(&b));

    es_buf_addf(&b, "%d", 12345);
    assert_true(es_buf_failed(&b));
    es_buf_reset(&b);
    assert_false(es_buf_failed(&b));
    es_buf_addf(&b, "%d", 1234);
    assert_string_equal(es_buf_str(&b), "1234");
    es_buf_add(&b, "x", SIZE_MAX);
    assert_true(es_buf_failed(&b));
    es_buf_fini(&b);
}

static void test_reset_wipes_and_keeps_the_memory(void **state)
{
    struct es_buf b;
    (void)state;

    es_buf_init(&b, 100);
    es_buf_adds(&b, "planted-value");
    const char *place = b.ptr;
    es_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_ptr_equal(b.ptr, place);
    for (size_t i = 0; i < b.cap; i++)
        assert_int_equal(b.ptr[i], 0);
    es_buf_fini(&b);
}

static void test_consume(void **state)
{
    struct es_buf b;
    (void)state;

    es_buf_init(&b, 100);
    es_buf_consume(&b, 5);
    es_buf_adds(&b, "abcdef");
    es_buf_consume(&b, 2);
    assert_string_equal(es_buf_str(&b), "cdef");
    es_buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    assert_string_equal(es_buf_str(&b), "");
    es_buf_fini(&b);
}

static void test_take_hands_over(void **state)
{
    struct es_buf b;
    (void)state;

    es_buf_init(&b, 100);
    char *nothing = es_buf_take(&b);
    assert_string_equal(nothing, "");
    es_buf_adds(&b, "text");
    char *text = es_buf_take(&b);
    assert_string_equal(text, "text");
    assert_int_equal(b.len, 0);
    es_buf_adds(&b, "again");
    assert_string_equal(es_buf_str(&b), "again");
    es_buf_fini(&b);
    es_mem_free(nothing);
    es_mem_free(text);
}

static void test_json_strings(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\x01\x1f\x7f", 7, "\"\\n\\r\\t\\u0008\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"\xFFx\xC3", 3, "\"\xEF\xBF\xBDx\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct es_buf b;
        es_buf_init(&b, 1000);
        es_buf_add_json(&b, cases[i].text, cases[i].len);
        assert_string_equal(es_buf_str(&b), cases[i].json);
        es_buf_fini(&b);
    }
}

static void test_grows_far(void **state)
{
    struct es_buf b;
    (void)state;

    es_buf_init(&b, 8 << 20);
    for (int i = 0; i < 600000; i++)
        es_buf_adds(&b, "0123456789");
    assert_false(es_buf_failed(&b));
    assert_int_equal(b.len, 6000000);
    assert_memory_equal(b.ptr + 5999990, "0123456789", 11);
    es_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_ceiling_is_exact_and_failure_sticks),
        cmocka_unit_test(test_reset_wipes_and_keeps_the_memory),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_take_hands_over),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_grows_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
