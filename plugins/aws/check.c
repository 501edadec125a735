/* What an admission webhook would refuse about region and credentials. */
#include "endpoint.h"
#include "session.h"

/* A SecretStore's references stay in its namespace; a ClusterSecretStore's may be anywhere, or where it is
 * used. */
static esp_status check_ref(struct esp_call *call, const json_t *ref, const json_t *store, const char *field)
{
    esp_bytes ns = esp_tree_text(ref, "namespace");
    if (ns.len == 0 || !esp_equal_str(esp_tree_text(store, "kind"), "SecretStore") ||
        esp_equal(ns, esp_tree_text(store, "namespace")))
        return ESP_OK;
    return esp_failf(
        aws_host, call, ESP_E_CONFIG,
        "invalid %s: namespace should either be empty or match the namespace of the SecretStore for a "
        "namespaced SecretStore",
        field);
}

static esp_status check_secret_ref(struct esp_call *call, const json_t *refs, const json_t *store)
{
    static const char *const names[][2] = {
        {"accessKeyIDSecretRef", "Auth.SecretRef.AccessKeyID"},
        {"secretAccessKeySecretRef", "Auth.SecretRef.SecretAccessKey"},
        {"sessionTokenSecretRef", "Auth.SecretRef.SessionToken"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *ref = json_object_get(refs, names[i][0]);
        if (i < 2 && (esp_tree_text(ref, "name").len == 0 || esp_tree_text(ref, "key").len == 0))
            return esp_failf(aws_host, call, ESP_E_CONFIG,
                             "auth.secretRef.%s: name and key of a Secret are missing", names[i][0]);
        esp_status status = check_ref(call, ref, store, names[i][1]);
        if (status != ESP_OK)
            return status;
    }
    return ESP_OK;
}

esp_status aws_session_check(struct esp_call *call, const json_t *spec, const json_t *document)
{
    const json_t *store = json_object_get(document, "store");
    const json_t *auth = json_object_get(spec, "auth");
    const json_t *secret_ref = json_object_get(auth, "secretRef");
    const json_t *account = json_object_get(json_object_get(auth, "jwt"), "serviceAccountRef");
    esp_bytes region = esp_tree_text(spec, "region");
    if (!aws_region_known(region))
        return esp_failf(aws_host, call, ESP_E_CONFIG, "region not found: %.*s", ESP_ARG(region));
    esp_status status = secret_ref ? check_secret_ref(call, secret_ref, store) : ESP_OK;
    if (status == ESP_OK)
        status = check_ref(call, account, store, "Auth.JWT.ServiceAccountRef");
    return status;
}
