/* What a store was opened with changes, comes and goes: it is opened again at once,
 * looked at, and whoever waited for it goes on. Failures are repeated after an
 * hour here, so that nothing but an event can have helped. */
#include "externalsecret_test.h"

#include "core/base/codec.h"
#include "core/controller/denied.h"
#include "core/controller/sources.h"
#include "core/controller/store_table.h"
#include "tests/unit/plugin/probe.h"

#define STORE (&es_kind_secret_store)
#define CSTORE (&es_kind_cluster_secret_store)
#define VALID "True|Valid|store validated"
#define NO_CLIENT "False|InvalidProviderConfig|unable to create client: "
#define REFUSED FETCH_FAILED "error processing spec.data[0] (key: db), err: "

/* ---- a provider that logs in ---- */

static int lazy;  /* atomically: the credential is read by `get`, not by `open` */
static int whole; /* atomically: it is read with all of its Secret */

/* The object with these members and no others; the token is that of its label. */
static esp_status read_object(struct esp_call *call, const json_t *ref, esp_bytes *out)
{
    esp_bytes object;
    esp_status status = probe_host->kube_read(call, ESP_KUBE_SECRET_OBJECT, bytes(""),
                                              bytes(es_obj_str(ref, "name")), bytes(""), &object);
    if (status != ESP_OK)
        return status;
    json_t *got = json_loadb((const char *)object.ptr, object.len, 0, NULL);
    json_t *want = parse("{\"metadata\":{\"name\":\"login\",\"namespace\":\"ns\",\"labels\":{},"
                         "\"annotations\":{}},\"type\":\"\",\"data\":{\"t\":\"\"}}");
    json_object_update(json_object_get(json_object_get(want, "metadata"), "labels"),
                       es_obj_at(got, "metadata", "labels"));
    json_object_update(json_object_get(want, "data"), json_object_get(got, "data"));
    assert_true(json_equal(got, want));
    assert_int_equal(json_object_size(json_object_get(got, "data")), 1);
    static char label[64];
    snprintf(label, sizeof label, "%s", es_obj_str(got, "metadata", "labels", "x"));
    *out = bytes(label);
    json_decref(got);
    json_decref(want);
    return ESP_OK;
}

static esp_status read_token(struct esp_call *call, const json_t *request, esp_bytes *out)
{
    const json_t *ref = es_obj_at(request, "spec", "tokenRef");
    if (is(&whole))
        return read_object(call, ref, out);
    return probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(es_obj_str(ref, "namespace")),
                                 bytes(es_obj_str(ref, "name")), bytes(es_obj_str(ref, "key")), out);
}

/* An instance is what it logged in with: the store is asked for that. */
struct session {
    char token[64];
    json_t *request;
};

static esp_status open_session(struct esp_call *call, const struct esp_request *request, void **instance)
{
    struct session *s = es_mem_calloc(1, sizeof *s);
    esp_bytes token = {0};
    esp_status status = ESP_OK;

    s->request = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    if (!is(&lazy) && es_obj_at(s->request, "spec", "tokenRef"))
        status = read_token(call, s->request, &token);
    if (status != ESP_OK) {
        json_decref(s->request);
        es_mem_free(s);
        return status;
    }
    snprintf(s->token, sizeof s->token, "%.*s", (int)token.len, (const char *)token.ptr);
    *instance = s;
    __atomic_add_fetch(&probe_opened, 1, __ATOMIC_SEQ_CST);
    return ESP_OK;
}

static void close_session(void *instance, struct esp_call *call)
{
    struct session *s = instance;
    (void)call;
    json_decref(s->request);
    es_mem_free(s);
    __atomic_add_fetch(&probe_closed, 1, __ATOMIC_SEQ_CST);
}

