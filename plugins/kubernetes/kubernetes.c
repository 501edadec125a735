/* plugins/kubernetes/kubernetes.c: Secrets of another namespace or another cluster. */
#include "kube.h"

extern const char kubernetes_schema[]; /* schema.json, compiled in */

const struct esp_host *kube_host;

esp_status kube_no_memory(struct esp_call *call)
{
    return esp_failf(kube_host, call, ESP_E_INTERNAL, "out of memory, or more than 16 MiB of data");
}

static const struct esp_store_ops ops = {
    .size = sizeof ops,
    .check = kube_check,
    .open = kube_open,
    .close = kube_close,
    .validate = kube_validate,
    .get = kube_get,
    .get_map = kube_get_map,
    .list = kube_list,
    .exists = kube_exists,
    .push = kube_push,
    .remove = kube_remove,
};

static const struct esp_component store = {
    .size = sizeof store,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT,
    .maintenance = ESP_MAINTAINED,
    .name = "kubernetes",
    .label = "Kubernetes",
    .schema = kubernetes_schema,
    .store = &ops,
};

static const struct esp_component *const components[] = {&store, NULL};

static const struct esp_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .name = "kubernetes",
    .version = "1.0.0",
    .components = components,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    kube_host = services;
    return &plugin;
}
