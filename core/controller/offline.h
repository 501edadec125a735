/* core/controller/offline.h: what an ExternalSecret or PushSecret makes of values that
 * are given to it, without a store: for those who write templates. */
#ifndef ES_CONTROLLER_OFFLINE_H
#define ES_CONTROLLER_OFFLINE_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/controller/controller.h"

/* *ret (a new reference) is the object that an ExternalSecret would write if there were
 * none yet, whatever its creationPolicy; of a PushSecret a Secret with all the pairs that
 * it may push, where `values` are those of its source. Neither carries the marks of what
 * esod manages. Of `env` the settings, the clock and the cluster are used: templateFrom
 * is read there, in the object's namespace. */
int es_offline_render(struct es_env *env, const json_t *object, const struct es_values *values, json_t **ret,
                      struct es_error *err);

#endif
