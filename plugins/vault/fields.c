#include "fields.h"

#include <string.h>

#include <esp/json.h>

static void add_for_html(esp_bytes json, struct esp_text *out)
{
    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.ptr[i];
        if (c == '<' || c == '>' || c == '&') /* in strings only, since it is JSON */
            esp_text_addf(out, "\\u%04x", c);
        else
            esp_text_addc(out, (char)c);
    }
}

bool vault_fields_value(esp_bytes object, struct esp_text *out)
{
    struct esp_text sorted;
    esp_text_init(&sorted, out->max);
    bool good = esp_json_sorted(object, &sorted);
    if (good)
        add_for_html(esp_text_bytes(&sorted), out);
    esp_text_free(&sorted);
    return good && !esp_text_failed(out);
}

int64_t vault_number(esp_bytes text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.len && i < 18 && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        number = number * 10 + (text.ptr[i] - '0');
    return number;
}

/* Whether a JSON string stands for that text: 1, 0, or -1 without memory. */
static int stands_for(esp_bytes quoted, esp_bytes text)
{
    struct esp_text plain;
    if (quoted.len < text.len + 2)
        return 0; /* no escape is shorter than what it stands for */
    if (!memchr(quoted.ptr, '\\', quoted.len))
        return esp_equal(esp_span(quoted.ptr + 1, quoted.len - 2), text);
    esp_text_init(&plain, quoted.len);
    esp_json_plain(quoted, &plain);
    int same = esp_text_failed(&plain) ? -1 : esp_equal(esp_text_bytes(&plain), text);
    esp_text_free(&plain);
    return same;
}

bool vault_fields_find(esp_bytes object, const char *name, esp_bytes *value)
{
    struct esp_json_iter members;
    esp_bytes key, member;
    bool found = false;
    if (!esp_json_members(&members, object))
        return false;
    while (esp_json_next(&members, &key, &member)) {
        if (key.len < 2 || !esp_equal_str(esp_span(key.ptr + 1, key.len - 2), name))
            continue;
        *value = member;
        found = true;
    }
    return found;
}

int vault_fields_has(esp_bytes object, esp_bytes name, esp_bytes *value)
{
    struct esp_json_iter members;
    esp_bytes key, member;
    int found = 0;
    if (!esp_json_members(&members, object))
        return 0;
    while (esp_json_next(&members, &key, &member)) {
        int same = stands_for(key, name);
        if (same < 0)
            return -1;
        if (same == 0)
            continue;
        *value = member;
        found = 1;
    }
    return found;
}

int vault_fields_is(esp_bytes object, esp_bytes name, esp_bytes want)
{
    esp_bytes value;
    int found = vault_fields_has(object, name, &value);
    if (found <= 0)
        return found;
    return esp_json_kind(value) == ESP_JSON_STRING ? stands_for(value, want) : 0;
}

static size_t add_member(esp_bytes quoted, esp_bytes value, size_t count, struct esp_text *out)
{
    if (count)
        esp_text_addc(out, ',');
    esp_text_add(out, quoted);
    esp_text_addc(out, ':');
    esp_text_add(out, value);
    return count + 1;
}

size_t vault_fields_set(esp_bytes object, esp_bytes name, esp_bytes value, struct esp_text *out)
{
    struct esp_json_iter members;
    esp_bytes key, member;
    struct esp_text quoted;
    size_t count = 0;
    esp_text_addc(out, '{');
    if (esp_json_members(&members, object))
        while (esp_json_next(&members, &key, &member)) {
            int same = stands_for(key, name);
            if (same < 0)
                out->failed = true;
            if (same == 0)
                count = add_member(key, member, count, out);
        }
    if (value.len) {
        esp_text_init(&quoted, out->max);
        esp_json_quote(name, &quoted);
        if (esp_text_failed(&quoted))
            out->failed = true;
        count = add_member(esp_text_bytes(&quoted), value, count, out);
        esp_text_free(&quoted);
    }
    esp_text_addc(out, '}');
    return count;
}

int vault_fields_equal(esp_bytes a, esp_bytes b)
{
    struct esp_text one, other;
    esp_text_init(&one, a.len * 2 + 16); /* what is sorted may be longer: \ and a raw line separator */
    esp_text_init(&other, b.len * 2 + 16);
    bool sorted = esp_json_sorted(a, &one) && esp_json_sorted(b, &other);
    int equal = sorted ? esp_equal(esp_text_bytes(&one), esp_text_bytes(&other)) : -1;
    esp_text_free(&one);
    esp_text_free(&other);
    return equal;
}
