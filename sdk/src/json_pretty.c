/* @pretty: one member a line, arrays of scalars on one line while they fit. */
#include "json_eval.h"

#include <stdlib.h>
#include <string.h>

static void value_lines(const struct pretty *p, const struct node *node, size_t depth);

static size_t column(const struct esp_text *out)
{
    size_t at = out->len;
    while (at > 0 && out->ptr[at - 1] != '\n')
        at--;
    /* The reference counts the line break in. */
    return out->len - at + (at > 0);
}

static void new_line(const struct pretty *p, size_t depth)
{
    esp_text_addc(p->out, '\n');
    esp_text_add(p->out, p->prefix);
    for (size_t i = 0; i < depth && !esp_text_failed(p->out); i++)
        esp_text_add(p->out, p->indent);
}

/* Appends an array on one line; false if there is an object in it, or it grows beyond
 * `end`. */
static bool array_line(const struct pretty *p, esp_bytes raw, size_t end)
{
    struct node value;
    size_t at = 1;
    bool first = true;
    if (!esp_eval_enter(p->e))
        return false;
    bool fits = true;
    esp_text_addc(p->out, '[');
    while (fits && esp_json_value(raw, &at, &value)) {
        if (!first)
            esp_text_adds(p->out, ", ");
        first = false;
        if (value.kind == ESP_JSON_ARRAY)
            fits = array_line(p, value.raw, end);
        else if (value.kind == ESP_JSON_OBJECT)
            fits = false;
        else
            esp_text_add(p->out, value.raw);
        fits = fits && p->out->len <= end && esp_eval_work(p->e, value.raw.len);
    }
    esp_text_addc(p->out, ']');
    esp_eval_leave(p->e);
    return fits && p->out->len <= end;
}

static void array_lines(const struct pretty *p, esp_bytes raw, size_t depth)
{
    size_t used = column(p->out);
    size_t start = p->out->len;
    if (p->width > used && p->width - used > 3) {
        if (array_line(p, raw, start + p->width - used))
            return;
        esp_text_cut(p->out, start);
    }
    struct node value;
    size_t at = 1, count = 0;
    esp_text_addc(p->out, '[');
    for (; !p->e->failed && esp_json_value(raw, &at, &value); count++) {
        if (count)
            esp_text_addc(p->out, ',');
        new_line(p, depth + 1);
        value_lines(p, &value, depth + 1);
    }
    if (count)
        new_line(p, depth);
    esp_text_addc(p->out, ']');
}

struct member {
    struct node key, value;
    size_t order;
};

static int by_name(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    int order = esp_compare(esp_json_inner(a->key.raw), esp_json_inner(b->key.raw));
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* All members of an object, to be freed. NULL without any or without memory. */
static struct member *collect(const struct pretty *p, esp_bytes raw, size_t *count)
{
    struct member *members = NULL, next;
    size_t cap = 0, at = 1;
    *count = 0;
    while (esp_json_value(raw, &at, &next.key) && next.key.kind == ESP_JSON_STRING &&
           esp_json_value(raw, &at, &next.value)) {
        if (*count == cap) {
            cap = cap ? cap * 2 : 8;
            struct member *grown = realloc(members, cap * sizeof *members);
            if (!grown) {
                p->e->failed = true;
                break;
            }
            members = grown;
        }
        next.order = *count;
        members[(*count)++] = next;
    }
    if (p->sort_keys && *count)
        qsort(members, *count, sizeof *members, by_name);
    return members;
}

static void object_lines(const struct pretty *p, esp_bytes raw, size_t depth)
{
    size_t count;
    struct member *members = collect(p, raw, &count);
    esp_text_addc(p->out, '{');
    for (size_t i = 0; i < count && !p->e->failed; i++) {
        if (i)
            esp_text_addc(p->out, ',');
        new_line(p, depth + 1);
        esp_text_add(p->out, members[i].key.raw);
        esp_text_adds(p->out, ": ");
        value_lines(p, &members[i].value, depth + 1);
    }
    if (count)
        new_line(p, depth);
    esp_text_addc(p->out, '}');
    free(members);
}

static void value_lines(const struct pretty *p, const struct node *node, size_t depth)
{
    if (!esp_eval_work(p->e, node->raw.len) || !esp_eval_enter(p->e))
        return;
    if (node->kind == ESP_JSON_OBJECT)
        object_lines(p, node->raw, depth);
    else if (node->kind == ESP_JSON_ARRAY)
        array_lines(p, node->raw, depth);
    else
        esp_text_add(p->out, node->raw);
    esp_eval_leave(p->e);
}

void esp_pretty(const struct pretty *p, esp_bytes json)
{
    struct node node = esp_json_document(json);
    if (node.kind == ESP_JSON_NONE)
        return;
    esp_text_add(p->out, p->prefix);
    value_lines(p, &node, 0);
    esp_text_addc(p->out, '\n');
}
