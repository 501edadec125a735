/* @name:argument: what makes another document out of a whole one. */
#include "json_eval.h"

#include <stdlib.h>
#include <string.h>

typedef esp_bytes modifier_fn(struct eval *e, esp_bytes json, esp_bytes argument);

/* The elements of an array, the keys and values of an object, or a scalar as its only
 * value. Keys have kind NONE where there are none. */
struct each {
    struct node of;
    size_t at;
};

static struct each each_of(esp_bytes json)
{
    return (struct each){esp_json_document(json), 1};
}

static bool each_next(struct each *it, struct node *key, struct node *value)
{
    *key = (struct node){ESP_JSON_NONE, {NULL, 0}};
    switch (it->of.kind) {
    case ESP_JSON_NONE:
        return false;
    case ESP_JSON_OBJECT:
        return esp_json_value(it->of.raw, &it->at, key) && key->kind == ESP_JSON_STRING &&
               esp_json_value(it->of.raw, &it->at, value);
    case ESP_JSON_ARRAY:
        return esp_json_value(it->of.raw, &it->at, value);
    default:
        *value = it->of;
        it->of.kind = ESP_JSON_NONE;
        return true;
    }
}

/* The member `name` of a modifier's argument, kind NONE without one. */
static struct node option(struct eval *e, esp_bytes argument, const char *name)
{
    struct each it = each_of(argument);
    struct node key, value, found = {ESP_JSON_NONE, {NULL, 0}};
    while (each_next(&it, &key, &value))
        if (key.kind == ESP_JSON_STRING && esp_equal_str(esp_eval_string(e, &key), name))
            found = value;
    return found;
}

static bool option_is_true(struct eval *e, esp_bytes argument, const char *name)
{
    struct node value = option(e, argument, name);
    return esp_eval_truth(e, &value);
}

static void add_separated(struct esp_text *out, esp_bytes raw)
{
    if (out->len > 1)
        esp_text_addc(out, ',');
    esp_text_add(out, raw);
}

static esp_bytes mod_this(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)e;
    (void)argument;
    return json;
}

static esp_bytes mod_valid(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)e;
    (void)argument;
    return esp_json_check(json, NULL) ? json : esp_span(NULL, 0);
}

/* Keys and values in a growing array; values may be replaced. */
struct members {
    struct node (*pairs)[2];
    size_t count, cap;
};

static bool members_add(struct eval *e, struct members *m, const struct node *key, const struct node *value)
{
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        void *pairs = cap > SIZE_MAX / sizeof *m->pairs ? NULL : realloc(m->pairs, cap * sizeof *m->pairs);
        if (!pairs) {
            e->failed = true;
            return false;
        }
        m->pairs = pairs;
        m->cap = cap;
    }
    m->pairs[m->count][0] = *key;
    m->pairs[m->count][1] = *value;
    m->count++;
    return true;
}

static esp_bytes members_text(struct eval *e, const struct members *m, bool object, bool backwards)
{
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, object ? '{' : '[');
    for (size_t i = 0; i < m->count; i++) {
        const struct node *pair = m->pairs[backwards ? m->count - 1 - i : i];
        add_separated(out, object ? pair[0].raw : pair[1].raw);
        if (object) {
            esp_text_addc(out, ':');
            esp_text_add(out, pair[1].raw);
        }
    }
    esp_text_addc(out, object ? '}' : ']');
    return esp_eval_done(e, out);
}

static esp_bytes mod_reverse(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    struct each it = each_of(json);
    struct members m = {NULL, 0, 0};
    struct node key, value;
    if (it.of.kind != ESP_JSON_ARRAY && it.of.kind != ESP_JSON_OBJECT)
        return json;
    while (each_next(&it, &key, &value) && members_add(e, &m, &key, &value))
        ;
    esp_bytes text = members_text(e, &m, it.of.kind == ESP_JSON_OBJECT, true);
    free(m.pairs);
    return text;
}

/* The text between the brackets of a container. */
static esp_bytes unwrap(esp_bytes json)
{
    json = esp_json_trim(json);
    if (json.len >= 2 && (json.ptr[0] == '[' || json.ptr[0] == '{'))
        json = esp_span(json.ptr + 1, json.len - 2);
    return esp_json_trim(json);
}

static void flatten(struct eval *e, struct esp_text *out, esp_bytes array, bool deep)
{
    struct each it = each_of(array);
    struct node key, value;
    if (!esp_eval_enter(e))
        return;
    while (esp_eval_work(e, 1) && each_next(&it, &key, &value)) {
        if (value.kind == ESP_JSON_ARRAY && deep) {
            flatten(e, out, value.raw, deep);
            continue;
        }
        esp_bytes raw = value.kind == ESP_JSON_ARRAY ? unwrap(value.raw) : value.raw;
        if (raw.len)
            add_separated(out, raw);
    }
    esp_eval_leave(e);
}

