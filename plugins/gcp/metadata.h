/* plugins/gcp/metadata.h: the metadata server, which tells a machine of Google Cloud
 * about itself. */
#ifndef GCP_METADATA_H
#define GCP_METADATA_H

#include "gcp.h"

/* Where it is: endpoints.metadata of the configuration, or else the host in
 * GCE_METADATA_HOST, or else 169.254.169.254. Appends the address without a slash at its end. */
void gcp_metadata_address(struct esp_call *call, struct esp_text *url);

/* It is asked with this header and answers with the same; who does not is somebody else. */
#define GCP_METADATA_HEADER "metadata-flavor"
#define GCP_METADATA_VALUE "Google"
#define GCP_METADATA_TIMEOUT_MS 5000

/* Appends what it says to "/computeMetadata/v1/PATH". On failure nothing is recorded by this
 * function: ESP_E_CANCELLED when time is over, else ESP_E_CONFIG. */
esp_status gcp_metadata_get(struct esp_call *call, const char *path, struct esp_text *out);

#endif
