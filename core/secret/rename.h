/* core/secret/rename.h: gives values other keys. For this room only. */
#ifndef ES_SECRET_RENAME_H
#define ES_SECRET_RENAME_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/values.h"

/* Appends the new name of `key` to `out`. */
typedef int es_rename_fn(void *ctx, const char *key, struct es_buf *out, struct es_error *err);

/* Goes through the keys in their order. A name that is taken already is
 * overwritten, or, with `refuse_collisions`, an error. */
int es_values_rename(struct es_values *values, es_rename_fn *fn, void *ctx, bool refuse_collisions,
                     struct es_error *err);

#endif