static esp_bytes mod_flatten(struct eval *e, esp_bytes json, esp_bytes argument)
{
    if (esp_json_kind(json) != ESP_JSON_ARRAY)
        return json;
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, '[');
    flatten(e, out, json, option_is_true(e, argument, "deep"));
    esp_text_addc(out, ']');
    return esp_eval_done(e, out);
}

static esp_bytes join_preserving(struct eval *e, esp_bytes json)
{
    struct each it = each_of(json);
    struct node key, value;
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, '{');
    for (bool first = true; each_next(&it, &key, &value);) {
        if (value.kind != ESP_JSON_OBJECT || value.raw.len < 2)
            continue;
        if (!first)
            esp_text_addc(out, ',');
        first = false;
        esp_text_add(out, esp_span(value.raw.ptr + 1, value.raw.len - 2));
    }
    esp_text_addc(out, '}');
    return esp_eval_done(e, out);
}

static bool same_name(struct eval *e, const struct node *a, const struct node *b)
{
    if (!memchr(a->raw.ptr, '\\', a->raw.len) && !memchr(b->raw.ptr, '\\', b->raw.len))
        return esp_equal(a->raw, b->raw);
    return esp_equal(esp_eval_string(e, a), esp_eval_string(e, b));
}

/* A name keeps the place where it came first and gets the value that came last. */
static bool join_member(struct eval *e, struct members *m, const struct node *key, const struct node *value)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!esp_eval_work(e, key->raw.len))
            return false;
        if (same_name(e, &m->pairs[i][0], key)) {
            m->pairs[i][1] = *value;
            return true;
        }
    }
    return members_add(e, m, key, value);
}

static esp_bytes mod_join(struct eval *e, esp_bytes json, esp_bytes argument)
{
    struct each objects = each_of(json);
    struct members m = {NULL, 0, 0};
    struct node none, object, key, value;
    if (objects.of.kind != ESP_JSON_ARRAY)
        return json;
    if (option_is_true(e, argument, "preserve"))
        return join_preserving(e, json);
    while (!e->failed && each_next(&objects, &none, &object)) {
        struct each members = each_of(object.raw);
        if (object.kind == ESP_JSON_OBJECT)
            while (each_next(&members, &key, &value) && join_member(e, &m, &key, &value))
                ;
    }
    esp_bytes text = members_text(e, &m, true, false);
    free(m.pairs);
    return text;
}

enum side { KEYS, VALUES };

static esp_bytes one_side(struct eval *e, esp_bytes json, enum side side)
{
    struct each it = each_of(json);
    struct node key, value;
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, '[');
    while (each_next(&it, &key, &value)) {
        if (side == VALUES)
            add_separated(out, value.raw);
        else
            add_separated(out, key.kind == ESP_JSON_NONE ? esp_str("null") : key.raw);
    }
    esp_text_addc(out, ']');
    return esp_eval_done(e, out);
}

static esp_bytes mod_keys(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    return one_side(e, json, KEYS);
}

static esp_bytes mod_values(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    return esp_json_kind(json) == ESP_JSON_ARRAY ? json : one_side(e, json, VALUES);
}

static esp_bytes mod_tostr(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    struct esp_text *out = esp_eval_text(e);
    if (out)
        esp_json_quote_html(json, out);
    return esp_eval_done(e, out);
}

static esp_bytes mod_fromstr(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    if (!esp_json_check(json, NULL))
        return esp_span(NULL, 0);
    struct node node = esp_json_document(json);
    struct esp_text *out = esp_eval_text(e);
    if (out)
        esp_json_string_form(&node, out);
    return esp_eval_done(e, out);
}

/* Appends the index-th member of each array in the object; false if none has one. */
static bool add_group(struct eval *e, struct esp_text *out, esp_bytes json, size_t index)
{
    struct each members = each_of(json);
    struct node key, value, none, element;
    bool any = false;
    while (each_next(&members, &key, &value)) {
        struct each elements = each_of(value.raw);
        if (value.kind != ESP_JSON_ARRAY || !esp_eval_work(e, value.raw.len))
            continue;
        bool there = each_next(&elements, &none, &element);
        for (size_t i = 0; there && i < index; i++)
            there = each_next(&elements, &none, &element);
        if (!there)
            continue;
        esp_text_adds(out, any ? "," : index ? ",{" : "{");
        any = true;
        esp_text_add(out, key.raw);
        esp_text_addc(out, ':');
        esp_text_add(out, element.raw);
    }
    if (any)
        esp_text_addc(out, '}');
    return any;
}

static esp_bytes mod_group(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    if (esp_json_kind(json) != ESP_JSON_OBJECT)
        return esp_span(NULL, 0);
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, '[');
    for (size_t index = 0; esp_eval_work(e, 1) && add_group(e, out, json, index); index++)
        ;
    esp_text_addc(out, ']');
    return esp_eval_done(e, out);
}

