/* Does the store work? Every row of the specification (stores, sections 2 and 3). */
#include "world.h"

#include "core/controller/store_table.h"
#include "tests/unit/plugin/probe.h"

#define STORE (&es_kind_secret_store)
#define CSTORE (&es_kind_cluster_secret_store)
#define VALID "True|Valid|store validated"

static json_t *status_of(const struct es_kind *kind, const char *ns, const char *name)
{
    json_t *o = world_get(kind, ns, name), *status = json_incref(json_object_get(o, "status"));
    json_decref(o);
    return status;
}

static void assert_capabilities(const char *want)
{
    json_t *status = status_of(STORE, "ns", "store");
    assert_string_equal(es_obj_str(status, "capabilities"), want);
    json_decref(status);
}

/* A store ns/store with this spec (single quotes). */
static void store(const char *spec)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = object(STORE, "ns", "store", NULL);
    json_object_set_new(o, "spec", quoted(spec));
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

/* ---- the rows ---- */

static void test_valid(void **state)
{
    (void)state;
    world_store();
    world_expect_store(VALID);
    assert_capabilities("ReadOnly");
    world_expect_event("Normal", "Valid", "store validated");
}

/* Another process, with another plugin. */
static void start_over(const struct world_opts *opts)
{
    world_teardown(NULL);
    world_start(opts);
}

static void test_capabilities(void **state)
{
    static const struct {
        uint64_t caps;
        const char *word;
    } cases[] = {{ESP_CAP_READ, "ReadOnly"},
                 {ESP_CAP_READ | ESP_CAP_WRITE, "ReadWrite"},
                 {ESP_CAP_WRITE, "WriteOnly"}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_over(&(struct world_opts){.caps = cases[i].caps});
        world_store();
        world_expect_store(VALID);
        assert_capabilities(cases[i].word);
    }
}

static void test_undecided_with_a_reason(void **state)
{
    (void)state;
    vault_validation = ESP_E_UNDECIDED;
    vault_reason = "no permission to list";
    world_store();
    world_expect_store("True|ValidationUnknown|could not determine validation status: no permission to list");
    assert_capabilities(""); /* not written in that pass */
    world_expect_event("Warning", "ValidationUnknown", "no permission to list");
    world_settle();
    world_forget_calls();
    world_skip_ms(300001); /* asked again after the interval, not before */
    assert_int_equal(world_writes(), 0);
    vault_validation = ESP_OK;
    world_skip_ms(300001);
    world_expect_store(VALID);
    assert_capabilities("ReadOnly");
}

static void test_undecided_without_a_reason_is_valid(void **state)
{
    (void)state;
    vault_validation = ESP_E_UNDECIDED;
    world_store();
    world_expect_store(VALID);
    assert_capabilities("ReadOnly");
}

static void test_no_client(void **state)
{
    (void)state;
    vault_opening = ESP_E_DENIED;
    vault_reason = "login refused (403)";
    world_store();
    world_expect_store("False|InvalidProviderConfig|unable to create client: login refused (403)");
    world_expect_event("Warning", "InvalidProviderConfig", "login refused (403)");
    __atomic_store_n(&vault_opening, ESP_OK, __ATOMIC_SEQ_CST); /* the backoff finds out by itself */
    world_expect_store(VALID);
}

static void test_not_valid(void **state)
{
    (void)state;
    world_store();
    world_expect_store(VALID);
    vault_reason = "no such mount";
    __atomic_store_n(&vault_validation, ESP_E_CONFIG, __ATOMIC_SEQ_CST);
    world_skip_ms(300001);
    world_expect_store("False|InvalidProviderConfig|unable to validate store: no such mount");
    assert_capabilities("ReadOnly"); /* as it was */
    __atomic_store_n(&vault_validation, ESP_OK, __ATOMIC_SEQ_CST);
    world_expect_store(VALID);
}

static esp_status check_spec(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    if (memmem(request->json.ptr, request->json.len, "wrong", 5))
        return probe_fail(call, ESP_E_CONFIG, 0, "spec.provider.probe.path is wrong");
    return probe_host->emit(call, ESP_OUT_WARNING, bytes(""), bytes("path is deprecated"));
}

static void test_the_static_check(void **state)
{
    (void)state;
    probe_ops.check = check_spec;
    store("{'provider':{'probe':{'path':'wrong'}}}");
    world_expect_store(
        "False|InvalidProviderConfig|unable to validate store: spec.provider.probe.path is wrong");
    store("{'provider':{'probe':{'path':'right'}}}");
    world_expect_store(VALID);
    world_expect_event("Warning", "ValidationWarning", "path is deprecated");
}

static void test_unknown_providers(void **state)
{
    (void)state;
    store("{'provider':{'vault':{}}}");
    world_expect_store(
        "False|InvalidProviderConfig|unable to create client: store error for store: failed to find "
        "registered store backend for type: vault, name: store: no loaded plugin serves the provider "
        "\"vault\" (loaded: probe)");
}