static esp_status get_as(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct session *s = instance;
    esp_bytes token = bytes(s->token);
    (void)request;
    if (is(&lazy)) {
        esp_status status = read_token(call, s->request, &token);
        if (status != ESP_OK)
            return status;
    }
    if (token.len == 5 && memcmp(token.ptr, "wrong", 5) == 0)
        return probe_fail(call, ESP_E_DENIED, 0, "the token was refused");
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), token);
}

static int setup(void **state)
{
    (void)state;
    world_start(&(struct world_opts){.backoff_ms = HOUR});
    __atomic_store_n(&lazy, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&whole, 0, __ATOMIC_SEQ_CST);
    probe_ops.open = open_session;
    probe_ops.close = close_session;
    probe_ops.get = get_as;
    return 0;
}

static int teardown(void **state)
{
    world_teardown(state);
    assert_int_equal(probe_opened, probe_closed);
    return 0;
}

static void secret(const char *ns, const char *name, const char *label, const char *token)
{
    char text[512], encoded[128];
    struct es_buf buf;

    es_buf_init(&buf, sizeof encoded);
    es_base64_encode(&buf, token, strlen(token));
    snprintf(
        text, sizeof text,
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'%s','namespace':'%s','labels':{'x':'%s'}},"
        "'data':{'t':'%s'}}",
        name, ns, label, es_buf_str(&buf));
    es_buf_fini(&buf);
    world_apply(text);
}

static void store_with(const char *ref)
{
    char text[512];
    snprintf(text, sizeof text,
             "{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store',"
             "'namespace':'ns'},'spec':{'provider':{'probe':{%s}}}}",
             ref);
    world_apply(text);
}

#define REF "'tokenRef':{'name':'login','key':'t'}"

static bool opened_as_often(void *ctx)
{
    return is(&probe_opened) == *(const int *)ctx;
}

static bool was_valid_as_often(void *ctx)
{
    return world_events("Valid") == *(const int *)ctx;
}

/* So often, and then no more. */
static void assert_opened(int times)
{
    world_until(opened_as_often, &times, "an opening");
    world_settle();
    assert_int_equal(is(&probe_opened), times);
}

/* ---- Secrets ---- */

static void test_a_changed_credential_opens_again(void **state)
{
    (void)state;
    secret("ns", "login", "", "one");
    secret("ns", "other", "", "x");
    store_with(REF);
    world_external_secret("es", SPEC(""));
    world_expect_value("es", "password", "one");
    world_expect("es", SYNCED);
    assert_opened(1);

    secret("ns", "other", "", "y"); /* nobody's */
    world_settle();
    assert_opened(1);
    secret("ns", "login", "", "two");
    assert_opened(2); /* by the store's own look at it */
    world_expect_store(VALID);
    world_until(was_valid_as_often, &(int){2}, "a second validation");
    world_skip_ms(HOUR + 1);
    world_expect_value("es", "password", "two");
    assert_int_equal(is(&probe_closed), 1);
}

static void test_a_whole_secret_is_a_source_too(void **state)
{
    (void)state;
    __atomic_store_n(&whole, 1, __ATOMIC_SEQ_CST);
    store_with(REF);
    world_external_secret("es", SPEC(""));
    world_expect_store("False|InvalidProviderConfig|unable to create client: cannot get Kubernetes secret "
                       "\"login\" from namespace \"ns\": secrets \"login\" not found");
    secret("ns", "login", "one", "x");
    world_expect_value("es", "password", "one");
    secret("ns", "login", "two", "x"); /* its data stays: the object has changed all the same */
    assert_opened(2);
    world_skip_ms(HOUR + 1);
    world_expect_value("es", "password", "two");
}

static void test_who_failed_retries_at_once(void **state)
{
    (void)state;
    secret("ns", "login", "", "wrong");
    store_with(REF);
    world_external_secret("es", SPEC(""));
    world_expect("es", REFUSED "the token was refused");
    world_settle();
    secret("ns", "login", "", "right");
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "password"), "right");
}

