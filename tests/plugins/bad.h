/* A plugin that is right in everything. Each file of this folder overrides one
 * macro, and so is wrong in one way; its name says which. What the core has
 * to say about it stands in tests/unit/plugin/registry_test.c and misbehaviour_test.c.
 * Those in check/ are for esp-check alone (tests/unit/check/check_test.c): the core
 * cannot see what is wrong with them, or would not survive it. */
#ifndef BAD_H
#define BAD_H

#include <string.h>

#include "esp/plugin.h"

#ifndef ENTRY
#define ENTRY esp_plugin_entry_v1
#endif
#ifndef ENTRY_RETURNS
#define ENTRY_RETURNS &plugin
#endif

#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(struct esp_plugin)
#endif
#ifndef ABI_MAJOR
#define ABI_MAJOR ESP_ABI_MAJOR
#endif
#ifndef ABI_MINOR
#define ABI_MINOR ESP_ABI_MINOR
#endif
#ifndef NEEDS_MINOR
#define NEEDS_MINOR 0
#endif
#ifndef COMPONENTS
#define COMPONENTS &component, NULL
#endif
#ifndef CONFIGURE
#define CONFIGURE NULL
#endif
#ifndef AMBIENT
#define AMBIENT NULL
#endif

#ifndef COMPONENT_SIZE
#define COMPONENT_SIZE sizeof(struct esp_component)
#endif
#ifndef KIND
#define KIND ESP_KIND_STORE
#endif
#ifndef CAPS
#define CAPS ESP_CAP_READ
#endif
#ifndef COMPONENT_NAME
#define COMPONENT_NAME PLUGIN_NAME /* the build passes the file's name */
#endif
#ifndef SCHEMA
#define SCHEMA "{\"type\":\"object\"}"
#endif

#ifndef OPS_SIZE
#define OPS_SIZE sizeof(struct esp_store_ops)
#endif
#ifndef OPEN
#define OPEN open_nothing
#endif
#ifndef GET
#define GET get_nothing
#endif
#ifndef GET_BATCH
#define GET_BATCH NULL
#endif
#ifndef LIST
#define LIST NULL
#endif
#ifndef CLOSE
#define CLOSE NULL
#endif
#ifndef CHECK
#define CHECK NULL
#endif
#ifndef VALIDATE
#define VALIDATE NULL
#endif
#ifndef EXISTS
#define EXISTS NULL
#endif
#ifndef PUSH
#define PUSH NULL
#endif
#ifndef REMOVE
#define REMOVE NULL
#endif

static const struct esp_host *host;

static inline esp_bytes bytes(const char *text)
{
    return (esp_bytes){(const uint8_t *)text, strlen(text)};
}

static inline esp_status open_nothing(struct esp_call *call, const struct esp_request *request,
                                      void **instance)
{
    (void)call;
    (void)request;
    *instance = NULL;
    return ESP_OK;
}

static inline esp_status get_nothing(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)request;
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
}

/* A file with an operation of its own defines GET_BODY, the body of `get`. */
#ifdef GET_BODY
#undef GET
#define GET get_badly
static esp_status get_badly(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    (void)request;
    GET_BODY
}
#endif

static const struct esp_store_ops ops = {
    .size = OPS_SIZE,
    .check = CHECK,
    .open = OPEN,
    .get = GET,
    .get_batch = GET_BATCH,
    .list = LIST,
    .close = CLOSE,
    .validate = VALIDATE,
    .exists = EXISTS,
    .push = PUSH,
    .remove = REMOVE,
};

static const struct esp_component component = {
    .size = COMPONENT_SIZE,
    .kind = KIND,
    .caps = CAPS,
    .name = COMPONENT_NAME,
    .schema = SCHEMA,
    .store = &ops,
};

static const struct esp_component *const components[] = {COMPONENTS};

static const char *const ambient[] = {AMBIENT, NULL};

static const struct esp_plugin plugin = {
    .size = PLUGIN_SIZE,
    .abi_major = ABI_MAJOR,
    .abi_minor = ABI_MINOR,
    .needs_minor = NEEDS_MINOR,
    .name = PLUGIN_NAME,
    .version = "1.2.3",
    .components = components,
    .configure = CONFIGURE,
    .ambient = ambient,
};

ESP_EXPORT const struct esp_plugin *ENTRY(const struct esp_host *given);
const struct esp_plugin *ENTRY(const struct esp_host *given)
{
    host = given;
    (void)host;
    (void)get_nothing;
    (void)open_nothing;
    return plugin.size ? ENTRY_RETURNS : NULL;
}

#endif
