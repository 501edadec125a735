/* Whole passes: from Secrets to what a provider is handed, on the real engine. */
#include "pushsecret_test.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/secret/hash.h"

/* ---- the way of one PushSecret ---- */

static void test_a_first_push(void **state)
{
    char version[ES_SYNCED_VERSION_MAX];
    int64_t refreshed_ms;
    (void)state;

    start_pushed(SPEC(""));
    assert_string_equal(vault_pushed("r"), "v1");
    json_t *ps = world_get(PS, "ns", "ps");
    assert_int_equal(es_synced_version(version, ps, NULL), 0);
    assert_string_equal(es_obj_str(ps, "status", "syncedResourceVersion"), version);
    assert_int_equal(es_time_parse(es_obj_str(ps, "status", "refreshTime"), &refreshed_ms), 0);
    assert_true(llabs(es_unix_ms() - refreshed_ms) < 60000);
    assert_string_equal(es_obj_str(ps, "status", "syncedPushSecrets", "SecretStore/store", "r", "match",
                                   "remoteRef", "remoteKey"),
                        "r");
    assert_false(es_obj_has_finalizer(ps, ES_PUSH_FINALIZER));
    json_decref(ps);
    world_expect_event("Normal", "Synced", "PushSecret synced successfully");
}

static void test_what_the_provider_is_told(void **state)
{
    (void)state;
    world_apply(
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'src','namespace':'ns','labels':{'l':"
        "'1'},'annotations':{'a':'2','kubectl.kubernetes.io/last-applied-configuration':'all of it'}},"
        "'type':'kubernetes.io/basic-auth','data':{'k':'djE='}}");
    world_store();
    world_push_secret("ps", SPEC_WITH("", "'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r',"
                                          "'property':'p'}},'metadata':{'kms':['x']}}]"));
    world_expect_push("ps", SYNCED);
    assert_string_equal(vault_pushed("r/p"), "v1");
    json_t *told = vault_last_push();
    json_t *want =
        quoted("{'remoteKey':'r','property':'p','secretKey':'k','metadata':{'kms':['x']},'type':"
               "'kubernetes.io/basic-auth','labels':{'l':'1'},'annotations':{'a':'2'},'store':{'kind':"
               "'SecretStore','namespace':'ns','name':'store','generation':1},'namespace':'ns'}");
    assert_true(json_equal(told, want));
    json_decref(told);
    json_decref(want);
}

static void test_a_changed_source_is_pushed_at_once(void **state)
{
    (void)state;
    start_pushed(SPEC(""));
    world_secret("src", "{'k':'v2'}");
    world_expect_pushed("r", "v2");
    world_settle();
    assert_int_equal(is(&vault_pushes), 1);
}

/* What an ExternalSecret makes is a source like any other. */
static void test_what_is_synced_is_pushed_on(void **state)
{
    (void)state;
    vault_set("db", "one");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("src", "{'secretStoreRef':{'name':'store'},'data':[{'secretKey':'k','remoteRef':{"
                                 "'key':'db'}}]}");
    world_push_secret("ps", SPEC(""));
    world_expect_pushed("r", "one");
    world_settle();
    vault_set("db", "two");
    world_patch(&es_kind_external_secret, "ns", "src", "{'metadata':{'annotations':{'now':'1'}}}");
    world_expect_pushed("r", "two");
}

static void test_between_refreshes_nothing_is_pushed(void **state)
{
    (void)state;
    start_pushed(SPEC(""));
    for (int i = 0; i < 20; i++)
        world_env.enqueue(world_env.enqueue_ctx, ES_PUSH_SECRET, "ns", "ps");
    world_settle();
    assert_int_equal(is(&vault_pushes) + world_writes(), 0);
}

static void test_the_interval(void **state)
{
    (void)state;
    start_pushed(SPEC("'refreshInterval':'1h',"));
    world_skip_ms(HOUR - 5000);
    assert_int_equal(is(&vault_pushes), 0);
    world_skip_ms(7000);
    assert_int_equal(is(&vault_pushes), 1);
    assert_int_equal(world_writes(), 1); /* refreshTime */
}

static void test_an_interval_of_nothing(void **state)
{
    (void)state;
    start_pushed(SPEC("'refreshInterval':'0s',"));
    world_secret("src", "{'k':'v2'}");
    world_skip_ms(3 * HOUR);
    assert_int_equal(is(&vault_pushes), 0);
    world_patch(PS, "ns", "ps", "{'metadata':{'labels':{'l':'1'}}}");
    world_expect_pushed("r", "v2");
}

/* ---- sources ---- */

static void test_a_missing_source(void **state)
{
    (void)state;
    world_store();
    world_push_secret("ps", SPEC(""));
    world_expect_push("ps", "False|Errored|could not get source secret: secrets \"src\" not found");
    world_expect_event("Warning", "Errored", "could not get source secret: secrets \"src\" not found");
    world_secret("src", "{'k':'v1'}");
    world_expect_push("ps", SYNCED);
}

static void test_a_source_that_goes_and_comes_back(void **state)
{
    (void)state;
    start_pushed(SPEC(""));
    world_delete(SECRET, "ns", "src");
    world_expect_push("ps", "False|Errored|could not get source secret: secrets \"src\" not found");
    assert_string_equal(vault_pushed("r"), "v1");
    world_secret("src", "{'k':'v1'}");
    world_expect_push("ps", SYNCED);
}

#define LABELLED(name, key, value)                                                                           \
    "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'" name                                           \
    "','namespace':'ns','labels':{'pick':'me'}},'data':{'" key "':'" value "'}}"
#define BY_LABELS(data)                                                                                      \
    "{'secretStoreRefs':[{'name':'store'}],'selector':{'secret':{'selector':{'matchLabels':{'pick':'me'}}}}" \
    "," data "}"

static void test_sources_by_labels(void **state)
{
    (void)state;
    world_store();
    world_push_secret("ps", BY_LABELS("'dataTo':[{'storeRef':{'name':'store'}}]"));
    world_expect_push("ps", SYNCED); /* none at all is no error */
    world_apply(LABELLED("one", "a", "MQ=="));
    world_expect_pushed("a", "1");
    world_apply(LABELLED("two", "b", "Mg=="));
    world_expect_pushed("b", "2");
    assert_string_equal(vault_pushed("a"), "1");
    world_secret("other", "{'c':'3'}");
    world_settle();
    assert_string_equal(vault_pushed("c"), "(none)");
    json_t *ps = world_get(PS, "ns", "ps");
    assert_int_equal(json_object_size(es_obj_at(ps, "status", "syncedPushSecrets", "SecretStore/store")), 2);
    json_decref(ps);
}

static const struct {
    const char *selector, *ready;
} bad_selectors[] = {
    {"{'generatorRef':{'kind':'Password','name':'pw'}}",
     "False|Errored|could not get source secret: could not resolve secret from generator ref pw: unable to "
     "resolve generator: no loaded plugin serves generators of kind Password"},
    {"{'secret':{}}", "False|Errored|could not get source secret: no secret selector provided"},
    {"{'secret':{'selector':{'matchExpressions':[{'key':'a','operator':'Is'}]}}}",
     "False|Errored|could not get source secret: \"Is\" is not a valid label selector operator"},
};

static void test_selectors_that_select_nothing(void **state)
{
    char spec[512];
    (void)state;

    world_store();
    world_secret("any", "{'k':'v'}");
    for (size_t i = 0; i < sizeof bad_selectors / sizeof *bad_selectors; i++) {
        snprintf(spec, sizeof spec, "{'secretStoreRefs':[{'name':'store'}],'selector':%s}",
                 bad_selectors[i].selector);
        world_push_secret("ps", spec);
        world_expect_push("ps", bad_selectors[i].ready);
    }
}

/* ---- entries ---- */

static void test_a_key_that_is_not_there(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'other':'v'}");
    world_push_secret("ps", SPEC(""));
    world_expect_push("ps", FAILED "secret key k does not exist");
    assert_int_equal(is(&vault_pushes), 0);
}

