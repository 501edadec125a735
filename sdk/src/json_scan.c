#include "json_scan.h"

#include <string.h>

bool esp_json_is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

esp_bytes esp_json_trim(esp_bytes text)
{
    while (text.len && text.ptr[0] <= ' ') {
        text.ptr++;
        text.len--;
    }
    while (text.len && text.ptr[text.len - 1] <= ' ')
        text.len--;
    return text;
}

esp_bytes esp_json_from(esp_bytes text, size_t at)
{
    return at >= text.len ? esp_span(NULL, 0) : esp_span(text.ptr + at, text.len - at);
}

size_t esp_json_string_end(esp_bytes text, size_t at)
{
    for (at++; at < text.len; at++) {
        if (text.ptr[at] == '"')
            return at + 1;
        if (text.ptr[at] == '\\')
            at++;
    }
    return 0;
}

size_t esp_json_bracket_end(esp_bytes text, size_t at)
{
    size_t depth = 0;
    while (at < text.len) {
        switch (text.ptr[at]) {
        case '"':
            at = esp_json_string_end(text, at);
            if (at == 0)
                return text.len;
            continue;
        case '{':
        case '[':
        case '(':
            depth++;
            break;
        case '}':
        case ']':
        case ')':
            depth--;
            if (depth == 0)
                return at + 1;
            break;
        default:
            break;
        }
        at++;
    }
    return text.len;
}

static bool is_number_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static size_t number_end(esp_bytes text, size_t at)
{
    while (at < text.len && is_number_char(text.ptr[at]))
        at++;
    return at;
}

/* The word for a literal that starts with `c`, NULL if there is none. */
static const char *literal(uint8_t c, enum esp_json_kind *kind)
{
    switch (c) {
    case 't':
        *kind = ESP_JSON_TRUE;
        return "true";
    case 'f':
        *kind = ESP_JSON_FALSE;
        return "false";
    case 'n':
        *kind = ESP_JSON_NULL;
        return "null";
    default:
        return NULL;
    }
}

/* The offset behind the value that begins at `at`, 0 if there is none. */
static size_t value_end(esp_bytes text, size_t at, enum esp_json_kind *kind)
{
    uint8_t c = text.ptr[at];
    if (c == '"') {
        *kind = ESP_JSON_STRING;
        return esp_json_string_end(text, at);
    }
    if (c == '{' || c == '[') {
        *kind = c == '{' ? ESP_JSON_OBJECT : ESP_JSON_ARRAY;
        return esp_json_bracket_end(text, at);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        *kind = ESP_JSON_NUMBER;
        return number_end(text, at);
    }
    const char *word = literal(c, kind);
    if (!word || !esp_starts_with(esp_json_from(text, at), esp_str(word)))
        return 0;
    return at + strlen(word);
}

bool esp_json_value(esp_bytes text, size_t *at, struct node *ret)
{
    size_t start = *at;
    while (start < text.len && (text.ptr[start] <= ' ' || text.ptr[start] == ',' || text.ptr[start] == ':'))
        start++;
    if (start >= text.len)
        return false;
    enum esp_json_kind kind = ESP_JSON_NONE;
    size_t end = value_end(text, start, &kind);
    if (end == 0)
        return false;
    *at = end;
    *ret = (struct node){kind, esp_span(text.ptr + start, end - start)};
    return true;
}

struct node esp_json_document(esp_bytes text)
{
    struct node node = {ESP_JSON_NONE, {NULL, 0}};
    size_t at = 0;
    while (at < text.len && text.ptr[at] <= ' ')
        at++;
    size_t start = at;
    if (!esp_json_value(text, &at, &node))
        return node;
    if (node.kind == ESP_JSON_OBJECT || node.kind == ESP_JSON_ARRAY)
        node.raw = esp_json_from(text, start);
    return node;
}

enum esp_json_kind esp_json_kind(esp_bytes json)
{
    return esp_json_document(json).kind;
}

static bool begin_walk(struct esp_json_iter *it, esp_bytes json, enum esp_json_kind kind)
{
    if (!esp_json_check(json, NULL))
        return false;
    struct node node = esp_json_document(json);
    *it = (struct esp_json_iter){node.raw, 1};
    if (node.kind == ESP_JSON_NULL)
        it->at = it->text.len;
    return node.kind == kind || node.kind == ESP_JSON_NULL;
}

bool esp_json_members(struct esp_json_iter *it, esp_bytes json)
{
    return begin_walk(it, json, ESP_JSON_OBJECT);
}

bool esp_json_elements(struct esp_json_iter *it, esp_bytes json)
{
    return begin_walk(it, json, ESP_JSON_ARRAY);
}

bool esp_json_element(struct esp_json_iter *it, esp_bytes *value)
{
    struct node v;
    if (!esp_json_value(it->text, &it->at, &v))
        return false;
    *value = v.raw;
    return true;
}

bool esp_json_next(struct esp_json_iter *it, esp_bytes *key, esp_bytes *value)
{
    struct node k, v;
    if (!esp_json_value(it->text, &it->at, &k) || k.kind != ESP_JSON_STRING ||
        !esp_json_value(it->text, &it->at, &v))
        return false;
    *key = k.raw;
    *value = v.raw;
    return true;
}
