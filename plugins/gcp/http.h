/* plugins/gcp/http.h: one request to a service, and what its answer means. */
#ifndef GCP_HTTP_H
#define GCP_HTTP_H

#include "gcp.h"

#define GCP_JSON "application/json"
#define GCP_FORM "application/x-www-form-urlencoded"
#define GCP_MAX_HEADERS 8

struct gcp_http {
    const char *method;
    esp_bytes url;
    const char *api;  /* metric label */
    esp_bytes bearer; /* access token; empty: none */
    const char *type; /* of the body; NULL: there is none */
    esp_bytes body;
    const esp_pair *more; /* further headers, ... */
    size_t more_count;    /* ... GCP_MAX_HEADERS at most */
    uint32_t timeout_ms;  /* 0: what remains of the call */
};

/* As esp_host.http: ESP_OK when there is an answer, whatever its status. Redirects are
 * never followed: they would take the credential elsewhere. */
esp_status gcp_http(struct esp_call *call, const struct gcp_http *q, struct esp_http_response *ret);

/* What an answer says that is not what was asked for. Only codes are taken from it:
 * texts of a backend may repeat what they were sent. */
struct gcp_verdict {
    esp_status status;       /* what the core should do; ESP_OK: the answer is a 200 */
    int http;                /* its status */
    const char *code;        /* PERMISSION_DENIED, invalid_grant; "" */
    char reason[64];         /* SERVICE_DISABLED: ErrorInfo.reason; "" */
    uint64_t retry_after_ms; /* 0: it says nothing about that */
};
struct gcp_verdict gcp_judge(const struct esp_http_response *answer);

/* Whether what was asked for is in the wrong state: a version that is disabled or destroyed, a
 * secret that has changed since its etag. */
bool gcp_is_unfit(const struct gcp_verdict *v);

/* Appends "WHAT of KEY: status 403 PERMISSION_DENIED", and what can be done about it where that
 * is known. `key` may be empty. */
void gcp_describe(const struct gcp_verdict *v, const char *what, esp_bytes key, struct esp_text *out);

/* Fails the operation with that. */
esp_status gcp_refuse(struct esp_call *call, const struct gcp_verdict *v, const char *what, esp_bytes key);

#endif
