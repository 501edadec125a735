/* The path language: what gjson answers, where we differ, and the ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>

#include "json_cases.h"

#define ROOM (1u << 20)

static void test_paths_answer_as_gjson_does(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct esp_text out;
        esp_text_init(&out, ROOM);
        int rc = esp_json_get(esp_str(cases[i].json), esp_str(cases[i].path), ESP_JSON_PATH, &out);
        esp_bytes expected = esp_span(cases[i].text, cases[i].len);
        if (rc != cases[i].exists || !esp_equal(esp_text_bytes(&out), expected)) {
            print_error("path %s: %d \"%s\", expected %d \"%s\"\n", cases[i].path, rc, esp_text_str(&out),
                        cases[i].exists, cases[i].text);
            wrong++;
        }
        esp_text_free(&out);
    }
    assert_int_equal(wrong, 0);
}

static void expect(const char *json, const char *path, const char *value)
{
    struct esp_text out;
    esp_text_init(&out, ROOM);
    assert_int_equal(esp_json_get(esp_str(json), esp_str(path), ESP_JSON_PATH, &out), value != NULL);
    assert_string_equal(esp_text_str(&out), value ? value : "");
    esp_text_free(&out);
}

/* gjson cuts or guesses here; see esp/json.h. */
static void test_where_we_differ(void **state)
{
    (void)state;
    expect("{\"k\":\"one\ntwo\\n\"}", "k", "one\ntwo\n");
    expect("{\"k\":\"a\\qb\\\"\"}", "k", "a\\qb\"");
    expect("{\"k\":\"\\u12\"}", "k", "\\u12");
    expect("{\"k\":1.2.3}", "k", "1.2.3");
    expect("{\"k\":nan,\"l\":1}", "l", NULL);
    expect("no json at all", "@this", NULL);
    expect("{\"w\":[\"apple\",\"app*le\"]}", "w.#(%\"app\\*le\")#", "[\"app*le\"]");
    expect("{\"x*y\":1,\"x*z\":2}", "x\\*?", "1");
    expect("{\"xay\":1,\"x*z\":2}", "x\\*?", "2");
}

static void test_escaped_and_path_order(void **state)
{
    (void)state;
    static const char json[] =
        "{\"a.b\":\"name\",\"a\":{\"b\":\"path\",\"c\":\"only path\"},\"d.e\":\"only name\"}";
    static const struct {
        const char *property;
        enum esp_json_order order;
        const char *value;
    } table[] = {
        {"a.b", ESP_JSON_PATH, "path"},
        {"a.b", ESP_JSON_ESCAPED_FIRST, "name"},
        {"a.b", ESP_JSON_PATH_FIRST, "path"},
        {"a.c", ESP_JSON_ESCAPED_FIRST, "only path"},
        {"d.e", ESP_JSON_PATH_FIRST, "only name"},
        {"d.e", ESP_JSON_PATH, NULL},
        {"nope.x", ESP_JSON_ESCAPED_FIRST, NULL},
        {"nope.x", ESP_JSON_PATH_FIRST, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct esp_text out;
        esp_text_init(&out, ROOM);
        int rc = esp_json_get(esp_str(json), esp_str(table[i].property), table[i].order, &out);
        assert_int_equal(rc, table[i].value != NULL);
        assert_string_equal(esp_text_str(&out), table[i].value ? table[i].value : "");
        esp_text_free(&out);
    }
}

static void test_raw_keeps_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *path, *raw;
        enum esp_json_kind kind;
    } table[] = {
        {"s", "\"a\\n\"", ESP_JSON_STRING}, {"f", "2.50", ESP_JSON_NUMBER},
        {"n", "null", ESP_JSON_NULL},       {"o", "{ \"k\" : 1 }", ESP_JSON_OBJECT},
        {"a", "[1 ]", ESP_JSON_ARRAY},      {"t", "true", ESP_JSON_TRUE},
        {"x", "", ESP_JSON_NONE},
    };
    esp_bytes json =
        esp_str("{\"s\":\"a\\n\",\"f\":2.50,\"n\":null,\"o\":{ \"k\" : 1 },\"a\":[1 ],\"t\":true}");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct esp_text out;
        enum esp_json_kind kind = ESP_JSON_FALSE;
        esp_text_init(&out, ROOM);
        int rc = esp_json_get_raw(json, esp_str(table[i].path), &out, &kind);
        assert_int_equal(rc, table[i].kind != ESP_JSON_NONE);
        assert_int_equal(kind, table[i].kind);
        assert_string_equal(esp_text_str(&out), table[i].raw);
        esp_text_free(&out);
    }
}

