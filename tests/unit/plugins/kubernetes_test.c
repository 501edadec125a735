/* The kubernetes provider: what it asks an API server for, and what it makes of the answers. */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define NS                                                                                                   \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"a\",\"name\":\"s\",\"generation\":1},"              \
    "\"namespace\":\"a\""
#define CLUSTER_NS                                                                                           \
    "\"store\":{\"kind\":\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\",\"generation\":1},"        \
    "\"namespace\":\"c\""
#define OPEN(spec) "{\"spec\":{" spec "},\"caBundle\":\"the CA\"," NS "}"
#define SERVER "\"remoteNamespace\":\"b\",\"server\":{\"url\":\"https://api:6443/\"}"
#define TOKEN SERVER ",\"auth\":{\"token\":{\"bearerToken\":{\"name\":\"login\",\"key\":\"token\"}}}"
#define ACCOUNT SERVER ",\"auth\":{\"serviceAccount\":{\"name\":\"reader\",\"audiences\":[\"x\",\"y\"]}}"
#define URL "https://api:6443/api/v1/namespaces/b/secrets"
#define REF(key, property, policy)                                                                           \
    "{\"key\":\"" key "\",\"property\":\"" property "\",\"version\":\"\",\"metadataPolicy\":\"" policy       \
    "\"," NS "}"
#define MISSING                                                                                              \
    "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"details\":{\"name\":\"db\",\"kind\":\"secrets\"}}"

/* {"a":"1","conf":{"x":{"y":"z"},"n":[1, 2]},"tls.crt":"PEM"} in base64 */
#define DATA                                                                                                 \
    "\"data\":{\"conf\":\"eyJ4Ijp7InkiOiJ6In0sIm4iOlsxLCAyXX0=\",\"a\":\"MQ==\",\"tls.crt\":\"UEVN\"}"
#define SECRET(metadata, data)                                                                               \
    "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"db\",\"uid\":\"u\",\"resourceVersion\":\"7\"" metadata    \
    "},\"type\":\"Opaque\"," data "}"
#define LABELED                                                                                              \
    SECRET(",\"labels\":{\"b\":\"2\",\"a.x/"                                                                 \
           "y\":\"1\"},\"annotations\":{\"j\":\"{\\\"k\\\":{\\\"l\\\":\\\"m\\\"}}\"}",                       \
           DATA)

static const struct esp_store_ops *ops;

static const struct object objects[] = {
    {ESP_KUBE_SECRET, "a", "login", "token", "t0ken\n", 0},
    {ESP_KUBE_SECRET, "a", "login", "cert", "CERT", 0},
    {ESP_KUBE_SECRET, "a", "login", "key", "KEY", 0},
    {ESP_KUBE_SECRET, "a", "login", "config",
     "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
     "clusters: [{name: c, cluster: {server: 'https://other', tls-server-name: kube, "
     "insecure-skip-tls-verify: true}}]\n"
     "users: [{name: u, user: {username: bob, password: pw}}]\n",
     0},
    {ESP_KUBE_SECRET, "c", "login", "token", "consumers", 0},
    {0, NULL, NULL, NULL, NULL, 0},
};
static const struct sa_token tokens[] = {{"a", "reader", "x,y", 3600, "first"}, {NULL, NULL, NULL, 0, NULL}};
static const struct sa_token later[] = {{"a", "reader", "x,y", 3600, "second"}, {NULL, NULL, NULL, 0, NULL}};

static int load(void **state)
{
    (void)state;
    ops = test_load(KUBERNETES_PLUGIN)->components[0]->store;
    return 0;
}

static void *open_store(struct esp_call *call, const char *document)
{
    void *instance = NULL;
    if (test_open(call, ops, document, &instance) != ESP_OK)
        fail_msg("open: %s", call->why);
    return instance;
}

static void close_store(struct esp_call *call, void *instance)
{
    ops->close(instance, call);
    test_reset(call);
}

/* Runs one operation of a store over a script. */
static esp_status over(struct esp_call *call, const char *store, esp_op op, const char *document,
                       const esp_pair *values, size_t value_count, const struct exchange *script,
                       size_t count)
{
    static struct world world;
    world = (struct world){.script = script, .script_count = count, .objects = objects, .namespace = "a"};
    call->world = &world;
    void *instance = open_store(call, store);
    esp_status status = test_run(call, op, instance, document, values, value_count);
    test_script_done(&world);
    world.script_count = 0;
    ops->close(instance, call);
    return status;
}

#define OVER(call, op, document, script)                                                                     \
    over(call, OPEN(TOKEN), op, document, NULL, 0, script, sizeof(script) / sizeof *(script))

/* ---- opening ---- */

