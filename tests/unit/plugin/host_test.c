/* What a plugin may ask the core for, and on whose behalf. */
#include "probe.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"

/* A cluster that answers whatever it is asked, and writes down the question. */
static char asked[512];

static int fake_kube_read(void *ctx, const struct es_authority *who, enum es_kube_read what, const char *ns,
                          const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    assert_non_null(who);
    assert_ptr_equal(ctx, asked);
    snprintf(asked, sizeof asked, "%d %s/%s[%s]", (int)what, ns, name, key);
    if (strcmp(key, "absent") == 0)
        return es_error_set(err, ES_E_NOT_FOUND, "cannot find secret data for key: \"absent\"");
    if (strcmp(key, "busy") == 0)
        return es_error_set(err, ES_E_CONFLICT, "try again");
    return es_blob_set(ret, "hunter2", 7) < 0 ? es_error_nomem(err) : 0;
}

static int fake_sa_token(void *ctx, const struct es_authority *who, const char *ns, const char *name,
                         const char *const *audiences, size_t audience_count, int64_t ttl_s,
                         struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    assert_non_null(who);
    snprintf(asked, sizeof asked, "%s/%s for %zu [%s] %lld s", ns, name, audience_count,
             audience_count ? audiences[0] : "", (long long)ttl_s);
    return es_blob_set(ret, "jwt", 3) < 0 ? es_error_nomem(err) : 0;
}

static int fake_render(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                       struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    if (len == 0)
        return es_error_set(err, ES_E_CONFIG, "%s: nothing to render", name);
    char out[100];
    snprintf(out, sizeof out, "%.*s-%s", (int)len, text, json_string_value(json_object_get(data, "a")));
    return es_blob_set(ret, out, strlen(out)) < 0 ? es_error_nomem(err) : 0;
}

static const struct es_services services = {
    .kube_read = fake_kube_read, .sa_token = fake_sa_token, .render = fake_render, .ctx = asked};

#define SPEC                                                                                                 \
    "{\"auth\":{\"tokenSecretRef\":{\"name\":\"creds\",\"namespace\":\"vault\",\"key\":\"token\"},"          \
    "\"serviceAccountRef\":{\"name\":\"reader\"},"                                                           \
    "\"other\":[{\"name\":\"limited\",\"audiences\":[\"vault\"]}]}}"

static struct es_registry *registry;
static struct es_authority own, cluster, referent;

static int setup(void **state)
{
    (void)state;
    probe_reset();
    registry = probe_registry(&services);
    own = probe_who(SPEC);
    cluster = probe_cluster_who(SPEC, "app");
    referent = probe_cluster_who(SPEC, "");
    asked[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_registry_free(registry);
    probe_who_free(&own);
    probe_who_free(&cluster);
    probe_who_free(&referent);
    return 0;
}

/* ---- kube_read ---- */

static struct {
    const char *ns, *name, *key;
    int32_t what;
} question;

static esp_status read_it(struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out = {0};
    (void)request;
    esp_status status = probe_host->kube_read(call, question.what, bytes(question.ns), bytes(question.name),
                                              bytes(question.key), &out);
    if (status != ESP_OK) {
        assert_null(out.ptr);
        return status;
    }
    assert_memory_equal(out.ptr, "hunter2", 7);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), out);
}

static void assert_read(const struct es_authority *who, const char *ns, const char *name, const char *key,
                        const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    question.ns = ns;
    question.name = name;
    question.key = key;
    question.what = ESP_KUBE_SECRET;
    asked[0] = '\0';
    assert_int_equal(probe_get(registry, who, read_it, &err), 0);
    assert_string_equal(asked, want);
}

static void assert_no_read(const struct es_authority *who, const char *ns, const char *name, int code,
                           const char *text)
{
    struct es_error err = ES_ERROR_INIT;
    question.ns = ns;
    question.name = name;
    question.key = "token";
    asked[0] = '\0';
    int rc = probe_get(registry, who, read_it, &err);
    assert_error(rc, &err, code, text);
    assert_string_equal(asked, ""); /* the cluster was not asked */
}

