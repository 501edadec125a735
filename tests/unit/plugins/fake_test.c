/* The fake store, loaded as the daemon loads it. */
#include "host.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <esp/text.h>

#define STORE(kind, ns, name)                                                                                \
    "\"store\":{\"kind\":\"" kind "\",\"namespace\":\"" ns "\",\"name\":\"" name "\",\"generation\":1},"     \
    "\"namespace\":\"apps\""
#define SPEC(data) "{\"spec\":{\"data\":[" data "]}," STORE("SecretStore", "apps", "s") "}"
#define REF(key, version)                                                                                    \
    "{\"key\":\"" key "\",\"property\":\"\",\"version\":\"" version                                          \
    "\",\"metadataPolicy\":\"None\"," STORE("SecretStore", "apps", "s") "}"

static const struct esp_component *fake;
static const struct esp_store_ops *ops;

static int load(void **state)
{
    (void)state;
    fake = test_load(FAKE_PLUGIN)->components[0];
    ops = fake->store;
    return 0;
}

static void *open_store(struct esp_call *call, const char *json)
{
    void *instance = NULL;
    assert_int_equal(test_open(call, ops, json, &instance), ESP_OK);
    assert_non_null(instance);
    return instance;
}

static void close_store(struct esp_call *call, void *instance)
{
    ops->close(instance, call);
    test_reset(call);
}

static void expect_get(struct esp_call *call, void *store, const char *json, const char *value)
{
    assert_int_equal(test_run(call, ops->get, store, json, NULL, 0), ESP_OK);
    assert_int_equal(call->count, 1);
    assert_int_equal(call->outputs[0].channel, ESP_OUT_VALUE);
    assert_string_equal(call->outputs[0].key, "");
    assert_string_equal(call->outputs[0].value, value);
}

static void test_describes_itself(void **state)
{
    (void)state;
    assert_string_equal(fake->name, "fake");
    assert_int_equal(fake->kind, ESP_KIND_STORE);
    assert_int_equal(fake->maintenance, ESP_NOT_MAINTAINED);
    assert_int_equal(fake->caps,
                     ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES);
    json_t *schema = json_loads(fake->schema, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
    json_decref(schema);
}

static void test_get_needs_key_and_version(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"a\",\"value\":\"plain\"},"
                                         "{\"key\":\"a\",\"value\":\"first\",\"version\":\"v1\"},"
                                         "{\"key\":\"ab\",\"value\":\"other\",\"version\":\"v1\"}"));
    expect_get(&call, store, REF("a", ""), "plain");
    expect_get(&call, store, REF("a", "v1"), "first");
    /* "a" with "bv1" is not "ab" with "v1" */
    assert_int_equal(test_run(&call, ops->get, store, REF("a", "bv1"), NULL, 0), ESP_E_NOT_FOUND);
    assert_int_equal(test_run(&call, ops->get, store, REF("a", "v2"), NULL, 0), ESP_E_NOT_FOUND);
    assert_int_equal(test_run(&call, ops->get, store, REF("ab", ""), NULL, 0), ESP_E_NOT_FOUND);
    assert_int_equal(call.count, 0);
    close_store(&call, store);
}

static void test_the_last_of_equal_entries_counts(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"k\",\"value\":\"1\"},{\"key\":\"j\",\"value\":\"x\"},"
                                         "{\"key\":\"k\",\"value\":\"2\"},{\"key\":\"k\",\"value\":\"3\"}"));
    expect_get(&call, store, REF("k", ""), "3");
    expect_get(&call, store, REF("j", ""), "x");
    close_store(&call, store);
}

static void test_values_are_copied_byte_for_byte(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"a\",\"value\":\"x\\u0000y\\n\\u00e9 \"},"
                                         "{\"key\":\"k\\u0000\",\"value\":\"nul in the key\"}"));
    assert_int_equal(test_run(&call, ops->get, store, REF("a", ""), NULL, 0), ESP_OK);
    assert_int_equal(call.outputs[0].value_len, 7);
    assert_memory_equal(call.outputs[0].value, "x\0y\n\xc3\xa9 ", 7);
    expect_get(&call, store, REF("k\\u0000", ""), "nul in the key");
    assert_int_equal(test_run(&call, ops->get, store, REF("k", ""), NULL, 0), ESP_E_NOT_FOUND);
    close_store(&call, store);
}

