/* plugins/vault/login.h: the login methods: which of them a store has, and what it sends. */
#ifndef VAULT_LOGIN_H
#define VAULT_LOGIN_H

#include "request.h"

/* The first method that the block `auth` has, and its block; NULL if it has none. */
const struct vault_method *vault_method_of(const json_t *auth, bool is_bao, const json_t **block);

const char *vault_method_name(const struct vault_method *m);

/* tokenSecretRef: the token is there already. */
bool vault_method_is_token(const struct vault_method *m);

/* Appends the token that tokenSecretRef names. */
esp_status vault_static_token(struct vault_store *s, struct esp_call *call, struct esp_text *token);

/* ESP_OK with Vault's answer, good or not; otherwise why there is none has been recorded. */
esp_status vault_log_in(struct vault_store *s, struct esp_call *call, struct vault_answer *answer);

/* What an answer that is not good means for a login; appends the sentence. */
esp_status vault_login_refused(const struct vault_store *s, const struct vault_answer *answer,
                               struct esp_text *sentence);

/* ---- for the methods ---- */

/* The value that a reference of the spec names; `where` is the reference's place in the block, `key`
 * (NULL: none) what is meant when it has no key. It lives as long as the call. */
esp_status vault_secret(struct esp_call *call, const json_t *ref, const char *where, const char *key,
                        esp_bytes *out);

/* A token of the account that the reference names, for `first` (empty: none), the audiences that the
 * reference lists, and those of the list `more` (NULL: none), in this order. */
esp_status vault_account_token(struct esp_call *call, const json_t *ref, esp_bytes first, const json_t *more,
                               uint32_t ttl_s, esp_bytes *out);

/* Appends a member of a JSON object that was begun with "{". */
void vault_add_member(struct esp_text *object, const char *name, esp_bytes value);

/* What a method sends: appends members to `body`. */
typedef esp_status vault_login_body(const struct vault_store *s, struct esp_call *call,
                                    struct esp_text *body);
vault_login_body vault_kubernetes_body, vault_jwt_body, vault_iam_body, vault_gcp_body;

#endif
