/* JSON as Go prints it: for values that other programs compare byte by byte. */
#include <esp/codec.h>
#include <esp/json.h>

#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

struct member {
    esp_bytes name; /* unescaped, a copy */
    esp_bytes value;
    size_t place; /* in the document: of two of one name, the later one counts */
};

struct members {
    struct member *all;
    size_t count, room;
};

static void members_free(struct members *m)
{
    for (size_t i = 0; i < m->count; i++)
        esp_dup_free(m->all[i].name);
    free(m->all);
}

static bool members_grow(struct members *m)
{
    if (m->count < m->room)
        return true;
    size_t room = m->room ? 2 * m->room : 8;
    struct member *all = realloc(m->all, room * sizeof *all);
    if (!all)
        return false;
    m->all = all;
    m->room = room;
    return true;
}

static bool members_add(struct members *m, esp_bytes key, esp_bytes value)
{
    struct esp_text name;
    esp_text_init(&name, SIZE_MAX - 1);
    esp_json_unescape(esp_json_inner(key), &name);
    esp_bytes copy = esp_text_failed(&name) ? esp_span(NULL, 0) : esp_dup(esp_text_bytes(&name));
    esp_text_free(&name);
    if (!copy.ptr || !members_grow(m)) {
        esp_dup_free(copy);
        return false;
    }
    m->all[m->count] = (struct member){.name = copy, .value = value, .place = m->count};
    m->count++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = esp_compare(x->name, y->name);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void sorted(esp_bytes json, struct esp_text *out);

static void add_members(struct members *m, struct esp_text *out)
{
    if (m->count)
        qsort(m->all, m->count, sizeof *m->all, by_name);
    bool first = true;
    for (size_t i = 0; i < m->count; i++) {
        if (i + 1 < m->count && esp_equal(m->all[i].name, m->all[i + 1].name))
            continue;
        esp_text_adds(out, first ? "" : ",");
        esp_json_quote_go(m->all[i].name, out);
        esp_text_addc(out, ':');
        sorted(m->all[i].value, out);
        first = false;
    }
}

static void sorted_object(esp_bytes json, struct esp_text *out)
{
    struct members m = {0};
    struct esp_json_iter it = {json, 1};
    esp_bytes key, value;
    while (esp_json_next(&it, &key, &value) && !out->failed)
        if (!members_add(&m, key, value))
            out->failed = true;
    esp_text_addc(out, '{');
    add_members(&m, out);
    esp_text_addc(out, '}');
    members_free(&m);
}

static void sorted_array(esp_bytes json, struct esp_text *out)
{
    struct node element;
    bool first = true;
    esp_text_addc(out, '[');
    for (size_t at = 1; esp_json_value(json, &at, &element); first = false) {
        esp_text_adds(out, first ? "" : ",");
        sorted(element.raw, out);
    }
    esp_text_addc(out, ']');
}

static void sorted_string(esp_bytes json, struct esp_text *out)
{
    struct esp_text plain;
    esp_text_init(&plain, SIZE_MAX - 1);
    esp_json_unescape(esp_json_inner(json), &plain);
    if (esp_text_failed(&plain))
        out->failed = true;
    esp_json_quote_go(esp_text_bytes(&plain), out);
    esp_text_free(&plain);
}

/* One well-formed value. The recursion is as deep as the document, which esp_json_check limits. */
static void sorted(esp_bytes json, struct esp_text *out)
{
    struct node node = esp_json_document(json);
    if (out->failed)
        return;
    if (node.kind == ESP_JSON_OBJECT)
        sorted_object(node.raw, out);
    else if (node.kind == ESP_JSON_ARRAY)
        sorted_array(node.raw, out);
    else if (node.kind == ESP_JSON_STRING)
        sorted_string(node.raw, out);
    else
        esp_text_add(out, node.raw);
}

bool esp_json_sorted(esp_bytes json, struct esp_text *out)
{
    size_t before = out->len;
    if (!esp_json_check(json, NULL))
        return false;
    sorted(json, out);
    if (!esp_text_failed(out))
        return true;
    esp_text_cut(out, before);
    return false;
}

static int by_pair(const void *a, const void *b)
{
    const esp_pair *const *x = a, *const *y = b;
    return esp_compare((*x)->name, (*y)->name);
}

static void add_pair(const esp_pair *pair, bool base64, struct esp_text *out)
{
    esp_json_quote_go(pair->name, out);
    esp_text_addc(out, ':');
    if (!base64) {
        esp_json_quote_go(pair->value, out);
        return;
    }
    esp_text_addc(out, '"');
    esp_base64_add(out, pair->value);
    esp_text_addc(out, '"');
}

void esp_json_values(const esp_pair *values, size_t count, bool base64, struct esp_text *out)
{
    const esp_pair **order = calloc(count ? count : 1, sizeof *order);
    if (!order) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = &values[i];
    qsort(order, count, sizeof *order, by_pair);
    esp_text_addc(out, '{');
    for (size_t i = 0; i < count; i++) {
        esp_text_adds(out, i ? "," : "");
        add_pair(order[i], base64, out);
    }
    esp_text_addc(out, '}');
    free(order);
}
