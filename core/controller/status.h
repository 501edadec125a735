/* core/controller/status.h: conditions, and the smallest patch of a status. */
#ifndef ES_CONTROLLER_STATUS_H
#define ES_CONTROLLER_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/controller/controller.h"

struct es_condition {
    const char *status; /* "True", "False" */
    const char *reason;
    const char *message; /* the fixed text that automation matches on */
    const char *cause;   /* appended as ": cause", or NULL; no secrets */
};

/* A new conditions list with the Ready condition at the end: unchanged when
 * status, reason and message are; lastTransitionTime moves with status only.
 * The message is cut at 1 KiB. NULL without memory. */
json_t *es_status_conditions(const json_t *object, const struct es_condition *ready, int64_t now_unix_ms);

/* Writes those members of `take_status` that differ from what the object has (a
 * null member removes); nothing is sent when none does. The status is replaced
 * as long as the object is the newest version, and patched otherwise, with its
 * uid as a precondition. A vanished object is no error. */
int es_status_patch(struct es_env *env, const struct es_kind *kind, const json_t *object, json_t *take_status,
                    struct es_error *err);

/* The same; *ret is the object as it is now when something was written, and is left
 * alone otherwise. */
int es_status_write(struct es_env *env, const struct es_kind *kind, const json_t *object, json_t *take_status,
                    json_t **ret, struct es_error *err);

/* What has to be patched into `have` (NULL: nothing is there) to make it `want`, both
 * objects: members of it that are gone are null, those that are equal are left out. NULL
 * without memory. A null inside `want` cannot be expressed. */
json_t *es_status_diff(const json_t *have, const json_t *want);

#endif
