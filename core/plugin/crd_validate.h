/* core/plugin/crd_validate.h: what an API server would say about an object,
 * without an API server.
 *
 * Checks an object against the schema of its kind and version: types, required
 * fields, enums, patterns, lengths, numbers, unknown fields. CEL rules are not
 * evaluated; the controllers make the same checks. */
#ifndef ES_PLUGIN_CRD_VALIDATE_H
#define ES_PLUGIN_CRD_VALIDATE_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/plugin/crd.h"

/* One thing that is wrong. All borrowed for the call. */
struct es_crd_problem {
    const char *path; /* spec.data[0].remoteRef.key */
    const char *text; /* expected a string, got a number; quotes no value but words from an enum's field */
    const json_t *parent; /* where es_yaml_line_of_key and _of_index look; NULL for the object itself */
    const char *key;      /* member of parent, or NULL when parent is an array */
    size_t index;         /* item of parent */
};

typedef void es_crd_problem_fn(void *ctx, const struct es_crd_problem *problem);

/* Tells `fn` about every problem, in the order of the object, at most 100.
 * Returns how many there were (0: the object is fine), or ES_E_NOT_FOUND when
 * no kind of ours has this apiVersion and kind, ES_E_NOMEM. The object is not
 * changed. `fn` may be NULL. */
int es_crd_check(const struct es_crds *crds, const json_t *object, es_crd_problem_fn *fn, void *ctx,
                 struct es_error *err);

/* Puts the schema's defaults where nothing is (or null where no null may be),
 * as an API server does. The object should have passed es_crd_check.
 * 0, ES_E_NOT_FOUND as above, or ES_E_NOMEM (the object may be half done). */
int es_crd_default(const struct es_crds *crds, json_t *object, struct es_error *err);

/* es_crd_check, then es_crd_default. ES_E_INVALID with all problems, one
 * "path: text" a line. */
int es_crd_validate(const struct es_crds *crds, json_t *object, struct es_error *err);

#endif
