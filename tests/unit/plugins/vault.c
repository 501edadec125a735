#include "vault.h"

const struct esp_component *vault, *bao;
struct world world;
struct esp_call call;

#ifndef VAULT_LINKED /* a test that links the plugin in enters it itself */
int vault_load(void **state)
{
    (void)state;
    const struct esp_plugin *plugin = test_load(VAULT_PLUGIN);
    vault = plugin->components[0];
    bao = plugin->components[1];
    return 0;
}
#endif

int vault_begin(void **state)
{
    (void)state;
    world = (struct world){.namespace = "apps", .now_ms = 1000000};
    call = (struct esp_call){.world = &world};
    return 0;
}

int vault_end(void **state)
{
    (void)state;
    test_reset(&call);
    return 0;
}

void *vault_opened(const char *json)
{
    void *store = NULL;
    esp_status status = test_open(&call, vault->store, json, &store);
    if (status != ESP_OK)
        fail_msg("open: %d: %s", (int)status, call.why);
    return store;
}

void vault_closed(void *store)
{
    test_script_done(&world);
    vault->store->close(store, &call);
    test_script_done(&world);
}

void vault_fails(esp_op op, void *store, const char *json, esp_status status, const char *why)
{
    assert_int_equal(test_run(&call, op, store, json, NULL, 0), status);
    assert_string_equal(call.why, why);
    assert_int_equal(call.count, 0);
    test_script_done(&world);
}

void vault_gets(void *store, const char *json, const char *value)
{
    esp_status status = test_run(&call, vault->store->get, store, json, NULL, 0);
    if (status != ESP_OK)
        fail_msg("get: %d: %s", (int)status, call.why);
    assert_int_equal(call.count, 1);
    assert_string_equal(call.outputs[0].value, value);
    test_script_done(&world);
}

void vault_works(esp_op op, void *store, const char *json, const esp_pair *values, size_t count)
{
    esp_status status = test_run(&call, op, store, json, values, count);
    if (status != ESP_OK)
        fail_msg("%d: %s", (int)status, call.why);
    test_script_done(&world);
}