static void dig(struct eval *e, struct esp_text *out, esp_bytes json, esp_bytes path)
{
    struct each it = each_of(json);
    struct node key, value;
    if (!esp_eval_work(e, json.len) || !esp_eval_enter(e))
        return;
    struct node found = esp_eval_path(e, json, path);
    if (found.kind != ESP_JSON_NONE)
        add_separated(out, found.raw);
    if (it.of.kind == ESP_JSON_OBJECT || it.of.kind == ESP_JSON_ARRAY)
        while (!e->failed && each_next(&it, &key, &value))
            dig(e, out, value.raw, path);
    esp_eval_leave(e);
}

static esp_bytes mod_dig(struct eval *e, esp_bytes json, esp_bytes argument)
{
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, '[');
    dig(e, out, json, argument);
    esp_text_addc(out, ']');
    return esp_eval_done(e, out);
}

static esp_bytes mod_ugly(struct eval *e, esp_bytes json, esp_bytes argument)
{
    (void)argument;
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    for (size_t at = 0; at < json.len;) {
        size_t end = json.ptr[at] == '"' ? esp_json_string_end(json, at) : at + 1;
        if (end == 0)
            end = json.len;
        if (json.ptr[at] > ' ')
            esp_text_add(out, esp_span(json.ptr + at, end - at));
        at = end;
    }
    return esp_eval_done(e, out);
}

/* The string form of an option without anything but white space. */
static esp_bytes space_option(struct eval *e, esp_bytes argument, const char *name, const char *otherwise)
{
    struct node value = option(e, argument, name);
    if (value.kind == ESP_JSON_NONE)
        return esp_str(otherwise);
    esp_bytes text = value.kind == ESP_JSON_STRING ? esp_eval_string(e, &value) : value.raw;
    struct esp_text *out = esp_eval_text(e);
    for (size_t i = 0; out && i < text.len; i++)
        if (esp_json_is_space(text.ptr[i]))
            esp_text_addc(out, (char)text.ptr[i]);
    return esp_eval_done(e, out);
}

static esp_bytes mod_pretty(struct eval *e, esp_bytes json, esp_bytes argument)
{
    struct pretty p = {.out = esp_eval_text(e), .e = e, .width = 80};
    struct node width = option(e, argument, "width");
    if (!p.out)
        return esp_span(NULL, 0);
    if (width.kind != ESP_JSON_NONE) {
        double columns;
        esp_json_double(width.raw, &columns);
        p.width = columns >= 1 && columns <= 1e6 ? (size_t)columns : 0;
    }
    p.indent = space_option(e, argument, "indent", "  ");
    p.prefix = space_option(e, argument, "prefix", "");
    p.sort_keys = option_is_true(e, argument, "sortKeys");
    esp_pretty(&p, json);
    return esp_eval_done(e, p.out);
}

static const struct {
    const char *name;
    modifier_fn *apply;
} modifiers[] = {
    {"this", mod_this}, {"valid", mod_valid},   {"reverse", mod_reverse}, {"flatten", mod_flatten},
    {"join", mod_join}, {"keys", mod_keys},     {"values", mod_values},   {"tostr", mod_tostr},
    {"ugly", mod_ugly}, {"pretty", mod_pretty}, {"group", mod_group},     {"fromstr", mod_fromstr},
    {"dig", mod_dig},
};

/* The modifier at the beginning of `path`, and the offset behind its name. */
static modifier_fn *find_modifier(esp_bytes path, size_t *end)
{
    size_t at = 1;
    while (at < path.len && path.ptr[at] != '.' && path.ptr[at] != '|' && path.ptr[at] != ':')
        at++;
    esp_bytes name = esp_span(path.ptr + 1, at - 1);
    *end = at;
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
        if (esp_equal_str(name, modifiers[i].name))
            return modifiers[i].apply;
    return NULL;
}

bool esp_is_modifier(esp_bytes path)
{
    size_t end;
    return path.len > 0 && find_modifier(path, &end) != NULL;
}

/* Behind the argument that starts at `at`: one JSON value, or everything up to a pipe
 * outside of brackets and strings. */
static size_t argument_end(esp_bytes path, size_t at)
{
    if (at < path.len && (path.ptr[at] == '{' || path.ptr[at] == '['))
        return esp_json_bracket_end(path, at);
    if (at < path.len && path.ptr[at] == '"') {
        size_t end = esp_json_string_end(path, at);
        return end ? end : path.len;
    }
    while (at < path.len && path.ptr[at] != '|') {
        uint8_t c = path.ptr[at];
        if (c == '{' || c == '[' || c == '(')
            at = esp_json_bracket_end(path, at);
        else if (c == '"' && esp_json_string_end(path, at))
            at = esp_json_string_end(path, at);
        else
            at++;
    }
    return at;
}

size_t esp_modifier(struct eval *e, esp_bytes json, esp_bytes path, esp_bytes *ret)
{
    size_t end;
    modifier_fn *apply = find_modifier(path, &end);
    if (!apply || !esp_eval_work(e, json.len))
        return 0;
    esp_bytes argument = {NULL, 0};
    if (end < path.len && path.ptr[end] == ':') {
        size_t start = end + 1;
        end = argument_end(path, start);
        argument = esp_span(path.ptr + start, end - start);
    }
    *ret = apply(e, json, argument);
    return end;
}
