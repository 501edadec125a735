#include "core/plugin/crd_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/base/values.h"
#include "core/plugin/crd_own.h"

#define PROBLEMS_MAX 100
#define QUOTE_MAX 60

void es_crd_walk_say(struct es_crd_walk *w, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (w->problems++ >= PROBLEMS_MAX || !w->fn)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const struct es_crd_problem p = {w->path, text, w->parent, w->key, w->index};
    w->fn(w->ctx, &p);
}

/* ---- where the walk is */

struct place {
    size_t path_len, index;
    const json_t *parent;
    const char *key;
};

static void path_add(struct es_crd_walk *w, int n)
{
    /* Cut paths stay readable: the rest is deep below anyway. */
    size_t room = sizeof w->path - w->path_len;
    if (n > 0)
        w->path_len += (size_t)n < room ? (size_t)n : room - 1;
}

static struct place step(struct es_crd_walk *w, const json_t *parent, const char *key, size_t index)
{
    struct place before = {w->path_len, w->index, w->parent, w->key};
    char *end = w->path + w->path_len;
    size_t room = sizeof w->path - w->path_len;

    if (!key)
        path_add(w, snprintf(end, room, "[%zu]", index));
    else if (strpbrk(key, ".[]/ "))
        path_add(w, snprintf(end, room, "[%s]", key));
    else
        path_add(w, snprintf(end, room, "%s%s", w->path_len ? "." : "", key));
    w->parent = parent;
    w->key = key;
    w->index = index;
    w->depth++;
    return before;
}

static void step_back(struct es_crd_walk *w, const struct place *before)
{
    w->depth--;
    w->path_len = before->path_len;
    w->path[w->path_len] = '\0';
    w->parent = before->parent;
    w->key = before->key;
    w->index = before->index;
}

static void walk_at(struct es_crd_walk *w, const json_t *schema, const json_t *parent, const char *key,
                    size_t index, const json_t *value)
{
    struct place before = step(w, parent, key, index);
    es_crd_walk(w, schema, value);
    step_back(w, &before);
}

/* ---- types */

static bool flag(const json_t *schema, const char *name)
{
    return json_is_true(json_object_get(schema, name));
}

static const char *what(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "nothing";
}

static bool is_whole(const json_t *value)
{
    if (json_is_integer(value))
        return true;
    double d = json_real_value(value);
    return json_is_real(value) && isfinite(d) && floor(d) == d;
}

static const struct type {
    const char *name, *said;
} types[] = {
    {"object", "an object"}, {"array", "a list"},           {"string", "a string"},
    {"number", "a number"},  {"integer", "a whole number"}, {"boolean", "a boolean"},
};

static bool fits_type(const char *type, const json_t *value)
{
    if (strcmp(type, "integer") == 0)
        return is_whole(value);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0)
            return strcmp(types[i].said, what(value)) == 0;
    return false;
}

static const char *type_said(const char *type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].said;
    return type;
}

/* Whether to look any further. */
static bool check_type(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const char *type = json_string_value(json_object_get(schema, "type"));

    if (json_is_null(value)) {
        if (!flag(schema, "nullable") && !w->judging)
            es_crd_walk_say(w, "expected %s, got nothing", type ? type_said(type) : "a value");
        return false;
    }
    if (flag(schema, "x-kubernetes-int-or-string")) {
        if (json_is_string(value) || is_whole(value))
            return true;
        es_crd_walk_say(w, "expected a whole number or a string, got %s", what(value));
        return false;
    }
    if (!type || fits_type(type, value))
        return true;
    if (strcmp(type, "integer") == 0 && json_is_real(value))
        es_crd_walk_say(w, "expected a whole number, got one with a fraction");
    else
        es_crd_walk_say(w, "expected %s, got %s", type_said(type), what(value));
    return false;
}

/* ---- enum, strings, numbers */

static void enum_text(const json_t *list, char *out, size_t size)
{
    size_t i, len = 0;
    json_t *item;

    out[0] = '\0';
    json_array_foreach (list, i, item) {
        char *word = json_is_string(item) ? NULL : json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT);
        int n = snprintf(out + len, size - len, "%s%s", i ? ", " : "",
                         word                   ? word
                         : json_is_string(item) ? json_string_value(item)
                                                : "?");
        es_mem_free(word);
        if (n < 0 || (size_t)n >= size - len)
            return;
        len += (size_t)n;
    }
}

static void check_enum(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const json_t *list = json_object_get(schema, "enum");
    char words[400];
    size_t i;
    json_t *item;

    if (!list)
        return;
    json_array_foreach (list, i, item)
        if (json_equal(item, value))
            return;
    enum_text(list, words, sizeof words);
    if (json_is_string(value) && json_string_length(value) <= QUOTE_MAX)
        es_crd_walk_say(w, "\"%s\" is none of %s", json_string_value(value), words);
    else
        es_crd_walk_say(w, "is none of %s", words);
}

