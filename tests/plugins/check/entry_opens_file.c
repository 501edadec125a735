/* Keeps a file open from the first moment on. */
#include <fcntl.h>

#include "esp/plugin.h"
static const struct esp_plugin *open_file(const struct esp_plugin *mine);
#define ENTRY_RETURNS open_file(&plugin)
#include "bad.h"

static const struct esp_plugin *open_file(const struct esp_plugin *mine)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? mine : NULL;
}