static void test_a_missing_credential_is_waited_for(void **state)
{
    (void)state;
    store_with(REF);
    world_external_secret("es", SPEC(""));
    world_expect_store(NO_CLIENT "cannot get Kubernetes secret \"login\" from namespace \"ns\": secrets "
                                 "\"login\" not found");
    world_settle();
    secret("ns", "login", "", "here");
    world_expect_store(VALID);
    world_expect("es", SYNCED);
    assert_opened(1);

    world_delete(SECRET, "ns", "login");
    world_expect_store(NO_CLIENT "cannot get Kubernetes secret \"login\" from namespace \"ns\": secrets "
                                 "\"login\" not found");
    world_settle();
    secret("ns", "login", "", "back");
    world_expect_store(VALID);
    assert_opened(2);
}

static void test_a_missing_key_is_waited_for(void **state)
{
    (void)state;
    secret("ns", "login", "", "one");
    store_with("'tokenRef':{'name':'login','key':'u'}");
    world_expect_store(NO_CLIENT "cannot find secret data for key: \"u\"");
    world_settle();
    world_apply("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'login','namespace':'ns'},'data':{'u':"
                "'b25l'}}");
    world_expect_store(VALID);
}

/* The next call reads it anyway; what else was made of the old one is not known. */
static void test_a_credential_that_is_read_late(void **state)
{
    (void)state;
    __atomic_store_n(&lazy, 1, __ATOMIC_SEQ_CST);
    secret("ns", "login", "", "wrong");
    store_with(REF);
    world_external_secret("es", SPEC(""));
    world_expect("es", REFUSED "the token was refused");
    assert_opened(1);
    secret("ns", "login", "", "right");
    world_expect("es", SYNCED);
    assert_opened(2);
}

/* A Secret that an ExternalSecret makes is another store's credential: no watch
 * brings our own writes back. */
static void test_a_credential_that_we_make(void **state)
{
    (void)state;
    secret("ns", "login", "", "one");
    store_with(REF);
    world_external_secret("made", SPEC("'refreshInterval':'1m',"));
    world_expect_value("made", "password", "one");
    world_apply(
        "{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'second',"
        "'namespace':'ns'},'spec':{'provider':{'probe':{'tokenRef':{'name':'made','key':'password'}}}}}");
    world_external_secret("es", "{'secretStoreRef':{'name':'second'},'data':[{'secretKey':'password',"
                                "'remoteRef':{'key':'db'}}]}");
    world_expect_value("es", "password", "one");
    world_settle();
    assert_opened(2);
    secret("ns", "login", "", "two");
    assert_opened(3);
    world_skip_ms(60001); /* "made" is written, and "second" opened with it */
    world_expect_value("made", "password", "two");
    assert_opened(4);
    world_delete(SECRET, "ns", "made"); /* it comes back at once */
    world_expect_value("made", "password", "two");
    world_settle();
    assert_true(is(&probe_opened) > 4);
    assert_string_equal(world_ready(STORE, "ns", "second"), VALID);
}

/* ---- for whom ---- */

static void referent_store(void)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o =
        quoted("{'apiVersion':'external-secrets.io/v1','kind':'ClusterSecretStore','metadata':{'name':"
               "'cstore'},'spec':{'provider':{'probe':{" REF "}}}}");
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

static void external_secret_of(const char *ns)
{
    char text[512];
    snprintf(text, sizeof text,
             "{'apiVersion':'external-secrets.io/v1','kind':'ExternalSecret','metadata':{'name':'es',"
             "'namespace':'%s'},'spec':{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'},"
             "'data':[{'secretKey':'password','remoteRef':{'key':'db'}}]}}",
             ns);
    world_apply(text);
}

static bool is_synced_in(void *ctx)
{
    return es_streq(world_ready(ES, ctx, "es"), SYNCED);
}

