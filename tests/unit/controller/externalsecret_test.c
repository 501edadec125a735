/* Whole passes: from an ExternalSecret to its Secret, on the real engine. */
#include "externalsecret_test.h"

#include "core/base/clock.h"
#include "core/secret/hash.h"
#include "tests/unit/plugin/probe.h"

/* ---- the way of one ExternalSecret ---- */

static void test_a_first_sync(void **state)
{
    char owner[ES_SHA3_224_HEX_MAX];
    (void)state;

    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_settle();
    world_forget_calls();
    world_external_secret("es", SPEC(""));
    world_expect("es", SYNCED);
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_settle();
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_int_equal(is(&vault_reads), 1);
    assert_int_equal(is(&world_calls.get), 0);
    assert_int_equal(is(&world_calls.create), 1);
    assert_int_equal(is(&world_calls.update), 0);
    assert_int_equal(is(&world_calls.patch), 2); /* status, finalizer */

    json_t *secret = world_get(SECRET, "ns", "es"), *es = world_get(ES, "ns", "es");
    assert_string_equal(es_obj_str(secret, "metadata", "labels", ES_LABEL_MANAGED), "true");
    assert_int_equal(es_owner_hash(owner, "ns", "es", NULL), 0);
    assert_string_equal(es_obj_str(secret, "metadata", "labels", ES_LABEL_CREATED_BY), owner);
    assert_true(*es_obj_str(secret, "metadata", "annotations", ES_ANNOTATION_DATA_HASH));
    assert_string_equal(es_obj_str(es_obj_controller(secret), "uid"), es_obj_str(es, "metadata", "uid"));
    assert_string_equal(es_obj_str(secret, "metadata", "managedFields"), "");
    assert_string_equal(es_obj_str(es, "status", "binding", "name"), "es");
    assert_true(es_str_starts(es_obj_str(es, "status", "syncedResourceVersion"), "1-"));
    int64_t refreshed_ms;
    assert_int_equal(es_time_parse(es_obj_str(es, "status", "refreshTime"), &refreshed_ms), 0);
    assert_true(llabs(es_unix_ms() - refreshed_ms) < 60000);
    json_decref(secret);
    json_decref(es);
    world_expect_event("Normal", "Created", "secret created");
}

static void test_a_changed_value(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    vault_set("db", "correct horse");
    world_skip_ms(HOUR - 5000);
    assert_int_equal(is(&vault_reads), 0);
    world_skip_ms(7000);
    world_expect_value("es", "password", "correct horse");
    world_settle();
    assert_int_equal(is(&vault_reads), 1);
    assert_int_equal(is(&world_calls.get), 1);
    assert_int_equal(is(&world_calls.update), 1);
    assert_int_equal(is(&world_calls.patch), 1);
    world_expect_event("Normal", "Updated", "secret updated");
}

/* A refresh that finds nothing new asks the provider, and says so in the
 * status: that is all. */
static void test_an_unchanged_refresh(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    for (int i = 1; i <= 3; i++) {
        world_skip_ms(HOUR + 2000);
        assert_int_equal(is(&vault_reads), i);
        assert_int_equal(is(&world_calls.patch), i); /* refreshTime */
    }
    assert_int_equal(is(&world_calls.get), 0);
    assert_int_equal(world_writes(), 3);
    assert_int_equal(world_events("Updated"), 0);
}

static void test_between_refreshes_nothing_is_asked(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    for (int i = 0; i < 20; i++)
        world_env.enqueue(world_env.enqueue_ctx, ES_EXTERNAL_SECRET, "ns", "es");
    world_settle();
    assert_int_equal(is(&vault_reads), 0);
    assert_int_equal(is(&world_calls.get) + world_writes(), 0);
}

static void test_an_edit_is_followed_at_once(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    vault_set("other", "value");
    world_external_secret("es",
                          "{'secretStoreRef':{'name':'store'},'data':[{'secretKey':'user','remoteRef':{'key':"
                          "'other'}}]}");
    world_expect_value("es", "user", "value");
    assert_string_equal(world_value("es", "password"), "(none)");
}

