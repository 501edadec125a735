/* Places in a tree, as templateFrom.target names them. */
#include "tests/unit/secret/secret_test.h"

#include <stdio.h>

#include "core/secret/path.h"

static struct es_error err;

/* The tree after a value was put there; texts in JSON. */
static int put(const char *tree, const char *path, const char *value, bool merge, const char *want)
{
    json_t *root = parse(tree), *v = parse(value);

    err = (struct es_error)ES_ERROR_INIT;
    int rc = es_path_put(root, path, v, merge, &err);
    if (want)
        check_json(root, want);
    json_decref(v);
    json_decref(root);
    return rc;
}

static void check_put(const char *tree, const char *path, const char *value, bool merge, const char *want)
{
    if (put(tree, path, value, merge, want) < 0)
        fail_msg("%s: %s", path, err.text);
}

static void test_what_is_missing_is_made(void **state)
{
    (void)state;
    check_put("{}", "spec", "1", false, "{\"spec\":1}");
    check_put("{}", "spec.a.b", "\"x\"", false, "{\"spec\":{\"a\":{\"b\":\"x\"}}}");
    check_put("{\"spec\":null}", "spec.a", "1", false, "{\"spec\":{\"a\":1}}");
    check_put("{}", "spec.rules[1].from[0].mixedCase", "true", false,
              "{\"spec\":{\"rules\":[null,{\"from\":[{\"mixedCase\":true}]}]}}");
    check_put("{}", "a[0][1]", "1", false, "{\"a\":[[null,1]]}");
}

static void test_neighbours_stay(void **state)
{
    (void)state;
    check_put("{\"spec\":{\"list\":[{\"a\":1},{\"b\":2}]}}", "spec.list[0].c", "3", false,
              "{\"spec\":{\"list\":[{\"a\":1,\"c\":3},{\"b\":2}]}}");
    check_put("{\"spec\":{\"a\":{\"x\":1}}}", "spec.a", "2", false, "{\"spec\":{\"a\":2}}");
}

static void test_merging(void **state)
{
    static const char tree[] = "{\"spec\":{\"a\":{\"x\":1,\"y\":{\"z\":1}}}}";
    (void)state;
    check_put(tree, "spec.a", "{\"y\":{\"n\":2},\"m\":3}", true,
              "{\"spec\":{\"a\":{\"x\":1,\"y\":{\"n\":2},\"m\":3}}}"); /* not deep */
    check_put(tree, "spec.a", "{\"m\":3}", false, "{\"spec\":{\"a\":{\"m\":3}}}");
    check_put(tree, "spec.a", "[1]", true, "{\"spec\":{\"a\":[1]}}");
    check_put(tree, "spec.a.x", "{\"m\":3}", true, "{\"spec\":{\"a\":{\"x\":{\"m\":3},\"y\":{\"z\":1}}}}");
    check_put(tree, "spec", "{\"m\":3}", true, "{\"spec\":{\"m\":3}}"); /* a single key: replaced */
}

static void test_what_does_not_fit(void **state)
{
    static const struct {
        const char *tree, *path, *text;
    } cases[] = {
        {"{\"spec\":\"x\"}", "spec.a",
         "failed to set path spec.a: expected map at key \"a\" but found string"},
        {"{\"spec\":[1]}", "spec.a",
         "failed to set path spec.a: expected map at key \"a\" but found []interface {}"},
        {"{\"spec\":{}}", "spec[2]",
         "failed to set path spec[2]: expected array at index 2 but found map[string]interface {}"},
        {"{\"spec\":{\"a\":1}}", "spec.a.b",
         "failed to set path spec.a.b: expected map at key \"b\" but found int64"},
        {"{\"spec\":{\"a\":1.5}}", "spec.a.b",
         "failed to set path spec.a.b: expected map at key \"b\" but found float64"},
        {"{\"spec\":{\"a\":true}}", "spec.a[0]",
         "failed to set path spec.a[0]: expected array at index 0 but found bool"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(put(cases[i].tree, cases[i].path, "1", false, NULL), ES_E_CONFIG);
        assert_string_equal(err.text, cases[i].text);
    }
}

static void test_what_is_no_path(void **state)
{
    static const char *const cases[][2] = {
        {"", "invalid path \"\": empty segment"},
        {"a..b", "invalid path \"a..b\": empty segment"},
        {"a.", "invalid path \"a.\": empty segment"},
        {".a", "invalid path \".a\": empty segment"},
        {"a[0", "invalid path \"a[0\": unterminated '['"},
        {"a[x]", "invalid path \"a[x]\": bad index \"x\""},
        {"a[]", "invalid path \"a[]\": bad index \"\""},
        {"a[99999999999999999999999]",
         "invalid path \"a[99999999999999999999999]\": bad index \"99999999999999999999999\""},
        {"a[-1]", "invalid path \"a[-1]\": negative index -1"},
        {"a[10001]", "invalid path \"a[10001]\": index 10001 exceeds maximum (10000)"},
        {"a[0]b", "invalid path \"a[0]b\": expected '[' near \"b\""},
        {"[0].a", "invalid path \"[0].a\": path must start with a key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(put("{}", cases[i][0], "1", false, "{}"), ES_E_CONFIG);
        assert_string_equal(err.text, cases[i][1]);
    }
}

static void test_paths_have_an_end(void **state)
{
    char path[1024] = "a", key[400];
    (void)state;

    for (int i = 0; i < ES_PATH_STEPS_MAX - 1; i++)
        snprintf(path + strlen(path), sizeof path - strlen(path), ".a");
    assert_int_equal(put("{}", path, "1", false, NULL), 0);
    strncat(path, ".a", sizeof path - strlen(path) - 1);
    assert_int_equal(put("{}", path, "1", false, "{}"), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "more than 64 steps"));
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    assert_int_equal(put("{}", key, "1", false, "{}"), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "a key above 253 bytes"));
    check_put("{}", "a[10000]", "1", false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missing_is_made),
        cmocka_unit_test(test_neighbours_stay),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_what_is_no_path),
        cmocka_unit_test(test_paths_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
