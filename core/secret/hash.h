/* core/secret/hash.h: the hashes by which esod and the reference recognise
 * their own work. They must match the reference byte for byte: an operator
 * that takes over a cluster rewrites whatever it does not recognise.
 *
 * All are lower-case hex of SHA3-224 (FIPS 202) over the text that Go's "%+v"
 * gives for a value (https://pkg.go.dev/fmt). Functions return 0, or
 *   ES_E_NOMEM     no memory
 *   ES_E_INVALID   the JSON is not of the kind that is hashed
 *   ES_E_INTERNAL  OpenSSL has no SHA3
 * and leave `out` alone then. Any thread. Values never reach an error text. */
#ifndef ES_SECRET_HASH_H
#define ES_SECRET_HASH_H

#include <jansson.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/values.h"

/* Of a Secret's data: map[key:[1 2 3] ...], sorted by key. */
int es_hash_values(char out[ES_SHA3_224_HEX_MAX], const struct es_values *values, struct es_error *err);

/* The same, straight from the `data` object of a Secret (base64 strings; null
 * counts as empty). NULL and null are an empty Secret. */
int es_hash_secret_data(char out[ES_SHA3_224_HEX_MAX], const json_t *data, struct es_error *err);

/* status.syncedResourceVersion: "<generation>-<hash of annotations and labels>". */
#define ES_SYNCED_VERSION_MAX 96
int es_synced_version(char out[ES_SYNCED_VERSION_MAX], const json_t *external_secret, struct es_error *err);

/* The value of the created-by label: hash of "<namespace>/<name>". */
int es_owner_hash(char out[ES_SHA3_224_HEX_MAX], const char *ns, const char *name, struct es_error *err);

/* The field manager under which a target is written: the finalizer's domain,
 * a slash and the name, or "sha3/" and the name's hash where that would be
 * more than 63 bytes. */
#define ES_FIELD_MANAGER_MAX 160
int es_field_manager(char out[ES_FIELD_MANAGER_MAX], const char *name, struct es_error *err);

/* Of a generic target: its spec, else its data. ES_E_INVALID without both,
 * ES_E_TOO_LARGE above 512 levels. */
int es_hash_object(char out[ES_SHA3_224_HEX_MAX], const json_t *object, struct es_error *err);

#endif
