/* tests/unit/plugins/gcp.h: a gcpsm store in a world of scripted answers. */
#ifndef TEST_GCP_H
#define TEST_GCP_H

#include "host.h"

#define STORE                                                                                                \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\",\"generation\":1},"           \
    "\"namespace\":\"apps\""

#define SECRETS "https://secretmanager.googleapis.com/v1/projects/p/secrets"

/* The first exchange of a store without `auth`: a token of the metadata server. */
#define TOKEN_NAMED(token)                                                                                   \
    {                                                                                                        \
        .method = "GET",                                                                                     \
        .url = "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",          \
        .headers = "metadata-flavor: Google\n!authorization", .status = 200,                                 \
        .answer = "{\"access_token\":\"" token "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"           \
    }
#define TOKEN TOKEN_NAMED("token-1")

#define RPC(code, status) "{\"error\":{\"code\":" #code ",\"message\":\"planted\",\"status\":\"" status "\"}}"

#define WITH_TOKEN "authorization: Bearer token-1"
#define GET(target, code, body)                                                                              \
    {                                                                                                        \
        .method = "GET", .url = SECRETS target, .headers = WITH_TOKEN, .status = code, .answer = body        \
    }

/* An opened store of project p; `more` is the rest of the spec, with a comma before it. */
void *gcp_test_open(struct esp_call *call, const char *more);

/* The same where it may fail: *store is untouched then. */
esp_status gcp_test_try(struct esp_call *call, const char *more, void **store);
void gcp_test_close(struct esp_call *call, void *store);

extern const struct esp_store_ops *gcp_test_ops;
int gcp_test_load(void **state); /* a group's set-up */

/* Runs an operation against the script, to its end. */
#define RUN(op, json, values, count, script)                                                                 \
    gcp_test_run(gcp_test_ops->op, json, values, count, script, sizeof script / sizeof *script, &call)
esp_status gcp_test_run(esp_op op, const char *json, const esp_pair *values, size_t count,
                        const struct exchange *script, size_t script_count, struct esp_call *call);

#endif