static void test_a_new_annotation_forces_a_refresh(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    vault_set("db", "new");
    world_patch(ES, "ns", "es", "{'metadata':{'annotations':{'external-secrets.io/force-sync':'1'}}}");
    world_expect_value("es", "password", "new");
}

/* ---- refresh policies ---- */

static void test_created_once(void **state)
{
    (void)state;
    start_synced(SPEC("'refreshPolicy':'CreatedOnce',"));
    vault_set("db", "new");
    world_skip_ms(3 * HOUR);
    world_patch(ES, "ns", "es", "{'metadata':{'annotations':{'a':'1'}}}");
    world_settle();
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_int_equal(is(&vault_reads), 0);
    world_delete(SECRET, "ns", "es"); /* a lost target is another matter */
    world_expect_value("es", "password", "new");
}

static void test_on_change(void **state)
{
    (void)state;
    start_synced(SPEC("'refreshPolicy':'OnChange',"));
    vault_set("db", "new");
    world_skip_ms(3 * HOUR);
    assert_string_equal(world_value("es", "password"), "hunter2");
    world_patch(ES, "ns", "es", "{'metadata':{'labels':{'a':'1'}}}");
    world_expect_value("es", "password", "new");
}

static void test_an_interval_of_nothing(void **state)
{
    (void)state;
    start_synced(SPEC("'refreshInterval':'0',"));
    vault_set("db", "new");
    world_skip_ms(1000 * HOUR);
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_int_equal(is(&vault_reads), 0);
}

/* ---- targets that others touch ---- */

static void test_a_foreign_secret_is_adopted(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'es','namespace':'ns'},"
                "'data':{'old':'eA=='}}");
    start_synced(SPEC(""));
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_string_equal(world_value("es", "old"), "(none)");
    json_t *secret = world_get(SECRET, "ns", "es");
    assert_string_equal(es_obj_str(secret, "metadata", "labels", ES_LABEL_MANAGED), "true");
    json_decref(secret);
}

static void test_a_tampered_target_is_repaired(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    world_patch(SECRET, "ns", "es", "{'data':{'password':'eA==','more':'eA=='}}");
    world_expect_value("es", "password", "hunter2");
    world_settle();
    assert_string_equal(world_value("es", "more"), "(none)");
    assert_string_equal(world_ready(ES, "ns", "es"), SYNCED);
}

static void test_a_target_that_lost_its_label_is_taken_back(void **state)
{
    json_t *secret;
    (void)state;
    start_synced(SPEC(""));
    world_patch(SECRET, "ns", "es", "{'metadata':{'labels':{'" ES_LABEL_MANAGED "':null}}}");
    world_settle();
    secret = world_get(SECRET, "ns", "es");
    assert_string_equal(es_obj_str(secret, "metadata", "labels", ES_LABEL_MANAGED), "true");
    json_decref(secret);
}

static void test_a_deleted_target_is_rebuilt(void **state)
{
    (void)state;
    start_synced(SPEC("'refreshInterval':'0',"));
    world_delete(SECRET, "ns", "es");
    world_expect_value("es", "password", "hunter2");
}

static void test_an_orphaned_target_is_left_alone_until_the_refresh(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'creationPolicy':'Orphan'},"));
    json_t *secret = world_get(SECRET, "ns", "es");
    assert_null(es_obj_controller(secret));
    json_decref(secret);
    world_delete(SECRET, "ns", "es");
    world_settle();
    assert_no_secret("es");
    world_skip_ms(HOUR + 2000);
    world_expect_value("es", "password", "hunter2");
}

static void test_merge_waits_for_a_target(void **state)
{
    (void)state;
    vault_set("db", "hunter2");
    world_store();
    world_external_secret("es", SPEC("'target':{'creationPolicy':'Merge'},"));
    world_expect("es", "True|SecretMissing|secret will not be created due to CreationPolicy=Merge");
    world_settle();
    assert_no_secret("es");
    world_apply("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'es','namespace':'ns'},"
                "'data':{'theirs':'eA=='}}");
    world_skip_ms(HOUR + 2000);
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_string_equal(world_value("es", "theirs"), "x");
}