/* Reads, and quotes what it was given. */
static esp_status read_and_tell(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    esp_bytes out = {0};
    assert_int_equal(probe_host->kube_read(call, question.what, bytes(""), bytes("creds"), bytes(""), &out),
                     ESP_OK);
    return probe_fail(call, ESP_E_CONFIG, 0, "it holds hunter2");
}

static void test_texts_may_quote_a_service_account_and_no_secret(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;
    question.what = ESP_KUBE_SERVICE_ACCOUNT;
    int rc = probe_get(registry, &own, read_and_tell, &err);
    assert_error(rc, &err, ES_E_CONFIG, "it holds hunter2");
    question.what = ESP_KUBE_SECRET;
    rc = probe_get(registry, &own, read_and_tell, &err);
    assert_error(rc, &err, ES_E_CONFIG, "it holds ***");
}

static void test_a_store_reads_its_own_namespace(void **state)
{
    (void)state;
    assert_read(&own, "", "creds", "token", "0 team/creds[token]");
    assert_read(&own, "team", "creds", "token", "0 team/creds[token]");
    assert_no_read(&own, "vault", "creds", ES_E_CONFIG,
                   "namespace should either be empty or match the namespace of the SecretStore for a "
                   "namespaced SecretStore");
    own.store_namespace = "";
    assert_no_read(&own, "vault", "creds", ES_E_DENIED, "SecretStore store has no namespace to read from");
}

static void test_a_cluster_store_reads_what_it_names(void **state)
{
    (void)state;
    assert_read(&cluster, "vault", "creds", "token", "0 vault/creds[token]");
    assert_read(&cluster, "", "creds", "token", "0 app/creds[token]");
    assert_read(&cluster, "app", "creds", "token", "0 app/creds[token]");
    assert_no_read(&cluster, "kube-system", "creds", ES_E_DENIED,
                   "ClusterSecretStore store does not name the namespace \"kube-system\"");
}

static void test_names_outside_of_the_spec_are_denied(void **state)
{
    (void)state;
    assert_no_read(&own, "", "other", ES_E_DENIED,
                   "the spec of SecretStore store does not name the Secret \"other\"");
    assert_no_read(&own, "", "cred", ES_E_DENIED,
                   "the spec of SecretStore store does not name the Secret \"cred\"");
    assert_no_read(&own, "", "", ES_E_DENIED, "the spec of SecretStore store does not name the Secret \"\"");
    /* The name of a member is not something that the spec refers to. */
    assert_no_read(&own, "", "tokenSecretRef", ES_E_DENIED,
                   "the spec of SecretStore store does not name the Secret \"tokenSecretRef\"");
    assert_no_read(&own, "", "creds\n", ES_E_CONFIG, "an object's name holds a control character");
}

static esp_status push_reads(void *instance, struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out = {0};
    (void)instance;
    (void)request;
    return probe_host->kube_read(call, ESP_KUBE_CONFIGMAP, bytes(question.ns), bytes(question.name),
                                 bytes("policy"), &out);
}

/* Pushes for `who`, and reads in the push what `question` says. */
static int push_for(const struct es_authority *who, struct es_error *err)
{
    json_t *request = json_pack("{s:s, s:{s:{s:s}}}", "remoteKey", "r", "metadata", "spec", "name", "rules");
    struct es_instance *i = NULL;
    struct es_values values = {0};

    probe_ops.push = push_reads;
    asked[0] = '\0';
    int rc = es_instance_open(&i, registry, es_registry_provider(registry, "probe"), who, NULL, err);
    assert_int_equal(rc, 0);
    rc = es_instance_push(i, who, request, &values, err);
    es_instance_close(i);
    json_decref(request);
    return rc;
}

