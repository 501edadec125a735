/* Several secrets in one call: what a pass wants next is read ahead, each answer is a
 * shared read like any other, and a failure is that of its own reference. */
#include "probe.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "core/base/buf.h"
#include "core/base/metrics.h"
#include "core/plugin/reads.h"

static struct es_metrics *metrics;
static struct es_reads *reads;
static struct es_registry *registry;
static struct es_authority who;
static struct es_instance *store;
static struct es_reading reading;
static int gets, batches; /* atomic */
static char asked[2000];  /* by the last batch */
static int hold_gets;     /* atomic: get waits until it is 0 */

/* What the backend makes of a key that begins with one of these. */
static esp_status verdict(const char *key)
{
    return key[0] == '-' ? ESP_E_NOT_FOUND : key[0] == '!' ? ESP_E_DENIED : ESP_OK;
}

static const char *why(const char *key)
{
    return key[1] == '?' ? "" : "the backend says no";
}

static void value_of(char out[200], const char *key, const char *property)
{
    if (*property)
        snprintf(out, 200, "<%s.%s>", key, property);
    else
        snprintf(out, 200, "{\"key\":\"%s\",\"n\":7}", key);
}

static const char *text_of(const json_t *ref, const char *name)
{
    return json_string_value(json_object_get(ref, name));
}

static esp_status get(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *ref = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    const char *key = text_of(ref, "key");
    char value[200];
    (void)instance;

    __atomic_add_fetch(&gets, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&hold_gets, __ATOMIC_SEQ_CST))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    value_of(value, key, text_of(ref, "property"));
    esp_status status = verdict(key);
    status = status == ESP_OK ? probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(value))
             : *why(key)      ? probe_fail(call, status, 0, why(key))
                              : status;
    json_decref(ref);
    return status;
}

static enum { ALL, SKIP_LAST, FOREIGN, BOTH, ASKS_FOR_CONSUMER } mode;
static esp_status whole; /* how the batch ends as a whole */

static esp_status batch(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *doc = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL), *ref;
    const json_t *refs = json_object_get(doc, "refs");
    char index[20], value[200];
    esp_bytes token;
    size_t i, len = 0;
    (void)instance;

    __atomic_add_fetch(&batches, 1, __ATOMIC_SEQ_CST);
    asked[0] = '\0';
    if (mode == ASKS_FOR_CONSUMER)
        probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("ours"), bytes("token"), &token);
    json_array_foreach (refs, i, ref) {
        const char *key = text_of(ref, "key"), *property = text_of(ref, "property");
        assert_non_null(text_of(ref, "version"));
        assert_non_null(text_of(ref, "metadataPolicy"));
        if (len < sizeof asked - 200)
            len += (size_t)snprintf(asked + len, sizeof asked - len, "%s%s%s%s", i ? " " : "", key,
                                    *property ? "." : "", property);
        if (mode == SKIP_LAST && i + 1 == json_array_size(refs))
            continue;
        snprintf(index, sizeof index, "%zu", i + (mode == FOREIGN));
        value_of(value, key, property);
        if (verdict(key) != ESP_OK)
            probe_host->fail_at(call, i, verdict(key), bytes(why(key)));
        if (verdict(key) == ESP_OK || mode == BOTH)
            probe_host->emit(call, ESP_OUT_VALUE, bytes(index), bytes(value));
    }
    json_decref(doc);
    return whole == ESP_OK ? ESP_OK : probe_fail(call, whole, 5000, "the batch is not liked");
}

static int token_of_consumer(void *ctx, const struct es_authority *reader, enum es_kube_read what,
                             const char *ns, const char *name, const char *key, struct es_blob *ret,
                             struct es_error *err)
{
    (void)reader;
    (void)ctx;
    (void)what;
    (void)name;
    (void)key;
    (void)err;
    return es_blob_set(ret, ns, strlen(ns));
}

