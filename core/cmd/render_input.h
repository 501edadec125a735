/* core/cmd/render_input.h: what esod render is given beside the template. */
#ifndef ES_CMD_RENDER_INPUT_H
#define ES_CMD_RENDER_INPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/base/yaml.h"

/* All return 0, ES_E_CONFIG with a sentence that names file and line, or ES_E_NOMEM. */

/* A file of values: a map of texts, in base64 if so it is said; or a Secret. They are
 * added to *into, and overwrite. */
int es_render_read_values(struct es_values *into, const char *path, bool base64, struct es_error *err);

/* KEY=VALUE, or with `file` KEY=PATH of what holds it. */
int es_render_read_pair(struct es_values *into, const char *pair, bool file, struct es_error *err);

/* A file of ConfigMaps and Secrets, which are added to the array `objects`. */
int es_render_read_objects(json_t *objects, const char *path, struct es_error *err);

/* The same of what was read before, where others may stand beside them. */
int es_render_add_objects(json_t *objects, const struct es_yaml *yaml, const char *path,
                          struct es_error *err);

/* The bytes of a file, "-" is standard input. */
int es_render_read_file(struct es_blob *ret, const char *path, struct es_error *err);

#endif
