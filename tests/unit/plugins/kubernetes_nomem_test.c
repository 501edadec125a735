/* The kubernetes provider without memory. What goes out is looked at as well: a push that has lost a
 * label must not succeed. */
#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define NS                                                                                                   \
    "\"store\":{\"kind\":\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\",\"generation\":1},"        \
    "\"namespace\":\"a\""
#define OPEN(spec) "{\"spec\":{\"server\":{\"url\":\"https://api\"}," spec "},\"caBundle\":\"the CA\"," NS "}"
#define TOKEN OPEN("\"auth\":{\"token\":{\"bearerToken\":{\"name\":\"login\",\"key\":\"token\"}}}")
#define ACCOUNT OPEN("\"auth\":{\"serviceAccount\":{\"name\":\"reader\"}}")
#define CONFIG "{\"spec\":{\"authRef\":{\"name\":\"login\",\"key\":\"config\"}}," NS "}"

static const struct object objects[] = {
    {ESP_KUBE_SECRET, "a", "login", "token", "t0ken", 0},
    {ESP_KUBE_SECRET, "a", "login", "config",
     "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
     "clusters: [{name: c, cluster: {server: 'https://other', certificate-authority-data: Q0E=, "
     "tls-server-name: kube}}]\n"
     "users: [{name: u, user: {username: bob, password: pw, client-certificate-data: Q0E=, client-key-data: "
     "Q0E=}}]\n",
     0},
    {0, NULL, NULL, NULL, NULL, 0},
};
static const struct sa_token tokens[] = {{"a", "reader", "", 3600, "e30.eyJleHAiOjQwMDAwMDAwMDB9.x"},
                                         {NULL, NULL, NULL, 0, NULL}};

#define SECRET                                                                                               \
    "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"db\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"labels\":" \
    "{\"a\":\"1\"},"                                                                                         \
    "\"annotations\":{\"j\":\"{\\\"k\\\":1}\"},\"finalizers\":[\"f\"]},\"type\":\"Opaque\",\"data\":{"       \
    "\"conf\":"                                                                                              \
    "\"eyJ4Ijp7InkiOiJ6In19\",\"a\":\"MQ==\"}}"
#define WRITTEN                                                                                              \
    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"db\",\"namespace\":\"n\","          \
    "\"labels\":{\"a\":\"1\",\"b\":\"2\","                                                                   \
    "\"c\":\"3\"},\"annotations\":{\"j\":\"{\\\"k\\\":1}\"},\"uid\":\"u\",\"resourceVersion\":\"7\","        \
    "\"finalizers\":[\"f\"]},"                                                                               \
    "\"type\":\"Opaque\",\"data\":{\"a\":\"MQ==\",\"conf\":\"eyJ4Ijp7InkiOiJ6In19\",\"p\":\"dg==\"}}"

static bool holds(esp_bytes text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static const char *answer_to(const struct esp_http_request *q)
{
    if (holds(q->url, "rulesreviews"))
        return "{\"status\":{\"resourceRules\":[]}}";
    if (holds(q->url, "accessreviews"))
        return "{\"status\":{\"allowed\":true}}";
    if (holds(q->url, "continue="))
        return "{\"metadata\":{},\"items\":[{\"metadata\":{\"name\":\"two\"},\"data\":{\"k\":\"Mg==\"}}]}";
    if (holds(q->url, "limit="))
        return "{\"metadata\":{\"continue\":\"t\"},\"items\":[{\"metadata\":{\"name\":\"one\"},\"data\":{"
               "\"k\":\"MQ==\"}}]}";
    return SECRET;
}

static esp_status serve(struct world *world, struct esp_call *call, const struct esp_http_request *q,
                        struct esp_http_response *response)
{
    bool writes = esp_equal_str(q->method, "PUT");
    (void)world;
    /* What goes out is whole. */
    assert_true(q->cert_pem.len || test_header(q, "Authorization"));
    assert_true(!writes || esp_equal_str(q->body, WRITTEN) || holds(q->body, "\"data\":{\"a\":\"MQ==\"}"));
    return test_answer(call, response, 200, "", answer_to(q));
}

static struct world world = {
    .http = serve, .now_ms = 1700000000000, .namespace = "a", .objects = objects, .tokens = tokens};
static const struct esp_store_ops *ops;

static void torture(const char *open, esp_op op, const char *json, esp_status in_the_end)
{
    nomem_torture(&(const struct nomem_case){ops, &world, open, op, json, in_the_end});
}

static void test_opening(void **state)
{
    (void)state;
    torture(TOKEN, NULL, "", ESP_OK);
    torture(ACCOUNT, NULL, "", ESP_OK);
    torture(CONFIG, NULL, "", ESP_OK);
}

#define REF(property, policy)                                                                                \
    "{\"key\":\"db\",\"property\":\"" property "\",\"metadataPolicy\":\"" policy "\"," NS "}"

static void test_reading(void **state)
{
    (void)state;
    torture(TOKEN, ops->get, REF("", "None"), ESP_OK);
    torture(TOKEN, ops->get, REF("conf.x.y", "None"), ESP_OK);
    torture(TOKEN, ops->get, REF("nope.x", "None"), ESP_E_CONFIG);
    torture(TOKEN, ops->get, REF("", "Fetch"), ESP_OK);
    torture(TOKEN, ops->get, REF("annotations.j.k", "Fetch"), ESP_OK);
    torture(ACCOUNT, ops->get_map, REF("", "None"), ESP_OK);
    torture(CONFIG, ops->get_map, REF("conf", "None"), ESP_OK);
    torture(TOKEN, ops->get_map, REF("", "Fetch"), ESP_OK);
    torture(TOKEN, ops->list, "{\"tags\":{\"a\":\"b\"},\"prefix\":\"\"," NS "}", ESP_OK);
    torture(TOKEN, ops->validate, "{" NS "}", ESP_OK);
    torture(TOKEN, ops->exists, "{\"remoteKey\":\"db\",\"property\":\"a\"," NS "}", ESP_OK);
}

static void test_writing(void **state)
{
    (void)state;
    torture(TOKEN, ops->push,
            "{\"remoteKey\":\"db\",\"property\":\"p\",\"secretKey\":\"k\",\"type\":\"\",\"labels\":{\"b\":"
            "\"2\"},\"metadata\":{\"apiVersion\":"
            "\"kubernetes.external-secrets.io/"
            "v1alpha1\",\"kind\":\"PushSecretMetadata\",\"spec\":{\"labels\":{\"c\":\"3\"},"
            "\"targetMergePolicy\":\"Merge\",\"remoteNamespace\":\"n\"}}," NS "}",
            ESP_OK);
    torture(TOKEN, ops->remove, "{\"remoteKey\":\"db\",\"property\":\"conf\"," NS "}", ESP_OK);
    torture(TOKEN, ops->remove, "{\"remoteKey\":\"db\",\"property\":\"\"," NS "}", ESP_OK);
}

static int enter(void **state)
{
    (void)state;
    ops = test_enter(esp_plugin_entry_v1)->components[0]->store;
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
