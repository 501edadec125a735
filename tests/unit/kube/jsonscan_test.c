#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/kube/call.h"

static const char list_text[] =
    "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"5\",\"items\":[1]},\"x\\\"\\\\\":\"a\\\\\","
    "\"items\":[{\"a\":\"]}\\\"\"},[[]],{\"b\":{\"c\":[1,2,{}]}},7,\"s\" ],\"z\":null}";

static void test_items(void **state)
{
    static const struct {
        const char *text;
        int depth;
    } want[] = {
        {"{\"a\":\"]}\\\"\"}", 1}, {"[[]]", 2}, {"{\"b\":{\"c\":[1,2,{}]}}", 4}, {"7", 0}, {"\"s\"", 0}};
    size_t len = strlen(list_text), at = 0, item_len = 0;
    const char *item = NULL;
    int depth = 0;
    (void)state;

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(es_kube_next_item(list_text, len, &at, &item, &item_len, &depth), 1);
        assert_int_equal(item_len, strlen(want[i].text));
        assert_memory_equal(item, want[i].text, item_len);
        assert_int_equal(depth, want[i].depth);
    }
    assert_int_equal(es_kube_next_item(list_text, len, &at, &item, &item_len, &depth), 0);
}

static void test_members(void **state)
{
    size_t len = 0;
    (void)state;

    const char *value = es_kube_member(list_text, strlen(list_text), "metadata", &len);
    assert_memory_equal(value, "{\"resourceVersion\":\"5\",\"items\":[1]}", len);
    assert_int_equal(len, 35);
    value = es_kube_member(list_text, strlen(list_text), "z", &len);
    assert_memory_equal(value, "null", 4);
    assert_null(es_kube_member(list_text, strlen(list_text), "resourceVersion", &len));
    assert_null(es_kube_member("[1]", 3, "a", &len));
    assert_null(es_kube_member("", 0, "a", &len));
    assert_null(es_kube_member("{\"a\" 1}", 7, "a", &len));
}

static void assert_dropped(const char *before, const char *after)
{
    char text[200];
    size_t len = strlen(before);

    memcpy(text, before, len);
    const char *begin = es_kube_drop_managed_fields(text, &len);
    assert_true(begin >= text && begin + len == text + strlen(before));
    assert_int_equal(len, strlen(after));
    assert_memory_equal(begin, after, len);
}

/* The whole member goes, and the comma that belongs to it. */
static void test_managed_fields_go(void **state)
{
    (void)state;
    assert_dropped("{\"metadata\":{\"labels\":{},\"managedFields\":[{\"a\":\"]\"}],\"name\":\"n\"},\"x\":1}",
                   "{\"metadata\":{\"labels\":{},\"name\":\"n\"},\"x\":1}");
    assert_dropped("{\"metadata\": {\"name\": \"n\" , \"managedFields\" : [1] }}",
                   "{\"metadata\": {\"name\": \"n\" }}");
    assert_dropped("{\"metadata\":{\"managedFields\":[]}}", "{\"metadata\":{}}");
    assert_dropped("{\"metadata\":{\"name\":\"n\"},\"managedFields\":[1]}",
                   "{\"metadata\":{\"name\":\"n\"},\"managedFields\":[1]}");
    assert_dropped("{\"metadata\":1}", "{\"metadata\":1}");
    assert_dropped("", "");
}

static void test_plain_members(void **state)
{
    static const char text[] = "{\"name\":\"es\",\"count\":1,\"odd\":\"a\\\"b\",\"long\":\"123456789\"}";
    char out[8];
    (void)state;

    assert_true(es_kube_plain_member(text, strlen(text), "name", out, sizeof out));
    assert_string_equal(out, "es");
    assert_false(es_kube_plain_member(text, strlen(text), "count", out, sizeof out));
    assert_string_equal(out, "");
    assert_false(es_kube_plain_member(text, strlen(text), "odd", out, sizeof out));
    assert_false(es_kube_plain_member(text, strlen(text), "long", out, sizeof out));
    assert_false(es_kube_plain_member(text, strlen(text), "none", out, sizeof out));
}

static void test_depth(void **state)
{
    (void)state;
    assert_int_equal(es_kube_depth("", 0), 0);
    assert_int_equal(es_kube_depth("1", 1), 0);
    assert_int_equal(es_kube_depth(" {\"a\":[\"[[[[\"]}", 15), 2);
    assert_int_equal(es_kube_depth("]]]]{}", 6), 1);
    assert_int_equal(es_kube_depth("[[[", 3), 3);
    assert_int_equal(es_kube_depth("{}{{}}", 6), 2);
}

/* All there is to do with a text, in memory that ends where it ends. */
static void scan(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    const char *item = NULL;
    size_t at = 0, item_len = 0;
    int depth, items = 0;

    assert_non_null(copy);
    memcpy(copy, text, len);
    while (es_kube_next_item(copy, len, &at, &item, &item_len, &depth) > 0) {
        assert_true(item >= copy && item + item_len <= copy + len && item_len > 0);
        items++;
        assert_true((size_t)items <= len);
    }
    const char *value = es_kube_member(copy, len, "z", &item_len);
    assert_true(!value || value + item_len <= copy + len);
    assert_true(es_kube_depth(copy, len) <= (int)len);
    free(copy);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t len = 0; len <= strlen(list_text); len++)
        scan(list_text, len);
}

static void test_any_byte_replaced_by_any_of_the_grammar(void **state)
{
    static const char bytes[] = "{}[]\",:\\ 1\n";
    char text[sizeof list_text];
    (void)state;

    for (size_t at = 0; at < strlen(list_text); at++)
        for (size_t b = 0; b < strlen(bytes); b++) {
            memcpy(text, list_text, sizeof text);
            text[at] = bytes[b];
            scan(text, strlen(list_text));
        }
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_managed_fields_go),
        cmocka_unit_test(test_plain_members),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_any_byte_replaced_by_any_of_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
