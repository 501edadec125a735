/* plugins/gcp/proofs.h: the ways to prove an identity, two functions each.
 *
 * `open` reads what the block of `auth` names and fills in the identity; it runs
 * when the store is opened, so that the core sees what was read and opens the store
 * again when that changes. `token` gets an access token, again and again. */
#ifndef GCP_PROOFS_H
#define GCP_PROOFS_H

#include "gcp.h"
#include "grant.h"

typedef esp_status gcp_open_proof(struct esp_call *call, const json_t *block, struct gcp_identity *id);
typedef esp_status gcp_get_token(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got);

/* key.c: the key of a service account. */
gcp_open_proof gcp_key_open;
gcp_get_token gcp_key_token;

/* cluster.c: Workload Identity of GKE. */
gcp_open_proof gcp_cluster_open;
gcp_get_token gcp_cluster_token;

/* federation.c: Workload Identity Federation. */
gcp_open_proof gcp_federation_open;
gcp_get_token gcp_federation_token;

/* adc.c: application default credentials, what surrounds the process: a credential file,
 * or else the metadata server. `block` is NULL. */
gcp_open_proof gcp_default_open;
gcp_get_token gcp_refresh_token;
gcp_get_token gcp_instance_token;

/* ---- what they share ---- */

/* Fills in the identity from the JSON of a key file. `where` is for texts. */
esp_status gcp_key_read(struct esp_call *call, esp_bytes json, const char *where, struct gcp_identity *id);

/* The same from the JSON of a credential configuration. `endpoint` is the URL that
 * credential_source may name, or NULL for any: the operator's own file. */
esp_status gcp_external_read(struct esp_call *call, esp_bytes json, const char *where,
                             const esp_bytes *endpoint, struct gcp_identity *id);

/* Takes facts from a JSON document; what is not there is empty. False without memory. */
struct gcp_row {
    enum gcp_fact fact;
    const char *path;
};
bool gcp_facts_read(struct gcp_identity *id, esp_bytes json, const struct gcp_row *rows, size_t count);

/* Whether a member of a document is this text: 1, 0, or -1 without memory. */
int gcp_json_is(esp_bytes json, const char *path, const char *value);

/* A ServiceAccount's annotation with the Google account that it acts as is impersonated
 * from here on, if there is one. `ref` is {name, namespace}. */
esp_status gcp_annotation_read(struct esp_call *call, const json_t *ref, struct gcp_identity *id);

/* A token of the service account that `ref` names, for `audience` (may be empty) and those of
 * `ref`; borrowed until the call ends. */
esp_status gcp_cluster_ask(struct esp_call *call, const json_t *ref, esp_bytes audience, esp_bytes *token);

#endif
