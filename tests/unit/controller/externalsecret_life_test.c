/* Passes in a world that is not ideal: stores that are not there yet, objects
 * that are deleted, an API server that fails, a process that dies. */
#include "externalsecret_test.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "tests/unit/plugin/probe.h"

/* ---- stores ---- */

static int status_patches; /* of ExternalSecrets; atomically */

static int count_status_patches(const char *verb, const struct es_kind *kind, const char *name,
                                const char *subresource)
{
    (void)name;
    if (kind == ES && strcmp(verb, "patch") == 0 && strcmp(subresource, "status") == 0)
        __atomic_add_fetch(&status_patches, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* Store and ExternalSecret come in one file: there is no failure to speak of
 * while the store is being looked at. */
static void test_a_new_store_is_waited_for_quietly(void **state)
{
    (void)state;
    status_patches = 0;
    world_break(count_status_patches);
    vault_validation_ms = 300;
    vault_set("db", "hunter2");
    world_external_secret("es", SPEC(""));
    world_store();
    usleep(100000);
    /* Applied in this order the first pass may have found no store at all. */
    world_expect("es", SYNCED);
    world_settle();
    int before = is(&status_patches);
    world_external_secret("es2", SPEC(""));
    world_expect("es2", SYNCED);
    assert_true(before <= 2);
}

static void test_an_unjudged_store_causes_no_flash(void **state)
{
    (void)state;
    status_patches = 0;
    world_break(count_status_patches);
    vault_validation_ms = 300;
    vault_set("db", "hunter2");
    world_store();
    world_external_secret("es", SPEC(""));
    usleep(100000);
    assert_string_equal(world_ready(ES, "ns", "es"), "(none)");
    int64_t start = es_mono_ms();
    world_expect("es", SYNCED);
    assert_true(es_mono_ms() - start < 5000);
    world_settle();
    assert_int_equal(is(&status_patches), 1);
    assert_int_equal(world_events("UpdateFailed"), 0);
}

static void test_a_store_that_is_not_ready(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    vault_validation = ESP_E_DENIED;
    vault_reason = "sealed";
    world_store();
    world_expect_store("False|InvalidProviderConfig|unable to validate store: sealed");
    world_external_secret("es", SPEC(""));
    world_expect("es", FETCH_FAILED
                 "error processing spec.data[0] (key: db), err: SecretStore \"store\" is not ready");
    assert_int_equal(is(&vault_reads), 0);
    __atomic_store_n(&vault_validation, ESP_OK, __ATOMIC_SEQ_CST);
    world_expect("es", SYNCED);
}

/* Another operator serves ClusterSecretStores: its ExternalSecrets are not ours. */
static void test_cluster_stores_that_are_switched_off(void **state)
{
    (void)state;
    world_stop();
    world_start(&(struct world_opts){.no_cluster_stores = true});
    world_external_secret("es", "{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'},"
                                "'data':[{'secretKey':'password','remoteRef':{'key':'db'}}]}");
    world_settle();
    assert_string_equal(world_ready(ES, "ns", "es"), "(none)");
    assert_int_equal(world_events("UpdateFailed"), 0);
    assert_no_secret("es");
}

/* It came in under definitions that do not know the rule. */
static void test_a_broken_rule_is_told_and_nothing_is_done(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es", SPEC("'target':{'creationPolicy':'None','deletionPolicy':'Merge'},"));
    world_expect(
        "es", "False|SecretSyncedError|could not update secret: deletionPolicy=Merge must not be used with "
              "creationPolicy=None. There is no Secret to merge with");
    assert_int_equal(is(&vault_reads), 0);
    world_expect_event(
        "Warning", "UpdateFailed",
        "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge "
        "with");
    world_external_secret("es", SPEC(""));
    world_expect("es", SYNCED);
}

/* "Cannot tell" is an answer to a validation. To somebody who wants a value it
 * is a failure, and has to be told. */
static void test_a_store_that_cannot_tell(void **state)
{
    (void)state;
    world_teardown(NULL);
    world_start(&(struct world_opts){.no_flood_gate = true});
    vault_set("db", "hunter2");
    vault_reason = "no idea";
    vault_opening = ESP_E_UNDECIDED;
    world_store();
    world_external_secret("es", SPEC(""));
    world_expect("es", FETCH_FAILED "error processing spec.data[0] (key: db), err: no idea");
    __atomic_store_n(&vault_opening, ESP_OK, __ATOMIC_SEQ_CST);
    world_expect("es", SYNCED);
}

static void test_a_store_of_another_class(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_apply("{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store',"
                "'namespace':'ns'},'spec':{'controller':'theirs','provider':{'probe':{}}}}");
    world_external_secret("es", SPEC(""));
    world_settle();
    assert_string_equal(world_ready(ES, "ns", "es"), "(none)");
    assert_no_secret("es");
    assert_int_equal(is(&vault_reads), 0);
    world_store(); /* it is ours now */
    world_expect("es", SYNCED);
}

static int appear_when_asked_for(const char *verb, const struct es_kind *kind, const char *name,
                                 const char *subresource)
{
    static bool done; /* one store, one pass */
    (void)name, (void)subresource;
    if (kind == &es_kind_secret_store && !strcmp(verb, "get") &&
        !__atomic_exchange_n(&done, true, __ATOMIC_SEQ_CST))
        world_apply("{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store',"
                    "'namespace':'ns'},'spec':{'controller':'theirs','provider':{'probe':{}}}}");
    return 0;
}

/* As when both are applied at once, and the watch of ExternalSecrets is the faster one. */
static void test_a_foreign_store_that_arrives_late(void **state)
{
    (void)state;
    world_break(appear_when_asked_for);
    world_external_secret("es", SPEC(""));
    world_settle();
    assert_string_equal(world_ready(ES, "ns", "es"), "(none)");
    assert_no_secret("es");
}

static void test_a_cluster_store_with_conditions(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ns','labels':{'team':'a'}}}");
    world_cluster_store("{'conditions':[{'namespaces':['elsewhere']},{'namespaceRegexes':['^prod-']},{}]}");
    world_settle();
    world_external_secret(
        "es", "{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'},'data':[{'secretKey':"
              "'password','remoteRef':{'key':'db'}}]}");
    world_expect("es", FETCH_FAILED
                 "error processing spec.data[0] (key: db), err: using cluster store \"cstore\" is not "
                 "allowed from namespace \"ns\": denied by spec.condition");
    world_cluster_store("{'conditions':[{'namespaceSelector':{'matchLabels':{'team':'a'}}}]}");
    world_expect("es", SYNCED);
}

static void test_without_the_flood_gate(void **state)
{
    (void)state;
    world_teardown(NULL);
    world_start(&(struct world_opts){.no_flood_gate = true});
    vault_set("db", "hunter2");
    vault_validation = ESP_E_CONFIG;
    world_store();
    world_external_secret("es", SPEC(""));
    world_expect("es", SYNCED);
}

/* ---- finalizer and deletion ---- */

static char order[512];
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER; /* guards order */

static int write_order(const char *verb, const struct es_kind *kind, const char *name,
                       const char *subresource)
{
    (void)name;
    if (kind == ES || kind == SECRET) {
        pthread_mutex_lock(&order_lock);
        size_t len = strlen(order);
        snprintf(order + len, sizeof order - len, "%s%s %s%s", len ? ", " : "", verb, kind->kind,
                 subresource);
        pthread_mutex_unlock(&order_lock);
    }
    return 0;
}

static void test_the_finalizer_may_wait(void **state)
{
    (void)state;
    order[0] = '\0';
    world_break(write_order);
    start_synced(SPEC(""));
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_settle();
    assert_string_equal(order, "create Secret, patch ExternalSecretstatus, patch ExternalSecret");
}

static void test_the_finalizer_comes_first_where_it_matters(void **state)
{
    (void)state;
    order[0] = '\0';
    world_break(write_order);
    start_synced(SPEC("'target':{'deletionPolicy':'Delete'},"));
    assert_string_equal(order, "patch ExternalSecret, create Secret, patch ExternalSecretstatus");
}

static void test_foreign_finalizers_are_kept(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_settle();
    json_t *es = world_get(ES, "ns", "es"),
           *patch = quoted("{'metadata':{'finalizers':['theirs','" ES_FINALIZER "']}}");
    struct es_error err = ES_ERROR_INIT;
    check_ok(es_cluster_patch(world_env.cluster, ES, "ns", "es", NULL, patch, NULL, NULL, &err), &err);
    json_decref(patch);
    json_decref(es);
    world_delete(ES, "ns", "es");
    for (int i = 0; i < 5000 && has_finalizer(NAME("es")); i++)
        usleep(1000);
    es = world_get(ES, "ns", "es");
    check_json(es_obj_at(es, "metadata", "finalizers"), "['theirs']");
    json_decref(es);
}

static void test_deleting_takes_the_secret_along(void **state)
{
    static const char *const specs[] = {SPEC(""), SPEC("'target':{'deletionPolicy':'Delete'},")};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        start_synced(specs[i]);
        world_until(has_finalizer, NAME("es"), "the finalizer");
        world_delete(ES, "ns", "es");
        world_until(is_gone, NAME("es"), "the end of es");
        world_settle();
        assert_no_secret("es");
        world_delete(&es_kind_secret_store, "ns", "store");
        world_settle();
    }
}

static void test_deleting_leaves_an_orphan(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'creationPolicy':'Orphan','deletionPolicy':'Delete'},"));
    world_delete(ES, "ns", "es");
    world_until(is_gone, NAME("es"), "the end of es");
    world_settle();
    assert_string_equal(world_value("es", "password"), "hunter2");
}

