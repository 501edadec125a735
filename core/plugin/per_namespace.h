/* core/plugin/per_namespace.h: stores that are somebody else for each namespace.
 *
 * A ClusterSecretStore is opened once for all, unless a reference of its spec leaves the namespace open. A
 * provider may log in differently for each namespace for another reason, because a setting says so: then its
 * schema tells, at the top,
 *
 *     "x-esp-per-namespace": {"sessionTagsPolicy": ["Simple", "Custom"]}
 *
 * and a block whose member has one of these values is opened for each namespace by itself. */
#ifndef ES_PLUGIN_PER_NAMESPACE_H
#define ES_PLUGIN_PER_NAMESPACE_H

#include <jansson.h>
#include <stdbool.h>

#define ES_PER_NAMESPACE "x-esp-per-namespace"

/* Whether that is a value that the keyword can have: an object of arrays of texts. */
bool es_per_namespace_is_sound(const json_t *keyword);

/* Whether the keyword in this schema, if there is one, speaks of that block. */
bool es_per_namespace(const char *schema, const json_t *block);

#endif
