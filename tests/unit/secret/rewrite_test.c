#include "tests/unit/secret/secret_test.h"

#include <stdlib.h>

#include "core/secret/shape.h"

/* Stands in for the template language: the text is the template, with every
 * "@" replaced by the value; "!" is an error when rendered, "?" when read. */
static int fake_parse(void *ctx, const char *text, struct es_error *err)
{
    (void)ctx;
    return strchr(text, '?') ? es_error_set(err, ES_E_CONFIG, "unexpected ?") : 0;
}

static int fake_render(void *ctx, const char *text, const json_t *data, struct es_buf *out,
                       struct es_error *err)
{
    size_t *calls = ctx;

    ++*calls;
    assert_int_equal(json_object_size(data), 1);
    for (; *text; text++) {
        if (*text == '!')
            return es_error_set(err, ES_E_CONFIG, "wrong ! in template");
        if (*text == '@')
            es_buf_adds(out, json_string_value(json_object_get(data, "value")));
        else if (*text == '~')
            es_buf_addc(out, '\0');
        else
            es_buf_addc(out, *text);
    }
    return 0;
}

static size_t calls;
static const struct es_renderer renderer = {.render = fake_render, .ctx = &calls, .parse = fake_parse};

static void check_rewrite(const char *rewrite, const char *in, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of(in);
    json_t *ops = parse(rewrite);

    if (es_values_rewrite(&v, ops, &renderer, &err) < 0)
        fail_msg("%s: %s", rewrite, err.text);
    check_values(&v, want);
    json_decref(ops);
    es_values_fini(&v);
}

static void check_failure(const char *rewrite, const char *in, int code, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of(in);
    json_t *ops = parse(rewrite);

    assert_int_equal(es_values_rewrite(&v, ops, &renderer, &err), code);
    check_error(&err, code, want);
    json_decref(ops);
    es_values_fini(&v);
}

static void test_nothing_to_do(void **state)
{
    struct es_values v = values_of("{\"a\":\"1\"}");
    (void)state;

    assert_int_equal(es_values_rewrite(&v, NULL, NULL, NULL), 0);
    check_values(&v, "{\"a\":\"1\"}");
    es_values_fini(&v);
    check_rewrite("[]", "{\"a\":\"1\"}", "{\"a\":\"1\"}");
    check_rewrite("[{}]", "{\"a\":\"1\"}", "{\"a\":\"1\"}");
    check_rewrite("[{\"regexp\":{\"source\":\"a\",\"target\":\"b\"}}]", "{}", "{}");
}

static void test_regexps_one_after_the_other(void **state)
{
    (void)state;
    check_rewrite("[{\"regexp\":{\"source\":\"^db-\",\"target\":\"database-\"}},"
                  "{\"regexp\":{\"source\":\"-\",\"target\":\"_\"}}]",
                  "{\"db-user\":\"bob\",\"x\":\"1\"}", "{\"database_user\":\"bob\",\"x\":\"1\"}");
    check_rewrite("[{\"regexp\":{\"source\":\"^path/to/(.*)$\",\"target\":\"$1\"}}]",
                  "{\"path/to/user\":\"bob\",\"path/to/pass\":\"pw\"}", "{\"user\":\"bob\",\"pass\":\"pw\"}");
}

static void test_groups_are_named_as_in_go(void **state)
{
    (void)state;
    check_rewrite("[{\"regexp\":{\"source\":\"^(a)(b)$\",\"target\":\"${2}x-$1_y-$$\"}},"
                  "{\"regexp\":{\"source\":\"\\\\$\",\"target\":\"S\"}}]",
                  "{\"ab\":\"1\"}", "{\"bx--S\":\"1\"}");
}

static void test_a_prefix_for_every_key(void **state)
{
    (void)state;
    check_rewrite("[{\"regexp\":{\"source\":\"(.*)\",\"target\":\"dev-$1\"}}]", "{\"password\":\"bar\"}",
                  "{\"dev-password\":\"bar\"}");
    check_rewrite("[{\"regexp\":{\"source\":\"^\",\"target\":\"db_\"}}]", "{\"u\":\"1\",\"p\":\"2\"}",
                  "{\"db_u\":\"1\",\"db_p\":\"2\"}");
}

