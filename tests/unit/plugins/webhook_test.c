/* The webhook provider: what it sends, and what it makes of the answers. */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>
#include <esp/text.h>

#define NS                                                                                                   \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"a\",\"name\":\"s\",\"generation\":1},"              \
    "\"namespace\":\"a\""
#define CLUSTER_NS                                                                                           \
    "\"store\":{\"kind\":\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\",\"generation\":1},"        \
    "\"namespace\":\"c\""
#define OPEN(spec) "{\"spec\":{" spec "},\"caBundle\":\"the CA\"," NS "}"
#define URL "\"url\":\"https://h/v\""
#define LOGIN "\"secrets\":[{\"name\":\"auth\",\"secretRef\":{\"name\":\"login\"}}]"
#define REF "{\"key\":\"a/b c\",\"property\":\"p\",\"version\":\"v1\",\"metadataPolicy\":\"None\"," NS "}"
#define OBJECT(labels, data) "{\"metadata\":{\"name\":\"login\",\"labels\":{" labels "}},\"data\":{" data "}}"
#define WEBHOOK "\"external-secrets.io/type\":\"webhook\""

static const struct esp_store_ops *ops;

static const struct object objects[] = {
    {ESP_KUBE_SECRET_OBJECT, "a", "login", "", OBJECT(WEBHOOK, "\"user\":\"Ym9i\",\"pass.word\":\"IiI=\""),
     0},
    {ESP_KUBE_SECRET_OBJECT, "a", "more", "", OBJECT(WEBHOOK, "\"token\":\"dA==\""), 0},
    {ESP_KUBE_SECRET_OBJECT, "a", "bare", "", OBJECT("", ""), 0},
    {ESP_KUBE_SECRET_OBJECT, "a", "other", "", OBJECT("\"external-secrets.io/type\":\"other\"", ""), 0},
    {ESP_KUBE_SECRET_OBJECT, "a", "denied", "", NULL, ESP_E_DENIED},
    {0, NULL, NULL, NULL, NULL, 0},
};

/* As little of a template language as these tests need: {{.a.b}} is a value of the data, and
 * {{data}} is all of it. */
static esp_status render(struct world *world, struct esp_call *call, esp_bytes text, esp_bytes data,
                         esp_bytes *out)
{
    struct esp_text made;
    (void)world;

    assert_true(esp_json_check(data, NULL));
    esp_text_init(&made, 100000);
    for (size_t i = 0; i < text.len;) {
        const char *at = (const char *)text.ptr + i;
        const char *end = text.len - i > 4 && strncmp(at, "{{", 2) == 0 ? strstr(at, "}}") : NULL;
        if (!end) {
            esp_text_addc(&made, *at);
            i++;
            continue;
        }
        esp_bytes path = esp_span(at + 3, (size_t)(end - at) - 3);
        if (strncmp(at, "{{data", 6) == 0)
            esp_text_add(&made, data);
        else if (at[2] == '.')
            esp_json_get(data, path, ESP_JSON_PATH, &made);
        else
            return call->failed_with = ESP_E_CONFIG;
        i += (size_t)(end - at) + 2;
    }
    *out = test_give(call, esp_text_bytes(&made));
    esp_text_free(&made);
    return ESP_OK;
}

static int load(void **state)
{
    (void)state;
    ops = test_load(WEBHOOK_PLUGIN)->components[0]->store;
    return 0;
}

/* Runs one operation of a store over a script. */
static esp_status over(struct esp_call *call, const char *store, esp_op op, const char *document,
                       const esp_pair *values, size_t value_count, const struct exchange *script,
                       size_t count)
{
    static struct world world;
    void *instance = NULL;
    world = (struct world){
        .script = script, .script_count = count, .objects = objects, .namespace = "a", .render = render};
    call->world = &world;
    assert_int_equal(test_open(call, ops, store, &instance), ESP_OK);
    esp_status status = test_run(call, op, instance, document, values, value_count);
    test_script_done(&world);
    ops->close(instance, call);
    return status;
}

#define OVER(call, store, op, document, script)                                                              \
    over(call, store, op, document, NULL, 0, script, sizeof(script) / sizeof *(script))

/* ---- requests ---- */

