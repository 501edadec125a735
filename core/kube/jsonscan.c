/* Finding parts of a JSON text without parsing all of it. A page of a list is
 * megabytes; its parse tree would be several times that, so objects are cut
 * out and parsed one by one. What is cut out is checked by the parser later:
 * the scan only has to never leave the text. */
#include <string.h>

#include "core/kube/call.h"

static size_t skip_space(const char *s, size_t len, size_t at)
{
    while (at < len && (s[at] == ' ' || s[at] == '\n' || s[at] == '\t' || s[at] == '\r'))
        at++;
    return at;
}

/* `at` is behind the opening quote; returns the place behind the closing one,
 * or len. */
static size_t skip_string(const char *s, size_t len, size_t at)
{
    while (at < len) {
        const char *quote = memchr(s + at, '"', len - at);
        if (!quote)
            return len;
        size_t end = (size_t)(quote - s);
        size_t escapes = 0;
        while (end - escapes > at && s[end - escapes - 1] == '\\')
            escapes++;
        if (escapes % 2 == 0)
            return end + 1;
        at = end + 1;
    }
    return len;
}

/* Behind the value that begins at `at`; len when the text ends before it does. */
static size_t skip_value(const char *s, size_t len, size_t at, int *ret_depth)
{
    int depth = 0;

    *ret_depth = 0;
    while (at < len) {
        switch (s[at]) {
        case '"':
            at = skip_string(s, len, at + 1);
            break;
        case '{':
        case '[':
            depth++;
            if (depth > *ret_depth)
                *ret_depth = depth;
            at++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return at; /* the end of what holds a bare number or word */
            depth--;
            at++;
            break;
        case ',':
            if (depth == 0)
                return at;
            at++;
            continue;
        default:
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return len;
}

int es_kube_depth(const char *text, size_t len)
{
    int deepest = 0, depth = 0;

    for (size_t at = skip_space(text, len, 0); at < len;) {
        size_t next = skip_value(text, len, at, &depth);
        if (depth > deepest)
            deepest = depth;
        at = next > at ? next : at + 1;
    }
    return deepest;
}

const char *es_kube_member(const char *text, size_t len, const char *name, size_t *ret_len)
{
    size_t name_len = strlen(name);
    size_t at = skip_space(text, len, 0);
    int depth;

    if (at >= len || text[at] != '{')
        return NULL;
    at = skip_space(text, len, at + 1);
    while (at < len && text[at] == '"') {
        size_t key = at + 1;
        size_t key_end = skip_string(text, len, key);
        at = skip_space(text, len, key_end);
        if (at >= len || text[at] != ':')
            return NULL;
        at = skip_space(text, len, at + 1);
        size_t end = skip_value(text, len, at, &depth);
        if (key_end - key == name_len + 1 && memcmp(text + key, name, name_len) == 0) {
            *ret_len = end - at;
            return text + at;
        }
        at = skip_space(text, len, end);
        if (at >= len || text[at] != ',')
            return NULL;
        at = skip_space(text, len, at + 1);
    }
    return NULL;
}

bool es_kube_plain_member(const char *object, size_t len, const char *name, char *out, size_t size)
{
    size_t value_len;
    const char *value = es_kube_member(object, len, name, &value_len);

    out[0] = '\0';
    if (!value || value_len < 2 || value_len - 2 >= size || *value != '"' || memchr(value, '\\', value_len))
        return false;
    memcpy(out, value + 1, value_len - 2);
    out[value_len - 2] = '\0';
    return true;
}

/* From the quote before a member's name, which holds no escape, to behind the comma
 * that goes with it. */
static void whole_member(const char *text, size_t len, size_t value, size_t value_len, size_t *ret_begin,
                         size_t *ret_end)
{
    size_t begin = value;
    size_t end = skip_space(text, len, value + value_len);

    for (int quotes = 0; quotes < 2;)
        if (text[--begin] == '"')
            quotes++;
    if (end < len && text[end] == ',') {
        end++;
    } else {
        size_t before = begin;
        while (before > 0 && strchr(" \n\t\r", text[before - 1]))
            before--;
        if (before > 0 && text[before - 1] == ',')
            begin = before - 1;
    }
    *ret_begin = begin;
    *ret_end = end;
}

char *es_kube_drop_managed_fields(char *object, size_t *len)
{
    size_t metadata_len, fields_len, begin, end;
    const char *metadata = es_kube_member(object, *len, "metadata", &metadata_len);
    const char *fields =
        metadata ? es_kube_member(metadata, metadata_len, "managedFields", &fields_len) : NULL;

    if (!fields)
        return object;
    whole_member(object, *len, (size_t)(fields - object), fields_len, &begin, &end);
    memmove(object + (end - begin), object, begin);
    *len -= end - begin;
    return object + (end - begin);
}

int es_kube_next_item(const char *text, size_t len, size_t *at, const char **ret_item, size_t *ret_len,
                      int *ret_depth)
{
    size_t pos = *at;

    if (pos == 0) {
        size_t items_len;
        const char *items = es_kube_member(text, len, "items", &items_len);
        if (!items)
            return ES_E_INTERNAL;
        if (items_len == 4 && memcmp(items, "null", 4) == 0)
            return 0;
        if (items_len == 0 || *items != '[')
            return ES_E_INTERNAL;
        pos = skip_space(text, len, (size_t)(items - text) + 1);
        if (pos < len && text[pos] == ']')
            return 0;
    } else {
        pos = skip_space(text, len, pos);
        if (pos < len && text[pos] == ']')
            return 0;
        if (pos >= len || text[pos] != ',')
            return ES_E_INTERNAL;
        pos = skip_space(text, len, pos + 1);
    }
    size_t end = skip_value(text, len, pos, ret_depth);
    if (end == pos || end >= len)
        return ES_E_INTERNAL;
    *ret_item = text + pos;
    *ret_len = end - pos;
    *at = end;
    return 1;
}
