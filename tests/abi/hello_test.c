/* Loads the plugin that was built outside of the tree, argv[1], and uses it. */
#include "tests/unit/plugins/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *file;

static void test_it_greets(void **state)
{
    (void)state;
    struct esp_call call = {0};
    const struct esp_component *hello = test_load(file)->components[0];
    void *instance = NULL;
    assert_string_equal(hello->name, "hello");
    assert_non_null(strstr(hello->schema, "\"greeting\""));
    assert_int_equal(test_open(&call, hello->store, "{\"spec\":{}}", &instance), ESP_E_CONFIG);
    assert_string_equal(call.why, "spec.provider.hello.greeting is required");
    assert_int_equal(test_open(&call, hello->store, "{\"spec\":{\"greeting\":\"Hi\"}}", &instance), ESP_OK);
    assert_int_equal(test_run(&call, hello->store->get, instance, "{\"key\":\"Jo\"}", NULL, 0), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "Hi, Jo");
    hello->store->close(instance, &call);
    test_reset(&call);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_it_greets)};
    if (argc != 2)
        return 2;
    file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
