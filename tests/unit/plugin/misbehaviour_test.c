/* Plugins that load and then break the rules while they run: the daemon says
 * which rule, and nothing else happens. */
#include "probe.h"

#include "core/base/clock.h"
#include "core/base/sanitized.h"
#include "core/base/text.h"

static const char *const path[] = {BAD_PLUGINS, NULL};

static struct es_registry *registry;
static struct es_instance *instance;
static struct es_authority who;

static int setup(void **state)
{
    const struct es_services services = {.kube_read = probe_kube_read};
    (void)state;
    who = probe_who("{\"auth\":{\"secretRef\":{\"name\":\"ours\",\"key\":\"token\"}}}");
    assert_int_equal(es_registry_new(&registry, &services, NULL), 0);
    probe_isolate(registry);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_instance_close(instance);
    instance = NULL;
    es_registry_free(registry);
    probe_who_free(&who);
    return 0;
}

static struct es_instance *opened(const char *name)
{
    const struct es_plugin_entry entry = {.name = name};
    struct es_error err = ES_ERROR_INIT;

    es_instance_close(instance);
    instance = NULL;
    if (!es_registry_provider(registry, name) && es_registry_load(registry, path, &entry, &err) < 0)
        fail_msg("%s", err.text);
    if (es_instance_open(&instance, registry, es_registry_provider(registry, name), &who, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return instance;
}

static int get(const char *name, struct es_error *err)
{
    struct es_blob value = {0};
    int rc = es_instance_get(opened(name), &who, NULL, &value, err);
    if (rc < 0)
        assert_null(value.ptr);
    es_blob_fini(&value);
    return rc;
}

static const struct {
    const char *name;
    int code;
    const char *text;
} broken[] = {
    {"emits_after_fail", ES_E_DENIED, "permission denied"},
    {"ok_after_fail", ES_E_INTERNAL, "the plugin reported success after a failure: permission denied"},
    {"unknown_status", ES_E_INTERNAL, "the unknown_status plugin returned the unknown status 42 from get"},
    {"silent_failure", ES_E_DENIED, "get of the silent_failure provider failed without a reason (denied)"},
    {"no_value", ES_E_INTERNAL, "the no_value plugin returned success from get without a value"},
    {"emits_twice", ES_E_INTERNAL, "the emits_twice plugin emitted more than 1 result from get"},
    {"emits_state", ES_E_INTERNAL, "the emits_state plugin emitted on channel 3, which get does not have"},
    {"unknown_channel", ES_E_INTERNAL,
     "the unknown_channel plugin emitted on channel 99, which get does not have"},
    {"foreign_name", ES_E_DENIED,
     "the spec of SecretStore store does not name the Secret \"somebody-elses\""},
    {"unlisted_variable", ES_E_DENIED, "the unlisted_variable plugin does not list env:PATH"},
    {"tells_secrets", ES_E_DENIED, "the backend does not like ***"},
    {"dirty_text", ES_E_DENIED, "a b [31mc d\xef\xbf\xbdz\xef\xbf\xbd"},
};

static void test_each_breach_has_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct es_error err = ES_ERROR_INIT;
        int rc = get(broken[i].name, &err);
        assert_error(rc, &err, broken[i].code, broken[i].text);
    }
}

/* The store is not used, and the plugin, which believes that it is open, is told. */
static void test_a_broken_open_is_closed(void **state)
{
    const struct es_plugin_entry entry = {.name = "emits_from_open"};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_registry_load(registry, path, &entry, &err), 0);
    for (int n = 0; n < 3; n++) {
        int rc = es_instance_open(&instance, registry, es_registry_provider(registry, "emits_from_open"),
                                  &who, NULL, &err);
        assert_error(rc, &err, ES_E_INTERNAL,
                     "the emits_from_open plugin emitted on channel 1, which open does not have");
        assert_null(instance);
    }
}

/* In this process nothing holds it back, and nothing comes of it. */
static void test_forking_is_survived_or_refused(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = get("forks", &err);
    if (probe_isolated() && !ES_SANITIZED)
        assert_error(rc, &err, ES_E_DENIED, "cannot fork: Operation not permitted");
    else
        assert_int_equal(rc, 0);
}

static void test_endless_text_is_cut_on_a_character(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(get("endless_text", &err), ES_E_RETRY);
    assert_int_equal(strlen(err.text), 1023); /* 341 times three bytes */
    assert_true(es_utf8_valid(err.text, strlen(err.text)));
    assert_int_equal(err.retry_after_ms, 3600 * 1000);
}

static int find(const char *name, struct es_error *err)
{
    struct es_values values = {0};
    json_t *all = parse("{\"name\":{\"regexp\":\".*\"}}");
    int rc = es_instance_find(opened(name), &who, all, &values, err);
    assert_int_equal(values.count, 0);
    es_values_fini(&values);
    json_decref(all);
    return rc;
}

static void test_output_has_ceilings(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = find("emits_a_million", &err);
    assert_error(rc, &err, ES_E_INTERNAL,
                 "the emits_a_million plugin emitted more than 10000 results from list");
    rc = find("emits_100_mib", &err);
    assert_error(rc, &err, ES_E_INTERNAL, "the emits_100_mib plugin emitted more than 16 MiB from list");
}

static void test_deadline_and_cancellation(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    bool cancelled = false;
    (void)state;

    opened("never_returns");
    int64_t start = es_mono_ms();
    who.deadline_ms = start + 60;
    int rc = get("never_returns", &err);
    assert_error(rc, &err, ES_E_CANCELLED,
                 "get of the never_returns provider was stopped: the time for it is over");
    assert_in_range(es_mono_ms() - start, 50, 5000);

    /* Too late, or nobody wants it any more: the plugin is not even asked. */
    who.deadline_ms = 0;
    cancelled = true;
    who.cancelled = &cancelled;
    struct es_blob value = {0};
    rc = es_instance_get(instance, &who, NULL, &value, &err);
    assert_error(rc, &err, ES_E_CANCELLED,
                 "get of the never_returns provider was stopped: the time for it is over");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_breach_has_its_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_open_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forking_is_survived_or_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless_text_is_cut_on_a_character, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output_has_ceilings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline_and_cancellation, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
