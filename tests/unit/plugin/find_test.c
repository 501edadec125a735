/* dataFrom.find: what the plugin lists, what the core picks, what it then gets. */
#include "probe.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/plugin/prefix.h"

static struct es_registry *registry;
static struct es_authority who;
static struct es_instance *store;
static char seen[4000];
static int gets, batches;

static bool asked_for(const struct esp_request *request, const char *name)
{
    char needle[64];
    snprintf(needle, sizeof needle, "\"key\":\"%s\"", name);
    return memmem(request->json.ptr, request->json.len, needle, strlen(needle)) != NULL;
}

static esp_status get_one(struct esp_call *call, const struct esp_request *request)
{
    gets++;
    if (asked_for(request, "db-gone"))
        return ESP_E_NOT_FOUND;
    if (asked_for(request, "db-locked"))
        return probe_fail(call, ESP_E_DENIED, 0, "db-locked: forbidden");
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("got"));
}

static const char *const *listing; /* NULL at the end; "name=value" comes with its value */

static esp_status list(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    snprintf(seen, sizeof seen, "%.*s", (int)request->json.len, (const char *)request->json.ptr);
    for (const char *const *at = listing; *at; at++) {
        const char *value = strchr(*at, '=');
        esp_bytes name = {(const uint8_t *)*at, value ? (size_t)(value - *at) : strlen(*at)};
        esp_status status = probe_host->emit(call, value ? ESP_OUT_VALUE : ESP_OUT_NAME, name,
                                             value ? bytes(value + 1) : bytes(""));
        if (status != ESP_OK)
            return status;
    }
    return ESP_OK;
}

static int setup(void **state)
{
    (void)state;
    probe_reset();
    probe_component.caps = ESP_CAP_READ | ESP_CAP_LIST;
    probe_ops.list = list;
    registry = probe_registry(NULL);
    who = probe_who("{}");
    store = probe_open(registry, &who);
    probe_act = get_one;
    gets = batches = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_instance_close(store);
    es_registry_free(registry);
    probe_who_free(&who);
    return 0;
}

/* "name=value name=value", sorted, or "error: text". */
static void assert_find(const char *find_text, const char *want)
{
    json_t *find = parse(find_text);
    struct es_error err = ES_ERROR_INIT;
    struct es_values found = {0};
    struct es_buf line;

    es_buf_init(&line, 100000);
    if (es_instance_find(store, &who, find, &found, &err) < 0)
        es_buf_addf(&line, "error: %s", err.text);
    for (size_t i = 0; i < found.count; i++)
        es_buf_addf(&line, "%s%s=%s", i ? " " : "", found.items[i].key, (char *)found.items[i].blob.ptr);
    assert_string_equal(es_buf_str(&line), want);
    es_buf_fini(&line);
    es_values_fini(&found);
    json_decref(find);
}

static void assert_begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with)) != 0)
        fail_msg("%s", text);
}

static void test_names_are_filtered_then_fetched(void **state)
{
    static const char *const names[] = {"db-b", "web-a", "db-a", "db-c=with", "web-b=with", "db-gone", NULL};
    (void)state;

    listing = names;
    assert_find("{\"name\":{\"regexp\":\"^db-\"},\"path\":\"p\",\"tags\":{\"t\":\"1\"}}",
                "db-a=got db-b=got db-c=with");
    assert_int_equal(gets, 3); /* db-gone vanished between list and get */
    assert_begins(
        seen, "{\"name\":{\"regexp\":\"^db-\"},\"path\":\"p\",\"tags\":{\"t\":\"1\"},\"prefix\":\"db-\",");
    assert_find("{\"name\":{\"regexp\":\"b$\"}}", "db-b=got web-b=with");
    assert_find("{\"tags\":{\"t\":\"1\"}}", "db-a=got db-b=got db-c=with web-a=got web-b=with");
    assert_begins(seen, "{\"tags\":{\"t\":\"1\"},\"prefix\":\"\",");
    assert_find("{\"name\":{\"regexp\":\"nothing\"}}", "");
}

