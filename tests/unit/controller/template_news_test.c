/* target.template and what it is made of: ConfigMaps and Secrets that come, change and go.
 * Failures are repeated after an hour here, and everything is refreshed after another, so
 * that nothing but an event can have led to a pass. */
#include "externalsecret_test.h"

#include "core/controller/template_watched.h"

#define NOT_APPLIED "False|SecretSyncedError|could not update secret: could not apply template: "
#define FROM(entries) SPEC("'target':{'template':{'templateFrom':[" entries "]}},")
#define FROM_MAP "{'configMap':{'name':'texts','items':[{'key':'url'}]}}"

static void config_map(const char *url)
{
    char text[512];
    snprintf(text, sizeof text,
             "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'texts','namespace':'ns'},"
             "'data':{'url':'%s'}}",
             url);
    world_apply(text);
}

/* So long ago that the next news need not wait. */
static void synced_some_time_ago(const char *spec)
{
    start_synced(spec);
    world_skip_ms(2000);
    world_settle();
    world_forget_calls();
    __atomic_store_n(&vault_reads, 0, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
    (void)state;
    world_start(&(struct world_opts){.backoff_ms = HOUR, .generic_targets = true});
    return 0;
}

static void test_a_changed_config_map_is_rendered_at_once(void **state)
{
    (void)state;
    config_map("db://x:{{ .password }}@a");
    synced_some_time_ago(FROM(FROM_MAP));
    assert_string_equal(world_value("es", "url"), "db://x:hunter2@a");
    config_map("db://x:{{ .password }}@b");
    world_expect_value("es", "url", "db://x:hunter2@b");
    world_settle();
    assert_int_equal(is(&vault_reads), 1);
    world_expect("es", SYNCED);
}

static void test_what_is_not_named_wakes_nobody(void **state)
{
    (void)state;
    config_map("a");
    synced_some_time_ago(FROM(FROM_MAP));
    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'other','namespace':'ns'},"
                "'data':{'url':'b'}}");
    world_settle();
    assert_int_equal(is(&world_calls.get), 0);
    assert_int_equal(world_writes(), 0);
    assert_int_equal(is(&vault_reads), 0);
}

static void test_a_secret_that_esod_makes_is_followed_too(void **state)
{
    (void)state;
    vault_set("greeting", "hello {{ .password }}");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("texts", "{'refreshInterval':'1m','secretStoreRef':{'name':'store'},"
                                   "'data':[{'secretKey':'g','remoteRef':{'key':'greeting'}}]}");
    world_expect("texts", SYNCED);
    synced_some_time_ago(FROM("{'secret':{'name':'texts','items':[{'key':'g'}]}}"));
    assert_string_equal(world_value("es", "g"), "hello hunter2");
    vault_set("greeting", "bye {{ .password }}");
    world_skip_ms(61000);
    world_expect_value("es", "g", "bye hunter2");
}

static void test_a_missing_config_map_is_waited_for(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es", FROM(FROM_MAP));
    world_expect("es", NOT_APPLIED "error fetching templateFrom data: configmaps \"texts\" not found");
    assert_no_secret("es");
    config_map("there: {{ .password }}");
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "url"), "there: hunter2");
}

static void test_a_broken_edit_is_told_and_the_secret_stays(void **state)
{
    (void)state;
    config_map("{{ .password }}");
    synced_some_time_ago(FROM(FROM_MAP));
    config_map("{{ .password }} {{ .absent }}");
    world_expect("es", "False|SecretSyncedError|could not update secret: unable to mutate secret es: could "
                       "not apply template: error fetching templateFrom data: could not execute template: "
                       "unable to execute template at key url: template: url:1:19: executing \"url\" at "
                       "<.absent>: map has no entry for key \"absent\"");
    assert_string_equal(world_value("es", "url"), "hunter2");
    config_map("{{ .password");
    world_expect("es", "False|SecretSyncedError|could not update secret: unable to mutate secret es: could "
                       "not apply template: error fetching templateFrom data: could not execute template: "
                       "unable to parse template at key url: template: url:1: unclosed action");
    world_delete(&es_kind_config_map, "ns", "texts");
    world_expect("es", "False|SecretSyncedError|could not update secret: unable to mutate secret es: could "
                       "not apply template: error fetching templateFrom data: configmaps \"texts\" not "
                       "found");
    assert_string_equal(world_value("es", "url"), "hunter2");
    config_map("mended");
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "url"), "mended");
}

