/* check: is the spec sound, beyond what the schema says? */
#include "ops.h"

#include "federation.h"

/* A SecretStore stays in its own namespace. */
static esp_status check_namespace(struct esp_call *call, const json_t *store, const json_t *ref,
                                  const char *what)
{
    esp_bytes ns = esp_tree_text(ref, "namespace");

    if (ns.len == 0 || !esp_equal_str(esp_tree_text(store, "kind"), "SecretStore") ||
        esp_equal(ns, esp_tree_text(store, "namespace")))
        return ESP_OK;
    return gcp_fail(call, ESP_E_CONFIG, 0,
                    "%s: namespace should either be empty or match the namespace of the SecretStore for a "
                    "namespaced SecretStore",
                    what);
}

static esp_status check_key(struct esp_call *call, const json_t *store, const json_t *block)
{
    const json_t *ref = json_object_get(block, "secretAccessKeySecretRef");

    if (esp_tree_text(ref, "name").len == 0 || esp_tree_text(ref, "key").len == 0)
        return gcp_fail(call, ESP_E_CONFIG, 0,
                        "invalid auth secret data: secretAccessKeySecretRef needs a name and a key");
    return check_namespace(call, store, ref, "invalid auth secret data");
}

static esp_status check_federation(struct esp_call *call, const json_t *store, const json_t *block)
{
    static const char *const refs[] = {"credConfig", "serviceAccountRef"};
    const json_t *aws = json_object_get(block, "awsSecurityCredentials");

    esp_status status = gcp_federation_check(call, block);
    for (size_t i = 0; i < 2 && status == ESP_OK; i++)
        status = check_namespace(call, store, json_object_get(block, refs[i]), refs[i]);
    if (status == ESP_OK)
        status = check_namespace(call, store, json_object_get(aws, "awsCredentialsSecretRef"),
                                 "awsCredentialsSecretRef");
    return status;
}

static esp_status check_auth(struct esp_call *call, const json_t *store, const json_t *auth)
{
    const json_t *key = json_object_get(auth, "secretRef"),
                 *cluster = json_object_get(auth, "workloadIdentity"),
                 *federation = json_object_get(auth, "workloadIdentityFederation");
    esp_status status = ESP_OK;

    if (key)
        status = check_key(call, store, key);
    if (status == ESP_OK && cluster)
        status = check_namespace(call, store, json_object_get(cluster, "serviceAccountRef"),
                                 "invalid workload identity service account reference");
    if (status == ESP_OK && federation)
        status = check_federation(call, store, federation);
    return status;
}

/* What stands in a host's name and in paths. */
static esp_status check_location(struct esp_call *call, const json_t *spec)
{
    esp_bytes at = esp_tree_text(spec, "location");

    for (size_t i = 0; i < at.len; i++)
        if (!((at.ptr[i] >= 'a' && at.ptr[i] <= 'z') || (at.ptr[i] >= '0' && at.ptr[i] <= '9') ||
              at.ptr[i] == '-'))
            return gcp_fail(call, ESP_E_CONFIG, 0, "location \"%.*s\" is none: write it like europe-west3",
                            ESP_ARG(at));
    return ESP_OK;
}

static esp_status check_policy(struct esp_call *call, const json_t *spec)
{
    esp_bytes policy = esp_tree_text(spec, "secretVersionSelectionPolicy");

    if (policy.len == 0 || esp_equal_str(policy, "LatestOrFail") || esp_equal_str(policy, "LatestOrFetch"))
        return ESP_OK;
    return gcp_fail(call, ESP_E_CONFIG, 0,
                    "secretVersionSelectionPolicy \"%.*s\" is neither LatestOrFail nor LatestOrFetch",
                    ESP_ARG(policy));
}

esp_status gcp_check_request(struct esp_call *call, const json_t *request)
{
    const json_t *spec = json_object_get(request, "spec");

    esp_status status = check_location(call, spec);
    if (status == ESP_OK)
        status = check_policy(call, spec);
    if (status == ESP_OK)
        status = check_auth(call, json_object_get(request, "store"), json_object_get(spec, "auth"));
    return status;
}

esp_status gcp_check(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *request = esp_tree_read(req->json);
    (void)instance;

    if (!request)
        return gcp_no_memory(call);
    esp_status status = gcp_check_request(call, request);
    json_decref(request);
    return status;
}