static void test_keys_that_collide_leave_the_last(void **state)
{
    (void)state;
    check_rewrite("[{\"regexp\":{\"source\":\"[0-9]\",\"target\":\"\"}}]",
                  "{\"a1\":\"x\",\"a3\":\"z\",\"a2\":\"y\"}", "{\"a\":\"z\"}");
    check_rewrite("[{\"regexp\":{\"source\":\".*\",\"target\":\"\"}}]", "{\"a\":\"x\",\"b\":\"y\"}",
                  "{\"\":\"y\"}");
}

static void test_a_regexp_that_does_not_compile(void **state)
{
    (void)state;
    check_failure(
        "[{\"regexp\":{\"source\":\"a\",\"target\":\"b\"}},{\"regexp\":{\"source\":\"[\",\"target\":\"\"}}]",
        "{\"ab\":\"1\"}", ES_E_CONFIG,
        "failed rewrite operation[1]: regexp failed with failed to compile: "
        "error parsing regexp: missing closing ]: `[`");
}

static void test_a_key_that_grows_without_end(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of("{\"aaaaaaaaaa\":\"1\"}");
    json_t *ops = parse("[{\"regexp\":{\"source\":\"a\"}}]");
    char target[8192];
    (void)state;

    memset(target, 'x', sizeof target);
    target[sizeof target - 1] = '\0';
    json_object_set_new(json_object_get(json_array_get(ops, 0), "regexp"), "target", json_string(target));
    assert_int_equal(es_values_rewrite(&v, ops, NULL, &err), ES_E_TOO_LARGE);
    assert_int_equal(err.code, ES_E_TOO_LARGE);
    json_decref(ops);
    es_values_fini(&v);
}

static void test_transform(void **state)
{
    (void)state;
    check_rewrite("[{\"transform\":{\"template\":\"prod_@\"}}]", "{\"password\":\"safe\",\"user\":\"bob\"}",
                  "{\"prod_password\":\"safe\",\"prod_user\":\"bob\"}");
    calls = 0;
    check_rewrite("[{\"transform\":{\"template\":\"same\"}}]", "{\"a\":\"1\",\"b\":\"2\"}",
                  "{\"same\":\"2\"}");
    assert_int_equal(calls, 2);
}

static void test_transform_failures(void **state)
{
    (void)state;
    check_failure(
        "[{\"transform\":{\"template\":\"@?\"}}]", "{}", ES_E_CONFIG,
        "failed rewrite operation[0]: transform failed with failed to parse template: unexpected ?");
    check_failure(
        "[{},{\"transform\":{\"template\":\"!\"}}]", "{\"a\\\"b\":\"1\"}", ES_E_CONFIG,
        "failed rewrite operation[1]: transform failed with failed to execute template for key \"a\\\"b\": "
        "wrong ! in template");
    check_failure("[{\"transform\":{\"template\":\"a~b\"}}]", "{\"k\":\"1\"}", ES_E_CONFIG,
                  "failed rewrite operation[0]: transform failed with key contains a null byte");
}

static void test_transform_wants_text(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = {0};
    json_t *ops = parse("[{\"transform\":{\"template\":\"@\"}}]");
    (void)state;

    assert_int_equal(es_values_set(&v, "k\xff", "1", 1), 0);
    assert_int_equal(es_values_rewrite(&v, ops, &renderer, &err), ES_E_CONFIG);
    check_error(
        &err, ES_E_CONFIG,
        "failed rewrite operation[0]: transform failed with failed to execute template for key \"k\\xff\": "
        "the key is not UTF-8");
    json_decref(ops);
    es_values_fini(&v);
}

static void test_transform_without_a_template_engine(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of("{\"a\":\"1\"}");
    json_t *ops = parse("[{\"transform\":{\"template\":\"@\"}}]");
    (void)state;

    assert_int_equal(es_values_rewrite(&v, ops, NULL, &err), ES_E_CONFIG);
    check_error(&err, ES_E_CONFIG,
                "failed rewrite operation[0]: transform failed with no template engine in this build");
    json_decref(ops);
    es_values_fini(&v);
}

static void test_merge_hoists_all_members(void **state)
{
    (void)state;
    check_rewrite(
        "[{\"merge\":{}}]",
        "{\"m1\":\"{\\\"user\\\":\\\"bob\\\",\\\"n\\\":7}\","
        "\"m2\":\"{\\\"pass\\\":\\\"pw\\\",\\\"o\\\":{\\\"k\\\":[1,2]},\\\"b\\\":true,\\\"z\\\":null}\"}",
        "{\"user\":\"bob\",\"n\":\"7\",\"pass\":\"pw\",\"o\":\"{\\\"k\\\":[1,2]}\",\"b\":\"true\",\"z\":"
        "\"\"}");
    check_rewrite("[{\"merge\":{\"strategy\":\"Extract\"}}]", "{\"m\":\"{}\",\"n\":\" null \"}", "{}");
}

