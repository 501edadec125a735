/* Reads, lists and tokens: which requests they are, what answers mean, and how long a token serves. */
#include "gcp.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define REF(key, version)                                                                                    \
    "{\"key\":\"" key "\",\"property\":\"\",\"version\":\"" version "\",\"metadataPolicy\":\"None\"," STORE  \
    "}"
#define VALUE "{\"payload\":{\"data\":\"dg==\",\"dataCrc32c\":\"88400052\"}}"

static struct esp_call call;

static int forget(void **state)
{
    (void)state;
    test_reset(&call);
    return 0;
}

/* ---- requests ---- */

static void test_names_stay_one_segment_of_a_path(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, GET("/a%2F..%2Fb%3Fx%20%C3%BC/versions/1%3Fa:access", 400, RPC(400, "INVALID_ARGUMENT"))};
    assert_int_equal(RUN(get, REF("a/../b?x \\u00fc", "1?a"), NULL, 0, script), ESP_E_CONFIG);
    assert_string_equal(call.why, "unable to access Secret from SecretManager Client: AccessSecretVersion of "
                                  "a/../b?x \xc3\xbc: status 400 INVALID_ARGUMENT");
}

static void test_a_location_has_a_host_of_its_own(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN,
                                      {.method = "GET",
                                       .url = "https://secretmanager.europe-west3.rep.googleapis.com/v1/"
                                              "projects/p/locations/europe-west3/secrets/db/"
                                              "versions/latest:access",
                                       .headers = WITH_TOKEN,
                                       .status = 200,
                                       .answer = VALUE}};
    struct world world = {.script = script, .script_count = 2, .now_ms = 1};
    call.world = &world;
    void *store = gcp_test_open(&call, ",\"location\":\"europe-west3\"");
    assert_int_equal(test_run(&call, gcp_test_ops->get, store, REF("db", ""), NULL, 0), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, "v");
    gcp_test_ops->close(store, &call);
}

/* ---- answers ---- */

static void answers(int code, const char *headers, const char *body, esp_status status,
                    uint64_t retry_after_ms)
{
    const struct exchange script[] = {TOKEN,
                                      {.url = SECRETS "/db/versions/latest:access",
                                       .status = code,
                                       .answer_headers = headers,
                                       .answer = body}};
    assert_int_equal(RUN(get, REF("db", ""), NULL, 0, script), status);
    assert_int_equal(call.retry_after_ms, retry_after_ms);
    assert_null(strstr(call.why, "planted"));
}

static void test_when_to_try_again(void **state)
{
    (void)state;
    answers(429, "retry-after: 7", RPC(429, "RESOURCE_EXHAUSTED"), ESP_E_RETRY, 7000);
    answers(429, "retry-after: Fri, 31 Dec 1999 23:59:59 GMT", "", ESP_E_RETRY, 0);
    answers(429, "retry-after: 99999999", "", ESP_E_RETRY, 3600000);
    answers(
        503, "",
        "{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"planted\",\"details\":[{\"@type\":"
        "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"planted in 3 words\"},{\"@type\":"
        "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.5s\"}]}}",
        ESP_E_RETRY, 1500);
    answers(500, "", "planted", ESP_E_RETRY, 0);
    answers(408, "", "planted", ESP_E_RETRY, 0);
    answers(302, "location: https://evil.example/", "planted", ESP_E_CONFIG, 0);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    answers(404, "", RPC(404, "NOT_FOUND"), ESP_E_NOT_FOUND, 0);
    assert_string_equal(call.why, "unable to access Secret from SecretManager Client: Secret does not exist");
    answers(404, "", "{\"error\":\"planted\"}", ESP_E_CONFIG, 0);
    answers(404, "", "<html>planted</html>", ESP_E_CONFIG, 0);
    answers(404, "", "{\"error\":{\"status\":\"NOT_FOUND\",\"message\":\"Project [x] planted\"}}",
            ESP_E_CONFIG, 0);
}

static void test_an_api_that_is_switched_off(void **state)
{
    (void)state;
    answers(403, "",
            "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"planted\",\"details\":[{"
            "\"reason\":"
            "\"SERVICE_DISABLED\"}]}}",
            ESP_E_DENIED, 0);
    assert_string_equal(
        call.why, "unable to access Secret from SecretManager Client: AccessSecretVersion of db: status "
                  "403 PERMISSION_DENIED (SERVICE_DISABLED); enable the API in this project");
}

/* ---- lists ---- */

#define FIND(what) "{" what ",\"prefix\":\"\"," STORE "}"
#define LIST(query, body) GET("?pageSize=1000" query, 200, body)

