/* core/secret/shape.h: what happens to fetched values on their way to the
 * target. Pure functions: no I/O, no clock. Error texts are those of the
 * reference (spec: externalsecret, sections 5.4 and 5.5), without values. */
#ifndef ES_SECRET_SHAPE_H
#define ES_SECRET_SHAPE_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/values.h"

/* rewrite.transform needs the template language: the caller lends it. NULL:
 * a transform is ES_E_CONFIG with a sentence. Appends to `out`. */
struct es_renderer {
    int (*render)(void *ctx, const char *text, const json_t *data, struct es_buf *out, struct es_error *err);
    void *ctx;
};

/* rewrite[]: regexp, transform, merge, one after the other. "failed rewrite
 * operation[%d]: ..." */
int es_values_rewrite(struct es_values *values, const json_t *rewrite, const struct es_renderer *renderer,
                      struct es_error *err);

/* conversionStrategy "" or Default, Unicode. "secret name collision during
 * conversion: <key>". */
int es_values_convert_keys(struct es_values *values, const char *strategy, struct es_error *err);

/* Drops the empty key; refuses long keys and foreign characters. */
int es_values_check_keys(struct es_values *values, struct es_error *err);

/* decodingStrategy "" or None, Base64, Base64URL, Auto. */
int es_blob_decode(struct es_blob *blob, const char *strategy, struct es_error *err);
int es_values_decode(struct es_values *values, const char *strategy, struct es_error *err); /* "failure decoding key %v: ..." */

/* nullBytePolicy "" or Ignore, Fail. */
int es_blob_check_nulls(const char *key, const struct es_blob *blob, const char *policy, struct es_error *err);
int es_values_check_nulls(const struct es_values *values, const char *policy, struct es_error *err);

#endif
