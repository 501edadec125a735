/* An opened store, with a plugin that answers what it was asked. */
#include "probe.h"

#include <pthread.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/plugin/whole.h"

static struct es_registry *registry;
static struct es_authority who;
static struct es_instance *store;

static int setup(void **state)
{
    (void)state;
    probe_reset();
    registry = probe_registry(NULL);
    who = probe_who("{\"url\":\"https://x\"}");
    store = probe_open(registry, &who);
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

/* The provider's capabilities were copied when it was registered. */
static void reopen_with(uint64_t caps)
{
    es_instance_close(store);
    es_registry_free(registry);
    probe_component.caps = caps;
    registry = probe_registry(NULL);
    store = probe_open(registry, &who);
}

/* ---- the documents ---- */

static char seen[2000];

static esp_status remember(const struct esp_request *request)
{
    snprintf(seen, sizeof seen, "%.*s", (int)request->json.len, (const char *)request->json.ptr);
    return ESP_OK;
}

static esp_status echo(struct esp_call *call, const struct esp_request *request)
{
    remember(request);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes("any"), request->json);
}

#define TAIL                                                                                                 \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"team\",\"name\":\"store\",\"generation\":3},"       \
    "\"namespace\":\"team\"}"

static void test_get_says_everything(void **state)
{
    json_t *full =
        parse("{\"key\":\"a/\\\"b\",\"property\":\"p.q\",\"version\":\"7\",\"metadataPolicy\":\"Fetch\","
              "\"decodingStrategy\":\"Auto\"}");
    json_t *poor = parse("{\"key\":\"k\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    (void)state;

    probe_act = echo;
    assert_int_equal(es_instance_get(store, &who, full, &value, &err), 0);
    assert_string_equal((char *)value.ptr, "{\"key\":\"a/\\\"b\",\"property\":\"p.q\",\"version\":\"7\","
                                           "\"metadataPolicy\":\"Fetch\"," TAIL);
    assert_int_equal(es_instance_get(store, &who, poor, &value, &err), 0);
    assert_string_equal((char *)value.ptr, "{\"key\":\"k\",\"property\":\"\",\"version\":\"\","
                                           "\"metadataPolicy\":\"None\"," TAIL);
    who.consumer_namespace = "other";
    assert_int_equal(es_instance_get(store, &who, poor, &value, &err), 0);
    assert_non_null(strstr((char *)value.ptr, ",\"namespace\":\"other\"}"));
    es_blob_fini(&value);
    json_decref(full);
    json_decref(poor);
}

static esp_status open_remembers(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    *instance = &probe_opened;
    return remember(request);
}

static void test_open_says_everything(void **state)
{
    json_t *retry = parse("{\"maxRetries\":5}");
    const struct es_open_opts opts = {.retry_settings = retry, .ca_pem = "PEM\n"};
    const struct es_provider *p = es_registry_provider(registry, "probe");
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_ops.open = open_remembers;
    assert_int_equal(es_instance_open(&i, registry, p, &who, &opts, &err), 0);
    assert_string_equal(seen, "{\"spec\":{\"url\":\"https://x\"},\"retrySettings\":{\"maxRetries\":5},"
                              "\"caBundle\":\"PEM\\n\"," TAIL);
    assert_ptr_equal(es_instance_provider(i), p);
    es_instance_close(i);
    i = NULL;
    assert_int_equal(es_instance_open(&i, registry, p, &who, NULL, &err), 0);
    assert_string_equal(seen, "{\"spec\":{\"url\":\"https://x\"}," TAIL);
    es_instance_close(i);
    json_decref(retry);
}

static esp_status open_fails(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)request;
    (void)instance;
    return probe_fail(call, ESP_E_RETRY, 1500, "the backend sleeps");
}

static void test_open_may_fail(void **state)
{
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_ops.open = open_fails;
    int rc = es_instance_open(&i, registry, es_registry_provider(registry, "probe"), &who, NULL, &err);
    assert_error(rc, &err, ES_E_RETRY, "the backend sleeps");
    assert_int_equal(err.retry_after_ms, 1500);
    assert_null(i);
    assert_int_equal(probe_closed, 0); /* there was nothing to close */
}

/* ---- check, validate ---- */

