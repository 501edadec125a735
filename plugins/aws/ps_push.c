/* Parameter Store: push and remove. */
#include "ps.h"

#include <stdlib.h>

#include <esp/push.h>

#include "push.h"
#include "tags.h"
/* What is to be there in the end. */
struct wish {
    struct aws_push push;
    esp_bytes type, description, kms_key;
    const json_t *tier;
    struct esp_text value;
};

/* ---- the metadata ---- */

static esp_status read_type(struct wish *w, struct esp_call *call)
{
    esp_status status = aws_push_text(&w->push, call, "secretType", "String", &w->type);
    if (status != ESP_OK || esp_equal_str(w->type, "String") || esp_equal_str(w->type, "SecureString") ||
        esp_equal_str(w->type, "StringList"))
        return status;
    return esp_failf(aws_host, call, ESP_E_CONFIG,
                     "spec.secretType of the metadata is %.*s: it can be String, SecureString or StringList",
                     ESP_ARG(w->type));
}

static esp_status read_tier(struct wish *w, struct esp_call *call)
{
    const json_t *tier = json_object_get(w->push.spec, "tier");
    esp_bytes type = esp_tree_text(tier, "type");
    const char *key;
    json_t *value;

    if (tier && !json_is_null(tier) && !json_is_object(tier))
        return esp_failf(aws_host, call, ESP_E_CONFIG, "spec.tier of the metadata is not an object");
    json_object_foreach ((json_t *)tier, key, value)
        if (!esp_equal_str(esp_str(key), "type") && !esp_equal_str(esp_str(key), "policies"))
            return esp_failf(aws_host, call, ESP_E_CONFIG, "spec.tier of the metadata has no field %s", key);
    if (type.len && !esp_equal_str(type, "Standard") && !esp_equal_str(type, "Advanced"))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "spec.tier.type of the metadata is %.*s: it can be Standard or Advanced",
                         ESP_ARG(type));
    w->tier = tier;
    return ESP_OK;
}

static esp_status read_decoded(const struct wish *w, struct esp_call *call, bool *decoded)
{
    const json_t *value = json_object_get(w->push.spec, "encodeAsDecoded");

    *decoded = json_is_true(value);
    if (!value || json_is_null(value) || json_is_boolean(value))
        return ESP_OK;
    return esp_failf(aws_host, call, ESP_E_CONFIG,
                     "spec.encodeAsDecoded of the metadata is neither true nor false");
}

/* A whole Secret is an object of base64 values, unless somebody wants to read it there. */
static esp_status read_value(struct wish *w, struct esp_call *call)
{
    const struct esp_request *req = w->push.req;
    bool decoded;

    esp_status status = read_decoded(w, call, &decoded);
    if (status != ESP_OK)
        return status;
    if (esp_tree_text(w->push.document, "secretKey").len || decoded)
        status = esp_push_value(aws_host, call, req, &w->value);
    else
        esp_json_values(req->values, req->value_count, true, &w->value);
    if (status == ESP_OK && esp_text_failed(&w->value))
        return aws_no_memory(call);
    if (status == ESP_OK && !aws_json_can_hold(esp_text_bytes(&w->value)))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "the value for %s is not UTF-8: a parameter holds text", esp_text_str(&w->push.id));
    return status;
}

static esp_status wish_begin(struct wish *w, struct aws_store *store, struct esp_call *call,
                             const struct esp_request *req)
{
    static const char *const known[] = {"secretType", "kmsKeyID",    "tier", "encodeAsDecoded",
                                        "tags",       "description", NULL};

    esp_text_init(&w->value, AWS_MAX_TEXT);
    esp_status status = aws_push_begin(&w->push, store, call, req, known);
    if (status == ESP_OK)
        status = read_type(w, call);
    if (status == ESP_OK)
        status = read_tier(w, call);
    if (status == ESP_OK)
        status = aws_push_text(&w->push, call, "description", AWS_DESCRIPTION, &w->description);
    if (status == ESP_OK)
        status = aws_push_text(&w->push, call, "kmsKeyID", "alias/aws/ssm", &w->kms_key);
    return status == ESP_OK ? read_value(w, call) : status;
}

static void wish_end(struct wish *w)
{
    aws_push_end(&w->push);
    esp_text_free(&w->value);
}

/* ---- writing ---- */

/* Policies are JSON within JSON. */
static void add_tier(struct aws_request *r, const json_t *tier)
{
    const json_t *policies = json_object_get(tier, "policies");

    if (!esp_equal_str(esp_tree_text(tier, "type"), "Advanced"))
        return;
    aws_json_text(&r->body, "Tier", esp_str("Advanced"));
    if (!policies || json_is_null(policies))
        return;
    struct esp_text text;
    esp_text_init(&text, AWS_MAX_TEXT);
    if (json_is_string(policies))
        esp_text_add(&text, esp_tree_text(tier, "policies"));
    else if (!esp_tree_write(policies, &text))
        r->body.failed = true;
    aws_json_text(&r->body, "Policies", esp_text_bytes(&text));
    esp_text_free(&text);
}

