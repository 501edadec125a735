/* ClusterExternalSecrets and ClusterPushSecrets: a child in each namespace that they select,
 * and nowhere else (specification: push-and-cluster, sections 2 and 3). */
#include "world.h"

#include <stdio.h>
#include <unistd.h>

#include "core/controller/provision_own.h"

#define CES (&es_kind_cluster_external_secret)
#define CPS (&es_kind_cluster_push_secret)
#define ES (&es_kind_external_secret)
#define PS (&es_kind_push_secret)
#define NS (&es_kind_namespace)
#define HELD "externalsecrets.external-secrets.io/ces-p"
#define OK "True||"
#define FAILED "False||one or more namespaces failed"

#define CHILD_SPEC                                                                                           \
    "'externalSecretSpec':{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'},"                  \
    "'data':[{'secretKey':'k','remoteRef':{'key':'a'}}]}"
#define GREEN "'namespaceSelectors':[{'matchLabels':{'team':'green'}}]"
#define PUSH_SPEC                                                                                            \
    "'pushSecretSpec':{'secretStoreRefs':[{'name':'cstore','kind':'ClusterSecretStore'}],"                   \
    "'selector':{'secret':{'name':'src'}},'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}}" \
    "]}"

static void name_space(const char *name, const char *team)
{
    char text[256];
    snprintf(text, sizeof text,
             "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'%s','labels':{'team':'%s'}}}", name,
             team);
    world_apply(text);
}

static void parent(const struct es_kind *kind, const char *spec)
{
    char text[2048], version[128];
    snprintf(text, sizeof text, "{'apiVersion':'%s','kind':'%s','metadata':{'name':'p'},'spec':{%s}}",
             es_kind_api_version(kind, version), kind->kind, spec);
    world_apply(text);
}

static void ces(const char *spec)
{
    parent(CES, spec);
}

static bool there(const struct es_kind *kind, const char *ns, const char *name)
{
    json_t *o = world_get(kind, ns, name);
    json_decref(o);
    return o != NULL;
}

/* What the status says: "provisioned,...|namespace: reason,...". */
static const char *told(const struct es_kind *kind)
{
    static char text[1024];
    json_t *o = world_get(kind, "", "p"), *one;
    size_t i, len = 0;

    text[0] = '\0';
    json_array_foreach (es_obj_at(o, "status", "provisionedNamespaces"), i, one)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? "," : "", json_string_value(one));
    json_array_foreach (es_obj_at(o, "status", "failedNamespaces"), i, one)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s: %s", i ? "," : "|",
                                es_obj_str(one, "namespace"), es_obj_str(one, "reason"));
    json_decref(o);
    return text;
}

/* Somebody writes a status; applying keeps it. */
static void write_status(const char *text)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *patch = quoted(text);
    assert_int_equal(es_cluster_patch(world_env.cluster, CES, NULL, "p", "status", patch, NULL, NULL, &err),
                     0);
    json_decref(patch);
    world_settle();
}

struct expectation {
    const struct es_kind *kind;
    const char *told;
};

static bool is_told(void *ctx)
{
    const struct expectation *e = ctx;
    return !strcmp(told(e->kind), e->told);
}

/* After a while: a pass may have to be repeated. */
static void expect(const struct es_kind *kind, const char *text)
{
    world_until(is_told, &(struct expectation){kind, text}, text);
    world_settle();
}