static bool is_refused_in(void *ns)
{
    return es_streq(world_ready(ES, ns, "es"), REFUSED "the token was refused");
}

static void test_each_namespace_has_its_own(void **state)
{
    (void)state;
    secret("ns", "login", "", "one");
    secret("far", "login", "", "wrong");
    referent_store();
    external_secret_of("ns");
    external_secret_of("far");
    world_until(is_synced_in, NAME("ns"), "synced in ns");
    world_until(is_refused_in, NAME("far"), "refused in far");
    world_settle();
    int opened = is(&probe_opened);
    assert_true(opened >= 2); /* one for each at least; seldom, under load, one more */

    world_until(was_valid_as_often, &(int){1}, "the first validation");
    secret("far", "login", "", "two");
    world_until(is_synced_in, NAME("far"), "synced in far");
    assert_opened(opened + 1);                  /* that of "ns" was left alone */
    assert_int_equal(world_events("Valid"), 1); /* the store itself reads neither */

    /* Whoever does not use it any more is not waited for. */
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 2);
    world_delete(ES, "far", "es");
    world_settle();
    secret("far", "login", "", "three");
    world_settle();
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 1);
}

static void test_a_foreign_namespace_is_refused(void **state)
{
    (void)state;
    secret("far", "login", "", "one");
    secret("ns", "login", "", "one");
    store_with("'tokenRef':{'name':'login','namespace':'far','key':'t'}");
    world_expect_store(NO_CLIENT "namespace should either be empty or match the namespace of the SecretStore "
                                 "for a namespaced SecretStore");
    store_with("'tokenRef':{'name':'login','namespace':'ns','key':'t'}");
    world_expect_store(VALID);
}

/* ---- stores that change and go ---- */

static void test_what_no_store_reads_is_forgotten(void **state)
{
    (void)state;
    secret("ns", "login", "", "one");
    store_with(REF);
    world_expect_store(VALID);
    world_settle();
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 1);
    store_with("'anonymous':true");
    assert_opened(2);
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 0);
    secret("ns", "login", "", "two");
    assert_opened(2);

    es_sources_sweep(&world_env); /* the watch ends, and begins again when it is needed */
    store_with(REF);
    assert_opened(3);
    secret("ns", "login", "", "three");
    assert_opened(4);
    world_delete(STORE, "ns", "store");
    world_settle();
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 0);
    es_sources_sweep(&world_env);
    secret("ns", "login", "", "four");
    assert_opened(4);
    assert_int_equal(is(&probe_closed), 4);
}

/* ---- the moments in between ---- */

struct hand {
    const struct es_store *store;
    struct es_reader *reader;
};

static struct hand take_store(void)
{
    struct es_error err = ES_ERROR_INIT;
    struct hand h = {0};

    check_ok(es_store_get(&world_env, STORE, "ns", "store", &h.store, &err), &err);
    check_ok(es_sources_reader(&world_env, h.store, "", &h.reader, &err), &err);
    return h;
}

static void give_back(struct hand *h)
{
    es_reader_release(&world_env, h->reader);
    es_store_release(&world_env, h->store);
}

/* Whether the reader was outdated since it had this edition. */
static bool is_outdated(const struct hand *h, uint64_t *edition)
{
    uint64_t now = es_reader_edition(&world_env, h->reader);
    bool outdated = now != *edition;
    *edition = now;
    return outdated;
}

#define READING(h) es_sources_reading(&world_env, (h).reader, ES_READ_SECRET, "ns", "login")
#define FOUND(h, rv, reading)                                                                                \
    es_sources_read(&world_env, (h).reader, ES_READ_SECRET, "ns", "login", rv, reading)
#define HEARD(rv, gone) es_sources_news(&world_env, ES_READ_SECRET, "ns", "login", rv, gone)

/* The watch is up, so that all that is heard is what a test says. */
static void begin_to_watch(void)
{
    secret("ns", "first", "", "x");
    store_with("'tokenRef':{'name':'first','key':'t'}");
    world_expect_store(VALID);
    world_settle();
}

