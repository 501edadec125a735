#include "push.h"

#include <esp/push.h>

#include "tags.h"
static esp_status read_spec(struct aws_push *push, struct esp_call *call, const char *const known[])
{
    struct esp_text spec;

    esp_text_init(&spec, AWS_MAX_TEXT);
    esp_status status =
        esp_push_spec_of(aws_host, call, push->req, known, "failed to parse metadata: ", &spec);
    if (status == ESP_OK) {
        push->spec = esp_tree_read(esp_text_bytes(&spec));
        status = push->spec ? aws_tags_wanted(call, push->spec, &push->tags) : aws_no_memory(call);
    }
    esp_text_free(&spec);
    return status;
}

esp_status aws_push_begin(struct aws_push *push, const struct aws_store *store, struct esp_call *call,
                          const struct esp_request *req, const char *const known[])
{
    *push = (struct aws_push){.req = req};
    push->document = esp_tree_read(req->json);
    aws_store_id(store, esp_tree_text(push->document, "remoteKey"), &push->id);
    if (!push->document || esp_text_failed(&push->id))
        return aws_no_memory(call);
    return read_spec(push, call, known);
}

void aws_push_end(struct aws_push *push)
{
    json_decref(push->document);
    json_decref(push->spec);
    json_decref(push->tags);
    esp_text_free(&push->id);
}

esp_status aws_push_text(const struct aws_push *push, struct esp_call *call, const char *name,
                         const char *fallback, esp_bytes *ret)
{
    const json_t *value = json_object_get(push->spec, name);

    if (value && !json_is_null(value) && !json_is_string(value))
        return esp_failf(aws_host, call, ESP_E_CONFIG, "spec.%s of the metadata is not a string", name);
    *ret = json_string_length(value) ? esp_tree_text(push->spec, name) : esp_str(fallback);
    return ESP_OK;
}

esp_status aws_push_tags(const struct aws_push *push, struct aws_store *store, struct esp_call *call,
                         const struct aws_tagging *how, const json_t *list)
{
    esp_bytes id = esp_text_bytes(&push->id);
    struct aws_request r;
    esp_status status = ESP_OK;

    if (json_object_size(json_object_get(push->spec, "tags")) == 0)
        return ESP_OK;
    how->begin(&r, how->remove, id);
    if (aws_tags_add_stale(&r, "TagKeys", list, push->tags))
        status = aws_request_done(&r, store, call);
    else
        aws_request_end(&r);
    if (status != ESP_OK || !aws_tags_missing(list, push->tags))
        return status;
    how->begin(&r, how->add, id);
    aws_tags_add(&r, "Tags", push->tags);
    return aws_request_done(&r, store, call);
}

esp_status aws_remove(struct aws_store *store, struct esp_call *call, const struct esp_request *req,
                      esp_status (*act)(struct aws_store *store, struct esp_call *call, esp_bytes id))
{
    struct esp_text id;
    json_t *document = esp_tree_read(req->json);

    aws_store_id(store, esp_tree_text(document, "remoteKey"), &id);
    esp_status status =
        !document || esp_text_failed(&id) ? aws_no_memory(call) : act(store, call, esp_text_bytes(&id));
    esp_text_free(&id);
    json_decref(document);
    return status;
}

esp_status aws_not_managed(struct esp_call *call)
{
    return esp_failf(aws_host, call, ESP_E_CONFIG, "secret not managed by external-secrets");
}
