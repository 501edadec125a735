/* Secrets Manager: push, property by property into what is there, and remove. */
#include "sm.h"

#include <stdio.h>

#include <esp/push.h>

#include "push.h"
#include "tags.h"
/* The first version of a secret has this id, so that a creation that is tried again makes one secret. */
#define FIRST_VERSION "00000000-0000-0000-0000-000000000001"

struct settings {
    bool as_string; /* secretPushFormat: string */
    esp_bytes description, kms_key;
};

/* What is to be there in the end. */
struct wish {
    struct aws_push push;
    struct settings settings;
    struct esp_text given;  /* what the Secret holds */
    struct esp_text policy; /* resource policy; empty: none */
};

static esp_status check_regions(const struct wish *w, struct esp_call *call)
{
    const json_t *regions = json_object_get(w->push.spec, "replicationLocations");
    bool sound = !regions || json_is_null(regions) || json_is_array(regions);
    json_t *region;
    size_t i;

    json_array_foreach (regions, i, region)
        sound = sound && json_string_length(region) > 0;
    return sound ? ESP_OK
                 : esp_failf(aws_host, call, ESP_E_CONFIG,
                             "spec.replicationLocations of the metadata is not a list of regions");
}

static esp_status read_settings(struct wish *w, struct esp_call *call)
{
    esp_bytes format = {0}, other = {0};

    esp_status status = aws_push_text(&w->push, call, "secretPushFormat", "binary", &format);
    if (status == ESP_OK && !esp_equal_str(format, "binary") && !esp_equal_str(format, "string"))
        status = esp_failf(aws_host, call, ESP_E_CONFIG, "invalid secret push format: %.*s", ESP_ARG(format));
    if (status == ESP_OK)
        status = aws_push_text(&w->push, call, "description", AWS_DESCRIPTION, &w->settings.description);
    if (status == ESP_OK) /* both ways of writing it are in use */
        status = aws_push_text(&w->push, call, "kmsKeyId", "alias/aws/secretsmanager", &other);
    if (status == ESP_OK)
        status = aws_push_text(&w->push, call, "kmsKeyID", (const char *)other.ptr, &w->settings.kms_key);
    w->settings.as_string = esp_equal_str(format, "string");
    return status == ESP_OK ? check_regions(w, call) : status;
}

static esp_status wish_begin(struct wish *w, struct aws_store *store, struct esp_call *call,
                             const struct esp_request *req)
{
    static const char *const known[] = {"secretPushFormat", "description", "kmsKeyID",
                                        "kmsKeyId",         "tags",        "replicationLocations",
                                        "resourcePolicy",   NULL};

    esp_text_init(&w->given, AWS_MAX_TEXT);
    esp_text_init(&w->policy, AWS_MAX_TEXT);
    esp_status status = aws_push_begin(&w->push, store, call, req, known);
    if (status == ESP_OK)
        status = read_settings(w, call);
    if (status == ESP_OK)
        status = esp_push_value(aws_host, call, req, &w->given);
    if (status == ESP_OK)
        status = aws_sm_policy_wanted(call, w->push.spec, &w->policy);
    return status;
}

static void wish_end(struct wish *w)
{
    aws_push_end(&w->push);
    esp_text_free(&w->given);
    esp_text_free(&w->policy);
}

/* ---- the value ---- */

static esp_status set_property(struct esp_call *call, esp_bytes current, esp_bytes property, esp_bytes given,
                               struct esp_text *value)
{
    struct esp_text quoted;

    if (current.len && !esp_json_check(current, NULL))
        return esp_failf(
            aws_host, call, ESP_E_CONFIG,
            "PushSecret for aws secrets manager with a pushSecretData property requires a json secret");
    esp_text_init(&quoted, AWS_MAX_TEXT);
    esp_json_quote(given, &quoted);
    int rc = esp_text_failed(&quoted) ? -1 : esp_json_set(current, property, esp_text_bytes(&quoted), value);
    esp_text_free(&quoted);
    if (rc == 0)
        return esp_failf(aws_host, call, ESP_E_CONFIG, "the property %.*s is no place in the secret's JSON",
                         ESP_ARG(property));
    return rc < 0 ? aws_no_memory(call) : ESP_OK;
}

