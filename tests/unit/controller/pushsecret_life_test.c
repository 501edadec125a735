/* PushSecrets and their stores over time: what is deleted, what fails, who waits for
 * whom. */
#include "pushsecret_test.h"

#include <unistd.h>

/* ---- deleting ---- */

static json_t *noted(void)
{
    json_t *ps = world_get(PS, "ns", "ps");
    json_t *synced = json_deep_copy(es_obj_at(ps, "status", "syncedPushSecrets"));
    json_decref(ps);
    return synced;
}

static void test_without_a_policy_everything_stays(void **state)
{
    (void)state;
    start_pushed(SPEC(""));
    assert_false(has_finalizer_of(PS, "ps", ES_PUSH_FINALIZER));
    assert_false(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
    world_delete(PS, "ns", "ps");
    world_settle();
    assert_string_equal(vault_pushed("r"), "v1");
    assert_int_equal(is(&vault_removals), 0);
}

static void test_what_was_pushed_goes_with_it(void **state)
{
    (void)state;
    start_pushed(SPEC(DELETE));
    assert_true(has_finalizer_of(PS, "ps", ES_PUSH_FINALIZER));
    assert_true(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
    world_delete(PS, "ns", "ps");
    world_until(is_push_gone, NAME("ps"), "the end");
    assert_string_equal(vault_pushed("r"), "(none)");
    world_settle();
    assert_false(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
}

static void test_an_entry_that_goes(void **state)
{
    (void)state;
    start_pushed(SPEC_WITH(DELETE, "'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}},"
                                   "{'match':{'secretKey':'k','remoteRef':{'remoteKey':'s','property':'p'}}}"
                                   "]"));
    assert_string_equal(vault_pushed("s/p"), "v1");
    world_push_secret("ps", SPEC(DELETE));
    world_expect_pushed("s/p", "(none)");
    world_settle();
    assert_string_equal(vault_pushed("r"), "v1");
    json_t *left = noted();
    assert_int_equal(json_object_size(json_object_get(left, "SecretStore/store")), 1);
    json_decref(left);
}

static void test_a_store_that_goes_from_the_spec(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'second',"
                "'namespace':'ns'},'spec':{'provider':{'probe':{}}}}");
    start_pushed("{" DELETE
                 "'secretStoreRefs':[{'name':'store'},{'name':'second'}],'selector':{'secret':{'name':'src'}}"
                 ",'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}}]}");
    assert_true(has_finalizer_of(STORE, "second", ES_STORE_FINALIZER));
    world_push_secret("ps", SPEC(DELETE));
    world_settle();
    assert_int_equal(is(&vault_removals), 1);
    assert_true(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
    json_t *left = noted();
    assert_int_equal(json_object_size(left), 1);
    json_decref(left);
    assert_false(has_finalizer_of(STORE, "second", ES_STORE_FINALIZER));
}

static void test_a_source_that_goes(void **state)
{
    (void)state;
    start_pushed(SPEC(DELETE));
    world_delete(SECRET, "ns", "src");
    world_expect_push("ps", "False|SourceDeleted|source secret deleted; provider secrets cleaned up");
    world_expect_event("Normal", "SourceDeleted", "source secret deleted; provider secrets cleaned up");
    assert_string_equal(vault_pushed("r"), "(none)");
    json_t *left = noted();
    assert_int_equal(json_object_size(left), 0);
    json_decref(left);
    world_skip_ms(3 * HOUR); /* that is not asked about again and again */
    world_env.enqueue(world_env.enqueue_ctx, ES_PUSH_SECRET, "ns", "ps");
    world_settle();
    assert_string_equal(world_ready(PS, "ns", "ps"),
                        "False|SourceDeleted|source secret deleted; provider secrets cleaned up");
    world_secret("src", "{'k':'v2'}");
    world_expect_push("ps", SYNCED);
    assert_string_equal(vault_pushed("r"), "v2");
}

static void test_what_cannot_be_deleted_is_not_forgotten(void **state)
{
    (void)state;
    start_pushed(SPEC_WITH(DELETE, "'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}},"
                                   "{'match':{'secretKey':'k','remoteRef':{'remoteKey':'a'}}}]"));
    __atomic_store_n(&vault_bad_key, "r", __ATOMIC_SEQ_CST);
    world_delete(PS, "ns", "ps");
    world_expect_push("ps", "False|Errored|Failed to Delete Secrets from Provider: could not delete remote "
                            "ref r from target secretstore store: not ours");
    json_t *left = noted();
    assert_non_null(json_object_get(json_object_get(left, "SecretStore/store"), "r"));
    json_decref(left);
    assert_true(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
    __atomic_store_n(&vault_bad_key, NULL, __ATOMIC_SEQ_CST);
    world_until(is_push_gone, NAME("ps"), "the end");
    assert_string_equal(vault_pushed("r"), "(none)");
    assert_string_equal(vault_pushed("a"), "(none)");
}

static void test_who_gives_up_deleting_may_go(void **state)
{
    (void)state;
    start_pushed(SPEC(DELETE));
    __atomic_store_n(&vault_bad_key, "r", __ATOMIC_SEQ_CST);
    world_delete(PS, "ns", "ps");
    world_expect_push("ps", "False|Errored|Failed to Delete Secrets from Provider: could not delete remote "
                            "ref r from target secretstore store: not ours");
    world_patch(PS, "ns", "ps", "{'spec':{'deletionPolicy':'None'}}");
    world_until(is_push_gone, NAME("ps"), "the end");
    assert_string_equal(vault_pushed("r"), "v1");
}

static void test_a_policy_that_is_taken_back(void **state)
{
    (void)state;
    start_pushed(SPEC(DELETE));
    world_push_secret("ps", SPEC("'deletionPolicy':'None',"));
    world_settle();
    assert_false(has_finalizer_of(PS, "ps", ES_PUSH_FINALIZER));
    assert_false(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
}

/* ---- stores ---- */

static void test_a_store_waits_for_those_who_need_it(void **state)
{
    (void)state;
    start_pushed(SPEC(DELETE));
    world_delete(STORE, "ns", "store");
    world_settle();
    assert_false(is_store_gone(NAME("store")));
    world_delete(PS, "ns", "ps");
    world_until(is_push_gone, NAME("ps"), "the PushSecret's end");
    world_until(is_store_gone, NAME("store"), "the store's end");
    assert_string_equal(vault_pushed("r"), "(none)");
}

#define BY_LABELS(more)                                                                                      \
    "{" more "'secretStoreRefs':[{'labelSelector':{'matchLabels':{'to':'us'}}}],'selector':{'secret':{"      \
    "'name':'src'}},'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}}]}"
#define LABELLED_STORE(name)                                                                                 \
    "{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'" name                  \
    "','namespace':'ns','labels':{'to':'us'}},'spec':{'provider':{'probe':{}}}}"

static void test_stores_by_labels(void **state)
{
    (void)state;
    world_secret("src", "{'k':'v1'}");
    world_store();
    world_apply(LABELLED_STORE("one"));
    world_push_secret("ps", BY_LABELS(DELETE));
    world_expect_push("ps", SYNCED);
    world_settle();
    assert_int_equal(is(&vault_pushes), 1);
    assert_true(has_finalizer_of(STORE, "one", ES_STORE_FINALIZER));
    assert_false(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
    world_apply(LABELLED_STORE("two")); /* gets its values at once */
    world_settle();
    json_t *synced = noted();
    assert_non_null(json_object_get(synced, "SecretStore/one"));
    assert_non_null(json_object_get(synced, "SecretStore/two"));
    assert_null(json_object_get(synced, "SecretStore/store"));
    json_decref(synced);
    assert_true(has_finalizer_of(STORE, "two", ES_STORE_FINALIZER));
}

static void test_a_store_that_comes_late(void **state)
{
    (void)state;
    world_secret("src", "{'k':'v1'}");
    world_push_secret("ps", SPEC(""));
    world_expect_push("ps", "False|Errored|could not get SecretStore \"store\", "
                            "SecretStore.external-secrets.io \"store\" not found");
    world_store();
    world_expect_push("ps", SYNCED);
}

static void test_a_store_of_others(void **state)
{
    (void)state;
    world_secret("src", "{'k':'v1'}");
    world_apply("{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store',"
                "'namespace':'ns'},'spec':{'controller':'another','provider':{'probe':{}}}}");
    world_push_secret("ps", SPEC(DELETE));
    world_settle();
    assert_string_equal(world_ready(PS, "ns", "ps"), "(none)");
    assert_int_equal(is(&vault_pushes), 0);
    assert_false(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
}

#define TO_CLUSTER_STORE                                                                                     \
    "{'secretStoreRefs':[{'name':'cstore','kind':'ClusterSecretStore'}],'selector':{'secret':{'name':'src'"  \
    "}},'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}}]}"

static void test_conditions_of_a_cluster_store(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ns'}}");
    world_secret("src", "{'k':'v1'}");
    world_cluster_store("{'conditions':[{'namespaceSelector':{'matchLabels':{'ok':'yes'}}}]}");
    world_push_secret("ps", TO_CLUSTER_STORE);
    world_expect_push("ps", FAILED "could not get secrets client for store cstore: using cluster store "
                                   "\"cstore\" is not allowed from namespace \"ns\": denied by "
                                   "spec.condition");
    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ns','labels':{'ok':'yes'}}}");
    world_expect_push("ps", SYNCED);
    json_t *told = vault_last_push();
    assert_string_equal(es_obj_str(told, "store", "kind"), "ClusterSecretStore");
    assert_string_equal(es_obj_str(told, "namespace"), "ns");
    json_decref(told);
}

/* ---- failures ---- */

static void test_a_failure_and_its_end(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'k':'v1'}");
    __atomic_store_n(&vault_bad_key, "r", __ATOMIC_SEQ_CST);
    world_push_secret("ps", SPEC(""));
    world_expect_push("ps",
                      FAILED "could not write remote ref k to target secretstore store: key already exists");
    world_expect_event("Warning", "Errored",
                       "set secret failed: could not write remote ref k to target secretstore store: key "
                       "already exists");
    __atomic_store_n(&vault_bad_key, NULL, __ATOMIC_SEQ_CST);
    world_expect_push("ps", SYNCED);
}

/* The other store has its values, and both failures are told. */
static void test_a_store_that_fails_keeps_none_from_theirs(void **state)
{
    (void)state;
    world_secret("src", "{'k':'v1'}");
    world_store();
    world_apply(LABELLED_STORE("bad"));
    world_patch(STORE, "ns", "bad", "{'spec':{'provider':{'probe':null,'nobody':{}}}}");
    world_push_secret("ps", "{'secretStoreRefs':[{'name':'bad'},{'name':'store'}],'selector':{'secret':{"
                            "'name':'src'}},'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}}"
                            ",{'match':{'secretKey':'gone','remoteRef':{'remoteKey':'g'}}}]}");
    world_expect_push("ps", FAILED
                      "could not get secrets client for store bad: store error for bad: failed to find "
                      "registered store backend for type: nobody, name: bad: no loaded plugin serves the "
                      "provider \"nobody\" (loaded: probe); secret key gone does not exist");
    assert_string_equal(vault_pushed("r"), "v1");
    json_t *synced = noted();
    assert_non_null(json_object_get(json_object_get(synced, "SecretStore/store"), "r"));
    json_decref(synced);
}

/* Two properties of one secret: a plugin reads, changes and writes it. */
static void test_one_at_a_time_writes_a_secret(void **state)
{
    char name[8];
    (void)state;

    vault_push_ms = 30;
    world_store();
    world_secret("src", "{'k':'v1'}");
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "ps%d", i);
        world_push_secret(name, i % 2 ? SPEC_WITH("", "'data':[{'match':{'secretKey':'k','remoteRef':{"
                                                      "'remoteKey':'r','property':'p'}}}]")
                                      : SPEC(""));
    }
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "ps%d", i);
        world_expect_push(name, SYNCED);
    }
    assert_int_equal(is(&vault_crowd), 1);
}

/* ---- the API server has its moments ---- */

static int faults_left; /* atomically */

static int fail_next(bool fits)
{
    return fits && __atomic_sub_fetch(&faults_left, 1, __ATOMIC_SEQ_CST) >= 0 ? ES_E_RETRY : 0;
}

static int fail_status(const char *verb, const struct es_kind *kind, const char *name,
                       const char *subresource)
{
    (void)name;
    return fail_next(kind == PS && strcmp(verb, "patch") == 0 && strcmp(subresource, "status") == 0);
}

static int fail_finalizer(const char *verb, const struct es_kind *kind, const char *name,
                          const char *subresource)
{
    (void)name;
    return fail_next(kind == PS && strcmp(verb, "patch") == 0 && !*subresource);
}

static int fail_hold(const char *verb, const struct es_kind *kind, const char *name, const char *subresource)
{
    (void)name;
    return fail_next(kind == STORE && strcmp(verb, "patch") == 0 && !*subresource);
}

static int fail_source(const char *verb, const struct es_kind *kind, const char *name,
                       const char *subresource)
{
    (void)subresource;
    return fail_next(kind == SECRET && strcmp(verb, "get") == 0 && strcmp(name, "src") == 0);
}

static int fail_conflict(const char *verb, const struct es_kind *kind, const char *name,
                         const char *subresource)
{
    (void)name;
    return fail_next(strcmp(verb, "patch") == 0 && !*subresource && (kind == PS || kind == STORE))
               ? ES_E_CONFLICT
               : 0;
}

/* Whatever fails for a while: in the end everything is pushed, and everything deleted. */
static void test_the_api_server_fails_for_a_while(void **state)
{
    static world_fault_fn *const faults[] = {fail_status, fail_finalizer, fail_hold, fail_source,
                                             fail_conflict};
    (void)state;

    world_store();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        world_secret("src", "{'k':'v1'}");
        __atomic_store_n(&faults_left, 2, __ATOMIC_SEQ_CST);
        world_break(faults[i]);
        world_push_secret("ps", SPEC(DELETE));
        world_expect_push("ps", SYNCED);
        assert_true(is(&faults_left) <= 0);
        assert_string_equal(vault_pushed("r"), "v1");
        world_settle();
        assert_true(has_finalizer_of(PS, "ps", ES_PUSH_FINALIZER));
        assert_true(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
        __atomic_store_n(&faults_left, faults[i] == fail_source ? 0 : 2, __ATOMIC_SEQ_CST);
        world_delete(PS, "ns", "ps");
        world_until(is_push_gone, NAME("ps"), "the end");
        world_until(is_store_free, NULL, "the store's release");
        assert_string_equal(vault_pushed("r"), "(none)");
        world_break(NULL);
    }
}

static void test_a_source_that_cannot_be_read(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'k':'v1'}");
    __atomic_store_n(&faults_left, 1000000, __ATOMIC_SEQ_CST);
    world_break(fail_source);
    world_push_secret("ps", SPEC(DELETE));
    world_expect_push("ps", "False|Errored|could not get source secret: the API server has its moments");
    world_break(NULL);
    world_expect_push("ps", SYNCED);
    __atomic_store_n(&faults_left, 1000000, __ATOMIC_SEQ_CST);
    world_break(fail_source); /* that is not to be taken for its end */
    world_env.enqueue(world_env.enqueue_ctx, ES_PUSH_SECRET, "ns", "ps");
    world_settle();
    assert_string_equal(world_ready(PS, "ns", "ps"), SYNCED);
    assert_string_equal(vault_pushed("r"), "v1");
    assert_int_equal(is(&vault_removals), 0);
}

static const char *barred_text; /* atomically */

static const char *barred(void *ctx)
{
    (void)ctx;
    return __atomic_load_n(&barred_text, __ATOMIC_SEQ_CST);
}

/* Who is not the leader any more writes nothing, to backends neither. */
static void test_the_gate(void **state)
{
    static const struct es_gate gate = {.barred = barred};
    (void)state;

    world_start(&(struct world_opts){.gate = &gate});
    start_pushed(SPEC(DELETE));
    __atomic_store_n(&barred_text, "somebody else leads", __ATOMIC_SEQ_CST);
    world_secret("src", "{'k':'v2'}");
    usleep(200000);
    assert_int_equal(is(&vault_pushes), 0);
    assert_string_equal(world_ready(PS, "ns", "ps"), SYNCED);
    __atomic_store_n(&barred_text, NULL, __ATOMIC_SEQ_CST);
    world_expect_pushed("r", "v2");
}

/* ---- another process ---- */

static void test_what_is_in_step_is_taken_over_without_a_write(void **state)
{
    (void)state;
    start_pushed(SPEC(DELETE));
    world_restart();
    world_settle();
    assert_int_equal(is(&vault_pushes) + is(&vault_removals), 0);
    json_t *ps = world_get(PS, "ns", "ps");
    assert_true(es_obj_has_finalizer(ps, ES_PUSH_FINALIZER));
    json_decref(ps);
    world_secret("src", "{'k':'v2'}"); /* it is watched from the start */
    world_expect_pushed("r", "v2");
}

static void test_switched_off(void **state)
{
    (void)state;
    world_start(&(struct world_opts){.no_push_secrets = true});
    world_store();
    world_secret("src", "{'k':'v1'}");
    world_push_secret("ps", SPEC(DELETE));
    world_expect_store("True|Valid|store validated");
    world_settle();
    assert_string_equal(world_ready(PS, "ns", "ps"), "(none)");
    assert_false(has_finalizer_of(STORE, "store", ES_STORE_FINALIZER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_without_a_policy_everything_stays),
        IN_WORLD(test_what_was_pushed_goes_with_it),
        IN_WORLD(test_an_entry_that_goes),
        IN_WORLD(test_a_store_that_goes_from_the_spec),
        IN_WORLD(test_a_source_that_goes),
        IN_WORLD(test_what_cannot_be_deleted_is_not_forgotten),
        IN_WORLD(test_who_gives_up_deleting_may_go),
        IN_WORLD(test_a_policy_that_is_taken_back),
        IN_WORLD(test_a_store_waits_for_those_who_need_it),
        IN_WORLD(test_stores_by_labels),
        IN_WORLD(test_a_store_that_comes_late),
        IN_WORLD(test_a_store_of_others),
        IN_WORLD(test_conditions_of_a_cluster_store),
        IN_WORLD(test_a_failure_and_its_end),
        IN_WORLD(test_a_store_that_fails_keeps_none_from_theirs),
        IN_WORLD(test_one_at_a_time_writes_a_secret),
        IN_WORLD(test_the_api_server_fails_for_a_while),
        IN_WORLD(test_a_source_that_cannot_be_read),
        cmocka_unit_test_teardown(test_the_gate, world_teardown),
        IN_WORLD(test_what_is_in_step_is_taken_over_without_a_write),
        cmocka_unit_test_teardown(test_switched_off, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