/* Nothing but the condition says then that there is something to do: the ConfigMap is
 * older than the refresh. */
static void test_a_mended_edit_ends_the_failure(void **state)
{
    (void)state;
    config_map("one");
    world_skip_ms(5000);
    synced_some_time_ago(FROM(FROM_MAP));
    config_map("{{ broken");
    world_expect("es", "False|SecretSyncedError|could not update secret: unable to mutate secret es: could "
                       "not apply template: error fetching templateFrom data: could not execute template: "
                       "unable to parse template at key url: template: url:1: function \"broken\" not "
                       "defined");
    config_map("two");
    world_expect("es", SYNCED);
    world_expect_value("es", "url", "two");
}

/* A failure of a template of the author's own words may quote what it was given. */
static void test_errors_say_nothing_of_values(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es", SPEC("'target':{'template':{'data':{'k':'{{ fail .password }}'}}},"));
    world_expect("es", NOT_APPLIED "could not execute template: unable to execute template at key k: "
                                   "template: k:1:3: executing \"k\" at <fail .password>: error calling "
                                   "fail: ***");
}

static void test_policies_that_do_not_follow(void **state)
{
    static const char *const policies[] = {"'refreshPolicy':'CreatedOnce',", "'refreshPolicy':'OnChange',",
                                           "'refreshInterval':'0s',"};
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        char spec[600];
        snprintf(spec, sizeof spec, SPEC("%s'target':{'template':{'templateFrom':[" FROM_MAP "]}},"),
                 policies[i]);
        config_map("first");
        synced_some_time_ago(spec);
        config_map("second");
        world_settle();
        assert_string_equal(world_value("es", "url"), "first");
        assert_int_equal(is(&vault_reads), 0);
        world_teardown(NULL);
        setup(NULL);
    }
}

static void test_an_object_of_any_kind_follows(void **state)
{
    (void)state;
    config_map("one");
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es",
                          SPEC("'target':{'name':'made','manifest':{'apiVersion':'v1','kind':'ConfigMap'},"
                               "'template':{'templateFrom':[" FROM_MAP "]}},"));
    world_expect("es", "True|ResourceSynced|secret synced");
    world_settle();
    world_skip_ms(2000);
    config_map("two");
    world_settle();
    json_t *made = world_get(&es_kind_config_map, "ns", "made");
    assert_string_equal(es_obj_str(made, "data", "url"), "two");
    json_decref(made);
}

/* What a repair has rendered from is known afterwards, as after any other pass. */
static void test_a_repair_is_no_news(void **state)
{
    (void)state;
    config_map("one {{ .password }}");
    synced_some_time_ago(FROM(FROM_MAP));
    world_delete(SECRET, "ns", "es");
    world_expect_value("es", "url", "one hunter2");
    world_settle();
    assert_int_equal(is(&vault_reads), 1);
    world_skip_ms(2000);
    world_patch(&es_kind_secret_store, "ns", "store", "{'metadata':{'labels':{'wakes':'all'}}}");
    world_settle();
    assert_int_equal(is(&vault_reads), 1);
}

/* An immutable target keeps its content: what its template would make now is of no
 * interest, until there is no target any more. */
static void test_an_immutable_target_needs_no_template(void **state)
{
    (void)state;
    config_map("one");
    synced_some_time_ago(SPEC("'target':{'immutable':true,'template':{'templateFrom':[" FROM_MAP "]}},"));
    config_map("{{ broken");
    world_settle();
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "url"), "one");
    config_map("two");
    world_delete(SECRET, "ns", "es");
    world_expect_value("es", "url", "two");
    world_expect("es", SYNCED);
}

/* What is made is also what it is made of: that must not go round in circles. */
static void test_a_secret_made_of_itself_comes_to_rest(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    world_skip_ms(2000);
    world_external_secret("es", SPEC("'target':{'template':{'mergePolicy':'Merge','templateFrom':[{'secret':{"
                                     "'name':'es','items':[{'key':'password'}]}}],"
                                     "'data':{'salt':'{{ randAlphaNum 8 }}'}}},"));
    world_expect("es", SYNCED);
    world_settle();
    world_forget_calls();
    world_skip_ms(5000);
    world_settle();
    assert_int_equal(world_writes(), 0);
}