/* Appends what the secret is to hold, given what it holds. */
static esp_status new_value(const struct wish *w, struct esp_call *call, esp_bytes current,
                            struct esp_text *value)
{
    esp_bytes property = esp_tree_text(w->push.document, "property"), given = esp_text_bytes(&w->given);
    esp_status status = ESP_OK;

    if (property.len)
        status = set_property(call, current, property, given, value);
    else
        esp_text_add(value, given);
    if (status == ESP_OK && esp_text_failed(value))
        return aws_no_memory(call);
    if (status == ESP_OK && w->settings.as_string && !aws_json_can_hold(esp_text_bytes(value)))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "the value for %s is not UTF-8, so secretPushFormat has to be binary",
                         esp_text_str(&w->push.id));
    return status;
}

static void add_value(struct aws_request *r, const struct wish *w, esp_bytes value)
{
    if (w->settings.as_string)
        aws_json_text(&r->body, "SecretString", value);
    else
        aws_json_base64(&r->body, "SecretBinary", value);
}

/* ---- a new secret ---- */

static esp_status send_creation(struct aws_store *store, struct esp_call *call, const struct wish *w,
                                esp_bytes value)
{
    struct aws_request r;

    aws_request_begin(&r, &aws_sm_api, "CreateSecret", esp_text_bytes(&w->push.id));
    aws_json_text(&r.body, "Name", r.ask.key);
    aws_json_text(&r.body, "ClientRequestToken", esp_str(FIRST_VERSION));
    aws_json_text(&r.body, "Description", w->settings.description);
    aws_json_text(&r.body, "KmsKeyId", w->settings.kms_key);
    aws_tags_add(&r, "Tags", w->push.tags);
    aws_sm_replicas_add(&r, w->push.spec, w->settings.kms_key);
    add_value(&r, w, value);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_is(&r, "ResourceExistsException"))
        status = esp_failf(aws_host, call, ESP_E_RETRY,
                           "somebody created the secret %.*s in this very moment", ESP_ARG(r.ask.key));
    else if (status == ESP_OK && !aws_request_ok(&r))
        status = aws_request_fail(&r, call);
    aws_request_end(&r);
    return status;
}

static esp_status create(struct aws_store *store, struct esp_call *call, const struct wish *w)
{
    struct esp_text value;

    esp_text_init(&value, AWS_MAX_TEXT);
    esp_status status = new_value(w, call, esp_str(""), &value);
    if (status == ESP_OK)
        status = send_creation(store, call, w, esp_text_bytes(&value));
    if (status == ESP_OK && w->policy.len)
        status = aws_sm_policy_sync(store, call, esp_text_bytes(&w->push.id), w->push.spec,
                                    esp_text_bytes(&w->policy));
    esp_text_free(&value);
    return status;
}

/* ---- one that is there ---- */

static const struct aws_tagging tagging = {aws_sm_begin, "TagResource", "UntagResource"};

/* A version 4 UUID (RFC 9562): AWS takes the same token for the same write. */
static esp_status new_version(struct esp_call *call, char ret[37])
{
    uint8_t b[16];

    esp_status status = aws_host->random(call, b, sizeof b);
    if (status != ESP_OK)
        return status;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return ESP_OK;
}

static esp_status put_value(struct aws_store *store, struct esp_call *call, const struct wish *w,
                            bool is_first, esp_bytes value)
{
    char version[37] = FIRST_VERSION;
    struct aws_request r;

    esp_status status = is_first ? ESP_OK : new_version(call, version);
    if (status != ESP_OK)
        return status;
    aws_sm_begin(&r, "PutSecretValue", esp_text_bytes(&w->push.id));
    aws_json_text(&r.body, "ClientRequestToken", esp_str(version));
    add_value(&r, w, value);
    return aws_request_done(&r, store, call);
}

/* *has_value: there is one. */
static esp_status read_current(struct aws_store *store, struct esp_call *call, const struct wish *w,
                               const json_t *secret, struct esp_text *current, bool *has_value)
{
    struct aws_verdict verdict = {0};

    *has_value = false;
    if (json_object_size(json_object_get(secret, "VersionIdsToStages")) == 0)
        return ESP_OK;
    esp_status status = aws_sm_current(store, call, esp_text_bytes(&w->push.id), current, &verdict);
    if (status != ESP_OK || verdict.status == ESP_E_NOT_FOUND)
        return status;
    *has_value = true;
    return aws_tell(call, &verdict);
}

