/* Secrets Manager: the resource policy of a pushed secret. The text comes out of a ConfigMap or a Secret
 * beside the PushSecret. */
#include "sm.h"

static esp_status no_policy(struct esp_call *call, const char *why)
{
    return esp_failf(aws_host, call, ESP_E_CONFIG, "failed to resolve resource policy: %s", why);
}

static esp_status read_source(struct esp_call *call, const json_t *ref, esp_bytes *policy)
{
    esp_bytes kind = esp_tree_text(ref, "kind"), name = esp_tree_text(ref, "name"),
              key = esp_tree_text(ref, "key");
    int32_t what = esp_equal_str(kind, "Secret") ? ESP_KUBE_SECRET : ESP_KUBE_CONFIGMAP;

    if (!json_is_object(ref))
        return no_policy(call, "policySourceRef is nil");
    if (what == ESP_KUBE_CONFIGMAP && !esp_equal_str(kind, "ConfigMap"))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "failed to resolve resource policy: unsupported PolicySourceRef kind: %.*s (must be "
                         "ConfigMap or Secret)",
                         ESP_ARG(kind));
    esp_status status = aws_host->kube_read(call, what, esp_str(""), name, key, policy);
    if (status == ESP_E_NOT_FOUND)
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "failed to resolve resource policy: key %.*s not found in %.*s %.*s", ESP_ARG(key),
                         ESP_ARG(kind), ESP_ARG(name));
    return status;
}

esp_status aws_sm_policy_wanted(struct esp_call *call, const json_t *spec, struct esp_text *policy)
{
    const json_t *wanted = json_object_get(spec, "resourcePolicy");
    esp_bytes text = {0};

    if (!wanted || json_is_null(wanted))
        return ESP_OK;
    esp_status status = read_source(call, json_object_get(wanted, "policySourceRef"), &text);
    if (status != ESP_OK || text.len == 0)
        return status;
    if (esp_json_kind(text) != ESP_JSON_OBJECT || !esp_json_sorted(text, policy))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "failed to unmarshal desired resource policy: it is not a JSON object");
    return ESP_OK;
}

/* Appends the policy that the secret has, sorted; nothing when it has none. Without the right to look there
 * is none for somebody who does not need one: no push that names no policy should need that right. */
static esp_status read_current(struct aws_store *store, struct esp_call *call, esp_bytes id, bool is_needed,
                               struct esp_text *current)
{
    struct esp_text text;
    struct aws_request r;

    esp_text_init(&text, AWS_MAX_TEXT);
    aws_sm_begin(&r, "GetResourcePolicy", id);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        esp_json_plain(aws_json_member(r.answer.body, "ResourcePolicy"), &text);
        if (text.len && !esp_json_sorted(esp_text_bytes(&text), current))
            esp_text_add(current, esp_text_bytes(&text)); /* differs from whatever is wanted */
    } else if (status == ESP_OK && !aws_request_is(&r, "ResourceNotFoundException") &&
               (is_needed || !aws_request_denied(&r))) {
        status = aws_request_fail(&r, call);
    }
    aws_request_end(&r);
    esp_text_free(&text);
    return status;
}

static esp_status put_policy(struct aws_store *store, struct esp_call *call, esp_bytes id, const json_t *spec,
                             esp_bytes policy)
{
    const json_t *block = json_object_get(json_object_get(spec, "resourcePolicy"), "blockPublicPolicy");
    struct aws_request r;

    aws_sm_begin(&r, "PutResourcePolicy", id);
    aws_json_text(&r.body, "ResourcePolicy", policy);
    if (json_is_boolean(block))
        aws_json_flag(&r.body, "BlockPublicPolicy", json_is_true(block));
    return aws_request_done(&r, store, call);
}

static esp_status delete_policy(struct aws_store *store, struct esp_call *call, esp_bytes id)
{
    struct aws_request r;
    aws_sm_begin(&r, "DeleteResourcePolicy", id);
    return aws_request_done(&r, store, call);
}

esp_status aws_sm_policy_sync(struct aws_store *store, struct esp_call *call, esp_bytes id,
                              const json_t *spec, esp_bytes policy)
{
    struct esp_text current;

    esp_text_init(&current, AWS_MAX_TEXT);
    esp_status status = read_current(store, call, id, policy.len > 0, &current);
    if (status == ESP_OK && !esp_equal(esp_text_bytes(&current), policy))
        status = policy.len ? put_policy(store, call, id, spec, policy) : delete_policy(store, call, id);
    esp_text_free(&current);
    return status;
}
