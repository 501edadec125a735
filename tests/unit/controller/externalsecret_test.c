/* Whole passes: from an ExternalSecret to its Secret, on the real engine. */
#include "world.h"

#include <pthread.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/secret/hash.h"
#include "core/secret/target.h"
#include "tests/unit/plugin/probe.h"

#define ES (&es_kind_external_secret)
#define SECRET (&es_kind_secret)
#define HOUR INT64_C(3600000)
#define SYNCED "True|SecretSynced|secret synced"
#define FETCH_FAILED "False|SecretSyncedError|could not get secret data from provider: "

/* A spec that reads the key "db" as "password"; `more` comes first, with a comma. */
#define SPEC(more)                                                                                           \
    "{" more "'secretStoreRef':{'name':'store'},'data':[{'secretKey':'password','remoteRef':{'key':'db'}}]}"

#define NAME(text) ((void *)(uintptr_t)(text))

static int is(int *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

/* "es" is synced with hunter2, and everything is quiet. */
static void start_synced(const char *spec)
{
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es", spec);
    world_expect("es", SYNCED);
    world_settle();
    world_forget_calls();
}

static void assert_no_secret(const char *name)
{
    assert_string_equal(world_value(name, "password"), "(no secret)");
}

static bool has_finalizer(void *ctx)
{
    json_t *es = world_get(ES, "ns", ctx);
    bool has = es_obj_has_finalizer(es, ES_FINALIZER);
    json_decref(es);
    return has;
}

static bool is_gone(void *ctx)
{
    json_t *es = world_get(ES, "ns", ctx);
    json_decref(es);
    return !es;
}

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
    world_fault = count_status_patches;
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
    world_fault = count_status_patches;
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
    world_fault = write_order;
    start_synced(SPEC(""));
    world_until(has_finalizer, NAME("es"), "the finalizer");
    world_settle();
    assert_string_equal(order, "create Secret, patch ExternalSecretstatus, patch ExternalSecret");
}

static void test_the_finalizer_comes_first_where_it_matters(void **state)
{
    (void)state;
    order[0] = '\0';
    world_fault = write_order;
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
    __atomic_store_n(&world_fault, fail_some, __ATOMIC_SEQ_CST);
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
        for (every = 2; every <= 5; every++) {
            world_teardown(NULL);
            world_start(NULL);
            fault_code = codes[c];
            calls_so_far = 0;
            vault_set("db", "old");
            __atomic_store_n(&world_fault, fail_every, __ATOMIC_SEQ_CST);
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
    __atomic_store_n(&world_fault, NULL, __ATOMIC_SEQ_CST);
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
    assert_int_equal(is(&vault_reads), n);
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

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

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
        IN_WORLD(test_a_missing_value_is_an_error),
        IN_WORLD(test_deletion_follows_the_provider),
        IN_WORLD(test_a_long_key_that_is_missing),
        IN_WORLD(test_only_an_owner_deletes),
        IN_WORLD(test_merged_away),
        IN_WORLD(test_an_empty_map_is_retained),
        IN_WORLD(test_maps_then_values),
        IN_WORLD(test_templates_without_actions),
        IN_WORLD(test_sentences_about_the_source),
        IN_WORLD(test_a_key_that_is_no_text),
        IN_WORLD(test_a_new_store_is_waited_for_quietly),
        IN_WORLD(test_an_unjudged_store_causes_no_flash),
        IN_WORLD(test_a_store_that_is_not_ready),
        IN_WORLD(test_a_store_that_cannot_tell),
        IN_WORLD(test_a_store_of_another_class),
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
