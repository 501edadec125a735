/* Secrets Manager: copies of a pushed secret in other regions. */
#include "sm.h"

static bool has_region(const json_t *regions, esp_bytes region)
{
    json_t *item;
    size_t i;

    json_array_foreach (regions, i, item)
        if (esp_equal(esp_span(json_string_value(item), json_string_length(item)), region))
            return true;
    return false;
}

static bool is_replica(const json_t *replicas, esp_bytes region)
{
    json_t *item;
    size_t i;

    json_array_foreach (replicas, i, item)
        if (esp_equal(esp_tree_text(item, "Region"), region))
            return true;
    return false;
}

/* Adds the wanted regions that are not among the replicas; returns how many. */
static size_t add_regions(struct aws_request *r, const json_t *wanted, const json_t *replicas,
                          esp_bytes kms_key)
{
    size_t i, added = 0;
    json_t *item;

    aws_json_raw(&r->body, "AddReplicaRegions", esp_str("["));
    json_array_foreach (wanted, i, item) {
        esp_bytes region = esp_span(json_string_value(item), json_string_length(item));
        if (is_replica(replicas, region))
            continue;
        esp_text_adds(&r->body, added++ ? ",{" : "{");
        aws_json_text(&r->body, "Region", region);
        if (kms_key.len)
            aws_json_text(&r->body, "KmsKeyId", kms_key);
        esp_text_addc(&r->body, '}');
    }
    esp_text_addc(&r->body, ']');
    return added;
}

void aws_sm_replicas_add(struct aws_request *r, const json_t *spec, esp_bytes kms_key)
{
    const json_t *wanted = json_object_get(spec, "replicationLocations");
    if (json_array_size(wanted))
        add_regions(r, wanted, NULL, kms_key);
}

/* Removes the replicas in regions that are not wanted. */
static esp_status remove_regions(struct aws_store *store, struct esp_call *call, esp_bytes id,
                                 const json_t *replicas, const json_t *wanted)
{
    size_t i, removed = 0;
    struct aws_request r;
    json_t *item;

    aws_sm_begin(&r, "RemoveRegionsFromReplication", id);
    aws_json_raw(&r.body, "RemoveReplicaRegions", esp_str("["));
    json_array_foreach (replicas, i, item) {
        esp_bytes region = esp_tree_text(item, "Region");
        if (has_region(wanted, region))
            continue;
        aws_json_item(&r.body, region);
        removed++;
    }
    esp_text_addc(&r.body, ']');
    if (removed)
        return aws_request_done(&r, store, call);
    aws_request_end(&r);
    return ESP_OK;
}

esp_status aws_sm_replicas_remove(struct aws_store *store, struct esp_call *call, esp_bytes id,
                                  const json_t *secret)
{
    return remove_regions(store, call, id, json_object_get(secret, "ReplicationStatus"), NULL);
}

esp_status aws_sm_replicas_sync(struct aws_store *store, struct esp_call *call, esp_bytes id,
                                const json_t *secret, const json_t *spec)
{
    const json_t *wanted = json_object_get(spec, "replicationLocations");
    const json_t *replicas = json_object_get(secret, "ReplicationStatus");
    struct aws_request r;

    if (!json_is_array(wanted))
        return ESP_OK;
    esp_status status = remove_regions(store, call, id, replicas, wanted);
    if (status != ESP_OK)
        return status;
    aws_sm_begin(&r, "ReplicateSecretToRegions", id);
    if (add_regions(&r, wanted, replicas, esp_tree_text(secret, "KmsKeyId")))
        return aws_request_done(&r, store, call);
    aws_request_end(&r);
    return ESP_OK;
}
