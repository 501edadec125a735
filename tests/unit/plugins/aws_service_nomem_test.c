/* The AWS plugin's operations, linked in, while each of their allocations fails in turn. */
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

static const struct esp_store_ops *ops;
static size_t fail_at;

static esp_status open_as_op(void *instance, struct esp_call *call, const struct esp_request *request)
{
    return ops->open(call, request, instance);
}

/* ---- AWS ---- */

#define MANAGED "[{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"},{\"Key\":\"old\",\"Value\":\"1\"}]"

static const struct {
    const char *target, *answer;
} answers[] = {
    {"secretsmanager.GetSecretValue", "{\"SecretString\":\"{\\\"a\\\":\\\"1\\\"}\"}"},
    {"secretsmanager.BatchGetSecretValue",
     "{\"SecretValues\":[{\"Name\":\"a\",\"SecretBinary\":\"eyJhIjoiMSJ9\"}],\"Errors\":"
     "[{\"SecretId\":\"gone\",\"ErrorCode\":\"ResourceNotFoundException\"}]}"},
    {"secretsmanager.ListSecrets",
     "{\"SecretList\":[{\"Name\":\"a\",\"Tags\":[{\"Key\":\"t\",\"Value\":\"v\"}]}]}"},
    {"secretsmanager.DescribeSecret",
     "{\"Tags\":" MANAGED ",\"VersionIdsToStages\":{\"1\":[]},\"ReplicationStatus\":"
     "[{\"Region\":\"r\"}]}"},
    {"secretsmanager.GetResourcePolicy", "{\"ResourcePolicy\":\"{}\"}"},
    {"AmazonSSM.GetParameter", "{\"Parameter\":{\"Value\":\"v\"}}"},
    {"AmazonSSM.GetParameters", "{\"Parameters\":[{\"Name\":\"a\",\"Value\":\"v\"}]}"},
    {"AmazonSSM.DescribeParameters", "{\"Parameters\":[{\"Name\":\"a\"},{\"Name\":\"b\"}]}"},
    {"AmazonSSM.GetParametersByPath", "{\"Parameters\":[{\"Name\":\"a\",\"Value\":\"v\"}]}"},
    {"AmazonSSM.ListTagsForResource", "{\"TagList\":" MANAGED "}"},
    {"CertificateManager.ListTagsForCertificate", "{\"Tags\":" MANAGED "}"},
    {"ResourceGroupsTaggingAPI_20170126.GetResources",
     "{\"ResourceTagMappingList\":[{\"ResourceARN\":\"arn:a\"}]}"},
};

/* One page of a search has another, once. */
static bool wants_more;

static esp_status answer(struct world *world, struct esp_call *call, const struct esp_http_request *request,
                         struct esp_http_response *response)
{
    const esp_pair *target = test_header(request, "x-amz-target");
    (void)world;
    assert_non_null(target);
    if (wants_more && esp_equal_str(target->value, "secretsmanager.ListSecrets")) {
        wants_more = false;
        return test_answer(call, response, 200, NULL, "{\"SecretList\":[],\"NextToken\":\"more\"}");
    }
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (esp_equal_str(target->value, answers[i].target))
            return test_answer(call, response, 200, NULL, answers[i].answer);
    return test_answer(call, response, 200, NULL, "{}");
}

static const struct object objects[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", "AKIAFIXED", ESP_OK},
                                        {ESP_KUBE_SECRET, "apps", "keys", "secret", "fixed", ESP_OK},
                                        {ESP_KUBE_CONFIGMAP, "apps", "rules", "policy", "{\"a\":1}", ESP_OK},
                                        {0}};
static struct world world = {
    .http = answer, .namespace = "apps", .objects = objects, .now_ms = 1772337906000};

#define OPEN(service)                                                                                        \
    "{\"spec\":{\"region\":\"eu-central-1\",\"service\":\"" service "\",\"auth\":{\"secretRef\":{"           \
    "\"accessKeyIDSecretRef\":{\"name\":\"keys\",\"key\":\"id\"},\"secretAccessKeySecretRef\":{\"name\":"    \
    "\"keys\","                                                                                              \
    "\"key\":\"secret\"}}}},\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\"},"     \
    "\"namespace\":\"apps\"}"

/* ---- torture ---- */

/* An output as a line. */
static void print(const struct output *o, struct esp_text *text)
{
    esp_text_addf(text, "%d %s=%s\n", (int)o->channel, o->key, o->value);
}

static void print_all(const struct esp_call *call, struct esp_text *text)
{
    esp_text_cut(text, 0);
    for (size_t i = 0; i < call->count; i++)
        print(&call->outputs[i], text);
}

/* Everything that came out is what comes out otherwise, in whatever order, or says that there was no memory.
 */
static void compare(const struct esp_call *call, const struct esp_text *want, size_t want_count)
{
    struct esp_text line;
    esp_text_init(&line, 10000);
    assert_int_equal(call->count, want_count);
    for (size_t i = 0; i < call->count; i++) {
        esp_text_cut(&line, 0);
        print(&call->outputs[i], &line);
        if (call->outputs[i].channel != ESP_E_INTERNAL && !strstr(esp_text_str(want), esp_text_str(&line)))
            fail_msg("%s is not among\n%s", esp_text_str(&line), esp_text_str(want));
    }
    esp_text_free(&line);
}

