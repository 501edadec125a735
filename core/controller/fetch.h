/* core/controller/fetch.h: the provider's values for one ExternalSecret.
 * Spec: externalsecret, section 5. */
#ifndef ES_CONTROLLER_FETCH_H
#define ES_CONTROLLER_FETCH_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/controller/controller.h"

/* Reads data and dataFrom, in the reference's order, each through its store,
 * rewritten, converted, decoded and checked. Values that do not exist are
 * skipped with an event unless deletionPolicy is Retain. The error's text is the
 * event's. ES_E_UNDECIDED: a store is so new that nobody has looked at it yet;
 * that is no failure, its first validation wakes this ExternalSecret.
 *
 * A read of somebody else's will do if it started at `since_ms` (monotonic) or
 * later; see plugin/reads.h. */
int es_fetch(struct es_env *env, const json_t *external_secret, int64_t since_ms, struct es_values *ret,
             struct es_error *err);

/* Is any store that this ExternalSecret names served by another controller? Then
 * it is not ours. 1 yes, 0 no, or an error for a kind of store that does not exist. */
int es_fetch_is_foreign(struct es_env *env, const json_t *external_secret, struct es_error *err);

#endif