static void open_with(uint64_t caps)
{
    const struct es_services services = {.metrics = metrics, .kube_read = token_of_consumer};
    const struct es_open_opts opts = {.reads = reads};
    struct es_error err = ES_ERROR_INIT;

    probe_ops.get = probe_ops.get_map = get;
    probe_ops.get_batch = batch;
    probe_component.caps = ESP_CAP_READ | ESP_CAP_CONCURRENT | caps;
    registry = probe_registry(&services);
    if (es_instance_open(&store, registry, es_registry_provider(registry, "probe"), &who, &opts, &err) < 0)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    (void)state;
    probe_reset();
    store = NULL;
    registry = NULL;
    gets = batches = hold_gets = 0;
    mode = ALL;
    whole = ESP_OK;
    who = probe_cluster_who("{\"secret\":\"ours\"}", "team");
    reading = (struct es_reading){0};
    who.reading = &reading;
    metrics = es_metrics_new();
    const struct es_reads_opts opts = {.window_ms = 60000, .metrics = metrics};
    int rc = es_reads_new(&reads, &opts, NULL);
    reading.reads = reads;
    return rc;
}

/* The pass is over, and another one begins. */
static void next_pass(void)
{
    es_reading_end(&reading);
    reading = (struct es_reading){.reads = reads};
}

static int teardown(void **state)
{
    (void)state;
    next_pass();
    es_instance_close(store);
    assert_int_equal(es_reads_bytes(reads), 0);
    es_registry_free(registry);
    es_reads_free(reads);
    es_metrics_free(metrics);
    probe_who_free(&who);
    return 0;
}

/* ---- passes ---- */

/* Keys in one text: "a b.property c"; a leading '=' is an extract. */
static void read_ahead(const char *keys, bool others)
{
    struct es_wanted wanted[500];
    char word[100];
    size_t count = 0;
    int used;

    for (; sscanf(keys, " %99s%n", word, &used) == 1; keys += used) {
        char *key = word + (*word == '='), *dot = strchr(key, '.');
        if (dot)
            *dot = '\0';
        wanted[count++] =
            (struct es_wanted){.ref = json_pack("{s:s, s:s}", "key", key, "property", dot ? dot + 1 : ""),
                               .map = *word == '=',
                               .others = others};
    }
    es_instance_read_ahead(store, &who, wanted, count);
    for (size_t i = 0; i < count; i++)
        json_decref((json_t *)(uintptr_t)wanted[i].ref);
}

static void expect(const char *key, const char *property, int code, const char *want)
{
    json_t *ref = json_pack("{s:s, s:s}", "key", key, "property", property);
    struct es_blob value = {0};
    struct es_error err = ES_ERROR_INIT;

    int rc = es_instance_get(store, &who, ref, &value, &err);
    assert_string_equal(rc == 0 ? (char *)value.ptr : err.text, want);
    assert_int_equal(rc, code);
    es_blob_fini(&value);
    json_decref(ref);
}

static void assert_asked(int batches_wanted, int gets_wanted)
{
    assert_int_equal(__atomic_load_n(&batches, __ATOMIC_SEQ_CST), batches_wanted);
    assert_int_equal(__atomic_load_n(&gets, __ATOMIC_SEQ_CST), gets_wanted);
}

static bool page_says(const char *line)
{
    struct es_buf page;

    es_buf_init(&page, 1 << 20);
    es_metrics_write(metrics, &page);
    bool says = strstr(es_buf_str(&page), line) != NULL;
    es_buf_fini(&page);
    return says;
}

#define SHARED "esod_provider_reads_shared_total{provider=\"probe\",operation=\"get\",how="
#define READ "esod_provider_reads_total{provider=\"probe\",operation="

