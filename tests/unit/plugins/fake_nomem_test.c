/* The fake store, linked in, while each of its allocations fails in turn. */
#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

static const struct esp_store_ops *ops;

static esp_status open_as_op(void *instance, struct esp_call *call, const struct esp_request *request)
{
    return ops->open(call, request, instance);
}

/* Runs an operation until none of its allocations is left to fail. */
static void torture(esp_op tortured, void *instance, const char *json)
{
    struct esp_call call = {0};
    esp_pair pair = {esp_str("k"), esp_str("a pushed value")};
    size_t at;
    for (at = 0;; at++) {
        esp_status status = nomem_run(&call, tortured, instance, json, &pair, 1, at);
        if (!nomem_failed()) {
            assert_int_equal(status, ESP_OK);
            break;
        }
        assert_int_equal(status, ESP_E_INTERNAL);
        assert_true(strlen(call.why) > 0);
        assert_int_equal(call.count, 0);
    }
    assert_true(at > 0); /* its document, at least */
    test_reset(&call);
}

static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    static const char store[] = "{\"spec\":{\"data\":[{\"key\":\"a\",\"value\":\"v\"},{\"key\":\"b\","
                                "\"value\":\"v\",\"version\":\"1\"}]},"
                                "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\"}}";
    struct esp_call call = {0};
    void *instance = NULL;
    torture(ops->check, NULL, store);
    torture(open_as_op, &instance, store);
    torture(ops->push, instance, "{\"remoteKey\":\"one\",\"secretKey\":\"k\"}");
    torture(ops->push, instance, "{\"remoteKey\":\"one\",\"secretKey\":\"\"}");
    torture(ops->get, instance, "{\"key\":\"a\",\"version\":\"\"}");
    torture(ops->get, instance, "{\"key\":\"one\",\"version\":\"\"}");
    torture(ops->exists, instance, "{\"remoteKey\":\"one\"}");
    torture(ops->list, instance, "{\"name\":{\"regexp\":\".\"}}");
    ops->close(instance, &call);
}

static int enter(void **state)
{
    (void)state;
    ops = test_enter(esp_plugin_entry_v1)->components[0]->store;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_in_turn)};
    return cmocka_run_group_tests(tests, enter, NULL);
}