static void test_a_whole_secret(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'b':'2','a_U002f_x':'1'}");
    world_push_secret("ps", SPEC_WITH("", "'data':[{'conversionStrategy':'ReverseUnicode','match':{"
                                          "'remoteRef':{'remoteKey':'all'}}}]"));
    world_expect_push("ps", SYNCED);
    assert_string_equal(vault_pushed("all"), "a/x=1,b=2");
}

static void test_many_keys_at_a_time(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'db-user':'u','db-pass':'p','other':'o'}");
    world_push_secret("ps",
                      SPEC_WITH("", "'data':[{'match':{'secretKey':'db-pass','remoteRef':{'remoteKey':"
                                    "'explicit'}}}],'dataTo':[{'storeRef':{'name':'store'},'match':{'regexp':"
                                    "'^db-'},'rewrite':[{'regexp':{'source':'^db-','target':'app/'}}]},"
                                    "{'storeRef':{'name':'store'},'remoteKey':'bundle'}]"));
    world_expect_push("ps", SYNCED);
    assert_string_equal(vault_pushed("app/user"), "u");
    assert_string_equal(vault_pushed("app/pass"), "(none)"); /* the explicit entry has it */
    assert_string_equal(vault_pushed("explicit"), "p");
    assert_string_equal(vault_pushed("bundle"), "db-pass=p,db-user=u,other=o");
}

