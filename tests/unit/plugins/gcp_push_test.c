/* Pushes, deletions and questions whether a secret is there: which requests they are. */
#include "gcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define PUSH(property, secret_key, metadata)                                                                 \
    "{\"remoteKey\":\"db\",\"property\":\"" property "\",\"secretKey\":\"" secret_key "\"" metadata          \
    ",\"type\":\"Opaque\",\"labels\":{},\"annotations\":{}," STORE "}"
#define ONE PUSH("", "k", "")
#define META(spec)                                                                                           \
    ",\"metadata\":{\"apiVersion\":\"kubernetes.external-secrets.io/v1alpha1\",\"kind\":"                    \
    "\"PushSecretMetadata\",\"spec\":{" spec "}}"
#define REMOVE "{\"remoteKey\":\"db\",\"property\":\"\"," STORE "}"

#define MANAGED                                                                                              \
    "{\"name\":\"projects/1/secrets/db\",\"etag\":\"\\\"e1\\\"\",\"labels\":{\"managed-by\":\"external-"     \
    "secrets\"}}"
#define POST(target, sent, code, body_)                                                                      \
    {                                                                                                        \
        .method = "POST", .url = SECRETS target, .body = sent,                                               \
        .headers = WITH_TOKEN "\ncontent-type: application/json", .status = code, .answer = body_            \
    }
#define PATCH(mask, sent, code, body_)                                                                       \
    {                                                                                                        \
        .method = "PATCH", .url = SECRETS "/db?updateMask=" mask, .body = sent, .headers = WITH_TOKEN,       \
        .status = code, .answer = body_                                                                      \
    }
#define LATEST(code, body) GET("/db/versions/latest:access", code, body)
#define NO_SECRET GET("/db", 404, RPC(404, "NOT_FOUND"))
#define NO_VERSION LATEST(404, RPC(404, "NOT_FOUND"))
#define ADD_V                                                                                                \
    POST("/db:addVersion", "{\"payload\":{\"data\":\"dg==\",\"dataCrc32c\":\"88400052\"}}", 200, "{}")

static struct esp_call call;
static const esp_pair one = {{(const uint8_t *)"k", 1}, {(const uint8_t *)"v", 1}};

static int forget(void **state)
{
    (void)state;
    test_reset(&call);
    return 0;
}

/* ---- a value ---- */

static void test_a_new_secret(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, NO_SECRET,
                                      POST("?secretId=db",
                                           "{\"annotations\":{},\"labels\":{\"managed-by\":\"external-"
                                           "secrets\"},\"replication\":{\"automatic\":{}},\"topics\":[]}",
                                           200, MANAGED),
                                      ADD_V};
    assert_int_equal(RUN(push, ONE, &one, 1, script), ESP_OK);
}

static void test_an_equal_value_is_not_written(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, GET("/db", 200, MANAGED),
        LATEST(200, "{\"payload\":{\"data\":\"dg==\",\"dataCrc32c\":\"88400052\"}}")};
    assert_int_equal(RUN(push, ONE, &one, 1, script), ESP_OK);
}

static void test_another_value_is_one_more_version(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, GET("/db", 200, MANAGED),
                                      LATEST(200, "{\"payload\":{\"data\":\"b2xk\"}}"), ADD_V};
    assert_int_equal(RUN(push, ONE, &one, 1, script), ESP_OK);
}

static void test_a_whole_secret_is_an_object(void **state)
{
    (void)state;
    const esp_pair pairs[] = {{esp_str("b"), esp_str("<y>")}, {esp_str("a"), esp_str("x")}};
    const struct exchange script[] = {
        TOKEN, GET("/db", 200, MANAGED), NO_VERSION,
        POST("/db:addVersion",
             "{\"payload\":{\"data\":\"eyJhIjoieCIsImIiOiI8eT4ifQ==\",\"dataCrc32c\":\"913173731\"}}", 200,
             "{}")};
    assert_int_equal(RUN(push, PUSH("", "", ""), pairs, 2, script), ESP_OK);
}

static void test_somebody_elses_secret_is_not_touched(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, GET("/db", 200, "{\"name\":\"projects/1/secrets/db\",\"labels\":{\"managed-by\":\"me\"}}")};
    assert_int_equal(RUN(push, ONE, &one, 1, script), ESP_E_CONFIG);
    assert_string_equal(call.why, "secret db is not managed by external secrets");
}

