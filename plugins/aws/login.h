/* plugins/aws/login.h: the credentials that a store's spec leads to. */
#ifndef AWS_LOGIN_H
#define AWS_LOGIN_H

#include <jansson.h>

#include "creds.h"
#include "run.h"
#include "sts.h"

/* How a store logs in. Made once, then only read. */
struct aws_login {
    json_t *spec;             /* a copy of the block; holds no secret */
    json_t *tags;             /* of the session: [{"key": "", "value": ""}]; may be NULL */
    struct aws_creds fixed;   /* of auth.secretRef */
    esp_bytes role, audience; /* of auth.jwt.serviceAccountRef: what its annotations say */
};

/* Reads what auth names in the cluster. `document` is that of `open`. aws_login_free is due in any case. */
esp_status aws_login_init(struct aws_login *login, struct esp_call *call, const json_t *spec,
                          const json_t *document);
void aws_login_free(struct aws_login *login);

/* Whether the same credentials come out each time: asking again is pointless. */
bool aws_login_is_fixed(const struct aws_login *login);

/* Gets credentials: those of auth, or esod's own, then through additionalRoles and role. */
esp_status aws_login_run(const struct aws_login *login, struct aws_run *run, const struct aws_sts *sts,
                         struct aws_creds *ret);

#endif