static const struct {
    const char *data_to, *ready;
} bad_data_to[] = {
    {"{}", "False|Errored|dataTo[0]: storeRef is required"},
    {"{'storeRef':{'kind':'SecretStore'}}",
     "False|Errored|dataTo[0]: storeRef must have name or labelSelector"},
    {"{'storeRef':{'name':'elsewhere'}}",
     "False|Errored|dataTo[0]: storeRef \"elsewhere\" not found in secretStoreRefs"},
    {"{'storeRef':{'name':'store','kind':'ClusterSecretStore'}}",
     "False|Errored|dataTo[0]: storeRef \"store\" not found in secretStoreRefs"},
    {"{'storeRef':{'labelSelector':{'matchLabels':{'a':'b'}}}}",
     "False|Errored|dataTo[0]: labelSelector does not match any store in secretStoreRefs"},
    {"{'storeRef':{'labelSelector':{'matchExpressions':[{'key':'a','operator':'Is'}]}}}",
     "False|Errored|dataTo[0]: invalid labelSelector: \"Is\" is not a valid label selector operator"},
};

static void test_data_to_for_no_store(void **state)
{
    char spec[512];
    (void)state;

    world_store();
    world_secret("src", "{'k':'v'}");
    for (size_t i = 0; i < sizeof bad_data_to / sizeof *bad_data_to; i++) {
        snprintf(spec, sizeof spec, SPEC_WITH("", "'dataTo':[%s]"), bad_data_to[i].data_to);
        world_push_secret("ps", spec);
        world_expect_push("ps", bad_data_to[i].ready);
    }
    assert_int_equal(is(&vault_pushes), 0);
}

static void test_what_is_there_already_may_stay(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'k':'new','n':'1'}");
    vault_keep("r", "old");
    world_push_secret("ps", SPEC_WITH("'updatePolicy':'IfNotExists',",
                                      "'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}},"
                                      "{'match':{'secretKey':'n','remoteRef':{'remoteKey':'fresh'}}}]"));
    world_expect_push("ps", SYNCED ". Existing secrets in providers unchanged.");
    assert_string_equal(vault_pushed("r"), "old");
    assert_string_equal(vault_pushed("fresh"), "1");
    json_t *ps = world_get(PS, "ns", "ps");
    assert_non_null(es_obj_at(ps, "status", "syncedPushSecrets", "SecretStore/store", "r"));
    json_decref(ps);
}

static void test_whether_it_is_there_cannot_be_told(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'k':'new'}");
    __atomic_store_n(&vault_bad_key, "r", __ATOMIC_SEQ_CST);
    world_push_secret("ps", SPEC("'updatePolicy':'IfNotExists',"));
    world_expect_push("ps", FAILED "could not verify if secret exists in store: no list permission");
}

/* ---- templates ---- */

