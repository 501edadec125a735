/* plugins/gcp/api.h: one call of Secret Manager. */
#ifndef GCP_API_H
#define GCP_API_H

#include "http.h"

/* Begins the text of a read that fails. */
#define GCP_UNABLE "unable to access Secret from SecretManager Client: "

/* Secret Manager limits a value to this many bytes. */
#define GCP_MAX_VALUE ((size_t)64 << 10)

struct gcp_ask {
    const char *method;
    const char *api;             /* name of the call, for metrics */
    const struct esp_text *path; /* behind /v1/: "projects/p/secrets/s?..."; a failed one is no memory */
    esp_bytes body;              /* JSON; empty: none */
};

/* With a token of the store; when it is refused, once more with a new one. ESP_OK when there is
 * an answer, whatever its status, which gcp_judge tells; lives as long as the call. */
esp_status gcp_ask(const struct gcp_store *s, struct esp_call *call, const struct gcp_ask *q,
                   struct esp_http_response *answer);

/* "projects/P" or "projects/P/locations/L". */
void gcp_add_parent(const struct gcp_store *s, struct esp_text *path);

/* "PARENT/secrets/KEY", KEY as one segment of a path whatever it holds. */
void gcp_add_secret(const struct gcp_store *s, esp_bytes key, struct esp_text *path);

/* GET of "SECRET" followed by `more`. ESP_OK when there is an answer; *verdict says which, and if that
 * is none that can be used, the caller explains it: gcp_unread. */
esp_status gcp_read(const struct gcp_store *s, struct esp_call *call, esp_bytes key, const char *more,
                    const char *api, struct esp_http_response *answer, struct gcp_verdict *verdict);

/* The secret itself, without its values, as *secret: to be released with json_decref, NULL unless
 * ESP_OK is the verdict. As gcp_read. */
esp_status gcp_get_secret(const struct gcp_store *s, struct esp_call *call, esp_bytes key, json_t **secret,
                          struct gcp_verdict *verdict);

/* Parses an answer about `key`. NULL, with the operation failed, when it is no object. */
json_t *gcp_parse_answer(struct esp_call *call, const struct esp_http_response *answer, const char *api,
                         esp_bytes key);

/* Ends an operation that could not read `key`, because of what the verdict says. */
esp_status gcp_unread(struct esp_call *call, const struct gcp_verdict *v, const char *api, esp_bytes key);

#endif
