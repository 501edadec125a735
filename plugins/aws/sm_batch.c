/* Secrets Manager: several secrets in one call. AWS tells of each which it is, and of each that it does not
 * send, why; what it says nothing about is read by itself. */
#include "sm.h"

#include <stdio.h>

/* Only the current version can be had together with others. */
bool aws_sm_can_batch(const struct aws_ref *ref)
{
    return !ref->wants_tags && (ref->version.len == 0 || esp_equal_str(ref->version, "AWSCURRENT"));
}

static esp_status take_value(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                             size_t count, esp_bytes entry)
{
    struct aws_field names[] = {{.name = "Name"}, {.name = "ARN"}};
    esp_status status = ESP_OK;

    aws_json_pick(entry, names, 2);
    for (size_t i = 0; i < count && status == ESP_OK; i++) {
        if (items[i].done ||
            !(aws_item_is(store, &items[i], names[0].raw) || aws_item_is(store, &items[i], names[1].raw)))
            continue;
        struct aws_verdict verdict = {0};
        struct esp_text value;
        esp_text_init(&value, AWS_MAX_TEXT);
        aws_sm_value(entry, items[i].ref.key, &value, &verdict);
        status = aws_settle(call, &items[i], &value, &verdict);
        esp_text_free(&value);
    }
    return status;
}

void aws_sm_judge_entry(esp_bytes entry, esp_bytes id, struct aws_verdict *verdict)
{
    struct aws_field fields[] = {{.name = "ErrorCode"}, {.name = "Message"}};
    struct aws_request r = {
        .ask = {.service = aws_sm_api.service, .operation = "GetSecretValue", .key = id},
        .answer = {.status = 400},
    };
    struct esp_text text;

    aws_json_pick(entry, fields, 2);
    esp_text_init(&text, AWS_MAX_TEXT);
    esp_json_plain(fields[0].raw, &text);
    snprintf(r.answer.code, sizeof r.answer.code, "%s", esp_text_str(&text));
    esp_text_cut(&text, 0);
    esp_json_plain(fields[1].raw, &text);
    snprintf(r.answer.message, sizeof r.answer.message, "%s", esp_text_str(&text));
    esp_text_free(&text);
    if (aws_sm_is_gone(&r))
        verdict->status = ESP_E_NOT_FOUND;
    else
        aws_request_judge(&r, verdict);
}

static esp_status take_error(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                             size_t count, esp_bytes entry)
{
    esp_bytes name = aws_json_member(entry, "SecretId");
    esp_status status = ESP_OK;

    for (size_t i = 0; i < count && status == ESP_OK; i++) {
        if (items[i].done || !aws_item_is(store, &items[i], name))
            continue;
        struct aws_verdict verdict = {0};
        struct esp_text id;
        aws_ref_id(store, &items[i].ref, &id);
        aws_sm_judge_entry(entry, esp_text_bytes(&id), &verdict);
        esp_text_free(&id);
        status = aws_settle(call, &items[i], NULL, &verdict);
    }
    return status;
}

typedef esp_status take(struct aws_store *store, struct esp_call *call, struct aws_item *items, size_t count,
                        esp_bytes entry);

static esp_status take_list(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                            size_t count, esp_bytes list, take *one)
{
    struct esp_json_iter it;
    esp_bytes entry;
    esp_status status = ESP_OK;

    if (list.len == 0 || !esp_json_elements(&it, list))
        return ESP_OK;
    while (status == ESP_OK && esp_json_element(&it, &entry))
        status = one(store, call, items, count, entry);
    return status;
}

esp_status aws_sm_read_some(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                            size_t count, bool *refused)
{
    struct aws_request r;

    aws_request_begin(&r, &aws_sm_api, "BatchGetSecretValue", esp_str(""));
    aws_request_add_ids(&r, store, "SecretIdList", items, count);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        struct aws_field lists[] = {{.name = "SecretValues"}, {.name = "Errors"}};
        aws_json_pick(r.answer.body, lists, 2);
        status = take_list(store, call, items, count, lists[0].raw, take_value);
        if (status == ESP_OK)
            status = take_list(store, call, items, count, lists[1].raw, take_error);
    } else if (status == ESP_OK) {
        *refused = aws_request_denied(&r) || aws_request_is(&r, "UnknownOperationException");
    }
    aws_request_end(&r);
    return status;
}