static void test_specs_that_are_refused(void **state)
{
    static const struct {
        const char *spec, *why;
    } specs[] = {
        {TOKEN ",\"authRef\":{\"name\":\"login\",\"key\":\"config\"}",
         "authRef and inline auth cannot both be set"},
        {SERVER, "no auth provider given"},
        {SERVER ",\"auth\":{}", "no auth provider given"},
        {SERVER ",\"auth\":{\"token\":{},\"cert\":{}}",
         "multiple auth methods provided: set exactly one of Token, ServiceAccount, or Cert"},
        {"\"server\":{\"url\":\"\"},\"auth\":{\"token\":{}}", "no server URL provided"},
        {SERVER ",\"auth\":{\"token\":{\"bearerToken\":{\"name\":\"login\"}}}",
         "BearerToken.Key cannot be empty"},
        {SERVER ",\"auth\":{\"cert\":{\"clientCert\":{\"key\":\"x\"}}}", "ClientCert.Name cannot be empty"},
        {SERVER ",\"auth\":{\"serviceAccount\":{\"name\":\"nobody\"}}",
         "cannot create service account token: serviceaccounts \"nobody\" not found"},
        {"\"authRef\":{\"name\":\"login\",\"key\":\"token\"}",
         "authRef: the kubeconfig is no mapping of names to values"},
    };
    struct world world = {.objects = objects, .namespace = "a"};
    struct esp_call call = {.world = &world};
    void *instance = NULL;
    (void)state;

    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        char document[1000];
        snprintf(document, sizeof document, "{\"spec\":{%s}," NS "}", specs[i].spec);
        assert_int_equal(test_open(&call, ops, document, &instance), ESP_E_CONFIG);
        assert_string_equal(call.why, specs[i].why);
    }
    /* Whoever uses a ClusterSecretStore has the credential; nobody does. */
    world.namespace = NULL;
    assert_int_equal(test_open(&call, ops, "{\"spec\":{" TOKEN "}," CLUSTER_NS "}", &instance),
                     ESP_E_UNDECIDED);
    test_reset(&call);
}

/* What went out, noted by the world's `http`. */
struct sent {
    char url[200], ca[20], cert[20], key[20], server_name[20], authorization[40];
    uint32_t flags;
};

static void note(char *to, size_t size, esp_bytes from)
{
    snprintf(to, size, "%.*s", ESP_ARG(from));
}

static esp_status note_request(struct world *w, struct esp_call *call, const struct esp_http_request *q,
                               struct esp_http_response *answer)
{
    struct sent *s = w->ctx;
    const esp_pair *authorization = test_header(q, "Authorization");
    note(s->url, sizeof s->url, q->url);
    note(s->ca, sizeof s->ca, q->ca_pem);
    note(s->cert, sizeof s->cert, q->cert_pem);
    note(s->key, sizeof s->key, q->key_pem);
    note(s->server_name, sizeof s->server_name, q->server_name);
    note(s->authorization, sizeof s->authorization, authorization ? authorization->value : esp_str(""));
    s->flags = q->flags;
    return test_answer(call, answer, 200, NULL, LABELED);
}

static void expect_sent(const char *document, const struct sent *want)
{
    struct sent got;
    struct world world = {
        .http = note_request, .ctx = &got, .objects = objects, .tokens = tokens, .namespace = "a"};
    struct esp_call call = {.world = &world};
    void *store = open_store(&call, document);
    assert_int_equal(test_run(&call, ops->get, store, REF("db", "a", "None"), NULL, 0), ESP_OK);
    assert_string_equal(got.url, want->url);
    assert_string_equal(got.ca, want->ca);
    assert_string_equal(got.cert, want->cert);
    assert_string_equal(got.key, want->key);
    assert_string_equal(got.server_name, want->server_name);
    assert_string_equal(got.authorization, want->authorization);
    assert_int_equal(got.flags, want->flags);
    close_store(&call, store);
}

static void test_credentials_that_go_out(void **state)
{
    (void)state;
    expect_sent(OPEN(TOKEN),
                &(struct sent){.url = URL "/db", .ca = "the CA", .authorization = "Bearer t0ken"});
    expect_sent(OPEN(ACCOUNT),
                &(struct sent){.url = URL "/db", .ca = "the CA", .authorization = "Bearer first"});
    expect_sent(OPEN("\"server\":{\"url\":\"kubernetes.default\"},\"auth\":{\"cert\":{\"clientCert\":{"
                     "\"name\":\"login\","
                     "\"key\":\"cert\"},\"clientKey\":{\"name\":\"login\",\"key\":\"key\"}}}"),
                &(struct sent){.url = "https://kubernetes.default/api/v1/namespaces/default/secrets/db",
                               .ca = "the CA",
                               .cert = "CERT",
                               .key = "KEY"});
    expect_sent("{\"spec\":{\"authRef\":{\"name\":\"login\",\"key\":\"config\"}}," NS "}",
                &(struct sent){.url = "https://other/api/v1/namespaces/default/secrets/db",
                               .server_name = "kube",
                               .authorization = "Basic Ym9iOnB3",
                               .flags = ESP_HTTP_INSECURE});
}

/* ---- reading ---- */

struct read_case {
    const char *document, *answer, *want; /* want: the value, or ! and the error */
};

