/* Uses a service of a later minor without asking whether the table has it. */
#include "esp/plugin.h"
static const struct esp_plugin *look(const struct esp_host *given, const struct esp_plugin *mine);
#define ENTRY_RETURNS look(given, &plugin)
#include "bad.h"

static const struct esp_plugin *look(const struct esp_host *given, const struct esp_plugin *mine)
{
    void *const volatile *next = (void *const *)(const void *)(given + 1);
    return *next == (void *)&host ? NULL : mine;
}
