/* plugins/gcp/push_spec.h: what the metadata of a PushSecret say about a secret. */
#ifndef GCP_PUSH_SPEC_H
#define GCP_PUSH_SPEC_H

#include "gcp.h"

/* The label that tells whose secret it is. */
#define GCP_MANAGED_BY "managed-by"
#define GCP_MANAGER "external-secrets"

/* The spec of the request's metadata, checked member by member; to be released with
 * json_decref. An empty object when there is none. NULL: the operation has failed. */
json_t *gcp_push_spec(struct esp_call *call, const struct esp_request *req, esp_status *status);

bool gcp_is_managed(const json_t *secret);

/* A new secret as CreateSecret wants it. NULL without memory. */
json_t *gcp_push_create(const struct gcp_store *s, const json_t *spec);

/* What has to change in `secret`: a Secret with the members that differ, and its etag. `property`: one
 * property is pushed, which leaves everything but the managed-by label as it is. NULL without memory. */
json_t *gcp_push_change(const json_t *secret, const json_t *spec, bool property);

#endif
