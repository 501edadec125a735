/* What 1.1 brought, from the plugin through its process, or none, to the core. */
#include "probe.h"

#include <pthread.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/plugin/reads.h"

static const char *const path[] = {BAD_PLUGINS, NULL};

static struct es_registry *registry;
static struct es_instance *store;
static struct es_authority who;

static const char secret_object[] =
    "{\"metadata\":{\"name\":\"ours\",\"namespace\":\"team\",\"labels\":{},\"annotations\":{}},"
    "\"type\":\"Opaque\",\"data\":{\"token\":\"czNjcjN0LXRva2Vu\",\"empty\":\"\"}}";

static int kube_read(void *ctx, const struct es_authority *reader, enum es_kube_read what, const char *ns,
                     const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    (void)reader;
    (void)err;
    assert_int_equal(what, ES_READ_SECRET_OBJECT);
    assert_string_equal(ns, "team");
    assert_string_equal(name, "ours");
    assert_string_equal(key, "");
    return es_blob_set(ret, secret_object, strlen(secret_object));
}

static void open_store(const struct es_open_opts *opts)
{
    const struct es_services services = {.kube_read = kube_read};
    const struct es_plugin_entry entry = {.name = "asks_for_1_1"};
    struct es_error err = ES_ERROR_INIT;

    assert_int_equal(es_registry_new(&registry, &services, NULL), 0);
    probe_isolate(registry);
    if (es_registry_load(registry, path, &entry, &err) < 0)
        fail_msg("%s", err.text);
    const struct es_provider *p = es_registry_provider(registry, "asks_for_1_1");
    if (es_instance_open(&store, registry, p, &who, opts, &err) < 0)
        fail_msg("%s", err.text);
}

static bool cancelled;

static int setup(void **state)
{
    (void)state;
    store = NULL;
    registry = NULL;
    cancelled = false;
    who = probe_who("{\"secret\":\"ours\"}");
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

/* The value, or the error's text; es_mem_free it. */
static char *get(const char *key, int *ret_code)
{
    struct es_blob value = {0};
    struct es_error err = ES_ERROR_INIT;
    json_t *ref = json_pack("{s:s}", "key", key);

    *ret_code = es_instance_get(store, &who, ref, &value, &err);
    char *text = es_mem_strdup(*ret_code == 0 ? (char *)value.ptr : err.text);
    es_blob_fini(&value);
    json_decref(ref);
    return text;
}

static void expect(const char *key, int code, const char *want)
{
    int rc;
    char *got = get(key, &rc);

    assert_string_equal(got, want);
    assert_int_equal(rc, code);
    es_mem_free(got);
}

/* ---- wait ---- */

static void test_a_wait_takes_its_time(void **state)
{
    (void)state;
    open_store(NULL);
    int64_t began = es_mono_ms();
    expect("wait 120", 0, "team's answer");
    assert_true(es_mono_ms() - began >= 120);
    expect("wait 0", 0, "team's answer");
}

static void test_a_wait_beyond_the_deadline_does_not_begin(void **state)
{
    (void)state;
    open_store(NULL);
    int64_t began = es_mono_ms();
    who.deadline_ms = began + 20000;
    expect("wait 20001", ES_E_CANCELLED, "the time for get of the asks_for_1_1 provider is over");
    expect("wait 4294967295", ES_E_CANCELLED, "the time for get of the asks_for_1_1 provider is over");
    assert_true(es_mono_ms() - began < 15000);
}

static void *cancel_soon(void *arg)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    (void)arg;
    nanosleep(&moment, NULL);
    __atomic_store_n(&cancelled, true, __ATOMIC_RELAXED);
    return NULL;
}

static void test_a_shutdown_ends_a_wait(void **state)
{
    pthread_t thread;
    (void)state;

    open_store(NULL);
    who.cancelled = &cancelled;
    int64_t began = es_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    expect("wait 25000", ES_E_CANCELLED, "the time for get of the asks_for_1_1 provider is over");
    assert_true(es_mono_ms() - began < 15000);
    pthread_join(thread, NULL);
}

/* ---- a whole Secret ---- */

static void test_a_whole_secret(void **state)
{
    (void)state;
    open_store(NULL);
    expect("secret", 0, secret_object);
}

/* Neither as it is nor as the object has it. */
static void test_its_values_stay_out_of_texts(void **state)
{
    (void)state;
    open_store(NULL);
    expect("quotes", ES_E_DENIED, "the backend does not like *** or ***");
}

/* ---- answers of one namespace ---- */

static void test_answers_are_kept_apart_by_namespace(void **state)
{
    const struct es_reads_opts reads_opts = {.window_ms = 60000};
    struct es_open_opts opts = {0};
    struct es_reading reading = {.others = true};
    (void)state;

    assert_int_equal(es_reads_new(&opts.reads, &reads_opts, NULL), 0);
    reading.reads = opts.reads;
    who.reading = &reading;
    who.store_kind = "ClusterSecretStore";
    who.store_namespace = "";
    open_store(&opts);
    for (int i = 0; i < 2; i++) {
        who.consumer_namespace = "one";
        expect("k", 0, "one's answer");
        who.consumer_namespace = "two";
        expect("k", 0, "two's answer");
    }
    es_instance_close(store);
    store = NULL;
    es_reads_free(opts.reads);
}

/* ---- a login ---- */

static void test_a_login_gets_as_far_as_the_transport(void **state)
{
    (void)state;
    probe_who_free(&who);
    who = probe_who("{\"url\":\"http://127.0.0.1:1/\",\"user\":\"alice\",\"password\":\"w\\u00f6rd\"}");
    open_store(NULL);
    expect("login", ES_E_UNSUPPORTED, "there is no network here");
}

static void test_a_login_that_cannot_be_sent(void **state)
{
    static const struct {
        const char *spec, *text;
    } cases[] = {
        {"{\"url\":\"http://127.0.0.1:1/\"}", "a login with NTLM needs a user name"},
        {"{\"url\":\"http://127.0.0.1:1/\",\"user\":\"alic\\u00e9\"}",
         "a user name for NTLM holds a character that is not ASCII"},
        {"{\"url\":\"http://127.0.0.1:1/\",\"user\":\"a\",\"password\":\"\\u20ac\"}",
         "a password for NTLM holds a character that is not in Latin-1"},
        {"{\"url\":\"http://127.0.0.1:1/\",\"user\":\"a\\nb\"}", "a user name holds a control character"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        es_instance_close(store);
        es_registry_free(registry);
        probe_who_free(&who);
        who = probe_who(cases[i].spec);
        open_store(NULL);
        expect("login", ES_E_CONFIG, cases[i].text);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_wait_takes_its_time),
        T(test_a_wait_beyond_the_deadline_does_not_begin),
        T(test_a_shutdown_ends_a_wait),
        T(test_a_whole_secret),
        T(test_its_values_stay_out_of_texts),
        T(test_answers_are_kept_apart_by_namespace),
        T(test_a_login_gets_as_far_as_the_transport),
        T(test_a_login_that_cannot_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