static void run(struct esp_call *call, esp_op what, void *instance, const char *json)
{
    static const esp_pair pairs[] = {{{(const uint8_t *)"k", 1}, {(const uint8_t *)"pushed", 6}}};
    wants_more = true;
    esp_status status = nomem_run(call, what, instance, json, pairs, 1, fail_at);
    if (status == ESP_OK)
        return;
    assert_true(nomem_failed());
    assert_int_not_equal(status, ESP_E_NOT_FOUND); /* deletionPolicy must not see it */
    assert_true(strlen(call->why) > 0);
}

/* Runs an operation until none of its allocations is left to fail. Some memory is for nothing that is needed,
 * but what succeeds has the whole result. */
static void torture(esp_op what, void *instance, const char *json)
{
    struct esp_call call = {.world = &world};
    struct esp_text want;
    esp_text_init(&want, 100000);
    fail_at = NOMEM_NEVER;
    run(&call, what, instance, json);
    print_all(&call, &want);
    size_t want_count = call.count;
    for (fail_at = 0; fail_at == 0 || nomem_failed(); fail_at++) {
        run(&call, what, instance, json);
        if (call.failed_with == 1)
            compare(&call, &want, want_count);
        assert_true(fail_at < 3000);
    }
    assert_true(fail_at > 5);
    esp_text_free(&want);
    test_reset(&call);
}

static void torture_open(const char *document)
{
    struct esp_call call = {.world = &world};
    for (fail_at = 0;; fail_at++) {
        void *store = NULL;
        esp_status status = nomem_run(&call, open_as_op, &store, document, NULL, 0, fail_at);
        assert_true((status == ESP_OK) == (store != NULL));
        if (store)
            ops->close(store, &call);
        if (!nomem_failed())
            break;
        assert_int_not_equal(status, ESP_E_NOT_FOUND);
    }
    assert_true(fail_at > 10);
    test_reset(&call);
}

static void *open_store(const char *document)
{
    struct esp_call call = {.world = &world};
    void *store = NULL;
    assert_int_equal(test_open(&call, ops, document, &store), ESP_OK);
    test_reset(&call);
    return store;
}

static void close_store(void *store)
{
    struct esp_call call = {.world = &world};
    ops->close(store, &call);
    test_reset(&call);
}

#define REF(key) "{\"key\":\"" key "\",\"version\":\"\",\"metadataPolicy\":\"None\"}"
#define PUSH(more, spec)                                                                                     \
    "{\"remoteKey\":\"db\",\"secretKey\":\"k\"" more ",\"metadata\":{\"apiVersion\":"                        \
    "\"kubernetes.external-secrets.io/v1alpha1\",\"kind\":\"PushSecretMetadata\",\"spec\":" spec "}}"

static void test_secrets_manager(void **state)
{
    (void)state;
    torture_open(OPEN("SecretsManager"));
    void *store = open_store(OPEN("SecretsManager"));
    torture(ops->get, store, REF("db"));
    torture(ops->get, store, "{\"key\":\"db\",\"metadataPolicy\":\"Fetch\"}");
    torture(ops->get_batch, store, "{\"refs\":[" REF("a") "," REF("b") "," REF("c") "]}");
    torture(ops->list, store, "{\"name\":{\"regexp\":\".\"},\"tags\":{\"t\":\"v\"}}");
    torture(ops->list, store, "{\"tags\":{\"t\":\"v\"}}");
    torture(ops->list, store, "{\"path\":\"a\",\"name\":{\"regexp\":\".\"}}");
    torture(ops->exists, store, "{\"remoteKey\":\"db\",\"property\":\"a\"}");
    torture(ops->push, store,
            PUSH(",\"property\":\"b.c\"",
                 "{\"tags\":{\"new\":\"1\"},\"secretPushFormat\":\"string\",\"replicationLocations\":[\"q\"],"
                 "\"resourcePolicy\":{\"policySourceRef\":{\"kind\":\"ConfigMap\",\"name\":\"rules\","
                 "\"key\":\"policy\"}}}"));
    torture(ops->remove, store, "{\"remoteKey\":\"db\"}");
    close_store(store);
}

static void test_parameter_store(void **state)
{
    (void)state;
    torture_open(OPEN("ParameterStore"));
    void *store = open_store(OPEN("ParameterStore"));
    torture(ops->get, store, REF("db"));
    torture(ops->get, store, "{\"key\":\"db\",\"metadataPolicy\":\"Fetch\"}");
    torture(ops->get_batch, store, "{\"refs\":[" REF("a") "," REF("b") "," REF("c") "]}");
    torture(ops->list, store, "{\"name\":{\"regexp\":\".\"}}");
    torture(ops->list, store, "{\"tags\":{\"t\":\"v\"}}");
    torture(ops->push, store,
            PUSH("",
                 "{\"tags\":{\"new\":\"1\"},\"secretType\":\"SecureString\",\"tier\":{\"type\":\"Advanced\","
                 "\"policies\":[{}]}}"));
    torture(ops->remove, store, "{\"remoteKey\":\"db\"}");
    close_store(store);
}

static void test_certificate_manager(void **state)
{
    (void)state;
    torture_open(OPEN("CertificateManager"));
    void *store = open_store(OPEN("CertificateManager"));
    torture(ops->exists, store, "{\"remoteKey\":\"db\"}");
    torture(ops->remove, store, "{\"remoteKey\":\"db\"}");
    close_store(store);
}

static int enter(void **state)
{
    (void)state;
    ops = test_enter(esp_plugin_entry_v1)->components[0]->store;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_secrets_manager),
                                       cmocka_unit_test(test_parameter_store),
                                       cmocka_unit_test(test_certificate_manager)};
    return cmocka_run_group_tests(tests, enter, NULL);
}
