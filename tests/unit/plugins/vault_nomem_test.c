/* The Vault plugin, linked in, while each of its allocations fails in turn: it says so, or it does what it
 * does otherwise. */
#include "nomem.h"
#include "vault.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a Vault ---- */

static size_t fail_at;
static const char *writes; /* what may be written; anything else fails the test */

static const char *answer_to(const struct esp_http_request *q, int32_t *status)
{
    static const struct {
        const char *part, *answer;
        int32_t status;
    } answers[] = {
        {"/login", TOKEN("60", ""), 200},
        {"/renew-self", TOKEN("60", ""), 200},
        {"/revoke-self", "", 204},
        {"/lookup-self", "{}", 200},
        {"/no/", "{\"errors\":[\"no handler for route\"]}", 404},
        {"?list=true", "{\"data\":{\"keys\":[\"a\",\"b\"]}}", 200},
        {"/kv/metadata/a",
         "{\"data\":{\"current_version\":4,\"custom_metadata\":{\"managed-by\":\"external-secrets\"}}}", 200},
        {"/kv/metadata/b", "{\"data\":{\"custom_metadata\":{\"\\u0061\\\\\":\"1\\n\"}}}", 200},
        {"/kv/data/a", "{\"data\":{\"data\":{\"k\\\\\":\"<v>\",\"n\":1.50},\"metadata\":{\"version\":4}}}",
         200},
    };
    char url[200];
    snprintf(url, sizeof url, "%.*s", (int)q->url.len, (const char *)q->url.ptr);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (strstr(url, answers[i].part)) {
            *status = answers[i].status;
            return answers[i].answer;
        }
    *status = 404;
    return NONE;
}

static esp_status serve(struct world *w, struct esp_call *c, const struct esp_http_request *q,
                        struct esp_http_response *response)
{
    int32_t status = 0;
    (void)w;
    if (esp_equal_str(q->method, "PUT") && !strstr((const char *)q->url.ptr, "/auth/"))
        if (!writes || !esp_equal_str(q->body, writes))
            fail_msg("at %zu: %.*s is written, not %s", fail_at, ESP_ARG(q->body), writes);
    const char *answer = answer_to(q, &status);
    return test_answer(c, response, status, NULL, answer);
}

static const struct object objects[] = {{ESP_KUBE_SECRET, "apps", "login", "k", "value\n", 0}, {0}};

static int begin(void **state)
{
    vault_begin(state);
    world.http = serve;
    world.objects = objects;
    return 0;
}

int vault_load(void **state)
{
    (void)state;
    vault = test_enter(esp_plugin_entry_v1)->components[0];
    return 0;
}

/* ---- torture ---- */

#define SPEC                                                                                                 \
    OPEN(",\"path\":\"kv\",\"readYourWrites\":true,\"namespace\":\"n\",\"auth\":{\"appRole\":{\"roleId\":"   \
         "\"me\","                                                                                           \
         "\"secretRef\":{\"name\":\"login\",\"key\":\"k\"}}}")

/* Statuses and outputs, as text to compare. */
static void print(char *out, size_t max, esp_status status)
{
    snprintf(out, max, "%d", (int)status);
    for (size_t i = 0; i < call.count; i++)
        snprintf(out + strlen(out), max - strlen(out), "|%s=%s", call.outputs[i].key, call.outputs[i].value);
}

static void torture(esp_op tortured, const char *json, const char *value)
{
    const esp_pair pair = {esp_str("k"), esp_str(value)};
    char good[600], got[600];
    void *store = vault_opened(SPEC);
    fail_at = NOMEM_NEVER;
    print(good, sizeof good, nomem_run(&call, tortured, store, json, &pair, 1, fail_at));
    vault->store->close(store, &call);
    bool failed = true;
    for (fail_at = 0; failed; fail_at++) {
        store = vault_opened(SPEC);
        esp_status status = nomem_run(&call, tortured, store, json, &pair, 1, fail_at);
        failed = nomem_failed();
        print(got, sizeof got, status);
        if (status == ESP_OK || status == ESP_E_NOT_FOUND || !failed)
            assert_string_equal(got, good);
        else if (status != ESP_E_INTERNAL && status != ESP_E_RETRY && strcmp(got, good) != 0)
            fail_msg("%s: allocation %zu: %s: %s", json, fail_at, got, call.why);
        vault->store->close(store, &call);
    }
}

static esp_status open_as_op(void *instance, struct esp_call *c, const struct esp_request *request)
{
    void *store = NULL;
    (void)instance;
    esp_status status = vault->store->open(c, request, &store);
    if (status == ESP_OK)
        vault->store->close(store, c);
    return status;
}

static void test_each_allocation_fails_in_turn(void **state)
{
    const struct esp_store_ops *ops = vault->store;
    (void)state;
    torture(open_as_op, SPEC, "");
    torture(ops->check, SPEC, "");
    torture(ops->validate, "{" STORE "}", "");
    torture(ops->get, GET("a"), "");
    torture(ops->get, GET("b"), "");
    torture(ops->get, GET("no/mount"), "");
    torture(ops->get, "{\"key\":\"a\",\"metadataPolicy\":\"Fetch\"}", "");
    torture(ops->list, "{\"tags\":{\"a\\\\\":\"1\\n\"},\"prefix\":\"\"}", "");
    torture(ops->list, "{\"name\":{\"regexp\":\".\"},\"prefix\":\"\"}", "");
    torture(ops->exists, "{\"remoteKey\":\"a\",\"property\":\"k\\\\\"}", "");
    torture(ops->exists, "{\"remoteKey\":\"b\",\"property\":\"\"}", "");
}

static void test_nothing_wrong_is_written_without_memory(void **state)
{
    const struct esp_store_ops *ops = vault->store;
    (void)state;
    writes = "{\"data\":{\"n\":1.50,\"k\\\\\":\"two\"}}";
    torture(ops->push, "{\"remoteKey\":\"a\",\"property\":\"k\\\\\",\"secretKey\":\"k\"}", "two");
    writes = "{\"data\":{\"n\":1.50}}";
    torture(ops->remove, "{\"remoteKey\":\"a\",\"property\":\"k\\\\\"}", "");
    writes = "{\"data\":{\"x\": 1}}";
    torture(ops->push, "{\"remoteKey\":\"a\",\"property\":\"\",\"secretKey\":\"k\"}", "{\"x\": 1}");
    writes = NULL;
    torture(ops->push, "{\"remoteKey\":\"a\",\"property\":\"\",\"secretKey\":\"k\"}",
            "{\"n\":1.50,\"k\\\\\":\"<v>\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_allocation_fails_in_turn, begin, vault_end),
        cmocka_unit_test_setup_teardown(test_nothing_wrong_is_written_without_memory, begin, vault_end),
    };
    return cmocka_run_group_tests(tests, vault_load, NULL);
}