static void test_none_writes_nothing(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'creationPolicy':'None'},"));
    assert_no_secret("es");
    json_t *es = world_get(ES, "ns", "es");
    assert_null(es_obj_at(es, "status", "binding"));
    json_decref(es);
    world_skip_ms(1000);
    assert_int_equal(is(&world_calls.create) + is(&world_calls.update), 0);
}

static void test_two_want_one_target(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'name':'shared'},"));
    world_external_secret("rival", SPEC("'target':{'name':'shared'},"));
    world_expect("rival",
                 "False|SecretSyncedError|target is owned by another ExternalSecret: unable to mutate secret "
                 "shared: secret is owned by another ExternalSecret: es");
    world_expect_event("Warning", "UpdateFailed",
                       "unable to mutate secret shared: secret is owned by another ExternalSecret: es");
    world_until(has_finalizer, NAME("rival"), "the finalizer");
    world_settle();
    world_forget_calls();
    usleep(200000); /* no backoff either: it waits for an edit */
    world_settle();
    assert_int_equal(is(&vault_reads), 0);
    assert_int_equal(world_writes(), 0);
    assert_string_equal(world_ready(ES, "ns", "es"), SYNCED);
    assert_string_equal(world_value("shared", "password"), "hunter2");
}

static void test_somebody_else_controls_the_target(void **state)
{
    (void)state;
    world_apply(
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'es','namespace':'ns','ownerReferences':"
        "[{'apiVersion':'v1','kind':'Thing','name':'t','uid':'tu','controller':true}]},'data':{}}");
    vault_set("db", "hunter2");
    world_store();
    world_external_secret("es", SPEC(""));
    for (int i = 0; i < 5000 && es_streq(world_ready(ES, "ns", "es"), "(none)"); i++)
        usleep(1000);
    assert_true(es_str_starts(world_ready(ES, "ns", "es"),
                              "False|SecretSyncedError|failed to take ownership of target secret: "));
    assert_string_equal(world_value("es", "password"), "(none)");
}

static void test_an_immutable_target(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    world_patch(SECRET, "ns", "es", "{'immutable':true}");
    world_settle();
    vault_set("db", "new");
    world_skip_ms(HOUR + 2000);
    world_expect(
        "es", "False|SecretSyncedError|could not update secret, target is immutable: unable to update secret "
              "es: secret is immutable");
    assert_string_equal(world_value("es", "password"), "hunter2");
}

static void test_a_renamed_target_leaves_no_orphan(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'name':'before'},"));
    world_external_secret("es", SPEC("'target':{'name':'after'},"));
    world_expect_value("after", "password", "hunter2");
    world_settle();
    assert_no_secret("before");
    assert_int_equal(is(&world_calls.remove), 1);
    world_expect_event("Normal", "Deleted", "secret deleted because it was orphaned");
}

/* ---- what is late ---- */

/* The seconds that /metrics says, or 0. */
static int overdue_s(struct es_metrics *m)
{
    static const char series[] = "esod_externalsecret_overdue_seconds{name=\"es\",namespace=\"ns\"} ";
    struct es_buf page;

    es_buf_init(&page, (size_t)1 << 20);
    es_metrics_write(m, &page);
    const char *at = strstr(es_buf_str(&page), series);
    int seconds = at ? atoi(at + strlen(series)) : 0;
    es_buf_fini(&page);
    return seconds;
}

static bool is_in_time(void *m)
{
    return overdue_s(m) == 0;
}

