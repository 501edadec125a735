/* The JSONPath of the webhook provider, and the reader of JSON below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jsonpath.h"
#include "jsonpath_cases.h"

static void show(const struct hook_value *v, struct esp_text *out)
{
    switch (v->kind) {
    case HOOK_NULL:
        esp_text_adds(out, "null");
        break;
    case HOOK_BOOL:
        esp_text_adds(out, v->truth ? "true" : "false");
        break;
    case HOOK_NUMBER:
        esp_text_addf(out, "%.15g", v->number);
        break;
    case HOOK_TEXT:
        esp_json_quote(v->text, out);
        break;
    case HOOK_NODE:
        esp_text_add(out, v->node->raw);
        break;
    case HOOK_LIST:
        esp_text_addc(out, '[');
        for (size_t i = 0; i < v->list->count; i++) {
            if (i)
                esp_text_addc(out, ',');
            show(&v->list->items[i], out);
        }
        esp_text_addc(out, ']');
    }
}

/* The answer as the tables write it. */
static void answer(const char *path, const char *document, struct esp_text *out)
{
    struct hook_tree tree;
    struct hook_path *p = NULL;
    struct hook_value value;
    struct esp_text why;

    esp_text_init(&why, 2000);
    assert_true(hook_tree_read(&tree, esp_str(document), &why));
    if (hook_path_get(&p, esp_str(path), tree.root, &value, &why))
        show(&value, out);
    else
        esp_text_addf(out, "!%s", esp_text_str(&why));
    hook_path_free(p);
    hook_tree_free(&tree);
    esp_text_free(&why);
}

static void run(const struct path_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct esp_text got;
        esp_text_init(&got, 4000);
        answer(cases[i].path, cases[i].document, &got);
        if (strcmp(esp_text_str(&got), cases[i].want) != 0)
            fail_msg("%s in %s: %s instead of %s", cases[i].path, cases[i].document, esp_text_str(&got),
                     cases[i].want);
        esp_text_free(&got);
    }
}

static void test_answers_as_the_reference_does(void **state)
{
    (void)state;
    run(path_cases, sizeof path_cases / sizeof *path_cases);
}

static void test_differs_where_it_helps(void **state)
{
    (void)state;
    run(own_path_cases, sizeof own_path_cases / sizeof *own_path_cases);
}

/* Whatever the path is cut to, it is answered or refused. */
static void test_cut_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof path_cases / sizeof *path_cases; i++) {
        size_t len = strlen(path_cases[i].path);
        for (size_t cut = 0; cut < len; cut++) {
            char *path = strndup(path_cases[i].path, cut);
            struct esp_text got;
            assert_non_null(path);
            esp_text_init(&got, 4000);
            answer(path, path_cases[i].document, &got);
            assert_true(got.len > 0);
            esp_text_free(&got);
            free(path);
        }
    }
}

static void repeat(struct esp_text *out, const char *text, size_t count)
{
    while (count--)
        esp_text_adds(out, text);
}

/* `..` in `..` multiplies; what it costs has a ceiling. */
static void test_work_has_a_ceiling(void **state)
{
    struct esp_text document, path, got;

    (void)state;
    esp_text_init(&document, 1 << 20);
    esp_text_init(&path, 1000);
    esp_text_init(&got, 64 << 20);
    repeat(&document, "[1,2,3,", 100);
    esp_text_adds(&document, "4");
    repeat(&document, "]", 100);
    esp_text_adds(&path, "$");
    repeat(&path, "..*", 6);
    answer(esp_text_str(&path), esp_text_str(&document), &got);
    assert_true(esp_equal_str(esp_text_bytes(&got), "!the path looks at too many values") ||
                esp_equal_str(esp_text_bytes(&got), "!the path needs too much memory"));
    esp_text_free(&document);
    esp_text_free(&path);
    esp_text_free(&got);
}

static void test_nesting_has_a_ceiling(void **state)
{
    struct esp_text path, got;

    (void)state;
    esp_text_init(&path, 1000);
    esp_text_init(&got, 10000);
    repeat(&path, "(", 200);
    answer(esp_text_str(&path), "1", &got);
    assert_non_null(strstr(esp_text_str(&got), "nested too deeply"));
    esp_text_cut(&path, 0);
    esp_text_cut(&got, 0);
    repeat(&path, "-", 200);
    esp_text_adds(&path, "1");
    answer(esp_text_str(&path), "1", &got);
    assert_non_null(strstr(esp_text_str(&got), "nested too deeply"));
    esp_text_free(&path);
    esp_text_free(&got);
}

