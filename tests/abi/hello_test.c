/* Loads the plugin that was built outside of the tree, argv[1], and uses its store, argv[2]. */
#include "tests/unit/plugins/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *file, *name;

static const struct esp_component *hello(void)
{
    const struct esp_plugin *plugin = test_load(file);
    assert_non_null(plugin->components[0]);
    assert_null(plugin->components[1]);
    return plugin->components[0];
}

static void test_it_describes_itself(void **state)
{
    (void)state;
    const struct esp_component *store = hello();
    assert_string_equal(store->name, name);
    assert_non_null(strstr(store->schema, "\"greeting\""));
    assert_ptr_equal(test_load(file)->components[0], store); /* each time the same */
}

static void test_a_greeting_is_required(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *instance = NULL;
    char why[200];
    snprintf(why, sizeof why, "spec.provider.%s.greeting is required", name);
    assert_int_equal(test_open(&call, hello()->store, "{\"spec\":{}}", &instance), ESP_E_CONFIG);
    assert_string_equal(call.why, why);
    assert_null(instance);
    test_reset(&call);
}

static void greet(const char *open, const char *get, const char *want)
{
    struct esp_call call = {0};
    void *instance = NULL;
    const struct esp_store_ops *ops = hello()->store;
    assert_int_equal(test_open(&call, ops, open, &instance), ESP_OK);
    assert_int_equal(test_run(&call, ops->get, instance, get, NULL, 0), ESP_OK);
    assert_int_equal(call.count, 1);
    assert_string_equal(test_value(&call, "")->value, want);
    ops->close(instance, &call);
    test_reset(&call);
}

static void test_it_greets(void **state)
{
    (void)state;
    greet("{\"spec\":{\"greeting\":\"Hi\"}}", "{\"key\":\"Jo\"}", "Hi, Jo");
    greet("{\"spec\":{\"greeting\":\"\"},\"store\":{}}", "{\"key\":\"\",\"property\":\"x\"}", ", ");
    greet("{\"store\":{\"generation\":1},\"spec\":{\"other\":[1],\"greeting\":\"\\u00c7a\\t\\\"va\\\"\"}}",
          "{\"version\":\"\", \"key\":\"\\ud83d\\ude00\"}", "\u00c7a\t\"va\", \U0001F600");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_describes_itself),
        cmocka_unit_test(test_a_greeting_is_required),
        cmocka_unit_test(test_it_greets),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: %s PLUGIN.so COMPONENT\n", argv[0]);
        return 2;
    }
    file = argv[1];
    name = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
