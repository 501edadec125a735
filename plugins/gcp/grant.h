/* plugins/gcp/grant.h: asking an endpoint for an access token. */
#ifndef GCP_GRANT_H
#define GCP_GRANT_H

#include "http.h"

#define GCP_SCOPE "https://www.googleapis.com/auth/cloud-platform"

/* What a login comes to, as esp_token_login has it. */
struct gcp_got {
    struct esp_text *token;
    int64_t *expires_unix_ms;
    struct esp_text *why; /* why there is no token; empty: a service has recorded it */
};

/* Says why there is no token; returns `status`. */
esp_status gcp_no_token(struct gcp_got *got, esp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct gcp_grant {
    const char *what;           /* begins the text of a refusal */
    const char *api;            /* metric label */
    const struct esp_text *url; /* a failed one is no memory, here ... */
    esp_bytes bearer;
    const char *type;            /* of the body; NULL: a GET */
    const struct esp_text *body; /* ... and here */
    const esp_pair *more;
    size_t more_count;
    uint32_t timeout_ms;
    const char *token_path; /* in the answer; NULL: access_token */
    const char *until_path; /* of a time; NULL: expires_in, in seconds */
};

/* Appends the token. An answer that does not say how long it lives gives it five minutes. */
esp_status gcp_grant(struct esp_call *call, const struct gcp_grant *g, struct gcp_got *got);

/* Adds name=value to a form. */
void gcp_form_add(struct esp_text *form, const char *name, esp_bytes value);

/* 2026-01-02T03:04:05.678Z as milliseconds since 1970; -1 if it is no such time. */
int64_t gcp_time_ms(esp_bytes text);

#endif
