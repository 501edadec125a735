#include "gcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

const struct esp_store_ops *gcp_test_ops;

int gcp_test_load(void **state)
{
    (void)state;
    gcp_test_ops = test_load(GCP_PLUGIN)->components[0]->store;
    return 0;
}

esp_status gcp_test_try(struct esp_call *call, const char *more, void **store)
{
    char json[2048];
    snprintf(json, sizeof json, "{\"spec\":{\"projectID\":\"p\"%s}," STORE "}", more);
    return test_open(call, gcp_test_ops, json, store);
}

void *gcp_test_open(struct esp_call *call, const char *more)
{
    void *store = NULL;
    assert_int_equal(gcp_test_try(call, more, &store), ESP_OK);
    return store;
}

void gcp_test_close(struct esp_call *call, void *store)
{
    gcp_test_ops->close(store, call);
    test_reset(call);
}

esp_status gcp_test_run(esp_op op, const char *json, const esp_pair *values, size_t count,
                        const struct exchange *script, size_t script_count, struct esp_call *call)
{
    struct world world = {.script = script, .script_count = script_count, .now_ms = 1700000000000};
    call->world = &world;
    void *store = gcp_test_open(call, "");
    esp_status status = test_run(call, op, store, json, values, count);
    test_script_done(&world);
    gcp_test_ops->close(store, call);
    return status;
}