static void run_reads(esp_op op, const struct read_case *cases, size_t count)
{
    struct esp_call call = {0};
    for (size_t i = 0; i < count; i++) {
        const struct exchange script[] = {{.method = "GET",
                                           .url = URL "/db",
                                           .headers = "Authorization: Bearer t0ken",
                                           .status = 200,
                                           .answer = cases[i].answer}};
        esp_status status = OVER(&call, op, cases[i].document, script);
        if (*cases[i].want == '!') {
            assert_int_equal(status, ESP_E_CONFIG);
            assert_string_equal(call.why, cases[i].want + 1);
        } else {
            if (status != ESP_OK)
                fail_msg("%s: %s", cases[i].document, call.why);
            struct esp_text all;
            esp_text_init(&all, 4000);
            for (size_t o = 0; o < call.count; o++)
                esp_text_addf(&all, "%s%s=%s", o ? " " : "", call.outputs[o].key, call.outputs[o].value);
            assert_string_equal(esp_text_str(&all), cases[i].want);
            esp_text_free(&all);
        }
        test_reset(&call);
    }
}

static void test_get(void **state)
{
    static const struct read_case cases[] = {
        {REF("db", "", "None"), LABELED,
         "={\"a\":\"1\",\"conf\":\"{\\\"x\\\":{\\\"y\\\":\\\"z\\\"},\\\"n\\\":[1, "
         "2]}\",\"tls.crt\":\"PEM\"}"},
        {REF("db", "", "None"), SECRET("", "\"data\":null"), "={}"},
        {REF("db", "tls.crt", "None"), LABELED, "=PEM"},
        {REF("db", "conf.x.y", "None"), LABELED, "=z"},
        {REF("db", "conf.n", "None"), LABELED, "=[1, 2]"},
        {REF("db", "conf.nope", "None"), LABELED,
         "!property conf.nope does not exist in data of secret \"db\""},
        {REF("db", ".a", "None"), LABELED, "!property .a does not exist in data of secret \"db\""},
        {REF("db", "a.", "None"), LABELED, "!property a. does not exist in data of secret \"db\""},
        {REF("db", "", "Fetch"), LABELED,
         "={\"annotations\":{\"j\":\"{\\\"k\\\":{\\\"l\\\":\\\"m\\\"}}\"},\"labels\":{\"a.x/"
         "y\":\"1\",\"b\":\"2\"}}"},
        {REF("db", "", "Fetch"), SECRET("", DATA), "={\"annotations\":null,\"labels\":null}"},
        {REF("db", "labels", "Fetch"), LABELED, "={\"a.x/y\":\"1\",\"b\":\"2\"}"},
        {REF("db", "labels.a.x/y", "Fetch"), LABELED, "=1"},
        {REF("db", "annotations.j.k.l", "Fetch"), LABELED, "=m"},
        {REF("db", "labels.nope", "Fetch"), LABELED,
         "!property labels.nope does not exist in metadata of secret \"db\""},
        {REF("db", "labelsx", "Fetch"), LABELED,
         "!property labelsx does not exist in metadata of secret \"db\""},
    };
    (void)state;
    run_reads(ops->get, cases, sizeof cases / sizeof *cases);
}

static void test_get_map(void **state)
{
    static const struct read_case cases[] = {
        {REF("db", "", "None"), SECRET("", "\"data\":{\"b\":\"Mg==\",\"a\":\"MQ==\"}"), "b=2 a=1"},
        {REF("db", "conf", "None"), LABELED, "x={\"y\":\"z\"} n=[1,2]"},
        {REF("db", "j", "None"), SECRET("", "\"data\":{\"j\":\"eyJzIjoieCIsIm4iOjEuNTB9\"}"),
         "s=\"x\" n=1.50"},
        {REF("db", "a", "None"), LABELED,
         "!failed to unmarshal secret: invalid JSON format: property a of secret \"db\" is not a JSON "
         "object"},
        {REF("db", "conf.x", "None"), LABELED, "!property conf.x does not exist in key db"},
        {REF("db", "", "Fetch"), SECRET(",\"labels\":{\"a\":\"1\"}", DATA),
         "labels={\"a\":\"1\"} annotations=null"},
        {REF("db", "labels", "Fetch"), LABELED, "a.x/y=\"1\" b=\"2\""},
        {REF("db", "annotations", "Fetch"), SECRET("", DATA), ""},
        {REF("db", "other", "Fetch"), LABELED, "!property other does not exist in key db"},
    };
    (void)state;
    run_reads(ops->get_map, cases, sizeof cases / sizeof *cases);
}

static void test_refusals(void **state)
{
    static const struct {
        int32_t status;
        const char *answer, *headers;
        esp_status want;
        const char *why;
        uint64_t retry_after_ms;
    } cases[] = {
        {404, MISSING, NULL, ESP_E_NOT_FOUND, "", 0},
        {404, "<html>nothing here</html>", NULL, ESP_E_CONFIG,
         "not found, and not as a Secret is: is the server's address right? (status 404)", 0},
        {200, "<html>log in</html>", NULL, ESP_E_CONFIG,
         "the answer is no Kubernetes object: is the server's address right? (status 200)", 0},
        {200, "{\"kind\":\"Secret\",\"metadata\":{}}", NULL, ESP_E_CONFIG,
         "the answer is no Kubernetes object: is the server's address right? (status 200)", 0},
        {302, "", "Location: https://elsewhere", ESP_E_CONFIG,
         "the server sends elsewhere, which is not followed: is its address right? (status 302)", 0},
        {401, "", NULL, ESP_E_DENIED,
         "the API server does not accept the credentials: Unauthorized (status 401)", 0},
        {403, "", NULL, ESP_E_DENIED, "forbidden: the credentials do not have this right (status 403)", 0},
        {429, "", "retry-after: 3", ESP_E_RETRY, "the API server has too much to do (status 429)", 3000},
        {503, "", NULL, ESP_E_RETRY, "the API server failed (status 503)", 0},
    };
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[300] = "";
        const struct exchange script[] = {{.url = URL "/db",
                                           .status = cases[i].status,
                                           .answer = cases[i].answer,
                                           .answer_headers = cases[i].headers}};
        if (*cases[i].why)
            snprintf(why, sizeof why, "cannot get secret \"db\" in namespace \"b\": %s", cases[i].why);
        assert_int_equal(OVER(&call, ops->get, REF("db", "a", "None"), script), cases[i].want);
        assert_string_equal(call.why, why);
        assert_int_equal(call.retry_after_ms, cases[i].retry_after_ms);
        test_reset(&call);
    }
}