static void test_a_value_that_is_too_large(void **state)
{
    (void)state;
    char *large = calloc(1, 65537);
    assert_non_null(large);
    const esp_pair pair = {esp_str("k"), esp_span(large, 65537)};
    const struct exchange script[] = {TOKEN, GET("/db", 200, MANAGED), NO_VERSION};
    assert_int_equal(RUN(push, ONE, &pair, 1, script), ESP_E_CONFIG);
    assert_string_equal(call.why,
                        "AddSecretVersion of db: the value has 65537 bytes, and Secret Manager takes 65536");
    free(large);
}

static void test_a_latest_version_that_is_disabled(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, GET("/db", 200, MANAGED),
                                      LATEST(400, RPC(400, "FAILED_PRECONDITION"))};
    assert_int_equal(RUN(push, ONE, &one, 1, script), ESP_E_CONFIG);
    assert_string_equal(call.why,
                        "AccessSecretVersion of db: status 400 FAILED_PRECONDITION; is the version disabled "
                        "or destroyed?");
}

/* ---- a property ---- */

static void test_a_property_goes_into_the_document(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, GET("/db", 200, MANAGED),
        LATEST(200, "{\"payload\":{\"data\":\"eyJhIjoiMSJ9\"}}"), /* {"a":"1"} */
        POST("/db:addVersion",
             "{\"payload\":{\"data\":\"eyJhIjoiMSIsImIiOiJ2In0=\",\"dataCrc32c\":\"1892940499\"}}", 200,
             "{}")};
    assert_int_equal(RUN(push, PUSH("b", "k", ""), &one, 1, script), ESP_OK);
}

static void test_a_property_of_a_secret_without_a_value(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, GET("/db", 200, MANAGED), NO_VERSION,
        POST("/db:addVersion",
             "{\"payload\":{\"data\":\"eyJwIjp7InEiOiJ2In19\",\"dataCrc32c\":\"2624346971\"}}", 200, "{}")};
    assert_int_equal(RUN(push, PUSH("p.q", "k", ""), &one, 1, script), ESP_OK);
}

static void test_a_property_that_is_there_already(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, GET("/db", 200, MANAGED),
                                      LATEST(200, "{\"payload\":{\"data\":\"eyJwIjp7InEiOiJ2In19\"}}")};
    assert_int_equal(RUN(push, PUSH("p.q", "k", ""), &one, 1, script), ESP_OK);
}

static void test_a_property_of_somebody_elses_secret(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, GET("/db", 200, "{\"etag\":\"e\",\"labels\":{\"team\":\"a\"},\"annotations\":{\"x\":\"y\"}}"),
        PATCH("labels", "{\"etag\":\"e\",\"labels\":{\"managed-by\":\"external-secrets\",\"team\":\"a\"}}",
              200, "{}"),
        LATEST(200, "{\"payload\":{\"data\":\"eyJwIjp7InEiOiJ2In19\"}}")};
    assert_int_equal(RUN(push, PUSH("p.q", "k", ""), &one, 1, script), ESP_OK);
}

static void test_a_property_of_what_is_no_document(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, GET("/db", 200, MANAGED),
                                      LATEST(200, "{\"payload\":{\"data\":\"b2xk\"}}")};
    assert_int_equal(RUN(push, PUSH("a", "k", ""), &one, 1, script), ESP_E_CONFIG);
    assert_string_equal(call.why, "cannot set property a: the value of secret db is no JSON");
}

static void test_a_property_that_names_no_place(void **state)
{
    (void)state;
    const struct exchange script[] = {TOKEN, GET("/db", 200, MANAGED),
                                      LATEST(200, "{\"payload\":{\"data\":\"eyJhIjoiMSJ9\"}}")};
    assert_int_equal(RUN(push, PUSH("a*", "k", ""), &one, 1, script), ESP_E_CONFIG);
    assert_string_equal(call.why, "cannot set property a* in the JSON of secret db: it names no place there");
}

/* ---- metadata ---- */

