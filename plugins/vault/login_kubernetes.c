/* Logins with a token of a service account, and with one of anybody else's. */
#include "login.h"

#define POD_TOKEN "/var/run/secrets/kubernetes.io/serviceaccount/token"
#define TOKEN_S 600
#define AUDIENCES_MAX 32

/* Adds the audiences of `ref` and, behind them, those of `more`; false when they are too many. */
static bool collect(const json_t *ref, const json_t *more, esp_bytes out[AUDIENCES_MAX], size_t *count)
{
    const json_t *const lists[] = {json_object_get(ref, "audiences"), more};
    for (size_t l = 0; l < 2; l++) {
        size_t i;
        json_t *one;
        json_array_foreach ((json_t *)lists[l], i, one) {
            if (*count == AUDIENCES_MAX)
                return false;
            out[(*count)++] = esp_span(json_string_value(one), json_string_length(one));
        }
    }
    return true;
}

esp_status vault_account_token(struct esp_call *call, const json_t *ref, esp_bytes first, const json_t *more,
                               uint32_t ttl_s, esp_bytes *out)
{
    esp_bytes audiences[AUDIENCES_MAX] = {first};
    size_t count = first.len ? 1 : 0;
    if (!collect(ref, more, audiences, &count))
        return esp_failf(vault_host, call, ESP_E_CONFIG, "serviceAccountRef.audiences: more than %d",
                         AUDIENCES_MAX);
    return vault_host->sa_token(call, esp_tree_text(ref, "namespace"), esp_tree_text(ref, "name"), audiences,
                                count, ttl_s, out);
}

static esp_status kubernetes_token(const json_t *block, struct esp_call *call, esp_bytes *out)
{
    const json_t *account = json_object_get(block, "serviceAccountRef");
    const json_t *secret = json_object_get(block, "secretRef");
    if (json_is_object(account))
        return vault_account_token(call, account, esp_str(""), NULL, TOKEN_S, out);
    if (json_is_object(secret))
        return vault_secret(call, secret, "auth.kubernetes.secretRef", "token", out);
    return vault_host->ambient(call, ESP_AMBIENT_FILE, esp_str(POD_TOKEN), out);
}

esp_status vault_kubernetes_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    esp_bytes token = {0};
    esp_status status = kubernetes_token(s->method_block, call, &token);
    if (status != ESP_OK)
        return status;
    vault_add_member(body, "role", esp_tree_text(s->method_block, "role"));
    vault_add_member(body, "jwt", vault_trimmed(token));
    return ESP_OK;
}

/* The audience is "vault" unless some are listed; an empty list is a list. */
static esp_status token_of_account(struct esp_call *call, const json_t *block, esp_bytes *out)
{
    const json_t *listed = json_object_get(block, "audiences");
    json_int_t seconds = json_integer_value(json_object_get(block, "expirationSeconds"));
    json_t *usual = json_is_array(listed) ? NULL : json_pack("[s]", "vault");
    uint32_t ttl_s = seconds > 0 && seconds < UINT32_MAX ? (uint32_t)seconds : TOKEN_S;
    if (!usual && !json_is_array(listed))
        return vault_no_memory(call);
    esp_status status = vault_account_token(call, json_object_get(block, "serviceAccountRef"), esp_str(""),
                                            usual ? usual : listed, ttl_s, out);
    json_decref(usual);
    return status;
}

esp_status vault_jwt_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    const json_t *secret = json_object_get(s->method_block, "secretRef");
    esp_bytes token = {0};
    esp_status status =
        json_is_object(secret)
            ? vault_secret(call, secret, "auth.jwt.secretRef", NULL, &token)
            : token_of_account(call, json_object_get(s->method_block, "kubernetesServiceAccountToken"),
                               &token);
    if (status != ESP_OK)
        return status;
    vault_add_member(body, "role", vault_trimmed(esp_tree_text(s->method_block, "role")));
    vault_add_member(body, "jwt", vault_trimmed(token));
    return ESP_OK;
}
