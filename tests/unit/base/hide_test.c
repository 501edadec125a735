#include "tests/unit/base/base_test.h"

#include "core/base/hide.h"

static void test_secrets_go_and_reasons_stay(void **state)
{
    static const struct {
        const char *secret, *text, *shown;
    } cases[] = {
        {"hunter22", "hunter22 is too weak, hunter22!", "*** is too weak, ***!"},
        {"short", "short words stay", "short words stay"},
        {"hunter22", "nothing is quoted", "nothing is quoted"},
        {"hunter22", "hunter22hunter22", "******"},
        {"hunter22", "hunter22", "***"},
        {"hunter22", "", ""},
        {"", "an empty one hides nothing", "an empty one hides nothing"},
        /* The text was cut. */
        {"a long secret value", "denied: a long secret va", "denied: ***"},
        {"a long secret value", "denied: a lon", "denied: a lon"},
        {"a long secret value", "a long secre", "***"},
        /* Quoted as JSON, Go and Python do it, or wrapped. */
        {"first\"second", "it is first\\\"second", "it is first\\\"***"},
        {"first half\nsecond half\n", "\"first half\\nsecond half\\n\"", "\"***\\n***\\n\""},
        {"before\xc3\xa9"
         "behind",
         "'before\\u00e9behind'", "'***\\u00e9***'"},
        {"{\"password\":\"hunter22\"}", "password hunter22", "*** ***"},
        {"tabs\tinside of it", "inside of it", "***"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct es_error err = ES_ERROR_INIT;
        es_error_set(&err, ES_E_DENIED, "%s", cases[i].text);
        es_hide_in_error(&err, cases[i].secret, strlen(cases[i].secret));
        assert_string_equal(err.text, cases[i].shown);
        assert_int_equal(err.code, ES_E_DENIED);
    }
}

static void test_bytes_are_no_text(void **state)
{
    static const char secret[] = "\0\0\0\0\0\0zeroes in it";
    char text[] = "a\0\0\0\0\0\0zeroes in it";
    (void)state;

    assert_int_equal(es_hide(text, sizeof text - 1, secret, sizeof secret - 1), 4);
    assert_memory_equal(text, "a***", 4);
    assert_int_equal(es_hide(text, 4, NULL, 0), 4);
    es_hide_in_error(NULL, secret, sizeof secret - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_go_and_reasons_stay),
        cmocka_unit_test(test_bytes_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
