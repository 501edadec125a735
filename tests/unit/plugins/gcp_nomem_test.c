/* The gcp plugin, linked in, while each of its allocations fails in turn: nothing then passes for success,
 * and nothing for a secret that is not there. */
#include "gcp.h"
#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

/* ---- a backend without a memory ---- */

#define MANAGED                                                                                              \
    "{\"name\":\"projects/1/secrets/db\",\"etag\":\"e\",\"labels\":{\"managed-by\":\"external-secrets\","    \
    "\"old\":\"1\"},\"annotations\":{\"x\":\"y\"}}"

static bool ends(esp_bytes url, const char *with)
{
    size_t len = strlen(with);
    return url.len >= len && memcmp(url.ptr + url.len - len, with, len) == 0;
}

static bool holds(esp_bytes url, const char *part)
{
    return memmem(url.ptr, url.len, part, strlen(part)) != NULL;
}

static const char *answer_to(const struct esp_http_request *q, int *status)
{
    if (ends(q->url, ":access"))
        return "{\"payload\":{\"data\":\"eyJhIjoiMSJ9\"}}"; /* {"a":"1"} */
    if (holds(q->url, "/versions?"))
        return "{\"versions\":[{\"name\":\"projects/1/secrets/db/versions/"
               "7\",\"createTime\":\"2026-01-01T00:00:00Z\"}]}";
    if (holds(q->url, "/secrets?pageSize"))
        return holds(q->url, "pageToken")
                   ? "{\"secrets\":[{\"name\":\"projects/1/secrets/two\",\"labels\":{\"a\":\"b\"}}]}"
                   : "{\"secrets\":[{\"name\":\"projects/1/secrets/one\",\"labels\":{\"a\":\"b\"}}],"
                     "\"nextPageToken\":\"t\"}";
    if (holds(q->url, "/secrets/new") && esp_equal_str(q->method, "GET")) {
        *status = 404;
        return RPC(404, "NOT_FOUND");
    }
    if (holds(q->url, "/secrets/lost")) {
        *status = 404;
        return "{\"error\":{\"status\":\"NOT_FOUND\",\"message\":\"Project 1 not found\"}}";
    }
    return MANAGED;
}

static esp_status serve(struct world *world, struct esp_call *call, const struct esp_http_request *q,
                        struct esp_http_response *response)
{
    int status = 200;
    (void)world;
    if (!test_header(q, "authorization") || holds(q->url, "/token"))
        return test_answer(call, response, 200, "",
                           "{\"access_token\":\"t\",\"accessToken\":\"t\",\"expires_in\":3600}");
    if (holds(q->url, ":generateAccessToken"))
        return test_answer(call, response, 200, "",
                           "{\"accessToken\":\"t\",\"expireTime\":\"2026-01-01T00:00:00Z\"}");
    const char *body = answer_to(q, &status);
    return test_answer(call, response, status, "", body);
}

static const struct object objects[] = {
    {ESP_KUBE_SERVICE_ACCOUNT, "apps", "sa", "",
     "{\"metadata\":{\"annotations\":{\"iam.gke.io/gcp-service-account\":\"a@p.iam.gserviceaccount.com\"}}}",
     ESP_OK},
    {ESP_KUBE_CONFIGMAP, "apps", "conf", "c",
     "{\"type\":\"external_account\",\"audience\":\"aud\",\"client_id\":\"id\",\"client_secret\":\"secret\","
     "\"credential_source\":{\"url\":\"https://x/\",\"headers\":{\"a\":\"b\"},\"format\":{\"type\":\"json\","
     "\"subject_token_field_name\":\"access_token\"}}}",
     ESP_OK},
    {ESP_KUBE_SECRET, "apps", "aws", "aws_access_key_id", "AKIA", ESP_OK},
    {ESP_KUBE_SECRET, "apps", "aws", "aws_secret_access_key", "secret", ESP_OK},
    {ESP_KUBE_SECRET, "apps", "aws", "aws_session_token", "session", ESP_OK},
    {0, NULL, NULL, NULL, NULL, ESP_OK},
};

static const struct sa_token tokens[] = {
    {"apps", "sa", "c.svc.id.goog", 900, "subject"},
    {"apps", "sa", "aud", 900, "subject"},
    {NULL, NULL, NULL, 0, NULL},
};

static struct world world = {
    .http = serve, .now_ms = 1700000000000, .namespace = "apps", .objects = objects, .tokens = tokens};
static struct esp_call call = {.world = &world};

/* ---- one allocation after the other ---- */

static size_t fail_at;

/* What an operation does when nothing fails. */
static size_t usual_count, usual_requests;
static char usual_value[256];

static esp_status run_once(esp_op op, const char *spec, const char *json)
{
    const esp_pair pair = {esp_str("k"), esp_str("a pushed value")};
    void *store = gcp_test_open(&call, spec);
    world.requests = 0;
    esp_status status = nomem_run(&call, op, store, json, &pair, 1, fail_at);
    gcp_test_ops->close(store, &call);
    return status;
}

static const char *first_value(void)
{
    return call.count ? call.outputs[0].value : "";
}

/* Runs an operation until none of its allocations is left to fail. It may succeed without one, that of
 * keeping a token for instance, but then it does all that it usually does. */