/* An object that cannot be understood can still be deleted. */
static void test_nonsense_can_be_deleted(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_external_secret("es", SPEC("'target':{'creationPolicy':'Sometimes'},"));
    world_expect(
        "es",
        "False|SecretSyncedError|could not update secret: spec.target.creationPolicy: Sometimes is not a "
        "policy");
    world_delete(ES, "ns", "es");
    world_until(is_gone, NAME("es"), "the end of es");
}

static void test_generic_targets_are_refused(void **state)
{
    (void)state;
    world_store();
    world_external_secret("es", SPEC("'target':{'manifest':{'apiVersion':'v1','kind':'ConfigMap'}},"));
    world_expect("es",
                 "False|SecretSyncedError|invalid generic target: generic targets are disabled. Enable with "
                 "--unsafe-allow-generic-targets flag");
}

/* ---- an API server that fails ---- */

static int faults_left, fault_code; /* atomically */
static const char *fault_verb;
static const struct es_kind *fault_kind;
static const char *fault_sub;

static int fail_some(const char *verb, const struct es_kind *kind, const char *name, const char *subresource)
{
    (void)name;
    if (kind != fault_kind || strcmp(verb, fault_verb) || strcmp(subresource, fault_sub))
        return 0;
    return __atomic_fetch_sub(&faults_left, 1, __ATOMIC_SEQ_CST) > 0 ? fault_code : 0;
}