static void test_pages_and_what_is_in_them(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN,
        LIST("&filter=labels.team%3Da+name%3Aapp",
             "{\"secrets\":[{\"name\":\"projects/1/secrets/app-1\",\"labels\":{\"team\":\"a\"}},"
             "{\"name\":\"projects/1/secrets/my-app\",\"labels\":{\"team\":\"a\"}},"
             "{\"name\":\"projects/1/secrets/app-2\",\"labels\":{\"team\":\"ab\"}},{}],\"nextPageToken\":\"p "
             "2\"}"),
        LIST("&filter=labels.team%3Da+name%3Aapp&pageToken=p+2",
             "{\"secrets\":[{\"name\":\"projects/1/locations/l/secrets/"
             "app-3\",\"labels\":{\"team\":\"a\"}}]}")};
    assert_int_equal(RUN(list, FIND("\"tags\":{\"team\":\"a\"},\"path\":\"app\""), NULL, 0, script), ESP_OK);
    assert_int_equal(call.count, 2);
    assert_int_equal(call.outputs[0].channel, ESP_OUT_NAME);
    assert_string_equal(call.outputs[0].key, "app-1");
    assert_string_equal(call.outputs[1].key, "app-3");
}

static void test_a_filter_takes_no_orders(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN,
        LIST("", "{\"secrets\":[{\"name\":\"projects/1/secrets/other\",\"labels\":{\"team\":\"b\"}}]}")};
    assert_int_equal(RUN(list,
                         FIND("\"tags\":{\"team\":\"a OR labels.team=b\"},\"path\":\"x OR name:other\""),
                         NULL, 0, script),
                     ESP_OK);
    assert_int_equal(call.count, 0);
}

static void test_pages_in_a_circle(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, LIST("", "{\"nextPageToken\":\"a\"}"),
                                      LIST("&pageToken=a", "{\"nextPageToken\":\"b\"}"),
                                      LIST("&pageToken=b", "{\"nextPageToken\":\"a\"}")};
    assert_int_equal(RUN(list, FIND("\"name\":{\"regexp\":\".\"}"), NULL, 0, script), ESP_E_RETRY);
    assert_string_equal(call.why, "ListSecrets of p: the pages go round in a circle");
}

static void test_lists_that_are_none(void **state)
{
    (void)state;
    const struct exchange absent[] = {TOKEN, GET("?pageSize=1000", 404, RPC(404, "NOT_FOUND"))};
    assert_int_equal(RUN(list, FIND("\"name\":{\"regexp\":\".\"}"), NULL, 0, absent), ESP_E_CONFIG);
    assert_string_equal(call.why, "failed to list secrets: ListSecrets of p: status 404 NOT_FOUND");
    const struct exchange garbage[] = {TOKEN, LIST("", "[planted]")};
    assert_int_equal(RUN(list, FIND("\"name\":{\"regexp\":\".\"}"), NULL, 0, garbage), ESP_E_RETRY);
    assert_string_equal(call.why, "ListSecrets of p: the answer makes no sense");
    const struct exchange none[] = {TOKEN};
    assert_int_equal(RUN(list, FIND("\"path\":\"a\""), NULL, 0, none), ESP_E_CONFIG);
    assert_string_equal(call.why, "unexpected find operator: gcpsm finds by name.regexp or tags");
}

/* ---- tokens ---- */

static void test_how_long_a_token_serves(void **state)
{
    (void)state;
#define READ_WITH(token)                                                                                     \
    {                                                                                                        \
        .url = SECRETS "/db/versions/latest:access", .headers = "authorization: Bearer " token,              \
        .status = 200, .answer = VALUE                                                                       \
    }
    const struct exchange script[] = {TOKEN_NAMED("one"), READ_WITH("one"), READ_WITH("one"),
                                      TOKEN_NAMED("two"), READ_WITH("two")};
    struct world world = {.script = script, .script_count = 5, .now_ms = 1700000000000};
    call.world = &world;
    void *store = gcp_test_open(&call, "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_run(&call, gcp_test_ops->get, store, REF("db", ""), NULL, 0), ESP_OK);
        world.now_ms += i == 0 ? 3539 * 1000 : 1000; /* a minute before its end it counts as ended */
    }
    test_script_done(&world);
    gcp_test_ops->close(store, &call);
}

static void test_a_token_that_is_refused(void **state)
{
    (void)state;
#define REFUSED_WITH(token)                                                                                  \
    {                                                                                                        \
        .url = SECRETS "/db/versions/latest:access", .headers = "authorization: Bearer " token,              \
        .status = 401, .answer = RPC(401, "UNAUTHENTICATED")                                                 \
    }
    const struct exchange once[] = {TOKEN_NAMED("one"), REFUSED_WITH("one"), TOKEN_NAMED("two"),
                                    READ_WITH("two")};
    assert_int_equal(RUN(get, REF("db", ""), NULL, 0, once), ESP_OK);
    const struct exchange twice[] = {TOKEN_NAMED("one"), REFUSED_WITH("one"), TOKEN_NAMED("two"),
                                     REFUSED_WITH("two")};
    assert_int_equal(RUN(get, REF("db", ""), NULL, 0, twice), ESP_E_DENIED);
}