/* The same for anything: a conflict between two passes is settled by a backoff. */
#define EVENTUALLY(condition)                                                                                \
    do {                                                                                                     \
        int64_t until_ms = es_mono_ms() + 20000;                                                             \
        while (!(condition)) {                                                                               \
            if (es_mono_ms() > until_ms)                                                                     \
                fail_msg("this did not come: %s", #condition);                                               \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

static bool holds(const char *ns, const char *finalizer)
{
    json_t *o = world_get(NS, "", ns);
    bool has = es_obj_has_finalizer(o, finalizer);
    json_decref(o);
    return has;
}

static char *annotation_of(const struct es_kind *kind, const char *ns, const char *name, const char *key)
{
    static char text[128];
    json_t *o = world_get(kind, ns, name);
    snprintf(text, sizeof text, "%s", es_obj_str(o, "metadata", "annotations", key));
    json_decref(o);
    return text;
}

/* Two green namespaces and a red one, a store, and the parent `spec`, at rest. */
static void start(const char *spec)
{
    name_space("g1", "green");
    name_space("g2", "green");
    name_space("red", "red");
    vault_set("a", "hunter2");
    world_cluster_store("{}");
    ces(spec);
    world_settle();
}

/* ---- where ---- */

static void test_a_child_in_each_selected_namespace(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    expect(CES, "g1,g2");
    EVENTUALLY(there(ES, "g1", "p") && there(ES, "g2", "p") && there(&es_kind_secret, "g2", "p"));
    assert_false(there(ES, "red", "p"));
    assert_string_equal(world_ready(CES, "", "p"), OK);
    json_t *child = world_get(ES, "g1", "p"), *above = world_get(CES, "", "p");
    assert_string_equal(es_obj_str(es_obj_controller(child), "uid"), es_obj_str(above, "metadata", "uid"));
    assert_string_equal(es_obj_str(above, "status", "externalSecretName"), "p");
    assert_true(es_obj_has_finalizer(above, es_provision_external_secrets.own_finalizer));
    json_decref(child);
    json_decref(above);
    assert_true(holds("g1", HELD) && !holds("red", HELD));
}

static void test_all_ways_to_select(void **state)
{
    (void)state;
    start("'namespaces':['red','nowhere'],'namespaceSelector':{'matchLabels':{'team':'blue'}}," GREEN
          "," CHILD_SPEC);
    assert_string_equal(told(CES), "g1,g2,red");
    name_space("b", "blue");
    expect(CES, "b,g1,g2,red");
    ces(CHILD_SPEC); /* none of them: nowhere */
    expect(CES, "");
    assert_string_equal(world_ready(CES, "", "p"), OK);
    ces("'namespaceSelector':{}," CHILD_SPEC); /* an empty selector: everywhere */
    expect(CES, "b,g1,g2,red");
}

static void test_labels_of_a_namespace_come_and_go(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    name_space("red", "green");
    name_space("g1", "red");
    expect(CES, "g2,red");
    EVENTUALLY(!there(ES, "g1", "p") && !there(&es_kind_secret, "g1", "p"));
    EVENTUALLY(!holds("g1", HELD)); /* or it could never be deleted */
}

static void test_a_namespace_that_ends_is_let_go(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    world_delete(NS, "", "g1");
    expect(CES, "g2");
    EVENTUALLY(!there(NS, "", "g1"));
}

static void test_a_selector_that_cannot_be_read(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    ces("'namespaceSelectors':[{'matchExpressions':[{'key':'team','operator':'Near'}]}]," CHILD_SPEC);
    world_settle();
    assert_string_equal(world_ready(CES, "", "p"), FAILED);
    assert_non_null(strstr(told(CES), "|unknown: failed to get target Namespaces: "));
    assert_true(there(ES, "g1", "p")); /* nobody knows whether it is wanted */
}

/* ---- what ---- */

/* Both the child's pass and the parent's write it: one of them may have to look again. */
static bool has_one_label(void *ctx)
{
    json_t *child = world_get(ES, "g1", "p");
    bool one = json_object_size(es_obj_at(child, "metadata", "labels")) == 1;

    (void)ctx;
    json_decref(child);
    return one;
}

static void test_a_child_is_kept_as_it_has_to_be(void **state)
{
    (void)state;
    start(GREEN ",'externalSecretMetadata':{'labels':{'l':'1'},'annotations':{'n':'1'}}," CHILD_SPEC);
    assert_string_equal(annotation_of(ES, "g1", "p", "n"), "1");
    world_patch(ES, "g1", "p", "{'metadata':{'labels':{'l':'2','m':'3'}},'spec':{'data':[]}}");
    world_until(has_one_label, NULL, "the labels of the parent");
    json_t *child = world_get(ES, "g1", "p");
    assert_string_equal(es_obj_str(child, "metadata", "labels", "l"), "1");
    assert_int_equal(json_array_size(es_obj_at(child, "spec", "data")), 1);
    json_decref(child);
    world_delete(ES, "g1", "p");
    world_settle();
    EVENTUALLY(there(ES, "g1", "p"));
}

static void test_force_sync_is_handed_down_and_taken_away(void **state)
{
    static const char key[] = "external-secrets.io/force-sync";
    (void)state;
    start(GREEN "," CHILD_SPEC);
    vault_set("a", "hunter3");
    world_patch(CES, "", "p",
                "{'metadata':{'annotations':{'external-secrets.io/force-sync':'now','other':'x'}}}");
    EVENTUALLY(!strcmp(annotation_of(ES, "g2", "p", key), "now"));
    assert_string_equal(annotation_of(ES, "g2", "p", "other"), "");
    world_patch(CES, "", "p", "{'metadata':{'annotations':{'external-secrets.io/force-sync':null}}}");
    EVENTUALLY(!*annotation_of(ES, "g2", "p", key));
}

static void test_another_name(void **state)
{
    (void)state;
    start(GREEN ",'externalSecretName':'old'," CHILD_SPEC);
    assert_true(there(ES, "g1", "old"));
    ces(GREEN ",'externalSecretName':'new'," CHILD_SPEC);
    EVENTUALLY(there(ES, "g1", "new") && there(ES, "g2", "new"));
    EVENTUALLY(!there(ES, "g1", "old") && !there(ES, "g2", "old") && !there(&es_kind_secret, "g2", "old"));
}

static void test_the_name_is_taken(void **state)
{
    (void)state;
    world_apply(
        "{'apiVersion':'external-secrets.io/v1','kind':'ExternalSecret','metadata':{'name':'p','namespace':"
        "'g1'},'spec':{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'}}}");
    start(GREEN "," CHILD_SPEC);
    assert_string_equal(told(CES), "g2|g1: external secret already exists in namespace");
    assert_string_equal(world_ready(CES, "", "p"), FAILED);
    json_t *theirs = world_get(ES, "g1", "p");
    assert_null(es_obj_controller(theirs));
    json_decref(theirs);
    world_delete(ES, "g1", "p"); /* now it is free, and taken at once */
    expect(CES, "g1,g2");
    assert_string_equal(world_ready(CES, "", "p"), OK);
}

/* ---- when ---- */

static void test_at_rest_nothing_is_asked(void **state)
{
    (void)state;
    start(GREEN ",'refreshTime':'1m'," CHILD_SPEC);
    world_forget_calls();
    for (int i = 0; i < 3; i++)
        world_skip_ms(60000);
    assert_int_equal(world_writes(), 0);
    assert_int_equal(__atomic_load_n(&world_calls.get, __ATOMIC_SEQ_CST), 0);
}

static void test_a_new_process_writes_nothing(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    world_forget_calls();
    world_restart();
    world_settle();
    assert_true(there(CES, "", "p"));
    assert_int_equal(world_writes(), 0);
}

static int refusals; /* atomically */

static int refuse_children(const char *verb, const struct es_kind *kind, const char *name,
                           const char *subresource)
{
    (void)name, (void)subresource;
    return kind == ES && !strcmp(verb, "create") && __atomic_fetch_sub(&refusals, 1, __ATOMIC_SEQ_CST) > 0
               ? ES_E_RETRY
               : 0;
}

static void test_a_failure_is_told_and_tried_again(void **state)
{
    (void)state;
    __atomic_store_n(&refusals, 6, __ATOMIC_SEQ_CST);
    world_break(refuse_children);
    start(GREEN "," CHILD_SPEC);
    expect(CES, "g1,g2");
    world_settle();
    assert_string_equal(world_ready(CES, "", "p"), OK);
    assert_true(world_events("Errored") > 0);
}

/* ---- at which namespaces ---- */

static void test_an_event_is_looked_at_where_it_is(void **state)
{
    (void)state;
    start(GREEN ",'refreshTime':'1m'," CHILD_SPEC);
    /* Nobody is woken by a status. What it says of others is taken as it is, until the interval is over. */
    write_status("{'status':{'provisionedNamespaces':['elsewhere','g1','g2'],"
                 "'failedNamespaces':[{'namespace':'far','reason':'away'}]}}");
    name_space("red", "green");
    expect(CES, "elsewhere,g1,g2,red|far: away");
    assert_string_equal(world_ready(CES, "", "p"), FAILED);
    EVENTUALLY(there(ES, "red", "p") && holds("red", HELD));
    name_space("red", "red");
    expect(CES, "elsewhere,g1,g2|far: away");
    EVENTUALLY(!there(ES, "red", "p") && !holds("red", HELD));
    world_skip_ms(61000); /* although passes came in between */
    expect(CES, "g1,g2");
    assert_string_equal(world_ready(CES, "", "p"), OK);
}

static void test_an_edit_of_the_parent_is_looked_at_everywhere(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    write_status("{'status':{'provisionedNamespaces':['elsewhere']}}");
    ces(GREEN ",'refreshTime':'2h'," CHILD_SPEC);
    expect(CES, "g1,g2");
}

/* A selector that cannot be read leaves nothing that a later pass could build on. */
static void test_after_a_bad_selector_all_are_looked_at(void **state)
{
    (void)state;
    start("'namespaces':['g1']," GREEN "," CHILD_SPEC);
    ces("'namespaces':['g1'],'namespaceSelectors':[{'matchExpressions':[{'key':'team','operator':'Near'}]}]"
        "," CHILD_SPEC);
    world_settle();
    name_space("g1", "blue"); /* which is named, so that its selectors are not read */
    world_settle();
    assert_non_null(strstr(told(CES), "|unknown: failed to get target Namespaces: "));
    assert_int_equal(told(CES)[0], '|');
}

static int asked; /* atomically */

static void count_request(void *ctx, enum es_controller_id id, const char *ns, const char *name)
{
    (void)ctx;
    assert_int_equal(id, ES_CLUSTER_EXTERNAL_SECRET);
    assert_string_equal(ns, "");
    assert_string_equal(name, "p");
    __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
}

static int asked_after(unsigned what, const json_t *child)
{
    struct es_env env = world_env;

    env.enqueue = count_request;
    __atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
    es_provision_child_changed(&env, ES_EXTERNAL_SECRET, "g1", "p", what, child);
    return __atomic_load_n(&asked, __ATOMIC_SEQ_CST);
}

/* The answer to a status, patched over somebody's edit, is all that tells of it. */
static void test_an_edit_that_the_answer_to_a_write_tells_of(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    json_t *child = world_get(ES, "g1", "p");
    assert_int_equal(asked_after(ES_CHANGED_SPEC | ES_CHANGED_OWN, child), 1);
    assert_int_equal(asked_after(ES_CHANGED_SPEC, child), 1);
    assert_int_equal(asked_after(ES_CHANGED_GONE, child), 1);
    assert_int_equal(asked_after(ES_CHANGED_STATE, child), 0);
    json_decref(child);
}

/* ---- many failures ---- */

static int no_children(const char *verb, const struct es_kind *kind, const char *name,
                       const char *subresource)
{
    (void)name, (void)subresource;
    return kind == ES && !strcmp(verb, "create") ? ES_E_RETRY : 0;
}

/* Each of them may take half a minute to fail. */
static void test_without_an_api_server_a_pass_ends_early(void **state)
{
    const struct world_opts patient = {.backoff_ms = 600000};
    char name[16];
    (void)state;

    world_start(&patient);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "g%02d", i);
        name_space(name, "green");
    }
    world_cluster_store("{}");
    world_break(no_children);
    ces(GREEN "," CHILD_SPEC);
    world_settle();
    assert_int_equal(__atomic_load_n(&world_calls.create, __ATOMIC_SEQ_CST), 3);
    assert_string_equal(told(CES), ""); /* of the others nothing is known */
    world_break(NULL);
    world_skip_ms(601000);
    world_settle();
    assert_int_equal(strlen(told(CES)), 20 * 4 - 1);
    world_stop();
}

static int refuse_removals(const char *verb, const struct es_kind *kind, const char *name,
                           const char *subresource)
{
    (void)name, (void)subresource;
    return kind == ES && !strcmp(verb, "remove") ? ES_E_DENIED : 0;
}

static void test_failures_are_in_the_order_of_their_names(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    world_break(refuse_removals);
    name_space("g2", "red");
    world_settle();
    world_apply("{'apiVersion':'external-secrets.io/v1','kind':'ExternalSecret','metadata':{'name':'p',"
                "'namespace':'a'},'spec':{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'}}}");
    name_space("a", "green");
    expect(CES, "g1|a: external secret already exists in namespace,g2: external secret in non matching "
                "namespace could not be deleted: the API server has its moments");
    world_break(NULL);
}

/* The object would be larger than any API server takes. */
static void test_a_thousand_long_reasons_are_cut(void **state)
{
    json_t *failed = json_array(), *none = json_array(), *above, *one;
    struct es_error err = ES_ERROR_INIT;
    char reason[1024], name[16];
    size_t i, total = 0;
    (void)state;

    start(GREEN "," CHILD_SPEC);
    for (i = 0; i + 1 < sizeof reason; i += 3)
        memcpy(reason + i, "\xe2\x82\xac", 3);
    reason[i] = '\0';
    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        json_array_append_new(failed, json_pack("{s:s,s:s}", "namespace", name, "reason", reason));
    }
    above = world_get(CES, "", "p");
    assert_int_equal(
        es_provision_write_status(&world_env, &es_provision_external_secrets, above, none, failed, &err), 0);
    json_decref(above);
    above = world_get(CES, "", "p");
    json_array_foreach (es_obj_at(above, "status", "failedNamespaces"), i, one)
        total += strlen(es_obj_str(one, "reason"));
    assert_int_equal(i, 1000);
    assert_int_equal(total, 1000 * 522); /* 524 of 1023, and no part of a character */
    json_decref(above);
    json_decref(failed);
    json_decref(none);
}

