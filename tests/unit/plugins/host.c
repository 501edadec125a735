#include "host.h"

#include "world.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

_Thread_local volatile bool test_in_host;

static char *copy(esp_bytes bytes)
{
    char *text = malloc(bytes.len + 1);
    assert_non_null(text);
    if (bytes.len)
        memcpy(text, bytes.ptr, bytes.len);
    text[bytes.len] = 0;
    return text;
}

static esp_status host_emit(struct esp_call *call, int32_t channel, esp_bytes key, esp_bytes value)
{
    if (call->emit_limit && call->count == call->emit_limit)
        return ESP_E_INTERNAL;
    test_in_host = true;
    call->outputs = realloc(call->outputs, (call->count + 1) * sizeof *call->outputs);
    assert_non_null(call->outputs);
    call->outputs[call->count++] = (struct output){channel, copy(key), copy(value), key.len, value.len};
    test_in_host = false;
    return ESP_OK;
}

static esp_status host_fail(struct esp_call *call, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    assert_true(why.len < sizeof call->why);
    call->failed_with = status;
    call->retry_after_ms = retry_after_ms;
    if (why.len)
        memcpy(call->why, why.ptr, why.len);
    call->why[why.len] = 0;
    return status;
}

static void host_fail_at(struct esp_call *call, size_t index, esp_status status, esp_bytes why)
{
    char key[24];
    snprintf(key, sizeof key, "%zu", index);
    host_emit(call, status, (esp_bytes){(const uint8_t *)key, strlen(key)}, why);
}

static const struct esp_host host = {
    .size = sizeof host,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .emit = host_emit,
    .fail = host_fail,
    .fail_at = host_fail_at,
    .log = test_world_log,
    .remaining_ms = test_world_remaining_ms,
    .now_unix_ms = test_world_now_unix_ms,
    .random = test_world_random,
    .http = test_world_http,
    .kube_read = test_world_kube_read,
    .sa_token = test_world_sa_token,
    .ambient = test_world_ambient,
    .render = test_world_render,
#if ESP_ABI_MINOR >= 1
    .wait = test_world_wait,
#endif
};

const struct esp_plugin *test_enter(esp_entry_fn entry)
{
    const struct esp_plugin *plugin = entry(&host);
    assert_non_null(plugin);
    return plugin;
}

const struct esp_plugin *test_load(const char *file)
{
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    esp_entry_fn entry;
    void *symbol = dlsym(handle, "esp_plugin_entry_v1");
    assert_non_null(symbol);
    memcpy(&entry, &symbol, sizeof entry);
    return test_enter(entry);
}

void test_reset(struct esp_call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        free(call->outputs[i].key);
        free(call->outputs[i].value);
    }
    free(call->outputs);
    call->outputs = NULL;
    call->count = 0;
    call->failed_with = 1;
    call->retry_after_ms = 0;
    call->why[0] = 0;
    test_world_forget(call);
}

/* The document in memory of its own size, so that a read beyond it shows. */
static struct esp_request request(const char *json, const esp_pair *values, size_t value_count)
{
    size_t len = strlen(json);
    uint8_t *text = malloc(len ? len : 1);
    assert_non_null(text);
    memcpy(text, json, len);
    return (struct esp_request){.size = sizeof(struct esp_request),
                                .json = {text, len},
                                .values = values,
                                .value_count = value_count};
}

esp_status test_run(struct esp_call *call, esp_op op, void *instance, const char *json,
                    const esp_pair *values, size_t value_count)
{
    test_reset(call);
    struct esp_request req = request(json, values, value_count);
    esp_status status = op(instance, call, &req);
    free((void *)(uintptr_t)req.json.ptr);
    return status;
}

esp_status test_open(struct esp_call *call, const struct esp_store_ops *ops, const char *json,
                     void **instance)
{
    test_reset(call);
    struct esp_request req = request(json, NULL, 0);
    esp_status status = ops->open(call, &req, instance);
    free((void *)(uintptr_t)req.json.ptr);
    return status;
}

const struct output *test_value(const struct esp_call *call, const char *key)
{
    for (size_t i = 0; i < call->count; i++)
        if (call->outputs[i].channel == ESP_OUT_VALUE && strcmp(call->outputs[i].key, key) == 0)
            return &call->outputs[i];
    return NULL;
}