static void torture(esp_op tortured, const char *spec, const char *json, esp_status in_the_end)
{
    fail_at = NOMEM_NEVER;
    assert_int_equal(run_once(tortured, spec, json), in_the_end);
    usual_count = call.count;
    usual_requests = world.requests;
    snprintf(usual_value, sizeof usual_value, "%s", first_value());
    for (fail_at = 0;; fail_at++) {
        esp_status status = run_once(tortured, spec, json);
        if (!nomem_failed())
            break;
        if (status == ESP_E_NOT_FOUND || (status == ESP_OK && in_the_end != ESP_OK))
            fail_msg("allocation %zu of %s%s", fail_at, spec, json);
        if (status == ESP_OK && (call.count != usual_count || world.requests != usual_requests ||
                                 strcmp(first_value(), usual_value) != 0))
            fail_msg("allocation %zu of %s%s", fail_at, spec, json);
    }
    assert_true(fail_at > 3);
    test_reset(&call);
}

static esp_status open_as_op(void *instance, struct esp_call *c, const struct esp_request *request)
{
    return gcp_test_ops->open(c, request, instance);
}

/* A token that cannot be kept for lack of memory is asked for again; all else has to be there. */
static void check_opened(void *store, size_t requests)
{
    assert_int_equal(world.requests, requests);
    assert_int_equal(test_run(&call, gcp_test_ops->get, store, "{\"key\":\"db\"}", NULL, 0), ESP_OK);
    gcp_test_ops->close(store, &call);
}

static void torture_open(const char *spec)
{
    char json[2048];
    snprintf(json, sizeof json, "{\"spec\":{\"projectID\":\"p\"%s}," STORE "}", spec);
    world.requests = 0;
    gcp_test_ops->close(gcp_test_open(&call, spec), &call);
    size_t usual = world.requests;
    for (fail_at = 0;; fail_at++) {
        void *store = NULL;
        world.requests = 0;
        esp_status status = nomem_run(&call, open_as_op, &store, json, NULL, 0, fail_at);
        bool over = !nomem_failed();
        assert_true(!over || status == ESP_OK);
        if (status == ESP_OK)
            check_opened(store, usual);
        else
            assert_null(store);
        if (over)
            break;
    }
    assert_true(fail_at > 10);
    test_reset(&call);
}

#define CLUSTER                                                                                              \
    ",\"auth\":{\"workloadIdentity\":{\"serviceAccountRef\":{\"name\":\"sa\"},\"clusterProjectID\":\"c\","   \
    "\"clusterName\":\"n\",\"clusterLocation\":\"l\"}}"
#define FEDERATION(what) ",\"auth\":{\"workloadIdentityFederation\":{\"audience\":\"aud\"," what "}}"
#define ACCOUNT FEDERATION("\"serviceAccountRef\":{\"name\":\"sa\",\"audiences\":[\"aud\"]}")
#define CONFIG                                                                                               \
    FEDERATION("\"credConfig\":{\"name\":\"conf\",\"key\":\"c\"},\"externalTokenEndpoint\":\"https://x/\"")
#define AWS                                                                                                  \
    FEDERATION("\"awsSecurityCredentials\":{\"region\":\"r\",\"awsCredentialsSecretRef\":{\"name\":\"aws\"}" \
               "}")

static void test_opening(void **state)
{
    (void)state;
    torture_open("");
    torture_open(CLUSTER);
    torture_open(ACCOUNT);
    torture_open(CONFIG);
    torture_open(AWS);
}

static void test_reading(void **state)
{
    (void)state;
    torture(gcp_test_ops->get, "", "{\"key\":\"db\"}", ESP_OK);
    torture(gcp_test_ops->get, "", "{\"key\":\"db\",\"metadataPolicy\":\"Fetch\"}", ESP_OK);
    torture(gcp_test_ops->get, "", "{\"key\":\"lost\",\"metadataPolicy\":\"Fetch\"}", ESP_E_CONFIG);
    torture(gcp_test_ops->list, "", "{\"tags\":{\"a\":\"b\"},\"path\":\"o\"}", ESP_OK);
    torture(gcp_test_ops->exists, "", "{\"remoteKey\":\"db\"}", ESP_OK);
}

static void test_writing(void **state)
{
    (void)state;
#define METADATA                                                                                             \
    ",\"metadata\":{\"apiVersion\":\"kubernetes.external-secrets.io/v1alpha1\",\"kind\":"                    \
    "\"PushSecretMetadata\",\"spec\":{\"labels\":{\"n\":\"1\"},\"topics\":[\"projects/p/topics/t\"],"        \
    "\"cmekKeyName\":\"k\",\"replicationLocation\":\"l\",\"mergePolicy\":\"Merge\"}}"
    torture(gcp_test_ops->push, "", "{\"remoteKey\":\"db\",\"secretKey\":\"k\"" METADATA "}", ESP_OK);
    torture(gcp_test_ops->push, "", "{\"remoteKey\":\"new\",\"secretKey\":\"\"" METADATA "}", ESP_OK);
    torture(gcp_test_ops->push, "", "{\"remoteKey\":\"db\",\"secretKey\":\"k\",\"property\":\"a.b\"}",
            ESP_OK);
    torture(gcp_test_ops->remove, "", "{\"remoteKey\":\"db\"}", ESP_OK);
}

static int enter(void **state)
{
    (void)state;
    gcp_test_ops = test_enter(esp_plugin_entry_v1)->components[0]->store;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
