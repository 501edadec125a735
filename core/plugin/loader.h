/* core/plugin/loader.h: a plugin's code in this process. Private to the room. The
 * other way, a process of its own, is remote.h's. */
#ifndef ES_PLUGIN_LOADER_H
#define ES_PLUGIN_LOADER_H

#include "core/base/error.h"
#include "esp/plugin.h"

/* Loads the file, if `sha256` is not NULL only with that digest, and asks its
 * entry for the plugin's table, which is not vetted. On the main thread, before any
 * other loads something. The module stays mapped, also when it is refused.
 * ES_E_CONFIG: the text is the end of a sentence that begins with its name. */
int es_loader_ask(const struct esp_plugin **ret, const char *file, const char *sha256, struct es_error *err);

#endif
