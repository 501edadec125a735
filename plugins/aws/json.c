#include "json.h"

#include <string.h>

#include <esp/codec.h>

static void add_comma(struct esp_text *out)
{
    uint8_t last = out->len ? out->ptr[out->len - 1] : '{';
    if (last != '{' && last != '[')
        esp_text_addc(out, ',');
}

static void add_name(struct esp_text *out, const char *name)
{
    add_comma(out);
    esp_json_quote(esp_str(name), out);
    esp_text_addc(out, ':');
}

void aws_json_text(struct esp_text *out, const char *name, esp_bytes value)
{
    add_name(out, name);
    esp_json_quote(value, out);
}

void aws_json_raw(struct esp_text *out, const char *name, esp_bytes raw)
{
    add_name(out, name);
    esp_text_add(out, raw);
}

void aws_json_flag(struct esp_text *out, const char *name, bool value)
{
    aws_json_raw(out, name, esp_str(value ? "true" : "false"));
}

void aws_json_number(struct esp_text *out, const char *name, long long value)
{
    add_name(out, name);
    esp_text_addf(out, "%lld", value);
}

void aws_json_base64(struct esp_text *out, const char *name, esp_bytes value)
{
    add_name(out, name);
    esp_text_addc(out, '"');
    esp_base64_add(out, value);
    esp_text_addc(out, '"');
}

void aws_json_item(struct esp_text *out, esp_bytes value)
{
    add_comma(out);
    esp_json_quote(value, out);
}

/* AWS writes the names of members without escapes. */
static bool is_named(esp_bytes key, const char *name)
{
    return key.len == strlen(name) + 2 && memcmp(key.ptr + 1, name, key.len - 2) == 0;
}

bool aws_json_pick(esp_bytes object, struct aws_field *fields, size_t count)
{
    struct esp_json_iter it;
    esp_bytes key, value;
    if (!esp_json_members(&it, object))
        return false;
    while (esp_json_next(&it, &key, &value))
        for (size_t i = 0; i < count; i++)
            if (is_named(key, fields[i].name))
                fields[i].raw = esp_json_kind(value) == ESP_JSON_NULL ? esp_str("") : value;
    return true;
}

esp_bytes aws_json_member(esp_bytes object, const char *name)
{
    struct aws_field field = {.name = name};
    aws_json_pick(object, &field, 1);
    return field.raw;
}

bool aws_json_is(esp_bytes raw, esp_bytes text)
{
    struct esp_text plain;
    if (esp_json_kind(raw) != ESP_JSON_STRING)
        return false;
    esp_text_init(&plain, AWS_MAX_TEXT);
    esp_json_plain(raw, &plain);
    bool same = !esp_text_failed(&plain) && esp_equal(esp_text_bytes(&plain), text);
    esp_text_free(&plain);
    return same;
}

bool aws_json_can_hold(esp_bytes bytes)
{
    struct esp_text quoted;
    esp_text_init(&quoted, AWS_MAX_TEXT);
    esp_json_quote(bytes, &quoted);
    bool same = !esp_text_failed(&quoted) && aws_json_is(esp_text_bytes(&quoted), bytes);
    esp_text_free(&quoted);
    return same;
}
