/* core/secret/shape.h: what happens to fetched values on their way to the
 * target. Pure functions: no I/O, no clock. Error texts are those of the
 * reference (spec: externalsecret, sections 5.4 and 5.5), without values.
 *
 * All return 0, ES_E_CONFIG for what somebody has to edit (in the manifest or
 * at the provider), ES_E_TOO_LARGE, or ES_E_NOMEM. Where a function changes
 * its values, a failure leaves them changed in part: throw them away. An
 * order that the reference leaves open (Go's maps) is that of the keys. */
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

    /* Optional: reads the text without rendering it, so that a template that
     * cannot be read is an error without keys as well, and told apart. */
    int (*parse)(void *ctx, const char *text, struct es_error *err);
};

/* A key between two rewrites; what remains is checked by es_values_check_keys. */
#define ES_REWRITTEN_KEY_MAX ((size_t)64 * 1024)

/* rewrite[]: regexp, transform, merge, one after the other. "failed rewrite
 * operation[%d]: ..." When keys collide after regexp or transform, the value
 * of the key that sorts last stays. */
int es_values_rewrite(struct es_values *values, const json_t *rewrite, const struct es_renderer *renderer,
                      struct es_error *err);

/* conversionStrategy "" or Default, Unicode; other words change nothing.
 * "secret name collision during conversion: <key>". */
int es_values_convert_keys(struct es_values *values, const char *strategy, struct es_error *err);

/* Drops the empty key; refuses long keys and foreign characters. */
int es_values_check_keys(struct es_values *values, struct es_error *err);

/* decodingStrategy "" or None, Base64, Base64URL, Auto. A failure leaves the
 * blob as it was. */
int es_blob_decode(struct es_blob *blob, const char *strategy, struct es_error *err);

/* The same for all: "failure decoding key %v: ..." */
int es_values_decode(struct es_values *values, const char *strategy, struct es_error *err);

/* nullBytePolicy "" or Ignore, Fail. */
int es_blob_check_nulls(const char *key, const struct es_blob *blob, const char *policy,
                        struct es_error *err);
int es_values_check_nulls(const struct es_values *values, const char *policy, struct es_error *err);

#endif
