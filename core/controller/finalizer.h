/* core/controller/finalizer.h: puts a finalizer on an object, or takes it off. */
#ifndef ES_CONTROLLER_FINALIZER_H
#define ES_CONTROLLER_FINALIZER_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/controller/controller.h"

/* Adds or removes one among the object's finalizers. *object is what the caller has
 * seen; it is released, and replaced by the newest version, whenever that is known. The list
 * is sent whole, so it is guarded by the resourceVersion: somebody else's must not get
 * lost. To what is being deleted none is added, and that is no error. ES_E_NOT_FOUND: it
 * is gone; ES_E_CONFLICT: others change it again and again. */
int es_finalizer_set(struct es_env *env, const struct es_kind *kind, const char *finalizer, bool present,
                     json_t **object, struct es_error *err);

#endif
