/* What an AWS session sends with the keys of a Secret, and what becomes of trouble. */
#include "aws_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Whether the header Authorization begins so; the rest is a signature. */
static bool signed_by(const struct esp_http_request *request, const char *begin)
{
    const esp_pair *h = test_header(request, "Authorization");
    return h && h->value.len > strlen(begin) && memcmp(h->value.ptr, begin, strlen(begin)) == 0;
}

/* ---- the keys of a Secret ---- */

static esp_status look_at_request(struct world *w, struct esp_call *call,
                                  const struct esp_http_request *request, struct esp_http_response *response)
{
    (void)w;
    assert_true(esp_equal_str(request->url, SM));
    assert_true(esp_equal_str(request->method, "POST"));
    assert_true(esp_equal_str(request->body, "{\"SecretId\":\"db\"}"));
    assert_true(esp_equal_str(request->api, "SecretsManager/GetSecretValue"));
    assert_true(esp_equal_str(test_header(request, "Content-Type")->value, "application/x-amz-json-1.1"));
    assert_true(esp_equal_str(test_header(request, "X-Amz-Target")->value, "secretsmanager.GetSecretValue"));
    assert_true(esp_equal_str(test_header(request, "X-Amz-Date")->value, "20260301T040506Z"));
    assert_null(test_header(request, "X-Amz-Security-Token"));
    assert_true(signed_by(request, SIGNED_BY("AKIAFIXED", "secretsmanager",
                                             "content-type;host;x-amz-date;x-amz-target, Signature=")));
    return test_answer(call, response, 200, NULL, "{\"ok\":true}");
}

static void test_signs_with_the_keys_of_a_secret(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *session = NULL;
    story_world =
        (struct world){.http = look_at_request, .namespace = "apps", .objects = story_keys, .now_ms = NOW};
    call.world = &story_world;
    assert_int_equal(test_run(&call, story_open, &session, OPEN(SECRET_REF), NULL, 0), ESP_OK);
    assert_int_equal(story_world.requests, 0);
    assert_true(esp_equal_str(aws_session_region(session), "eu-central-1"));
    assert_int_equal(test_run(&call, story_ready, session, "{}", NULL, 0), ESP_OK);
    assert_int_equal(story_world.requests, 0);
    assert_int_equal(test_run(&call, story_get, session, "{}", NULL, 0), ESP_OK);
    assert_int_equal(story_world.requests, 1);
    aws_session_close(session);
    test_reset(&call);
}

static void test_a_missing_key_is_the_clusters_failure(void **state)
{
    (void)state;
    static const struct object empty[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", " \n", ESP_OK},
                                          {ESP_KUBE_SECRET, "apps", "keys", "secret", "s", ESP_OK},
                                          {0}};
    expect_failure(&(struct story){.document = OPEN(SECRET_REF)}, ESP_E_NOT_FOUND,
                   "the test's world has no such object");
    expect_failure(&(struct story){.document = OPEN(SECRET_REF), .objects = empty}, ESP_E_CONFIG,
                   "auth.secretRef: the access key ID or the secret access key is empty");
}

static void test_a_session_token_is_sent(void **state)
{
    (void)state;
    static const struct object all[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", "ASIATEMP", ESP_OK},
                                        {ESP_KUBE_SECRET, "apps", "keys", "secret", "s\n", ESP_OK},
                                        {ESP_KUBE_SECRET, "apps", "keys", "token", "tok", ESP_OK},
                                        {0}};
    expect_ok(&(struct story){
        .document =
            OPEN(",\"auth\":{\"secretRef\":{\"accessKeyIDSecretRef\":{\"name\":\"keys\",\"key\":\"id\"},"
                 "\"secretAccessKeySecretRef\":{\"name\":\"keys\",\"key\":\"secret\"},"
                 "\"sessionTokenSecretRef\":{\"name\":\"keys\",\"key\":\"token\"}}}"),
        .objects = all,
        SCRIPT({.headers = "X-Amz-Security-Token: tok", .status = 200, .answer = "{\"ok\":true}"})});
}

/* ---- trouble ---- */

#define FAILS(http, type)                                                                                    \
    {                                                                                                        \
        .status = http, .answer = "{\"__type\":\"" type "\",\"message\":\"quotes hunter2\"}"                 \
    }

static void test_trouble_that_passes_is_tried_again(void **state)
{
    (void)state;
    expect_ok(&(struct story){.document = OPEN(SECRET_REF),
                              .objects = story_keys,
                              SCRIPT(FAILS(400, "ThrottlingException"), {.fails = ESP_E_RETRY}, DONE)});
    assert_int_equal(story_world.requests, 3);
    assert_in_range(story_world.waited_ms, 1, 3000);
    expect_ok(&(struct story){.document = OPEN(SECRET_REF),
                              .objects = story_keys,
                              SCRIPT({.status = 429}, {.status = 503, .answer = "<html>"}, DONE)});
    expect_ok(&(struct story){
        .document = OPEN(SECRET_REF),
        .objects = story_keys,
        SCRIPT(FAILS(400, "RequestTimeoutException"), FAILS(500, "InternalServiceError"), DONE)});
}

