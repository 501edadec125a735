/* plugins/aws/sts.h: temporary credentials from the Security Token Service. */
#ifndef AWS_STS_H
#define AWS_STS_H

#include <jansson.h>

#include "creds.h"
#include "retry.h"
#include "run.h"

/* Where it is and how patient we are. Borrowed. */
struct aws_sts {
    esp_bytes url, region;
    struct aws_retry retry;
};

/* What a role is assumed with. Borrowed. */
struct aws_role {
    esp_bytes arn;
    esp_bytes external_id;    /* empty: none */
    const json_t *tags;       /* [{"key": "", "value": ""}]; NULL: none */
    const json_t *transitive; /* ["key"]; counts only with tags */
};

/* AssumeRole with the rights of `keys`, for a quarter of an hour. ESP_E_DENIED: AWS says no. */
esp_status aws_sts_assume(struct aws_run *run, const struct aws_sts *sts, const struct esp_sigv4_keys *keys,
                          const struct aws_role *role, struct aws_creds *ret);

/* AssumeRoleWithWebIdentity: the token is what counts, nothing is signed. `session` is the name that AWS's
 * logs show, AWS_SESSION_NAME unless the environment has one. */
esp_status aws_sts_web_identity(struct aws_run *run, const struct aws_sts *sts, esp_bytes role,
                                esp_bytes session, esp_bytes token, struct aws_creds *ret);

#define AWS_SESSION_NAME "external-secrets-provider-aws"

#endif
