/* Parameter Store: its table, and parameters read, one or several at once. */
#include "ps.h"

#include "tags.h"

const struct aws_service aws_parameter_store = {
    .name = "ParameterStore",
    .batch_size = 10,
    .read = aws_ps_read,
    .can_batch = aws_ps_can_batch,
    .read_some = aws_ps_read_some,
    .list = aws_ps_list,
    .push = aws_ps_push,
    .remove = aws_ps_remove,
    .pushes_whole = true,
};

void aws_ps_begin_get(struct aws_request *r, esp_bytes id, bool decrypted)
{
    aws_request_begin(r, &aws_ssm_api, "GetParameter", id);
    aws_json_text(&r->body, "Name", id);
    aws_json_flag(&r->body, "WithDecryption", decrypted);
}

void aws_ps_value(esp_bytes raw, esp_bytes id, struct esp_text *value, struct aws_verdict *verdict)
{
    esp_bytes text = aws_json_member(raw, "Value");

    if (esp_json_kind(text) != ESP_JSON_STRING)
        aws_judge(verdict, ESP_E_CONFIG, "invalid secret received. parameter value is nil for key: %.*s",
                  ESP_ARG(id));
    else
        esp_json_plain(text, value);
    if (esp_text_failed(value))
        aws_judge(verdict, ESP_E_INTERNAL, "no memory for the value of %.*s, or it is too large",
                  ESP_ARG(id));
}

esp_status aws_ps_tags(struct aws_store *store, struct esp_call *call, esp_bytes id, json_t **ret,
                       struct aws_verdict *verdict)
{
    struct aws_request r;
    json_t *tree = NULL;

    *ret = NULL;
    aws_request_begin(&r, &aws_ssm_api, "ListTagsForResource", id);
    aws_json_text(&r.body, "ResourceType", esp_str("Parameter"));
    aws_json_text(&r.body, "ResourceId", id);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        tree = aws_request_tree(&r, call);
        status = tree ? ESP_OK : ESP_E_INTERNAL;
        json_t *list = json_object_get(tree, "TagList");
        *ret = list ? json_incref(list) : json_array();
    } else if (status == ESP_OK) {
        aws_request_judge(&r, verdict);
    }
    json_decref(tree);
    aws_request_end(&r);
    return status;
}

static esp_status read_tags(struct aws_store *store, struct esp_call *call, esp_bytes id,
                            struct esp_text *value, struct aws_verdict *verdict)
{
    json_t *tags = NULL;

    esp_status status = aws_ps_tags(store, call, id, &tags, verdict);
    if (tags)
        status = aws_tags_json(call, tags, value);
    json_decref(tags);
    return status;
}

static esp_status read_value(struct aws_store *store, struct esp_call *call, esp_bytes id,
                             struct esp_text *value, struct aws_verdict *verdict)
{
    struct aws_request r;

    aws_ps_begin_get(&r, id, true);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r))
        aws_ps_value(aws_json_member(r.answer.body, "Parameter"), id, value, verdict);
    else if (status == ESP_OK && aws_request_is(&r, "ParameterNotFound"))
        verdict->status = ESP_E_NOT_FOUND;
    else if (status == ESP_OK)
        aws_request_judge(&r, verdict);
    aws_request_end(&r);
    return status;
}

/* The name, with the version or label behind a colon. */
static void full_id(const struct aws_store *store, const struct aws_ref *ref, struct esp_text *id)
{
    aws_ref_id(store, ref, id);
    if (ref->version.len == 0 || ref->wants_tags) /* tags are the parameter's, not a version's */
        return;
    esp_text_addc(id, ':');
    esp_text_add(id, ref->version);
}

esp_status aws_ps_read(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                       struct esp_text *value, struct aws_verdict *verdict)
{
    struct esp_text id;

    full_id(store, ref, &id);
    esp_bytes name = esp_text_bytes(&id);
    esp_status status = esp_text_failed(&id) ? aws_no_memory(call)
                        : ref->wants_tags    ? read_tags(store, call, name, value, verdict)
                                             : read_value(store, call, name, value, verdict);
    esp_text_free(&id);
    return status;
}

/* ---- several at once ---- */

/* With several versions of one parameter in an answer, some servers do not say which is which. */
bool aws_ps_can_batch(const struct aws_ref *ref)
{
    return !ref->wants_tags && ref->version.len == 0;
}

static esp_status take_parameter(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                                 size_t count, esp_bytes parameter)
{
    esp_bytes name = aws_json_member(parameter, "Name");
    esp_status status = ESP_OK;

    for (size_t i = 0; i < count && status == ESP_OK; i++) {
        struct aws_verdict verdict = {0};
        struct esp_text value;
        if (items[i].done || !aws_item_is(store, &items[i], name))
            continue;
        esp_text_init(&value, AWS_MAX_TEXT);
        aws_ps_value(parameter, items[i].ref.key, &value, &verdict);
        status = aws_settle(call, &items[i], &value, &verdict);
        esp_text_free(&value);
    }
    return status;
}

/* What AWS calls invalid may be malformed or may not exist; a read by itself tells which. */
esp_status aws_ps_read_some(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                            size_t count, bool *refused)
{
    struct esp_json_iter it;
    struct aws_request r;
    esp_bytes parameter;

    aws_request_begin(&r, &aws_ssm_api, "GetParameters", esp_str(""));
    aws_request_add_ids(&r, store, "Names", items, count);
    aws_json_flag(&r.body, "WithDecryption", true);
    esp_status status = aws_request_send(&r, store, call);
    *refused = status == ESP_OK && aws_request_denied(&r);
    if (status == ESP_OK && aws_request_ok(&r) &&
        esp_json_elements(&it, aws_json_member(r.answer.body, "Parameters")))
        while (status == ESP_OK && esp_json_element(&it, &parameter))
            status = take_parameter(store, call, items, count, parameter);
    aws_request_end(&r);
    return status;
}
