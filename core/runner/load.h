/* core/runner/load.h: the plugin of this process. */
#ifndef ES_RUNNER_LOAD_H
#define ES_RUNNER_LOAD_H

#include <stdint.h>

#include "core/wire/message.h"

struct es_loaded {
    const struct esp_plugin *plugin; /* NULL: refused */
    enum es_refusal why;
    uint32_t detail;
    const char *text; /* constant or the loader's; may be NULL */
};

/* Binds everything at once and asks the entry. */
struct es_loaded es_load(const char *file);

#endif
