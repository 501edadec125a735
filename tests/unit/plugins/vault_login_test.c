/* How the Vault plugin logs in, and the life of its token. */
#include "vault.h"

#include <pthread.h>
#include <stdio.h>

#define API "https://vault:8200/v1/"
#define AUTH(auth) OPEN(",\"path\":\"kv\",\"auth\":{" auth "}")
#define REF "{\"name\":\"login\",\"key\":\"k\"}"
#define APPROLE "\"appRole\":{\"path\":\"approle\",\"roleId\":\"me\",\"secretRef\":" REF "}"
#define FOUND                                                                                                \
    {                                                                                                        \
        .status = 200, .answer = "{\"data\":{\"data\":{\"k\":\"v\"}}}"                                       \
    }
#define LOGIN(life, more)                                                                                    \
    {                                                                                                        \
        .method = "PUT", .url = API "auth/approle/login", .status = 200, .answer = TOKEN(life, more)         \
    }
#define REVOKE                                                                                               \
    {                                                                                                        \
        .method = "PUT", .url = API "auth/token/revoke-self", .headers = "X-Vault-Token: s3same",            \
        .status = 204                                                                                        \
    }
#define LOOK_UP(code)                                                                                        \
    {                                                                                                        \
        .method = "GET", .url = API "auth/token/lookup-self", .status = code, .answer = "{}"                 \
    }
#define RENEW(code, life)                                                                                    \
    {                                                                                                        \
        .method = "PUT", .url = API "auth/token/renew-self", .body = "{}",                                   \
        .headers = "X-Vault-Token: s3same", .status = code, .answer = TOKEN(life, "")                        \
    }
#define DENIED                                                                                               \
    {                                                                                                        \
        .status = 403, .answer = "{\"errors\":[\"permission denied\"]}"                                      \
    }
#define BAD_TOKEN                                                                                            \
    {                                                                                                        \
        .status = 403, .answer = "{\"errors\":[\"2 errors occurred: permission denied, invalid token\"]}"    \
    }

static const struct object secrets[] = {
    {ESP_KUBE_SECRET, "apps", "login", "k", "value\n", 0},
    {ESP_KUBE_SECRET, "apps", "login", "token", "bound\n", 0},
    {ESP_KUBE_SECRET, "apps", "pair", "tls.crt", "CERT", 0},
    {ESP_KUBE_SECRET, "apps", "pair", "tls.key", "KEY", 0},
    {0},
};
static const struct object files[] = {
    {ESP_AMBIENT_FILE, NULL, "/var/run/secrets/kubernetes.io/serviceaccount/token", NULL, "of-the-pod\n", 0},
    {0},
};
static const struct sa_token tokens[] = {
    {"apps", "app", "", 600, "short"},
    {"apps", "app", "own", 600, "own"},
    {"apps", "app", "own,vault", 600, "with-vault"},
    {"apps", "app", "x,y", 900, "listed"},
    {0},
};

static int begin(void **state)
{
    vault_begin(state);
    world.objects = secrets;
    world.ambient = files;
    world.tokens = tokens;
    return 0;
}

/* ---- what each method sends ---- */

static void logs_in(const char *auth, const char *url, const char *body)
{
    char open[800], full[200];
    snprintf(open, sizeof open, OPEN(",\"auth\":{%s}"), auth);
    snprintf(full, sizeof full, API "%s", url);
    const struct exchange script[] = {
        {.method = "PUT",
         .url = full,
         .body = body,
         .headers = "!X-Vault-Token",
         .status = 200,
         .answer = TOKEN("0", "")},
        REVOKE,
    };
    world.script = script;
    world.script_count = 2;
    world.script_at = 0;
    void *store = vault_opened(open);
    vault->store->close(store, &call);
    test_script_done(&world);
}