static void test_a_push_reads_what_its_metadata_names(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    question.ns = "";
    question.name = "rules";
    assert_int_equal(push_for(&own, &err), 0);
    assert_string_equal(asked, "1 team/rules[policy]");
    assert_int_equal(push_for(&cluster, &err), 0);
    assert_string_equal(asked, "1 app/rules[policy]");
    question.ns = "app"; /* beside the PushSecret, and nowhere that somebody says */
    int rc = push_for(&cluster, &err);
    assert_error(rc, &err, ES_E_DENIED,
                 "the spec of ClusterSecretStore store does not name the ConfigMap \"rules\"");
    question.ns = "";
    question.name = "other";
    rc = push_for(&own, &err);
    assert_error(rc, &err, ES_E_DENIED,
                 "the spec of SecretStore store does not name the ConfigMap \"other\"");
    assert_no_read(&own, "", "rules", ES_E_DENIED,
                   "the spec of SecretStore store does not name the Secret \"rules\"");
}

static void test_referent_without_consumer(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_read(&referent, "vault", "creds", "token", "0 vault/creds[token]");
    /* From get that is a defect; from validate and open an answer without a text. */
    question.ns = "";
    assert_int_equal(probe_get(registry, &referent, read_it, &err), ES_E_INTERNAL);
}

static esp_status open_reads(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)instance;
    return read_it(call, request);
}

static void test_referent_store_is_opened_for_nobody(void **state)
{
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_ops.open = open_reads;
    question.ns = "";
    question.name = "creds";
    question.what = ESP_KUBE_SECRET;
    int rc = es_instance_open(&i, registry, es_registry_provider(registry, "probe"), &referent, NULL, &err);
    assert_error(rc, &err, ES_E_UNDECIDED, "");
    assert_null(i);
}

static esp_status validate_reads(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    return read_it(call, request) == ESP_OK ? ESP_OK : ESP_E_UNDECIDED;
}

/* A store that cannot be asked says why; one that nobody uses yet has nothing to say. */
static void test_undecided_stores_tell_what_failed(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_ops.validate = validate_reads;
    struct es_instance *i = probe_open(registry, &own);
    question.ns = question.key = "";
    question.name = "unheard-of";
    question.what = ESP_KUBE_SECRET;
    int rc = es_instance_validate(i, &own, &err);
    assert_error(rc, &err, ES_E_UNDECIDED,
                 "the spec of SecretStore store does not name the Secret \"unheard-of\"");
    question.name = "creds";
    rc = es_instance_validate(i, &referent, &err);
    assert_error(rc, &err, ES_E_UNDECIDED, "");
    es_instance_close(i);
}

static void test_failures_of_the_cluster_are_told(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    question.ns = "";
    question.name = "creds";
    question.what = ESP_KUBE_CONFIGMAP;
    question.key = "absent";
    int rc = probe_get(registry, &own, read_it, &err);
    assert_error(rc, &err, ES_E_CONFIG, "cannot find secret data for key: \"absent\"");
    question.key = "busy"; /* the core's own codes have no place in the ABI */
    rc = probe_get(registry, &own, read_it, &err);
    assert_error(rc, &err, ES_E_RETRY, "try again");
    question.what = 9;
    rc = probe_get(registry, &own, read_it, &err);
    assert_error(rc, &err, ES_E_UNSUPPORTED, "kube_read knows no object kind 9");
}

static esp_status explain_a_missing_credential(struct esp_call *call, const struct esp_request *request)
{
    question.key = "absent";
    return probe_fail(call, read_it(call, request), 0, "cannot log in: the token is not there");
}

static esp_status open_fails_not_found(struct esp_call *call, const struct esp_request *request,
                                       void **instance)
{
    (void)request;
    (void)instance;
    return probe_fail(call, ESP_E_NOT_FOUND, 0, "no such vault");
}

/* deletionPolicy acts on NOT_FOUND: a lost credential must not delete Secrets. */
static void test_a_missing_credential_is_no_missing_secret(void **state)
{
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    question.ns = "";
    question.name = "creds";
    question.what = ESP_KUBE_SECRET;
    int rc = probe_get(registry, &own, explain_a_missing_credential, &err);
    assert_error(rc, &err, ES_E_CONFIG, "cannot log in: the token is not there");
    probe_ops.open = open_fails_not_found;
    rc = es_instance_open(&i, registry, es_registry_provider(registry, "probe"), &own, NULL, &err);
    assert_error(rc, &err, ES_E_CONFIG, "no such vault");
}

