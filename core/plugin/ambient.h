/* core/plugin/ambient.h: what a plugin may see of the environment and the files of
 * esod. Private to the room.
 *
 * Nothing, unless the configuration grants it: among the variables and files of a
 * process is its own way into the cluster. */
#ifndef ES_PLUGIN_AMBIENT_H
#define ES_PLUGIN_AMBIENT_H

#include "core/base/error.h"
#include "esp/plugin.h"

/* The entries of the plugin's list that `grants` names, or all of them if that is
 * {"all"}; NULL at the end. The texts stay the plugin's; es_mem_free the list.
 * ES_E_CONFIG: a grant that the plugin does not list. */
int es_ambient_grant(const char *const **ret, const struct esp_plugin *data, const char *const *grants,
                     struct es_error *err);

#endif
