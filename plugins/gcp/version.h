/* plugins/gcp/version.h: values and their versions. */
#ifndef GCP_VERSION_H
#define GCP_VERSION_H

#include "api.h"

#define GCP_ACCESS "AccessSecretVersion"

/* Appends the value of a version ("latest", a number, an alias), checked against its checksum. As
 * gcp_read: ESP_OK when there is an answer, and a value if the verdict is ESP_OK as well. */
esp_status gcp_access(const struct gcp_store *s, struct esp_call *call, esp_bytes key, esp_bytes version,
                      struct esp_text *value, struct gcp_verdict *verdict);

/* The same for the newest enabled version; without any, for "latest", whose refusal says more. */
esp_status gcp_access_enabled(const struct gcp_store *s, struct esp_call *call, esp_bytes key,
                              struct esp_text *value, struct gcp_verdict *verdict);

#endif
