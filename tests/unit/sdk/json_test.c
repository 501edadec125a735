/* Reading JSON text: validity, members, plain values, quoting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>

static void test_check_knows_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e+10",
        "1E5",
        "\"\"",
        "\"\\u00e9\\n\"",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        " [1 , 2]\n",
        "{\"a\":{\"b\":[{},[],\"x\"]},\"a\":null}",
        "\"\xff\"",
    };
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"", 0},          {" ", 1},        {"01", 1},       {"1.", 2},         {".5", 0},   {"+1", 0},
        {"1e", 2},        {"-", 1},        {"tru", 0},      {"nullx", 4},      {"[1,]", 3}, {"[1 2]", 3},
        {"{\"a\"}", 4},   {"{\"a\":}", 5}, {"{a:1}", 1},    {"{\"a\":1,}", 7}, {"\"a", 2},  {"\"\\x\"", 2},
        {"\"\\u12\"", 5}, {"\"a\nb\"", 2}, {"[}", 1},       {"{]", 1},         {"[1}", 2},  {"{} {}", 3},
        {"]", 0},         {"[1", 2},       {"{\"a\":1", 6}, {"'a'", 0},        {"NaN", 0},  {"\"\\", 2},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!esp_json_check(esp_str(good[i]), NULL))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t at = 99;
        if (esp_json_check(esp_str(bad[i].text), &at))
            fail_msg("accepted: %s", bad[i].text);
        if (at != bad[i].at)
            fail_msg("%s: fails at %zu, not %zu", bad[i].text, at, bad[i].at);
    }
    assert_false(esp_json_check(esp_span("1\0", 2), NULL));
}

static void test_check_has_a_depth(void **state)
{
    (void)state;
    char text[2 * (ESP_JSON_MAX_DEPTH + 1)];
    memset(text, '[', sizeof text / 2);
    memset(text + sizeof text / 2, ']', sizeof text / 2);
    assert_true(esp_json_check(esp_span(text + 1, sizeof text - 2), NULL));
    assert_false(esp_json_check(esp_span(text, sizeof text), NULL));
}

static void test_members_in_order_as_written(void **state)
{
    (void)state;
    static const char *const expected[] = {"s=a\"\n", "f=2.50",  "n=",  "o={ \"k\" : [1] }",
                                           "t=true",  "s=again", "e.f="};
    struct esp_json_iter it;
    esp_bytes key, value;
    size_t count = 0;
    assert_true(
        esp_json_members(&it, esp_str(" {\"s\" : \"a\\\"\\n\" , \"f\":2.50,\"n\":null,\"o\":{ \"k\" : [1] },"
                                      "\"t\":true,\"s\":\"again\",\"e.f\":\"\"}\n")));
    while (esp_json_next(&it, &key, &value)) {
        struct esp_text text;
        esp_text_init(&text, 100);
        esp_json_plain(key, &text);
        esp_text_addc(&text, '=');
        esp_json_plain(value, &text);
        assert_true(count < sizeof expected / sizeof *expected);
        assert_string_equal(esp_text_str(&text), expected[count++]);
        esp_text_free(&text);
    }
    assert_int_equal(count, sizeof expected / sizeof *expected);
}

static void test_elements_of_arrays_only(void **state)
{
    (void)state;
    static const char *const expected[] = {"{ \"k\" : [1] }", "\"a\"", "2.50", "null", "[ ]"};
    static const char *const no_arrays[] = {"", "{}", "\"a\"", "1", "[1", "[1] x", "[1,]"};
    struct esp_json_iter it;
    esp_bytes value;
    size_t count = 0;
    assert_true(esp_json_elements(&it, esp_str(" [{ \"k\" : [1] }, \"a\" ,2.50,null,[ ]]\n")));
    while (esp_json_element(&it, &value)) {
        assert_true(count < sizeof expected / sizeof *expected);
        assert_true(esp_equal_str(value, expected[count++]));
    }
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < sizeof no_arrays / sizeof *no_arrays; i++)
        assert_false(esp_json_elements(&it, esp_str(no_arrays[i])));
    assert_true(esp_json_elements(&it, esp_str("[ ]")));
    assert_false(esp_json_element(&it, &value));
    assert_true(esp_json_elements(&it, esp_str("null")));
    assert_false(esp_json_element(&it, &value));
}

static void test_members_of_objects_only(void **state)
{
    (void)state;
    struct esp_json_iter it;
    esp_bytes key, value;
    static const char *const no_objects[] = {"",         "[1]",         "\"a\"", "1",
                                             "{\"a\":1", "{\"a\":1} x", "{a:1}", "plain"};
    for (size_t i = 0; i < sizeof no_objects / sizeof *no_objects; i++)
        assert_false(esp_json_members(&it, esp_str(no_objects[i])));
    assert_true(esp_json_members(&it, esp_str("{}")));
    assert_false(esp_json_next(&it, &key, &value));
    assert_true(esp_json_members(&it, esp_str(" null ")));
    assert_false(esp_json_next(&it, &key, &value));
    assert_false(esp_json_next(&it, &key, &value));
}

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(esp_json_kind(esp_str(" {")), ESP_JSON_OBJECT);
    assert_int_equal(esp_json_kind(esp_str("[]")), ESP_JSON_ARRAY);
    assert_int_equal(esp_json_kind(esp_str("\"\"")), ESP_JSON_STRING);
    assert_int_equal(esp_json_kind(esp_str("-1")), ESP_JSON_NUMBER);
    assert_int_equal(esp_json_kind(esp_str("true")), ESP_JSON_TRUE);
    assert_int_equal(esp_json_kind(esp_str("false")), ESP_JSON_FALSE);
    assert_int_equal(esp_json_kind(esp_str("null")), ESP_JSON_NULL);
    assert_int_equal(esp_json_kind(esp_str("word")), ESP_JSON_NONE);
    assert_int_equal(esp_json_kind(esp_str("")), ESP_JSON_NONE);
}

static void test_quote_reads_back(void **state)
{
    (void)state;
    static const char all[] = "\x01\b\t\n\f\r \"\\/<&>\x7f \xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8 z";
    struct esp_text quoted, back;
    esp_text_init(&quoted, 1000);
    esp_text_init(&back, 1000);
    esp_json_quote(esp_span(all, sizeof all), &quoted); /* with its NUL */
    assert_true(esp_json_check(esp_text_bytes(&quoted), NULL));
    assert_non_null(strstr(esp_text_str(&quoted), "\\u0001\\b\\t\\n\\f\\r \\\"\\\\/<&>"));
    esp_json_plain(esp_text_bytes(&quoted), &back);
    assert_int_equal(back.len, sizeof all);
    assert_memory_equal(back.ptr, all, sizeof all);
    esp_text_free(&quoted);
    esp_text_free(&back);
}

static void test_quote_replaces_what_is_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct esp_text quoted;
        esp_text_init(&quoted, 100);
        esp_json_quote(esp_str(bad[i]), &quoted);
        for (size_t at = 1; at + 1 < quoted.len; at += 3)
            assert_memory_equal(quoted.ptr + at, "\xef\xbf\xbd", 3);
        assert_int_equal(quoted.len, 2 + 3 * strlen(bad[i]));
        esp_text_free(&quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_knows_json),
        cmocka_unit_test(test_check_has_a_depth),
        cmocka_unit_test(test_members_in_order_as_written),
        cmocka_unit_test(test_members_of_objects_only),
        cmocka_unit_test(test_elements_of_arrays_only),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_quote_reads_back),
        cmocka_unit_test(test_quote_replaces_what_is_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