static void test_a_read_is_made_of_templates(void **state)
{
    static const struct exchange script[] = {{.method = "POST",
                                              .url = "https://h/v1?k=a%2Fb+c&n=a&t=bob",
                                              .headers = "X-Key: a/b c\nX-Pass: \"\"\n!Authorization",
                                              .body = "p bob t",
                                              .status = 200,
                                              .answer = "{\"x\":{\"p\":\"found\"}}"}};
    struct esp_call call = {0};
    (void)state;

    const char *store =
        OPEN("\"url\":\"https://h/"
             "{{.remoteRef.version}}?k={{.remoteRef.key}}&n={{.remoteRef.namespace}}&t={{.auth.user}}\","
             "\"method\":\"POST\",\"headers\":{\"X-Key\":\"{{.remoteRef.key}}\",\"X-Pass\":\"{{.auth."
             "pass\\\\.word}}\"},"
             "\"body\":\"{{.remoteRef.property}} {{.auth.user}} "
             "{{.auth.token}}\",\"result\":{\"jsonPath\":\"$.x.{{.remoteRef.property}}\"},"
             "\"secrets\":[{\"name\":\"auth\",\"secretRef\":{\"name\":\"login\"}},{\"name\":\"auth\","
             "\"secretRef\":{\"name\":\"more\"}}]");
    assert_int_equal(OVER(&call, store, ops->get, REF, script), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "found");
    test_reset(&call);
}

/* One URL serves reads and pushes: all names are there, and those that have nothing to say are empty. */
static void test_data_of_templates(void **state)
{
    static const struct exchange read[] = {
        {.method = "GET",
         .body = "{\"remoteRef\":{\"key\":\"a/b "
                 "c\",\"property\":\"p\",\"version\":\"v1\",\"namespace\":\"a\",\"remoteKey\":\"\","
                 "\"secretKey\":\"\"}}",
         .status = 200}};
    static const struct exchange push[] = {
        {.method = "POST",
         .body = "{\"remoteRef\":{"
                 "\"key\":\"\",\"property\":\"\",\"version\":\"\",\"namespace\":\"a\",\"remoteKey\":\"r k\","
                 "\"secretKey\":\"s\",\"r k\":\"<v>\"}}",
         .status = 204}};
    const esp_pair value = {esp_str("s"), esp_str("<v>")};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(OVER(&call, OPEN(URL ",\"body\":\"{{data}}\""), ops->get, REF, read), ESP_OK);
    assert_int_equal(over(&call, OPEN(URL ",\"body\":\"{{data}}\""), ops->push,
                          "{\"remoteKey\":\"r k\",\"property\":\"\",\"secretKey\":\"s\",\"type\":\"\"," NS
                          "}",
                          &value, 1, push, 1),
                     ESP_OK);
    test_reset(&call);
}

/* What went out, noted by the world's `http`. */
struct sent {
    char ca[20], username[20], password[20];
    uint32_t flags, timeout_ms;
};

static esp_status note_request(struct world *w, struct esp_call *call, const struct esp_http_request *q,
                               struct esp_http_response *answer)
{
    struct sent *s = w->ctx;
    snprintf(s->ca, sizeof s->ca, "%.*s", ESP_ARG(q->ca_pem));
    snprintf(s->username, sizeof s->username, "%.*s", ESP_ARG(q->username));
    snprintf(s->password, sizeof s->password, "%.*s", ESP_ARG(q->password));
    s->flags = q->flags;
    s->timeout_ms = q->timeout_ms;
    return test_answer(call, answer, 200, NULL, "x");
}

static void expect_sent(const char *store, const struct sent *want)
{
    struct sent got;
    struct world world = {
        .http = note_request, .ctx = &got, .objects = objects, .namespace = "a", .render = render};
    struct esp_call call = {.world = &world};
    void *instance = NULL;

    assert_int_equal(test_open(&call, ops, store, &instance), ESP_OK);
    assert_int_equal(test_run(&call, ops->get, instance, REF, NULL, 0), ESP_OK);
    assert_string_equal(got.ca, want->ca);
    assert_string_equal(got.username, want->username);
    assert_string_equal(got.password, want->password);
    assert_int_equal(got.flags, want->flags);
    assert_int_equal(got.timeout_ms, want->timeout_ms);
    ops->close(instance, &call);
    test_reset(&call);
}