static esp_status read_and_get_over_it(struct esp_call *call, const struct esp_request *request)
{
    question.key = "absent";
    assert_int_equal(read_it(call, request), ESP_E_NOT_FOUND);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("a default"));
}

static esp_status read_twice(struct esp_call *call, const struct esp_request *request)
{
    question.key = "absent";
    assert_int_equal(read_it(call, request), ESP_E_NOT_FOUND);
    question.key = "token";
    assert_int_equal(read_it(call, request), ESP_OK);
    return ESP_E_NOT_FOUND;
}

static void test_a_failed_service_is_no_failed_operation(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    question.ns = "";
    question.name = "creds";
    question.what = ESP_KUBE_SECRET;
    assert_int_equal(probe_get(registry, &own, read_and_get_over_it, &err), 0);
    /* Nor does an old failure explain a new one. */
    int rc = probe_get(registry, &own, read_twice, &err);
    assert_error(rc, &err, ES_E_NOT_FOUND, "Secret does not exist");
}

static esp_status name_the_step(struct esp_call *call, const struct esp_request *request)
{
    return probe_fail(call, read_it(call, request), 0, "cannot log in: ");
}

static esp_status name_a_step_after_another(struct esp_call *call, const struct esp_request *request)
{
    question.key = "token";
    assert_int_equal(read_it(call, request), ESP_OK);
    return probe_fail(call, ESP_E_CONFIG, 0, "cannot log in: ");
}

static void test_a_step_is_continued_by_why_it_failed(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    question.ns = "";
    question.name = "creds";
    question.key = "absent";
    question.what = ESP_KUBE_SECRET;
    int rc = probe_get(registry, &own, name_the_step, &err);
    assert_int_equal(rc, ES_E_CONFIG);
    assert_ptr_equal(strstr(err.text, "cannot log in: "), err.text);
    assert_non_null(strstr(err.text, "absent"));
    rc = probe_get(registry, &own, name_a_step_after_another, &err);
    assert_error(rc, &err, ES_E_CONFIG, "cannot log in: ");
}

/* ---- sa_token ---- */

static struct {
    const char *ns, *account;
    size_t audiences;
    uint32_t ttl;
} token;

static esp_status ask_token(struct esp_call *call, const struct esp_request *request)
{
    esp_bytes audiences[20] = {bytes("vault"), bytes("second")};
    esp_bytes out = {0};
    (void)request;
    esp_status status = probe_host->sa_token(call, bytes(token.ns), bytes(token.account), audiences,
                                             token.audiences, token.ttl, &out);
    return status == ESP_OK ? probe_host->emit(call, ESP_OUT_VALUE, bytes(""), out) : status;
}

static void assert_token(const struct es_authority *who, const char *ns, const char *account,
                         size_t audiences, uint32_t ttl, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    token.ns = ns;
    token.account = account;
    token.audiences = audiences;
    token.ttl = ttl;
    asked[0] = '\0';
    int rc = probe_get(registry, who, ask_token, &err);
    assert_string_equal(rc == 0 ? asked : err.text, want);
}

static void test_tokens(void **state)
{
    (void)state;
    assert_token(&own, "", "reader", 1, 900, "team/reader for 1 [vault] 900 s");
    assert_token(&cluster, "", "reader", 2, 0, "app/reader for 2 [vault] 3600 s");
    assert_token(&cluster, "vault", "reader", 2, 1, "vault/reader for 2 [vault] 600 s");
    assert_token(&own, "", "reader", 0, UINT32_MAX, "team/reader for 0 [] 86400 s");
    assert_token(&own, "", "admin", 1, 0,
                 "the spec of SecretStore store does not name the service account \"admin\"");
    assert_token(
        &own, "", "limited", 0, 0,
        "a token of service account \"limited\" without an audience opens the API server, and the spec "
        "gives audiences for it");
    assert_token(&own, "", "limited", 1, 0, "team/limited for 1 [vault] 3600 s");
    assert_token(&own, "", "reader", 20, 0, "a token for more than 16 audiences");
}

/* ---- ambient ---- */

static const char *ambient_name;
static int32_t ambient_kind;
static char ambient_value[100];

