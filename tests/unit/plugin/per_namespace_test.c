/* Which stores are opened for each namespace by itself, because their provider's schema says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/plugin/per_namespace.h"

static const char schema[] =
    "{\"type\":\"object\",\"x-esp-per-namespace\":{\"tags\":[\"Simple\",\"Custom\"],\"as\":[\"user\"]}}";

static bool apart(const char *of, const char *block_text)
{
    json_t *block = json_loads(block_text, 0, NULL);
    assert_non_null(block);
    bool answer = es_per_namespace(of, block);
    json_decref(block);
    return answer;
}

static void test_a_value_that_is_named(void **state)
{
    (void)state;
    assert_true(apart(schema, "{\"tags\":\"Simple\"}"));
    assert_true(apart(schema, "{\"tags\":\"None\",\"as\":\"user\"}"));
}

static void test_other_values_and_other_members(void **state)
{
    (void)state;
    assert_false(apart(schema, "{}"));
    assert_false(apart(schema, "{\"tags\":\"None\"}"));
    assert_false(apart(schema, "{\"tags\":[\"Simple\"]}"));
    assert_false(apart(schema, "{\"below\":{\"tags\":\"Simple\"}}"));
    assert_false(apart(schema, "{\"as\":\"Simple\"}"));
    assert_false(es_per_namespace(schema, NULL));
}

static void test_schemas_without_it(void **state)
{
    (void)state;
    assert_false(apart(NULL, "{\"tags\":\"Simple\"}"));
    assert_false(apart("{\"type\":\"object\"}", "{\"tags\":\"Simple\"}"));
    assert_false(apart("{\"type\":\"object\",\"properties\":{\"x-esp-per-namespace\":{\"type\":\"string\"}}}",
                       "{\"tags\":\"Simple\"}"));
}

static void test_without_memory_namespaces_are_kept_apart(void **state)
{
    (void)state;
    assert_true(apart("{\"x-esp-per-namespace\":", "{}")); /* as unreadable as it is without memory */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_that_is_named),
        cmocka_unit_test(test_other_values_and_other_members),
        cmocka_unit_test(test_schemas_without_it),
        cmocka_unit_test(test_without_memory_namespaces_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
