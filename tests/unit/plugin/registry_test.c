#include "probe.h"

#include "core/base/mem.h"
#include "core/base/sanitized.h"
#include "core/base/text.h"
#include "core/plugin/vet.h"

/* BAD_PLUGINS: where the build put tests/plugins. */
static const char *const path[] = {"no-such-directory", BAD_PLUGINS, NULL};

static struct es_registry *registry;

static int setup(void **state)
{
    (void)state;
    probe_reset();
    assert_int_equal(es_registry_new(&registry, NULL, NULL), 0);
    probe_isolate(registry);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_registry_free(registry);
    return 0;
}

/* Loads by name; `want` is what follows "plugin NAME (DIR/NAME.so): ". */
static void assert_refused(const char *name, const char *want)
{
    const struct es_plugin_entry entry = {.name = name};
    struct es_error err = ES_ERROR_INIT;
    char *text = es_strf("plugin %s (%s/%s.so): %s", name, BAD_PLUGINS, name, want);

    int rc = es_registry_load(registry, path, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG, text);
    es_mem_free(text);
}

static const struct {
    const char *name, *why;
} bad[] = {
    {"no_entry", "it is no esod plugin: it has no symbol esp_plugin_entry_v1"},
    {"future_major", "it was built for plugin ABI 2 (it has esp_plugin_entry_v2) and this esod has 1.1; "
                     "install a build of it for ABI 1"},
    {"veto", "it will not work with this esod (plugin ABI 1.1)"},
    {"abi_major_2", "it was built for plugin ABI 2.0 and this esod has 1.1; install a build of it for ABI 1"},
    {"needs_minor_99",
     "it needs plugin ABI 1.99 and this esod has 1.1; use a newer esod or an older build of it"},
    {"short_plugin", "its esp_plugin is 32 bytes long, ABI 1.0 needs 64: it was not built with esp/plugin.h, "
                     "or its size is not set"},
    {"tiny_plugin", "its esp_plugin is 6 bytes long, ABI 1.0 needs 64: it was not built with esp/plugin.h, "
                    "or its size is not set"},
    {"short_component", "its esp_component is 48 bytes long, ABI 1.0 needs 64: it was not built with "
                        "esp/plugin.h, or its size is not set"},
    {"short_ops", "its esp_store_ops is 80 bytes long, ABI 1.0 needs 96: it was not built with esp/plugin.h, "
                  "or its size is not set"},
    {"no_components", "it has no component"},
    {"empty_name", "component 0 has an empty or malformed name"},
    {"malformed_name", "component 0 has an empty or malformed name"},
    {"same_name_twice", "two of its components are named same_name_twice"},
    {"unknown_kind", "component unknown_kind is of the unknown kind 7"},
    {"no_open", "component no_open has no operation open"},
    {"no_get", "component no_get promises ESP_CAP_READ and has no operation get"},
    {"no_list", "component no_list promises ESP_CAP_LIST and has no operation list"},
    {"no_push", "component no_push promises ESP_CAP_WRITE and has no operation push"},
    {"no_schema", "component no_schema has no schema"},
    {"schema_not_json", "schema of provider \"schema_not_json\": line 1: '[' or '{' expected near 'type'"},
    {"schema_not_object", "schema of provider \"schema_not_object\": type must be object"},
    {"bad_ambient",
     "it lists \"files:*\" as ambient, which is neither env:NAME nor file:/PATH nor file:$NAME"},
    {"changes_locale", "it set the locale of the process to C.UTF-8, which a plugin has to leave alone"},
};

static void test_each_mistake_has_its_sentence(void **state)
{
    const struct es_plugin *const *plugins;
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i].name, bad[i].why);
    assert_int_equal(es_registry_plugins(registry, &plugins), 0);
}

/* The loader's own words differ between systems: the part that matters is there. */
static void assert_refused_with(const char *name, const char *part)
{
    const struct es_plugin_entry entry = {.name = name};
    struct es_error err = ES_ERROR_INIT;

    assert_int_equal(es_registry_load(registry, path, &entry, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, ".so): the loader refuses it: "));
    assert_non_null(strstr(err.text, part));
    assert_null(strstr(err.text, "file not found")); /* libltdl's answer to everything */
}

static void test_the_loader_gives_the_true_reason(void **state)
{
    (void)state;
    assert_refused_with("not_a_shared_object", "invalid ELF header");
    assert_refused_with("unresolved_symbol", "undefined symbol: esod_does_not_exist");
}

/* In whichever process: the sentence is the same, and the next plugin is welcome. */
static void test_a_thread_at_load_is_refused(void **state)
{
    const struct es_plugin_entry entry = {.name = BAD_PLUGINS "/when_loaded/starts_thread_when_loaded.so"};
    const struct es_plugin_entry plain = {.name = "plain"};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    if (ES_SANITIZED && probe_isolated())
        return; /* a sanitizer's own thread would be counted */
    int rc = es_registry_load(registry, path, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG,
                 "plugin " BAD_PLUGINS
                 "/when_loaded/starts_thread_when_loaded.so: it started a thread when it was "
                 "loaded, which a plugin never does");
    assert_int_equal(es_registry_load(registry, path, &plain, &err), 0);
}

