/* Targets of any kind, on the real engine. */
#include "externalsecret_test.h"

#include "core/controller/generic_watch.h"
#include "core/secret/manifest.h"

#define MAP (&es_kind_config_map)
#define RESOURCE_SYNCED "True|ResourceSynced|secret synced"
#define MAP_TARGET(more) "'target':{" more "'manifest':{'apiVersion':'v1','kind':'ConfigMap'}},"
#define FAILED(text) "False|ResourceSyncedError|" text

static const struct es_kind thing = {"example.com", "v1", "things", "Thing", true, ES_HOLDS_PLAIN};

static int setup(void **state)
{
    (void)state;
    world_start(&(struct world_opts){.generic_targets = true});
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    return 0;
}

static void start_generic(const char *spec)
{
    world_external_secret("es", spec);
    world_expect("es", RESOURCE_SYNCED);
    world_settle();
    world_forget_calls();
}

/* A value of a ConfigMap's data, "(none)" or "(no object)". Good until the next call. */
static const char *map_value(const char *name, const char *key)
{
    static char out[256];
    json_t *map = world_get(MAP, "ns", name);
    const char *value = es_obj_str(map, "data", key);

    snprintf(out, sizeof out, "%s", !map ? "(no object)" : *value ? value : "(none)");
    json_decref(map);
    return out;
}

static const char *wanted_value;

static bool has_wanted_value(void *ctx)
{
    return es_streq(map_value(ctx, "password"), wanted_value);
}

static void expect_map(const char *name, const char *value)
{
    wanted_value = value;
    world_until(has_wanted_value, NAME(name), value);
}

static bool is_watched(void)
{
    struct es_error err = ES_ERROR_INIT;
    const struct es_kind *kind = NULL;
    check_ok(es_cluster_resolve(world_env.cluster, "v1", "ConfigMap", &kind, &err), &err);
    return es_generic_watches_is_watched(world_env.generic, kind);
}

/* ---- the way of one ---- */

static void test_a_first_sync(void **state)
{
    (void)state;
    world_settle();
    world_forget_calls();
    world_external_secret("es", SPEC(MAP_TARGET("'name':'map',")));
    world_expect("es", RESOURCE_SYNCED);
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_settle();
    assert_string_equal(map_value("map", "password"), "hunter2");
    assert_int_equal(is(&vault_reads), 1);
    assert_int_equal(is(&world_calls.get), 0);
    assert_int_equal(is(&world_calls.create), 1);
    assert_int_equal(is(&world_calls.update), 0);
    world_expect_event("Normal", "Created", "Created ConfigMap map");
    json_t *map = world_get(MAP, "ns", "map"), *es = world_get(ES, "ns", "es");
    assert_true(es_manifest_is_intact(map));
    assert_string_equal(es_obj_str(es_obj_controller(map), "uid"), es_obj_str(es, "metadata", "uid"));
    assert_null(es_obj_at(es, "status", "binding"));
    assert_true(is_watched());
    json_decref(map);
    json_decref(es);
    assert_no_secret("map");
}

static void test_refreshes_cost_what_they_change(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("")));
    world_skip_ms(HOUR + 2000);
    assert_int_equal(is(&vault_reads), 1);
    assert_int_equal(is(&world_calls.get), 0);
    assert_int_equal(world_writes(), 1); /* the status */
    vault_set("db", "correct horse");
    world_skip_ms(HOUR + 2000);
    expect_map("es", "correct horse");
    world_expect_event("Normal", "Updated", "Updated ConfigMap es");
    for (int i = 0; i < 20; i++)
        world_env.enqueue(world_env.enqueue_ctx, ES_EXTERNAL_SECRET, "ns", "es");
    world_settle();
    assert_int_equal(is(&vault_reads), 2);
}

static void test_labels_of_others_are_left_alone(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("")));
    world_patch(MAP, "ns", "es", "{'metadata':{'labels':{'theirs':'1'}}}");
    world_settle();
    assert_int_equal(is(&vault_reads), 0);
    assert_int_equal(world_writes(), 0);
    world_skip_ms(HOUR + 2000);
    assert_int_equal(is(&vault_reads), 1);
    assert_int_equal(is(&world_calls.update), 0);
}

