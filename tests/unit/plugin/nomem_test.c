/* Each allocation fails in turn: every operation says so, and leaves nothing
 * behind (the sanitizer's leak check is the judge of that). */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/plugin/pool.h"
#include "core/plugin/reads.h"
#include "tests/unit/failing_alloc.h"

static struct es_registry *registry;
static struct es_authority who;
static struct es_instance *store;
static struct es_reads *reads;
static json_t *ref, *find;

/* ---- what is tried; each returns what the first failure returned ---- */

static int story_registry(struct es_error *err)
{
    const struct es_plugin_entry entry = {.name = "probe",
                                          .hosts = (const char *const[]){"spec", "*.example.com", NULL}};
    struct es_registry *r = NULL;
    int rc = es_registry_new(&r, NULL, err);
    if (rc == 0)
        rc = es_registry_add(r, &probe_plugin, &entry, err);
    es_registry_free(r);
    return rc;
}

static int story_open(struct es_error *err)
{
    struct es_instance *i = NULL;
    int rc = es_instance_open(&i, registry, es_registry_provider(registry, "probe"), &who, NULL, err);
    es_instance_close(i);
    return rc;
}

static int story_get(struct es_error *err)
{
    struct es_blob value = {0};
    int rc = es_instance_get(store, &who, ref, &value, err);
    if (rc == 0)
        assert_string_equal((char *)value.ptr, "x");
    es_blob_fini(&value);
    return rc;
}

static int story_get_map(struct es_error *err)
{
    struct es_values map = {0};
    json_t *whole = json_object_get(ref, "whole");
    int rc = es_instance_get_map(store, &who, whole, &map, err);
    if (rc == 0)
        assert_int_equal(map.count, 2);
    es_values_fini(&map);
    return rc;
}

static int story_find(struct es_error *err)
{
    struct es_values found = {0};
    int rc = es_instance_find(store, &who, find, &found, err);
    if (rc == 0)
        assert_int_equal(found.count, 3); /* never a part of it */
    es_values_fini(&found);
    return rc;
}

static int story_push(struct es_error *err)
{
    struct es_values values = {0};
    int rc = es_values_set(&values, "a", "1", 1) < 0 ? es_error_nomem(err)
                                                     : es_instance_push(store, &who, ref, &values, err);
    es_values_fini(&values);
    return rc;
}

/* Two passes want the same: whatever fails, each has the whole answer or says why. */
static int story_shared(struct es_error *err)
{
    struct es_reading readings[] = {{.reads = reads, .others = true, .again = true},
                                    {.reads = reads, .again = true}};
    int rc = 0;

    for (int i = 0; i < 4 && rc == 0; i++) {
        who.reading = &readings[i / 2];
        rc = i % 2 ? story_get(err) : story_find(err);
    }
    who.reading = NULL;
    es_reading_end(&readings[0]);
    es_reading_end(&readings[1]);
    es_reads_forget(reads, "");
    return rc;
}

static int open_store(void *ctx, struct es_instance **ret, struct es_error *err)
{
    (void)ctx;
    return es_instance_open(ret, registry, es_registry_provider(registry, "probe"), &who, NULL, err);
}

static int story_pool(struct es_error *err)
{
    static const char *const versions[] = {"1", "1", "2"};
    struct es_pool *pool = NULL;
    int rc = es_pool_new(&pool, err);
    for (int i = 0; i < 3 && rc == 0; i++) {
        struct es_instance *in = NULL;
        rc = es_pool_borrow(pool, "key", versions[i], open_store, NULL, &in, err);
        es_pool_return(pool, in);
    }
    es_pool_free(pool);
    return rc;
}

/* ---- the plugin's side ---- */

static esp_status get_document(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("{\"a.b\":\"x\",\"c\":[1,2]}"));
}

/* Does not look whether its emits are taken. */
static esp_status list(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    probe_host->emit(call, ESP_OUT_NAME, bytes("one"), bytes(""));
    probe_host->emit(call, ESP_OUT_VALUE, bytes("two"), bytes("2"));
    probe_host->emit(call, ESP_OUT_NAME, bytes("three"), bytes(""));
    return ESP_OK;
}

static esp_status batch(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    probe_host->emit(call, ESP_OUT_VALUE, bytes("1"), bytes("3"));
    probe_host->emit(call, ESP_OUT_VALUE, bytes("0"), bytes("1"));
    return ESP_OK;
}

static esp_status push(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    (void)request;
    return ESP_OK;
}

static int setup(void **state)
{
    (void)state;
    probe_reset();
    probe_component.caps = ESP_CAP_READ | ESP_CAP_LIST | ESP_CAP_WHOLE_VALUES;
    probe_ops.list = list;
    probe_ops.push = push;
    probe_act = get_document;
    registry = probe_registry(NULL);
    who = probe_who("{\"a\":\"b\"}");
    store = probe_open(registry, &who);
    ref = parse("{\"key\":\"k\",\"property\":\"a.b\",\"whole\":{\"key\":\"k\"}}");
    find = parse("{\"name\":{\"regexp\":\".*\"}}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_instance_close(store);
    assert_int_equal(probe_opened, probe_closed);
    es_registry_free(registry);
    probe_who_free(&who);
    json_decref(ref);
    json_decref(find);
    return 0;
}

enum { STRICT, LENIENT };

/* Runs the story once per allocation that it makes. LENIENT: it may do without
 * some of them, such as a path for an error text that is never shown. */
static void torture(int (*story)(struct es_error *err), int strictness)
{
    size_t n = 0;

    for (;; n++) {
        struct es_error err = ES_ERROR_INIT;
        failed_one = false;
        until_failure = n;
        int rc = story(&err);
        until_failure = SIZE_MAX;
        if (!failed_one) {
            if (rc < 0)
                fail_msg("%s", err.text);
            break;
        }
        assert_true(rc < 0 || strictness == LENIENT);
        if (rc < 0)
            assert_string_not_equal(err.text, "");
    }
    assert_true(n > 2);
}

static void test_registry(void **state)
{
    (void)state;
    torture(story_registry, LENIENT);
}

static void test_open(void **state)
{
    (void)state;
    torture(story_open, STRICT);
}

static void test_get(void **state)
{
    (void)state;
    torture(story_get, STRICT);
    torture(story_get_map, STRICT);
}

static void test_find(void **state)
{
    (void)state;
    torture(story_find, STRICT);
    probe_ops.get_batch = batch;
    torture(story_find, STRICT);
}

static void test_push(void **state)
{
    (void)state;
    torture(story_push, STRICT);
}

static void test_pool(void **state)
{
    (void)state;
    torture(story_pool, STRICT);
}

static void test_shared(void **state)
{
    const struct es_reads_opts opts = {.window_ms = 10000};
    (void)state;
    assert_int_equal(es_reads_new(&reads, &opts, NULL), 0);
    torture(story_shared, LENIENT);
    assert_int_equal(es_reads_bytes(reads), 0);
    es_reads_free(reads);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registry), TEST(test_open), TEST(test_get),
        TEST(test_find),     TEST(test_push), TEST(test_pool), TEST(test_shared),
    };
    es_mem_init(); /* jansson allocates through the program, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
