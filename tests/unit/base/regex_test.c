#include "tests/unit/base/base_test.h"

#include "core/base/regex.h"
#include "tests/unit/base/regex_cases.h"

#define OUT_MAX ((size_t)1 << 20)

static void check_case(const struct regex_case *c)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_regex *re = NULL;
    struct es_buf out;
    int rc = es_regex_new(&re, c->pattern, &err);

    if (c->found < 0) {
        assert_null(re);
        assert_int_equal(rc, ES_E_CONFIG);
        assert_string_equal(err.text, c->result);
        return;
    }
    if (rc < 0)
        fail_msg("`%s`: %s", c->pattern, err.text);
    es_buf_init(&out, OUT_MAX);
    if (es_regex_search(re, c->text, strlen(c->text), &err) != c->found)
        fail_msg("`%s` in \"%s\": not %d", c->pattern, c->text, c->found);
    assert_int_equal(es_regex_replace_all(re, c->text, strlen(c->text), c->replacement, &out, &err), 0);
    if (strcmp(es_buf_str(&out), c->result) != 0)
        fail_msg("`%s` in \"%s\" with \"%s\": \"%s\" instead of \"%s\"", c->pattern, c->text, c->replacement,
                 es_buf_str(&out), c->result);
    es_buf_fini(&out);
    es_regex_free(re);
}

static void test_agrees_with_go(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT_OF(regex_cases); i++)
        check_case(&regex_cases[i]);
}

static struct es_regex *compiled(const char *pattern)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_regex *re = NULL;
    if (es_regex_new(&re, pattern, &err) < 0)
        fail_msg("`%s`: %s", pattern, err.text);
    return re;
}

static void test_subjects_may_hold_nul(void **state)
{
    struct es_regex *re = compiled("b.d");
    struct es_buf out;
    (void)state;

    assert_int_equal(es_regex_search(re, "a\0b\0d", 5, NULL), 1);
    assert_int_equal(es_regex_search(re, "a\0b\0d", 4, NULL), 0);
    assert_int_equal(es_regex_search(re, NULL, 0, NULL), 0);
    es_buf_init(&out, OUT_MAX);
    assert_int_equal(es_regex_replace_all(re, "a\0b\0d\0e", 7, "[$0]", &out, NULL), 0);
    assert_int_equal(out.len, 9);
    assert_memory_equal(es_buf_str(&out), "a\0[b\0d]\0e", 9);
    es_buf_fini(&out);
    es_regex_free(re);
}

static void test_bad_bytes_come_through_unchanged(void **state)
{
    struct es_regex *re = compiled("(b.)");
    struct es_buf out;
    (void)state;

    es_buf_init(&out, OUT_MAX);
    assert_int_equal(es_regex_replace_all(re, "\xFF\xC3xb\xFE\xF0\x9F", 7, "<$1>", &out, NULL), 0);
    assert_string_equal(es_buf_str(&out), "\xFF\xC3x<b\xFE>\xF0\x9F");
    es_buf_fini(&out);
    es_regex_free(re);
}

static void test_explosions_are_stopped(void **state)
{
    struct es_regex *re = compiled("^(a+)+$");
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    char text[64];
    (void)state;

    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    assert_int_equal(es_regex_search(re, text, sizeof text, &err), ES_E_TOO_LARGE);
    assert_string_equal(err.text, "the regular expression takes too many steps on 64 bytes");
    es_buf_init(&out, OUT_MAX);
    assert_int_equal(es_regex_replace_all(re, text, sizeof text, "x", &out, &err), ES_E_TOO_LARGE);
    es_buf_fini(&out);
    es_regex_free(re);
}

