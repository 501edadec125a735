/* plugins/gcp/endpoints.h: where Google's services are.
 *
 * An operator can put other addresses in their place, in the plugin's block of the
 * configuration file: for a private access point, or a test. A store cannot. */
#ifndef GCP_ENDPOINTS_H
#define GCP_ENDPOINTS_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

enum gcp_service {
    GCP_SECRETMANAGER,
    GCP_IAMCREDENTIALS,
    GCP_STS,
    GCP_TOKEN,
    GCP_METADATA,
    GCP_SECURETOKEN,
    GCP_SERVICES
};

/* The `configure` of the plugin. Runs once, before anything else. */
esp_status gcp_configure(struct esp_call *call, const struct esp_request *request);

/* What the configuration has for a service, without a slash at its end; empty: nothing. */
esp_bytes gcp_endpoint_set(enum gcp_service service);

/* The configured address, or else Google's, without a slash at its end. GCP_TOKEN is a
 * whole URL, of the others a path follows. Not for GCP_SECRETMANAGER, which depends on the
 * location, and GCP_METADATA, which depends on the environment. */
esp_bytes gcp_endpoint(enum gcp_service service);

/* Appends the address of Secret Manager; `location` may be empty. */
void gcp_endpoint_secretmanager(esp_bytes location, struct esp_text *url);

/* Appends a URL of the service, with the configured address in place of its own if there is one. */
void gcp_endpoint_rebase(enum gcp_service service, esp_bytes url, struct esp_text *out);

/* Whether a credential file may have its proofs sent to this token_uri (an OAuth token
 * endpoint), token_url (of the token service), or service_account_impersonation_url. */
bool gcp_endpoint_is_token(esp_bytes url);
bool gcp_endpoint_is_sts(esp_bytes url);
bool gcp_endpoint_is_impersonation(esp_bytes url);

#endif
