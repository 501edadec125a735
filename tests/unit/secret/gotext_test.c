#include "tests/unit/secret/secret_test.h"

#include "core/secret/gotext.h"

/* Expected texts are those of Go 1.26. */
static void test_floats_as_go_writes_them(void **state)
{
    static const struct {
        double value;
        const char *general, *fixed, *json;
    } rows[] = {
        {0, "0", "0", "0"},
        {-0.0, "-0", "-0", "-0"},
        {1, "1", "1", "1"},
        {-2.5, "-2.5", "-2.5", "-2.5"},
        {0.1, "0.1", "0.1", "0.1"},
        {1.0 / 3, "0.3333333333333333", "0.3333333333333333", "0.3333333333333333"},
        {1e-4, "0.0001", "0.0001", "0.0001"},
        {1e-5, "1e-05", "0.00001", "0.00001"},
        {1e-7, "1e-07", "0.0000001", "1e-7"},
        {1.5e-10, "1.5e-10", "0.00000000015", "1.5e-10"},
        {100000, "100000", "100000", "100000"},
        {1e6, "1e+06", "1000000", "1000000"},
        {1234567, "1.234567e+06", "1234567", "1234567"},
        {123456.75, "123456.75", "123456.75", "123456.75"},
        {1e20, "1e+20", "100000000000000000000", "100000000000000000000"},
        {1e21, "1e+21", "1000000000000000000000", "1e+21"},
        /* Powers of two, where the nearest 16 digits are not those to take. */
        {0x1p-24, "5.960464477539063e-08", "0.00000005960464477539063", "5.960464477539063e-8"},
        {0x1p-44, "5.684341886080802e-14", "0.00000000000005684341886080802", "5.684341886080802e-14"},
        {-0x1p89, "-6.189700196426902e+26", "-618970019642690200000000000", "-6.189700196426902e+26"},
        {12345678901234567890.0, "1.2345678901234567e+19", "12345678901234567000", "12345678901234567000"},
    };
    char text[ES_GO_FLOAT_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(es_go_float(text, rows[i].value, ES_GO_GENERAL), strlen(rows[i].general));
        assert_string_equal(text, rows[i].general);
        assert_int_equal(es_go_float(text, rows[i].value, ES_GO_FIXED), strlen(rows[i].fixed));
        assert_string_equal(text, rows[i].fixed);
        assert_int_equal(es_go_float(text, rows[i].value, ES_GO_JSON), strlen(rows[i].json));
        assert_string_equal(text, rows[i].json);
    }
}

static void test_the_longest_floats_fit(void **state)
{
    static const double ends[] = {5e-324, -5e-324, 2.2250738585072014e-308, -1.7976931348623157e308};
    static const size_t lengths[] = {326, 327, 326, 310};
    char text[ES_GO_FLOAT_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = es_go_float(text, ends[i], ES_GO_FIXED);
        assert_int_equal(len, strlen(text));
        assert_true(strtod(text, NULL) == ends[i]);
        if (i != 2)
            assert_int_equal(len, lengths[i]);
    }
    es_go_float(text, 5e-324, ES_GO_GENERAL);
    assert_string_equal(text, "5e-324");
    es_go_float(text, 1.7976931348623157e308, ES_GO_JSON);
    assert_string_equal(text, "1.7976931348623157e+308");
}

static void check_go_json(const char *in, bool escape_html, const char *want)
{
    json_error_t why;
    json_t *value = json_loads(in, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &why);
    struct es_buf out;

    assert_non_null(value);
    es_buf_init(&out, 4096);
    es_go_json(&out, value, escape_html);
    assert_false(es_buf_failed(&out));
    assert_string_equal(es_buf_str(&out), want);
    es_buf_fini(&out);
    json_decref(value);
}

static void test_json_as_go_marshals_it(void **state)
{
    static const char in[] =
        "{\"o\":{\"z\":\"<a>&\\u2028\\u2029\\u0001\\u007f\\b\\f\\n\\t\\r\\\"\\\\\xc3\xa9\\u0000\","
        "\"a\":[1,2.50,1e3,-0,12345678901234567890,null,true,false,1e-7,1e22],\"e\":{},\"l\":[]}}";
    (void)state;

    check_go_json(
        in, true,
        "{\"o\":{\"a\":[1,2.5,1000,-0,12345678901234567000,null,true,false,1e-7,1e+22],\"e\":{},\"l\":[],"
        "\"z\":\"\\u003ca\\u003e\\u0026\\u2028\\u2029\\u0001\x7f\\b\\f\\n\\t\\r\\\"\\\\\xc3\xa9\\u0000\"}}");
    check_go_json(
        in, false,
        "{\"o\":{\"a\":[1,2.5,1000,-0,12345678901234567000,null,true,false,1e-7,1e+22],\"e\":{},\"l\":[],"
        "\"z\":\"<a>&\\u2028\\u2029\\u0001\x7f\\b\\f\\n\\t\\r\\\"\\\\\xc3\xa9\\u0000\"}}");
    check_go_json("{\"b\":1,\"a\":2,\"B\":3,\"a-\":4}", false, "{\"B\":3,\"a\":2,\"a-\":4,\"b\":1}");
}

