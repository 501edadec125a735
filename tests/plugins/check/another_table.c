/* Makes a new table whenever it is asked. */
#include "esp/plugin.h"
static const struct esp_plugin *another(const struct esp_plugin *of);
#define ENTRY_RETURNS another(&plugin)
#include "bad.h"

static const struct esp_plugin *another(const struct esp_plugin *of)
{
    static struct esp_plugin tables[100];
    static int next;
    tables[next] = *of;
    return &tables[next++];
}