/* From when it was due, however often it fails; until it is in step again. */
static void test_what_is_late_is_told(void **state)
{
    struct es_metrics *m = es_metrics_new();

    (void)state;
    world_stop();
    world_start(&(struct world_opts){.metrics = m});
    start_synced(SPEC(""));
    assert_int_equal(overdue_s(m), 0);
    vault_set("db", NULL);
    world_skip_ms(HOUR + 2000);
    world_expect("es", FETCH_FAILED "error processing spec.data[0] (key: db), err: Secret does not exist");
    assert_int_equal(overdue_s(m), 0);
    world_skip_ms(100000);
    assert_in_range(overdue_s(m), 100, 122);
    vault_set("db", "back");
    world_expect("es", SYNCED);
    world_until(is_in_time, m, "the ExternalSecret is in time again");
    world_stop();
    world_start(NULL);
    es_metrics_free(m);
}

/* ---- what is missing at the provider ---- */

static void test_a_missing_value_is_an_error(void **state)
{
    (void)state;
    start_synced(SPEC(""));
    vault_set("db", NULL);
    world_skip_ms(HOUR + 2000);
    world_expect("es", FETCH_FAILED "error processing spec.data[0] (key: db), err: Secret does not exist");
    assert_string_equal(world_value("es", "password"), "hunter2");
    vault_set("db", "back"); /* the backoff finds out */
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "password"), "back");
}

static void test_deletion_follows_the_provider(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'deletionPolicy':'Delete'},"));
    vault_set("db", NULL);
    world_skip_ms(HOUR + 2000);
    world_expect("es", "True|SecretDeleted|secret deleted due to DeletionPolicy=Delete");
    assert_no_secret("es");
    world_expect_event("Normal", "MissingProviderSecret",
                       "secret does not exist at provider using spec.dataFrom[0] (key=db)");
    world_expect_event("Normal", "Deleted", "secret deleted due to DeletionPolicy=Delete");
    vault_set("db", "back");
    world_skip_ms(HOUR + 2000);
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "password"), "back");
}

/* A key of 601 bytes in characters of two: said whole. */
static void test_a_long_key_that_is_missing(void **state)
{
    char key[602] = "x", spec[1200], want[800];
    (void)state;

    for (int i = 0; i < 300; i++)
        memcpy(key + 1 + 2 * i, "\xc3\xa4", 3);
    snprintf(spec, sizeof spec,
             "{'secretStoreRef':{'name':'store'},'target':{'deletionPolicy':'Delete'},"
             "'data':[{'secretKey':'password','remoteRef':{'key':'%s'}}]}",
             key);
    world_store();
    world_external_secret("es", spec);
    world_expect("es", "True|SecretDeleted|secret deleted due to DeletionPolicy=Delete");
    snprintf(want, sizeof want, "secret does not exist at provider using spec.dataFrom[0] (key=%s)", key);
    world_expect_event("Normal", "MissingProviderSecret", want);
}

static void test_only_an_owner_deletes(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'deletionPolicy':'Delete','creationPolicy':'Orphan'},"));
    vault_set("db", NULL);
    world_skip_ms(HOUR + 2000);
    world_expect("es", "False|SecretSyncedError|could not delete secret: unable to delete secret es: "
                       "creationPolicy=Orphan is not Owner");
    assert_string_equal(world_value("es", "password"), "hunter2");
}

static void test_merged_away(void **state)
{
    (void)state;
    start_synced(SPEC("'target':{'deletionPolicy':'Merge'},"));
    vault_set("db", NULL);
    world_skip_ms(HOUR + 2000);
    world_expect_value("es", "password", "(none)");
    assert_string_equal(world_ready(ES, "ns", "es"), SYNCED);
}

static void test_an_empty_map_is_retained(void **state)
{
    (void)state;
    vault_set("doc", "{\"a\":\"1\"}");
    start_synced("{'secretStoreRef':{'name':'store'},'dataFrom':[{'extract':{'key':'doc'}}]}");
    assert_string_equal(world_value("es", "a"), "1");
    vault_set("doc", "{}");
    world_skip_ms(HOUR + 2000);
    world_expect("es", "True|SecretSynced|secret retained due to DeletionPolicy=Retain");
    assert_string_equal(world_value("es", "a"), "1");
}

/* ---- how values are read ---- */