static void test_kinds_of_which_nothing_is_known(void **state)
{
    (void)state;
    start_generic(SPEC("'target':{'manifest':{'apiVersion':'example.com/v1','kind':'Thing'}},"));
    json_t *o = world_get(&thing, "ns", "es");
    assert_string_equal(es_obj_str(o, "spec", "data", "password"), "hunter2");
    json_decref(o);
}

static void test_an_edited_kind(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("")));
    assert_true(is_watched());
    world_external_secret("es",
                          SPEC("'target':{'manifest':{'apiVersion':'example.com/v1','kind':'Thing'}},"));
    world_settle();
    json_t *o = world_get(&thing, "ns", "es");
    assert_non_null(o);
    json_decref(o);
    assert_false(is_watched());
    world_external_secret("es", SPEC("'target':{'name':'plain'},"));
    world_expect_value("plain", "password", "hunter2");
}

/* ---- drift ---- */

static void test_what_is_edited_is_repaired(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("") "'refreshInterval':'0',"));
    world_patch(MAP, "ns", "es", "{'data':{'password':'x','more':'y'}}");
    expect_map("es", "hunter2");
    assert_string_equal(map_value("es", "more"), "(none)");
    world_settle();
    assert_int_equal(is(&world_calls.update), 1);
}

static void test_what_is_deleted_comes_back(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("") "'refreshInterval':'0',"));
    world_delete(MAP, "ns", "es");
    expect_map("es", "hunter2");
}

static void test_a_lost_label_comes_back(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("") "'refreshInterval':'0',"));
    world_patch(MAP, "ns", "es", "{'metadata':{'labels':{'" ES_LABEL_MANAGED "':null}}}");
    world_settle();
    json_t *map = world_get(MAP, "ns", "es");
    assert_true(es_manifest_is_managed(map));
    json_decref(map);
}

/* The first repair is at once, the next ones wait: no fight at full speed. */
static void test_a_fight_slows_down(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("") "'refreshInterval':'0',"));
    for (int i = 0; i < 5; i++) {
        world_patch(MAP, "ns", "es", "{'data':{'password':'theirs'}}");
        world_settle();
    }
    assert_string_equal(map_value("es", "password"), "theirs");
    assert_int_equal(is(&world_calls.update), 1);
    world_skip_ms(1100);
    assert_string_equal(map_value("es", "password"), "hunter2");
    world_patch(MAP, "ns", "es", "{'data':{'password':'theirs'}}");
    world_skip_ms(1100);
    assert_string_equal(map_value("es", "password"), "theirs");
    world_skip_ms(1100);
    assert_string_equal(map_value("es", "password"), "hunter2");
}

static void test_orphans_are_left_alone_until_the_refresh(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("'creationPolicy':'Orphan',")));
    world_patch(MAP, "ns", "es", "{'data':{'password':'x'}}");
    world_settle();
    assert_string_equal(map_value("es", "password"), "x");
    world_skip_ms(HOUR + 2000);
    assert_string_equal(map_value("es", "password"), "hunter2");
}

/* ---- policies ---- */

static void test_merging_needs_something_to_merge_into(void **state)
{
    (void)state;
    world_external_secret("es", SPEC(MAP_TARGET("'creationPolicy':'Merge',")));
    world_expect("es", "True|ResourceMissing|resource will not be created due to CreationPolicy=Merge");
    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'es','namespace':'ns'},"
                "'data':{'theirs':'1'}}");
    world_skip_ms(HOUR + 2000);
    expect_map("es", "hunter2");
    assert_string_equal(map_value("es", "theirs"), "1");
    world_expect("es", RESOURCE_SYNCED);
}

static void test_none_writes_nothing(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("'creationPolicy':'None',")));
    assert_string_equal(map_value("es", "password"), "(no object)");
    assert_false(is_watched());
}