static void test_long_subjects(void **state)
{
    struct es_regex *re = compiled("(?s)^(.*)needle(.*)$");
    size_t len = 500000;
    char *text = malloc(len);
    struct es_buf out;
    (void)state;

    memset(text, 'h', len);
    memcpy(text + len - 10, "needle", 6);
    assert_int_equal(es_regex_search(re, text, len, NULL), 1);
    es_buf_init(&out, 100);
    assert_int_equal(es_regex_replace_all(re, text, len, "$2", &out, NULL), 0);
    assert_string_equal(es_buf_str(&out), "hhhh");
    es_buf_fini(&out);
    free(text);
    es_regex_free(re);
}

static void test_results_have_a_ceiling(void **state)
{
    struct es_regex *re = compiled("a");
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    (void)state;

    es_buf_init(&out, 5);
    assert_int_equal(es_regex_replace_all(re, "aaa", 3, "xx", &out, &err), ES_E_TOO_LARGE);
    es_buf_fini(&out);
    es_regex_free(re);
}

static void test_patterns_have_limits(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_regex *re = NULL;
    size_t len = 200000;
    char *text = malloc(len + 1);
    (void)state;

    memset(text, 'a', len);
    text[len] = '\0';
    assert_int_equal(es_regex_new(&re, text, &err), ES_E_CONFIG);
    assert_memory_equal(err.text, "error parsing regexp: expression too large: `aaa", 48);
    memset(text, '(', 60000);
    text[60000] = '\0';
    assert_int_equal(es_regex_new(&re, text, &err), ES_E_CONFIG);
    assert_memory_equal(err.text, "error parsing regexp: expression nests too deeply: `((", 54);
    /* PCRE2 cannot hold this one, however RE2 sees it. */
    assert_int_equal(es_regex_new(&re, "(?:[\\pLa-f]\\pN(?:xyz|xz)){300}", &err), 0);
    es_regex_free(re);
    re = NULL;
    static const char piece[] = "(?:[\\pLa-f]\\pN(?:xyz|xz)){1000}";
    for (size_t i = 0; i < 60; i++)
        memcpy(text + i * (sizeof piece - 1), piece, sizeof piece);
    assert_int_equal(es_regex_new(&re, text, &err), ES_E_CONFIG);
    assert_null(re);
    free(text);
}

/* What PCRE2 has beyond RE2 must not be reachable: as an error, or literally. */
static void test_nothing_of_pcre2_shines_through(void **state)
{
    static const char *const refused[] = {
        "(?=a)",   "(?!a)",  "(?<=a)",   "(?<!a)",  "(?>a)",     "(?|a)",         "(?R)",   "(?1)", "(?&n)",
        "(?P>n)",  "(?P=n)", "(?#c)",    "(?C1)",   "(?J)",      "(?x)",          "(?xx)",  "(?^)", "(?'n'a)",
        "\\1",     "\\g1",   "\\k<n>",   "\\K",     "\\R",       "\\X",           "\\N",    "\\G",  "\\h",
        "\\H",     "\\Z",    "\\c@",     "\\o{1}",  "\\e",       "a++",           "a*+",    "a?+",  "a{2}+",
        "(*FAIL)", "(*UTF)", "\\p{Xan}", "\\p{L&}", "\\p{Grek}", "\\p{sc:Greek}", "(?(1)a)"};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct es_regex *re = NULL;
        if (es_regex_new(&re, refused[i], NULL) == 0)
            fail_msg("`%s` was accepted", refused[i]);
    }
    struct es_regex *literal = compiled("[[.a.]]");
    assert_int_equal(es_regex_search(literal, ".]", 2, NULL), 1);
    es_regex_free(literal);
    es_regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_go),
        cmocka_unit_test(test_subjects_may_hold_nul),
        cmocka_unit_test(test_bad_bytes_come_through_unchanged),
        cmocka_unit_test(test_explosions_are_stopped),
        cmocka_unit_test(test_long_subjects),
        cmocka_unit_test(test_results_have_a_ceiling),
        cmocka_unit_test(test_patterns_have_limits),
        cmocka_unit_test(test_nothing_of_pcre2_shines_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
