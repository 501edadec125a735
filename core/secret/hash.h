/* core/secret/hash.h: the hashes by which esod and the reference recognise
 * their own work. They must match the reference byte for byte.
 *
 * All are lower-case hex of SHA3-224 over Go's "%+v" rendering of a value. */
#ifndef ES_SECRET_HASH_H
#define ES_SECRET_HASH_H

#include <jansson.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/values.h"

/* Of a Secret's data: map[key:[1 2 3] ...], sorted by key. */
int es_hash_values(char out[ES_SHA3_224_HEX_MAX], const struct es_values *values, struct es_error *err);

/* The same, straight from the `data` object of a Secret (base64 strings). */
int es_hash_secret_data(char out[ES_SHA3_224_HEX_MAX], const json_t *data, struct es_error *err);

/* status.syncedResourceVersion: "<generation>-<hash of annotations and labels>". */
#define ES_SYNCED_VERSION_MAX 96
int es_synced_version(char out[ES_SYNCED_VERSION_MAX], const json_t *external_secret, struct es_error *err);

/* The value of the created-by label: hash of "<namespace>/<name>". */
int es_owner_hash(char out[ES_SHA3_224_HEX_MAX], const char *ns, const char *name, struct es_error *err);

/* The field manager under which a target is written. */
#define ES_FIELD_MANAGER_MAX 160
int es_field_manager(char out[ES_FIELD_MANAGER_MAX], const char *name, struct es_error *err);

/* Of a generic target: its spec, else its data. */
int es_hash_object(char out[ES_SHA3_224_HEX_MAX], const json_t *object, struct es_error *err);

#endif
