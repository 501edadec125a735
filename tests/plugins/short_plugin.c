/* Its struct ends in the middle of what 1.0 has. */
#define PLUGIN_SIZE offsetof(struct esp_plugin, components)
#include "bad.h"