/* A name that leads out of the path is never asked for. */
static void test_names_that_are_none(void **state)
{
    static const char *const names[] = {"", "..", ".", "a/b", "A", "a_b", "-a", "a?x=y"};
    struct esp_call call = {0};
    char document[500];
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(document, sizeof document,
                 "{\"key\":\"%s\",\"property\":\"\",\"metadataPolicy\":\"None\"," NS "}", names[i]);
        assert_int_equal(over(&call, OPEN(TOKEN), ops->get, document, NULL, 0, NULL, 0), ESP_E_CONFIG);
        assert_non_null(strstr(call.why, "is not the name of a Secret"));
        test_reset(&call);
    }
}

/* ---- tokens ---- */

static esp_status refuse_first(struct world *w, struct esp_call *call, const struct esp_http_request *q,
                               struct esp_http_response *answer)
{
    bool second = esp_equal_str(test_header(q, "Authorization")->value, "Bearer second");
    w->tokens = later;
    return test_answer(call, answer, second ? 200 : 401, NULL, second ? LABELED : "");
}

static void test_a_refused_token_is_replaced_once(void **state)
{
    struct world world = {.http = refuse_first, .tokens = tokens, .namespace = "a"};
    struct esp_call call = {.world = &world};
    (void)state;

    void *store = open_store(&call, OPEN(ACCOUNT));
    assert_int_equal(test_run(&call, ops->get, store, REF("db", "a", "None"), NULL, 0), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "1");
    assert_int_equal(world.requests, 2);
    close_store(&call, store);
}

static void test_tokens_are_renewed_before_they_end(void **state)
{
    struct sent sent;
    struct world world = {
        .http = note_request, .ctx = &sent, .tokens = tokens, .namespace = "a", .now_ms = 1000000};
    struct esp_call call = {.world = &world};
    (void)state;

    void *store = open_store(&call, OPEN(ACCOUNT));
    world.tokens = later;
    world.now_ms += 3500 * 1000;
    assert_int_equal(test_run(&call, ops->get, store, REF("db", "a", "None"), NULL, 0), ESP_OK);
    assert_string_equal(sent.authorization, "Bearer first");
    world.now_ms += 50 * 1000;
    assert_int_equal(test_run(&call, ops->get, store, REF("db", "a", "None"), NULL, 0), ESP_OK);
    assert_string_equal(sent.authorization, "Bearer second");
    close_store(&call, store);
}

/* ---- find ---- */

#define ITEM(name, value) "{\"metadata\":{\"name\":\"" name "\"},\"data\":{\"k\":\"" value "\"}}"
#define PAGE(next, items)                                                                                    \
    "{\"kind\":\"SecretList\",\"metadata\":{\"continue\":\"" next "\"},\"items\":[" items "]}"
#define FIND "{\"name\":{\"regexp\":\".\"},\"prefix\":\"\"," NS "}"

static void test_find_reads_all_pages_of_one_revision(void **state)
{
    static const struct exchange script[] = {
        {.url = URL "?limit=500", .status = 200, .answer = PAGE("t=1", ITEM("old", "MQ=="))},
        {.url = URL "?limit=500&continue=t%3D1", .status = 410, .answer = "{}"},
        {.url = URL "?limit=500", .status = 200, .answer = PAGE("t2", ITEM("one", "MQ=="))},
        {.url = URL "?limit=500&continue=t2",
         .status = 200,
         .answer = PAGE("", ITEM("two", "Mg==") "," ITEM("three", "Mw=="))},
    };
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, ops->list, FIND, script), ESP_OK);
    assert_int_equal(call.count, 3);
    assert_string_equal(test_value(&call, "one")->value, "{\"k\":\"1\"}");
    assert_string_equal(test_value(&call, "three")->value, "{\"k\":\"3\"}");
    test_reset(&call);
}

static void test_find_gives_up_on_a_list_that_does_not_hold_still(void **state)
{
    static const struct exchange script[] = {{.url = URL "?limit=500", .status = 410},
                                             {.url = URL "?limit=500", .status = 410},
                                             {.url = URL "?limit=500", .status = 410}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, ops->list, FIND, script), ESP_E_RETRY);
    assert_string_equal(
        call.why, "cannot list secrets in namespace \"b\": the list changed 3 times faster than it could be "
                  "read (status 410)");
    test_reset(&call);
}