static void break_requests(const char *verb, const struct es_kind *kind, const char *subresource, int times,
                           int code)
{
    fault_verb = verb;
    fault_kind = kind;
    fault_sub = subresource;
    fault_code = code;
    __atomic_store_n(&faults_left, times, __ATOMIC_SEQ_CST);
    world_break(fail_some);
}

static void test_a_conflict_is_no_failure(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    vault_set("db", "new");
    break_requests("update", SECRET, "", 3, ES_E_CONFLICT);
    world_skip_ms(HOUR + 2000);
    world_expect_value("es", "password", "new");
    world_settle();
    assert_int_equal(world_events("UpdateFailed"), 0);
    assert_string_equal(world_ready(ES, "ns", "es"), SYNCED);
}

static void test_an_error_is_told_and_passes(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    vault_set("db", "new");
    break_requests("update", SECRET, "", 2, ES_E_RETRY);
    world_skip_ms(HOUR + 2000);
    world_expect_event("Warning", "UpdateFailed",
                       "unable to update secret es: the API server has its moments");
    world_expect_value("es", "password", "new");
    world_expect("es", SYNCED);
}

/* The Secret is there, the answer got lost: the next pass finds that out. */
static void test_a_lost_answer_to_a_create(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    break_requests("create", SECRET, "", 1, -ES_E_RETRY);
    world_external_secret("es", SPEC(""));
    world_expect("es", SYNCED);
    world_settle();
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_int_equal(is(&world_calls.update), 0);
}