static void test_what_methods_send(void **state)
{
    (void)state;
    logs_in("\"appRole\":{\"roleId\":\" me \",\"secretRef\":" REF "}", "auth/approle/login",
            "{\"role_id\":\"me\",\"secret_id\":\"value\"}");
    logs_in("\"appRole\":{\"path\":\"team/approle/\",\"roleRef\":" REF ",\"secretRef\":" REF "}",
            "auth/team/approle/login", "{\"role_id\":\"value\",\"secret_id\":\"value\"}");
    logs_in("\"kubernetes\":{\"mountPath\":\"k8s\",\"role\":\"r\"}", "auth/k8s/login",
            "{\"role\":\"r\",\"jwt\":\"of-the-pod\"}");
    logs_in("\"kubernetes\":{\"role\":\"r\",\"secretRef\":{\"name\":\"login\"}}", "auth/kubernetes/login",
            "{\"role\":\"r\",\"jwt\":\"bound\"}");
    logs_in("\"kubernetes\":{\"role\":\"r\",\"serviceAccountRef\":{\"name\":\"app\"}}",
            "auth/kubernetes/login", "{\"role\":\"r\",\"jwt\":\"short\"}");
    logs_in(
        "\"kubernetes\":{\"role\":\"r\",\"serviceAccountRef\":{\"name\":\"app\",\"audiences\":[\"own\"]}}",
        "auth/kubernetes/login", "{\"role\":\"r\",\"jwt\":\"own\"}");
    logs_in("\"ldap\":{\"username\":\" b/b \",\"secretRef\":" REF "}", "auth/ldap/login/b%2Fb",
            "{\"password\":\"value\\n\"}");
    logs_in("\"userPass\":{\"path\":\"up\",\"username\":\"bob\",\"secretRef\":" REF "}", "auth/up/login/bob",
            "{\"password\":\"value\\n\"}");
    logs_in("\"jwt\":{\"role\":\"r\",\"secretRef\":" REF "}", "auth/jwt/login",
            "{\"role\":\"r\",\"jwt\":\"value\"}");
    logs_in("\"jwt\":{\"kubernetesServiceAccountToken\":{\"serviceAccountRef\":{\"name\":\"app\","
            "\"audiences\":[\"own\"]}}}",
            "auth/jwt/login", "{\"role\":\"\",\"jwt\":\"with-vault\"}");
    logs_in("\"jwt\":{\"kubernetesServiceAccountToken\":{\"serviceAccountRef\":{\"name\":\"app\"},"
            "\"audiences\":[\"x\",\"y\"],"
            "\"expirationSeconds\":900}}",
            "auth/jwt/login", "{\"role\":\"\",\"jwt\":\"listed\"}");
    logs_in("\"cert\":{\"clientCert\":{\"name\":\"pair\"},\"secretRef\":{\"name\":\"pair\"}}",
            "auth/cert/login", "{}");
    logs_in("\"cert\":{\"path\":\"c\",\"vaultRole\":\"r\",\"clientCert\":{\"name\":\"pair\"},\"secretRef\":{"
            "\"name\":\"pair\"}}",
            "auth/c/login", "{\"name\":\"r\"}");
}

/* The first of several, in the order of the documentation. */
static void test_one_method_is_chosen(void **state)
{
    (void)state;
    logs_in("\"userPass\":{\"username\":\"bob\",\"secretRef\":" REF
            "},\"ldap\":{\"username\":\"amy\",\"secretRef\":" REF "}",
            "auth/ldap/login/amy", "{\"password\":\"value\\n\"}");
}

static void test_a_login_has_a_namespace_of_its_own(void **state)
{
    (void)state;
    EXPECT({.url = API "auth/approle/login",
            .headers = "X-Vault-Namespace: logins",
            .status = 200,
            .answer = TOKEN("0", "")},
           {.url = API "kv/data/a",
            .headers = "X-Vault-Namespace: team\nX-Vault-Token: s3same",
            .status = 200,
            .answer = "{\"data\":{\"data\":{}}}"},
           {.url = API "auth/token/revoke-self", .headers = "X-Vault-Namespace: logins", .status = 204});
    void *store = vault_opened(
        OPEN(",\"path\":\"kv\",\"namespace\":\"team\",\"auth\":{\"namespace\":\"logins\"," APPROLE "}"));
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    vault->store->close(store, &call);
    test_script_done(&world);
}

/* ---- the life of a token ---- */

static void test_a_static_token_is_only_used(void **state)
{
    (void)state;
    void *store = vault_opened(AUTH("\"tokenSecretRef\":" REF));
    EXPECT({.headers = "X-Vault-Token: value", .status = 403, .answer = "{\"errors\":[\"invalid token\"]}"});
    vault_fails(
        vault->store->get, store, GET("a"), ESP_E_DENIED,
        "cannot read secret data from Vault: key \"a\": status 403: the token is invalid or has expired");
    vault_closed(store);
}