static esp_status ask_ambient(struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out = {0};
    (void)request;
    esp_status status = probe_host->ambient(call, ambient_kind, bytes(ambient_name), &out);
    if (status != ESP_OK)
        return status;
    snprintf(ambient_value, sizeof ambient_value, "%.*s", (int)out.len, (const char *)out.ptr);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), out);
}

static void assert_ambient(int32_t kind, const char *name, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    ambient_kind = kind;
    ambient_name = name;
    int rc = probe_get(registry, &own, ask_ambient, &err);
    assert_string_equal(rc == 0 ? ambient_value : err.text, want);
}

static struct es_registry *with_grants(const char *const *grants)
{
    return probe_registry_with(NULL, &(struct es_plugin_entry){.name = "probe", .ambient = grants});
}

/* A plugin's list is a wish. What is not granted is not there for it, and what it did
 * not wish for cannot be granted. */
static void test_ambient_needs_a_grant(void **state)
{
    static const char *const list[] = {"env:PROBE_*", "file:/etc/hostname", NULL};
    static const char *const some[] = {"env:PROBE_*", NULL};
    static const char *const foreign[] = {"file:/etc/shadow", NULL};
    const struct es_plugin_entry entry = {.name = "probe", .ambient = foreign};
    struct es_registry *standing = registry;
    struct es_error err = ES_ERROR_INIT;
    struct es_registry *r = NULL;
    (void)state;

    probe_plugin.ambient = list;
    setenv("PROBE_REGION", "eu", 1);
    registry = with_grants(NULL);
    assert_ambient(
        ESP_AMBIENT_ENV, "PROBE_REGION",
        "the probe plugin is not granted env:PROBE_REGION; add it to ambient: of this plugin in the "
        "configuration");
    es_registry_free(registry);
    registry = with_grants(some);
    assert_ambient(ESP_AMBIENT_ENV, "PROBE_REGION", "eu");
    assert_ambient(
        ESP_AMBIENT_FILE, "/etc/hostname",
        "the probe plugin is not granted file:/etc/hostname; add it to ambient: of this plugin in the "
        "configuration");
    es_registry_free(registry);
    registry = standing;
    assert_int_equal(es_registry_new(&r, NULL, NULL), 0);
    int rc = es_registry_add(r, &probe_plugin, &entry, &err);
    assert_error(rc, &err, ES_E_CONFIG,
                 "plugin probe: ambient: it does not ask for \"file:/etc/shadow\"; it asks for env:PROBE_*, "
                 "file:/etc/hostname");
    es_registry_free(r);
}

static void test_ambient_answers_what_is_listed(void **state)
{
    char file[] = "/tmp/esod-host-test-XXXXXX", listed[64], text[200];
    int fd = mkstemp(file);
    (void)state;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a token", 7), 7);
    snprintf(listed, sizeof listed, "file:%s", file);
    const char *const list[] = {
        "env:PROBE_*", "env:EXACT", "file:$PROBE_TOKEN_FILE", "file:/no/such/file", "file:/dev",
        listed,        NULL};
    static const char *const all[] = {"all", NULL};
    struct es_registry *standing = registry;
    probe_plugin.ambient = list;
    registry = with_grants(all);
    setenv("PROBE_REGION", "eu", 1);
    setenv("PROBE_TOKEN_FILE", file, 1);
    setenv("EXACTLY", "no", 1);

    assert_ambient(ESP_AMBIENT_ENV, "PROBE_REGION", "eu");
    assert_ambient(ESP_AMBIENT_ENV, "PROBE_NOTHING", "the environment has no variable PROBE_NOTHING");
    assert_ambient(ESP_AMBIENT_ENV, "EXACTLY", "the probe plugin does not list env:EXACTLY");
    assert_ambient(ESP_AMBIENT_ENV, "PROB", "the probe plugin does not list env:PROB");
    assert_ambient(ESP_AMBIENT_FILE, "$PROBE_TOKEN_FILE", "a token");
    assert_ambient(ESP_AMBIENT_FILE, file, "a token");
    assert_ambient(ESP_AMBIENT_FILE, "$HOME", "the probe plugin does not list file:$HOME");
    assert_ambient(ESP_AMBIENT_FILE, "/etc/passwd", "the probe plugin does not list file:/etc/passwd");
    assert_ambient(ESP_AMBIENT_FILE, "/no/such/file", "cannot read /no/such/file: No such file or directory");
    assert_ambient(ESP_AMBIENT_FILE, "/dev", "cannot read /dev: not a regular file");
    assert_ambient(3, "x", "ambient knows no kind 3");

    assert_int_equal(ftruncate(fd, 64 * 1024 + 1), 0);
    snprintf(text, sizeof text, "cannot read %s: larger than 64 KiB", file);
    assert_ambient(ESP_AMBIENT_FILE, file, text);
    unsetenv("PROBE_TOKEN_FILE");
    assert_ambient(ESP_AMBIENT_FILE, "$PROBE_TOKEN_FILE", "the environment has no variable PROBE_TOKEN_FILE");
    es_registry_free(registry);
    registry = standing;
    close(fd);
    unlink(file);
}

