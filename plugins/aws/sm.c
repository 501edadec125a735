/* Secrets Manager: its table, and one secret read. */
#include "sm.h"

#include <string.h>

#include <esp/codec.h>

#include "tags.h"

const struct aws_service aws_secrets_manager = {
    .name = "SecretsManager",
    .batch_size = 20,
    .read = aws_sm_read,
    .can_batch = aws_sm_can_batch,
    .read_some = aws_sm_read_some,
    .list = aws_sm_list,
    .push = aws_sm_push,
    .remove = aws_sm_remove,
};

void aws_sm_begin(struct aws_request *r, const char *operation, esp_bytes id)
{
    aws_request_begin(r, &aws_sm_api, operation, id);
    aws_json_text(&r->body, "SecretId", id);
}

/* Which exception it is, and how it is put, has changed over the years. */
bool aws_sm_is_gone(const struct aws_request *r)
{
    static const char *const sentences[] = {"marked for deletion", "marked deleted",
                                            "scheduled for deletion"};

    if (aws_request_is(r, "ResourceNotFoundException"))
        return true;
    if (!aws_request_is(r, "InvalidRequestException") && !aws_request_is(r, "InvalidParameterException"))
        return false;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (strstr(r->answer.message, sentences[i]))
            return true;
    return false;
}

void aws_sm_value(esp_bytes object, esp_bytes id, struct esp_text *value, struct aws_verdict *verdict)
{
    struct aws_field fields[] = {{.name = "SecretString"}, {.name = "SecretBinary"}};

    aws_json_pick(object, fields, 2);
    if (fields[0].raw.len)
        esp_json_plain(fields[0].raw, value);
    else if (fields[1].raw.len < 2)
        aws_judge(verdict, ESP_E_CONFIG, "invalid secret received. no secret string nor binary for key: %.*s",
                  ESP_ARG(id));
    else if (!esp_base64_decode(esp_span(fields[1].raw.ptr + 1, fields[1].raw.len - 2), value) &&
             !esp_text_failed(value))
        aws_judge(verdict, ESP_E_RETRY, "the binary value of %.*s arrived as something that is no base64",
                  ESP_ARG(id));
    if (esp_text_failed(value))
        aws_judge(verdict, ESP_E_INTERNAL, "no memory for the value of %.*s, or it is too large",
                  ESP_ARG(id));
}

/* Sends a GetSecretValue that says which version. */
static esp_status get_value(struct aws_store *store, struct esp_call *call, struct aws_request *r,
                            struct esp_text *value, struct aws_verdict *verdict)
{
    esp_status status = aws_request_send(r, store, call);
    if (status != ESP_OK)
        return status;
    if (aws_request_ok(r))
        aws_sm_value(r->answer.body, r->ask.key, value, verdict);
    else if (aws_sm_is_gone(r))
        verdict->status = ESP_E_NOT_FOUND;
    else
        aws_request_judge(r, verdict);
    return ESP_OK;
}

esp_status aws_sm_current(struct aws_store *store, struct esp_call *call, esp_bytes id,
                          struct esp_text *value, struct aws_verdict *verdict)
{
    struct aws_request r;
    aws_sm_begin(&r, "GetSecretValue", id);
    esp_status status = get_value(store, call, &r, value, verdict);
    aws_request_end(&r);
    return status;
}

static esp_status read_version(struct aws_store *store, struct esp_call *call, esp_bytes id,
                               esp_bytes version, struct esp_text *value, struct aws_verdict *verdict)
{
    static const char by_id[] = "uuid/";
    struct aws_request r;

    aws_sm_begin(&r, "GetSecretValue", id);
    if (esp_starts_with(version, esp_str(by_id)))
        aws_json_text(&r.body, "VersionId",
                      esp_span(version.ptr + sizeof by_id - 1, version.len - (sizeof by_id - 1)));
    else
        aws_json_text(&r.body, "VersionStage", version.len ? version : esp_str("AWSCURRENT"));
    esp_status status = get_value(store, call, &r, value, verdict);
    aws_request_end(&r);
    return status;
}

esp_status aws_sm_describe(struct aws_store *store, struct esp_call *call, esp_bytes id, json_t **ret,
                           struct aws_verdict *verdict)
{
    struct aws_request r;

    *ret = NULL;
    aws_sm_begin(&r, "DescribeSecret", id);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r))
        status = (*ret = aws_request_tree(&r, call)) ? ESP_OK : ESP_E_INTERNAL;
    else if (status == ESP_OK && !aws_request_is(&r, "ResourceNotFoundException"))
        aws_request_judge(&r, verdict);
    aws_request_end(&r);
    return status;
}

static esp_status read_tags(struct aws_store *store, struct esp_call *call, esp_bytes id,
                            struct esp_text *value, struct aws_verdict *verdict)
{
    json_t *secret = NULL;

    esp_status status = aws_sm_describe(store, call, id, &secret, verdict);
    if (secret)
        status = aws_tags_json(call, json_object_get(secret, "Tags"), value);
    else if (status == ESP_OK && verdict->status == ESP_OK)
        verdict->status = ESP_E_NOT_FOUND;
    json_decref(secret);
    return status;
}

esp_status aws_sm_read(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                       struct esp_text *value, struct aws_verdict *verdict)
{
    struct esp_text id;

    aws_ref_id(store, ref, &id);
    esp_bytes name = esp_text_bytes(&id);
    esp_status status = esp_text_failed(&id) ? aws_no_memory(call)
                        : ref->wants_tags    ? read_tags(store, call, name, value, verdict)
                                             : read_version(store, call, name, ref->version, value, verdict);
    esp_text_free(&id);
    return status;
}