static esp_status check_warns(void *instance, struct esp_call *call, const struct esp_request *request)
{
    assert_null(instance);
    remember(request);
    probe_host->emit(call, ESP_OUT_WARNING, bytes(""), bytes("no caBundle\n"));
    probe_host->emit(call, ESP_OUT_WARNING, bytes(""), bytes("deprecated"));
    return probe_fail(call, ESP_E_CONFIG, 0, "auth: is required");
}

static void collect(void *ctx, const char *text)
{
    char *all = ctx;
    snprintf(all + strlen(all), 200 - strlen(all), "%s;", text);
}

static void test_check(void **state)
{
    const struct es_provider *p = es_registry_provider(registry, "probe");
    struct es_error err = ES_ERROR_INIT;
    char warnings[200] = "";
    (void)state;

    assert_int_equal(es_provider_check(registry, p, &who, NULL, collect, warnings, &err),
                     0); /* has no check */
    probe_ops.check = check_warns;
    int rc = es_provider_check(registry, p, &who, NULL, collect, warnings, &err);
    assert_error(rc, &err, ES_E_CONFIG, "auth: is required");
    assert_string_equal(warnings, "no caBundle ;deprecated;");
    assert_int_equal(es_provider_check(registry, p, &who, NULL, NULL, NULL, &err), ES_E_CONFIG);
}

static esp_status validate_status;
static const char *validate_text;

static esp_status validate(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    remember(request);
    if (validate_text)
        probe_fail(call, validate_status, 0, validate_text);
    return validate_status;
}

static void test_validate(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = es_instance_validate(store, &who, &err);
    assert_error(rc, &err, ES_E_UNDECIDED, ""); /* cannot tell */
    probe_ops.validate = validate;
    validate_status = ESP_OK;
    validate_text = NULL;
    assert_int_equal(es_instance_validate(store, &who, &err), 0);
    assert_string_equal(seen, "{" TAIL);
    validate_status = ESP_E_UNDECIDED;
    rc = es_instance_validate(store, &who, &err);
    assert_error(rc, &err, ES_E_UNDECIDED, "");
    validate_text = "could not verify if client is valid: timeout";
    rc = es_instance_validate(store, &who, &err);
    assert_error(rc, &err, ES_E_UNDECIDED, validate_text);
    validate_status = ESP_E_DENIED;
    validate_text = "client is not allowed to get secrets";
    rc = es_instance_validate(store, &who, &err);
    assert_error(rc, &err, ES_E_DENIED, validate_text);
}

/* ---- maps, whole values ---- */

static const char *stored;

static esp_status get_stored(struct esp_call *call, const struct esp_request *request)
{
    remember(request);
    return stored ? probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(stored)) : ESP_E_NOT_FOUND;
}

static void assert_whole(const char *value, const char *property, const char *want)
{
    json_t *ref = json_pack("{s:s,s:s}", "key", "k", "property", property);
    struct es_error err = ES_ERROR_INIT;
    struct es_blob found = {0};

    probe_act = get_stored;
    stored = value;
    int rc = es_instance_get(store, &who, ref, &found, &err);
    if (want) {
        assert_int_equal(rc, 0);
        assert_string_equal((char *)found.ptr, want);
    } else {
        assert_error(rc, &err, ES_E_NOT_FOUND, "Secret does not exist");
        assert_null(found.ptr);
    }
    /* The plugin never sees the property. */
    assert_non_null(strstr(seen, "\"property\":\"\""));
    es_blob_fini(&found);
    json_decref(ref);
}

static void test_properties_of_whole_values(void **state)
{
    (void)state;
    reopen_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    assert_whole("{\"a\":{\"b\":\"x\"}}", "a.b", "x");
    assert_whole("{\"a\":{\"b\":\"x\"},\"a.b\":\"literal\"}", "a.b", "literal");
    assert_whole("{\"a\":{\"b\": [1, 2]}}", "a.b", "[1, 2]");
    assert_whole("{\"a\":true}", "a", "true");
    assert_whole("not json", "", "not json");
    assert_whole("not json", "a", NULL);
    assert_whole("{\"a\":1}", "b", NULL);
    assert_whole(NULL, "a", NULL);
    assert_whole(NULL, "", NULL);
}

