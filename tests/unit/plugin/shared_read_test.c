/* What of an opened store is shared: whole values, maps, finds; and what ends it. */
#include "probe.h"

#include "core/plugin/reads.h"

static struct es_reads *reads;
static struct es_registry *registry;
static struct es_authority who;
static struct es_instance *store;
static struct es_reading reading;
static int asked;

static esp_status answer(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    asked++;
    return probe_host->emit(call, ESP_OUT_VALUE, bytes("a"), bytes("{\"x\":1,\"y\":\"two\"}"));
}

/* As a webhook with a Secret of the consumer does: the answer is what that opens. */
static esp_status answer_for_consumer(void *instance, struct esp_call *call,
                                      const struct esp_request *request)
{
    esp_bytes token;
    (void)instance;
    (void)request;
    asked++;
    esp_status status =
        probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("ours"), bytes("token"), &token);
    return status == ESP_OK ? probe_host->emit(call, ESP_OUT_VALUE, bytes(""), token) : status;
}

static esp_status agree(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    (void)request;
    return ESP_OK;
}

static int read_of_consumer(void *ctx, enum es_kube_read what, const char *ns, const char *name,
                            const char *key, struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    (void)what;
    (void)name;
    (void)key;
    (void)err;
    return es_blob_set(ret, ns, strlen(ns));
}

static void open_with(uint64_t caps)
{
    const struct es_services services = {.kube_read = read_of_consumer};
    const struct es_open_opts opts = {.reads = reads};
    struct es_error err = ES_ERROR_INIT;

    probe_ops.get = probe_ops.get_map = probe_ops.list = answer;
    probe_ops.push = probe_ops.remove = agree;
    probe_component.caps = caps;
    registry = probe_registry(&services);
    if (es_instance_open(&store, registry, es_registry_provider(registry, "probe"), &who, &opts, &err) < 0)
        fail_msg("%s", err.text);
    reading = (struct es_reading){.reads = reads, .others = true};
    who.reading = &reading;
}

static int setup(void **state)
{
    const struct es_reads_opts opts = {.window_ms = 10000};
    (void)state;
    probe_reset();
    asked = 0;
    who = probe_cluster_who("{\"secret\":\"ours\"}", "team");
    return es_reads_new(&reads, &opts, NULL);
}

static int teardown(void **state)
{
    (void)state;
    es_instance_close(store);
    assert_int_equal(es_reads_bytes(reads), 0); /* nothing outlives its instance */
    es_registry_free(registry);
    es_reads_free(reads);
    probe_who_free(&who);
    return 0;
}