static void test_a_token_is_renewed_when_a_third_is_left(void **state)
{
    (void)state;
    EXPECT(LOGIN("3600", ""), FOUND, FOUND, RENEW(200, "3600"), FOUND, FOUND, RENEW(200, "100"),
           LOGIN("3600", ""), FOUND, REVOKE);
    void *store = vault_opened(AUTH(APPROLE));
    const int64_t begun = world.now_ms;
    test_run(&call, vault->store->get, store, GET("a"), NULL, 0);
    world.now_ms = begun + 2200 * 1000;
    test_run(&call, vault->store->get, store, GET("a"), NULL, 0);
    assert_int_equal(world.script_at, 3);
    world.now_ms = begun + 2500 * 1000;
    test_run(&call, vault->store->get, store, GET("a"), NULL, 0);
    world.now_ms = begun + 4600 * 1000; /* past the first life */
    test_run(&call, vault->store->get, store, GET("a"), NULL, 0);
    assert_int_equal(world.script_at, 6);
    /* What is renewed for less than half has come to its longest life. */
    world.now_ms = begun + 5000 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    vault->store->close(store, &call);
    test_script_done(&world);
}

static void test_a_refused_login_leaves_the_token_its_life(void **state)
{
    (void)state;
    EXPECT(LOGIN("3600", ""), RENEW(403, "0"), DENIED, FOUND, FOUND, RENEW(403, "0"), DENIED, FOUND, DENIED);
    void *store = vault_opened(AUTH(APPROLE));
    const int64_t begun = world.now_ms;
    world.now_ms = begun + 2500 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    world.now_ms = begun + 3400 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    assert_int_equal(world.script_at, 5);
    world.now_ms = begun + 3590 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    world.now_ms = begun + 3600 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_E_DENIED);
    assert_string_equal(
        call.why, "cannot log in to Vault with appRole at the mount \"approle\": status 403: permission "
                  "denied, or no such method is mounted there");
    test_script_done(&world);
    EXPECT({.status = 403});
    vault->store->close(store, &call);
}

static void test_a_token_that_has_ended_is_not_renewed(void **state)
{
    (void)state;
    EXPECT(LOGIN("60", ""), LOGIN("60", ""), FOUND, REVOKE);
    void *store = vault_opened(AUTH(APPROLE));
    world.now_ms += 61 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    vault->store->close(store, &call);
    test_script_done(&world);
}

static void test_a_batch_token_is_neither_renewed_nor_revoked(void **state)
{
    static const struct exchange login = {.status = 200,
                                          .answer = "{\"auth\":{\"client_token\":\"b\",\"lease_duration\":60,"
                                                    "\"renewable\":false,\"token_type\":\"batch\"}}"};
    const struct exchange script[] = {login, login, FOUND};
    (void)state;
    world.script = script;
    world.script_count = 3;
    void *store = vault_opened(AUTH(APPROLE));
    world.now_ms += 58 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    vault->store->close(store, &call);
    test_script_done(&world);
}

static void test_a_refused_token_is_replaced_once(void **state)
{
    (void)state;
    EXPECT(LOGIN("0", ""), BAD_TOKEN, LOGIN("0", ""), FOUND, BAD_TOKEN, LOGIN("0", ""), BAD_TOKEN, REVOKE);
    void *store = vault_opened(AUTH(APPROLE));
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_OK);
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_E_DENIED);
    assert_string_equal(
        call.why,
        "cannot read secret data from Vault: key \"a\": status 403: the token is invalid or has expired");
    vault->store->close(store, &call);
    test_script_done(&world);
}

/* A server that does not say whether it is the token or the policy. */
static void test_a_refusal_without_a_reason_is_looked_into(void **state)
{
    (void)state;
    EXPECT(LOGIN("0", ""), DENIED, DENIED, LOOK_UP(200), DENIED, LOOK_UP(403), LOGIN("0", ""), DENIED,
           REVOKE);
    void *store = vault_opened(AUTH(APPROLE));
    /* Vault has just given it: it is the policy. */
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_E_DENIED);
    world.now_ms += 60 * 1000;
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_E_DENIED);
    assert_int_equal(world.script_at, 4);
    assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_E_DENIED);
    assert_string_equal(call.why,
                        "cannot read secret data from Vault: key \"a\": status 403: permission denied");
    vault->store->close(store, &call);
    test_script_done(&world);
}

static void open_fails(const char *json, esp_status status, const char *why)
{
    void *store = NULL;
    assert_int_equal(test_open(&call, vault->store, json, &store), status);
    assert_string_equal(call.why, why);
    assert_null(store);
    test_script_done(&world);
}