static void test_what_is_said_about_a_new_secret(void **state)
{
    (void)state;
    const struct exchange script[] = {
        TOKEN, NO_SECRET,
        POST("?secretId=db",
             "{\"annotations\":{\"n\":\"x\"},\"labels\":{\"managed-by\":\"external-secrets\",\"team\":\"a\"},"
             "\"replication\":{\"userManaged\":{\"replicas\":[{\"customerManagedEncryption\":{\"kmsKeyName\":"
             "\"key\"},\"location\":\"l1\"},{\"customerManagedEncryption\":{\"kmsKeyName\":\"key\"},"
             "\"location\":\"l2\"}]}},\"topics\":[{\"name\":\"projects/p/topics/t\"}]}",
             200, MANAGED),
        ADD_V};
    assert_int_equal(
        RUN(push,
            PUSH("", "k",
                 META("\"labels\":{\"team\":\"a\"},\"annotations\":{\"n\":\"x\"},\"topics\":[\"projects/p/"
                      "topics/t\"],\"cmekKeyName\":\"key\",\"replicationLocation\":[\"l1\",\"l2\"]")),
            &one, 1, script),
        ESP_OK);
}

static void check_replication(const char *json, const char *replication)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"annotations\":{},\"labels\":{\"managed-by\":\"external-secrets\"},\"replication\":%s,"
             "\"topics\":[]}",
             replication);
    const struct exchange script[] = {TOKEN, NO_SECRET, POST("?secretId=db", body, 200, MANAGED), ADD_V};
    assert_int_equal(RUN(push, json, &one, 1, script), ESP_OK);
}

static void test_where_a_new_secret_lies(void **state)
{
    (void)state;
    check_replication(PUSH("", "k", META("\"replicationLocation\":\"l1\"")),
                      "{\"userManaged\":{\"replicas\":[{\"location\":\"l1\"}]}}");
    check_replication(PUSH("", "k", META("\"replicationLocation\":\"l1\",\"replicationLocations\":[\"l2\"]")),
                      "{\"userManaged\":{\"replicas\":[{\"location\":\"l2\"}]}}");
    check_replication(PUSH("", "k", META("\"cmekKeyName\":\"key\"")),
                      "{\"automatic\":{\"customerManagedEncryption\":{\"kmsKeyName\":\"key\"}}}");
}

static void test_labels_and_annotations_are_brought_up_to_date(void **state)
{
    (void)state;
    static const char there[] =
        "{\"etag\":\"e\",\"labels\":{\"managed-by\":\"external-secrets\",\"old\":\"1\",\"team\":\"a\"},"
        "\"annotations\":{\"x\":\"y\"},\"topics\":[{\"name\":\"projects/p/topics/t\"}]}";
    const struct exchange replaced[] = {TOKEN, GET("/db", 200, there),
                                        PATCH("labels%2Cannotations",
                                              "{\"annotations\":{},\"etag\":\"e\",\"labels\":{\"managed-by\":"
                                              "\"external-secrets\",\"team\":\"b\"}}",
                                              200, "{}"),
                                        NO_VERSION, ADD_V};
    assert_int_equal(RUN(push, PUSH("", "k", META("\"labels\":{\"team\":\"b\"}")), &one, 1, replaced),
                     ESP_OK);

    const struct exchange merged[] = {TOKEN, GET("/db", 200, there),
                                      PATCH("labels%2Ctopics",
                                            "{\"etag\":\"e\",\"labels\":{\"managed-by\":\"external-secrets\","
                                            "\"new\":\"2\",\"old\":\"1\",\"team\":\"a\"},\"topics\":[]}",
                                            200, "{}"),
                                      NO_VERSION, ADD_V};
    assert_int_equal(RUN(push,
                         PUSH("", "k",
                              META("\"labels\":{\"team\":\"b\",\"new\":\"2\"},\"mergePolicy\":\"Merge\","
                                   "\"annotations\":{\"x\":\"y\"},\"topics\":[]")),
                         &one, 1, merged),
                     ESP_OK);
}

static void test_somebody_else_is_quicker(void **state)
{
    (void)state;
    const struct exchange made[] = {TOKEN,
                                    NO_SECRET,
                                    POST("?secretId=db", NULL, 409, RPC(409, "ALREADY_EXISTS")),
                                    GET("/db", 200, MANAGED),
                                    NO_VERSION,
                                    ADD_V};
    assert_int_equal(RUN(push, ONE, &one, 1, made), ESP_OK);

#define ROUND(code, word)                                                                                    \
    GET("/db", 200, "{\"etag\":\"e\",\"labels\":{\"managed-by\":\"external-secrets\",\"old\":\"1\"}}"),      \
        PATCH("labels", NULL, code, RPC(code, word))
    const struct exchange changing[] = {TOKEN, ROUND(409, "ABORTED"), ROUND(400, "FAILED_PRECONDITION"),
                                        ROUND(409, "ABORTED")};
    assert_int_equal(RUN(push, ONE, &one, 1, changing), ESP_E_RETRY);
    assert_string_equal(call.why, "secret db is being changed by somebody else");
}