static void test_maps_then_values(void **state)
{
    (void)state;
    vault_set("doc", "{\"user\":\"admin\",\"password\":\"from the map\",\"n\":{\"port\":5432}}");
    vault_set("app-one", "1");
    vault_set("app-two", "2");
    start_synced(
        "{'secretStoreRef':{'name':'store'},'dataFrom':[{'extract':{'key':'doc'}},"
        "{'find':{'name':{'regexp':'^app-'}},'rewrite':[{'regexp':{'source':'^app-','target':'x_'}}]}],"
        "'data':[{'secretKey':'password','remoteRef':{'key':'db'}},"
        "{'secretKey':'port','remoteRef':{'key':'doc','property':'n.port'}}]}");
    assert_string_equal(world_value("es", "user"), "admin");
    assert_string_equal(world_value("es", "password"), "hunter2");
    assert_string_equal(world_value("es", "port"), "5432");
    assert_string_equal(world_value("es", "x_one"), "1");
    assert_string_equal(world_value("es", "x_two"), "2");
    assert_string_equal(world_value("es", "app-one"), "(none)");
}

/* Puts the key behind the text; of an empty text there is nothing to make. */
static int append_key(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                      struct es_blob *ret, struct es_error *err)
{
    char out[100];
    (void)ctx;
    if (len == 0)
        return es_error_set(err, ES_E_CONFIG, "%s: nothing to render", name);
    snprintf(out, sizeof out, "%.*s%s", (int)len, text, es_obj_str(data, "value"));
    return es_blob_set(ret, out, strlen(out));
}

#define TRANSFORM(template)                                                                                  \
    "{'secretStoreRef':{'name':'store'},'dataFrom':[{'extract':{'key':'doc'},"                               \
    "'rewrite':[{'transform':{'template':'" template "'}}]}]}"

static void test_keys_are_transformed_by_templates(void **state)
{
    (void)state;
    world_stop();
    world_start(&(struct world_opts){.render = append_key});
    vault_set("doc", "{\"user\":\"admin\",\"port\":5432}");
    start_synced(TRANSFORM("db-"));
    assert_string_equal(world_value("es", "db-user"), "admin");
    assert_string_equal(world_value("es", "db-port"), "5432");
    assert_string_equal(world_value("es", "user"), "(none)");
    world_external_secret("es", TRANSFORM(""));
    world_expect("es",
                 FETCH_FAILED "error processing spec.dataFrom[0].extract, err: error applying rewrite to "
                              "keys: failed rewrite operation[0]: transform failed with failed to execute "
                              "template for key \"port\": transform: nothing to render");
    world_external_secret("es", TRANSFORM("{{ .value"));
    world_expect("es",
                 FETCH_FAILED "error processing spec.dataFrom[0].extract, err: error applying rewrite to "
                              "keys: failed rewrite operation[0]: transform failed with failed to parse "
                              "template: template: transform:1: unclosed action");
}

static void test_templates_without_actions(void **state)
{
    (void)state;
    start_synced(
        SPEC("'target':{'template':{'type':'example.com/x','mergePolicy':'Merge','metadata':{'labels':"
             "{'team':'a'}},'data':{'fixed':'text'}}},"));
    assert_string_equal(world_value("es", "fixed"), "text");
    assert_string_equal(world_value("es", "password"), "hunter2");
    json_t *secret = world_get(SECRET, "ns", "es");
    assert_string_equal(es_obj_str(secret, "type"), "example.com/x");
    assert_string_equal(es_obj_str(secret, "metadata", "labels", "team"), "a");
    json_decref(secret);
}