/* ---- the small ones ---- */

static esp_status use_small_services(struct esp_call *call, const struct esp_request *request)
{
    uint8_t one[300] = {0}, two[300] = {0};
    esp_bytes out = {0};
    (void)request;

    assert_int_equal(probe_host->random(call, one, sizeof one), ESP_OK);
    assert_int_equal(probe_host->random(call, two, sizeof two), ESP_OK);
    assert_memory_not_equal(one, two, sizeof one);
    assert_in_range(probe_host->remaining_ms(call), 25000, 30000); /* nobody said otherwise */
    assert_in_range(es_unix_ms() - probe_host->now_unix_ms(call), 0, 5000);
    assert_int_equal(probe_host->render(call, bytes("t"), bytes("{\"a\":\"b\"}"), &out), ESP_OK);
    assert_memory_equal(out.ptr, "t-b", 3);
    assert_int_equal(probe_host->render(call, bytes("t"), bytes("[]"), &out), ESP_E_INTERNAL);
    assert_int_equal(probe_host->render(call, bytes(""), bytes("{}"), &out), ESP_E_CONFIG);
    probe_host->log(call, ESP_LOG_WARN, bytes("careful\nnow"));
    probe_host->log(call, 77, bytes("")); /* no such level */
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("fine"));
}

/* Renders what looks like a secret, and quotes it. */
static esp_status quote_rendered(struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out = {0};
    char why[200];
    (void)request;

    assert_int_equal(probe_host->render(call, bytes("path"), bytes("{\"a\":\"to.somewhere\"}"), &out),
                     ESP_OK);
    snprintf(why, sizeof why, "nothing at %.*s", (int)out.len, (const char *)out.ptr);
    return probe_fail(call, ESP_E_CONFIG, 0, why);
}

static esp_status quote_rendered_after_a_read(struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out = {0};

    assert_int_equal(
        probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("creds"), bytes("token"), &out),
        ESP_OK);
    return quote_rendered(call, request);
}

/* What a template makes may hold a secret as soon as the call was given one, in whatever form. */
static void test_rendered_texts_are_secret_with_their_data(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = probe_get(registry, &own, quote_rendered, &err);
    assert_error(rc, &err, ES_E_CONFIG, "nothing at path-to.somewhere");
    rc = probe_get(registry, &own, quote_rendered_after_a_read, &err);
    assert_error(rc, &err, ES_E_CONFIG, "nothing at ***");
}

static void test_small_services(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    char line[2000] = "";
    int pipes[2];
    (void)state;

    assert_int_equal(pipe(pipes), 0);
    es_log_init(&(const struct es_log_opts){.level = ES_INFO, .fd = pipes[1]});
    assert_int_equal(probe_get(registry, &own, use_small_services, &err), 0);
    es_log_init(&(const struct es_log_opts){.level = ES_INFO, .format = ES_LOG_CONSOLE, .fd = 2});
    close(pipes[1]);
    assert_true(read(pipes[0], line, sizeof line - 1) > 0);
    close(pipes[0]);
    assert_non_null(strstr(line, "\"level\":\"warn\""));
    assert_non_null(strstr(line, "\"msg\":\"careful now\",\"plugin\":\"probe\",\"operation\":\"get\","
                                 "\"kind\":\"SecretStore\",\"namespace\":\"team\",\"name\":\"store\""));
}