static void refused_metadata(const char *json, const char *why)
{
    const struct exchange none[] = {TOKEN};
    assert_int_equal(RUN(push, json, &one, 1, none), ESP_E_CONFIG);
    assert_string_equal(call.why, why);
}

static void test_metadata_that_is_wrong(void **state)
{
    (void)state;
#define BAD "failed to parse PushSecret metadata: spec."
    refused_metadata(PUSH("p", "k", META("")), "cannot specify metadata and property at the same time");
    refused_metadata(PUSH("", "k", META("\"labels\":[]")), BAD "labels has to be an object of strings");
    refused_metadata(PUSH("", "k", META("\"annotations\":{\"a\":1}")),
                     BAD "annotations has to be an object of strings");
    refused_metadata(PUSH("", "k", META("\"topics\":\"t\"")), BAD "topics has to be a list of strings");
    refused_metadata(PUSH("", "k", META("\"mergePolicy\":\"Mix\"")),
                     BAD "mergePolicy has to be Replace or Merge");
    refused_metadata(PUSH("", "k", META("\"cmekKeyName\":1")), BAD "cmekKeyName has to be a string");
    refused_metadata(PUSH("", "k", META("\"replicationLocation\":[1]")),
                     BAD "replicationLocation has to be a string or a list of strings");
    refused_metadata(PUSH("", "k", META("\"replicationLocations\":\"l\"")),
                     BAD "replicationLocations has to be a list of strings");
    refused_metadata(
        PUSH("", "k", META("\"label\":{}")),
        "failed to parse PushSecret metadata: "
        "failed to parse kubernetes.external-secrets.io/v1alpha1 PushSecretMetadata: error unmarshaling "
        "JSON: while decoding JSON: json: unknown field \"label\"");
    refused_metadata("{\"remoteKey\":\"\",\"property\":\"\",\"secretKey\":\"k\"," STORE "}",
                     "remoteRef.remoteKey is empty");
}

/* ---- two at once ---- */

/* While one push waits for its first answer, another one to the same secret comes. */
static esp_status push_again(struct world *world, struct esp_call *outer,
                             const struct esp_http_request *request, struct esp_http_response *response)
{
    struct esp_call inner = {.world = world};
    bool is_token = !test_header(request, "authorization");
    if (is_token)
        return test_answer(outer, response, 200, "", "{\"access_token\":\"token-1\",\"expires_in\":3600}");
    world->http = NULL; /* nobody asks from here on: that push is sent away at once */
    assert_int_equal(test_run(&inner, gcp_test_ops->push, world->ctx, ONE, &one, 1), ESP_E_RETRY);
    assert_string_equal(inner.why, "another push to secret db is under way");
    assert_int_equal(inner.retry_after_ms, 1000);
    test_reset(&inner);
    return test_answer(outer, response, 500, "", "");
}

static void test_one_push_to_a_secret_at_a_time(void **state)
{
    (void)state;
    struct world world = {.http = push_again, .now_ms = 1700000000000};
    const struct exchange after[] = {GET("/db", 200, MANAGED), NO_VERSION, ADD_V};
    call.world = &world;
    void *store = world.ctx = gcp_test_open(&call, "");
    assert_int_equal(test_run(&call, gcp_test_ops->push, store, ONE, &one, 1), ESP_E_RETRY);
    assert_string_equal(call.why, "GetSecret of db: status 500");
    world.script = after;
    world.script_count = 3;
    assert_int_equal(test_run(&call, gcp_test_ops->push, store, ONE, &one, 1), ESP_OK);
    test_script_done(&world);
    gcp_test_ops->close(store, &call);
}

/* ---- remove, exists ---- */

