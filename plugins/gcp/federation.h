/* plugins/gcp/federation.h: what `check` asks of auth.workloadIdentityFederation. */
#ifndef GCP_FEDERATION_H
#define GCP_FEDERATION_H

#include "gcp.h"

/* Whether the block names one source and what that needs. No network. */
esp_status gcp_federation_check(struct esp_call *call, const json_t *block);

#endif
