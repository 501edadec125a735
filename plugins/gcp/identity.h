/* plugins/gcp/identity.h: who the store is to Google Cloud, and how it proves that.
 *
 * Decided when the store is opened, from its spec and the credentials that the spec
 * names; a token is got later, by gcp_login. */
#ifndef GCP_IDENTITY_H
#define GCP_IDENTITY_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

struct gcp_store;

/* What proves the identity. */
enum gcp_proof {
    GCP_BY_KEY,        /* the key of a service account signs an assertion */
    GCP_BY_REFRESH,    /* the refresh token of a user, as gcloud keeps it */
    GCP_BY_CLUSTER,    /* a token of a Kubernetes service account, to GKE's identity service */
    GCP_BY_FEDERATION, /* a token of somebody else's, to the token service (STS) */
    GCP_BY_INSTANCE,   /* the metadata server knows where esod runs */
};

/* What is known of the identity; each is empty when it does not apply. */
enum gcp_fact {
    GCP_EMAIL,
    GCP_KEY_ID,
    GCP_KEY_PEM, /* secret */
    GCP_CLIENT_ID,
    GCP_CLIENT_SECRET, /* secret */
    GCP_REFRESH_TOKEN, /* secret */
    GCP_TOKEN_URL,     /* where the proof is sent */
    GCP_QUOTA_PROJECT,
    GCP_AUDIENCE, /* the pool provider */
    GCP_SUBJECT_TYPE,
    GCP_POOL,            /* PROJECT.svc.id.goog */
    GCP_SOURCE_FILE,     /* where the token of somebody else's is ... */
    GCP_SOURCE_URL,      /* ... or whom to ask for it, ... */
    GCP_SOURCE_HEADERS,  /* ... with these headers, a JSON object, ... */
    GCP_SOURCE_FIELD,    /* ... and the member that it is, if it lies in a JSON object */
    GCP_AWS_ID,          /* AWS credentials: of the spec's Secret, ... */
    GCP_AWS_SECRET,      /* secret */
    GCP_AWS_SESSION,     /* secret */
    GCP_AWS_REGION,      /* ... with their region */
    GCP_IMPERSONATE_URL, /* ...:generateAccessToken of the account that the proven one acts as */
    GCP_LIFETIME,        /* of the impersonated account's token, in seconds */
    GCP_FACTS
};

struct gcp_identity {
    enum gcp_proof proof;
    esp_bytes facts[GCP_FACTS]; /* esp_dup */
};

/* Reads all that the spec names. ESP_E_UNDECIDED when that depends on who uses the store. */
esp_status gcp_identity_open(struct esp_call *call, struct gcp_store *store);
void gcp_identity_free(struct gcp_identity *id); /* zeroes are fine */

/* Sets a fact, replacing what was there. False without memory. */
bool gcp_identity_set(struct gcp_identity *id, enum gcp_fact fact, esp_bytes value);

/* Whether the account of `email` is impersonated from here on. */
bool gcp_identity_impersonate(struct gcp_identity *id, esp_bytes email);

/* An access token of Google Cloud; an esp_token_login with the store as `ctx`. */
esp_status gcp_login(void *ctx, struct esp_call *call, struct esp_text *token, int64_t *expires_unix_ms,
                     struct esp_text *why);

#endif