static void test_strict_properties_are_there_or_a_mistake(void **state)
{
    json_t *ref = parse("{\"key\":\"k\",\"property\":\"a.c\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_blob found = {0};
    struct es_values map = {0};
    (void)state;

    reopen_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES | ESP_CAP_STRICT_PROPERTIES);
    assert_whole("{\"a\":{\"b\":1.50}}", "a.b", "1.5");
    stored = "{\"a\":{\"b\":1.50}}";
    int rc = es_instance_get(store, &who, ref, &found, &err);
    assert_error(rc, &err, ES_E_CONFIG, "key a.c does not exist in secret k");
    rc = es_instance_get_map(store, &who, ref, &map, &err);
    assert_error(rc, &err, ES_E_CONFIG, "key a.c does not exist in secret k");
    assert_whole(NULL, "a.c", NULL); /* the secret itself: that is not there */
    json_decref(ref);
}

/* The field `property` of an object, or, without `want`, what is said of a missing one. */
static void assert_field(const char *json, const char *property, const char *want)
{
    json_t *ref = json_pack("{s:s,s:s}", "key", "k", "property", property);
    struct es_error err = ES_ERROR_INIT;
    struct es_blob found = {0};
    char text[200];

    probe_act = get_stored;
    stored = json;
    int rc = es_instance_get(store, &who, ref, &found, &err);
    if (want) {
        assert_int_equal(rc, 0);
        assert_int_equal(found.len, strlen(want));
        assert_memory_equal(found.len ? (char *)found.ptr : "", want, found.len);
    } else {
        snprintf(text, sizeof text, "cannot find secret data for key: \"%s\"", property);
        assert_error(rc, &err, ES_E_CONFIG, text);
    }
    assert_non_null(strstr(seen, "\"property\":\"\""));
    es_blob_fini(&found);
    json_decref(ref);
}

static void test_properties_that_are_fields(void **state)
{
    (void)state;
    reopen_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES | ESP_CAP_FIELDS);
    assert_field("{\"a\":{\"b\":\"x\"}}", "a.b", "x");
    assert_field("{\"a\":{\"b\":\"x\"},\"a.b\":\"exact\"}", "a.b", "exact");
    assert_field("{\"ab\":\"1\",\"a*\":\"exact\"}", "a*", "exact");
    assert_field("{\"ab\":\"1\"}", "a*", "1");
    assert_field("{\"n\":1.50,\"n\":2.50}", "n", "2.50");
    assert_field("{\"n\":null}", "n", "");
    assert_field("{\"\\u00fc\":\"u\"}", "\xc3\xbc", "u");
    assert_field("{\"a\":1}", "b", NULL);
    assert_field("[1]", "b", NULL);
    assert_field("{}", "a.b", NULL);
    assert_field("{\"labels\":{\"app.io/name\":\"x\"}}", "labels.app.io/name", "x");
    assert_field("{\"labels\":{\"app.io/name\":\"x\",\"app\":{\"io/name\":\"path\"}}}", "labels.app.io/name",
                 "path");
    assert_field("{\"labels\":\"text\"}", "labels.app.io/name", NULL);
}

static void test_a_field_of_what_is_no_json(void **state)
{
    json_t *ref = json_pack("{s:s,s:s}", "key", "k", "property", "user");
    struct es_error err = ES_ERROR_INIT;
    struct es_blob found = {0};
    (void)state;

    reopen_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES | ESP_CAP_FIELDS);
    probe_act = get_stored;
    stored = "user=hunter2";
    int rc = es_instance_get(store, &who, ref, &found, &err);
    assert_error(rc, &err, ES_E_CONFIG, "unable to unmarshal secret: not valid JSON at byte 0 of 12");
    json_decref(ref);
}