static void test_somebody_elses_is_not_taken(void **state)
{
    (void)state;
    world_external_secret("other", SPEC(MAP_TARGET("'name':'map',")));
    world_expect("other", RESOURCE_SYNCED);
    world_external_secret("es", SPEC(MAP_TARGET("'name':'map',")));
    world_expect("es",
                 FAILED("could not apply template to manifest: secret is owned by another ExternalSecret: "
                        "other"));
    world_delete(ES, "ns", "other"); /* its target goes too, and that wakes the other one */
    world_expect("es", RESOURCE_SYNCED);
    expect_map("map", "hunter2");
}

static void test_no_values(void **state)
{
    static const char nothing[] =
        "{'secretStoreRef':{'name':'store'},%s'dataFrom':[{'find':{'name':{'regexp':'^no'}}}]}";
    static const struct {
        const char *target, *ready;
    } cases[] = {
        {MAP_TARGET(""), "True|ResourceSynced|secret retained due to DeletionPolicy=Retain"},
        {MAP_TARGET("'deletionPolicy':'Delete',"),
         "True|ResourceDeleted|secret deleted due to DeletionPolicy=Delete"},
        {MAP_TARGET("'deletionPolicy':'Delete','creationPolicy':'Orphan',"),
         FAILED("could not delete resource: unable to delete resource: creationPolicy=Orphan is not Owner")},
        {MAP_TARGET("'deletionPolicy':'Merge',"), RESOURCE_SYNCED},
    };
    char spec[512];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(spec, sizeof spec, nothing, cases[i].target);
        world_external_secret("es", spec);
        world_expect("es", cases[i].ready);
    }
    json_t *map = world_get(MAP, "ns", "es");
    assert_non_null(map);
    json_decref(map);
}

static bool is_map_gone(void *ctx)
{
    return es_streq(map_value(ctx, "password"), "(no object)");
}

static void test_values_that_go_take_it_along(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("'deletionPolicy':'Delete',")));
    vault_set("db", NULL);
    world_skip_ms(HOUR + 2000);
    world_until(is_map_gone, NAME("es"), "the end of the map");
    world_expect("es", "True|ResourceDeleted|secret deleted due to DeletionPolicy=Delete");
    world_expect_event("Normal", "Deleted", "Deleted ConfigMap es");
}

static void test_the_end_of_the_external_secret(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'foreign','namespace':'ns'}}");
    start_generic(SPEC(MAP_TARGET("'deletionPolicy':'Delete','creationPolicy':'Orphan',")));
    world_until(has_finalizer, NAME("es"), "the finalizer");
    assert_true(is_watched());
    world_delete(ES, "ns", "es");
    world_until(is_gone, NAME("es"), "the end of es");
    world_settle();
    assert_string_equal(map_value("es", "password"), "(no object)");
    assert_false(is_watched());

    /* What it never wrote is not its to delete. */
    vault_set("db", NULL);
    world_external_secret("foreign", SPEC(MAP_TARGET("'creationPolicy':'Orphan',")));
    world_expect("foreign",
                 FAILED("could not get secret data from provider: error processing spec.data[0] (key: db), "
                        "err: Secret does not exist"));
    world_external_secret("foreign",
                          SPEC(MAP_TARGET("'deletionPolicy':'Delete','creationPolicy':'CreateOrMerge',")));
    world_settle();
    world_delete(ES, "ns", "foreign");
    world_until(is_gone, NAME("foreign"), "the end of foreign");
    assert_string_equal(map_value("foreign", "password"), "(none)");
}

/* ---- templates ---- */