/* ---- the end ---- */

static bool is_gone(void *ctx)
{
    (void)ctx;
    return !there(CES, "", "p");
}

static void test_all_goes_with_the_parent(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    world_delete(CES, "", "p");
    world_until(is_gone, NULL, "the end");
    EVENTUALLY(!there(ES, "g1", "p") && !there(ES, "g2", "p") && !there(&es_kind_secret, "g1", "p"));
    EVENTUALLY(!holds("g1", HELD) && !holds("g2", HELD));
}

/* A child that the status does not know of: the process died before it was written. */
static void test_a_child_that_nobody_noted(void **state)
{
    (void)state;
    start(GREEN "," CHILD_SPEC);
    write_status("{'status':null}");
    assert_string_equal(told(CES), "");
    name_space("g1", "red");
    EVENTUALLY(!there(ES, "g1", "p"));
    world_restart();
    expect(CES, "g2");
}

static void test_finalizers_of_others_stay(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'g1','labels':{'team':'green'},"
                "'finalizers':['example.com/theirs']}}");
    start(GREEN "," CHILD_SPEC);
    EVENTUALLY(holds("g1", HELD) && holds("g1", "example.com/theirs"));
    world_delete(CES, "", "p");
    world_until(is_gone, NULL, "the end");
    assert_true(!holds("g1", HELD) && holds("g1", "example.com/theirs"));
}

