/* Workload Identity Federation: a token of another identity provider is traded for one of
 * Google's (RFC 8693, and the docs of Google's security token service). */

#include <esp/json.h>

#include "aws.h"
#include "endpoints.h"
#include "federation.h"
#include "proofs.h"

#define JWT_TYPE "urn:ietf:params:oauth:token-type:jwt"
#define BAD_BLOCK "invalid workloadIdentityFederation config: "
#define BAD_FILE "invalid external account config: "

/* What the pod of esod has: whoever may write a ConfigMap is not therefore esod. */
#define OWN_TOKEN "/var/run/secrets/kubernetes.io/serviceaccount/token"

/* ---- a credential configuration ---- */

/* Without memory: perhaps, which is to be refused as well. */
static bool has(esp_bytes json, const char *path)
{
    struct esp_text value;

    esp_text_init(&value, GCP_MAX_SMALL);
    bool there = esp_json_get_raw(json, esp_str(path), &value, NULL) != 0;
    esp_text_free(&value);
    return there;
}

/* The core takes what stands in the document out of texts, names of members as well: they
 * are described, not quoted. */
static esp_status check_source(struct esp_call *call, esp_bytes json, const char *where,
                               const esp_bytes *endpoint, const struct gcp_identity *id)
{
    esp_bytes file = id->facts[GCP_SOURCE_FILE], url = id->facts[GCP_SOURCE_URL];
    const char *wrong = NULL;

    if (has(json, "credential_source.executable"))
        wrong = "runs a program, which esod does not";
    else if (has(json, "credential_source.environment_id"))
        wrong = "is a machine of AWS; set awsSecurityCredentials of the store instead";
    else if (file.len == 0 && url.len == 0)
        wrong = "is neither a file nor a url";
    else if (esp_equal_str(file, OWN_TOKEN))
        wrong = "is esod's own token; set serviceAccountRef of the store instead";
    else if (url.len && endpoint && !esp_equal(url, *endpoint))
        wrong = "is a url that does not match externalTokenEndpoint of the store";
    return wrong ? gcp_fail(call, ESP_E_CONFIG, 0, BAD_FILE "the credential source of %s %s", where, wrong)
                 : ESP_OK;
}