static void test_sentences_about_the_source(void **state)
{
    static const struct {
        const char *spec, *why;
    } cases[] = {
        {"{'secretStoreRef':{'name':'nowhere'},'data':[{'secretKey':'a','remoteRef':{'key':'db'}}]}",
         "error processing spec.data[0] (key: db), err: could not get SecretStore \"nowhere\", "
         "SecretStore.external-secrets.io \"nowhere\" not found"},
        {"{'secretStoreRef':{'name':'nowhere','kind':'ClusterSecretStore'},'dataFrom':[{'extract':{'key':'db'"
         "}}]}",
         "error processing spec.dataFrom[0].extract, err: could not get ClusterSecretStore \"nowhere\", "
         "ClusterSecretStore.external-secrets.io \"nowhere\" not found"},
        {"{'secretStoreRef':{'name':'store','kind':'Store'},'data':[{'secretKey':'a','remoteRef':{'key':'db'}"
         "}]}",
         "unsupported secret store kind: Store"},
        {"{'dataFrom':[{'sourceRef':{'generatorRef':{'kind':'UUID','name':'u'}}}]}",
         "error processing spec.dataFrom[0].sourceRef.generatorRef, err: error using generator: no loaded "
         "plugin serves "
         "generators of kind UUID"},
        {"{'secretStoreRef':{'name':'store'},'dataFrom':[{'extract':{'key':'db'}}]}",
         "error processing spec.dataFrom[0].extract, err: unable to unmarshal secret: not valid JSON at byte "
         "0 of 7"},
        {"{'secretStoreRef':{'name':'store'},'data':[{'secretKey':'a','remoteRef':{'key':'db','"
         "decodingStrategy':"
         "'Base64'}}]}",
         "error processing spec.data[0] (key: db), err: error applying decoding strategy Base64 to data: "
         "illegal base64 "
         "data at input byte 4"},
    };
    (void)state;

    start_synced(SPEC(""));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[1024];
        snprintf(want, sizeof want, FETCH_FAILED "%s", cases[i].why);
        world_external_secret("es", cases[i].spec);
        world_expect("es", want);
        assert_string_equal(world_value("es", "password"), "hunter2");
    }
}

static esp_status list_oddly(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return probe_host->emit(call, ESP_OUT_VALUE, bytes("odd\xff\xfe"), bytes("v"));
}

/* Whatever a backend calls its secrets, they become keys that a Secret can have. */
static void test_a_key_that_is_no_text(void **state)
{
    (void)state;
    probe_ops.list = list_oddly;
    start_synced(SPEC(""));
    world_external_secret("es", "{'secretStoreRef':{'name':'store'},'dataFrom':[{'find':{'path':'x'}}]}");
    world_expect_value("es", "odd__", "v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_a_first_sync),
        IN_WORLD(test_a_changed_value),
        IN_WORLD(test_an_unchanged_refresh),
        IN_WORLD(test_between_refreshes_nothing_is_asked),
        IN_WORLD(test_an_edit_is_followed_at_once),
        IN_WORLD(test_a_new_annotation_forces_a_refresh),
        IN_WORLD(test_created_once),
        IN_WORLD(test_on_change),
        IN_WORLD(test_an_interval_of_nothing),
        IN_WORLD(test_a_foreign_secret_is_adopted),
        IN_WORLD(test_a_tampered_target_is_repaired),
        IN_WORLD(test_a_target_that_lost_its_label_is_taken_back),
        IN_WORLD(test_a_deleted_target_is_rebuilt),
        IN_WORLD(test_an_orphaned_target_is_left_alone_until_the_refresh),
        IN_WORLD(test_merge_waits_for_a_target),
        IN_WORLD(test_none_writes_nothing),
        IN_WORLD(test_two_want_one_target),
        IN_WORLD(test_somebody_else_controls_the_target),
        IN_WORLD(test_an_immutable_target),
        IN_WORLD(test_a_renamed_target_leaves_no_orphan),
        IN_WORLD(test_what_is_late_is_told),
        IN_WORLD(test_a_missing_value_is_an_error),
        IN_WORLD(test_deletion_follows_the_provider),
        IN_WORLD(test_a_long_key_that_is_missing),
        IN_WORLD(test_only_an_owner_deletes),
        IN_WORLD(test_merged_away),
        IN_WORLD(test_an_empty_map_is_retained),
        IN_WORLD(test_maps_then_values),
        IN_WORLD(test_keys_are_transformed_by_templates),
        IN_WORLD(test_templates_without_actions),
        IN_WORLD(test_sentences_about_the_source),
        IN_WORLD(test_a_key_that_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
