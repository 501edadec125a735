/* The webhook provider without memory. */
#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>
#include <esp/text.h>

#define NS                                                                                                   \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"a\",\"name\":\"s\",\"generation\":1},"              \
    "\"namespace\":\"a\""
#define OPEN(more)                                                                                           \
    "{\"spec\":{\"url\":\"https://h/"                                                                        \
    "{{data}}\",\"headers\":{\"X-A\":\"{{data}}\"},\"secrets\":[{\"name\":\"auth\",\"secretRef\":"           \
    "{\"name\":\"login\"}}]" more "},\"caBundle\":\"the CA\"," NS "}"
#define PATH(path) OPEN(",\"result\":{\"jsonPath\":\"" path "\"}")
#define NTLM                                                                                                 \
    OPEN(",\"auth\":{\"ntlm\":{\"usernameSecret\":{\"name\":\"login\",\"key\":\"user\"},\"passwordSecret\":" \
         "{\"name\":\"login\","                                                                              \
         "\"key\":\"pass\"}}}")
#define REF "{\"key\":\"k\",\"property\":\"p\",\"version\":\"v\",\"metadataPolicy\":\"None\"," NS "}"
#define PUSHED "{\"remoteKey\":\"r\",\"property\":\"\",\"secretKey\":\"k\",\"type\":\"\"," NS "}"

static const struct object objects[] = {
    {ESP_KUBE_SECRET_OBJECT, "a", "login", "",
     "{\"metadata\":{\"name\":\"login\",\"labels\":{\"external-secrets.io/"
     "type\":\"webhook\"}},\"data\":{\"user\":\"Ym9i\",\"pass\":"
     "\"cHc=\"}}",
     0},
    {0, NULL, NULL, NULL, NULL, 0},
};

/* All of the data is there, whatever failed. */
static esp_status render(struct world *world, struct esp_call *call, esp_bytes text, esp_bytes data,
                         esp_bytes *out)
{
    (void)world;
    (void)text;
    test_in_host = true;
    assert_true(esp_json_check(data, NULL));
    assert_non_null(memmem(data.ptr, data.len, "\"auth\":{\"user\":\"bob\",\"pass\":\"pw\"}", 32));
    test_in_host = false;
    *out = test_give(call, esp_str("rendered"));
    return ESP_OK;
}

static esp_status serve(struct world *world, struct esp_call *call, const struct esp_http_request *q,
                        struct esp_http_response *response)
{
    (void)world;
    if (!esp_equal_str(q->method, "HEAD"))
        assert_true(test_header(q, "X-A") && esp_equal_str(test_header(q, "X-A")->value, "rendered"));
    if (q->flags & ESP_HTTP_NTLM)
        assert_true(esp_equal_str(q->username, "bob") && esp_equal_str(q->password, "pw"));
    return test_answer(call, response, 200, "",
                       "{\"a\":{\"\\u0062\":\"x\",\"c\":[1,2.5]},\"l\":[{\"n\":\"\\u0078\",\"v\":\"one\"},{"
                       "\"n\":\"y\"}],\"t\":\"{\\\"k\\\":1}\"}");
}

static struct world world = {.http = serve, .namespace = "a", .objects = objects, .render = render};
static const struct esp_store_ops *ops;

static void torture(const char *open, esp_op op, const char *json, esp_status in_the_end)
{
    nomem_torture(&(const struct nomem_case){ops, &world, open, op, json, in_the_end});
}

static void test_opening(void **state)
{
    (void)state;
    torture(OPEN(""), NULL, "", ESP_OK);
}

static void test_reading(void **state)
{
    (void)state;
    torture(OPEN(""), ops->get, REF, ESP_OK);
    torture(NTLM, ops->get, REF, ESP_OK);
    torture(PATH("$.a"), ops->get, REF, ESP_OK);
    torture(PATH("$.a.b"), ops->get, REF, ESP_OK);
    torture(PATH("$..n"), ops->get, REF, ESP_OK);
    torture(PATH("$.l[?(@.n=='x')].v"), ops->get, REF, ESP_OK);
    torture(PATH("$.l[?(@==$.l[1])].n"), ops->get, REF, ESP_OK);
    torture(PATH("$.l[::-1].n"), ops->get, REF, ESP_OK);
    torture(PATH("$.nope"), ops->get, REF, ESP_E_CONFIG);
    torture(PATH("$.l["), ops->get, REF, ESP_E_CONFIG);
    torture(OPEN(""), ops->get_map, REF, ESP_OK);
    torture(PATH("$.t"), ops->get_map, REF, ESP_OK);
    torture(OPEN(""), ops->exists, PUSHED, ESP_OK);
    torture(OPEN(",\"body\":\"{{data}}\""), ops->get, REF, ESP_OK);
}

static void test_writing(void **state)
{
    (void)state;
    torture(OPEN(""), ops->push, PUSHED, ESP_OK);
    torture(OPEN(",\"body\":\"{{data}}\""), ops->push, PUSHED, ESP_OK);
    torture(OPEN(""), ops->remove, PUSHED, ESP_OK);
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