static void check_pattern(struct es_crd_walk *w, const char *pattern, const json_t *value)
{
    const struct es_regex *re = w->patterns ? es_map_get(w->patterns, pattern) : NULL;
    struct es_regex *own = NULL;
    struct es_error err = ES_ERROR_INIT;

    if (!re && es_regex_new(&own, pattern, &err) < 0) {
        es_crd_walk_say(w, "%s", err.text);
        return;
    }
    int found = es_regex_search(re ? re : own, json_string_value(value), json_string_length(value), &err);
    if (found < 0)
        es_crd_walk_say(w, "%s", err.text);
    else if (!found)
        es_crd_walk_say(w, "does not have the form %s", pattern);
    es_regex_free(own);
}

static size_t runes(const json_t *value)
{
    const char *s = json_string_value(value);
    size_t n = 0;
    for (size_t i = 0; i < json_string_length(value); i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

static void check_range(struct es_crd_walk *w, const json_t *schema, const char *min, const char *max,
                        size_t n, const char *unit)
{
    const json_t *low = json_object_get(schema, min), *high = json_object_get(schema, max);

    if (low && (json_int_t)n < json_integer_value(low))
        es_crd_walk_say(w, "has %zu %s, at least %" JSON_INTEGER_FORMAT " needed", n, unit,
                        json_integer_value(low));
    if (high && (json_int_t)n > json_integer_value(high))
        es_crd_walk_say(w, "has %zu %s, at most %" JSON_INTEGER_FORMAT " allowed", n, unit,
                        json_integer_value(high));
}

static bool is_base64(const json_t *value)
{
    struct es_blob bytes = {0};
    size_t bad;
    int rc =
        es_base64_decode(&bytes, ES_BASE64_STD, json_string_value(value), json_string_length(value), &bad);

    es_blob_fini(&bytes);
    return rc == 0;
}

static void check_string(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const char *pattern = json_string_value(json_object_get(schema, "pattern"));
    const char *format = json_string_value(json_object_get(schema, "format"));
    int64_t ms;

    check_range(w, schema, "minLength", "maxLength", runes(value), "characters");
    if (pattern)
        check_pattern(w, pattern, value);
    if (es_streq(format, "date-time") && es_time_parse(json_string_value(value), &ms) < 0)
        es_crd_walk_say(w, "is no time such as 2006-01-02T15:04:05Z");
    if (es_streq(format, "byte") && !is_base64(value))
        es_crd_walk_say(w, "is no base64");
}

static void check_number(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const json_t *low = json_object_get(schema, "minimum"), *high = json_object_get(schema, "maximum");
    const json_t *step_of = json_object_get(schema, "multipleOf");
    const char *format = json_string_value(json_object_get(schema, "format"));
    double n = json_number_value(value);

    if (low &&
        (n < json_number_value(low) || (flag(schema, "exclusiveMinimum") && n <= json_number_value(low))))
        es_crd_walk_say(w, "must be %s %g", flag(schema, "exclusiveMinimum") ? "above" : "at least",
                        json_number_value(low));
    if (high &&
        (n > json_number_value(high) || (flag(schema, "exclusiveMaximum") && n >= json_number_value(high))))
        es_crd_walk_say(w, "must be %s %g", flag(schema, "exclusiveMaximum") ? "below" : "at most",
                        json_number_value(high));
    if (step_of && fabs(remainder(n, json_number_value(step_of))) > 1e-9)
        es_crd_walk_say(w, "must be a multiple of %g", json_number_value(step_of));
    if (es_streq(format, "int32") && (n < INT32_MIN || n > INT32_MAX))
        es_crd_walk_say(w, "must fit into 32 bits");
}

/* ---- objects and lists */

static bool is_there(const json_t *schema, const json_t *value)
{
    return value && (!json_is_null(value) || flag(schema, "nullable"));
}

static void check_required(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const json_t *fields = json_object_get(schema, "properties");
    size_t i;
    json_t *name;

    json_array_foreach (json_object_get(schema, "required"), i, name) {
        const char *key = json_string_value(name);
        const json_t *field = json_object_get(fields, key);
        if (!key || is_there(field, json_object_get(value, key)) || json_object_get(field, "default"))
            continue;
        struct place before = step(w, value, key, 0);
        es_crd_walk_say(w, "is required");
        step_back(w, &before);
    }
}

/* An API server counts after it has put in the defaults. */
static size_t count_fields(const json_t *schema, const json_t *value)
{
    const json_t *fields = json_object_get(schema, "properties");
    size_t n = 0;
    const char *key;
    json_t *item;

    json_object_foreach ((json_t *)value, key, item) {
        const json_t *field = json_object_get(fields, key);
        n += !field || is_there(field, item);
    }
    json_object_foreach ((json_t *)fields, key, item)
        n += json_object_get(item, "default") && !is_there(item, json_object_get(value, key));
    return n;
}

static void check_field(struct es_crd_walk *w, const json_t *schema, const json_t *parent, const char *key,
                        const json_t *value)
{
    const json_t *field = json_object_get(json_object_get(schema, "properties"), key);
    const json_t *rest = json_object_get(schema, "additionalProperties");

    if (field) {
        /* null where none may be is as good as absent. */
        if (is_there(field, value))
            walk_at(w, field, parent, key, 0, value);
    } else if (json_is_object(rest)) {
        walk_at(w, rest, parent, key, 0, value);
    } else if (!rest && !w->judging && !flag(schema, "x-kubernetes-preserve-unknown-fields")) {
        struct place before = step(w, parent, key, 0);
        es_crd_walk_say(w, "unknown field");
        step_back(w, &before);
    }
}

static void check_object(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const char *key;
    json_t *item;

    check_required(w, schema, value);
    check_range(w, schema, "minProperties", "maxProperties", count_fields(schema, value), "fields");
    json_object_foreach ((json_t *)value, key, item)
        check_field(w, schema, value, key, item);
}

static void check_list(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const json_t *items = json_object_get(schema, "items");
    size_t i;
    json_t *item;

    check_range(w, schema, "minItems", "maxItems", json_array_size(value), "entries");
    if (items)
        json_array_foreach (value, i, item)
            walk_at(w, items, value, NULL, i, item);
}

/* ---- allOf, anyOf, oneOf, not */

static bool fits(const struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    struct es_crd_walk silent = *w;

    silent.fn = NULL;
    silent.problems = 0;
    silent.judging = true;
    es_crd_walk(&silent, schema, value);
    return silent.problems == 0;
}

static size_t count_fits(const struct es_crd_walk *w, const json_t *list, const json_t *value)
{
    size_t i, n = 0;
    json_t *schema;

    json_array_foreach (list, i, schema)
        n += fits(w, schema, value);
    return n;
}

static void check_alternatives(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    const json_t *all = json_object_get(schema, "allOf"), *any = json_object_get(schema, "anyOf");
    const json_t *one = json_object_get(schema, "oneOf"), *not = json_object_get(schema, "not");
    bool judged = w->judging;
    size_t i;
    json_t *part;

    w->judging = true;
    json_array_foreach (all, i, part)
        es_crd_walk(w, part, value);
    w->judging = judged;
    if (any && count_fits(w, any, value) == 0)
        es_crd_walk_say(w, "fits none of the allowed forms");
    if (one && count_fits(w, one, value) != 1)
        es_crd_walk_say(w, "must fit exactly one of %zu forms, fits %zu", json_array_size(one),
                        count_fits(w, one, value));
    if (not &&fits(w, not, value))
        es_crd_walk_say(w, "has a form that is not allowed");
}

void es_crd_walk(struct es_crd_walk *w, const json_t *schema, const json_t *value)
{
    if (w->depth > 2 * ES_CRD_MAX_DEPTH) {
        es_crd_walk_say(w, "nests too deep");
        return;
    }
    if (!check_type(w, schema, value))
        return;
    check_enum(w, schema, value);
    if (json_is_string(value))
        check_string(w, schema, value);
    else if (json_is_number(value))
        check_number(w, schema, value);
    else if (json_is_object(value))
        check_object(w, schema, value);
    else if (json_is_array(value))
        check_list(w, schema, value);
    w->depth++;
    check_alternatives(w, schema, value);
    w->depth--;
}

void es_crd_walk_member(struct es_crd_walk *w, const json_t *schema, const json_t *parent, const char *key)
{
    struct place before = step(w, parent, key, 0);
    const json_t *value = json_object_get(parent, key);

    if (!schema)
        es_crd_walk_say(w, "unknown field");
    else if (value)
        es_crd_walk(w, schema, value);
    else
        es_crd_walk_say(w, "is required");
    step_back(w, &before);
}

/* ---- one value, one sentence */

static void keep_first(void *ctx, const struct es_crd_problem *p)
{
    struct es_error *err = ctx;
    if (err->code == 0)
        es_error_set(err, ES_E_INVALID, "%s%s%s", p->path, *p->path ? ": " : "", p->text);
}

int es_crd_check_value(const json_t *schema, const json_t *value, struct es_error *err)
{
    struct es_error first = ES_ERROR_INIT;
    struct es_crd_walk w = {.fn = keep_first, .ctx = &first};

    es_crd_walk(&w, schema, value);
    if (w.problems > 0 && err)
        *err = first;
    return w.problems > 0 ? ES_E_INVALID : 0;
}