static void test_trouble_that_stays_comes_back_later(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){.document = OPEN(SECRET_REF),
                        .objects = story_keys,
                        SCRIPT(FAILS(400, "ThrottlingException"), FAILS(400, "ThrottlingException"),
                               FAILS(400, "ThrottlingException"))},
        ESP_E_RETRY,
        "GetSecretValue of db: AWS answers ThrottlingException (status 400), asked several times");
    expect_failure(
        &(struct story){.document = OPEN(SECRET_REF),
                        .objects = story_keys,
                        SCRIPT({.status = 404, .answer = "not here"}, {.status = 404, .answer = "not here"},
                               {.status = 404, .answer = "not here"})},
        ESP_E_RETRY,
        "GetSecretValue of db: status 404 without an error code of AWS, asked several times; is the endpoint "
        "one of AWS's?");
    struct esp_call call = {0};
    const struct story lost = {
        .document = OPEN(SECRET_REF),
        .objects = story_keys,
        SCRIPT({.fails = ESP_E_RETRY}, {.fails = ESP_E_RETRY}, {.fails = ESP_E_RETRY})};
    assert_int_equal(story_tell(&call, &lost), ESP_E_RETRY);
    assert_string_equal(call.why, "the transport failed");
    test_reset(&call);
}

#define RETRY(settings)                                                                                      \
    "{\"spec\":{\"region\":\"eu-central-1\"" SECRET_REF "},\"retrySettings\":" settings "," STORE "}"

static void test_the_store_says_how_often(void **state)
{
    (void)state;
    expect_failure(&(struct story){.document = RETRY("{\"maxRetries\":1}"),
                                   .objects = story_keys,
                                   SCRIPT(FAILS(400, "Throttling"))},
                   ESP_E_RETRY, "GetSecretValue of db: AWS answers Throttling (status 400), asked once");
    expect_failure(&(struct story){.document = RETRY("{\"maxRetries\":2,\"retryInterval\":\"1m\"}"),
                                   .objects = story_keys,
                                   .remaining_ms = 120000,
                                   SCRIPT(FAILS(400, "Throttling"), FAILS(400, "Throttling"))},
                   ESP_E_RETRY, "GetSecretValue of db: AWS answers Throttling (status 400), asked twice");
    assert_int_equal(story_world.waited_ms, 60000);
    expect_failure(&(struct story){.document = RETRY("{\"retryInterval\":\"1m\"}"),
                                   .objects = story_keys,
                                   .remaining_ms = 30000,
                                   SCRIPT(FAILS(400, "Throttling"))},
                   ESP_E_RETRY, "GetSecretValue of db: AWS answers Throttling (status 400), asked once");
    assert_int_equal(story_world.waited_ms, 0);
    expect_failure(
        &(struct story){.document = RETRY("{\"retryInterval\":\"soon\"}"), .objects = story_keys},
        ESP_E_CONFIG,
        "retrySettings.retryInterval: \"soon\" is no duration of at most an hour; write it as 500ms, 10s or "
        "1m30s");
}

#define LATER(seconds)                                                                                       \
    {                                                                                                        \
        .status = 429, .answer_headers = "retry-after: " seconds, .answer = "{\"__type\":\"Throttling\"}"    \
    }

static uint64_t told_to_wait(const struct story *s)
{
    struct esp_call call = {0};
    assert_int_equal(story_tell(&call, s), ESP_E_RETRY);
    uint64_t ms = call.retry_after_ms;
    test_reset(&call);
    return ms;
}

static void test_aws_says_when(void **state)
{
    (void)state;
    expect_ok(&(struct story){
        .document = RETRY("{\"retryInterval\":\"1s\"}"), .objects = story_keys, SCRIPT(LATER("7"), DONE)});
    assert_int_equal(story_world.waited_ms, 7000);
    expect_ok(&(struct story){
        .document = RETRY("{\"retryInterval\":\"9s\"}"), .objects = story_keys, SCRIPT(LATER("7"), DONE)});
    assert_int_equal(story_world.waited_ms, 9000);
    /* Beyond the time there is: the core is told. */
    assert_int_equal(told_to_wait(&(struct story){
                         .document = OPEN(SECRET_REF), .objects = story_keys, SCRIPT(LATER("120"))}),
                     120000);
    assert_int_equal(story_world.waited_ms, 0);
    /* Also when it is the login that has to wait. */
    assert_int_equal(told_to_wait(&(struct story){.document = OPEN(SECRET_REF ",\"role\":\"arn\""),
                                                  .objects = story_keys,
                                                  SCRIPT(LATER("60"))}),
                     60000);
    assert_int_equal(
        told_to_wait(&(struct story){.document = OPEN(SECRET_REF),
                                     .objects = story_keys,
                                     SCRIPT({.status = 400,
                                             .answer_headers = "retry-after: 5",
                                             .answer = "{\"__type\":\"InvalidRequestException\"}"})}),
        5000);
    expect_ok(&(struct story){.document = RETRY("{\"retryInterval\":\"1s\"}"),
                              .objects = story_keys,
                              SCRIPT(LATER("Sun, 01 Mar 2026 05:00:00 GMT"), DONE)});
    assert_int_equal(story_world.waited_ms, 1000);
}