static void expect_from(const char *consumer, const char *ref_text, const char *want)
{
    struct es_authority asker = who;
    struct es_blob value = {0};
    struct es_error err = ES_ERROR_INIT;
    json_t *ref = parse(ref_text);

    asker.consumer_namespace = consumer;
    if (es_instance_get(store, &asker, ref, &value, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(value.len, strlen(want));
    assert_memory_equal(value.ptr, want, value.len);
    es_blob_fini(&value);
    json_decref(ref);
}

static void expect(const char *ref, const char *want)
{
    expect_from("team", ref, want);
}

static size_t map_of(const char *ref_text)
{
    struct es_values found = {0};
    json_t *ref = parse(ref_text);
    assert_int_equal(es_instance_get_map(store, &who, ref, &found, NULL), 0);
    size_t count = found.count;
    es_values_fini(&found);
    json_decref(ref);
    return count;
}

static size_t find_of(const char *find_text)
{
    struct es_values found = {0};
    json_t *find = parse(find_text);
    assert_int_equal(es_instance_find(store, &who, find, &found, NULL), 0);
    size_t count = found.count;
    es_values_fini(&found);
    json_decref(find);
    return count;
}

static void test_a_whole_value_serves_its_properties_and_its_map(void **state)
{
    (void)state;
    open_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    expect("{\"key\":\"k\",\"property\":\"y\"}", "two");
    expect("{\"key\":\"k\"}", "{\"x\":1,\"y\":\"two\"}");
    assert_int_equal(map_of("{\"key\":\"k\"}"), 2);
    expect_from("elsewhere", "{\"key\":\"k\",\"property\":\"x\"}",
                "1"); /* the store's answer, whoever asks */
    assert_int_equal(asked, 1);
    expect("{\"key\":\"k\",\"version\":\"2\",\"property\":\"x\"}", "1");
    expect("{\"key\":\"k\",\"metadataPolicy\":\"Fetch\",\"property\":\"x\"}", "1");
    assert_int_equal(asked, 3);
}

static void test_properties_of_the_plugin_are_reads_of_their_own(void **state)
{
    (void)state;
    open_with(ESP_CAP_READ);
    for (int i = 0; i < 2; i++) {
        expect("{\"key\":\"k\",\"property\":\"x\"}", "{\"x\":1,\"y\":\"two\"}");
        expect("{\"key\":\"k\",\"property\":\"y\"}", "{\"x\":1,\"y\":\"two\"}");
        assert_int_equal(map_of("{\"key\":\"k\"}"), 1);
    }
    assert_int_equal(asked, 3);
}

static void test_a_find_is_shared_as_a_whole(void **state)
{
    (void)state;
    open_with(ESP_CAP_READ | ESP_CAP_LIST);
    assert_int_equal(find_of("{\"name\":{\"regexp\":\"a\"},\"path\":\"p\"}"), 1);
    assert_int_equal(find_of("{\"path\":\"p\",\"name\":{\"regexp\":\"a\"}}"), 1);
    assert_int_equal(asked, 1);
    assert_int_equal(find_of("{\"name\":{\"regexp\":\"b\"},\"path\":\"p\"}"), 0);
    assert_int_equal(asked, 2);
}

static void test_without_a_reading_nothing_is_shared(void **state)
{
    (void)state;
    open_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    who.reading = NULL;
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    assert_int_equal(asked, 2);
    assert_int_equal(es_reads_bytes(reads), 0);
}

static void test_a_push_and_a_removal_make_reads_old(void **state)
{
    struct es_values values = {0};
    json_t *request = parse("{\"remoteKey\":\"k\"}");
    (void)state;

    open_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES | ESP_CAP_WRITE);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    assert_int_equal(es_instance_push(store, &who, request, &values, NULL), 0);
    assert_int_equal(es_reads_bytes(reads), 0);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    assert_int_equal(asked, 2);
    assert_int_equal(es_instance_remove(store, &who, request, NULL), 0);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    assert_int_equal(asked, 3);
    json_decref(request);
}

static void test_another_instance_of_the_store_starts_afresh(void **state)
{
    struct es_instance *first;
    struct es_registry *first_registry;
    (void)state;

    open_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    first = store;
    first_registry = registry;
    open_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1");
    assert_int_equal(asked, 2);
    es_instance_close(first);
    es_registry_free(first_registry);
    expect("{\"key\":\"k\",\"property\":\"x\"}", "1"); /* of the second, which is still there */
    assert_int_equal(asked, 2);
}

/* The spec says nothing of namespaces; that the plugin asks in the consumer's shows
 * when it does. */
static void test_what_the_consumer_decides_is_his_alone(void **state)
{
    (void)state;
    open_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    probe_ops.get = answer_for_consumer;
    expect_from("one", "{\"key\":\"k\"}", "one");
    expect_from("two", "{\"key\":\"k\"}", "two");
    expect_from("one", "{\"key\":\"k\"}", "one");
    assert_int_equal(asked, 3); /* the first read was before that was known */
    for (int i = 0; i < 3; i++) {
        expect_from("one", "{\"key\":\"k\"}", "one");
        expect_from("two", "{\"key\":\"k\"}", "two");
    }
    assert_int_equal(asked, 3);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_whole_value_serves_its_properties_and_its_map),
        T(test_properties_of_the_plugin_are_reads_of_their_own),
        T(test_a_find_is_shared_as_a_whole),
        T(test_without_a_reading_nothing_is_shared),
        T(test_a_push_and_a_removal_make_reads_old),
        T(test_another_instance_of_the_store_starts_afresh),
        T(test_what_the_consumer_decides_is_his_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
