/* Application default credentials: what surrounds esod. A credential file that
 * GOOGLE_APPLICATION_CREDENTIALS names, or else the metadata server. */
#include <esp/json.h>

#include "endpoints.h"
#include "metadata.h"
#include "proofs.h"

#define FILE_NAME "the file of GOOGLE_APPLICATION_CREDENTIALS"

/* ---- the file ---- */

static esp_status read_user(struct esp_call *call, esp_bytes json, struct gcp_identity *id)
{
    static const struct gcp_row rows[] = {{GCP_CLIENT_ID, "client_id"},
                                          {GCP_CLIENT_SECRET, "client_secret"},
                                          {GCP_REFRESH_TOKEN, "refresh_token"},
                                          {GCP_QUOTA_PROJECT, "quota_project_id"}};

    id->proof = GCP_BY_REFRESH;
    if (!gcp_facts_read(id, json, rows, sizeof rows / sizeof *rows))
        return gcp_no_memory(call);
    if (id->facts[GCP_REFRESH_TOKEN].len == 0)
        return gcp_fail(call, ESP_E_CONFIG, 0, FILE_NAME " has no refresh_token");
    return ESP_OK;
}

static esp_status read_file(struct esp_call *call, esp_bytes json, struct gcp_identity *id)
{
    if (!esp_json_check(json, NULL))
        return gcp_fail(call, ESP_E_CONFIG, 0, FILE_NAME " is not JSON");
    if (gcp_json_is(json, "type", "service_account") == 1)
        return gcp_key_read(call, json, FILE_NAME, id);
    if (gcp_json_is(json, "type", "external_account") == 1)
        return gcp_external_read(call, json, FILE_NAME, NULL, id);
    if (gcp_json_is(json, "type", "authorized_user") == 1)
        return read_user(call, json, id);
    return gcp_fail(call, ESP_E_CONFIG, 0,
                    FILE_NAME " is of another type than service_account, external_account and "
                              "authorized_user");
}

esp_status gcp_default_open(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    esp_bytes name = {0}, json = {0};
    (void)block;

    id->proof = GCP_BY_INSTANCE;
    esp_status status =
        gcp_host->ambient(call, ESP_AMBIENT_ENV, esp_str("GOOGLE_APPLICATION_CREDENTIALS"), &name);
    if (status != ESP_OK || name.len == 0)
        return ESP_OK; /* not set, or not granted */
    status = gcp_host->ambient(call, ESP_AMBIENT_FILE, esp_str("$GOOGLE_APPLICATION_CREDENTIALS"), &json);
    return status == ESP_OK ? read_file(call, json, id) : status;
}

esp_status gcp_refresh_token(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got)
{
    const struct gcp_identity *id = &s->identity;
    struct esp_text url, form;

    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_init(&form, GCP_MAX_SMALL);
    esp_text_add(&url, gcp_endpoint(GCP_TOKEN));
    gcp_form_add(&form, "grant_type", esp_str("refresh_token"));
    gcp_form_add(&form, "client_id", id->facts[GCP_CLIENT_ID]);
    gcp_form_add(&form, "client_secret", id->facts[GCP_CLIENT_SECRET]);
    gcp_form_add(&form, "refresh_token", id->facts[GCP_REFRESH_TOKEN]);
    const struct gcp_grant grant = {.what = "unable to get credentials: the token endpoint",
                                    .api = "GetToken",
                                    .url = &url,
                                    .type = GCP_FORM,
                                    .body = &form};
    esp_status status = gcp_grant(call, &grant, got);
    esp_text_free(&url);
    esp_text_free(&form);
    return status;
}

/* ---- the metadata server ---- */

esp_status gcp_instance_token(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got)
{
    const esp_pair flavor = {esp_str(GCP_METADATA_HEADER), esp_str(GCP_METADATA_VALUE)};
    struct esp_text url;
    (void)s;

    esp_text_init(&url, GCP_MAX_SMALL);
    gcp_metadata_address(call, &url);
    esp_text_adds(&url, "/computeMetadata/v1/instance/service-accounts/default/token");
    esp_status status =
        gcp_grant(call,
                  &(struct gcp_grant){.what = "unable to get credentials: the metadata server",
                                      .api = "GetToken",
                                      .url = &url,
                                      .more = &flavor,
                                      .more_count = 1,
                                      .timeout_ms = GCP_METADATA_TIMEOUT_MS},
                  got);
    esp_text_free(&url);
    if (status == ESP_OK || got->why->len || status == ESP_E_CANCELLED)
        return status;
    return gcp_no_token(got, status,
                        "unable to get credentials: no auth in the store, no file in "
                        "GOOGLE_APPLICATION_CREDENTIALS, and no metadata server");
}
