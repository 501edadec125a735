/* Nothing is wrong with this one: it has two stores. */
#include "esp/plugin.h"
static const struct esp_component other;
#define COMPONENTS &component, &other, NULL
#include "bad.h"

static const struct esp_component other = {
    .size = sizeof other,
    .kind = ESP_KIND_STORE,
    .caps = CAPS,
    .name = "other_store",
    .schema = SCHEMA,
    .store = &ops,
};
