/* Documents as trees: what is read and written, and that nothing comes out wrong without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/tree.h>

#include "tests/unit/failing_alloc.h"

/* Strings and names longer than the buffers with which a reader may begin. */
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"
#define DOCUMENT                                                                                             \
    "{ \"b\" : [1, -2.5, true, false, null, \"\\u00e9\\n\"],\"" LONG "\":{\"a\":\"" LONG LONG                \
    "\"},\"0\":{}, "                                                                                         \
    "\"1\":[]}"
#define WRITTEN                                                                                              \
    "{\"0\":{},\"" LONG "\":{\"a\":\"" LONG LONG                                                             \
    "\"},\"1\":[],\"b\":[1,-2.5,true,false,null,\"\xc3\xa9\\n\"]}"

static void expect(const char *json, const char *written)
{
    struct esp_text out;
    esp_text_init(&out, 4096);
    json_t *tree = esp_tree_read(esp_str(json));
    if (!tree)
        fail_msg("%s", json);
    assert_true(esp_tree_write(tree, &out));
    assert_string_equal(esp_text_str(&out), written);
    json_decref(tree);
    esp_text_free(&out);
}

static void test_a_document_is_read_and_written(void **state)
{
    (void)state;
    expect(DOCUMENT, WRITTEN);
    expect("\"alone\"", "\"alone\"");
    expect("{\"a\":1,\"a\":2}", "{\"a\":2}");
    expect("9223372036854775807", "9223372036854775807");
    expect("-9223372036854775808", "-9223372036854775808");
    expect("9223372036854775808", "9.2233720368547758e18");
    expect("1e2", "100.0");
    expect("\"a\\u0000b\"", "\"a\\u0000b\"");
}

static void test_what_is_no_document(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "{\"a\":1}x", "[1,]", "\"\xff\"", "1e999", "{\"a\\u0000\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *tree = esp_tree_read(esp_str(bad[i]));
        if (tree)
            fail_msg("%s", bad[i]);
    }
}

static void test_strings_of_an_object(void **state)
{
    (void)state;
    json_t *tree = esp_tree_read(esp_str("{\"a\":\"x\\u0000y\",\"n\":1}"));
    assert_true(esp_equal(esp_tree_text(tree, "a"), esp_span("x\0y", 3)));
    assert_int_equal(esp_tree_text(tree, "n").len, 0);
    assert_int_equal(esp_tree_text(tree, "none").len, 0);
    assert_int_equal(esp_tree_text(json_object_get(tree, "a"), "a").len, 0);
    assert_int_equal(esp_tree_text(NULL, "a").len, 0);
    json_decref(tree);
}

static void test_a_full_text_takes_nothing(void **state)
{
    (void)state;
    struct esp_text out;
    esp_text_init(&out, 6);
    esp_text_adds(&out, "ab");
    json_t *tree = esp_tree_read(esp_str("[1,2,3]"));
    assert_false(esp_tree_write(tree, &out));
    assert_true(esp_text_failed(&out));
    json_decref(tree);
    esp_text_free(&out);
}

static void test_reading_without_memory(void **state)
{
    (void)state;
    struct esp_text out;
    size_t n = 0;
    for (failed_one = true; failed_one; n++) {
        failed_one = false;
        until_failure = n;
        json_t *tree = esp_tree_read(esp_str(DOCUMENT));
        until_failure = SIZE_MAX;
        assert_true(failed_one == (tree == NULL));
        esp_text_init(&out, 4096);
        if (tree) {
            assert_true(esp_tree_write(tree, &out));
            assert_string_equal(esp_text_str(&out), WRITTEN);
        }
        json_decref(tree);
        esp_text_free(&out);
    }
    assert_true(n > 20);
}

static void test_copies(void **state)
{
    (void)state;
    size_t n = 0;
    json_t *tree = esp_tree_read(esp_str(DOCUMENT));
    json_t *none = esp_tree_copy(NULL), *word = esp_tree_copy(json_object_get(tree, "b"));
    assert_int_equal(json_object_size(none), 0);
    assert_true(json_is_object(word) && json_object_size(word) == 0);
    for (failed_one = true; failed_one; n++) {
        failed_one = false;
        until_failure = n;
        json_t *copy = esp_tree_copy(tree);
        until_failure = SIZE_MAX;
        assert_true(failed_one ? copy == NULL : json_equal(copy, tree));
        json_decref(copy);
    }
    assert_true(n > 5);
    json_decref(none);
    json_decref(word);
    json_decref(tree);
}

/* A text that could not be written whole has what it had before, or is marked. */
static void test_writing_without_memory(void **state)
{
    (void)state;
    struct esp_text out;
    size_t n = 0;
    json_t *tree = esp_tree_read(esp_str(DOCUMENT));
    for (failed_one = true; failed_one; n++) {
        esp_text_init(&out, 4096);
        esp_text_adds(&out, "x");
        failed_one = false;
        until_failure = n;
        bool done = esp_tree_write(tree, &out);
        until_failure = SIZE_MAX;
        assert_true(done || failed_one);
        if (done)
            assert_string_equal(esp_text_str(&out), "x" WRITTEN);
        else
            assert_true(esp_text_failed(&out) || out.len == 1);
        esp_text_free(&out);
    }
    assert_true(n > 3);
    json_decref(tree);
}

static int enter(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free); /* the linker makes them those that fail */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_document_is_read_and_written),
        cmocka_unit_test(test_what_is_no_document),
        cmocka_unit_test(test_strings_of_an_object),
        cmocka_unit_test(test_a_full_text_takes_nothing),
        cmocka_unit_test(test_reading_without_memory),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_writing_without_memory),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
