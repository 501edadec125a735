#include "tests/unit/base/base_test.h"

#include <math.h>

#include "core/base/mem.h"
#include "core/base/text.h"

static void test_comparisons(void **state)
{
    (void)state;

    assert_true(es_streq("a", "a"));
    assert_true(es_streq(NULL, ""));
    assert_true(es_streq(NULL, NULL));
    assert_false(es_streq("a", NULL));
    assert_true(es_strieq("AbC", "aBc"));
    assert_false(es_strieq("ab", "abc"));
    assert_true(es_strieq(NULL, ""));
    assert_true(es_str_empty(NULL) && es_str_empty("") && !es_str_empty(" "));
    assert_true(es_str_starts("prefix", "pre"));
    assert_true(es_str_starts("x", ""));
    assert_false(es_str_starts("pr", "pre"));
    assert_false(es_str_starts(NULL, "a"));
    assert_true(es_str_ends("a.yaml", ".yaml"));
    assert_false(es_str_ends("yaml", ".yaml"));
    assert_true(es_str_ends(NULL, ""));
    char *text = es_strf("%s/%d", "a", 5);
    assert_string_equal(text, "a/5");
    es_mem_free(text);
}

static void test_utf8_both_ways(void **state)
{
    char out[4];
    (void)state;

    for (uint32_t r = 0; r <= 0x10FFFF; r++) {
        uint32_t back = 0;
        size_t n = es_utf8_encode(r, out);
        bool surrogate = r >= 0xD800 && r <= 0xDFFF;
        assert_int_equal(n, surrogate ? 3 : r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4);
        assert_int_equal(es_utf8_decode(out, n, &back), n);
        assert_int_equal(back, surrogate ? 0xFFFD : r);
        assert_int_equal(es_utf8_decode(out, n - 1, &back), 0);
    }
    assert_int_equal(es_utf8_encode(0x110000, out), 3);
}

static void test_utf8_refuses(void **state)
{
    static const char *const wrong[] = {"\x80",
                                        "\xBF",
                                        "\xC0\x80",
                                        "\xC1\xBF",
                                        "\xE0\x80\x80",
                                        "\xE0\x9F\xBF",
                                        "\xED\xA0\x80",
                                        "\xED\xBF\xBF",
                                        "\xF0\x80\x80\x80",
                                        "\xF0\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "\xFF",
                                        "\xC3",
                                        "\xC3(",
                                        "\xE2\x82",
                                        "\xF0\x9F\x98",
                                        "a\xFF"};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(es_utf8_valid(wrong[i], strlen(wrong[i])));
    assert_true(es_utf8_valid("a\0\xC3\xA9\xF0\x9F\x98\x80", 8));
    assert_true(es_utf8_valid("", 0));
}

static void test_whole_numbers(void **state)
{
    static const char *const wrong[] = {"",  " 1", "1 ", "+1", "0x1", "1.0", "-", "9223372036854775808",
                                        "a", "--1"};
    int64_t n = 7;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(es_parse_i64(wrong[i], &n), -1);
    assert_int_equal(es_parse_i64(NULL, &n), -1);
    assert_int_equal(n, 7);
    assert_int_equal(es_parse_i64("-9223372036854775808", &n), 0);
    assert_true(n == INT64_MIN);
    assert_int_equal(es_parse_i64("007", &n), 0);
    assert_int_equal(n, 7);
}

static void test_resource_versions(void **state)
{
    (void)state;

    assert_int_equal(es_rv_compare("5", "5"), 0);
    assert_true(es_rv_compare("9", "10") < 0);
    assert_true(es_rv_compare("10", "9") > 0);
    assert_int_equal(es_rv_compare("010", "10"), 0);
    assert_true(es_rv_compare("123456789012345678901234567890", "123456789012345678901234567891") < 0);
    assert_int_equal(es_rv_compare("abc", "abc"), 0);
    assert_int_equal(es_rv_compare("abc", "5"), -1);
    assert_int_equal(es_rv_compare("5", ""), -1);
    assert_int_equal(es_rv_compare(NULL, ""), 0);
}

static void test_floats(void **state)
{
    /* Results of Go's strconv.FormatFloat, and of encoding/json for 21. */
    static const struct {
        double v;
        int bits, from;
        const char *text;
    } cases[] = {
        {0, 64, 21, "0"},
        {-0.0, 64, 21, "-0"},
        {1, 64, 21, "1"},
        {-1.5, 64, 21, "-1.5"},
        {0.1, 64, 21, "0.1"},
        {1.0 / 3, 64, 21, "0.3333333333333333"},
        {1e6, 64, 21, "1000000"},
        {1e6, 64, 6, "1e+06"},
        {123456, 64, 6, "123456"},
        {1e20, 64, 21, "100000000000000000000"},
        {1e21, 64, 21, "1e+21"},
        {1.25e25, 64, 21, "1.25e+25"},
        {0.0001, 64, 21, "0.0001"},
        {0.00001, 64, 21, "1e-05"},
        {5e-324, 64, 21, "5e-324"},
        {2.2250738585072014e-308, 64, 21, "2.2250738585072014e-308"},
        {1.7976931348623157e308, 64, 21, "1.7976931348623157e+308"},
        {9007199254740993.0, 64, 21, "9007199254740992"},
        {0.1, 32, 6, "0.1"},
        {16777216, 32, 6, "1.6777216e+07"},
        {123456789.5, 32, 6, "1.2345679e+08"},
        {1.401298464324817e-45, 32, 6, "1e-45"},
        {INFINITY, 64, 21, "+Inf"},
        {-INFINITY, 64, 21, "-Inf"},
        {1e300, 32, 6, "+Inf"},
    };
    char out[ES_FLOAT_TEXT_MAX];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(es_float_format(cases[i].v, cases[i].bits, cases[i].from, out), cases[i].text);
    assert_string_equal(es_float_format(NAN, 64, 21, out), "NaN");
    uint64_t random = 1;
    for (int i = 0; i < 100000; i++) {
        double v;
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&v, &random, sizeof v);
        if (isfinite(v))
            assert_true(strtod(es_float_format(v, 64, 21, out), NULL) == v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons),       cmocka_unit_test(test_utf8_both_ways),
        cmocka_unit_test(test_utf8_refuses),      cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_resource_versions), cmocka_unit_test(test_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