static void test_merged_numbers_have_no_exponent(void **state)
{
    (void)state;
    check_rewrite("[{\"merge\":{}}]",
                  "{\"m\":\"{\\\"a\\\":2.50,\\\"b\\\":1e21,\\\"c\\\":1e-7,\\\"d\\\":-0.5,\\\"e\\\":"
                  "12345678901234567890,"
                  "\\\"f\\\":100000000}\"}",
                  "{\"a\":\"2.5\",\"b\":\"1000000000000000000000\",\"c\":\"0.0000001\",\"d\":\"-0.5\","
                  "\"e\":\"12345678901234567000\",\"f\":\"100000000\"}");
}

/* Extract goes through json.Marshal, the JSON strategy does not. */
static void test_merged_json_and_html(void **state)
{
    (void)state;
    check_rewrite("[{\"merge\":{}}]", "{\"m\":\"{\\\"o\\\":[\\\"<&>\\\"],\\\"s\\\":\\\"<&>\\\"}\"}",
                  "{\"o\":\"[\\\"\\\\u003c\\\\u0026\\\\u003e\\\"]\",\"s\":\"<&>\"}");
    check_rewrite("[{\"merge\":{\"strategy\":\"JSON\",\"into\":\"all\"}}]",
                  "{\"m\":\"{\\\"s\\\":\\\"<&>\\\"}\"}",
                  "{\"m\":\"{\\\"s\\\":\\\"<&>\\\"}\",\"all\":\"{\\\"s\\\":\\\"<&>\\\"}\"}");
}

static void test_merge_into_one_document(void **state)
{
    (void)state;
    check_rewrite(
        "[{\"merge\":{\"strategy\":\"JSON\",\"into\":\"m1\"}}]",
        "{\"m1\":\"{\\\"b\\\":1.50,\\\"a\\\":{\\\"y\\\":1,\\\"x\\\":null}}\",\"m2\":\"{\\\"c\\\":false}\"}",
        "{\"m1\":\"{\\\"a\\\":{\\\"x\\\":null,\\\"y\\\":1},\\\"b\\\":1.5,\\\"c\\\":false}\","
        "\"m2\":\"{\\\"c\\\":false}\"}");
}

static void test_merge_json_needs_into(void **state)
{
    (void)state;
    check_failure("[{\"merge\":{\"strategy\":\"JSON\"}}]", "{\"m1\":\"{\\\"a\\\":\\\"1\\\"}\"}", ES_E_CONFIG,
                  "failed rewrite operation[0]: merge failed with missing 'into' field");
}

static const char three[] = "{\"m1\":\"{\\\"a\\\":1,\\\"b\\\":1}\",\"m2\":\"{\\\"b\\\":2,\\\"a\\\":2}\","
                            "\"m3\":\"{\\\"a\\\":3}\"}";

static void test_merge_conflicts(void **state)
{
    (void)state;
    check_failure("[{\"merge\":{}}]", three, ES_E_CONFIG,
                  "failed rewrite operation[0]: merge failed with conflicts: a, b, a");
    check_failure("[{\"merge\":{\"conflictPolicy\":\"Error\"}}]", three, ES_E_CONFIG,
                  "failed rewrite operation[0]: merge failed with conflicts: a, b, a");
    check_rewrite("[{\"merge\":{\"conflictPolicy\":\"Ignore\"}}]", three, "{\"a\":\"3\",\"b\":\"2\"}");
}

static void test_merge_priority_wins(void **state)
{
    (void)state;
    check_rewrite("[{\"merge\":{\"conflictPolicy\":\"Ignore\",\"priority\":[\"m2\",\"m1\"]}}]", three,
                  "{\"a\":\"1\",\"b\":\"1\"}");
    check_rewrite(
        "[{\"merge\":{\"conflictPolicy\":\"Ignore\",\"priority\":[\"m1\"],\"priorityPolicy\":\"Strict\"}}]",
        three, "{\"a\":\"1\",\"b\":\"1\"}");
}

