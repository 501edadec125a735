/* caBundle and caProvider: whom a store trusts, and how it is said when that cannot be
 * found out. Spec: stores, section 6. */
#include "world.h"

#include <pthread.h>

#include "core/base/codec.h"
#include "core/controller/sources.h"
#include "tests/unit/certificate.h"
#include "tests/unit/plugin/probe.h"

#define STORE (&es_kind_secret_store)
#define CSTORE (&es_kind_cluster_secret_store)
#define VALID "True|Valid|store validated"
#define NO_CLIENT "False|InvalidProviderConfig|unable to create client: "

static char trusted[2048];                                /* what the last opened store was handed */
static char checked[2048];                                /* and the last check */
static pthread_mutex_t notes = PTHREAD_MUTEX_INITIALIZER; /* while stores may be opened */

static void note(char to[2048], const struct esp_request *request)
{
    json_t *r = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    pthread_mutex_lock(&notes);
    snprintf(to, 2048, "%s", json_object_get(r, "caBundle") ? es_obj_str(r, "caBundle") : "(none)");
    pthread_mutex_unlock(&notes);
    json_decref(r);
}

static esp_status open_trusting(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    note(trusted, request);
    *instance = &probe_opened;
    __atomic_add_fetch(&probe_opened, 1, __ATOMIC_SEQ_CST);
    return ESP_OK;
}

static esp_status check_block(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    note(checked, request);
    return ESP_OK;
}

static int setup(void **state)
{
    (void)state;
    world_start(&(struct world_opts){.backoff_ms = INT64_C(3600000)});
    probe_ops.open = open_trusting;
    probe_ops.check = check_block;
    trusted[0] = checked[0] = '\0';
    return 0;
}

static void add(const struct es_kind *kind, const char *ns, const char *block)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = object(kind, ns, "store", NULL);
    check_ok(es_obj_set(o, quoted(block), "spec", "provider", "probe") < 0 ? es_error_nomem(&err) : 0, &err);
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

/* The same store once more: as a SecretStore of "ns". */
static void expect(const char *block, const char *ready)
{
    add(STORE, "ns", block);
    world_settle();
    assert_string_equal(world_ready(STORE, "ns", "store"), ready);
}

static void expect_cluster(const char *block, const char *ready)
{
    add(CSTORE, "", block);
    world_settle();
    assert_string_equal(world_ready(CSTORE, "", "store"), ready);
}

/* A Secret and a ConfigMap of this name, each with this text at "ca.crt". */
static void holders(const char *ns, const char *name, const char *text)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_buf encoded;

    es_buf_init(&encoded, 1 << 20);
    es_base64_encode(&encoded, text, strlen(text));
    json_t *secret = object(&es_kind_secret, ns, name, NULL);
    json_t *map = object(&es_kind_config_map, ns, name, NULL);
    json_object_set_new(secret, "data", json_pack("{s:s}", "ca.crt", es_buf_str(&encoded)));
    json_object_set_new(map, "data", json_pack("{s:s}", "ca.crt", text));
    check_ok(es_local_apply(world_house, secret, &err), &err);
    check_ok(es_local_apply(world_house, map, &err), &err);
    json_decref(secret);
    json_decref(map);
    es_buf_fini(&encoded);
}

static const char *bundle(const char *before, const char *after)
{
    static char text[4096];
    struct es_buf encoded;

    es_buf_init(&encoded, sizeof text);
    es_base64_encode(&encoded, CERTIFICATE, strlen(CERTIFICATE));
    snprintf(text, sizeof text, "%s'caBundle':'%s'%s", before, es_buf_str(&encoded), after);
    es_buf_fini(&encoded);
    return text;
}

/* ---- the bundle ---- */

