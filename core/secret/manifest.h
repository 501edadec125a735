/* core/secret/manifest.h: the object that an ExternalSecret with a
 * target.manifest wants, of whatever kind. Spec: externalsecret, section 9.
 *
 * Pure, like target.h: what templates gave goes in as a list of steps. */
#ifndef ES_SECRET_MANIFEST_H
#define ES_SECRET_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/values.h"
#include "core/kube/kind.h"
#include "core/secret/target.h"

/* ---- steps: what templates gave, in the order in which it is applied ----
 *
 * `steps` is an array. `target` is Data ("" as well), Spec, Labels or Annotations,
 * in any case, or a path as path.h has them. ES_E_CONFIG, or ES_E_NOMEM. */

/* Scope Values: the text is one value, under this key; at a path the text is read
 * as YAML and the key does not matter. */
int es_manifest_add_value(json_t *steps, const char *target, const char *key, const struct es_blob *text,
                          struct es_error *err);

/* Scope KeysAndValues: the text is YAML. For the four named targets a map of
 * strings, each decoded by the strategy; at a path anything. `what` names the
 * template in errors. */
int es_manifest_add_document(json_t *steps, const char *target, const char *what, const struct es_blob *text,
                             const char *decoding, struct es_error *err);

/* A text that is YAML, a map of strings, pair by pair and decoded. `take` may empty the
 * blob; what it returns below 0 ends it all. */
typedef int es_manifest_pair(void *ctx, const char *key, struct es_blob *value, struct es_error *err);
int es_manifest_pairs(const char *what, const struct es_blob *text, const char *decoding,
                      es_manifest_pair *take, void *ctx, struct es_error *err);

/* ---- the object ---- */

struct es_manifest_change {
    json_t *object; /* to create or to update with; owned by the caller */
    bool differs;   /* from `existing`; always without one */
};

/* `existing` is the live object with managedFields, or NULL. `steps` is NULL where no
 * template says what becomes of the values: they go in as they are. Merge and CreateOrMerge begin with what
 * exists; the others replace spec and data, and keep what others put beside them: status, their labels,
 * annotations, finalizers and members.
 *
 * On failure *ret is untouched. *fault is ES_TARGET_OTHER_OWNER or
 * ES_TARGET_FOREIGN_OWNER when the object belongs to somebody else, which only an edit
 * ends. Codes: ES_E_CONFIG, ES_E_INVALID, ES_E_TOO_LARGE, ES_E_NOMEM, ES_E_INTERNAL. */
int es_manifest_shape(struct es_manifest_change *ret, const json_t *external_secret,
                      const struct es_kind *kind, const json_t *existing, const struct es_values *values,
                      const json_t *steps, enum es_target_fault *fault, struct es_error *err);

/* The hash of the content that the object has, "" when it has none. */
void es_manifest_hash(char out[ES_SHA3_224_HEX_MAX], const json_t *object);

/* Does it carry the label that makes it ours? */
bool es_manifest_is_managed(const json_t *object);

/* Is it as the last sync left it: managed, and its content has the noted hash? */
bool es_manifest_is_intact(const json_t *object);

#endif