/* Tags come with a new parameter only: AWS takes none with one that is overwritten. */
static esp_status put(struct aws_store *store, struct esp_call *call, const struct wish *w, bool is_new)
{
    struct aws_request r;

    aws_request_begin(&r, &aws_ssm_api, "PutParameter", esp_text_bytes(&w->push.id));
    aws_json_text(&r.body, "Name", r.ask.key);
    aws_json_text(&r.body, "Value", esp_text_bytes(&w->value));
    aws_json_text(&r.body, "Type", w->type);
    aws_json_text(&r.body, "Description", w->description);
    aws_json_flag(&r.body, "Overwrite", !is_new);
    if (esp_equal_str(w->type, "SecureString"))
        aws_json_text(&r.body, "KeyId", w->kms_key);
    add_tier(&r, w->tier);
    if (is_new)
        aws_tags_add(&r, "Tags", w->push.tags);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_is(&r, "ParameterAlreadyExists"))
        status = esp_failf(aws_host, call, ESP_E_RETRY,
                           "somebody created the parameter %.*s in this very moment", ESP_ARG(r.ask.key));
    else if (status == ESP_OK && !aws_request_ok(&r))
        status = aws_request_fail(&r, call);
    aws_request_end(&r);
    return status;
}

static void begin_tagging(struct aws_request *r, const char *operation, esp_bytes id)
{
    aws_request_begin(r, &aws_ssm_api, operation, id);
    aws_json_text(&r->body, "ResourceType", esp_str("Parameter"));
    aws_json_text(&r->body, "ResourceId", id);
}

static const struct aws_tagging tagging = {begin_tagging, "AddTagsToResource", "RemoveTagsFromResource"};

/* The parameter's tags, when it is one of ours; NULL, and ESP_OK, when it is not. */
static esp_status tags_of_managed(struct aws_store *store, struct esp_call *call, esp_bytes id, json_t **ret)
{
    struct aws_verdict verdict = {0};
    json_t *list = NULL;

    *ret = NULL;
    esp_status status = aws_ps_tags(store, call, id, &list, &verdict);
    if (status == ESP_OK)
        status = aws_tell(call, &verdict);
    if (status == ESP_OK && aws_tags_managed(list))
        *ret = json_incref(list);
    json_decref(list);
    return status;
}

/* Without a right to decrypt, some services hand out this word for every value. */
static esp_status write_over(struct aws_store *store, struct esp_call *call, const struct wish *w,
                             esp_bytes current, const json_t *list)
{
    if (esp_equal_str(current, "sensitive"))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "unable to compare 'sensitive' result, ensure to request a decrypted value");
    if (esp_equal(current, esp_text_bytes(&w->value)))
        return ESP_OK;
    esp_status status = put(store, call, w, false);
    return status == ESP_OK ? aws_push_tags(&w->push, store, call, &tagging, list) : status;
}

static esp_status update(struct aws_store *store, struct esp_call *call, const struct wish *w,
                         esp_bytes current)
{
    json_t *list;

    esp_status status = tags_of_managed(store, call, esp_text_bytes(&w->push.id), &list);
    if (status == ESP_OK)
        status = list ? write_over(store, call, w, current, list) : aws_not_managed(call);
    json_decref(list);
    return status;
}

static esp_status create_or_update(struct aws_store *store, struct esp_call *call, const struct wish *w)
{
    const struct aws_ref ref = {.key = esp_text_bytes(&w->push.id), .is_id = true};
    struct aws_verdict verdict = {0};
    struct esp_text current;

    esp_text_init(&current, AWS_MAX_TEXT);
    esp_status status = aws_ps_read(store, call, &ref, &current, &verdict);
    if (status == ESP_OK && verdict.status == ESP_E_NOT_FOUND)
        status = put(store, call, w, true);
    else if (status == ESP_OK && verdict.status != ESP_OK)
        status = aws_tell(call, &verdict);
    else if (status == ESP_OK)
        status = update(store, call, w, esp_text_bytes(&current));
    esp_text_free(&current);
    return status;
}

esp_status aws_ps_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct wish w = {0};

    esp_status status = wish_begin(&w, instance, call, req);
    if (status == ESP_OK)
        status = create_or_update(instance, call, &w);
    wish_end(&w);
    return status;
}

/* ---- remove ---- */

/* Nothing of the value is needed, so no right to decrypt it is. */
static esp_status is_there(struct aws_store *store, struct esp_call *call, esp_bytes id, bool *there)
{
    struct aws_request r;

    aws_ps_begin_get(&r, id, false);
    esp_status status = aws_request_send(&r, store, call);
    *there = status == ESP_OK && aws_request_ok(&r);
    if (status == ESP_OK && !*there && !aws_request_is(&r, "ParameterNotFound"))
        status = aws_request_fail(&r, call);
    aws_request_end(&r);
    return status;
}

static esp_status send_deletion(struct aws_store *store, struct esp_call *call, esp_bytes id)
{
    struct aws_request r;

    aws_request_begin(&r, &aws_ssm_api, "DeleteParameter", id);
    aws_json_text(&r.body, "Name", id);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r) && !aws_request_is(&r, "ParameterNotFound"))
        status = aws_request_fail(&r, call);
    aws_request_end(&r);
    return status;
}

static esp_status delete_managed(struct aws_store *store, struct esp_call *call, esp_bytes id)
{
    json_t *list = NULL;
    bool there;

    esp_status status = is_there(store, call, id, &there);
    if (status != ESP_OK || !there)
        return status;
    status = tags_of_managed(store, call, id, &list);
    if (status == ESP_OK && list)
        status = send_deletion(store, call, id);
    json_decref(list);
    return status;
}

esp_status aws_ps_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return aws_remove(instance, call, req, delete_managed);
}