static void test_find_takes_small_pages_of_large_secrets(void **state)
{
    static const struct exchange script[] = {
        {.url = URL "?limit=500", .fails = ESP_E_INTERNAL},
        {.url = URL "?limit=8", .status = 200, .answer = PAGE("n", ITEM("one", "MQ=="))},
        {.url = URL "?limit=8&continue=n", .status = 200, .answer = PAGE("", "")},
    };
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, ops->list, FIND, script), ESP_OK);
    assert_int_equal(call.count, 1);
    test_reset(&call);
}

static void test_find_by_labels(void **state)
{
    static const struct exchange script[] = {
        {.url = URL "?limit=500&labelSelector=app.x%2Fy%3Dshop%2Cenv%3Ddev",
         .status = 200,
         .answer = PAGE("", "")}};
    static const struct exchange none[] = {
        {.url = URL "?limit=500", .status = 200, .answer = "{\"items\":{}}"}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, ops->list,
                          "{\"tags\":{\"app.x/y\":\"shop\",\"env\":\"dev\"},\"prefix\":\"\"," NS "}", script),
                     ESP_OK);
    assert_int_equal(OVER(&call, ops->list, FIND, none), ESP_E_CONFIG);
    assert_string_equal(
        call.why,
        "cannot list secrets in namespace \"b\": the answer is no Kubernetes object: is the server's "
        "address right? (status 200)");
    assert_int_equal(
        over(&call, OPEN(TOKEN), ops->list, "{\"path\":\"x\",\"prefix\":\"\"," NS "}", NULL, 0, NULL, 0),
        ESP_E_CONFIG);
    assert_string_equal(call.why,
                        "unexpected find operator: the kubernetes store finds by name.regexp or by tags");
    test_reset(&call);
}

/* ---- push ---- */

#define PUSH(secret_key, property, more)                                                                     \
    "{\"remoteKey\":\"db\",\"property\":\"" property "\",\"secretKey\":\"" secret_key                        \
    "\",\"type\":\"\",\"labels\":{\"team\":\"blue\"},\"annotations\":{\"kubectl.kubernetes.io/"              \
    "last-applied-configuration\":\"{}\"}" more "," NS "}"
#define METADATA(spec)                                                                                       \
    ",\"metadata\":{\"apiVersion\":\"kubernetes.external-secrets.io/"                                        \
    "v1alpha1\",\"kind\":\"PushSecretMetadata\","                                                            \
    "\"spec\":{" spec "}}"
#define NAMED "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"db\",\"namespace\":\"b\","

static esp_pair source[2];

static esp_status push(struct esp_call *call, const char *document, const struct exchange *script,
                       size_t count)
{
    source[0] = (esp_pair){esp_str("b"), esp_str("2")};
    source[1] = (esp_pair){esp_str("a"), esp_str("<1>")};
    return over(call, OPEN(TOKEN), ops->push, document, source, 2, script, count);
}

#define PUSHES(call, document, script) push(call, document, script, sizeof(script) / sizeof *(script))