/* ---- PushSecrets ---- */

static void test_push_secrets(void **state)
{
    (void)state;
    name_space("g1", "green");
    name_space("red", "red");
    world_cluster_store("{}");
    parent(CPS, GREEN ",'pushSecretName':'child','pushSecretMetadata':{'labels':{'l':'1'}}," PUSH_SPEC);
    expect(CPS, "g1");
    assert_string_equal(world_ready(CPS, "", "p"), OK);
    json_t *child = world_get(PS, "g1", "child"), *above = world_get(CPS, "", "p");
    assert_string_equal(es_obj_str(es_obj_controller(child), "kind"), "ClusterPushSecret");
    assert_string_equal(es_obj_str(child, "metadata", "labels", "l"), "1");
    assert_string_equal(es_obj_str(above, "status", "pushSecretName"), "child");
    assert_false(json_array_size(es_obj_at(above, "metadata", "finalizers")));
    json_decref(child);
    json_decref(above);
    name_space("g1", "red");
    EVENTUALLY(!there(PS, "g1", "child"));
}

static void count_child(void *ctx, enum es_controller_id id, const char *ns, const char *name)
{
    (void)ctx;
    assert_int_equal(id, ES_PUSH_SECRET);
    assert_string_equal(ns, "g1");
    assert_string_equal(name, "p");
    __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
}