static void test_a_pass_reads_in_one_call(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    read_ahead("a b.n b.key =c", false);
    assert_asked(1, 0);
    assert_string_equal(asked, "a b c"); /* one key is one read, whatever is wanted of it */
    expect("a", "", 0, "{\"key\":\"a\",\"n\":7}");
    expect("b", "n", 0, "7");
    expect("c", "key", 0, "c");
    assert_asked(1, 0);
    assert_true(page_says(READ "\"get_batch\",result=\"success\"} 1\n"));
    assert_false(page_says(SHARED)); /* nobody else's read has served */
    expect("b", "key", 0, "b");
    assert_true(page_says(SHARED "\"pass\"} 1\n"));
    expect("d", "", 0, "{\"key\":\"d\",\"n\":7}");
    assert_asked(1, 1);
    next_pass();
    assert_int_equal(es_reads_bytes(reads), 0); /* nobody else wanted them */
}

static void test_others_profit(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    read_ahead("a b c", true);
    next_pass();
    reading.others = true;
    expect("b", "n", 0, "7");
    assert_asked(1, 0);
    assert_true(page_says(SHARED "\"window\"} 1\n"));
    read_ahead("a d b e", true);
    assert_asked(2, 0);
    assert_string_equal(asked, "d e");
    read_ahead("a b f", true); /* one alone is an ordinary read */
    expect("f", "n", 0, "7");
    assert_asked(2, 1);
}

static void test_failures_are_those_of_single_reads(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    for (int i = 0; i < 2; i++) { /* in one call, and then one by one */
        if (i == 0)
            read_ahead("-gone a !no -? !?", false);
        expect("-gone", "", ES_E_NOT_FOUND, "the backend says no");
        expect("a", "n", 0, "7");
        expect("!no", "n", ES_E_DENIED, "the backend says no");
        expect("-?", "", ES_E_NOT_FOUND, "Secret does not exist");
        expect("!?", "", ES_E_DENIED, "get of the probe provider failed without a reason (denied)");
        assert_asked(1, 5 * i);
        next_pass();
    }
}

/* As a store whose key may read secrets and not several at once. */
static void test_who_may_not_read_several_reads_each(void **state)
{
    static const esp_status refusals[] = {ESP_E_DENIED, ESP_E_UNSUPPORTED};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        es_instance_close(store);
        es_registry_free(registry);
        gets = batches = 0;
        whole = refusals[i];
        open_with(ESP_CAP_WHOLE_VALUES);
        read_ahead("a b", false);
        expect("a", "n", 0, "7");
        expect("b", "n", 0, "7");
        next_pass();
        read_ahead("a b", false);
        expect("a", "n", 0, "7");
        assert_asked(1, 3); /* it is not tried again */
        next_pass();
    }
}

static void test_a_defect_of_the_whole_costs_that_call(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    whole = ESP_E_NOT_FOUND; /* of what? no Secret is deleted for that */
    read_ahead("a b", false);
    expect("a", "n", 0, "7");
    expect("b", "n", 0, "7");
    assert_asked(1, 2);
    next_pass();
    whole = ESP_OK;
    read_ahead("a b", false);
    expect("b", "n", 0, "7");
    assert_asked(2, 2);
}

static void test_who_is_throttled_is_not_asked_for_each(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    json_t *ref = json_pack("{s:s}", "key", "a");
    (void)state;

    open_with(ESP_CAP_WHOLE_VALUES);
    whole = ESP_E_RETRY;
    read_ahead("a b", false);
    assert_int_equal(es_instance_get(store, &who, ref, &value, &err), ES_E_RETRY);
    assert_string_equal(err.text, "the batch is not liked");
    assert_int_equal(err.retry_after_ms, 5000);
    expect("b", "n", ES_E_RETRY, "the batch is not liked");
    assert_asked(1, 0);
    next_pass(); /* a failure is forgotten with the pass */
    expect("b", "n", 0, "7");
    json_decref(ref);
}

static void test_rules_that_are_broken(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    mode = SKIP_LAST;
    read_ahead("a b", false);
    expect("a", "n", 0, "7");
    expect("b", "n", ES_E_INTERNAL, "the probe plugin left a reference of get_batch without an answer");
    next_pass();
    mode = FOREIGN;
    read_ahead("a b", false);
    expect("a", "n", ES_E_INTERNAL,
           "the probe plugin answered get_batch for a reference that was not asked for");
    next_pass();
    mode = BOTH;
    read_ahead("a -gone", false);
    expect("-gone", "n", ES_E_NOT_FOUND, "the backend says no");
    assert_asked(3, 0);
}