static void test_a_template(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'k':'v1','stays':'s'}");
    world_push_secret(
        "ps", SPEC_WITH("'template':{'type':'kubernetes.io/tls','mergePolicy':'Replace','metadata':{'labels':"
                        "{'team':'red'},'annotations':{'by':'us'}},'data':{'k':'fixed','extra':'e'}},",
                        "'data':[{'match':{'remoteRef':{'remoteKey':'all'}}}]"));
    world_expect_push("ps", SYNCED);
    assert_string_equal(vault_pushed("all"), "extra=e,k=fixed,stays=s");
    json_t *told = vault_last_push();
    assert_string_equal(es_obj_str(told, "type"), "kubernetes.io/tls");
    assert_string_equal(es_obj_str(told, "labels", "team"), "red");
    assert_string_equal(es_obj_str(told, "annotations", "by"), "us");
    json_decref(told);
    json_t *src = world_get(SECRET, "ns", "src");
    assert_null(es_obj_at(src, "data", "extra")); /* in memory only */
    json_decref(src);
}

/* templateFrom, then data, then labels and annotations; a type that no Secret of the cluster
 * may be given is as good as any. */
static void test_a_template_with_actions(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'tpl','namespace':'ns'},'data':{"
                "'from':'{{ .k | upper }}','k':'overwritten'}}");
    world_store();
    world_secret("src", "{'k':'v1'}");
    world_push_secret(
        "ps",
        SPEC_WITH("'template':{'type':'bootstrap.kubernetes.io/token','metadata':{'labels':{'of':'{{ .k "
                  "}}'},'annotations':{'at':'{{ .k | quote }}'}},'templateFrom':[{'configMap':{'name':'tpl',"
                  "'items':[{'key':'from'},{'key':'k'}]}}],'data':{'k':'again {{ .k }}'}},",
                  "'data':[{'match':{'remoteRef':{'remoteKey':'all'}}}],'dataTo':[{'storeRef':{'name':"
                  "'store'},'match':{'regexp':'from'},'rewrite':[{'transform':{'template':"
                  "'app/{{ .value | upper }}'}}]}]"));
    world_expect_push("ps", SYNCED);
    assert_string_equal(vault_pushed("all"), "from=V1,k=again v1");
    assert_string_equal(vault_pushed("app/FROM"), "V1");
    json_t *told = vault_last_push();
    assert_string_equal(es_obj_str(told, "type"), "bootstrap.kubernetes.io/token");
    assert_string_equal(es_obj_str(told, "labels", "of"), "v1");
    assert_string_equal(es_obj_str(told, "annotations", "at"), "\"v1\"");
    json_decref(told);
}

static bool has_failed_template(void *ctx)
{
    (void)ctx;
    return es_str_starts(world_ready(PS, "ns", "ps"),
                         "False|Errored|could not apply template: could not execute template: ");
}

static void test_a_template_that_cannot_be_rendered(void **state)
{
    (void)state;
    world_store();
    world_secret("src", "{'k':'v1'}");
    world_push_secret("ps", SPEC("'template':{'data':{'k':'{{ .missing }}'}},"));
    world_until(has_failed_template, NULL, "the condition");
    assert_int_equal(is(&vault_pushes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_a_first_push),
        IN_WORLD(test_what_the_provider_is_told),
        IN_WORLD(test_a_changed_source_is_pushed_at_once),
        IN_WORLD(test_what_is_synced_is_pushed_on),
        IN_WORLD(test_between_refreshes_nothing_is_pushed),
        IN_WORLD(test_the_interval),
        IN_WORLD(test_an_interval_of_nothing),
        IN_WORLD(test_a_missing_source),
        IN_WORLD(test_a_source_that_goes_and_comes_back),
        IN_WORLD(test_sources_by_labels),
        IN_WORLD(test_selectors_that_select_nothing),
        IN_WORLD(test_a_key_that_is_not_there),
        IN_WORLD(test_a_whole_secret),
        IN_WORLD(test_many_keys_at_a_time),
        IN_WORLD(test_data_to_for_no_store),
        IN_WORLD(test_what_is_there_already_may_stay),
        IN_WORLD(test_whether_it_is_there_cannot_be_told),
        IN_WORLD(test_a_template),
        IN_WORLD(test_a_template_with_actions),
        IN_WORLD(test_a_template_that_cannot_be_rendered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