static void test_removing(void **state)
{
    (void)state;
#define DELETE(code, body_)                                                                                  \
    {                                                                                                        \
        .method = "DELETE", .url = SECRETS "/db?etag=%22e1%22", .body = "", .status = code, .answer = body_  \
    }
    const struct exchange own[] = {TOKEN, GET("/db", 200, MANAGED), DELETE(200, "{}")};
    assert_int_equal(RUN(remove, REMOVE, NULL, 0, own), ESP_OK);
    const struct exchange foreign[] = {TOKEN, GET("/db", 200, "{\"labels\":{\"managed-by\":\"me\"}}")};
    assert_int_equal(RUN(remove, REMOVE, NULL, 0, foreign), ESP_OK);
    const struct exchange gone[] = {TOKEN, NO_SECRET};
    assert_int_equal(RUN(remove, REMOVE, NULL, 0, gone), ESP_OK);
    const struct exchange going[] = {TOKEN, GET("/db", 200, MANAGED), DELETE(404, RPC(404, "NOT_FOUND"))};
    assert_int_equal(RUN(remove, REMOVE, NULL, 0, going), ESP_OK);
    const struct exchange changed[] = {TOKEN, GET("/db", 200, MANAGED),
                                       DELETE(400, RPC(400, "FAILED_PRECONDITION"))};
    assert_int_equal(RUN(remove, REMOVE, NULL, 0, changed), ESP_E_RETRY);
    const struct exchange denied[] = {TOKEN, GET("/db", 403, RPC(403, "PERMISSION_DENIED"))};
    assert_int_equal(RUN(remove, REMOVE, NULL, 0, denied), ESP_E_DENIED);
    assert_string_equal(call.why,
                        "GetSecret of db: status 403 PERMISSION_DENIED; grant the account a role for that in "
                        "this project");
}

#define VERSIONS(code, body) GET("/db/versions?pageSize=1000&filter=state%3AENABLED", code, body)

static void expect_exists(const struct exchange *script, size_t count, const char *answer)
{
    assert_int_equal(gcp_test_run(gcp_test_ops->exists, REMOVE, NULL, 0, script, count, &call), ESP_OK);
    assert_string_equal(test_value(&call, "")->value, answer);
}

static void test_whether_a_secret_is_there(void **state)
{
    (void)state;
    /* The newest by its time, whatever the order and the digits. */
    const struct exchange there[] = {
        TOKEN,
        VERSIONS(
            200,
            "{\"versions\":[{\"name\":\"projects/1/secrets/db/versions/"
            "9\",\"createTime\":\"2026-01-01T00:00:00Z\"},"
            "{\"name\":\"projects/1/secrets/db/versions/10\",\"createTime\":\"2026-01-01T00:00:00.5Z\"},"
            "{\"name\":\"projects/1/secrets/db/versions/8\",\"createTime\":\"2025-12-31T23:59:59.999Z\"}]}"),
        GET("/db/versions/10:access", 200, "{\"payload\":{\"data\":\"dg==\"}}")};
    expect_exists(there, 3, "true");
    const struct exchange none[] = {TOKEN, VERSIONS(404, RPC(404, "NOT_FOUND"))};
    expect_exists(none, 2, "false");
    const struct exchange empty[] = {TOKEN, VERSIONS(200, "{}"), NO_VERSION};
    expect_exists(empty, 3, "false");
    const struct exchange disabled[] = {TOKEN, VERSIONS(200, "{}"),
                                        LATEST(400, RPC(400, "FAILED_PRECONDITION"))};
    assert_int_equal(RUN(exists, REMOVE, NULL, 0, disabled), ESP_E_CONFIG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_secret),
        TEST(test_an_equal_value_is_not_written),
        TEST(test_another_value_is_one_more_version),
        TEST(test_a_whole_secret_is_an_object),
        TEST(test_somebody_elses_secret_is_not_touched),
        TEST(test_a_value_that_is_too_large),
        TEST(test_a_latest_version_that_is_disabled),
        TEST(test_a_property_goes_into_the_document),
        TEST(test_a_property_of_a_secret_without_a_value),
        TEST(test_a_property_that_is_there_already),
        TEST(test_a_property_of_somebody_elses_secret),
        TEST(test_a_property_of_what_is_no_document),
        TEST(test_a_property_that_names_no_place),
        TEST(test_what_is_said_about_a_new_secret),
        TEST(test_where_a_new_secret_lies),
        TEST(test_labels_and_annotations_are_brought_up_to_date),
        TEST(test_somebody_else_is_quicker),
        TEST(test_metadata_that_is_wrong),
        TEST(test_one_push_to_a_secret_at_a_time),
        TEST(test_removing),
        TEST(test_whether_a_secret_is_there),
    };
    return cmocka_run_group_tests(tests, gcp_test_load, NULL);
}
