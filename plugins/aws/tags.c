#include "tags.h"

#include <string.h>

json_t *aws_tags_of(const json_t *list)
{
    json_t *tags = json_object(), *tag;
    size_t i;
    int rc = tags ? 0 : -1;

    json_array_foreach (list, i, tag) {
        const json_t *key = json_object_get(tag, "Key");
        json_t *value = json_object_get(tag, "Value");
        if (rc == 0 && json_is_string(key) && json_is_string(value))
            rc = json_object_set(tags, json_string_value(key), value);
    }
    if (rc == 0)
        return tags;
    json_decref(tags);
    return NULL;
}

static const json_t *value_of(const json_t *list, const char *key)
{
    json_t *tag;
    size_t i;

    json_array_foreach (list, i, tag)
        if (esp_equal_str(esp_tree_text(tag, "Key"), key))
            return json_object_get(tag, "Value");
    return NULL;
}

bool aws_tags_managed(const json_t *list)
{
    const char *value = json_string_value(value_of(list, AWS_MANAGED_KEY));
    return value && strcmp(value, AWS_MANAGED_VALUE) == 0;
}

esp_status aws_tags_json(struct esp_call *call, const json_t *list, struct esp_text *out)
{
    json_t *tags = aws_tags_of(list);
    bool done = tags && esp_tree_write(tags, out);

    json_decref(tags);
    return done ? ESP_OK : aws_no_memory(call);
}

static esp_status check_wanted(struct esp_call *call, const json_t *tags)
{
    const char *key;
    json_t *value;

    if (tags && !json_is_object(tags))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "spec.tags of the metadata is not an object of strings");
    if (json_object_get(tags, AWS_MANAGED_KEY))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "error parsing tags in metadata: Cannot specify a '" AWS_MANAGED_KEY "' tag");
    json_object_foreach ((json_t *)tags, key, value)
        if (!json_is_string(value))
            return esp_failf(aws_host, call, ESP_E_CONFIG, "spec.tags.%s of the metadata is not a string",
                             key);
    return ESP_OK;
}

esp_status aws_tags_wanted(struct esp_call *call, const json_t *spec, json_t **ret)
{
    const json_t *given = json_object_get(spec, "tags");

    given = json_is_null(given) ? NULL : given;
    esp_status status = check_wanted(call, given);
    if (status != ESP_OK)
        return status;
    json_t *tags = esp_tree_copy(given);
    if (tags && json_object_set_new(tags, AWS_MANAGED_KEY, json_string(AWS_MANAGED_VALUE)) == 0) {
        *ret = tags;
        return ESP_OK;
    }
    json_decref(tags);
    return aws_no_memory(call);
}

void aws_tags_add(struct aws_request *r, const char *name, const json_t *tags)
{
    const char *key;
    json_t *value;

    aws_json_raw(&r->body, name, esp_str("["));
    json_object_foreach ((json_t *)tags, key, value) {
        bool first = r->body.len && r->body.ptr[r->body.len - 1] == '[';
        esp_text_adds(&r->body, first ? "{" : ",{");
        aws_json_text(&r->body, "Key", esp_str(key));
        aws_json_text(&r->body, "Value", esp_span(json_string_value(value), json_string_length(value)));
        esp_text_addc(&r->body, '}');
    }
    esp_text_addc(&r->body, ']');
}

size_t aws_tags_add_stale(struct aws_request *r, const char *name, const json_t *list, const json_t *wanted)
{
    size_t i, stale = 0;
    json_t *tag;

    aws_json_raw(&r->body, name, esp_str("["));
    json_array_foreach (list, i, tag) {
        esp_bytes key = esp_tree_text(tag, "Key");
        if (key.len == 0 || esp_starts_with(key, esp_str("aws:")) ||
            json_object_get(wanted, (const char *)key.ptr))
            continue;
        aws_json_item(&r->body, key);
        stale++;
    }
    esp_text_addc(&r->body, ']');
    return stale;
}

bool aws_tags_missing(const json_t *list, const json_t *wanted)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)wanted, key, value)
        if (!json_equal(value_of(list, key), value))
            return true;
    return false;
}