static void test_no_more_is_asked_after_the_end(void **state)
{
    (void)state;
    struct esp_call call = {0};
    const struct story cancelled = {
        .document = OPEN(SECRET_REF), .objects = story_keys, SCRIPT({.fails = ESP_E_CANCELLED})};
    assert_int_equal(story_tell(&call, &cancelled), ESP_E_CANCELLED);
    assert_int_equal(story_world.waited_ms, 0);
    test_reset(&call);
}

static void test_credentials_that_expired_are_fetched_once_more(void **state)
{
    (void)state;
    const char *document_of_role = OPEN(SECRET_REF ",\"role\":\"arn\"");
    expect_ok(&(struct story){.document = document_of_role,
                              .objects = story_keys,
                              SCRIPT({.url = STS, .status = 200, .answer = ASSUMED("ASIAOLD")},
                                     FAILS(400, "ExpiredTokenException"),
                                     {.url = STS, .status = 200, .answer = ASSUMED("ASIANEW")},
                                     {.url = SM,
                                      .headers = "X-Amz-Security-Token: tok+/=ASIANEW",
                                      .status = 200,
                                      .answer = "{\"ok\":true}"})});
    expect_failure(
        &(struct story){.document = document_of_role,
                        .objects = story_keys,
                        SCRIPT({.url = STS, .status = 200, .answer = ASSUMED("ASIAOLD")},
                               FAILS(400, "ExpiredTokenException"),
                               {.url = STS, .status = 200, .answer = ASSUMED("ASIANEW")},
                               FAILS(400, "ExpiredTokenException"))},
        ESP_E_DENIED,
        "GetSecretValue of db: AWS answers ExpiredTokenException (status 400): the credentials have expired");
    expect_failure(&(struct story){.document = OPEN(SECRET_REF),
                                   .objects = story_keys,
                                   SCRIPT(FAILS(400, "UnrecognizedClientException"))},
                   ESP_E_DENIED,
                   "GetSecretValue of db: AWS answers UnrecognizedClientException (status 400): AWS does not "
                   "know this access "
                   "key or session token");
}

static void test_credentials_are_kept_until_they_end(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *session = NULL;
    const struct exchange script[] = {{.url = STS, .status = 200, .answer = ASSUMED("ASIAONE")},
                                      {.url = SM, .status = 200, .answer = "{}"},
                                      {.url = SM, .status = 200, .answer = "{}"},
                                      {.url = STS, .status = 200, .answer = ASSUMED("ASIATWO")},
                                      {.url = SM, .status = 200, .answer = "{}"}};
    story_world = (struct world){
        .script = script, .script_count = 5, .namespace = "apps", .objects = story_keys, .now_ms = NOW};
    call.world = &story_world;
    assert_int_equal(test_run(&call, story_open, &session, OPEN(SECRET_REF ",\"role\":\"arn\""), NULL, 0),
                     ESP_OK);
    assert_int_equal(test_run(&call, story_get, session, "{}", NULL, 0), ESP_OK);
    story_world.now_ms += 10 * 60 * 1000;
    assert_int_equal(test_run(&call, story_get, session, "{}", NULL, 0), ESP_OK);
    story_world.now_ms += 4 * 60 * 1000 + 30 * 1000; /* half a minute before their end */
    assert_int_equal(test_run(&call, story_get, session, "{}", NULL, 0), ESP_OK);
    test_script_done(&story_world);
    aws_session_close(session);
    test_reset(&call);
}

static void answer_means(int status, const char *type, esp_status want, const char *why)
{
    char body[300], sentence[500];
    snprintf(body, sizeof body, "{\"__type\":\"%s\",\"message\":\"quotes hunter2\"}", type);
    snprintf(sentence, sizeof sentence, "GetSecretValue of db: AWS answers %s (status %d)%s", type, status,
             why);
    expect_failure(&(struct story){.document = OPEN(SECRET_REF),
                                   .objects = story_keys,
                                   SCRIPT({.status = status, .answer = body})},
                   want, sentence);
}