/* Several fields below a key: each is a read, and a map is an operation of its own. */
static void test_properties_of_the_plugin(void **state)
{
    (void)state;
    open_with(0);
    read_ahead("a.x a.y b =c", false);
    assert_string_equal(asked, "a.x a.y b");
    expect("a", "x", 0, "<a.x>");
    expect("a", "y", 0, "<a.y>");
    expect("b", "", 0, "{\"key\":\"b\",\"n\":7}");
    assert_asked(1, 0);
}

static void test_what_the_consumer_decides_is_not_shared(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    mode = ASKS_FOR_CONSUMER;
    read_ahead("a b", true);
    expect("a", "n", 0, "7");
    assert_asked(1, 1); /* that the first answer was for one alone showed too late */
    assert_int_equal(es_reads_bytes(reads), 0);
    next_pass();
    read_ahead("a b", true); /* from now on each namespace has its own */
    expect("a", "n", 0, "7");
    assert_asked(2, 1);
    next_pass();
    who.consumer_namespace = "other";
    read_ahead("a b", true);
    assert_asked(3, 1);
}

static void test_hundreds_go_in_some_calls(void **state)
{
    char keys[5000] = "";
    size_t len = 0;
    (void)state;

    open_with(ESP_CAP_WHOLE_VALUES);
    for (int i = 0; i < 450; i++)
        len += (size_t)snprintf(keys + len, sizeof keys - len, "k%d ", i);
    read_ahead(keys, false);
    assert_asked(3, 0);
    expect("k449", "key", 0, "k449");
    expect("k0", "key", 0, "k0");
    assert_asked(3, 0);
}

static void test_without_shared_reads_nothing_is_read_ahead(void **state)
{
    (void)state;
    open_with(ESP_CAP_WHOLE_VALUES);
    who.reading = NULL;
    read_ahead("a b", false);
    expect("a", "n", 0, "7");
    assert_asked(0, 1);
}

/* ---- at the same time ---- */

static void *read_slowly(void *arg)
{
    struct es_reading mine = {.reads = reads, .others = true};
    struct es_authority asker = who;
    struct es_blob value = {0};
    json_t *ref = json_pack("{s:s}", "key", arg);

    asker.reading = &mine;
    assert_int_equal(es_instance_get(store, &asker, ref, &value, NULL), 0);
    es_blob_fini(&value);
    json_decref(ref);
    es_reading_end(&mine);
    return NULL;
}

static void test_what_is_being_read_is_waited_for(void **state)
{
    pthread_t reader;
    (void)state;

    open_with(ESP_CAP_WHOLE_VALUES);
    hold_gets = 1;
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, (char[]){"b"}), 0);
    while (!__atomic_load_n(&gets, __ATOMIC_SEQ_CST))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    read_ahead("a b c", true);
    assert_string_equal(asked, "a c");
    __atomic_store_n(&hold_gets, 0, __ATOMIC_SEQ_CST);
    expect("b", "key", 0, "b");
    assert_asked(1, 1);
    assert_true(page_says(SHARED "\"in_flight\"} 1\n"));
    pthread_join(reader, NULL);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_pass_reads_in_one_call),
        T(test_others_profit),
        T(test_failures_are_those_of_single_reads),
        T(test_who_may_not_read_several_reads_each),
        T(test_a_defect_of_the_whole_costs_that_call),
        T(test_who_is_throttled_is_not_asked_for_each),
        T(test_rules_that_are_broken),
        T(test_properties_of_the_plugin),
        T(test_what_the_consumer_decides_is_not_shared),
        T(test_hundreds_go_in_some_calls),
        T(test_without_shared_reads_nothing_is_read_ahead),
        T(test_what_is_being_read_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