static void test_secrets_made_of_each_other_take_their_time(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
#define MADE_OF(other)                                                                                       \
    SPEC("'target':{'template':{'mergePolicy':'Merge','data':{'salt':'{{ randAlphaNum 8 }}'},"               \
         "'templateFrom':[{'secret':{'name':'" other "','items':[{'key':'password'}]}}]}},")
    world_external_secret("a", SPEC(""));
    world_expect("a", SYNCED);
    world_external_secret("b", MADE_OF("a"));
    world_expect("b", SYNCED);
    world_external_secret("a", MADE_OF("b"));
    world_settle();
    world_forget_calls();
    usleep(300000);
    assert_true(is(&world_calls.update) <= 4);
    world_skip_ms(2000);
    world_settle();
    assert_true(is(&world_calls.update) > 0); /* and yet they go on */
}

static void test_an_engine_that_does_not_exist(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es", SPEC("'target':{'template':{'engineVersion':'v1','data':{'a':'b'}}},"));
    world_expect("es", NOT_APPLIED "unsupported template engine version: v1");
    assert_no_secret("es");
    world_external_secret("es", SPEC("'target':{'manifest':{'apiVersion':'v1','kind':'ConfigMap'},"
                                     "'template':{'engineVersion':'v3','data':{'a':'b'}}},"));
    world_expect("es", "False|ResourceSyncedError|could not apply template to manifest: unsupported template "
                       "engine version: v3");
}

static bool nobody_wants_config_maps(void *ctx)
{
    (void)ctx;
    return !es_template_wants(&world_env, ES_READ_CONFIG_MAP);
}

/* The watch ends with the last template that needs it, and begins anew with the next. */
static void test_watches_come_and_go(void **state)
{
    (void)state;
    config_map("one");
    synced_some_time_ago(FROM(FROM_MAP));
    assert_true(es_template_wants(&world_env, ES_READ_CONFIG_MAP));
    assert_false(es_template_wants(&world_env, ES_READ_SECRET));
    world_external_secret("es", SPEC(""));
    world_until(nobody_wants_config_maps, NULL, "the end of the interest");
    world_settle();
    world_tick();
    config_map("two");
    synced_some_time_ago(FROM(FROM_MAP));
    assert_string_equal(world_value("es", "url"), "two");
    config_map("three");
    world_expect_value("es", "url", "three");
}

static void test_a_push_follows_the_texts_of_its_template(void **state)
{
    (void)state;
    world_store();
    world_expect_store("True|Valid|store validated");
    world_secret("src", "{'k':'v1'}");
    config_map("one {{ .k }}");
    world_push_secret("ps",
                      "{'refreshInterval':'1h','secretStoreRefs':[{'name':'store'}],'selector':{'secret':"
                      "{'name':'src'}},'template':{'templateFrom':[" FROM_MAP "]},'data':[{'match':{"
                      "'secretKey':'url','remoteRef':{'remoteKey':'pushed'}}}]}");
    world_expect_pushed("pushed", "one v1");
    world_settle();
    config_map("two {{ .k }}");
    world_expect_pushed("pushed", "two v1");
    world_settle();
    int pushes = is(&vault_pushes);
    world_skip_ms(5000);
    world_settle();
    assert_int_equal(is(&vault_pushes), pushes);
}

#define TEMPLATE(test) cmocka_unit_test_setup_teardown(test, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMPLATE(test_a_changed_config_map_is_rendered_at_once),
        TEMPLATE(test_what_is_not_named_wakes_nobody),
        TEMPLATE(test_a_secret_that_esod_makes_is_followed_too),
        TEMPLATE(test_a_missing_config_map_is_waited_for),
        TEMPLATE(test_a_broken_edit_is_told_and_the_secret_stays),
        TEMPLATE(test_a_mended_edit_ends_the_failure),
        TEMPLATE(test_errors_say_nothing_of_values),
        TEMPLATE(test_policies_that_do_not_follow),
        TEMPLATE(test_an_object_of_any_kind_follows),
        TEMPLATE(test_a_repair_is_no_news),
        TEMPLATE(test_an_immutable_target_needs_no_template),
        TEMPLATE(test_a_secret_made_of_itself_comes_to_rest),
        TEMPLATE(test_secrets_made_of_each_other_take_their_time),
        TEMPLATE(test_an_engine_that_does_not_exist),
        TEMPLATE(test_watches_come_and_go),
        TEMPLATE(test_a_push_follows_the_texts_of_its_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