static void test_news_and_reads_in_any_order(void **state)
{
    static const struct {
        const char *had;   /* found by an earlier read; "-": none */
        const char *heard; /* while this read runs; "-": nothing, "": gone */
        const char *found; /* by this read; "": not there, NULL: it failed */
        const char *later; /* what is heard after it */
        bool by_the_read, by_the_news;
    } cases[] = {
        {"-", "-", "500", "-", false, false},
        {"-", "-", "500", "500", false, false},  /* the watch says the same */
        {"-", "-", "500", "501", false, true},   /* a change */
        {"-", "-", "500", "499", false, false},  /* the watch lags behind */
        {"-", "-", "500", "", false, true},      /* it went */
        {"-", "-", "", "", false, false},        /* it was not there */
        {"-", "-", "", "500", false, true},      /* it came */
        {"-", "-", NULL, "500", false, true},    /* whatever it was, it may help */
        {"-", "501", "500", "-", true, false},   /* changed between the read and its end */
        {"-", "501", "500", "501", true, false}, /* and that is told once */
        {"-", "499", "500", "-", false, false},
        {"-", "500", "500", "-", false, false},
        {"-", "500", "", "-", true, false}, /* no version tells which came first */
        {"-", "", "500", "-", true, false},
        {"-", "", "", "-", false, false},
        {"400", "-", "500", "500", true, false}, /* the read is the first to notice */
        {"500", "-", "400", "-", false, false},  /* a slow one is not */
        {"400", "-", "", "-", true, false},
        {"400", "-", NULL, "400", false, false},
        {"9", "-", "10", "-", true, false}, /* versions are numbers */
    };
    (void)state;

    begin_to_watch();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "'n':%zu", i); /* another version: nothing is known */
        store_with(spec);
        world_settle();
        struct hand h = take_store();
        uint64_t edition = es_reader_edition(&world_env, h.reader);

        if (strcmp(cases[i].had, "-"))
            FOUND(h, cases[i].had, READING(h));
        assert_false(is_outdated(&h, &edition));
        uint64_t reading = READING(h);
        if (strcmp(cases[i].heard, "-"))
            HEARD(*cases[i].heard ? cases[i].heard : NULL, !*cases[i].heard);
        FOUND(h, cases[i].found, reading);
        if (is_outdated(&h, &edition) != cases[i].by_the_read)
            fail_msg("case %zu: the read", i);
        if (strcmp(cases[i].later, "-"))
            HEARD(*cases[i].later ? cases[i].later : NULL, !*cases[i].later);
        if (is_outdated(&h, &edition) != cases[i].by_the_news)
            fail_msg("case %zu: the news", i);
        give_back(&h);
        world_settle();
    }
}

/* What went between the read and the first list is in no event. */
static void test_a_list_tells_what_is_gone(void **state)
{
    (void)state;
    begin_to_watch();
    store_with("'anonymous':true");
    world_settle();
    struct hand h = take_store();
    uint64_t edition = es_reader_edition(&world_env, h.reader);

    FOUND(h, "500", READING(h));
    es_sources_list_begins(&world_env, ES_READ_SECRET);
    HEARD("500", false);
    es_sources_list_ended(&world_env, ES_READ_SECRET);
    assert_false(is_outdated(&h, &edition));
    es_sources_list_begins(&world_env, ES_READ_SECRET);
    es_sources_list_begins(&world_env, ES_READ_SECRET); /* begun anew */
    es_sources_list_ended(&world_env, ES_READ_SECRET);
    assert_true(is_outdated(&h, &edition));
    es_sources_list_begins(&world_env, ES_READ_SECRET);
    es_sources_list_ended(&world_env, ES_READ_SECRET);
    assert_false(is_outdated(&h, &edition)); /* it is known to be gone */
    give_back(&h);
}