static void test_maps_of_whole_values(void **state)
{
    json_t *ref = parse("{\"key\":\"k\"}"), *below = parse("{\"key\":\"k\",\"property\":\"inner\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values map = {0};
    (void)state;

    reopen_with(ESP_CAP_READ | ESP_CAP_WHOLE_VALUES);
    probe_act = get_stored;
    stored =
        "{\"a\":\"x\\ny\",\"b\":1.50,\"c\":null,\"d\":{\"e\": 1},\"a\":\"last\",\"inner\":{\"z\":\"deep\"}}";
    assert_int_equal(es_instance_get_map(store, &who, ref, &map, &err), 0);
    assert_int_equal(map.count, 5);
    assert_string_equal((char *)es_values_get(&map, "a")->ptr, "last");
    assert_string_equal((char *)es_values_get(&map, "b")->ptr, "1.50");
    assert_int_equal(es_values_get(&map, "c")->len, 0);
    assert_string_equal((char *)es_values_get(&map, "d")->ptr, "{\"e\": 1}");
    es_values_fini(&map);

    assert_int_equal(es_instance_get_map(store, &who, below, &map, &err), 0);
    assert_int_equal(map.count, 1);
    assert_string_equal((char *)es_values_get(&map, "z")->ptr, "deep");

    /* Nothing of the secret is in the text, and what was there before stays. */
    stored = "{\"password\":\"hunter2\" oops";
    int rc = es_instance_get_map(store, &who, ref, &map, &err);
    assert_error(rc, &err, ES_E_CONFIG, "unable to unmarshal secret: not valid JSON at byte 22 of 26");
    stored = "[\"hunter2\"]";
    rc = es_instance_get_map(store, &who, ref, &map, &err);
    assert_error(rc, &err, ES_E_CONFIG, "unable to unmarshal secret: the JSON value is not an object");
    stored = "{\"a\":\"1\",\"b\\u0000\":\"2\"}";
    rc = es_instance_get_map(store, &who, ref, &map, &err);
    assert_error(rc, &err, ES_E_CONFIG, "unable to unmarshal secret: a member's name holds a NUL character");
    assert_int_equal(map.count, 1);
    es_values_fini(&map);
    json_decref(ref);
    json_decref(below);
}

static esp_status own_map(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    remember(request);
    probe_host->emit(call, ESP_OUT_VALUE, bytes("user"), bytes("admin"));
    return probe_host->emit(call, ESP_OUT_VALUE, bytes("password"), bytes("x"));
}

static void test_maps_of_the_plugin(void **state)
{
    json_t *ref = parse("{\"key\":\"k\",\"property\":\"p\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values map = {0};
    (void)state;

    int rc = es_instance_get_map(store, &who, ref, &map, &err);
    assert_error(rc, &err, ES_E_UNSUPPORTED, "get_map is not supported by the probe provider");
    probe_ops.get_map = own_map;
    assert_int_equal(es_instance_get_map(store, &who, ref, &map, &err), 0);
    assert_int_equal(map.count, 2);
    assert_string_equal((char *)es_values_get(&map, "user")->ptr, "admin");
    assert_non_null(strstr(seen, "\"property\":\"p\""));
    es_values_fini(&map);
    json_decref(ref);
}

/* ---- push, remove, exists ---- */

static esp_status push(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    remember(request);
    assert_int_equal(request->value_count, 2);
    assert_memory_equal(request->values[0].name.ptr, "a", 1);
    assert_memory_equal(request->values[0].value.ptr, "1", 1);
    assert_memory_equal(request->values[1].name.ptr, "b", 1);
    assert_memory_equal(request->values[1].value.ptr, "two", 3);
    return ESP_OK;
}

static void test_push(void **state)
{
    json_t *full =
        parse("{\"remoteKey\":\"r\",\"property\":\"p\",\"secretKey\":\"\",\"metadata\":{\"x\":[1]},"
              "\"type\":\"Opaque\",\"labels\":{\"l\":\"1\"},\"annotations\":{}}");
    json_t *poor = parse("{\"remoteKey\":\"r\"}");
    struct es_error err = ES_ERROR_INIT;
    struct es_values values = {0};
    (void)state;

    es_values_set(&values, "b", "two", 3);
    es_values_set(&values, "a", "1", 1);
    int rc = es_instance_push(store, &who, full, &values, &err);
    assert_error(rc, &err, ES_E_UNSUPPORTED, "push is not supported by the probe provider");
    probe_ops.push = push;
    assert_int_equal(es_instance_push(store, &who, full, &values, &err), 0);
    assert_string_equal(seen,
                        "{\"remoteKey\":\"r\",\"property\":\"p\",\"secretKey\":\"\",\"metadata\":{\"x\":[1]},"
                        "\"type\":\"Opaque\",\"labels\":{\"l\":\"1\"},\"annotations\":{}," TAIL);
    assert_int_equal(es_instance_push(store, &who, poor, &values, &err), 0);
    assert_string_equal(seen, "{\"remoteKey\":\"r\",\"property\":\"\",\"secretKey\":\"\",\"type\":\"\","
                              "\"labels\":{},\"annotations\":{}," TAIL);
    es_values_fini(&values);
    json_decref(full);
    json_decref(poor);
}

static const char *existence;

static esp_status exists(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    remember(request);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(existence));
}

static esp_status remove_it(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    return remember(request);
}

static void test_exists_and_remove(void **state)
{
    json_t *request = parse("{\"remoteKey\":\"r\",\"metadata\":null}");
    struct es_error err = ES_ERROR_INIT;
    bool there = false;
    (void)state;

    probe_ops.exists = exists;
    probe_ops.remove = remove_it;
    existence = "true";
    assert_int_equal(es_instance_exists(store, &who, request, &there, &err), 0);
    assert_true(there);
    existence = "false";
    assert_int_equal(es_instance_exists(store, &who, request, &there, &err), 0);
    assert_false(there);
    assert_string_equal(seen, "{\"remoteKey\":\"r\",\"property\":\"\"," TAIL);
    existence = "maybe";
    int rc = es_instance_exists(store, &who, request, &there, &err);
    assert_error(rc, &err, ES_E_INTERNAL, "the probe plugin answered exists with neither true nor false");
    assert_int_equal(es_instance_remove(store, &who, request, &err), 0);
    assert_string_equal(seen, "{\"remoteKey\":\"r\",\"property\":\"\"," TAIL);
    json_decref(request);
}

/* ---- one at a time, or many ---- */

static int inside, most_inside;

static esp_status linger(struct esp_call *call, const struct esp_request *request)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    (void)request;

    int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    int most = __atomic_load_n(&most_inside, __ATOMIC_SEQ_CST);
    while (now > most &&
           !__atomic_compare_exchange_n(&most_inside, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    nanosleep(&moment, NULL);
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("v"));
}

static void *get_often(void *arg)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    int *failures = arg;

    for (int i = 0; i < 10; i++)
        if (es_instance_get(store, &who, NULL, &value, &err) < 0)
            __atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
    es_blob_fini(&value);
    return NULL;
}