static bool is_number(esp_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

static esp_status check_rest(struct esp_call *call, const char *where, const struct gcp_identity *id)
{
    esp_bytes token = id->facts[GCP_TOKEN_URL], account = id->facts[GCP_IMPERSONATE_URL];
    const char *wrong = NULL;

    if (token.len && !gcp_endpoint_is_sts(token))
        wrong = "the token URL is not that of Google's token service";
    else if (account.len && !gcp_endpoint_is_impersonation(account))
        wrong = "the impersonation URL is not one of Google's";
    else if (!is_number(id->facts[GCP_LIFETIME])) /* it goes into a document as it is */
        wrong = "the lifetime of tokens is no whole number of seconds";
    return wrong ? gcp_fail(call, ESP_E_CONFIG, 0, BAD_FILE "%s: %s", where, wrong) : ESP_OK;
}

static bool read_facts(esp_bytes json, struct gcp_identity *id)
{
    static const struct gcp_row rows[] = {
        {GCP_AUDIENCE, "audience"},
        {GCP_SUBJECT_TYPE, "subject_token_type"},
        {GCP_TOKEN_URL, "token_url"},
        {GCP_IMPERSONATE_URL, "service_account_impersonation_url"},
        {GCP_LIFETIME, "service_account_impersonation.token_lifetime_seconds"},
        {GCP_CLIENT_ID, "client_id"},
        {GCP_CLIENT_SECRET, "client_secret"},
        {GCP_QUOTA_PROJECT, "quota_project_id"},
        {GCP_SOURCE_FILE, "credential_source.file"},
        {GCP_SOURCE_URL, "credential_source.url"},
        {GCP_SOURCE_HEADERS, "credential_source.headers"},
    };
    static const struct gcp_row field = {GCP_SOURCE_FIELD,
                                         "credential_source.format.subject_token_field_name"};

    if (!gcp_facts_read(id, json, rows, sizeof rows / sizeof *rows))
        return false;
    int is_json = gcp_json_is(json, "credential_source.format.type", "json");
    return is_json == 0 || (is_json == 1 && gcp_facts_read(id, json, &field, 1));
}

esp_status gcp_external_read(struct esp_call *call, esp_bytes json, const char *where,
                             const esp_bytes *endpoint, struct gcp_identity *id)
{
    id->proof = GCP_BY_FEDERATION;
    if (!esp_json_check(json, NULL))
        return gcp_fail(call, ESP_E_CONFIG, 0, BAD_FILE "%s is not JSON", where);
    if (gcp_json_is(json, "type", "external_account") != 1)
        return gcp_fail(call, ESP_E_CONFIG, 0, BAD_FILE "%s is not of type external_account", where);
    if (!read_facts(json, id))
        return gcp_no_memory(call);
    esp_status status = check_source(call, json, where, endpoint, id);
    return status == ESP_OK ? check_rest(call, where, id) : status;
}

/* ---- what the store names ---- */

static esp_status read_config(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    const json_t *ref = json_object_get(block, "credConfig");
    esp_bytes endpoint = esp_tree_text(block, "externalTokenEndpoint"), json = {0};
    struct esp_text where;

    esp_status status = gcp_host->kube_read(call, ESP_KUBE_CONFIGMAP, esp_tree_text(ref, "namespace"),
                                            esp_tree_text(ref, "name"), esp_tree_text(ref, "key"), &json);
    if (status != ESP_OK)
        return status;
    esp_text_init(&where, GCP_MAX_SMALL);
    esp_text_addf(&where, "key %.*s of ConfigMap %.*s", ESP_ARG(esp_tree_text(ref, "key")),
                  ESP_ARG(esp_tree_text(ref, "name")));
    status = esp_text_failed(&where) ? gcp_no_memory(call)
                                     : gcp_external_read(call, json, esp_text_str(&where), &endpoint, id);
    esp_text_free(&where);
    return status;
}

static esp_status read_source(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    const json_t *account = json_object_get(block, "serviceAccountRef");

    if (json_object_get(block, "credConfig"))
        return read_config(call, block, id);
    if (account)
        return gcp_annotation_read(call, account, id);
    return gcp_aws_read(call, json_object_get(block, "awsSecurityCredentials"), id);
}

static bool finish(const json_t *block, struct gcp_identity *id)
{
    esp_bytes audience = esp_tree_text(block, "audience"),
              email = esp_tree_text(block, "gcpServiceAccountEmail");

    return (audience.len == 0 || gcp_identity_set(id, GCP_AUDIENCE, audience)) &&
           (email.len == 0 || gcp_identity_impersonate(id, email)) &&
           (id->facts[GCP_SUBJECT_TYPE].len || gcp_identity_set(id, GCP_SUBJECT_TYPE, esp_str(JWT_TYPE)));
}

esp_status gcp_federation_check(struct esp_call *call, const json_t *block)
{
    const bool config = json_object_get(block, "credConfig"),
               account = json_object_get(block, "serviceAccountRef"),
               aws = json_object_get(block, "awsSecurityCredentials");

    if (config + account + aws != 1)
        return gcp_fail(call, ESP_E_CONFIG, 0,
                        BAD_BLOCK "exactly one of credConfig, awsSecurityCredentials or serviceAccountRef "
                                  "must be provided");
    if (!config && esp_tree_text(block, "audience").len == 0)
        return gcp_fail(call, ESP_E_CONFIG, 0,
                        BAD_BLOCK "audience must be provided, when serviceAccountRef or "
                                  "awsSecurityCredentials is provided");
    return ESP_OK;
}

esp_status gcp_federation_open(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    id->proof = GCP_BY_FEDERATION;
    esp_status status = gcp_federation_check(call, block);
    if (status == ESP_OK)
        status = read_source(call, block, id);
    if (status != ESP_OK)
        return status;
    if (!finish(block, id))
        return gcp_no_memory(call);
    return id->facts[GCP_AUDIENCE].len
               ? ESP_OK
               : gcp_fail(call, ESP_E_CONFIG, 0, BAD_FILE "audience is empty; set it in the store");
}