#define NTLM(user, password)                                                                                 \
    "\"auth\":{\"ntlm\":{\"usernameSecret\":{\"name\":\"login\",\"key\":\"" user                             \
    "\"},\"passwordSecret\":{\"name\":\"login\",\"key\":\"" password "\"}}}"

static void test_how_requests_go_out(void **state)
{
    (void)state;
    expect_sent(OPEN(URL ",\"timeout\":\"1m30s\""),
                &(struct sent){.ca = "the CA", .flags = ESP_HTTP_FOLLOW, .timeout_ms = 90000});
    expect_sent(OPEN(URL ",\"body\":\"x\""), &(struct sent){.ca = "the CA"});
    expect_sent(
        OPEN(URL "," NTLM("user", "pass.word")),
        &(struct sent){.ca = "the CA", .username = "bob", .password = "\"\"", .flags = ESP_HTTP_NTLM});
}

/* ---- Secrets ---- */

static void test_secrets_that_are_refused(void **state)
{
    static const struct {
        const char *store, *why;
        esp_status status;
    } cases[] = {
        {OPEN(URL ",\"secrets\":[{\"name\":\"x\",\"secretRef\":{\"name\":\"bare\"}}]"),
         "secret does not contain needed label 'external-secrets.io/type: webhook'. Update secret label to "
         "use it with "
         "webhook",
         ESP_E_CONFIG},
        {OPEN(URL ",\"secrets\":[{\"name\":\"x\",\"secretRef\":{\"name\":\"other\"}}]"),
         "secret type is not 'webhook'", ESP_E_CONFIG},
        {OPEN(URL ",\"secrets\":[{\"name\":\"x\",\"secretRef\":{\"name\":\"nowhere\"}}]"),
         "failed to get clustersecretstore webhook secret nowhere: secrets \"nowhere\" not found",
         ESP_E_CONFIG},
        {OPEN(URL ",\"secrets\":[{\"name\":\"x\",\"secretRef\":{\"name\":\"denied\"}}]"),
         "refused by the test's world", ESP_E_DENIED},
        {OPEN(URL ",\"secrets\":[{\"name\":\"remoteRef\",\"secretRef\":{\"name\":\"login\"}}]"),
         "secrets[0].name is remoteRef, which templates call the reference by: choose another", ESP_E_CONFIG},
        {"{\"spec\":{" URL "," LOGIN "}," CLUSTER_NS "}",
         "no namespace on ClusterScoped webhook secret login", ESP_E_CONFIG},
        {OPEN(URL "," NTLM("nope", "pass.word")),
         "auth.ntlm.usernameSecret: cannot find secret data for key: \"nope\"", ESP_E_CONFIG},
    };
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(over(&call, cases[i].store, ops->get, REF, NULL, 0, NULL, 0), cases[i].status);
        assert_string_equal(call.why, cases[i].why);
    }
    test_reset(&call);
}

/* ---- answers ---- */

struct answer_case {
    const char *path, *answer, *want; /* want: all outputs, or ! and the error */
};

static void run_answers(esp_op op, const struct answer_case *cases, size_t count)
{
    struct esp_call call = {0};
    char store[500];
    for (size_t i = 0; i < count; i++) {
        const struct exchange script[] = {
            {.method = "GET", .url = "https://h/v", .status = 200, .answer = cases[i].answer}};
        struct esp_text all;
        snprintf(store, sizeof store, OPEN(URL ",\"result\":{\"jsonPath\":\"%s\"}"), cases[i].path);
        esp_status status = OVER(&call, store, op, REF, script);
        esp_text_init(&all, 4000);
        if (status != ESP_OK)
            esp_text_addf(&all, "!%s", call.why);
        for (size_t o = 0; o < call.count && status == ESP_OK; o++)
            esp_text_addf(&all, "%s%s=%s", o ? " " : "", call.outputs[o].key, call.outputs[o].value);
        assert_string_equal(esp_text_str(&all), cases[i].want);
        assert_int_equal(status, *cases[i].want == '!' ? ESP_E_CONFIG : ESP_OK);
        esp_text_free(&all);
    }
    test_reset(&call);
}