static void test_results_are_appended_or_nothing_is(void **state)
{
    (void)state;
    struct esp_text out;
    esp_text_init(&out, 8);
    esp_text_adds(&out, "so ");
    assert_int_equal(esp_json_get(esp_str("{\"a\":\"good\"}"), esp_str("a"), ESP_JSON_PATH, &out), 1);
    assert_string_equal(esp_text_str(&out), "so good");
    assert_int_equal(esp_json_get(esp_str("{\"a\":1}"), esp_str("b"), ESP_JSON_PATH, &out), 0);
    assert_string_equal(esp_text_str(&out), "so good");
    assert_int_equal(esp_json_get(esp_str("{\"a\":\"\\ttoo long\"}"), esp_str("a"), ESP_JSON_PATH, &out), -1);
    assert_string_equal(esp_text_str(&out), "so good");
    esp_text_free(&out);
}

static int rc_of(esp_bytes json, esp_bytes path)
{
    struct esp_text out;
    esp_text_init(&out, ESP_JSON_MAX_DERIVED);
    int rc = esp_json_get(json, path, ESP_JSON_PATH, &out);
    if (rc != 1)
        assert_int_equal(out.len, 0);
    esp_text_free(&out);
    return rc;
}

/* `unit` n times between two ends. */
static esp_bytes repeat(struct esp_text *t, const char *begin, const char *unit, size_t n, const char *end)
{
    esp_text_init(t, 64u << 20);
    esp_text_adds(t, begin);
    for (size_t i = 0; i < n; i++)
        esp_text_adds(t, unit);
    esp_text_adds(t, end);
    assert_false(esp_text_failed(t));
    return esp_text_bytes(t);
}

static void test_ceilings_end_the_lookup(void **state)
{
    (void)state;
    struct esp_text text;
    esp_bytes deep = repeat(&text, "", "{\"a\":", 4000, "1");
    struct esp_text path_text;
    esp_bytes path = repeat(&path_text, "a", ".a", 100, "");
    assert_int_equal(rc_of(deep, path), 1);
    esp_text_free(&path_text);
    path = repeat(&path_text, "a", ".a", 200, "");
    assert_int_equal(rc_of(deep, path), -1);
    esp_text_free(&path_text);
    esp_text_free(&text);

    path = repeat(&path_text, "", "a", ESP_JSON_MAX_PATH, "a");
    assert_int_equal(rc_of(esp_str("{}"), path), -1);
    esp_text_free(&path_text);

    /* each stage doubles the document */
    path = repeat(&path_text, "", "[@this,@this]|", 60, "@this");
    assert_int_equal(rc_of(esp_str("[1,2,3,4,5,6,7,8]"), path), -1);
    esp_text_free(&path_text);

    /* paths in paths */
    path = repeat(&path_text, "", "[", 300, "");
    struct esp_text closed;
    path = repeat(&closed, esp_text_str(&path_text), "]", 300, "");
    assert_int_equal(rc_of(esp_str("{}"), path), -1);
    esp_text_free(&closed);
    esp_text_free(&path_text);

    /* a star that fails late, at every place */
    esp_bytes long_key = repeat(&text, "{\"", "a", 200000, "\":1}");
    path = repeat(&path_text, "*", "a", 8000, "b");
    assert_int_equal(rc_of(long_key, path), -1);
    esp_text_free(&path_text);
    esp_text_free(&text);
}

static void test_deep_documents_need_no_stack(void **state)
{
    (void)state;
    struct esp_text text;
    esp_bytes deep = repeat(&text, "{\"x\":", "[", 1000000, "");
    assert_int_equal(rc_of(deep, esp_str("y")), 0);
    assert_int_equal(rc_of(deep, esp_str("x")), 1);
    assert_int_equal(rc_of(deep, esp_str("@pretty")), -1);
    assert_int_equal(rc_of(deep, esp_str("@dig:a")), -1);
    assert_int_equal(rc_of(deep, esp_str("x.@flatten:{\"deep\":true}")), -1);
    assert_false(esp_json_check(deep, NULL));
    esp_text_free(&text);
}

static void test_lengths_rule_not_terminators(void **state)
{
    (void)state;
    static const char json[] = "{\"a\":\"x\0y\"}trailing";
    struct esp_text out;
    esp_text_init(&out, ROOM);
    assert_int_equal(esp_json_get(esp_span(json, 11), esp_str("a"), ESP_JSON_PATH, &out), 1);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.ptr, "x\0y", 3);
    assert_int_equal(esp_json_get(esp_span(json, 6), esp_str("a"), ESP_JSON_PATH, &out), 0);
    assert_int_equal(esp_json_get(esp_span(NULL, 0), esp_span(NULL, 0), ESP_JSON_PATH, &out), 0);
    esp_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_answer_as_gjson_does),
        cmocka_unit_test(test_where_we_differ),
        cmocka_unit_test(test_escaped_and_path_order),
        cmocka_unit_test(test_raw_keeps_the_text),
        cmocka_unit_test(test_results_are_appended_or_nothing_is),
        cmocka_unit_test(test_ceilings_end_the_lookup),
        cmocka_unit_test(test_deep_documents_need_no_stack),
        cmocka_unit_test(test_lengths_rule_not_terminators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