static void test_push_creates(void **state)
{
    static const struct exchange script[] = {
        {.method = "GET", .url = URL "/db", .status = 404, .answer = MISSING},
        {.method = "POST",
         .url = URL,
         .headers = "Content-Type: application/json",
         .body = NAMED "\"labels\":{\"team\":\"blue\"},\"annotations\":{}},\"type\":\"Opaque\",\"data\":{"
                       "\"a\":\"PDE+\",\"b\":\"Mg==\"}}",
         .status = 201,
         .answer = "{}"}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(PUSHES(&call, PUSH("", "", ""), script), ESP_OK);
    test_reset(&call);
}

/* Into a Secret that others write as well: their data, their metadata and what we know nothing of stay. */
static void test_push_of_a_property_keeps_the_rest(void **state)
{
    static const struct exchange script[] = {
        {.method = "GET",
         .url = URL "/db",
         .status = 200,
         .answer = SECRET(",\"labels\":{\"own\":\"er\"},\"finalizers\":[\"f\"],\"managedFields\":[{}]",
                          "\"data\":{\"theirs\":\"MQ==\"},\"immutable\":false")},
        {.method = "PUT",
         .url = URL "/db",
         .body = NAMED "\"labels\":{\"own\":\"er\",\"team\":\"blue\"},\"annotations\":{},\"uid\":\"u\","
                       "\"resourceVersion\":\"7\","
                       "\"finalizers\":[\"f\"]},\"type\":\"Opaque\",\"data\":{\"all\":\"eyJhIjoiPDE+"
                       "IiwiYiI6IjIifQ==\",\"theirs\":\"MQ==\"},"
                       "\"immutable\":false}",
         .status = 200,
         .answer = "{}"}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(PUSHES(&call, PUSH("", "all", ""), script), ESP_OK);
    test_reset(&call);
}

static void test_push_writes_nothing_when_nothing_differs(void **state)
{
    static const struct exchange script[] = {
        {.method = "GET",
         .url = URL "/db",
         .status = 200,
         .answer = SECRET(",\"labels\":{\"team\":\"blue\",\"x\":\"y\"}",
                          "\"data\":{\"k\":\"Mg==\",\"other\":\"MQ==\"}")}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(PUSHES(&call, PUSH("b", "k", ""), script), ESP_OK);
    test_reset(&call);
}

static void test_push_starts_over_when_it_lost_a_race(void **state)
{
    static const struct exchange script[] = {
        {.method = "GET", .status = 404, .answer = MISSING},
        {.method = "POST", .status = 409},
        {.method = "GET", .status = 200, .answer = SECRET("", "\"data\":{}")},
        {.method = "PUT", .status = 409},
        {.method = "GET", .status = 200, .answer = SECRET("", "\"data\":{}")},
        {.method = "PUT", .status = 404, .answer = MISSING},
        {.method = "GET", .status = 404, .answer = MISSING},
        {.method = "POST", .status = 409},
    };
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(PUSHES(&call, PUSH("b", "k", ""), script), ESP_E_RETRY);
    assert_string_equal(
        call.why,
        "cannot update secret \"db\" in namespace \"b\": somebody else changed it 4 times meanwhile");
    test_reset(&call);
}

static void test_merge_policies(void **state)
{
    static const struct {
        const char *document, *metadata;
    } cases[] = {
        {PUSH("b", "k", METADATA("\"labels\":{\"team\":\"red\",\"n\":\"1\"},\"annotations\":{\"x\":\"y\"}")),
         "\"labels\":{\"n\":\"1\",\"old\":\"1\",\"team\":\"red\"},\"annotations\":{\"note\":\"1\",\"x\":"
         "\"y\"}"},
        {PUSH("b", "k", METADATA("\"sourceMergePolicy\":\"Replace\",\"labels\":{\"n\":\"1\"}")),
         "\"labels\":{\"n\":\"1\",\"old\":\"1\"},\"annotations\":{\"note\":\"1\"}"},
        {PUSH("b", "k", METADATA("\"targetMergePolicy\":\"Replace\"")),
         "\"labels\":{\"team\":\"blue\"},\"annotations\":{}"},
        {PUSH("b", "k", METADATA("\"targetMergePolicy\":\"Ignore\",\"labels\":{\"n\":\"1\"}")),
         "\"labels\":{\"old\":\"1\"},\"annotations\":{\"note\":\"1\"}"},
    };
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1000];
        snprintf(body, sizeof body,
                 NAMED
                 "%s,\"uid\":\"u\",\"resourceVersion\":\"7\"},\"type\":\"Opaque\",\"data\":{\"k\":\"Mg==\"}}",
                 cases[i].metadata);
        const struct exchange script[] = {
            {.method = "GET",
             .status = 200,
             .answer = SECRET(",\"labels\":{\"old\":\"1\"},\"annotations\":{\"note\":\"1\"}", "\"data\":{}")},
            {.method = "PUT", .body = body, .status = 200, .answer = "{}"}};
        assert_int_equal(PUSHES(&call, cases[i].document, script), ESP_OK);
        test_reset(&call);
    }
}

static void test_pushes_that_are_refused(void **state)
{
    static const struct {
        const char *document, *why;
    } cases[] = {
        {PUSH("b", "", ""), "requires property in RemoteRef to push secret value if secret key is defined"},
        {PUSH("b", "k", METADATA("\"targetMergePolicy\":\"Some\"")),
         "failed to merge target metadata: unexpected target merge policy \"Some\": it is Merge, Replace or "
         "Ignore"},
        {PUSH("b", "k", METADATA("\"sourceMergePolicy\":\"Ignore\"")),
         "failed to merge source metadata: unexpected source merge policy \"Ignore\": it is Merge or "
         "Replace"},
        {PUSH("b", "k", METADATA("\"remoteNamespace\":\"x\"")),
         "remoteNamespace override is only supported with ClusterSecretStore"},
    };
    static const struct exchange other_type[] = {
        {.method = "GET",
         .status = 200,
         .answer = "{\"metadata\":{\"name\":\"db\"},\"type\":\"kubernetes.io/tls\",\"data\":{}}"}};
    static const struct exchange no_namespace[] = {
        {.method = "GET", .status = 404, .answer = MISSING},
        {.method = "POST",
         .status = 404,
         .answer = "{\"kind\":\"Status\",\"details\":{\"kind\":\"namespaces\"}}"}};
    static const struct exchange forbidden[] = {{.method = "GET", .status = 404, .answer = MISSING},
                                                {.method = "POST", .status = 403}};
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(push(&call, cases[i].document, NULL, 0), ESP_E_CONFIG);
        assert_string_equal(call.why, cases[i].why);
    }
    assert_int_equal(push(&call, PUSH("b", "k", METADATA("\"nope\":1")), NULL, 0), ESP_E_CONFIG);
    assert_non_null(strstr(call.why, "nope"));
    assert_int_equal(PUSHES(&call, PUSH("b", "k", ""), other_type), ESP_E_CONFIG);
    assert_string_equal(
        call.why,
        "cannot update secret \"db\" in namespace \"b\": it is of type kubernetes.io/tls, the pushed one "
        "of type Opaque, and the type of a Secret cannot change: delete it, or push another type");
    assert_int_equal(PUSHES(&call, PUSH("b", "k", ""), no_namespace), ESP_E_CONFIG);
    assert_string_equal(
        call.why, "cannot create secret \"db\" in namespace \"b\": there is no such namespace (status 404)");
    assert_int_equal(PUSHES(&call, PUSH("b", "k", ""), forbidden), ESP_E_DENIED);
    assert_string_equal(
        call.why,
        "cannot create secret \"db\" in namespace \"b\": forbidden: the credentials do not have this right "
        "(status 403)");
    test_reset(&call);
}