static void test_failures(void **state)
{
    static const char *const names[] = {"db-locked", NULL};
    (void)state;

    listing = names;
    assert_find("{\"name\":{\"regexp\":\".*\"}}", "error: db-locked: forbidden");
    json_t *find = parse("{\"name\":{\"regexp\":\"a[\"}}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values found = {0};
    seen[0] = '\0';
    int rc = es_instance_find(store, &who, find, &found, &err);
    assert_error(rc, &err, ES_E_CONFIG,
                 "could not compile find.name.regexp [a[]: error parsing regexp: missing closing ]: `[`");
    assert_string_equal(seen, ""); /* nothing was listed for it */
    json_decref(find);
    probe_ops.list = NULL;
    assert_find("{\"name\":{\"regexp\":\".*\"}}", "error: list is not supported by the probe provider");
}

/* ---- get_batch ---- */

static enum { ALL, SKIP_LAST, FOREIGN_INDEX, FAULTS, DENIED } batch_mode;

static esp_status batch(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *doc = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    const json_t *refs = json_object_get(doc, "refs");
    size_t count = json_array_size(refs);
    char index[20], value[64];
    (void)instance;

    batches++;
    assert_in_range(count, 1, 200);
    for (size_t i = 0; i < count - (batch_mode == SKIP_LAST); i++) {
        const char *key = json_string_value(json_object_get(json_array_get(refs, i), "key"));
        assert_string_equal(json_string_value(json_object_get(json_array_get(refs, i), "property")), "");
        if (i == 1 && batch_mode == FAULTS) {
            probe_host->fail_at(call, i, ESP_E_NOT_FOUND, bytes("deleted"));
            continue;
        }
        if (i == 1 && batch_mode == DENIED) {
            probe_host->fail_at(call, i, ESP_E_DENIED, bytes("forbidden"));
            continue;
        }
        snprintf(index, sizeof index, "%zu", batch_mode == FOREIGN_INDEX ? i + 1 : i);
        snprintf(value, sizeof value, "<%s>", key);
        probe_host->emit(call, ESP_OUT_VALUE, bytes(index), bytes(value));
    }
    json_decref(doc);
    return ESP_OK;
}

static void test_batches(void **state)
{
    static const char *const names[] = {"a", "b", "c", NULL};
    (void)state;

    probe_ops.get_batch = batch;
    listing = names;
    batch_mode = ALL;
    assert_find("{}", "a=<a> b=<b> c=<c>");
    assert_int_equal(gets, 0);
    batch_mode = FAULTS;
    assert_find("{}", "a=<a> c=<c>");
    batch_mode = DENIED;
    assert_find("{}", "error: b: forbidden");
    batch_mode = SKIP_LAST;
    assert_find("{}", "error: the probe plugin left a reference of get_batch without an answer");
    batch_mode = FOREIGN_INDEX;
    assert_find("{}", "error: the probe plugin answered get_batch for a reference that was not asked for");
}

static void test_large_results_go_in_batches(void **state)
{
    static char texts[500][8];
    static const char *names[501];
    struct es_values found = {0};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    for (size_t i = 0; i < 500; i++) {
        snprintf(texts[i], sizeof texts[i], "n%zu", i);
        names[i] = texts[i];
    }
    probe_ops.get_batch = batch;
    batch_mode = ALL;
    listing = names;
    assert_int_equal(es_instance_find(store, &who, NULL, &found, &err), 0);
    assert_int_equal(found.count, 500);
    assert_string_equal((char *)es_values_get(&found, "n499")->ptr, "<n499>");
    assert_int_equal(batches, 3);
    es_values_fini(&found);
}

static esp_status fail_at_nowhere(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    probe_host->fail_at(call, 0, ESP_E_NOT_FOUND, bytes("what?"));
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("v"));
}

static void test_fail_at_belongs_to_get_batch(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = probe_get(registry, &who, fail_at_nowhere, &err);
    assert_error(rc, &err, ES_E_INTERNAL, "the probe plugin called fail_at from get for reference 0 of 0");
}

/* ---- the hint ---- */

static void test_prefix_of_a_pattern(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"db", ""},
        {"^db", "db"},
        {"^db-(a|b)$", ""},
        {"^db-(ab)", "db-"},
        {"^db.*", "db"},
        {"^db\\.x", "db.x"},
        {"^db\\d", "db"},
        {"^ab*", "a"},
        {"^ab?c", "a"},
        {"^ab{0,2}", "a"},
        {"^a|b", ""},
        {"^", ""},
        {"^$", ""},
        {"^(?i)x", ""},
        {"^\xc3\xa4+", ""},
        {"^x\xc3\xa4", "x\xc3\xa4"},
        {"^a\\", "a"},
        {"^prod/db/", "prod/db/"},
        {"(?i)^x", ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *prefix = es_regexp_prefix(cases[i][0]);
        assert_string_equal(prefix, cases[i][1]);
        es_mem_free(prefix);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_are_filtered_then_fetched),
        TEST(test_failures),
        TEST(test_batches),
        TEST(test_large_results_go_in_batches),
        TEST(test_fail_at_belongs_to_get_batch),
        cmocka_unit_test(test_prefix_of_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