static void test_an_empty_store_has_nothing(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC(""));
    assert_int_equal(test_run(&call, ops->get, store, REF("a", ""), NULL, 0), ESP_E_NOT_FOUND);
    assert_int_equal(test_run(&call, ops->list, store, "{\"name\":{\"regexp\":\".\"}}", NULL, 0), ESP_OK);
    assert_int_equal(call.count, 0);
    close_store(&call, store);
}

static void test_list_gives_the_latest_version_with_its_value(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"k\",\"value\":\"ten\",\"version\":\"v10\"},"
                                         "{\"key\":\"k\",\"value\":\"nine\",\"version\":\"v9\"},"
                                         "{\"key\":\"k\",\"value\":\"none\"},"
                                         "{\"key\":\"path/to/key\",\"value\":\"p\"}"));
    assert_int_equal(
        test_run(&call, ops->list, store, "{\"name\":{\"regexp\":\"^k\"},\"prefix\":\"k\"}", NULL, 0),
        ESP_OK);
    assert_int_equal(call.count, 2);
    assert_string_equal(test_value(&call, "k")->value, "nine"); /* as text, 9 is above 1 */
    assert_string_equal(test_value(&call, "path/to/key")->value, "p");
    close_store(&call, store);
}

static void test_list_finds_by_name_only(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"k\",\"value\":\"v\"}"));
    assert_int_equal(test_run(&call, ops->list, store, "{\"tags\":{\"a\":\"b\"},\"prefix\":\"\"}", NULL, 0),
                     ESP_E_CONFIG);
    assert_ptr_equal(strstr(call.why, "unsupported find operator"), call.why);
    assert_int_equal(call.count, 0);
    close_store(&call, store);
}

static void test_list_stops_when_the_core_is_full(void **state)
{
    (void)state;
    struct esp_call call = {.emit_limit = 1};
    void *store = open_store(&call, SPEC("{\"key\":\"a\",\"value\":\"v\"},{\"key\":\"b\",\"value\":\"v\"}"));
    assert_int_equal(test_run(&call, ops->list, store, "{\"name\":{\"regexp\":\".\"}}", NULL, 0),
                     ESP_E_INTERNAL);
    assert_int_equal(call.count, 1);
    close_store(&call, store);
}

static esp_status push(struct esp_call *call, void *store, const char *key, const char *value)
{
    char json[256];
    snprintf(json, sizeof json, "{\"remoteKey\":\"%s\",\"property\":\"\",\"secretKey\":\"k\"}", key);
    esp_pair pair = {esp_str("k"), esp_str(value)};
    return test_run(call, ops->push, store, json, &pair, 1);
}

static void expect_exists(struct esp_call *call, void *store, const char *key, const char *answer)
{
    char json[256];
    snprintf(json, sizeof json, "{\"remoteKey\":\"%s\",\"property\":\"\"}", key);
    assert_int_equal(test_run(call, ops->exists, store, json, NULL, 0), ESP_OK);
    assert_string_equal(test_value(call, "")->value, answer);
}

static void test_pushed_values_outlive_the_instance(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"own\",\"value\":\"spec\"}"));
    expect_exists(&call, store, "pushed", "false");
    assert_int_equal(push(&call, store, "pushed", "one"), ESP_OK);
    assert_int_equal(push(&call, store, "pushed", "two"), ESP_OK);
    expect_get(&call, store, REF("pushed", ""), "two");
    assert_int_equal(test_run(&call, ops->get, store, REF("pushed", "v1"), NULL, 0), ESP_E_NOT_FOUND);
    close_store(&call, store);

    store = open_store(&call, SPEC("{\"key\":\"own\",\"value\":\"spec\"}"));
    expect_get(&call, store, REF("pushed", ""), "two");
    expect_exists(&call, store, "pushed", "true");
    expect_exists(&call, store, "own", "true");
    assert_int_equal(test_run(&call, ops->list, store, "{\"name\":{\"regexp\":\".\"}}", NULL, 0), ESP_OK);
    assert_string_equal(test_value(&call, "pushed")->value, "two");
    assert_string_equal(test_value(&call, "own")->value, "spec");

    assert_int_equal(
        test_run(&call, ops->remove, store, "{\"remoteKey\":\"pushed\",\"property\":\"\"}", NULL, 0), ESP_OK);
    expect_exists(&call, store, "pushed", "true");
    close_store(&call, store);
}