/* ---- remove and exists ---- */

#define GONE(property, more) "{\"remoteKey\":\"db\",\"property\":\"" property "\"" more "," NS "}"

static void test_remove(void **state)
{
    static const struct exchange absent[] = {{.method = "GET", .status = 404, .answer = MISSING}};
    static const struct exchange not_there[] = {{.method = "GET", .status = 200, .answer = SECRET("", DATA)}};
    static const struct exchange one_of_several[] = {
        {.method = "GET", .status = 200, .answer = SECRET("", "\"data\":{\"a\":\"MQ==\",\"k\":\"Mg==\"}")},
        {.method = "PUT",
         .body = NAMED
         "\"labels\":{},\"annotations\":{},\"uid\":\"u\",\"resourceVersion\":\"7\"},\"type\":\"Opaque\","
         "\"data\":{\"a\":\"MQ==\"}}",
         .status = 200}};
    static const struct exchange the_last[] = {
        {.method = "GET", .status = 200, .answer = SECRET("", "\"data\":{\"k\":\"Mg==\"}")},
        {.method = "DELETE",
         .url = URL "/db",
         .body = "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"u\","
                 "\"resourceVersion\":\"7\"}}",
         .status = 200}};
    static const struct exchange raced[] = {
        {.method = "GET", .status = 200, .answer = SECRET("", "\"data\":{\"k\":\"Mg==\"}")},
        {.method = "DELETE", .status = 409},
        {.method = "GET", .status = 404, .answer = MISSING}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, ops->remove, GONE("k", ""), absent), ESP_OK);
    assert_int_equal(OVER(&call, ops->remove, GONE("k", ""), not_there), ESP_OK);
    assert_int_equal(OVER(&call, ops->remove, GONE("k", ""), one_of_several), ESP_OK);
    assert_int_equal(OVER(&call, ops->remove, GONE("k", ""), the_last), ESP_OK);
    assert_int_equal(OVER(&call, ops->remove, GONE("", ""), the_last), ESP_OK);
    assert_int_equal(OVER(&call, ops->remove, GONE("k", ""), raced), ESP_OK);
    test_reset(&call);
}

/* What a ClusterSecretStore pushed elsewhere, it removes there. */
static void test_another_namespace(void **state)
{
    static const struct exchange script[] = {
        {.method = "GET",
         .url = "https://api:6443/api/v1/namespaces/elsewhere/secrets/db",
         .status = 404,
         .answer = MISSING}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(over(&call, "{\"spec\":{" TOKEN "}," CLUSTER_NS "}", ops->remove,
                          GONE("", METADATA("\"remoteNamespace\":\"elsewhere\"")), NULL, 0, script, 1),
                     ESP_OK);
    test_reset(&call);
}

static void test_exists(void **state)
{
    static const struct exchange there[] = {{.method = "GET", .status = 200, .answer = SECRET("", DATA)}};
    static const struct exchange absent[] = {{.method = "GET", .status = 404, .answer = MISSING}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, ops->exists, GONE("a", ""), there), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "true");
    assert_int_equal(OVER(&call, ops->exists, GONE("nope", ""), there), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "false");
    assert_int_equal(OVER(&call, ops->exists, GONE("", ""), absent), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "false");
    test_reset(&call);
}

/* ---- validate and check ---- */

#define RULES "https://api:6443/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
#define ACCESS "https://api:6443/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
#define RULE(groups, resources, verbs)                                                                       \
    "{\"status\":{\"resourceRules\":[{\"apiGroups\":[" groups "],\"resources\":[" resources                  \
    "],\"verbs\":[" verbs "]}]}}"

