/* core/secret/ownership.h: which ExternalSecret a target belongs to. Serves
 * Secrets and the objects of target.manifest alike. */
#ifndef ES_SECRET_OWNERSHIP_H
#define ES_SECRET_OWNERSHIP_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/secret/target.h"

/* Step 3 of spec section 7.2: refuses an object that another ExternalSecret
 * controls; a policy that owns sets the controller reference (refused when
 * somebody else has it) and the created-by label, the others take both away. 0,
 * ES_E_CONFIG with a fault of *_OWNER, ES_E_NOMEM or ES_E_INTERNAL. */
int es_ownership_apply(json_t *object, const json_t *external_secret, const struct es_creation_policy *policy,
                       enum es_target_fault *fault, struct es_error *err);

#endif