static void test_two_providers(void **state)
{
    (void)state;
    store("{'provider':{'probe':{},'vault':{}}}");
    world_expect_store(
        "False|InvalidProviderConfig|unable to create client: store error for store: secret stores must "
        "only have exactly one backend specified, found 2");
    store("{'provider':{}}");
    world_expect_store(
        "False|InvalidProviderConfig|unable to create client: store error for store: secret stores must "
        "only have exactly one backend specified, found 0");
    store("{'controller':''}");
    world_expect_store(
        "False|InvalidProviderConfig|unable to create client: store error for store: secret stores must "
        "only have exactly one backend specified, found 0");
}

/* As long as the definitions are the reference's, nobody has checked them before. */
static void test_namespace_regexes(void **state)
{
    (void)state;
    world_cluster_store("{'conditions':[{'namespaceRegexes':['^a$']},{'namespaceRegexes':['^b$','[']}]}");
    world_settle();
    const char *ready = world_ready(CSTORE, "", "cstore");
    assert_true(es_str_starts(ready,
                              "False|InvalidProviderConfig|unable to validate store: failed to compile 1th "
                              "namespace regex in 1th condition: "));
    world_cluster_store("{'conditions':[{'namespaceRegexes':['^a$']}]}");
    world_settle();
    assert_string_equal(world_ready(CSTORE, "", "cstore"), VALID);
}

/* ---- whose store ---- */

static void test_other_classes_are_not_ours(void **state)
{
    (void)state;
    store("{'controller':'theirs','provider':{'probe':{}}}");
    world_settle();
    assert_string_equal(world_ready(STORE, "ns", "store"), "(none)");
    assert_int_equal(world_writes(), 0);
    store("{'controller':'default','provider':{'probe':{}}}");
    world_expect_store(VALID);
}

static void test_a_deleted_store_is_forgotten(void **state)
{
    (void)state;
    world_store();
    world_expect_store(VALID);
    assert_int_equal(es_pool_count(world_env.pool), 1);
    world_delete(STORE, "ns", "store");
    world_settle();
    assert_int_equal(es_pool_count(world_env.pool), 0);
    assert_int_equal(__atomic_load_n(&probe_closed, __ATOMIC_SEQ_CST),
                     __atomic_load_n(&probe_opened, __ATOMIC_SEQ_CST));
}

/* ---- maintenance ---- */

static void test_maintenance(void **state)
{
    (void)state;
    world_store();
    world_expect_event("Normal", "Valid", "store validated");
    assert_int_equal(world_events("StoreUnmaintained") + world_events("StoreDeprecated"), 0);

    start_over(&(struct world_opts){.maintenance = ESP_NOT_MAINTAINED});
    world_store();
    world_expect_event("Warning", "StoreUnmaintained",
                       "store isn't currently maintained. Please plan and prepare accordingly.");

    start_over(&(struct world_opts){.maintenance = ESP_DEPRECATED});
    world_store();
    world_expect_event(
        "Warning", "StoreDeprecated",
        "store is deprecated and will be removed on the next minor release. Please plan and prepare "
        "accordingly.");

    start_over(&(struct world_opts){.maintenance = ESP_DEPRECATED});
    world_apply(
        "{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store','namespace':"
        "'ns','annotations':{'external-secrets.io/"
        "ignore-maintenance-checks':''}},'spec':{'provider':{'probe':"
        "{}}}}");
    world_expect_event("Normal", "Valid", "store validated");
    assert_int_equal(world_events("StoreDeprecated"), 0);
}

/* ---- the interval ---- */

static bool is_event_count(void *ctx)
{
    return world_events("Valid") >= *(int *)ctx;
}

/* Validated once at first, then after this time and not before. */
static void assert_interval(const char *spec, int64_t ms)
{
    int want = world_events("Valid") + 1;
    store(spec);
    world_until(is_event_count, &want, spec);
    world_settle();
    world_skip_ms(ms - 5000);
    assert_int_equal(world_events("Valid"), want);
    world_skip_ms(5001);
    want++;
    world_until(is_event_count, &want, spec);
    world_settle();
    assert_int_equal(world_events("Valid"), want);
}

static void test_intervals(void **state)
{
    (void)state;
    assert_interval("{'provider':{'probe':{}}}", 300000);
    assert_interval("{'refreshInterval':60,'provider':{'probe':{}}}", 60000);
    assert_interval("{'refreshInterval':'1h30m','provider':{'probe':{}}}", 5400000);
    assert_interval("{'refreshInterval':'90s','provider':{'probe':{}}}", 90000);
    assert_interval("{'refreshInterval':0,'provider':{'probe':{}}}", 300000);
    assert_interval("{'refreshInterval':'0','provider':{'probe':{}}}", 300000);
    assert_interval("{'refreshInterval':'0s','provider':{'probe':{}}}", 300000);
}

