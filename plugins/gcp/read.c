/* get: a value, or with metadataPolicy Fetch what is known about it. The core looks properties
 * up in what comes out. */
#include "ops.h"

#include "version.h"

/* ---- a value ---- */

static esp_status read_value(const struct gcp_store *s, struct esp_call *call, const json_t *ref,
                             struct esp_text *value)
{
    esp_bytes key = esp_tree_text(ref, "key"), version = esp_tree_text(ref, "version");
    struct gcp_verdict v;

    esp_status status = gcp_access(s, call, key, version.len ? version : esp_str("latest"), value, &v);
    if (status == ESP_OK && version.len == 0 && s->falls_back && gcp_is_unfit(&v))
        status = gcp_access_enabled(s, call, key, value, &v);
    if (status == ESP_OK && v.status != ESP_OK)
        return gcp_unread(call, &v, GCP_ACCESS, key);
    return status;
}

/* ---- what is known about it ---- */

static json_t *member(const json_t *secret, const char *name)
{
    json_t *value = json_object_get(secret, name);
    return json_is_object(value) ? json_incref(value) : json_object();
}

/* {"annotations":{...},"labels":{...}}, sorted. */
static bool write_metadata(const json_t *secret, struct esp_text *out)
{
    json_t *found = json_object();
    bool done = found && json_object_set_new(found, "annotations", member(secret, "annotations")) == 0 &&
                json_object_set_new(found, "labels", member(secret, "labels")) == 0;
    done = done && esp_tree_write(found, out);
    json_decref(found);
    return done;
}

static esp_status read_metadata(const struct gcp_store *s, struct esp_call *call, const json_t *ref,
                                struct esp_text *value)
{
    struct gcp_verdict v;
    json_t *secret = NULL;

    esp_status status = gcp_get_secret(s, call, esp_tree_text(ref, "key"), &secret, &v);
    if (status == ESP_OK && v.status != ESP_OK)
        return gcp_unread(call, &v, "GetSecret", esp_tree_text(ref, "key"));
    if (status != ESP_OK)
        return status;
    bool done = write_metadata(secret, value);
    json_decref(secret);
    return done ? ESP_OK : gcp_no_memory(call);
}

esp_status gcp_get(void *instance, struct esp_call *call, const struct esp_request *req)
{
    const struct gcp_store *s = instance;
    json_t *ref = esp_tree_read(req->json);
    struct esp_text value;

    if (!ref)
        return gcp_no_memory(call);
    esp_text_init(&value, GCP_MAX_LARGE);
    esp_status status = esp_equal_str(esp_tree_text(ref, "metadataPolicy"), "Fetch")
                            ? read_metadata(s, call, ref, &value)
                            : read_value(s, call, ref, &value);
    if (status == ESP_OK)
        status = gcp_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&value));
    esp_text_free(&value);
    json_decref(ref);
    return status;
}