static void test_missing_file_names_every_place(void **state)
{
    struct es_plugin_entry entry = {.name = "vault", .origin = "esod.yaml:12"};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = es_registry_load(registry, path, &entry, &err);
    assert_int_equal(rc, ES_E_CONFIG);
    assert_true(es_str_starts(
        err.text,
        "esod.yaml:12: plugin vault: no such file; looked for no-such-directory/vault.so, " BAD_PLUGINS
        "/vault.so; the plugins there are abi_major_2, aborts, "));
    assert_true(es_str_ends(err.text, " more"));
    entry = (struct es_plugin_entry){.name = "./there/is/none.so"};
    rc = es_registry_load(registry, path, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG, "plugin ./there/is/none.so: no such file");
    entry = (struct es_plugin_entry){.name = "vault"};
    rc = es_registry_load(registry, NULL, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG, "plugin vault: the plugin path is empty, and the name is no path");
    entry = (struct es_plugin_entry){.name = ""};
    rc = es_registry_load(registry, path, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG, "plugin : an entry without a name");
}

static void test_a_good_plugin_is_known(void **state)
{
    const struct es_plugin_entry entry = {.name = "plain"};
    const struct es_plugin *const *plugins;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_registry_load(registry, path, &entry, &err), 0);
    const struct es_provider *p = es_registry_provider(registry, "plain");
    assert_non_null(p);
    assert_string_equal(p->name, "plain");
    assert_int_equal(p->caps, ESP_CAP_READ);
    assert_string_equal(p->schema, "{\"type\":\"object\"}");
    assert_string_equal(p->plugin->version, "1.2.3");
    assert_string_equal(p->plugin->path, BAD_PLUGINS "/plain.so");
    assert_int_equal(es_registry_plugins(registry, &plugins), 1);
    assert_ptr_equal(plugins[0], p->plugin);
    assert_null(es_registry_provider(registry, "other"));
}

static void test_names_are_taken_once(void **state)
{
    const struct es_plugin_entry entry = {.name = "plain"};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_registry_load(registry, path, &entry, &err), 0);
    assert_refused("plain", "it is listed twice");
    assert_refused("duplicate_name",
                   "its component plain is there already, from plugin plain 1.2.3 (" BAD_PLUGINS
                   "/plain.so)");
    assert_string_equal(es_registry_provider(registry, "plain")->plugin->name, "plain");
}

static void test_configuration(void **state)
{
    json_t *config = parse("{\"region\":\"moon\"}");
    struct es_plugin_entry entry = {.name = BAD_PLUGINS "/configure_fails.so", .config = config};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = es_registry_load(registry, path, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG,
                 "plugin " BAD_PLUGINS
                 "/configure_fails.so: its configuration: region: unknown region \"moon\"");
    assert_null(es_registry_provider(registry, "configure_fails"));
    entry.name = "plain";
    rc = es_registry_load(registry, path, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG,
                 "plugin plain (" BAD_PLUGINS
                 "/plain.so): it takes no configuration, and there is a config block for it");
    json_decref(config);
    entry = (struct es_plugin_entry){.name = "configure_fails"};
    assert_int_equal(es_registry_load(registry, path, &entry, &err), 0); /* nothing to configure */
}

static void test_an_optional_refusal_is_remembered(void **state)
{
    const struct es_plugin_entry entry = {.name = "veto", .optional = true, .origin = "--plugin"};
    const struct es_plugin_refusal *refusals;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_registry_load(registry, path, &entry, &err), 0);
    assert_int_equal(es_registry_refusals(registry, &refusals), 1);
    assert_string_equal(refusals[0].name, "veto");
    assert_string_equal(refusals[0].reason, "--plugin: plugin veto (" BAD_PLUGINS
                                            "/veto.so): it will not work with this esod (plugin ABI 1.1)");
}

static void test_a_whole_directory(void **state)
{
    const char *const twice[] = {BAD_PLUGINS, "no-such-directory", BAD_PLUGINS, NULL};
    const struct es_plugin_refusal *refusals;
    struct es_error err = ES_ERROR_INIT;
    size_t duplicates = 0;
    (void)state;

    assert_int_equal(es_registry_load_all(registry, twice, &err), 0);
    assert_non_null(es_registry_provider(registry, "plain"));
    assert_non_null(es_registry_provider(registry, "never_returns"));
    size_t count = es_registry_refusals(registry, &refusals);
    for (size_t i = 0; i < count; i++) {
        assert_null(strstr(refusals[i].reason, "listed twice"));
        /* duplicate_name.so comes before plain.so in the alphabet, and so wins. */
        duplicates += strstr(refusals[i].reason, "is there already") != NULL;
    }
    assert_int_equal(duplicates, 1);
    assert_int_equal(count, sizeof bad / sizeof bad[0] + 2 + duplicates);
}