static void test_a_key_of_the_spec_cannot_be_pushed(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC("{\"key\":\"own\",\"value\":\"spec\"}"));
    assert_int_equal(push(&call, store, "own", "x"), ESP_E_CONFIG);
    assert_string_equal(call.why, "key already exists");
    expect_get(&call, store, REF("own", ""), "spec");
    close_store(&call, store);

    /* and an entry that is added later hides what was pushed */
    store = open_store(&call, SPEC(""));
    assert_int_equal(push(&call, store, "later", "pushed"), ESP_OK);
    close_store(&call, store);
    store = open_store(&call, SPEC("{\"key\":\"later\",\"value\":\"spec\"}"));
    expect_get(&call, store, REF("later", ""), "spec");
    assert_int_equal(test_run(&call, ops->list, store, "{\"name\":{\"regexp\":\".\"}}", NULL, 0), ESP_OK);
    assert_string_equal(test_value(&call, "later")->value, "spec");
    close_store(&call, store);
}

static void test_a_whole_secret_becomes_an_object(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC(""));
    esp_pair pairs[] = {{esp_str("a"), esp_str("x\"<&>")}, {esp_str("b"), esp_str("")}};
    assert_int_equal(test_run(&call, ops->push, store,
                              "{\"remoteKey\":\"whole\",\"property\":\"\",\"secretKey\":\"\"}", pairs, 2),
                     ESP_OK);
    expect_get(&call, store, REF("whole", ""), "{\"a\":\"x\\\"<&>\",\"b\":\"\"}");
    close_store(&call, store);
}

static void test_stores_of_equal_name_do_not_share(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{\"spec\":{\"data\":[]}," STORE("SecretStore", "one", "shared") "}",
        "{\"spec\":{\"data\":[]}," STORE("SecretStore", "two", "shared") "}",
        "{\"spec\":{\"data\":[]}," STORE("ClusterSecretStore", "", "shared") "}",
    };
    struct esp_call call = {0};
    void *stores[3];
    for (size_t i = 0; i < 3; i++) {
        stores[i] = open_store(&call, documents[i]);
        expect_exists(&call, stores[i], "k", "false");
        assert_int_equal(push(&call, stores[i], "k", (const char *[]){"a", "b", "c"}[i]), ESP_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        expect_get(&call, stores[i], REF("k", ""), (const char *[]){"a", "b", "c"}[i]);
        close_store(&call, stores[i]);
    }
}

static void test_pushing_stops_at_the_ceiling(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = open_store(&call, SPEC(""));
    size_t size = 40u << 20;
    char *large = calloc(1, size);
    assert_non_null(large);
    esp_pair pair = {esp_str("k"), esp_span(large, size)};
    const char *first = "{\"remoteKey\":\"large1\",\"secretKey\":\"k\"}",
               *second = "{\"remoteKey\":\"large2\",\"secretKey\":\"k\"}";
    assert_int_equal(test_run(&call, ops->push, store, first, &pair, 1), ESP_OK);
    assert_int_equal(test_run(&call, ops->push, store, second, &pair, 1), ESP_E_INTERNAL);
    pair.value.len = 1;
    assert_int_equal(test_run(&call, ops->push, store, first, &pair, 1), ESP_OK); /* makes room again */
    assert_int_equal(test_run(&call, ops->push, store, second, &pair, 1), ESP_OK);
    free(large);
    close_store(&call, store);
}

static void test_check_names_the_entry(void **state)
{
    (void)state;
    struct esp_call call = {0};
    assert_int_equal(test_run(&call, ops->check, NULL, SPEC("{\"key\":\"a\",\"value\":\"v\"}"), NULL, 0),
                     ESP_OK);
    assert_int_equal(test_run(&call, ops->check, NULL,
                              SPEC("{\"key\":\"a\",\"value\":\"v\"},{\"key\":\"\",\"value\":\"v\"}"), NULL,
                              0),
                     ESP_E_CONFIG);
    assert_string_equal(call.why, "key must be set in data 1");
    assert_int_equal(test_run(&call, ops->check, NULL, SPEC("{\"key\":\"a\",\"value\":\"\"}"), NULL, 0),
                     ESP_OK);
    assert_int_equal(call.outputs[0].channel, ESP_OUT_WARNING);
    assert_string_equal(call.outputs[0].value, "at least one value must be set in data 0");
    test_reset(&call);
}

static void test_validation_result_is_what_the_spec_says(void **state)
{
    (void)state;
    static const esp_status expected[] = {ESP_OK, ESP_E_UNDECIDED, ESP_E_CONFIG, ESP_E_CONFIG};
    struct esp_call call = {0};
    for (size_t i = 0; i < 4; i++) {
        char json[300];
        snprintf(json, sizeof json,
                 "{\"spec\":{\"data\":[],\"validationResult\":%zu}," STORE("SecretStore", "apps", "s") "}",
                 i);
        void *store = open_store(&call, json);
        assert_int_equal(test_run(&call, ops->validate, store, "{}", NULL, 0), expected[i]);
        assert_string_equal(call.why, i ? "unable to validate" : "");
        close_store(&call, store);
    }
}

static void test_odd_documents_do_no_harm(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "{}",
        "{\"spec\":null}",
        "{\"spec\":{\"data\":{}}}",
        "{\"spec\":{\"data\":[1,null,\"x\",[],{\"key\":7}]},\"store\":[]}",
    };
    struct esp_call call = {0};
    for (size_t i = 0; i < 4; i++) {
        void *store = open_store(&call, odd[i]);
        assert_int_equal(test_run(&call, ops->get, store, "{\"key\":[]}", NULL, 0),
                         i == 3 ? ESP_OK : ESP_E_NOT_FOUND);
        close_store(&call, store);
    }
}

