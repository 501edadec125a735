/* plugins/vault/aws_keys.h: keys of AWS for a login with an identity of it. */
#ifndef VAULT_AWS_KEYS_H
#define VAULT_AWS_KEYS_H

#include <esp/sigv4.h>

#include "store.h"

/* Credentials, with memory of their own. Zeroes before the first use. */
struct vault_aws_keys {
    struct esp_text id, secret, token;
};
void vault_aws_keys_free(struct vault_aws_keys *keys);
struct esp_sigv4_keys vault_aws_borrow(const struct vault_aws_keys *keys);

/* What the block `auth.iam` says, in this order: the role of a service account (jwt), keys in Secrets
 * (secretRef), the identity of esod's pod; and then, with `role`, that of a role which these may assume. */
esp_status vault_aws_keys_get(const json_t *iam, struct esp_call *call, struct vault_aws_keys *ret);

/* The region, and appends the address of its token service. */
esp_bytes vault_aws_region(const json_t *iam);
void vault_aws_sts(const json_t *iam, struct esp_call *call, struct esp_text *url);

#endif