static void test_values(void **state)
{
    static const struct answer_case cases[] = {
        {"", "as it is", "=as it is"},
        {"", "", "="},
        {"$.a", "{\"a\":\"x\\u00e4<\"}", "=x\xC3\xA4<"},
        {"$.a", "{\"a\":12345678901234567890}", "=12345678901234567890"},
        {"$.a", "{\"a\":2.75}", "=3"},
        {"$.a", "{\"a\":2.5}", "=2"},
        {"$.a", "{\"a\":1e3}", "=1000"},
        {"$.a", "{\"a\":-0.4}", "=-0"},
        {"$.a", "{\"a\":false}", "=false"},
        {"$.a", "{\"a\":null}", "="},
        {"$.a", "{\"a\":{\"y\": 1,\"x\":[ 2 ]}}", "={\"x\":[2],\"y\":1}"},
        {"$.a", "{\"a\":[[7]]}", "=7"},
        {"$.a", "{\"a\":[]}", "!filter worked but didn't get any result"},
        {"$..a", "[{\"a\":1},{\"a\":2}]", "=1"},
        {"$..b", "[{\"a\":1}]", "!filter worked but didn't get any result"},
        {"$.a==1", "{\"a\":1}", "=true"},
        {"5.5", "{}", "=6"},
        {"'text'", "{}", "=text"},
        {"$.a.b", "{\"a\":1}",
         "!failed to get response path $.a.b: unsupported value type float64 for select, expected "
         "map[string]interface{} "
         "or []interface{}"},
        {"$.a", "nothing",
         "!failed to parse response json: invalid character 'o' in literal null (expecting 'u')"},
    };
    (void)state;
    run_answers(ops->get, cases, sizeof cases / sizeof *cases);
}

static void test_maps(void **state)
{
    static const struct answer_case cases[] = {
        {"", "{\"s\":\"x\",\"n\":42,\"f\":2.750,\"t\":true,\"z\":null,\"o\":{\"b\": 1},\"l\":[1, \"2\"]}",
         "s=x n=42 f=2.75 t=true z= o={\"b\":1} l=[1,\"2\"]"},
        {"$.a", "{\"a\":{\"k\":\"v\"}}", "k=v"},
        {"$.a", "{\"a\":\"{\\\"k\\\":\\\"v\\\"}\"}", "k=v"},
        {"$.a", "{\"a\":{}}", ""},
        {"'{\\\"k\\\":1}'", "{}", "k=1"},
        {"$.a", "{\"a\":\"plain\"}",
         "!failed to parse response json from jsonpath: invalid character 'p' looking for beginning of "
         "value"},
        {"$.a", "{\"a\":\"\\\"text\\\"\"}", "!failed to get response (wrong type: string)"},
        {"$.a", "{\"a\":[1]}", "!failed to get response (wrong type: []interface {})"},
        {"$..a", "{\"a\":{}}", "!failed to get response (wrong type: []interface {})"},
        {"$.a", "{\"a\":7}", "!failed to get response (wrong type: float64)"},
        {"$.a", "{\"a\":null}", "!failed to get response (wrong type: <nil>)"},
        {"", "text", "!failed to parse response json: invalid character 'e' in literal true (expecting 'r')"},
    };
    (void)state;
    run_answers(ops->get_map, cases, sizeof cases / sizeof *cases);
}

static void test_refusals(void **state)
{
    static const struct {
        int32_t status;
        const char *headers;
        esp_status want;
        const char *why;
        uint64_t retry_after_ms;
    } cases[] = {
        {404, NULL, ESP_E_NOT_FOUND, "", 0},
        {304, NULL, ESP_E_RETRY, "not modified", 0},
        {302, "location: https://elsewhere", ESP_E_CONFIG, "endpoint gave error 302 Found", 0},
        {400, NULL, ESP_E_CONFIG, "endpoint gave error 400 Bad Request", 0},
        {401, NULL, ESP_E_DENIED, "endpoint gave error 401 Unauthorized", 0},
        {403, NULL, ESP_E_DENIED, "endpoint gave error 403 Forbidden", 0},
        {429, "retry-after: 120", ESP_E_RETRY, "endpoint gave error 429 Too Many Requests", 120000},
        {503, "retry-after: Fri, 31 Dec 1999 23:59:59 GMT", ESP_E_RETRY,
         "endpoint gave error 503 Service Unavailable", 0},
        {599, "retry-after: x", ESP_E_RETRY, "endpoint gave error 599", 0},
    };
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct exchange script[] = {
            {.status = cases[i].status, .answer_headers = cases[i].headers, .answer = "words"}};
        assert_int_equal(OVER(&call, OPEN(URL), ops->get, REF, script), cases[i].want);
        assert_string_equal(call.why, cases[i].why);
        assert_int_equal(call.retry_after_ms, cases[i].retry_after_ms);
    }
    test_reset(&call);
}