static void test_logins_that_fail(void **state)
{
    (void)state;
    EXPECT({.status = 400, .answer = "{\"errors\":[\"invalid role or secret ID\"]}"});
    open_fails(AUTH(APPROLE), ESP_E_DENIED,
               "cannot log in to Vault with appRole at the mount \"approle\": status 400: the role ID or the "
               "secret ID is "
               "wrong");
    EXPECT({.status = 429, .answer = "{}", .answer_headers = "retry-after: 9"});
    open_fails(AUTH(APPROLE), ESP_E_RETRY,
               "cannot log in to Vault with appRole at the mount \"approle\": status 429: too many requests");
    assert_int_equal(call.retry_after_ms, 9000);
    EXPECT({.status = 200, .answer = "{\"auth\":null}"});
    open_fails(AUTH(APPROLE), ESP_E_RETRY, "cannot log in to Vault with appRole: the answer holds no token");
    EXPECT({.fails = ESP_E_DENIED});
    open_fails(AUTH(APPROLE), ESP_E_DENIED, "the transport failed");
    EXPECT({.status = 503, .answer = "{\"errors\":[\"Vault is sealed\"]}"});
    open_fails(AUTH("\"ldap\":{\"username\":\"u\",\"secretRef\":" REF "}"), ESP_E_RETRY,
               "cannot log in to Vault with ldap at the mount \"ldap\": status 503: Vault is sealed");
    world.script_count = world.script_at = 0;
    open_fails(AUTH("\"ldap\":{\"path\":\"../x\",\"username\":\"u\",\"secretRef\":" REF "}"), ESP_E_CONFIG,
               "auth.ldap.path: \"../x\" is no mount");
    open_fails(AUTH("\"ldap\":{\"username\":\"u\",\"secretRef\":{\"key\":\"k\"}}"), ESP_E_CONFIG,
               "auth.ldap.secretRef: the name of a Secret is missing");
    open_fails(AUTH("\"ldap\":{\"username\":\"u\"}"), ESP_E_CONFIG,
               "auth.ldap.secretRef: the name of a Secret is missing");
    open_fails(AUTH("\"kubernetes\":{\"role\":\"r\",\"serviceAccountRef\":{\"name\":\"nobody\"}}"),
               ESP_E_CONFIG, "the test's world has no such service account");
    world.namespace = NULL; /* a ClusterSecretStore that nobody uses yet */
    open_fails(AUTH(APPROLE), ESP_E_UNDECIDED, "nobody uses the store yet");
}

static void test_validation(void **state)
{
    (void)state;
    void *store = vault_opened(AUTH("\"tokenSecretRef\":" REF));
    EXPECT(LOOK_UP(200));
    vault_works(vault->store->validate, store, "{" STORE "}", NULL, 0);
    EXPECT({.url = API "auth/token/lookup-self",
            .status = 403,
            .answer = "{\"errors\":[\"permission denied\"]}"});
    vault_fails(vault->store->validate, store, "{" STORE "}", ESP_E_DENIED,
                "invalid vault credentials: looking up the token: status 403: permission denied");
    vault_closed(store);
}

/* ---- many at once ---- */

#define THREADS 8

static struct {
    pthread_mutex_t lock;
    int logins, reads;
    bool ended; /* the first token has been revoked */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static esp_status serve(struct world *w, struct esp_call *c, const struct esp_http_request *request,
                        struct esp_http_response *response)
{
    (void)w;
    pthread_mutex_lock(&server.lock);
    const esp_pair *token = test_header(request, "X-Vault-Token");
    bool is_login = !token, is_first = token && esp_equal_str(token->value, "t1");
    char answer[100];
    snprintf(answer, sizeof answer, "{\"auth\":{\"client_token\":\"t%d\"}}", server.logins += is_login);
    server.reads += !is_login;
    bool refused = is_first && server.ended;
    pthread_mutex_unlock(&server.lock);
    if (is_login)
        return test_answer(c, response, 200, NULL, answer);
    return refused ? test_answer(c, response, 403, NULL, "{\"errors\":[\"invalid token\"]}")
                   : test_answer(c, response, 200, NULL, "{\"data\":{\"data\":{\"k\":\"v\"}}}");
}

static void *get_often(void *store)
{
    struct esp_call mine = {.world = &world};
    for (int i = 0; i < 50; i++)
        if (test_run(&mine, vault->store->get, store, GET("a"), NULL, 0) != ESP_OK)
            return NULL;
    test_reset(&mine);
    return store;
}

static void all_get(void *store)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_often, store), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *good = NULL;
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_ptr_equal(good, store);
    }
}