static int calls_so_far, every; /* atomically; one in so many fails, spread without a pattern */

static int fail_every(const char *verb, const struct es_kind *kind, const char *name, const char *subresource)
{
    (void)verb;
    (void)kind;
    (void)name;
    (void)subresource;
    uint32_t n = (uint32_t)__atomic_add_fetch(&calls_so_far, 1, __ATOMIC_SEQ_CST);
    return ((n * UINT32_C(2654435761)) >> 12) % (uint32_t)every == 0 ? fault_code : 0;
}

static bool is_synced_with_new(void *ctx)
{
    (void)ctx;
    return es_streq(world_ready(ES, "ns", "es"), SYNCED) && es_streq(world_value("es", "password"), "new");
}

/* Time passes until it is so, a few intervals at most. */
static void wait_intervals(bool (*holds)(void *ctx), void *ctx, const char *what)
{
    for (int i = 0; i < 40; i++) {
        for (int ms = 0; ms < 120; ms += 4) {
            if (holds(ctx))
                return;
            usleep(4000);
        }
        world_skip_ms(HOUR + 2000);
    }
    fail_msg("every %d with %d: %s did not come, but %s", every, fault_code, what,
             world_ready(ES, "ns", "es"));
}

static void test_whatever_fails_the_end_is_right(void **state)
{
    static const int codes[] = {ES_E_RETRY,   ES_E_CONFLICT, ES_E_NOT_FOUND, ES_E_DENIED,    ES_E_EXISTS,
                                ES_E_INVALID, -ES_E_RETRY,   -ES_E_CONFLICT, -ES_E_NOT_FOUND};
    (void)state;

    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
        for (int n = 2; n <= 5; n++) {
            world_teardown(NULL);
            every = n;
            world_start(NULL);
            fault_code = codes[c];
            calls_so_far = 0;
            vault_set("db", "old");
            world_break(fail_every);
            world_store();
            world_external_secret("es", SPEC("'target':{'deletionPolicy':'Delete'},"));
            usleep(20000);
            vault_set("db", "new");
            wait_intervals(is_synced_with_new, NULL, "the sync");
            wait_intervals(has_finalizer, NAME("es"), "the finalizer");
            world_delete(ES, "ns", "es");
            wait_intervals(is_gone, NAME("es"), "the end");
            world_settle();
            assert_no_secret("es");
        }
}

/* The process dies between the two writes. The next one takes the Secret as it
 * is, and only says so. */
static void test_killed_before_the_status(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    break_requests("patch", ES, "status", 1000000, ES_E_RETRY);
    world_external_secret("es", SPEC(""));
    world_expect_value("es", "password", "hunter2");
    assert_string_equal(world_ready(ES, "ns", "es"), "(none)");
    world_restart();
    assert_string_equal(world_ready(ES, "ns", "es"), "(none)");
    world_break(NULL);
    world_expect("es", SYNCED);
    world_settle();
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_int_equal(is(&world_calls.create) + is(&world_calls.update) + is(&world_calls.remove), 0);
}