static void test_intervals_that_cannot_be(void **state)
{
    static const struct {
        const char *value, *why;
    } cases[] = {
        {"-1", "invalid refreshInterval -1: must not be negative"},
        {"'-5m'", "invalid refreshInterval \"-5m\": must not be negative"},
        {"'soon'", "invalid refreshInterval \"soon\": not a duration like 5m or 1h30m"},
        {"'60'", "invalid refreshInterval \"60\": not a duration like 5m or 1h30m"},
        {"''", "invalid refreshInterval \"\": not a duration like 5m or 1h30m"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char spec[128], want[256];
        snprintf(spec, sizeof spec, "{'refreshInterval':%s,'provider':{'probe':{}}}", cases[i].value);
        snprintf(want, sizeof want, "False|InvalidProviderConfig|unable to validate store: %s", cases[i].why);
        store(spec);
        world_expect_store(want);
        assert_int_equal(probe_opened, 0);
    }
    store("{'refreshInterval':9223372036854775807,'provider':{'probe':{}}}"); /* it is only far away */
    world_expect_store(VALID);
}

/* ---- cluster stores ---- */

static void test_a_cluster_store(void **state)
{
    (void)state;
    world_cluster_store("{}");
    world_settle();
    assert_string_equal(world_ready(CSTORE, "", "cstore"), VALID);
    world_expect_event("Normal", "Valid", "store validated");
    json_t *status = status_of(CSTORE, "", "cstore");
    assert_string_equal(es_obj_str(status, "capabilities"), "ReadOnly");
    json_decref(status);
}

/* A credential that is looked up in the consumer's namespace cannot be had yet. */
static esp_status open_with_token(struct esp_call *call, const struct esp_request *request, void **instance)
{
    esp_bytes token;
    esp_status status =
        probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("token"), bytes("t"), &token);
    (void)request;
    if (status == ESP_OK)
        *instance = &probe_opened;
    return status;
}

static void test_a_referent_cluster_store_is_valid_unseen(void **state)
{
    (void)state;
    probe_ops.open = open_with_token;
    world_cluster_store("{'provider':{'probe':{'tokenRef':{'name':'token','key':'t'}}}}");
    world_settle();
    assert_string_equal(world_ready(CSTORE, "", "cstore"), VALID);
}

/* ---- quiet when nothing is new ---- */

static void test_an_unchanged_store_is_not_written(void **state)
{
    (void)state;
    world_store();
    world_expect_store(VALID);
    world_settle();
    world_forget_calls();
    for (int i = 0; i < 3; i++)
        world_skip_ms(300001);
    assert_int_equal(world_writes(), 0);
    assert_int_equal(probe_opened, 1); /* the opened store is kept */
}

static void test_an_edit_reopens(void **state)
{
    (void)state;
    world_store();
    world_expect_store(VALID);
    world_settle();
    store("{'provider':{'probe':{'x':1}}}");
    world_settle();
    assert_int_equal(probe_opened, 2);
    world_expect_store(VALID);
}

static int failures_left; /* atomically */

static int fail_status(const char *verb, const struct es_kind *kind, const char *name,
                       const char *subresource)
{
    (void)name;
    if (kind != STORE || strcmp(verb, "patch") || strcmp(subresource, "status"))
        return 0;
    int n = __atomic_fetch_sub(&failures_left, 1, __ATOMIC_SEQ_CST);
    return n > 0 ? ES_E_RETRY : 0;
}

static void test_a_status_that_could_not_be_written_is_tried_again(void **state)
{
    (void)state;
    failures_left = 3;
    world_break(fail_status);
    world_store();
    world_expect_store(VALID);
    assert_capabilities("ReadOnly");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_valid),
        IN_WORLD(test_capabilities),
        IN_WORLD(test_undecided_with_a_reason),
        IN_WORLD(test_undecided_without_a_reason_is_valid),
        IN_WORLD(test_no_client),
        IN_WORLD(test_not_valid),
        IN_WORLD(test_the_static_check),
        IN_WORLD(test_unknown_providers),
        IN_WORLD(test_two_providers),
        IN_WORLD(test_namespace_regexes),
        IN_WORLD(test_other_classes_are_not_ours),
        IN_WORLD(test_a_deleted_store_is_forgotten),
        IN_WORLD(test_maintenance),
        IN_WORLD(test_intervals),
        IN_WORLD(test_intervals_that_cannot_be),
        IN_WORLD(test_a_cluster_store),
        IN_WORLD(test_a_referent_cluster_store_is_valid_unseen),
        IN_WORLD(test_an_unchanged_store_is_not_written),
        IN_WORLD(test_an_edit_reopens),
        IN_WORLD(test_a_status_that_could_not_be_written_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
