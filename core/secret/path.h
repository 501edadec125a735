/* core/secret/path.h: a place in a tree, as templateFrom.target names it:
 * "spec.rules[0].name". Keys are parted by dots, indexes count from 0.
 *
 * Texts of errors are the reference's (spec: templating, section 1), without
 * values. */
#ifndef ES_SECRET_PATH_H
#define ES_SECRET_PATH_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"

#define ES_PATH_INDEX_MAX 10000
#define ES_PATH_STEPS_MAX 64

/* Puts the value at the place. Objects and arrays on the way are made where they
 * are missing, arrays grow with nulls. `merge`: an object is added to the object
 * that is there, member by member, unless the path is a single key. 0,
 * ES_E_CONFIG when that is no path or does not fit the tree, ES_E_NOMEM. */
int es_path_put(json_t *root, const char *path, json_t *value, bool merge, struct es_error *err);

#endif