static void test_templates_without_actions(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'texts','namespace':'ns'},"
                "'data':{'one':'uno','more':'two: dos\\nthree: tres\\n'}}");
    world_apply("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'hidden','namespace':'ns'},"
                "'data':{'four':'Y3VhdHJv'}}");
    start_generic(SPEC(MAP_TARGET(
        "'template':{'metadata':{'labels':{'l':'1'}},'data':{'password':'fixed'},'templateFrom':["
        "{'configMap':{'name':'texts','items':[{'key':'one'},{'key':'more','templateAs':'KeysAndValues'}]}},"
        "{'secret':{'name':'hidden','items':[{'key':'four'}]}},"
        "{'literal':'password: overwritten\\nfive: cinco','target':'Data'},"
        "{'literal':'note: text','target':'Annotations'}]},")));
    json_t *map = world_get(MAP, "ns", "es");
    check_json(json_object_get(map, "data"), "{'password':'fixed','one':'uno','two':'dos','three':'tres',"
                                             "'four':'cuatro','five':'cinco'}");
    assert_string_equal(es_obj_str(map, "metadata", "annotations", "note"), "text");
    assert_string_equal(es_obj_str(map, "metadata", "labels", "l"), "1");
    json_decref(map);
}

static void test_templates_that_fail(void **state)
{
#define TEMPLATE(text) SPEC(MAP_TARGET("'template':{" text "},"))
    static const struct {
        const char *spec, *why;
    } cases[] = {
        {TEMPLATE("'data':{'k':'{{ .nokey }}'}"), "failed to execute template.data: could not execute "
                                                  "template: unable to execute template at key k: template: "
                                                  "k:1:3: executing \"k\" at <.nokey>: map has no entry for "
                                                  "key \"nokey\""},
        {TEMPLATE("'templateFrom':[{'literal':'[1','target':'spec.x'}]"),
         "failed to execute literal template: could not unmarshal template YAML: "
         "target.template.templateFrom.literal:2: did not find expected ',' or ']' while parsing a flow "
         "sequence"},
        {TEMPLATE("'templateFrom':[{'configMap':{'name':'absent','items':[{'key':'k'}]}}]"),
         "failed to merge configmap template: configmaps \"absent\" not found"},
        {TEMPLATE("'templateFrom':[{'configMap':{'name':'texts','items':[{'key':'k'}]}}]"),
         "failed to merge configmap template: error in configmap texts: missing key k"},
        {TEMPLATE("'templateFrom':[{'literal':'x','target':'metadata.namespace'}]"),
         "templateFrom must not change the target's apiVersion, kind, name, namespace, uid or "
         "resourceVersion"},
        {TEMPLATE("'templateFrom':[{'literal':'x','target':'a..b'}]"),
         "invalid path \"a..b\": empty segment"},
    };
    char ready[600];
    (void)state;

    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'texts','namespace':'ns'}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_external_secret("es", cases[i].spec);
        snprintf(ready, sizeof ready, FAILED("could not apply template to manifest: %s"), cases[i].why);
        world_expect("es", ready);
    }
    assert_string_equal(map_value("es", "password"), "(no object)");
}

/* A Secret as a manifest has the limits of a Secret: no credentials are minted. */
static void test_a_secret_as_manifest(void **state)
{
    (void)state;
    start_generic(SPEC("'target':{'manifest':{'apiVersion':'v1','kind':'Secret'}},"));
    assert_string_equal(world_value("es", "password"), "hunter2");
    world_settle();
    assert_int_equal(world_writes(), 0);
    world_external_secret("es", SPEC("'target':{'manifest':{'apiVersion':'v1','kind':'Secret'},'template':{"
                                     "'templateFrom':[{'literal':'x','target':'type'}]}},"));
    world_expect(
        "es", FAILED("could not apply template to manifest: templateFrom target=\"type\" is not allowed when "
                     "targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\""));
}

/* ---- what is refused ---- */