/* Each filter begins at the document again: their depths add up. */
static void test_depth_has_a_ceiling(void **state)
{
    struct esp_text document, path, got;

    (void)state;
    esp_text_init(&document, 1 << 20);
    esp_text_init(&path, 4000);
    esp_text_init(&got, 64 << 20);
    repeat(&document, "[", 120);
    repeat(&document, "]", 120);
    for (int i = 0; i < 6; i++) {
        esp_text_adds(&path, "$");
        repeat(&path, "[0]", 100);
        esp_text_adds(&path, "[?");
    }
    esp_text_addc(&path, '1');
    repeat(&path, "]", 6);
    answer(esp_text_str(&path), esp_text_str(&document), &got);
    assert_string_equal(esp_text_str(&got), "!the path goes too deep");
    esp_text_free(&document);
    esp_text_free(&path);
    esp_text_free(&got);
}

/* ---- JSON ---- */

struct text_case {
    const char *text, *why;
};

/* In the words of Go's encoding/json. */
static const struct text_case bad_texts[] = {
    {"plain", "invalid character 'p' looking for beginning of value"},
    {"", "unexpected end of JSON input"},
    {"{", "unexpected end of JSON input"},
    {"{\"a\"", "unexpected end of JSON input"},
    {"{\"a\":", "unexpected end of JSON input"},
    {"{\"a\":1,", "unexpected end of JSON input"},
    {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
    {"{\"a\" 1}", "invalid character '1' after object key"},
    {"{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"},
    {"{a:1}", "invalid character 'a' looking for beginning of object key string"},
    {"[1 2]", "invalid character '2' after array element"},
    {"[1,]", "invalid character ']' looking for beginning of value"},
    {"[1", "unexpected end of JSON input"},
    {"\"abc", "unexpected end of JSON input"},
    {"\"a\tb\"", "invalid character '\\t' in string literal"},
    {"\"a\\qb\"", "invalid character 'q' in string escape code"},
    {"\"a\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
    {"-a", "invalid character 'a' in numeric literal"},
    {"01", "invalid character '1' after top-level value"},
    {"1.x", "invalid character 'x' after decimal point in numeric literal"},
    {"1e+x", "invalid character 'x' in exponent of numeric literal"},
    {"trux", "invalid character 'x' in literal true (expecting 'e')"},
    {"nulL", "invalid character 'L' in literal null (expecting 'l')"},
    {"1 2", "invalid character '2' after top-level value"},
    {"{\"a\":1}}", "invalid character '}' after top-level value"},
    {"'", "invalid character '\\'' looking for beginning of value"},
    {"<html>", "invalid character '<' looking for beginning of value"},
    {"\xC3\xA4", "invalid character '\\xc3' looking for beginning of value"},
    {"{\"a\":[1,{\"b\":tru}]}", "invalid character '}' in literal true (expecting 'e')"},
};

static void test_says_what_is_no_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
        struct hook_tree tree;
        struct esp_text why;
        esp_text_init(&why, 1000);
        assert_false(hook_tree_read(&tree, esp_str(bad_texts[i].text), &why));
        assert_string_equal(esp_text_str(&why), bad_texts[i].why);
        hook_tree_free(&tree);
        esp_text_free(&why);
    }
}

static void test_deep_and_large_texts(void **state)
{
    struct hook_tree tree;
    struct esp_text text, why;

    (void)state;
    esp_text_init(&text, 4 << 20);
    esp_text_init(&why, 1000);
    repeat(&text, "[", HOOK_MAX_DEPTH + 1);
    assert_false(hook_tree_read(&tree, esp_text_bytes(&text), &why));
    assert_string_equal(esp_text_str(&why), "nested deeper than 128");
    hook_tree_free(&tree);
    esp_text_cut(&text, 0);
    esp_text_cut(&why, 0);
    esp_text_addc(&text, '[');
    repeat(&text, "1,", HOOK_MAX_NODES);
    assert_false(hook_tree_read(&tree, esp_text_bytes(&text), &why));
    assert_string_equal(esp_text_str(&why), "more than 400000 values");
    hook_tree_free(&tree);
    esp_text_free(&text);
    esp_text_free(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_as_the_reference_does),
        cmocka_unit_test(test_differs_where_it_helps),
        cmocka_unit_test(test_cut_paths),
        cmocka_unit_test(test_work_has_a_ceiling),
        cmocka_unit_test(test_nesting_has_a_ceiling),
        cmocka_unit_test(test_says_what_is_no_json),
        cmocka_unit_test(test_deep_and_large_texts),
        cmocka_unit_test(test_depth_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
