/* core/plugin/whole.h: what ESP_CAP_WHOLE_VALUES leaves to the core. A key has
 * one value, a property is a path into its JSON, a map is its members. Pure
 * functions: a caller that wants several properties of one key may read it once,
 * without a property, and ask here. */
#ifndef ES_PLUGIN_WHOLE_H
#define ES_PLUGIN_WHOLE_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/values.h"

#define ES_WHOLE_MAX_MEMBERS ((size_t)10000)

/* Looks the property up, as a member's literal name first and then as a gjson path
 * (spec/providers-core.md, section 0). ES_E_NOT_FOUND "Secret does not exist" when there is
 * no such property, which includes a value that is no JSON. ret_blob is wiped
 * and set on success. */
int es_whole_property(const struct es_blob *value, const char *property, size_t len, struct es_blob *ret_blob,
                      struct es_error *err);

/* The same with ESP_CAP_FIELDS: the exact name of a member first, then a path, then a member, a dot and the
 * exact name of a member in it (labels.app.kubernetes.io/name). No such property is ES_E_CONFIG "cannot find
 * secret data for key: ...", a value that is no JSON "unable to unmarshal secret: ...". */
int es_whole_field(const struct es_blob *value, const char *property, size_t len, struct es_blob *ret_blob,
                   struct es_error *err);

/* Sets every top-level member: strings unquoted, all else as written. ES_E_CONFIG
 * "unable to unmarshal secret: ..." when the value is no JSON object; the
 * text says where it stops being one, and quotes nothing of it. */
int es_whole_members(const struct es_blob *value, struct es_values *ret, struct es_error *err);

#endif