/* A pass that has an old version of the store in its hand is told so. */
static void test_an_old_version_opens_nothing(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_open_store open = {0};
    (void)state;

    store_with("'n':1");
    world_settle();
    struct hand old = take_store();
    store_with("'n':2");
    assert_opened(2);
    int rc = es_store_open(&world_env, old.store, "ns", 0, &open, &err);
    assert_error(rc, &err, ES_E_CONFLICT, "SecretStore \"store\" was changed meanwhile");
    assert_int_equal(is(&probe_opened), 2);

    /* What it goes on to read is noted nowhere. */
    FOUND(old, "500", READING(old));
    assert_int_equal(es_sources_count(&world_env, ES_READ_SECRET), 0);
    give_back(&old);

    old = take_store();
    world_delete(STORE, "ns", "store");
    world_settle();
    rc = es_store_open(&world_env, old.store, "ns", 0, &open, &err);
    assert_error(rc, &err, ES_E_CONFLICT, "SecretStore \"store\" was changed meanwhile");
    give_back(&old);
}

/* ---- a change at the worst moment ---- */

static int changes_left; /* atomically */

static esp_status open_and_change(struct esp_call *call, const struct esp_request *request, void **instance)
{
    esp_status status = open_session(call, request, instance);
    if (status == ESP_OK && __atomic_fetch_sub(&changes_left, 1, __ATOMIC_SEQ_CST) > 0)
        secret("ns", "login", "", "two"); /* after it was read, before the store is open */
    return status;
}

static void test_a_change_while_it_is_opened(void **state)
{
    (void)state;
    __atomic_store_n(&changes_left, 1, __ATOMIC_SEQ_CST);
    probe_ops.open = open_and_change;
    secret("ns", "login", "", "one");
    store_with(REF);
    assert_opened(2);
    world_external_secret("es", SPEC(""));
    world_expect_value("es", "password", "two");
    assert_opened(2);
}

/* ---- conditions ---- */

static void test_a_label_lets_them_in(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ns','labels':{'team':'b'}}}");
    world_cluster_store("{'conditions':[{'namespaceSelector':{'matchLabels':{'team':'a'}}}]}");
    external_secret_of("ns");
    world_expect("es",
                 REFUSED "using cluster store \"cstore\" is not allowed from namespace \"ns\": denied by "
                         "spec.condition");
    world_settle();
    assert_int_equal(es_denied_count(world_env.denied), 1);
    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ns','labels':{'team':'a'}}}");
    world_expect("es", SYNCED);
    world_settle();
    assert_int_equal(es_denied_count(world_env.denied), 0);

    world_apply("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'ns','labels':{'team':'c'}}}");
    world_external_secret("late", "{'secretStoreRef':{'name':'cstore','kind':'ClusterSecretStore'},'data':[{"
                                  "'secretKey':'password','remoteRef':{'key':'db'}}]}");
    world_settle();
    assert_int_equal(es_denied_count(world_env.denied), 1);
    world_delete(ES, "ns", "late");
    world_settle();
    assert_int_equal(es_denied_count(world_env.denied), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_changed_credential_opens_again),
        TEST(test_a_whole_secret_is_a_source_too),
        TEST(test_who_failed_retries_at_once),
        TEST(test_a_missing_credential_is_waited_for),
        TEST(test_a_missing_key_is_waited_for),
        TEST(test_a_credential_that_is_read_late),
        TEST(test_a_credential_that_we_make),
        TEST(test_each_namespace_has_its_own),
        TEST(test_a_foreign_namespace_is_refused),
        TEST(test_what_no_store_reads_is_forgotten),
        TEST(test_news_and_reads_in_any_order),
        TEST(test_a_list_tells_what_is_gone),
        TEST(test_an_old_version_opens_nothing),
        TEST(test_a_change_while_it_is_opened),
        TEST(test_a_label_lets_them_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
