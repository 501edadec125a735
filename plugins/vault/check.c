#include <string.h>
#include <strings.h>

#include <esp/duration.h>

#include "login.h"

#define FOREIGN                                                                                              \
    "namespace should either be empty or match the namespace of the SecretStore for a namespaced "           \
    "SecretStore"

/* References of the spec: where they are, and how the reference's admission webhook calls them. */
static const struct {
    const char *place[5];
    const char *name;
} references[] = {
    {{"auth", "appRole", "secretRef"}, "Auth.AppRole.SecretRef"},
    {{"auth", "appRole", "roleRef"}, "Auth.AppRole.RoleRef"},
    {{"auth", "cert", "clientCert"}, "Auth.Cert.ClientCert"},
    {{"auth", "cert", "secretRef"}, "Auth.Cert.SecretRef"},
    {{"auth", "jwt", "secretRef"}, "Auth.Jwt.SecretRef"},
    {{"auth", "jwt", "kubernetesServiceAccountToken", "serviceAccountRef"},
     "Auth.Jwt.KubernetesServiceAccountToken.ServiceAccountRef"},
    {{"auth", "kubernetes", "serviceAccountRef"}, "Auth.Kubernetes.ServiceAccountRef"},
    {{"auth", "kubernetes", "secretRef"}, "Auth.Kubernetes.SecretRef"},
    {{"auth", "ldap", "secretRef"}, "Auth.Ldap.SecretRef"},
    {{"auth", "userPass", "secretRef"}, "Auth.UserPass.SecretRef"},
    {{"auth", "tokenSecretRef"}, "Auth.TokenSecretRef"},
    {{"auth", "iam", "jwt", "serviceAccountRef"}, "Auth.Iam.JWTAuth.ServiceAccountRef"},
    {{"auth", "iam", "secretRef", "accessKeyIDSecretRef"}, "Auth.Iam.SecretRef.AccessKeyID"},
    {{"auth", "iam", "secretRef", "secretAccessKeySecretRef"}, "Auth.Iam.SecretRef.SecretAccessKey"},
    {{"auth", "iam", "secretRef", "sessionTokenSecretRef"}, "Auth.Iam.SecretRef.SessionToken"},
    {{"auth", "gcp", "secretRef", "secretAccessKeySecretRef"}, "Auth.GCP.SecretRef.SecretAccessKey"},
    {{"auth", "gcp", "workloadIdentity", "serviceAccountRef"}, "Auth.GCP.WorkloadIdentity.ServiceAccountRef"},
    {{"auth", "gcp", "serviceAccountRef"}, "Auth.GCP.ServiceAccountRef"},
    {{"tls", "certSecretRef"}, "ClientTLS.ClientCert"},
    {{"tls", "keySecretRef"}, "ClientTLS.SecretRef"},
};

static esp_status wrong(struct esp_call *call, const char *why)
{
    return esp_failf(vault_host, call, ESP_E_CONFIG, "%s", why);
}

/* A SecretStore reads its own namespace only. */
static esp_status check_references(struct esp_call *call, const json_t *spec, const json_t *store)
{
    bool bound = esp_equal_str(esp_tree_text(store, "kind"), "SecretStore");
    for (size_t i = 0; bound && i < sizeof references / sizeof *references; i++) {
        const json_t *ref = spec;
        for (size_t k = 0; references[i].place[k]; k++)
            ref = json_object_get(ref, references[i].place[k]);
        esp_bytes ns = esp_tree_text(ref, "namespace");
        if (ns.len && !esp_equal(ns, esp_tree_text(store, "namespace")))
            return esp_failf(vault_host, call, ESP_E_CONFIG, "invalid %s: " FOREIGN, references[i].name);
    }
    return ESP_OK;
}