static int crowd(void)
{
    pthread_t threads[8];
    int failures = 0;

    inside = most_inside = 0;
    probe_act = linger;
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_often, &failures), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    return most_inside;
}

static void test_calls_are_serialised_unless_concurrent(void **state)
{
    (void)state;
    assert_int_equal(crowd(), 1);
    reopen_with(ESP_CAP_READ | ESP_CAP_CONCURRENT);
    assert_true(crowd() > 1);
}

static esp_status wait_until_told(struct esp_call *call, const struct esp_request *request)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    (void)request;

    __atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) == 1)
        nanosleep(&moment, NULL);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("v"));
}

static void *get_once(void *arg)
{
    struct es_blob value = {0};
    *(int *)arg = es_instance_get(store, &who, NULL, &value, NULL);
    es_blob_fini(&value);
    return NULL;
}

static void test_waiting_for_a_turn_has_an_end(void **state)
{
    struct es_authority hurried = who;
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    pthread_t first;
    int first_rc = -1;
    (void)state;

    inside = 0;
    probe_act = wait_until_told;
    assert_int_equal(pthread_create(&first, NULL, get_once, &first_rc), 0);
    while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) == 0)
        ;
    hurried.deadline_ms = es_mono_ms() + 50;
    int rc = es_instance_get(store, &hurried, NULL, &value, &err);
    assert_error(rc, &err, ES_E_CANCELLED,
                 "get of the probe provider waited too long for another operation on the store");
    __atomic_store_n(&inside, 2, __ATOMIC_SEQ_CST);
    pthread_join(first, NULL);
    assert_int_equal(first_rc, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get_says_everything),
        TEST(test_open_says_everything),
        TEST(test_open_may_fail),
        TEST(test_check),
        TEST(test_validate),
        TEST(test_properties_of_whole_values),
        TEST(test_strict_properties_are_there_or_a_mistake),
        TEST(test_properties_that_are_fields),
        TEST(test_a_field_of_what_is_no_json),
        TEST(test_maps_of_whole_values),
        TEST(test_maps_of_the_plugin),
        TEST(test_push),
        TEST(test_exists_and_remove),
        TEST(test_calls_are_serialised_unless_concurrent),
        TEST(test_waiting_for_a_turn_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
