#include "aws.h"

#include <esp/codec.h>
#include <esp/json.h>
#include <esp/sigv4.h>

#define AWS_TYPE "urn:ietf:params:aws:token-type:aws4_request"

/* ---- reading ---- */

/* One key of the Secret. `optional`: it may be missing. */
static esp_status read_one(struct esp_call *call, const json_t *ref, const char *key, bool optional,
                           enum gcp_fact fact, struct gcp_identity *id)
{
    esp_bytes name = esp_tree_text(ref, "name"), value = {0};

    esp_status status = gcp_host->kube_read(call, ESP_KUBE_SECRET, esp_tree_text(ref, "namespace"), name,
                                            esp_str(key), &value);
    if (status == ESP_E_NOT_FOUND && optional)
        return ESP_OK;
    if (status != ESP_OK)
        return status;
    if (value.len == 0 && !optional)
        return gcp_fail(call, ESP_E_CONFIG, 0,
                        "aws_access_key_id and aws_secret_access_key keys must be present in "
                        "AwsSecurityCredentials secret %.*s",
                        ESP_ARG(name));
    return gcp_identity_set(id, fact, value) ? ESP_OK : gcp_no_memory(call);
}

esp_status gcp_aws_read(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    const json_t *ref = json_object_get(block, "awsCredentialsSecretRef");

    esp_status status = read_one(call, ref, "aws_access_key_id", false, GCP_AWS_ID, id);
    if (status == ESP_OK)
        status = read_one(call, ref, "aws_secret_access_key", false, GCP_AWS_SECRET, id);
    if (status == ESP_OK)
        status = read_one(call, ref, "aws_session_token", true, GCP_AWS_SESSION, id);
    if (status != ESP_OK)
        return status;
    bool done = gcp_identity_set(id, GCP_AWS_REGION, esp_tree_text(block, "region")) &&
                gcp_identity_set(id, GCP_SUBJECT_TYPE, esp_str(AWS_TYPE));
    return done ? ESP_OK : gcp_no_memory(call);
}

/* ---- the signed request ---- */

static void add_header(struct esp_text *json, const char *name, esp_bytes value)
{
    esp_text_addf(json, "%s{\"key\":\"%s\",\"value\":", json->ptr[json->len - 1] == '[' ? "" : ",", name);
    esp_json_quote(value, json);
    esp_text_addc(json, '}');
}

/* The document that the token service wants: the request with its headers. */
static void write_request(const struct gcp_identity *id, const struct esp_sigv4_signed *done, esp_bytes url,
                          esp_bytes host, struct esp_text *json)
{
    esp_text_adds(json, "{\"url\":");
    esp_json_quote(url, json);
    esp_text_adds(json, ",\"method\":\"POST\",\"headers\":[");
    if (esp_text_failed(json))
        return;
    add_header(json, "Authorization", esp_text_bytes(&done->authorization));
    add_header(json, "Host", host);
    add_header(json, "X-Amz-Date", esp_str(done->date));
    if (id->facts[GCP_AWS_SESSION].len)
        add_header(json, "X-Amz-Security-Token", id->facts[GCP_AWS_SESSION]);
    add_header(json, "X-Goog-Cloud-Target-Resource", id->facts[GCP_AUDIENCE]);
    esp_text_adds(json, "]}");
}

static bool sign(const struct gcp_identity *id, struct esp_call *call, esp_bytes url,
                 struct esp_sigv4_signed *done)
{
    /* So that the request is of no use to anybody but this pool provider. */
    const esp_pair target = {esp_str("x-goog-cloud-target-resource"), id->facts[GCP_AUDIENCE]};
    const struct esp_sigv4_keys keys = {id->facts[GCP_AWS_ID], id->facts[GCP_AWS_SECRET],
                                        id->facts[GCP_AWS_SESSION]};
    const struct esp_sigv4_request request = {.method = esp_str("POST"),
                                              .url = url,
                                              .headers = &target,
                                              .header_count = 1,
                                              .region = id->facts[GCP_AWS_REGION],
                                              .service = esp_str("sts"),
                                              .now_unix_ms = gcp_host->now_unix_ms(call)};
    return esp_sigv4_sign(&request, &keys, done);
}

esp_status gcp_aws_subject(const struct gcp_identity *id, struct esp_call *call, struct gcp_got *got,
                           struct esp_text *subject)
{
    struct esp_sigv4_signed done = {0};
    struct esp_text host, url, json;

    esp_text_init(&host, GCP_MAX_SMALL);
    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_init(&json, GCP_MAX_SMALL);
    esp_text_addf(&host, "sts.%.*s.amazonaws.com", ESP_ARG(id->facts[GCP_AWS_REGION]));
    esp_text_addf(&url, "https://%s?Action=GetCallerIdentity&Version=2011-06-15", esp_text_str(&host));
    bool good =
        !esp_text_failed(&host) && !esp_text_failed(&url) && sign(id, call, esp_text_bytes(&url), &done);
    if (good) {
        write_request(id, &done, esp_text_bytes(&url), esp_text_bytes(&host), &json);
        esp_query_add(subject, esp_text_bytes(&json));
        good = !esp_text_failed(&json) && !esp_text_failed(subject);
    }
    esp_sigv4_free(&done);
    esp_text_free(&host);
    esp_text_free(&url);
    esp_text_free(&json);
    return good ? ESP_OK : gcp_no_token(got, ESP_E_INTERNAL, "unable to get credentials: AWS: out of memory");
}