static void test_validate(void **state)
{
    static const struct {
        const char *rules, *access;
        esp_status want;
    } cases[] = {
        {RULE("\"\"", "\"secrets\"", "\"get\""), NULL, ESP_OK},
        {RULE("\"*\"", "\"*\"", "\"*\""), NULL, ESP_OK},
        {RULE("", "\"secrets\"", "\"list\",\"get\""), NULL, ESP_OK},
        {RULE("\"\"", "\"secrets\"", "\"list\""), "{\"status\":{\"allowed\":true}}", ESP_OK},
        {RULE("\"apps\"", "\"secrets\"", "\"get\""), "{\"status\":{\"allowed\":false}}", ESP_E_DENIED},
    };
    static const struct exchange unauthorized[] = {
        {.method = "POST", .url = RULES, .status = 401, .answer = "secret words"}};
    static const struct exchange untrusted[] = {{.method = "POST", .url = RULES, .fails = ESP_E_DENIED}};
    static const struct exchange cancelled[] = {{.method = "POST", .url = RULES, .fails = ESP_E_CANCELLED}};
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct exchange script[] = {
            {.method = "POST",
             .url = RULES,
             .body = "{\"apiVersion\":\"authorization.k8s.io/"
                     "v1\",\"kind\":\"SelfSubjectRulesReview\",\"spec\":{\"namespace\":\"b\"}}",
             .status = 201,
             .answer = cases[i].rules},
            {.method = "POST",
             .url = ACCESS,
             .body = "{\"apiVersion\":\"authorization.k8s.io/"
                     "v1\",\"kind\":\"SelfSubjectAccessReview\",\"spec\":{\"resourceAttributes\":"
                     "{\"resource\":\"secrets\",\"verb\":\"get\",\"namespace\":\"b\"}}}",
             .status = 201,
             .answer = cases[i].access}};
        assert_int_equal(
            over(&call, OPEN(TOKEN), ops->validate, "{" NS "}", NULL, 0, script, cases[i].access ? 2 : 1),
            cases[i].want);
    }
    assert_string_equal(call.why, "client is not allowed to get secrets");
    assert_int_equal(OVER(&call, ops->validate, "{" NS "}", unauthorized), ESP_E_UNDECIDED);
    assert_string_equal(
        call.why,
        "could not verify if client is valid: the API server answered SelfSubjectRulesReview with status "
        "401 (Unauthorized)");
    assert_int_equal(OVER(&call, ops->validate, "{" NS "}", untrusted), ESP_E_UNDECIDED);
    assert_string_equal(call.why, "could not verify if client is valid: "); /* the core says the rest */
    assert_int_equal(OVER(&call, ops->validate, "{" NS "}", cancelled), ESP_E_CANCELLED);
    test_reset(&call);
}

static void test_check(void **state)
{
#define FOREIGN                                                                                              \
    "namespace should either be empty or match the namespace of the SecretStore for a namespaced "           \
    "SecretStore"
    static const struct {
        const char *document, *why;
    } cases[] = {
        {OPEN(TOKEN), NULL},
        {OPEN("\"server\":{\"caProvider\":{\"namespace\":\"a\"}}"),
         "CAProvider.namespace must be empty with SecretStore"},
        {"{\"spec\":{\"server\":{\"caProvider\":{}}}," CLUSTER_NS "}",
         "CAProvider.namespace must not be empty with ClusterSecretStore"},
        {OPEN("\"auth\":{\"cert\":{\"clientCert\":{\"key\":\"k\"}}}"), "ClientCert.Name cannot be empty"},
        {OPEN("\"auth\":{\"cert\":{\"clientCert\":{\"name\":\"n\"}}}"), "ClientCert.Key cannot be empty"},
        {OPEN("\"auth\":{\"cert\":{\"clientCert\":{\"name\":\"n\",\"key\":\"k\"},\"clientKey\":{}}}"),
         "ClientKey.Name cannot be empty"},
        {OPEN("\"auth\":{\"token\":{\"bearerToken\":{\"key\":\"k\"}}}"), "BearerToken.Name cannot be empty"},
        {OPEN("\"auth\":{\"token\":{\"bearerToken\":{\"name\":\"n\"}}}"), "BearerToken.Key cannot be empty"},
        {OPEN("\"auth\":{\"token\":{\"bearerToken\":{\"name\":\"n\",\"key\":\"k\",\"namespace\":\"z\"}}}"),
         FOREIGN},
        {OPEN("\"auth\":{\"serviceAccount\":{\"name\":\"n\",\"namespace\":\"z\"}}"), FOREIGN},
        {OPEN("\"authRef\":{\"name\":\"n\",\"key\":\"k\",\"namespace\":\"z\"}"), FOREIGN},
        {"{\"spec\":{" TOKEN "}," CLUSTER_NS "}", NULL}, /* the consumer's */
    };
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(test_run(&call, ops->check, NULL, cases[i].document, NULL, 0),
                         cases[i].why ? ESP_E_CONFIG : ESP_OK);
        assert_string_equal(call.why, cases[i].why ? cases[i].why : "");
    }
    assert_int_equal(call.count, 1);
    assert_int_equal(call.outputs[0].channel, ESP_OUT_WARNING);
    assert_string_equal(
        call.outputs[0].value,
        "No caBundle or caProvider specified; TLS connections will use system certificate roots.");
    test_reset(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs_that_are_refused),
        cmocka_unit_test(test_credentials_that_go_out),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_map),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_a_refused_token_is_replaced_once),
        cmocka_unit_test(test_tokens_are_renewed_before_they_end),
        cmocka_unit_test(test_find_reads_all_pages_of_one_revision),
        cmocka_unit_test(test_find_gives_up_on_a_list_that_does_not_hold_still),
        cmocka_unit_test(test_find_takes_small_pages_of_large_secrets),
        cmocka_unit_test(test_find_by_labels),
        cmocka_unit_test(test_push_creates),
        cmocka_unit_test(test_push_of_a_property_keeps_the_rest),
        cmocka_unit_test(test_push_writes_nothing_when_nothing_differs),
        cmocka_unit_test(test_push_starts_over_when_it_lost_a_race),
        cmocka_unit_test(test_merge_policies),
        cmocka_unit_test(test_pushes_that_are_refused),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_another_namespace),
        cmocka_unit_test(test_exists),
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
