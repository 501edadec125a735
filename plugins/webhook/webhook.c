/* plugins/webhook/webhook.c: whatever answers HTTP, by templates. */
#include "hook.h"

extern const char webhook_schema[]; /* schema.json, compiled in */

const struct esp_host *hook_host;

esp_status hook_no_memory(struct esp_call *call)
{
    return esp_failf(hook_host, call, ESP_E_INTERNAL, "out of memory, or more than 16 MiB of data");
}

static const struct esp_store_ops ops = {
    .size = sizeof ops,
    .check = hook_check,
    .open = hook_open,
    .close = hook_close,
    .validate = hook_validate,
    .get = hook_get,
    .get_map = hook_get_map,
    .list = hook_list,
    .exists = hook_exists,
    .push = hook_push,
    .remove = hook_remove,
};

/* A property is what a template makes of it, so this plugin answers for it itself. A template
 * may name the consumer's namespace as well. */
static const struct esp_component store = {
    .size = sizeof store,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_PER_NAMESPACE,
    .maintenance = ESP_MAINTAINED,
    .name = "webhook",
    .label = "Webhook",
    .schema = webhook_schema,
    .store = &ops,
};

static const struct esp_component *const components[] = {&store, NULL};

static const struct esp_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .needs_minor = 1,
    .name = "webhook",
    .version = "1.0.0",
    .components = components,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    hook_host = services;
    return &plugin;
}