static void test_what_errors_mean(void **state)
{
    (void)state;
    answer_means(400, "AccessDeniedException", ESP_E_DENIED, "");
    answer_means(400, "DecryptionFailure", ESP_E_DENIED, ": may these credentials use the KMS key?");
    answer_means(400, "InvalidSignatureException", ESP_E_DENIED,
                 ": the secret access key does not belong to the access key, or the clocks differ");
    answer_means(400, "ValidationException", ESP_E_CONFIG, "");
    answer_means(400, "InvalidRequestException", ESP_E_RETRY, "");
    answer_means(403, "SomethingNew", ESP_E_DENIED, "");
    answer_means(404, "SomethingNew", ESP_E_RETRY, "");
    /* The caller has to say it: in here, nobody knows what was asked for. */
    answer_means(400, "ResourceNotFoundException", ESP_E_RETRY, "");
}

static void test_who_lacks_which_right(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){
            .document = OPEN(SECRET_REF),
            .objects = story_keys,
            SCRIPT(
                {.status = 400,
                 .answer =
                     "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: "
                     "arn:aws:sts::1:assumed-role/r/s is not "
                     "authorized to perform: secretsmanager:GetSecretValue on resource: hunter2 because no "
                     "identity-based policy allows it\"}"})},
        ESP_E_DENIED,
        "GetSecretValue of db: AWS answers AccessDeniedException (status 400): "
        "arn:aws:sts::1:assumed-role/r/s may not "
        "secretsmanager:GetSecretValue");
}

static void test_an_answer_that_is_none(void **state)
{
    (void)state;
    expect_failure(&(struct story){.document = OPEN(SECRET_REF),
                                   .objects = story_keys,
                                   SCRIPT({.status = 200, .answer = "<html>welcome</html>"})},
                   ESP_E_RETRY,
                   "GetSecretValue: an answer that is no JSON object; is the endpoint one of AWS's?");
}

/* ---- check ---- */

static void check_says(const char *json, esp_status want, const char *why)
{
    struct esp_call call = {0};
    assert_int_equal(test_run(&call, story_check, NULL, json, NULL, 0), want);
    if (want != ESP_OK)
        assert_string_equal(call.why, why);
    test_reset(&call);
}

#define OTHER_NS                                                                                             \
    "namespace should either be empty or match the namespace of the SecretStore for a namespaced "           \
    "SecretStore"

static void test_check(void **state)
{
    (void)state;
    check_says(OPEN(SECRET_REF), ESP_OK, NULL);
    check_says(OPEN(""), ESP_OK, NULL);
    check_says("{\"spec\":{\"region\":\"eu-mars-x\"}}", ESP_E_CONFIG, "region not found: eu-mars-x");
    check_says("{\"spec\":{\"region\":\"\"}}", ESP_E_CONFIG, "region not found: ");
    check_says(OPEN(",\"auth\":{\"secretRef\":{}}"), ESP_E_CONFIG,
               "auth.secretRef.accessKeyIDSecretRef: name and key of a Secret are missing");
    check_says(OPEN(JWT(",\"namespace\":\"other\"")), ESP_E_CONFIG,
               "invalid Auth.JWT.ServiceAccountRef: " OTHER_NS);
    check_says(OPEN(JWT(",\"namespace\":\"apps\"")), ESP_OK, NULL);
    check_says(OPEN(",\"auth\":{\"secretRef\":{\"accessKeyIDSecretRef\":{\"name\":\"k\",\"key\":\"i\","
                    "\"namespace\":\"x\"},"
                    "\"secretAccessKeySecretRef\":{\"name\":\"k\",\"key\":\"s\"}}}"),
               ESP_E_CONFIG, "invalid Auth.SecretRef.AccessKeyID: " OTHER_NS);
    check_says("{\"spec\":{\"region\":\"eu-central-1\"" JWT(
                   ",\"namespace\":\"other\"") "},\"store\":{\"kind\":"
                                               "\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\"}}",
               ESP_OK, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_with_the_keys_of_a_secret),
        cmocka_unit_test(test_a_missing_key_is_the_clusters_failure),
        cmocka_unit_test(test_a_session_token_is_sent),
        cmocka_unit_test(test_trouble_that_passes_is_tried_again),
        cmocka_unit_test(test_trouble_that_stays_comes_back_later),
        cmocka_unit_test(test_the_store_says_how_often),
        cmocka_unit_test(test_aws_says_when),
        cmocka_unit_test(test_no_more_is_asked_after_the_end),
        cmocka_unit_test(test_credentials_that_expired_are_fetched_once_more),
        cmocka_unit_test(test_credentials_are_kept_until_they_end),
        cmocka_unit_test(test_what_errors_mean),
        cmocka_unit_test(test_who_lacks_which_right),
        cmocka_unit_test(test_an_answer_that_is_none),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, story_enter, NULL);
}
