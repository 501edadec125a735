#include "push.h"

#include <esp/push.h>

#include "tags.h"

static esp_status read_spec(struct aws_push *push, struct esp_call *call, const char *const known[])
{
    struct esp_text spec;

    esp_text_init(&spec, AWS_MAX_TEXT);
    esp_status status = esp_push_spec(aws_host, call, push->req, known, &spec);
    if (status == ESP_OK) {
        push->spec = json_loadb((const char *)spec.ptr, spec.len, JSON_ALLOW_NUL, NULL);
        status = push->spec ? aws_tags_wanted(call, push->spec, &push->tags) : aws_no_memory(call);
    }
    esp_text_free(&spec);
    return status;
}

esp_status aws_push_begin(struct aws_push *push, const struct aws_store *store, struct esp_call *call,
                          const struct esp_request *req, const char *const known[])
{
    *push = (struct aws_push){.req = req};
    push->document = json_loadb((const char *)req->json.ptr, req->json.len, JSON_ALLOW_NUL, NULL);
    aws_store_id(store, aws_text(push->document, "remoteKey"), &push->id);
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
    *ret = json_string_length(value) ? aws_text(push->spec, name) : esp_str(fallback);
    return ESP_OK;
}

esp_status aws_not_managed(struct esp_call *call)
{
    return esp_failf(aws_host, call, ESP_E_CONFIG, "secret not managed by external-secrets");
}