static void test_a_new_process_rewrites_nothing(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_settle();
    world_restart();
    world_settle();
    assert_int_equal(is(&vault_reads), 0);
    assert_int_equal(is(&world_calls.get) + is(&world_calls.create) + is(&world_calls.update), 0);
    world_skip_ms(HOUR + 2000); /* the first refresh compares, once */
    assert_int_equal(is(&vault_reads), 1);
    assert_int_equal(is(&world_calls.get), 1);
    assert_int_equal(is(&world_calls.create) + is(&world_calls.update), 0);
    world_skip_ms(HOUR + 2000);
    assert_int_equal(is(&world_calls.get), 1);
}

/* ---- many ---- */

static bool are_all_synced(void *ctx)
{
    int *n = ctx;
    char name[16];
    for (int i = 0; i < *n; i++) {
        snprintf(name, sizeof name, "es-%d", i);
        if (!es_streq(world_ready(ES, "ns", name), SYNCED) || !has_finalizer(name))
            return false;
    }
    return true;
}

static void test_many(void **state)
{
    int n = 60;
    char name[16];
    (void)state;

    vault_set("db", "hunter2");
    vault_delay_ms = 1;
    world_store();
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "es-%d", i);
        world_external_secret(name, SPEC(""));
    }
    world_until(are_all_synced, &n, "sixty Secrets");
    world_settle();
    assert_in_range(is(&vault_reads), 1, n); /* they want the same: shared_reads_test.c */
    assert_int_equal(is(&world_calls.create), n);
    assert_int_equal(is(&world_calls.update), 0);
    assert_int_equal(probe_opened, 1);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "es-%d", i);
        world_delete(ES, "ns", name);
    }
    world_settle();
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "es-%d", i);
        world_until(is_gone, name, name);
        assert_no_secret(name);
    }
}

#ifdef FAKE_PLUGIN
static void test_the_fake_plugin(void **state)
{
    (void)state;
    world_teardown(NULL);
    world_start(&(struct world_opts){.fake_plugin = FAKE_PLUGIN});
    world_apply(
        "{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store','namespace':"
        "'ns'},'spec':{'provider':{'fake':{'data':[{'key':'db','value':'hunter2'}]}}}}");
    world_external_secret("es", SPEC(""));
    world_expect("es", SYNCED);
    world_expect_store("True|Valid|store validated");
    assert_string_equal(world_value("es", "password"), "hunter2");
    world_expect_event("Warning", "StoreUnmaintained",
                       "store isn't currently maintained. Please plan and prepare accordingly.");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_a_new_store_is_waited_for_quietly),
        IN_WORLD(test_an_unjudged_store_causes_no_flash),
        IN_WORLD(test_cluster_stores_that_are_switched_off),
        IN_WORLD(test_a_broken_rule_is_told_and_nothing_is_done),
        IN_WORLD(test_a_store_that_is_not_ready),
        IN_WORLD(test_a_store_that_cannot_tell),
        IN_WORLD(test_a_store_of_another_class),
        IN_WORLD(test_a_foreign_store_that_arrives_late),
        IN_WORLD(test_a_cluster_store_with_conditions),
        IN_WORLD(test_without_the_flood_gate),
        IN_WORLD(test_the_finalizer_may_wait),
        IN_WORLD(test_the_finalizer_comes_first_where_it_matters),
        IN_WORLD(test_foreign_finalizers_are_kept),
        IN_WORLD(test_deleting_takes_the_secret_along),
        IN_WORLD(test_deleting_leaves_an_orphan),
        IN_WORLD(test_nonsense_can_be_deleted),
        IN_WORLD(test_generic_targets_are_refused),
        IN_WORLD(test_a_conflict_is_no_failure),
        IN_WORLD(test_an_error_is_told_and_passes),
        IN_WORLD(test_a_lost_answer_to_a_create),
        IN_WORLD(test_whatever_fails_the_end_is_right),
        IN_WORLD(test_killed_before_the_status),
        IN_WORLD(test_a_new_process_rewrites_nothing),
        IN_WORLD(test_many),
#ifdef FAKE_PLUGIN
        IN_WORLD(test_the_fake_plugin),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
