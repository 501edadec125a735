/* core/plugin/vet.h: whether a loaded plugin's tables can be trusted. Private
 * to the room and to esp-check; no I/O, nothing of the plugin is called.
 *
 * Sizes are read first and nothing is read beyond them. The error's text says
 * what is wrong as the end of a sentence that begins with the plugin's name. */
#ifndef ES_PLUGIN_VET_H
#define ES_PLUGIN_VET_H

#include "core/base/error.h"
#include "esp/plugin.h"

/* 0 or ES_E_CONFIG. Whether names are taken by others is the registry's question. */
int es_vet_plugin(const struct esp_plugin *data, struct es_error *err);

#endif
