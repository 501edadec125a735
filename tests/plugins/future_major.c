/* Its entry is that of the next major. */
#define ENTRY esp_plugin_entry_v2
#include "bad.h"