static esp_status log_much(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    for (int i = 0; i < 5000; i++)
        probe_host->log(call, ESP_LOG_INFO, bytes("x"));
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("fine"));
}

static void test_log_lines_of_a_call_are_limited(void **state)
{
    char file[] = "/tmp/esod-host-log-XXXXXX";
    struct es_error err = ES_ERROR_INIT;
    char *text = calloc(1, 200000);
    int lines = 0, fd = mkstemp(file);
    (void)state;

    assert_true(fd >= 0 && text);
    es_log_init(&(const struct es_log_opts){.level = ES_INFO, .fd = fd});
    assert_int_equal(probe_get(registry, &own, log_much, &err), 0);
    es_log_init(&(const struct es_log_opts){.level = ES_INFO, .format = ES_LOG_CONSOLE, .fd = 2});
    assert_true(pread(fd, text, 199999, 0) > 0);
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 201);
    assert_non_null(strstr(text, "more lines of this call are dropped"));
    free(text);
    close(fd);
    unlink(file);
}

static esp_status check_reaches_out(void *instance, struct esp_call *call, const struct esp_request *request)
{
    esp_bytes out;
    (void)instance;
    (void)request;
    return probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("creds"), bytes("token"), &out);
}

static void test_check_is_offline(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    probe_ops.check = check_reaches_out;
    int rc =
        es_provider_check(registry, es_registry_provider(registry, "probe"), &own, NULL, NULL, NULL, &err);
    assert_error(rc, &err, ES_E_DENIED, "kube_read is not to be used by check, which needs no network");
    assert_string_equal(asked, "");
}

static esp_status use_what_is_missing(struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_request q = {
        .size = sizeof q, .method = bytes("GET"), .url = bytes("http://127.0.0.1:1/")};
    struct esp_http_response a = {.size = sizeof a};
    esp_bytes out;
    (void)request;

    assert_int_equal(probe_host->http(call, &q, &a), ESP_E_UNSUPPORTED);
    assert_int_equal(probe_host->sa_token(call, bytes(""), bytes("reader"), NULL, 0, 0, &out),
                     ESP_E_UNSUPPORTED);
    assert_int_equal(probe_host->render(call, bytes("x"), bytes("{}"), &out), ESP_E_UNSUPPORTED);
    return probe_host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("creds"), bytes("token"), &out);
}

static void test_a_core_without_cluster_or_network(void **state)
{
    struct es_registry *bare = probe_registry(NULL);
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int rc = probe_get(bare, &own, use_what_is_missing, &err);
    assert_error(rc, &err, ES_E_UNSUPPORTED, "there is no cluster to read Secret \"creds\" from");
    es_registry_free(bare);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_store_reads_its_own_namespace),
        TEST(test_texts_may_quote_a_service_account_and_no_secret),
        TEST(test_a_cluster_store_reads_what_it_names),
        TEST(test_names_outside_of_the_spec_are_denied),
        TEST(test_a_push_reads_what_its_metadata_names),
        TEST(test_referent_without_consumer),
        TEST(test_referent_store_is_opened_for_nobody),
        TEST(test_undecided_stores_tell_what_failed),
        TEST(test_failures_of_the_cluster_are_told),
        TEST(test_a_missing_credential_is_no_missing_secret),
        TEST(test_a_failed_service_is_no_failed_operation),
        TEST(test_a_step_is_continued_by_why_it_failed),
        TEST(test_tokens),
        TEST(test_ambient_needs_a_grant),
        TEST(test_ambient_answers_what_is_listed),
        TEST(test_small_services),
        TEST(test_rendered_texts_are_secret_with_their_data),
        TEST(test_log_lines_of_a_call_are_limited),
        TEST(test_check_is_offline),
        TEST(test_a_core_without_cluster_or_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