static void test_threads_share_a_login(void **state)
{
    (void)state;
    world.http = serve;
    void *store = vault_opened(AUTH(APPROLE));
    all_get(store);
    assert_int_equal(server.logins, 1);
    assert_int_equal(server.reads, THREADS * 50);
    server.ended = true;
    all_get(store);
    assert_int_equal(server.logins, 2);
    vault->store->close(store, &call);
}

/* ---- what a spec must not say ---- */

static void checks(const char *spec, const char *why)
{
    char json[800];
    snprintf(json, sizeof json, "{\"spec\":{%s}," STORE "}", spec);
    vault_fails(vault->store->check, NULL, json, ESP_E_CONFIG, why);
}

#define SERVER "\"server\":\"https://v\""
#define ELSEWHERE "{\"name\":\"x\",\"key\":\"k\",\"namespace\":\"other\"}"
#define FOREIGN                                                                                              \
    "namespace should either be empty or match the namespace of the SecretStore for a namespaced "           \
    "SecretStore"

static void test_what_a_spec_must_not_say(void **state)
{
    (void)state;
    checks("\"server\":\"vault:8200\"",
           "server: \"vault:8200\" is no address that begins with https:// or http://");
    checks(SERVER ",\"auth\":{}", "cannot initialize Vault client: no valid auth method specified");
    checks(SERVER ",\"auth\":{\"appRole\":{\"secretRef\":" REF "}}",
           "invalid Auth.AppRole: neither `roleId` nor `roleRef` was supplied");
    checks(SERVER ",\"auth\":{\"jwt\":{\"path\":\"jwt\"}}",
           "invalid Auth.Jwt: neither `secretRef` nor `kubernetesServiceAccountToken` was supplied as token "
           "source for jwt "
           "authentication");
    checks(SERVER ",\"auth\":{\"tokenSecretRef\":" ELSEWHERE "}", "invalid Auth.TokenSecretRef: " FOREIGN);
    checks(SERVER ",\"auth\":{\"appRole\":{\"roleId\":\"r\",\"secretRef\":" ELSEWHERE "}}",
           "invalid Auth.AppRole.SecretRef: " FOREIGN);
    checks(SERVER ",\"auth\":{\"kubernetes\":{\"role\":\"r\",\"serviceAccountRef\":" ELSEWHERE "}}",
           "invalid Auth.Kubernetes.ServiceAccountRef: " FOREIGN);
    checks(SERVER ",\"tls\":{\"certSecretRef\":" REF "}",
           "when provided, both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided");
    checks(SERVER ",\"tls\":{\"certSecretRef\":" REF ",\"keySecretRef\":" ELSEWHERE "}",
           "invalid ClientTLS.SecretRef: " FOREIGN);
    checks(SERVER ",\"version\":\"v1\",\"checkAndSet\":{\"required\":true}",
           "checkAndSet is not supported with Vault KV version v1");
    vault_fails(vault->store->check, NULL,
                "{\"spec\":{" SERVER
                "},\"retrySettings\":{\"maxRetries\":1,\"retryInterval\":\"soon\"}," STORE "}",
                ESP_E_CONFIG,
                "retrySettings.retryInterval: \"soon\" is no duration of at most an hour; write it as 500ms, "
                "10s or 1m30s");
    vault_works(vault->store->check, NULL, AUTH(APPROLE), NULL, 0);
    vault_works(bao->store->check, NULL, AUTH(APPROLE), NULL, 0);
    vault_fails(bao->store->check, NULL, AUTH("\"ldap\":{\"username\":\"u\"}"), ESP_E_CONFIG,
                "cannot initialize Vault client: no valid auth method specified");
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, vault_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_methods_send),
        TEST(test_one_method_is_chosen),
        TEST(test_a_login_has_a_namespace_of_its_own),
        TEST(test_a_static_token_is_only_used),
        TEST(test_a_token_is_renewed_when_a_third_is_left),
        TEST(test_a_refused_login_leaves_the_token_its_life),
        TEST(test_a_token_that_has_ended_is_not_renewed),
        TEST(test_a_batch_token_is_neither_renewed_nor_revoked),
        TEST(test_a_refused_token_is_replaced_once),
        TEST(test_a_refusal_without_a_reason_is_looked_into),
        TEST(test_logins_that_fail),
        TEST(test_validation),
        TEST(test_threads_share_a_login),
        TEST(test_what_a_spec_must_not_say),
    };
    return cmocka_run_group_tests(tests, vault_load, NULL);
}