/* Without finalizers it may be out of the cache before the watch tells of its end: then nobody else
 * sees to what is kept about it. */
static void test_the_end_of_a_push_secret_is_seen_to(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_env env = world_env;
    (void)state;

    name_space("g1", "green");
    world_cluster_store("{}");
    parent(CPS, GREEN "," PUSH_SPEC);
    world_settle();
    json_t *above = world_get(CPS, "", "p");
    env.enqueue = count_child;
    __atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 2; i++) /* the second finds nothing */
        assert_int_equal(
            es_provision_delete_child(&env, &es_provision_push_secrets, above, "g1", i ? "none" : "p", &err),
            0);
    assert_int_equal(__atomic_load_n(&asked, __ATOMIC_SEQ_CST), 1);
    json_decref(above);
}

static void test_the_name_of_a_push_secret_is_taken(void **state)
{
    (void)state;
    name_space("ns", "green");
    world_push_secret("p", "{'secretStoreRefs':[{'name':'x'}],'selector':{'secret':{'name':'src'}}}");
    parent(CPS, GREEN "," PUSH_SPEC);
    expect(CPS, "|ns: push secret already exists in namespace");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_a_child_in_each_selected_namespace),
        IN_WORLD(test_all_ways_to_select),
        IN_WORLD(test_labels_of_a_namespace_come_and_go),
        IN_WORLD(test_a_namespace_that_ends_is_let_go),
        IN_WORLD(test_a_selector_that_cannot_be_read),
        IN_WORLD(test_a_child_is_kept_as_it_has_to_be),
        IN_WORLD(test_force_sync_is_handed_down_and_taken_away),
        IN_WORLD(test_another_name),
        IN_WORLD(test_the_name_is_taken),
        IN_WORLD(test_at_rest_nothing_is_asked),
        IN_WORLD(test_a_new_process_writes_nothing),
        IN_WORLD(test_a_failure_is_told_and_tried_again),
        IN_WORLD(test_an_event_is_looked_at_where_it_is),
        IN_WORLD(test_an_edit_of_the_parent_is_looked_at_everywhere),
        IN_WORLD(test_after_a_bad_selector_all_are_looked_at),
        IN_WORLD(test_an_edit_that_the_answer_to_a_write_tells_of),
        cmocka_unit_test(test_without_an_api_server_a_pass_ends_early),
        IN_WORLD(test_failures_are_in_the_order_of_their_names),
        IN_WORLD(test_a_thousand_long_reasons_are_cut),
        IN_WORLD(test_all_goes_with_the_parent),
        IN_WORLD(test_a_child_that_nobody_noted),
        IN_WORLD(test_finalizers_of_others_stay),
        IN_WORLD(test_push_secrets),
        IN_WORLD(test_the_end_of_a_push_secret_is_seen_to),
        IN_WORLD(test_the_name_of_a_push_secret_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