static void test_what_is_no_target(void **state)
{
    static const struct {
        const char *manifest, *ready;
    } cases[] = {
        {"{'kind':'ConfigMap'}",
         "False|SecretSyncedError|invalid generic target: target.manifest.apiVersion is required"},
        {"{'apiVersion':'v1'}",
         "False|SecretSyncedError|invalid generic target: target.manifest.kind is required"},
        {"{'apiVersion':'v1','kind':'Namespace'}",
         "False|SecretSyncedError|invalid generic target: target.manifest: Namespace of v1 is "
         "cluster-scoped, and an "
         "ExternalSecret writes into its own namespace only: name a namespaced kind"},
        {"{'apiVersion':'a/b/c','kind':'X'}",
         FAILED(
             "could not get target resource: failed to get target resource: apiVersion \"a/b/c\" is none")},
    };
    char spec[512];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(spec, sizeof spec, SPEC("'target':{'manifest':%s},"), cases[i].manifest);
        world_external_secret("es", spec);
        world_expect("es", cases[i].ready);
    }
    world_delete(ES, "ns", "es");
    world_until(is_gone, NAME("es"), "the end of es");
}

/* ---- an API server that fails ---- */

static int faults_left, fault_code; /* atomically */
static const char *fault_verb;

static int fail_some(const char *verb, const struct es_kind *kind, const char *name, const char *subresource)
{
    (void)name;
    (void)subresource;
    if (!es_streq(kind->kind, "ConfigMap") || strcmp(verb, fault_verb) || is(&faults_left) <= 0)
        return 0;
    __atomic_sub_fetch(&faults_left, 1, __ATOMIC_SEQ_CST);
    return is(&fault_code);
}

static void fail_next(int times, const char *verb, int code)
{
    fault_verb = verb;
    __atomic_store_n(&fault_code, code, __ATOMIC_SEQ_CST);
    __atomic_store_n(&faults_left, times, __ATOMIC_SEQ_CST);
    world_break(fail_some);
}

static void test_failures_are_told_and_tried_again(void **state)
{
    (void)state;
    fail_next(1000000, "create", ES_E_DENIED);
    world_external_secret("es", SPEC(MAP_TARGET("")));
    world_expect("es",
                 FAILED("could not update secret: failed to create target resource: the API server has its "
                        "moments"));
    world_break(NULL);
    world_expect("es", RESOURCE_SYNCED);
}

static void test_a_conflict_is_no_failure(void **state)
{
    (void)state;
    start_generic(SPEC(MAP_TARGET("")));
    vault_set("db", "new");
    fail_next(1, "update", ES_E_CONFLICT);
    world_skip_ms(HOUR + 2000);
    assert_string_equal(map_value("es", "password"), "hunter2");
    assert_string_equal(world_ready(ES, "ns", "es"), RESOURCE_SYNCED);
    world_skip_ms(1100);
    assert_string_equal(map_value("es", "password"), "new");
}

static void test_a_lost_answer(void **state)
{
    (void)state;
    fail_next(1, "create", -ES_E_RETRY); /* it is created all the same */
    world_external_secret("es", SPEC(MAP_TARGET("")));
    world_expect("es", RESOURCE_SYNCED);
    expect_map("es", "hunter2");
}

#define GENERIC(test) cmocka_unit_test_setup_teardown(test, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GENERIC(test_a_first_sync),
        GENERIC(test_refreshes_cost_what_they_change),
        GENERIC(test_labels_of_others_are_left_alone),
        GENERIC(test_kinds_of_which_nothing_is_known),
        GENERIC(test_an_edited_kind),
        GENERIC(test_what_is_edited_is_repaired),
        GENERIC(test_what_is_deleted_comes_back),
        GENERIC(test_a_lost_label_comes_back),
        GENERIC(test_a_fight_slows_down),
        GENERIC(test_orphans_are_left_alone_until_the_refresh),
        GENERIC(test_merging_needs_something_to_merge_into),
        GENERIC(test_none_writes_nothing),
        GENERIC(test_somebody_elses_is_not_taken),
        GENERIC(test_no_values),
        GENERIC(test_values_that_go_take_it_along),
        GENERIC(test_the_end_of_the_external_secret),
        GENERIC(test_templates_without_actions),
        GENERIC(test_templates_that_fail),
        GENERIC(test_a_secret_as_manifest),
        GENERIC(test_what_is_no_target),
        GENERIC(test_failures_are_told_and_tried_again),
        GENERIC(test_a_conflict_is_no_failure),
        GENERIC(test_a_lost_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
