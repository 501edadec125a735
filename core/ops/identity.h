/* core/ops/identity.h: a name for this process that no other one has. */
#ifndef ES_OPS_IDENTITY_H
#define ES_OPS_IDENTITY_H

#include "core/base/error.h"

/* "HOST_UUID", as client-go's users make it: in a pod, the host's name is the
 * pod's, and the UUID tells a container from the one before it. Free with
 * es_mem_free. */
int es_identity_new(char **ret, struct es_error *err);

#endif
