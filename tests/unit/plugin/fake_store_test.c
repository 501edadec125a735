/* The example plugin, from its file to its secrets, the way the daemon uses it. */
#include "probe.h"

#include "core/base/text.h"

static struct es_registry *registry;
static struct es_authority who;
static struct es_instance *store;

static int setup(void **state)
{
    const struct es_plugin_entry entry = {.name = FAKE_PLUGIN};
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    who = probe_who(
        "{\"data\":[{\"key\":\"plain\",\"value\":\"hello\"},"
        "{\"key\":\"doc\",\"value\":\"{\\\"user\\\":\\\"admin\\\",\\\"n\\\":{\\\"port\\\":5432}}\"},"
        "{\"key\":\"plain\",\"version\":\"v2\",\"value\":\"hello again\"}]}");
    assert_int_equal(es_registry_new(&registry, NULL, &err), 0);
    probe_isolate(registry);
    if (es_registry_load(registry, NULL, &entry, &err) < 0)
        fail_msg("%s", err.text);
    const struct es_provider *p = es_registry_provider(registry, "fake");
    assert_non_null(p);
    assert_int_equal(es_instance_open(&store, registry, p, &who, NULL, &err), 0);
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

static void assert_get(const char *ref_text, const char *want)
{
    json_t *ref = parse(ref_text);
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};

    int rc = es_instance_get(store, &who, ref, &value, &err);
    assert_string_equal(rc == 0 ? (char *)value.ptr : err.text, want);
    if (rc < 0)
        assert_int_equal(rc, ES_E_NOT_FOUND);
    es_blob_fini(&value);
    json_decref(ref);
}

static void test_get(void **state)
{
    (void)state;
    assert_get("{\"key\":\"plain\"}", "hello");
    assert_get("{\"key\":\"plain\",\"version\":\"v2\"}", "hello again");
    assert_get("{\"key\":\"doc\",\"property\":\"user\"}", "admin");
    assert_get("{\"key\":\"doc\",\"property\":\"n.port\"}", "5432");
    assert_get("{\"key\":\"doc\",\"property\":\"absent\"}", "Secret does not exist");
    assert_get("{\"key\":\"plain\",\"property\":\"user\"}", "Secret does not exist");
    assert_get("{\"key\":\"absent\"}", "Secret does not exist");
}

static void test_get_map(void **state)
{
    json_t *ref = parse("{\"key\":\"doc\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values map = {0};
    (void)state;

    assert_int_equal(es_instance_get_map(store, &who, ref, &map, &err), 0);
    assert_int_equal(map.count, 2);
    assert_string_equal((char *)es_values_get(&map, "n")->ptr, "{\"port\":5432}");
    es_values_fini(&map);
    json_object_set_new(ref, "key", json_string("plain"));
    int rc = es_instance_get_map(store, &who, ref, &map, &err);
    assert_error(rc, &err, ES_E_CONFIG, "unable to unmarshal secret: not valid JSON at byte 0 of 5");
    json_decref(ref);
}

static void test_find(void **state)
{
    json_t *find = parse("{\"name\":{\"regexp\":\"^pl\"}}"), *by_tag = parse("{\"tags\":{\"a\":\"b\"}}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values found = {0};
    (void)state;

    assert_int_equal(es_instance_find(store, &who, find, &found, &err), 0);
    assert_int_equal(found.count, 1);
    assert_string_equal((char *)es_values_get(&found, "plain")->ptr, "hello again"); /* the latest version */
    assert_true(es_instance_find(store, &who, by_tag, &found, &err) < 0);
    assert_true(es_str_starts(err.text, "unsupported find operator"));
    es_values_fini(&found);
    json_decref(find);
    json_decref(by_tag);
}

static void test_push_and_read_back(void **state)
{
    json_t *request = parse("{\"remoteKey\":\"pushed\",\"secretKey\":\"a\",\"type\":\"Opaque\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values values = {0};
    bool there = true;
    (void)state;

    assert_int_equal(es_instance_exists(store, &who, request, &there, &err), 0);
    assert_false(there);
    es_values_set(&values, "a", "from a Secret", 13);
    if (es_instance_push(store, &who, request, &values, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(es_instance_exists(store, &who, request, &there, &err), 0);
    assert_true(there);
    assert_get("{\"key\":\"pushed\"}", "from a Secret");
    json_object_set_new(request, "remoteKey", json_string("plain"));
    assert_true(es_instance_push(store, &who, request, &values, &err) < 0);
    assert_string_equal(err.text, "key already exists");
    assert_int_equal(es_instance_remove(store, &who, request, &err), 0);
    es_values_fini(&values);
    json_decref(request);
}

static void test_validate_and_check(void **state)
{
    const struct es_provider *p = es_instance_provider(store);
    struct es_authority other =
        probe_who("{\"data\":[{\"key\":\"\",\"value\":\"x\"}],\"validationResult\":1}");
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_instance_validate(store, &who, &err), 0);
    assert_int_equal(es_provider_check(registry, p, &who, NULL, NULL, NULL, &err), 0);
    assert_int_equal(es_provider_check(registry, p, &other, NULL, NULL, NULL, &err), ES_E_CONFIG);
    assert_true(es_str_starts(err.text, "key must be set in data"));
    assert_int_equal(es_instance_open(&i, registry, p, &other, NULL, &err), 0);
    int rc = es_instance_validate(i, &other, &err);
    assert_error(rc, &err, ES_E_UNDECIDED, "unable to validate");
    es_instance_close(i);
    probe_who_free(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_get_map),
        TEST(test_find),
        TEST(test_push_and_read_back),
        TEST(test_validate_and_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
