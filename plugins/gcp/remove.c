/* remove, exists. */
#include "ops.h"

#include <esp/codec.h>

#include "push_spec.h"
#include "version.h"

static esp_status delete_secret(const struct gcp_store *s, struct esp_call *call, esp_bytes key,
                                const json_t *secret)
{
    struct esp_http_response answer;
    struct esp_text path;

    esp_text_init(&path, GCP_MAX_SMALL);
    gcp_add_secret(s, key, &path);
    if (esp_tree_text(secret, "etag").len) {
        esp_text_adds(&path, "?etag=");
        esp_query_add(&path, esp_tree_text(secret, "etag"));
    }
    esp_status status = gcp_ask(
        s, call, &(struct gcp_ask){.method = "DELETE", .api = "DeleteSecret", .path = &path}, &answer);
    esp_text_free(&path);
    if (status != ESP_OK)
        return status;
    struct gcp_verdict v = gcp_judge(&answer);
    if (v.status == ESP_OK || v.status == ESP_E_NOT_FOUND)
        return ESP_OK;
    if (gcp_is_unfit(&v)) /* it was changed since: the next try looks again whose it is */
        v.status = ESP_E_RETRY;
    return gcp_refuse(call, &v, "DeleteSecret", key);
}

/* What esod did not make stays. */
static esp_status remove_key(const struct gcp_store *s, struct esp_call *call, esp_bytes key)
{
    struct gcp_verdict v;
    json_t *secret;

    esp_status status = gcp_get_secret(s, call, key, &secret, &v);
    if (status != ESP_OK || v.status == ESP_E_NOT_FOUND)
        return status;
    if (v.status != ESP_OK)
        return gcp_refuse(call, &v, "GetSecret", key);
    if (gcp_is_managed(secret))
        status = delete_secret(s, call, key, secret);
    json_decref(secret);
    return status;
}

esp_status gcp_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *ref = esp_tree_read(req->json);

    if (!ref)
        return gcp_no_memory(call);
    esp_status status = remove_key(instance, call, esp_tree_text(ref, "remoteKey"));
    json_decref(ref);
    return status;
}

static esp_status look_for(const struct gcp_store *s, struct esp_call *call, esp_bytes key)
{
    struct gcp_verdict v;
    struct esp_text value;

    esp_text_init(&value, GCP_MAX_LARGE);
    esp_status status = gcp_access_enabled(s, call, key, &value, &v);
    esp_text_free(&value);
    if (status != ESP_OK)
        return status;
    if (v.status != ESP_OK && v.status != ESP_E_NOT_FOUND)
        return gcp_unread(call, &v, GCP_ACCESS, key);
    return gcp_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(v.status == ESP_OK ? "true" : "false"));
}

esp_status gcp_exists(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *ref = esp_tree_read(req->json);

    if (!ref)
        return gcp_no_memory(call);
    esp_status status = look_for(instance, call, esp_tree_text(ref, "remoteKey"));
    json_decref(ref);
    return status;
}
