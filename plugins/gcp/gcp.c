/* plugins/gcp/gcp.c: Google Cloud Secret Manager, in tables.
 *
 *     ops.h         the operations
 *     identity.h    who the store is to Google Cloud; proofs.h, how it proves that
 *     api.h         calls of Secret Manager; http.h, requests and what answers mean
 *     endpoints.h   where Google's services are */
#include "gcp.h"

#include "endpoints.h"
#include "ops.h"

extern const char gcp_schema[];        /* schema.json, compiled in */
extern const char gcp_config_schema[]; /* config_schema.json, compiled in */

static const struct esp_store_ops gcp_ops = {
    .size = sizeof gcp_ops,
    .check = gcp_check,
    .open = gcp_open,
    .close = gcp_close,
    .validate = gcp_validate,
    .get = gcp_get,
    .list = gcp_list,
    .exists = gcp_exists,
    .push = gcp_push,
    .remove = gcp_remove,
};

static const struct esp_component gcp_store = {
    .size = sizeof gcp_store,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES |
            ESP_CAP_FIELDS,
    .maintenance = ESP_MAINTAINED,
    .name = "gcpsm",
    .label = "GCP/SecretManager",
    .schema = gcp_schema,
    .store = &gcp_ops,
};

static const struct esp_component *const components[] = {&gcp_store, NULL};

static const char *const ambient[] = {
    "env:GOOGLE_APPLICATION_CREDENTIALS",
    "file:$GOOGLE_APPLICATION_CREDENTIALS",
    "env:GCE_METADATA_HOST",
    "file:/var/run/service-account/token",
    "file:/var/run/secrets/tokens/gcp-ksa/token",
    NULL,
};

static const struct esp_plugin gcp_plugin = {
    .size = sizeof gcp_plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .needs_minor = 1, /* ESP_CAP_FIELDS */
    .name = "gcp",
    .version = "1.0.0",
    .components = components,
    .config_schema = gcp_config_schema,
    .configure = gcp_configure,
    .ambient = ambient,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    gcp_host = services;
    return &gcp_plugin;
}