static void no_token(const struct exchange *answer, esp_status status, const char *why)
{
    struct world world = {.script = answer, .script_count = 1, .now_ms = 1};
    void *store = NULL;
    call.world = &world;
    assert_int_equal(gcp_test_try(&call, "", &store), status);
    assert_null(store);
    test_script_done(&world);
    if (why)
        assert_string_equal(call.why, why);
}

static void test_answers_without_a_token(void **state)
{
    (void)state;
#define SERVER "unable to get credentials: the metadata server: "
    no_token(&(struct exchange){.status = 200, .answer = "{}"}, ESP_E_RETRY,
             SERVER "the answer holds no access_token");
    no_token(&(struct exchange){.status = 200, .answer = "{\"access_token\":\"planted"}, ESP_E_RETRY,
             SERVER "the answer holds no access_token");
    no_token(&(struct exchange){.status = 404, .answer = "planted"}, ESP_E_DENIED, SERVER "status 404");
    no_token(&(struct exchange){.status = 500, .answer = "planted"}, ESP_E_RETRY, SERVER "status 500");
    no_token(&(struct exchange){.fails = ESP_E_RETRY}, ESP_E_RETRY,
             "unable to get credentials: no auth in the store, no file in GOOGLE_APPLICATION_CREDENTIALS, "
             "and no metadata "
             "server");
    no_token(&(struct exchange){.fails = ESP_E_CANCELLED}, ESP_E_CANCELLED, NULL);
}

/* ---- many threads ---- */

#define THREADS 8

struct reader {
    struct world *world;
    void *store;
    esp_status status;
};

/* A backend for all: each thread's first request gets a token only once. */
static esp_status serve(struct world *world, struct esp_call *who, const struct esp_http_request *request,
                        struct esp_http_response *response)
{
    (void)world;
    if (test_header(request, "authorization"))
        return test_answer(who, response, 200, "", VALUE);
    __atomic_add_fetch((int *)world->ctx, 1, __ATOMIC_RELAXED);
    return test_answer(who, response, 200, "", "{\"access_token\":\"t\",\"expires_in\":3600}");
}

static void *read_often(void *arg)
{
    struct reader *r = arg;
    struct esp_call mine = {.world = r->world};
    r->status = ESP_OK;
    for (int i = 0; i < 50 && r->status == ESP_OK; i++)
        r->status = test_run(&mine, gcp_test_ops->get, r->store, REF("db", ""), NULL, 0);
    test_reset(&mine);
    return NULL;
}

static void test_many_threads_and_one_token(void **state)
{
    (void)state;
    int tokens = 0;
    struct world world = {.http = serve, .now_ms = 1700000000000, .ctx = &tokens};
    struct reader readers[THREADS];
    pthread_t threads[THREADS];
    call.world = &world;
    void *store = gcp_test_open(&call, "");
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){&world, store, ESP_E_INTERNAL};
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &readers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].status, ESP_OK);
    }
    assert_int_equal(tokens, 1);
    gcp_test_ops->close(store, &call);
}

/* ---- settings ---- */

static void test_endpoints_are_urls(void **state)
{
    (void)state;
    const struct esp_plugin *plugin = test_load(GCP_PLUGIN);
    const char *json = "{\"endpoints\":{\"sts\":\"sts.example.com\"}}";
    struct esp_request request = {.size = sizeof request, .json = {(const uint8_t *)json, strlen(json)}};
    test_reset(&call);
    assert_int_equal(plugin->configure(&call, &request), ESP_E_CONFIG);
    assert_string_equal(call.why,
                        "endpoints.sts: \"sts.example.com\" is no URL; it begins with https:// or http://");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
    const struct CMUnitTest tests[] = {
        TEST(test_names_stay_one_segment_of_a_path),
        TEST(test_a_location_has_a_host_of_its_own),
        TEST(test_when_to_try_again),
        TEST(test_what_is_not_there),
        TEST(test_an_api_that_is_switched_off),
        TEST(test_pages_and_what_is_in_them),
        TEST(test_a_filter_takes_no_orders),
        TEST(test_pages_in_a_circle),
        TEST(test_lists_that_are_none),
        TEST(test_how_long_a_token_serves),
        TEST(test_a_token_that_is_refused),
        TEST(test_answers_without_a_token),
        TEST(test_many_threads_and_one_token),
        TEST(test_endpoints_are_urls),
    };
    return cmocka_run_group_tests(tests, gcp_test_load, NULL);
}