/* ---- what needs no file ---- */

static char configured[100];

static esp_status configure(struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out;
    snprintf(configured, sizeof configured, "%.*s", (int)request->json.len, (const char *)request->json.ptr);
    /* There is no store yet to ask anything for. */
    assert_int_equal(
        probe_host->kube_read(call, ESP_KUBE_SECRET, bytes("ns"), bytes("name"), bytes("key"), &out),
        ESP_E_DENIED);
    return ESP_OK;
}

static void test_configuration_has_a_schema(void **state)
{
    json_t *good = parse("{\"size\":3}"), *bad_type = parse("{\"size\":\"3\"}");
    struct es_plugin_entry entry = {.name = "probe", .config = bad_type};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_plugin.configure = configure;
    probe_plugin.config_schema = "{\"type\":\"object\",\"properties\":{\"size\":{\"type\":\"integer\"}}}";
    assert_int_equal(es_registry_add(registry, &probe_plugin, &entry, &err), ES_E_CONFIG);
    assert_string_equal(configured, "");
    assert_non_null(strstr(err.text, "plugin probe: its configuration: "));
    assert_non_null(strstr(err.text, "size"));
    entry.config = good;
    assert_int_equal(es_registry_add(registry, &probe_plugin, &entry, &err), 0);
    assert_string_equal(configured, "{\"size\":3}");
    json_decref(good);
    json_decref(bad_type);
}

static void assert_vet(const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    int rc = es_vet_plugin(&probe_plugin, &err);
    if (want)
        assert_error(rc, &err, ES_E_CONFIG, want);
    else
        assert_int_equal(rc, 0);
}

static void test_tables_of_a_later_minor(void **state)
{
    static struct {
        struct esp_plugin plugin;
        void *appended[4];
    } later;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_plugin.size = sizeof later;
    probe_plugin.abi_minor = 7;
    later.plugin = probe_plugin;
    assert_int_equal(es_vet_plugin(&later.plugin, &err), 0);
    later.plugin.needs_minor = ESP_ABI_MINOR;
    assert_int_equal(es_vet_plugin(&later.plugin, &err), 0);
}

static esp_status generate(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    (void)request;
    return ESP_OK;
}

static void test_generators(void **state)
{
    struct esp_generator_ops ops = {.size = sizeof ops, .generate = generate};
    (void)state;

    probe_component.kind = ESP_KIND_GENERATOR;
    probe_component.caps = 0;
    probe_component.store = NULL;
    assert_vet("component probe is a generator without operations");
    probe_component.generator = &ops;
    assert_vet(NULL);
    ops.size = 8;
    assert_vet(
        "its esp_generator_ops is 8 bytes long, ABI 1.0 needs 24: it was not built with esp/plugin.h, or its "
        "size is not set");
    ops.size = sizeof ops;
    ops.generate = NULL;
    assert_vet("component probe has no operation generate");
}

static void test_other_holes_in_tables(void **state)
{
    (void)state;
    assert_vet(NULL);
    probe_component.store = NULL;
    assert_vet("component probe is a store without operations");
    probe_component.store = &probe_ops;
    probe_component.caps = ESP_CAP_WRITE;
    probe_ops.push = generate;
    assert_vet("component probe promises ESP_CAP_WRITE and has no operation remove");
    probe_component.caps = ESP_CAP_READ | UINT64_C(1) << 60; /* unknown bits are ignored */
    probe_plugin.version = "";
    assert_vet("it gives no version of itself");
    probe_plugin.version = "1\n2";
    assert_vet("its version is longer than 64 bytes or not printable");
    probe_plugin.version = "1";
    probe_component.label = "a label\n# HELP that ends its line";
    assert_vet("component probe has a label that is longer than 64 bytes or not printable");
    probe_component.label = "Probe";
    const char *const names[] = {"env:A\tB", NULL};
    probe_plugin.ambient = names;
    assert_vet("it lists an ambient name that is longer than 256 bytes or not printable");
    probe_plugin.ambient = NULL;
    probe_plugin.name = NULL;
    assert_vet("its own name is empty or malformed");
    probe_plugin.name = "probe";
    probe_plugin.config_schema = "[]";
    assert_vet("the schema of its configuration describes no object");
    probe_plugin.config_schema = "{\"type\":\"object\"}";
    assert_vet(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_mistake_has_its_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_loader_gives_the_true_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_thread_at_load_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_file_names_every_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_good_plugin_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_optional_refusal_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_whole_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration_has_a_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tables_of_a_later_minor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_generators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_holes_in_tables, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