static void test_templates_that_fail(void **state)
{
    static const char *const stores[] = {
        OPEN("\"url\":\"{{broken}}\""),
        OPEN(URL ",\"body\":\"{{broken}}\""),
        OPEN(URL ",\"headers\":{\"X\":\"{{broken}}\"}"),
        OPEN(URL ",\"result\":{\"jsonPath\":\"{{broken}}\"}"),
        OPEN(URL "," LOGIN ",\"result\":{\"jsonPath\":\"{{broken auth}}\"}"),
    };
    static const char *const said[] = {
        "failed to parse url: ",
        "failed to parse body: ",
        "failed to parse header X: ",
        "cannot get templated json path: ",
        "cannot get templated json path: ",
    };
    struct esp_call call = {0};
    (void)state;

    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        assert_int_equal(over(&call, stores[i], ops->get, REF, NULL, 0, NULL, 0), ESP_E_CONFIG);
        assert_string_equal(call.why, said[i]); /* the core says the rest */
    }
    test_reset(&call);
}

/* ---- writing ---- */

#define PUSH(key) "{\"remoteKey\":\"r\",\"property\":\"\",\"secretKey\":\"" key "\",\"type\":\"\"," NS "}"

static void test_push(void **state)
{
    static const struct exchange one[] = {
        {.method = "POST", .url = "https://h/v", .body = "<1>\n", .status = 200}};
    static const struct exchange all[] = {
        {.method = "PUT", .body = "{\"a\":\"<1>\\n\",\"b\":\"2\"}", .status = 201}};
    static const struct exchange refused[] = {{.method = "POST", .status = 404}};
    const esp_pair values[] = {{esp_str("b"), esp_str("2")}, {esp_str("a"), esp_str("<1>\n")}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(over(&call, OPEN(URL), ops->push, PUSH("a"), values + 1, 1, one, 1), ESP_OK);
    assert_int_equal(over(&call, OPEN(URL ",\"method\":\"PUT\""), ops->push, PUSH(""), values, 2, all, 1),
                     ESP_OK);
    assert_int_equal(over(&call, OPEN(URL), ops->push, PUSH("a"), values + 1, 1, refused, 1), ESP_E_CONFIG);
    assert_string_equal(call.why, "failed to push webhook data: failed to push webhook data: "
                                  "endpoint gave error 404 Not Found");
    assert_int_equal(over(&call, OPEN(URL), ops->push, "{\"remoteKey\":\"\",\"secretKey\":\"a\"," NS "}",
                          values + 1, 1, NULL, 0),
                     ESP_E_CONFIG);
    assert_string_equal(call.why, "remote key must be defined");
    test_reset(&call);
}

#define GONE "{\"remoteKey\":\"r k\",\"property\":\"\"," NS "}"

static void test_remove_and_exists(void **state)
{
    static const struct exchange gone[] = {
        {.method = "DELETE", .url = "https://h/r+k", .headers = "X-User: bob", .body = "", .status = 204}};
    static const struct exchange absent[] = {{.method = "DELETE", .status = 404}};
    static const struct exchange refused[] = {{.method = "DELETE", .status = 403}};
    static const struct exchange there[] = {{.method = "GET", .url = "https://h/r+k", .status = 200}};
    static const struct exchange not_there[] = {{.method = "GET", .status = 404}};
    static const struct exchange broken[] = {{.method = "GET", .status = 500}};
    struct esp_call call = {0};
    (void)state;

    assert_int_equal(
        OVER(&call,
             OPEN("\"url\":\"https://h/"
                  "{{.remoteRef.remoteKey}}\",\"method\":\"PUT\",\"body\":\"x\",\"headers\":{\"X-User\":"
                  "\"{{.auth.user}}\"}," LOGIN),
             ops->remove, GONE, gone),
        ESP_OK);
    assert_int_equal(OVER(&call, OPEN(URL), ops->remove, GONE, absent), ESP_OK);
    assert_int_equal(OVER(&call, OPEN(URL), ops->remove, GONE, refused), ESP_E_DENIED);
    assert_string_equal(call.why, "delete endpoint gave error 403 Forbidden");

    assert_int_equal(OVER(&call, OPEN("\"url\":\"https://h/{{.remoteRef.key}}\""), ops->exists, GONE, there),
                     ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "true");
    assert_int_equal(OVER(&call, OPEN(URL), ops->exists, GONE, not_there), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "false");
    assert_int_equal(OVER(&call, OPEN(URL), ops->exists, GONE, broken), ESP_E_RETRY);
    assert_int_equal(over(&call, OPEN(URL), ops->list, "{\"tags\":{}," NS "}", NULL, 0, NULL, 0),
                     ESP_E_UNSUPPORTED);
    assert_string_equal(call.why, "not implemented");
    test_reset(&call);
}

/* ---- the store ---- */

static void test_validate(void **state)
{
    static const struct {
        const char *url, *asked;
        int32_t status;
        esp_status fails, want;
        const char *why;
    } cases[] = {
        {"https://h:8/v/{{.x}}", "https://h:8/", 200, ESP_OK, ESP_OK, ""},
        {"http://h?k=v", "http://h/", 302, ESP_OK, ESP_OK, ""},
        {"http://h", "http://h/", 404, ESP_OK, ESP_E_UNDECIDED, ""},
        {"http://h#x", "http://h/", 500, ESP_OK, ESP_E_UNDECIDED, ""},
        {"http://h/v", "http://h/", 0, ESP_E_RETRY, ESP_E_RETRY,
         "error accessing external store: no answer from http://h"},
        {"https://h/v", "https://h/", 0, ESP_E_DENIED, ESP_E_UNDECIDED, "the transport failed"},
        {"https://h/v", "https://h/", 0, ESP_E_CANCELLED, ESP_E_CANCELLED, "the transport failed"},
    };
    struct esp_call call = {0};
    char store[500];
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct exchange script[] = {{.method = "HEAD",
                                           .url = cases[i].asked,
                                           .body = "",
                                           .fails = cases[i].fails,
                                           .status = cases[i].status}};
        snprintf(store, sizeof store, OPEN("\"url\":\"%s\",\"body\":\"b\""), cases[i].url);
        assert_int_equal(OVER(&call, store, ops->validate, "{" NS "}", script), cases[i].want);
        assert_string_equal(call.why, cases[i].why);
    }
    /* A template decides where it is. */
    assert_int_equal(over(&call, OPEN("\"url\":\"https://{{.remoteRef.namespace}}.h/v\""), ops->validate,
                          "{" NS "}", NULL, 0, NULL, 0),
                     ESP_E_UNDECIDED);
    test_reset(&call);
}

static void test_timeouts_that_are_none(void **state)
{
    struct esp_call call = {0};
    void *instance = NULL;
    (void)state;

    assert_int_equal(test_run(&call, ops->check, NULL, OPEN(URL ",\"timeout\":\"soon\""), NULL, 0),
                     ESP_E_CONFIG);
    assert_string_equal(call.why, "timeout \"soon\" is not a duration like 10s, 1m30s or 250ms");
    assert_int_equal(test_open(&call, ops, OPEN(URL ",\"timeout\":\"-1s\""), &instance), ESP_E_CONFIG);
    assert_int_equal(test_run(&call, ops->check, NULL, OPEN(URL ",\"timeout\":\"250ms\""), NULL, 0), ESP_OK);
    test_reset(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_is_made_of_templates),
        cmocka_unit_test(test_data_of_templates),
        cmocka_unit_test(test_how_requests_go_out),
        cmocka_unit_test(test_secrets_that_are_refused),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_templates_that_fail),
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_remove_and_exists),
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_timeouts_that_are_none),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