static void test_a_bundle_reaches_the_plugin_as_pem(void **state)
{
    (void)state;
    expect("{}", VALID);
    assert_string_equal(trusted, "(none)");
    expect(bundle("{", "}"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
    assert_string_equal(checked, CERTIFICATE);
    assert_int_equal(world_calls.get, 0); /* nothing is read for that */
}

static void test_a_bundle_that_is_none(void **state)
{
    (void)state;
    expect("{'caBundle':'dHJ1c3QgbWU='}",
           NO_CLIENT "failed to decode ca bundle: failed to parse the new certificate, not valid pem data");
    assert_string_equal(trusted, "");
}

static void test_where_it_may_stand(void **state)
{
    (void)state;
    expect(bundle("{'server':{", "}}"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
    trusted[0] = '\0';
    expect(bundle("{'server':{'url':'x'},'auth':{'mtls':{", "}}}"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
    expect(bundle("{'elsewhere':{", "}}"), VALID);
    assert_string_equal(trusted, "(none)");
    /* The outermost counts, whatever stands further inside. */
    expect(bundle("{'server':{'caProvider':{'type':'Nothing','name':'x'}},", "}"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
}

static void test_a_bundle_wins_over_a_provider(void **state)
{
    (void)state;
    expect(bundle("{'caProvider':{'type':'Secret','name':'nowhere','key':'ca.crt'},", "}"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 0);
}

/* ---- the provider ---- */

#define FROM(type, more) "{'caProvider':{'type':'" type "','name':'roots','key':'ca.crt'" more "}}"

static void test_from_secret_and_config_map(void **state)
{
    (void)state;
    holders("ns", "roots", CERTIFICATE);
    expect(FROM("Secret", ""), VALID);
    assert_string_equal(trusted, CERTIFICATE);
    assert_string_equal(checked, "(none)"); /* a check reads nothing */
    expect("{}", VALID);
    expect(FROM("ConfigMap", ",'namespace':'ns'"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
    expect(FROM("Vault", ""), NO_CLIENT "unsupported CA provider type: Vault");
}

static void test_from_which_namespace(void **state)
{
    (void)state;
    holders("ns", "roots", CERTIFICATE);
    holders("far", "roots", CERTIFICATE "# far\n");
    expect(FROM("Secret", ",'namespace':'far'"),
           NO_CLIENT "namespace should either be empty or match the namespace of the SecretStore for a "
                     "namespaced SecretStore");
    expect_cluster(FROM("Secret", ""), NO_CLIENT "missing namespace on caProvider secret");
    expect_cluster(FROM("ConfigMap", ""), NO_CLIENT "missing namespace on caProvider secret");
    expect_cluster(FROM("Secret", ",'namespace':'far'"), VALID);
    assert_string_equal(trusted, CERTIFICATE "# far\n");
    expect_cluster(FROM("ConfigMap", ",'namespace':'ns'"), VALID);
    assert_string_equal(trusted, CERTIFICATE);
}

static void test_what_is_missing_or_wrong(void **state)
{
    (void)state;
    expect(FROM("Secret", ""), NO_CLIENT
           "failed to get cert from secret: failed to resolve secret key ref: cannot get Kubernetes secret "
           "\"roots\" from namespace \"ns\": secrets \"roots\" not found");
    expect(FROM("ConfigMap", ""), NO_CLIENT "failed to get cert from configmap: failed to get caProvider "
                                            "configMap roots -> ca.crt: cannot get ConfigMap \"roots\" from "
                                            "namespace \"ns\": configmaps \"roots\" not found");
    holders("ns", "roots", "trust me");
    expect(FROM("ConfigMap", ""),
           NO_CLIENT "the ConfigMap ns/roots holds no CA certificate at key \"ca.crt\": failed to parse the "
                     "new certificate, not valid pem data");
    expect("{'caProvider':{'type':'Secret','name':'roots','key':'tls.crt'}}",
           NO_CLIENT "failed to get cert from secret: failed to resolve secret key ref: cannot find secret "
                     "data for key: \"tls.crt\"");
    expect("{'caProvider':{'type':'ConfigMap','name':'roots','key':'tls.crt'}}",
           NO_CLIENT "failed to get cert from configmap: failed to get caProvider configMap roots -> "
                     "tls.crt: the ConfigMap ns/roots has no key "
                     "\"tls.crt\"");
}

/* Such a thing is the plugin's own: it reads it by itself. */
static void test_a_provider_of_another_form(void **state)
{
    (void)state;
    expect("{'caProvider':{'certSecretRef':{'name':'roots','key':'ca.crt'}}}", VALID);
    assert_string_equal(trusted, "(none)");
}

static bool trusts(void *ctx)
{
    pthread_mutex_lock(&notes);
    bool so = es_streq(trusted, ctx);
    pthread_mutex_unlock(&notes);
    return so;
}

static void test_it_is_watched(void **state)
{
    (void)state;
    expect(FROM("ConfigMap", ""), NO_CLIENT "failed to get cert from configmap: failed to get caProvider "
                                            "configMap roots -> ca.crt: cannot get ConfigMap \"roots\" from "
                                            "namespace \"ns\": configmaps \"roots\" not found");
    holders("ns", "roots", CERTIFICATE);
    world_expect_store(VALID);
    assert_int_equal(es_sources_count(&world_env, ES_READ_CONFIG_MAP), 1);
    holders("ns", "roots", CERTIFICATE "# new\n");
    world_until(trusts, (void *)(uintptr_t)(CERTIFICATE "# new\n"), "the new certificate");
    world_delete(&es_kind_config_map, "ns", "roots");
    world_expect_store(NO_CLIENT "failed to get cert from configmap: failed to get caProvider configMap "
                                 "roots -> ca.crt: cannot get ConfigMap \"roots\" from "
                                 "namespace \"ns\": configmaps \"roots\" not found");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_bundle_reaches_the_plugin_as_pem),
        TEST(test_a_bundle_that_is_none),
        TEST(test_where_it_may_stand),
        TEST(test_a_bundle_wins_over_a_provider),
        TEST(test_from_secret_and_config_map),
        TEST(test_from_which_namespace),
        TEST(test_what_is_missing_or_wrong),
        TEST(test_a_provider_of_another_form),
        TEST(test_it_is_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
