/* core/kube/obj.h: reading and changing Kubernetes objects, which stay JSON.
 *
 * Paths are a series of member names ended by NULL (the macros add it).
 * Everything returned is borrowed from the object. */
#ifndef ES_KUBE_OBJ_H
#define ES_KUBE_OBJ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

/* NULL when a member on the way is absent, null, or no object. */
json_t *es_obj_at_(const json_t *obj, ...) __attribute__((sentinel));
#define es_obj_at(obj, ...) es_obj_at_(obj, __VA_ARGS__, (char *)NULL)

/* The string there; "" when absent or of another type. Never NULL. */
const char *es_obj_str_(const json_t *obj, ...) __attribute__((sentinel));
#define es_obj_str(obj, ...) es_obj_str_(obj, __VA_ARGS__, (char *)NULL)

bool es_obj_bool_(const json_t *obj, ...) __attribute__((sentinel)); /* absent: false */
#define es_obj_bool(obj, ...) es_obj_bool_(obj, __VA_ARGS__, (char *)NULL)

int64_t es_obj_int_(const json_t *obj, ...) __attribute__((sentinel)); /* absent: 0 */
#define es_obj_int(obj, ...) es_obj_int_(obj, __VA_ARGS__, (char *)NULL)

static inline const char *es_obj_name(const json_t *obj)
{
    return es_obj_str(obj, "metadata", "name");
}

static inline const char *es_obj_namespace(const json_t *obj)
{
    return es_obj_str(obj, "metadata", "namespace");
}

/* "namespace/name", or "name" for cluster-scoped objects. Free with
 * es_mem_free; NULL without memory. */
char *es_obj_key(const json_t *obj);
char *es_key_of(const char *ns, const char *name);

/* Splits such a key: the namespace part is copied to ns (256 bytes, "" if
 * none); returns the name part inside `key`. */
const char *es_key_split(const char *key, char ns[256]);

/* Sets a member at a path, making the objects on the way (whatever else is
 * there gives way). `take_value` is consumed even on failure, and may be NULL
 * when making it failed. 0 or ES_E_NOMEM. */
int es_obj_set_(json_t *obj, json_t *take_value, ...) __attribute__((sentinel));
#define es_obj_set(obj, take_value, ...) es_obj_set_(obj, take_value, __VA_ARGS__, (char *)NULL)

/* Removes a member; what is not there needs no removing. Always 0. */
int es_obj_unset_(json_t *obj, ...) __attribute__((sentinel));
#define es_obj_unset(obj, ...) es_obj_unset_(obj, __VA_ARGS__, (char *)NULL)

/* The condition of a type in status.conditions, or NULL. */
const json_t *es_obj_condition(const json_t *obj, const char *type);

/* The controller ownerReference, or NULL. */
const json_t *es_obj_controller(const json_t *obj);

bool es_obj_has_finalizer(const json_t *obj, const char *finalizer);
bool es_obj_deleting(const json_t *obj); /* metadata.deletionTimestamp is set */

/* metav1.LabelSelector: 1 matches, 0 does not, ES_E_CONFIG for an operator
 * that does not exist, In and NotIn without values, Exists and DoesNotExist
 * with some. An empty selector matches everything; NULL and null nothing. */
int es_label_selector_match(const json_t *selector, const json_t *labels, struct es_error *err);

/* RFC 7396: applies `patch` to `target` in place. 0 or ES_E_NOMEM;
 * ES_E_INVALID unless both are objects, ES_E_TOO_LARGE above 512 levels. */
int es_json_merge_patch(json_t *target, const json_t *patch);

/* Compact JSON text, members in the object's own order, in memory of exactly
 * that size (es_mem_free). NULL without memory, for a NULL value and above 512
 * levels. `ret_len` may be NULL. */
char *es_json_text(const json_t *value, size_t *ret_len);

#endif