/* The reference crashes here: one unlocked map serves all its stores. */
static void *push_and_read(void *arg)
{
    void *store = arg;
    struct esp_call call = {0};
    for (int i = 0; i < 200; i++) {
        char key[20];
        snprintf(key, sizeof key, "t%d", i % 7);
        assert_int_equal(push(&call, store, key, "same"), ESP_OK);
        expect_exists(&call, store, key, "true");
        assert_int_equal(test_run(&call, ops->list, store, "{\"name\":{\"regexp\":\".\"}}", NULL, 0), ESP_OK);
        void *other = open_store(&call, SPEC("{\"key\":\"a\",\"value\":\"v\"}"));
        close_store(&call, other);
    }
    test_reset(&call);
    return NULL;
}

static void test_threads_share_an_instance(void **state)
{
    (void)state;
    struct esp_call call = {0};
    pthread_t threads[4];
    void *store = open_store(&call, SPEC("{\"key\":\"a\",\"value\":\"v\"}"));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_and_read, store), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    expect_get(&call, store, REF("t6", ""), "same");
    close_store(&call, store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describes_itself),
        cmocka_unit_test(test_get_needs_key_and_version),
        cmocka_unit_test(test_the_last_of_equal_entries_counts),
        cmocka_unit_test(test_values_are_copied_byte_for_byte),
        cmocka_unit_test(test_an_empty_store_has_nothing),
        cmocka_unit_test(test_list_gives_the_latest_version_with_its_value),
        cmocka_unit_test(test_list_finds_by_name_only),
        cmocka_unit_test(test_list_stops_when_the_core_is_full),
        cmocka_unit_test(test_pushed_values_outlive_the_instance),
        cmocka_unit_test(test_a_key_of_the_spec_cannot_be_pushed),
        cmocka_unit_test(test_a_whole_secret_becomes_an_object),
        cmocka_unit_test(test_stores_of_equal_name_do_not_share),
        cmocka_unit_test(test_pushing_stops_at_the_ceiling),
        cmocka_unit_test(test_check_names_the_entry),
        cmocka_unit_test(test_validation_result_is_what_the_spec_says),
        cmocka_unit_test(test_odd_documents_do_no_harm),
        cmocka_unit_test(test_threads_share_an_instance),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