static esp_status check_server(struct esp_call *call, esp_bytes server)
{
    bool known = esp_starts_with(server, esp_str("https://")) || esp_starts_with(server, esp_str("http://"));
    return known ? ESP_OK
                 : esp_failf(vault_host, call, ESP_E_CONFIG,
                             "server: \"%.*s\" is no address that begins with https:// or http://",
                             ESP_ARG(server));
}

/* The region becomes a part of a host's name. */
static esp_status check_iam(struct esp_call *call, const json_t *iam)
{
    esp_bytes region = esp_tree_text(iam, "region");
    const json_t *jwt = json_object_get(iam, "jwt");
    for (size_t i = 0; i < region.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", region.ptr[i]) || region.ptr[i] == 0)
            return esp_failf(vault_host, call, ESP_E_CONFIG, "auth.iam.region: \"%.*s\" is no region",
                             ESP_ARG(region));
    if (json_is_object(jwt) && !json_is_object(json_object_get(jwt, "serviceAccountRef")))
        return wrong(call, "auth.iam.jwt: serviceAccountRef is missing");
    return ESP_OK;
}

static esp_status check_auth(struct esp_call *call, const json_t *auth, bool is_bao)
{
    const json_t *block = NULL;
    if (!json_is_object(auth))
        return ESP_OK;
    if (!vault_method_of(auth, is_bao, &block))
        return wrong(call, "cannot initialize Vault client: no valid auth method specified");
    const json_t *iam = json_object_get(auth, "iam");
    const json_t *role = json_object_get(auth, "appRole"), *jwt = json_object_get(auth, "jwt");
    if (role && esp_tree_text(role, "roleId").len == 0 && !json_is_object(json_object_get(role, "roleRef")))
        return wrong(call, "invalid Auth.AppRole: neither `roleId` nor `roleRef` was supplied");
    if (jwt && !json_is_object(json_object_get(jwt, "secretRef")) &&
        !json_is_object(json_object_get(jwt, "kubernetesServiceAccountToken")))
        return wrong(call,
                     "invalid Auth.Jwt: neither `secretRef` nor `kubernetesServiceAccountToken` was supplied "
                     "as token source for jwt authentication");
    return iam ? check_iam(call, iam) : ESP_OK;
}

static esp_status check_writes(struct esp_call *call, const json_t *spec)
{
    const json_t *tls = json_object_get(spec, "tls");
    bool cert = json_is_object(json_object_get(tls, "certSecretRef"));
    bool key = json_is_object(json_object_get(tls, "keySecretRef"));
    if (cert != key)
        return wrong(call,
                     "when provided, both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided");
    if (json_is_true(json_object_get(json_object_get(spec, "checkAndSet"), "required")) &&
        esp_equal_str(esp_tree_text(spec, "version"), "v1"))
        return wrong(call, "checkAndSet is not supported with Vault KV version v1");
    return ESP_OK;
}

static esp_status check_retries(struct esp_call *call, const json_t *settings)
{
    esp_bytes interval = esp_tree_text(settings, "retryInterval");
    int64_t ms;
    if (interval.len == 0 || (esp_duration_ms(interval, &ms) && ms <= VAULT_INTERVAL_MAX_MS))
        return ESP_OK;
    return esp_failf(
        vault_host, call, ESP_E_CONFIG,
        "retrySettings.retryInterval: \"%.*s\" is no duration of at most an hour; write it as 500ms, 10s "
        "or 1m30s",
        ESP_ARG(interval));
}

esp_status vault_check(struct esp_call *call, const json_t *request, bool is_bao)
{
    const json_t *spec = json_object_get(request, "spec");
    esp_status status = check_server(call, esp_tree_text(spec, "server"));
    if (status == ESP_OK)
        status = check_auth(call, json_object_get(spec, "auth"), is_bao);
    if (status == ESP_OK)
        status = check_references(call, spec, json_object_get(request, "store"));
    if (status == ESP_OK)
        status = check_writes(call, spec);
    return status == ESP_OK ? check_retries(call, json_object_get(request, "retrySettings")) : status;
}