static void test_json_integers_stay_whole(void **state)
{
    struct es_buf out;
    json_t *value = parse("[9007199254740993,-1]");
    (void)state;

    es_buf_init(&out, 64);
    es_go_json(&out, value, false);
    assert_string_equal(es_buf_str(&out), "[9007199254740993,-1]");
    es_buf_fini(&out);
    json_decref(value);
}

static void test_json_has_ceilings(void **state)
{
    struct es_buf out;
    json_t *deep = json_array();
    json_t *at = deep;
    (void)state;

    for (int i = 0; i < 600; i++) {
        json_t *inner = json_array();
        json_array_append_new(at, inner);
        at = inner;
    }
    es_buf_init(&out, 1 << 20);
    es_go_json(&out, deep, false);
    assert_true(es_buf_failed(&out));
    es_buf_fini(&out);
    json_decref(deep);

    json_t *wide = parse("[\"0123456789\",\"0123456789\"]");
    es_buf_init(&out, 16);
    es_go_json(&out, wide, false);
    assert_true(es_buf_failed(&out));
    es_buf_fini(&out);
    json_decref(wide);
}

static void check_quote(const char *in, const char *want)
{
    struct es_buf out;

    es_buf_init(&out, 256);
    es_go_quote(&out, in);
    assert_string_equal(es_buf_str(&out), want);
    es_buf_fini(&out);
}

static void test_quotes(void **state)
{
    (void)state;
    check_quote("", "\"\"");
    check_quote("zz", "\"zz\"");
    check_quote("a\"b\\c\nd\x01\x7f\a", "\"a\\\"b\\\\c\\nd\\x01\\x7f\\a\"");
    check_quote("\xc3\xa9\xe4\xb8\x96\xe2\x80\x8b\xc2\xad", "\"\xc3\xa9\xe4\xb8\x96\\u200b\\u00ad\"");
    check_quote("\xff\xf3\xa0\x80\x81\xc2\xa0", "\"\\xff\\U000e0001\\u00a0\"");
}

static void test_letters_and_numbers(void **state)
{
    static const uint32_t inside[] = {'a', 'Z', '0', 0xe9, 0x4e16, 0x0663, 0x2155, 0x16ee, 0x1d400, 0x02b0};
    static const uint32_t outside[] = {'_',    '/',    ' ', 0,   0x0301, 0x20ac, 0x1f600,
                                       0xfffd, 0x200b, '@', '[', '`',    '{'};
    (void)state;

    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        assert_int_equal(es_go_is_letter_or_number(inside[i]), 1);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_int_equal(es_go_is_letter_or_number(outside[i]), 0);
}

static void test_members_in_order(void **state)
{
    json_t *object = parse("{\"b\":1,\"a\":2,\"\xc3\xa9\":3,\"A\":4}");
    struct es_go_member *members;
    size_t count;
    (void)state;

    assert_int_equal(es_go_members(&members, &count, object), 0);
    assert_int_equal(count, 4);
    assert_string_equal(members[0].key, "A");
    assert_string_equal(members[1].key, "a");
    assert_string_equal(members[2].key, "b");
    assert_string_equal(members[3].key, "\xc3\xa9");
    assert_int_equal(json_integer_value(members[1].value), 2);
    es_mem_free(members);
    assert_int_equal(es_go_members(&members, &count, NULL), 0);
    assert_int_equal(count, 0);
    es_mem_free(members);
    json_decref(object);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats_as_go_writes_them), cmocka_unit_test(test_the_longest_floats_fit),
        cmocka_unit_test(test_json_as_go_marshals_it),   cmocka_unit_test(test_json_integers_stay_whole),
        cmocka_unit_test(test_json_has_ceilings),        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_letters_and_numbers),      cmocka_unit_test(test_members_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