static esp_status sync_value(struct aws_store *store, struct esp_call *call, const struct wish *w,
                             bool has_value, const struct esp_text *current, const struct esp_text *value)
{
    if (has_value && esp_equal(esp_text_bytes(current), esp_text_bytes(value)))
        return ESP_OK;
    return put_value(store, call, w, !has_value, esp_text_bytes(value));
}

static esp_status update(struct aws_store *store, struct esp_call *call, const struct wish *w,
                         const json_t *secret)
{
    esp_bytes id = esp_text_bytes(&w->push.id);
    struct esp_text current, value;
    bool has_value;

    esp_text_init(&current, AWS_MAX_TEXT);
    esp_text_init(&value, AWS_MAX_TEXT);
    esp_status status = read_current(store, call, w, secret, &current, &has_value);
    if (status == ESP_OK)
        status = new_value(w, call, esp_text_bytes(&current), &value);
    if (status == ESP_OK)
        status = aws_push_tags(&w->push, store, call, &tagging, json_object_get(secret, "Tags"));
    if (status == ESP_OK)
        status = aws_sm_policy_sync(store, call, id, w->push.spec, esp_text_bytes(&w->policy));
    if (status == ESP_OK)
        status = aws_sm_replicas_sync(store, call, id, secret, w->push.spec);
    if (status == ESP_OK)
        status = sync_value(store, call, w, has_value, &current, &value);
    esp_text_free(&current);
    esp_text_free(&value);
    return status;
}

static bool waits_for_deletion(const json_t *secret)
{
    const json_t *date = json_object_get(secret, "DeletedDate");
    return date && !json_is_null(date);
}

static esp_status create_or_update(struct aws_store *store, struct esp_call *call, const struct wish *w)
{
    struct aws_verdict verdict = {0};
    json_t *secret = NULL;

    esp_status status = aws_sm_describe(store, call, esp_text_bytes(&w->push.id), &secret, &verdict);
    if (status == ESP_OK)
        status = aws_tell(call, &verdict);
    if (status != ESP_OK)
        return status;
    if (!secret)
        status = create(store, call, w);
    else if (!aws_tags_managed(json_object_get(secret, "Tags")))
        status = aws_not_managed(call);
    else if (waits_for_deletion(secret))
        status = esp_failf(aws_host, call, ESP_E_CONFIG,
                           "the secret %s is marked for deletion: restore it, or wait until it is gone",
                           esp_text_str(&w->push.id));
    else
        status = update(store, call, w, secret);
    json_decref(secret);
    return status;
}

esp_status aws_sm_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct wish w = {0};

    esp_status status = wish_begin(&w, instance, call, req);
    if (status == ESP_OK)
        status = create_or_update(instance, call, &w);
    wish_end(&w);
    return status;
}

/* ---- remove ---- */

static esp_status send_deletion(struct aws_store *store, struct esp_call *call, esp_bytes id)
{
    struct aws_request r;

    aws_sm_begin(&r, "DeleteSecret", id);
    if (store->force_delete)
        aws_json_flag(&r.body, "ForceDeleteWithoutRecovery", true);
    if (store->recovery_days)
        aws_json_number(&r.body, "RecoveryWindowInDays", store->recovery_days);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r) && !aws_sm_is_gone(&r))
        status = aws_request_fail(&r, call);
    aws_request_end(&r);
    return status;
}

static esp_status delete_managed(struct aws_store *store, struct esp_call *call, esp_bytes id)
{
    struct aws_verdict verdict = {0};
    json_t *secret = NULL;

    esp_status status = aws_sm_describe(store, call, id, &secret, &verdict);
    if (status == ESP_OK)
        status = aws_tell(call, &verdict);
    if (status == ESP_OK && secret && aws_tags_managed(json_object_get(secret, "Tags")) &&
        !waits_for_deletion(secret)) {
        status = aws_sm_replicas_remove(store, call, id, secret);
        if (status == ESP_OK)
            status = send_deletion(store, call, id);
    }
    json_decref(secret);
    return status;
}

/* The whole secret goes, whatever the property: who pushed into a part of it is not noted anywhere. */
esp_status aws_sm_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return aws_remove(instance, call, req, delete_managed);
}