static void test_merge_priority_that_is_not_there(void **state)
{
    (void)state;
    check_failure("[{\"merge\":{\"priority\":[\"zz\"]}}]", "{\"m1\":\"{\\\"a\\\":\\\"1\\\"}\"}", ES_E_CONFIG,
                  "failed rewrite operation[0]: merge failed with key \"zz\" not found in input map");
    check_rewrite("[{\"merge\":{\"priority\":[\"zz\"],\"priorityPolicy\":\"IgnoreNotFound\"}}]",
                  "{\"m1\":\"{\\\"a\\\":\\\"1\\\"}\"}", "{\"a\":\"1\"}");
}

static void test_merge_wants_objects_and_does_not_quote_others(void **state)
{
    static const char want[] = "failed rewrite operation[0]: merge failed with failed to unmarshal JSON: "
                               "the value of key m is no JSON object";
    (void)state;

    check_failure("[{\"merge\":{}}]", "{\"m\":\"hunter2\"}", ES_E_CONFIG, want);
    check_failure("[{\"merge\":{}}]", "{\"m\":\"\"}", ES_E_CONFIG, want);
    check_failure("[{\"merge\":{}}]", "{\"m\":\"[1]\"}", ES_E_CONFIG, want);
    check_failure("[{\"merge\":{}}]", "{\"m\":\"\\\"text\\\"\"}", ES_E_CONFIG, want);
    check_failure("[{\"merge\":{}}]", "{\"m\":\"{} x\"}", ES_E_CONFIG, want);
    check_failure("[{\"merge\":{}}]", "{\"m\":\"{\\\"a\\\":1e999}\"}", ES_E_CONFIG, want);
}

static void test_merge_does_not_follow_json_down_a_well(void **state)
{
    enum { DEPTH = 100000 };
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = {0};
    json_t *ops = parse("[{\"merge\":{}}]");
    char *deep = malloc(DEPTH);
    (void)state;

    assert_non_null(deep);
    memset(deep, '[', DEPTH);
    assert_int_equal(es_values_set(&v, "m", deep, DEPTH), 0);
    assert_int_equal(es_values_rewrite(&v, ops, NULL, &err), ES_E_CONFIG);
    es_values_fini(&v);

    /* Brackets inside of strings are no depth. */
    memcpy(deep, "{\"k\":\"\\\"", 8);
    memcpy(deep + DEPTH - 2, "\"}", 2);
    assert_int_equal(es_values_set(&v, "m", deep, DEPTH), 0);
    assert_int_equal(es_values_rewrite(&v, ops, NULL, &err), 0);
    assert_int_equal(es_values_get(&v, "k")->len, DEPTH - 9);
    es_values_fini(&v);
    free(deep);
    json_decref(ops);
}

static void test_merge_and_then_a_regexp(void **state)
{
    (void)state;
    check_rewrite("[{\"merge\":{}},{\"regexp\":{\"source\":\"^\",\"target\":\"db_\"}}]",
                  "{\"m1\":\"{\\\"user\\\":\\\"bob\\\"}\",\"m2\":\"{\\\"pass\\\":\\\"pw\\\"}\"}",
                  "{\"db_user\":\"bob\",\"db_pass\":\"pw\"}");
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_regexps_one_after_the_other),
        cmocka_unit_test(test_groups_are_named_as_in_go),
        cmocka_unit_test(test_a_prefix_for_every_key),
        cmocka_unit_test(test_keys_that_collide_leave_the_last),
        cmocka_unit_test(test_a_regexp_that_does_not_compile),
        cmocka_unit_test(test_a_key_that_grows_without_end),
        cmocka_unit_test(test_transform),
        cmocka_unit_test(test_transform_failures),
        cmocka_unit_test(test_transform_wants_text),
        cmocka_unit_test(test_transform_without_a_template_engine),
        cmocka_unit_test(test_merge_hoists_all_members),
        cmocka_unit_test(test_merged_numbers_have_no_exponent),
        cmocka_unit_test(test_merged_json_and_html),
        cmocka_unit_test(test_merge_into_one_document),
        cmocka_unit_test(test_merge_json_needs_into),
        cmocka_unit_test(test_merge_conflicts),
        cmocka_unit_test(test_merge_priority_wins),
        cmocka_unit_test(test_merge_priority_that_is_not_there),
        cmocka_unit_test(test_merge_wants_objects_and_does_not_quote_others),
        cmocka_unit_test(test_merge_does_not_follow_json_down_a_well),
        cmocka_unit_test(test_merge_and_then_a_regexp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
