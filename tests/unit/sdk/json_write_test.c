/* JSON that is written: a value at a path, a Secret as an object, a document as Go prints it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>

struct set_case {
    const char *json, *path, *value;
    const char *wanted; /* NULL: the path names no place */
};

/* What sjson v1.2.5 answers to the same. */
static const struct set_case set_cases[] = {
    {"{\"a\":1}", "a", "2", "{\"a\":2}"},
    {"{ \"a\" : 1 , \"b\":2 }", "a", "\"x\"", "{ \"a\" : \"x\" , \"b\":2 }"},
    {"{\"a\":1}", "b", "2", "{\"a\":1,\"b\":2}"},
    {"{}", "a.b.c", "true", "{\"a\":{\"b\":{\"c\":true}}}"},
    {"", "a.b", "1", "{\"a\":{\"b\":1}}"},
    {"", "0", "1", "[1]"},
    {"", "-1", "1", "[1]"},
    {"{\"a\":{\"b\":1}}", "a.c", "2", "{\"a\":{\"b\":1,\"c\":2}}"},
    {"{\"a\":1}", "a.b", "2", "{\"a\":{\"b\":2}}"},
    {"{\"a\":[1,2,3]}", "a.1", "9", "{\"a\":[1,9,3]}"},
    {"{\"a\":[1]}", "a.3", "9", "{\"a\":[1,null,null,9]}"},
    {"{\"a\":[]}", "a.1", "9", "{\"a\":[null,9]}"},
    {"{\"a\":[1]}", "a.-1", "9", "{\"a\":[1,9]}"},
    {"{\"a\":[]}", "a.-1", "9", "{\"a\":[9]}"},
    {"{}", "a.2.b", "1", "{\"a\":[null,null,{\"b\":1}]}"},
    {"{}", "a.:2", "1", "{\"a\":{\"2\":1}}"},
    {"{\"a\":{\"2\":0}}", "a.2", "1", "{\"a\":{\"2\":1}}"},
    {"{}", "a\\.b", "1", "{\"a.b\":1}"},
    {"{\"a.b\":0,\"a\":{\"b\":5}}", "a\\.b", "1", "{\"a.b\":1,\"a\":{\"b\":5}}"},
    {"{\"a\\u0062\":0}", "ab", "1", "{\"a\\u0062\":1}"},
    {"{\"a\":1}", "q\\\"x", "2", "{\"a\":1,\"q\\\"x\":2}"},
    {" {\"a\":1} ", "b", "2", "{\"a\":1,\"b\":2}"},
    {"\"text\"", "a", "1", "{\"a\":1}"},
    {"null", "a", "1", "{\"a\":1}"},
    {"[1,2]", "0", "{\"x\":1}", "[{\"x\":1},2]"},
    {"{\"a\":[1]}", "a.b", "1", NULL},
    {"{\"a\":1}", "", "1", NULL},
    {"{\"a\":1}", "a.*", "1", NULL},
    {"{\"a\":1}", "a.#", "1", NULL},
    {"{\"a\":1}", "a|b", "1", NULL},
    {"{\"a\":1}", "b.10001", "1", NULL},
    {"{\"a\":1}", "b.99999999999999999999999", "1", NULL},
    {"{\"a\":1}", "b\\", "1", NULL},
};

static void test_a_value_is_set_at_a_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof set_cases / sizeof *set_cases; i++) {
        const struct set_case *c = &set_cases[i];
        struct esp_text out;
        esp_text_init(&out, 100000);
        esp_text_adds(&out, "<");
        int rc = esp_json_set(esp_str(c->json), esp_str(c->path), esp_str(c->value), &out);
        if (rc != (c->wanted != NULL) || strcmp(esp_text_str(&out) + 1, c->wanted ? c->wanted : "") != 0)
            fail_msg("%s at %s in %s: %d, %s", c->value, c->path, c->json, rc, esp_text_str(&out));
        esp_text_free(&out);
    }
}

static void test_a_path_is_not_endless(void **state)
{
    (void)state;
    struct esp_text path, out;
    esp_text_init(&path, 10000);
    esp_text_init(&out, 10000);
    for (int i = 0; i < ESP_JSON_MAX_DEPTH; i++)
        esp_text_adds(&path, i ? ".a" : "a");
    assert_int_equal(esp_json_set(esp_str("{}"), esp_text_bytes(&path), esp_str("1"), &out), 1);
    assert_true(esp_json_check(esp_text_bytes(&out), NULL));
    esp_text_adds(&path, ".a");
    assert_int_equal(esp_json_set(esp_str("{}"), esp_text_bytes(&path), esp_str("1"), &out), 0);
    esp_text_free(&path);
    esp_text_free(&out);
}

static void test_what_does_not_fit_is_said(void **state)
{
    (void)state;
    struct esp_text out;
    esp_text_init(&out, 8);
    assert_int_equal(esp_json_set(esp_str("{\"a\":1}"), esp_str("b"), esp_str("2"), &out), -1);
    assert_int_equal(out.len, 0);
    esp_text_free(&out);
}

static void test_a_secret_is_an_object(void **state)
{
    (void)state;
    const esp_pair values[] = {{esp_str("b"), esp_str("<&>\"\n")},
                               {esp_str("a"), esp_span("x\xff\0y", 4)},
                               {esp_str("ab"), esp_str("\xE2\x80\xA8")}};
    struct esp_text out;
    esp_text_init(&out, 1000);
    esp_json_values(values, 3, false, &out);
    assert_string_equal(esp_text_str(&out),
                        "{\"a\":\"x\\ufffd\\u0000y\",\"ab\":\"\\u2028\",\"b\":\"<&>\\\"\\n\"}");
    esp_text_cut(&out, 0);
    esp_json_values(values, 2, true, &out);
    assert_string_equal(esp_text_str(&out), "{\"a\":\"eP8AeQ==\",\"b\":\"PCY+Igo=\"}");
    esp_text_cut(&out, 0);
    esp_json_values(NULL, 0, false, &out);
    assert_string_equal(esp_text_str(&out), "{}");
    esp_text_free(&out);
}

static void assert_sorted(const char *json, const char *wanted)
{
    struct esp_text out;
    esp_text_init(&out, 1000);
    assert_int_equal(esp_json_sorted(esp_str(json), &out), wanted != NULL);
    assert_string_equal(esp_text_str(&out), wanted ? wanted : "");
    esp_text_free(&out);
}

static void test_a_document_is_printed_as_go_does(void **state)
{
    (void)state;
    assert_sorted(" { \"b\" : [ 1.50 , {\"z\":null,\"y\":true} ] , \"a\":\"\\u0041\\/<\" } ",
                  "{\"a\":\"A/<\",\"b\":[1.50,{\"y\":true,\"z\":null}]}");
    assert_sorted("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}");
    assert_sorted("{\"a\":1,\"\\u0061\":2}", "{\"a\":2}");
    assert_sorted("[]", "[]");
    assert_sorted("{}", "{}");
    assert_sorted("\"x\\ud83d\\ude00\"", "\"x\xF0\x9F\x98\x80\"");
    assert_sorted("12e3", "12e3");
    assert_sorted("{\"a\":}", NULL);
    assert_sorted("", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_set_at_a_path),         cmocka_unit_test(test_a_path_is_not_endless),
        cmocka_unit_test(test_what_does_not_fit_is_said),        cmocka_unit_test(test_a_secret_is_an_object),
        cmocka_unit_test(test_a_document_is_printed_as_go_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
