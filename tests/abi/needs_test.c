/* A plugin that needs 1.1: a core of that minor loads it, an older one says why not. */
#include "tests/unit/plugin/probe.h"

static void test_needs_minor(void **state)
{
    const struct es_plugin_entry entry = {.name = NEEDS_1_1};
    struct es_registry *registry = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_registry_new(&registry, NULL, &err), 0);
    probe_isolate(registry);
    int rc = es_registry_load(registry, NULL, &entry, &err);
#if ESP_ABI_MINOR >= 1
    assert_int_equal(rc, 0);
#else
    assert_error(rc, &err, ES_E_CONFIG,
                 "plugin " NEEDS_1_1 ": it needs plugin ABI 1.1 and this esod has 1.0; use a "
                 "newer esod or an older build of it");
#endif
    es_registry_free(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_needs_minor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
