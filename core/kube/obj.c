#include "core/kube/obj.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

/* Deeper than any object the API server accepts; keeps the recursion within
 * the small stacks of worker threads. */
#define DEPTH_MAX 512

static json_t *walk(const json_t *obj, va_list path)
{
    const json_t *at = obj;

    for (const char *name = va_arg(path, const char *); name && at; name = va_arg(path, const char *))
        at = json_object_get(at, name);
    return json_is_null(at) ? NULL : (json_t *)at;
}

json_t *es_obj_at_(const json_t *obj, ...)
{
    va_list path;
    va_start(path, obj);
    json_t *at = walk(obj, path);
    va_end(path);
    return at;
}

const char *es_obj_str_(const json_t *obj, ...)
{
    va_list path;
    va_start(path, obj);
    const char *text = json_string_value(walk(obj, path));
    va_end(path);
    return text ? text : "";
}

bool es_obj_bool_(const json_t *obj, ...)
{
    va_list path;
    va_start(path, obj);
    const json_t *at = walk(obj, path);
    va_end(path);
    return json_is_true(at);
}

int64_t es_obj_int_(const json_t *obj, ...)
{
    va_list path;
    va_start(path, obj);
    int64_t number = json_integer_value(walk(obj, path));
    va_end(path);
    return number;
}

char *es_key_of(const char *ns, const char *name)
{
    if (es_str_empty(ns))
        return es_mem_strdup(name);
    size_t ns_len = strlen(ns), name_size = strlen(name) + 1;
    char *key = es_mem_alloc(ns_len + 1 + name_size);
    if (!key)
        return NULL;
    memcpy(key, ns, ns_len);
    key[ns_len] = '/';
    memcpy(key + ns_len + 1, name, name_size);
    return key;
}

char *es_obj_key(const json_t *obj)
{
    return es_key_of(es_obj_namespace(obj), es_obj_name(obj));
}

const char *es_key_split(const char *key, char ns[256])
{
    const char *slash = strchr(key, '/');
    size_t len = slash ? (size_t)(slash - key) : 0;

    if (len > 255)
        len = 255;
    memcpy(ns, key, len);
    ns[len] = '\0';
    return slash ? slash + 1 : key;
}

/* The object at `name`, put there when something else or nothing is. */
static json_t *enter(json_t *obj, const char *name)
{
    json_t *inner = json_object_get(obj, name);
    if (json_is_object(inner))
        return inner;
    inner = json_object();
    return json_object_set_new(obj, name, inner) < 0 ? NULL : inner;
}

int es_obj_set_(json_t *obj, json_t *take_value, ...)
{
    va_list path;
    va_start(path, take_value);
    const char *name = va_arg(path, const char *);
    const char *next = name ? va_arg(path, const char *) : NULL;
    while (next && obj) {
        obj = enter(obj, name);
        name = next;
        next = va_arg(path, const char *);
    }
    va_end(path);
    if (!obj || !name) {
        json_decref(take_value);
        return ES_E_NOMEM;
    }
    return json_object_set_new(obj, name, take_value) < 0 ? ES_E_NOMEM : 0;
}

int es_obj_unset_(json_t *obj, ...)
{
    va_list path;
    va_start(path, obj);
    const char *name = va_arg(path, const char *);
    const char *next = name ? va_arg(path, const char *) : NULL;
    while (next && obj) {
        obj = json_object_get(obj, name);
        name = next;
        next = va_arg(path, const char *);
    }
    va_end(path);
    if (obj && name)
        json_object_del(obj, name);
    return 0;
}

const json_t *es_obj_condition(const json_t *obj, const char *type)
{
    const json_t *conditions = es_obj_at(obj, "status", "conditions");
    size_t i;
    const json_t *one;

    json_array_foreach (conditions, i, one)
        if (es_streq(es_obj_str(one, "type"), type))
            return one;
    return NULL;
}

const json_t *es_obj_controller(const json_t *obj)
{
    const json_t *owners = es_obj_at(obj, "metadata", "ownerReferences");
    size_t i;
    const json_t *one;

    json_array_foreach (owners, i, one)
        if (es_obj_bool(one, "controller"))
            return one;
    return NULL;
}

static bool array_has(const json_t *array, const char *text)
{
    size_t i;
    const json_t *one;

    json_array_foreach (array, i, one)
        if (json_is_string(one) && strcmp(json_string_value(one), text) == 0)
            return true;
    return false;
}

bool es_obj_has_finalizer(const json_t *obj, const char *finalizer)
{
    return array_has(es_obj_at(obj, "metadata", "finalizers"), finalizer);
}

bool es_obj_deleting(const json_t *obj)
{
    return es_obj_at(obj, "metadata", "deletionTimestamp") != NULL;
}

/* The label's value, NULL when the object does not carry it. */
static const char *label_of(const json_t *labels, const char *key)
{
    return json_string_value(json_object_get(labels, key));
}

static int match_expression(const json_t *expr, const json_t *labels, struct es_error *err)
{
    const char *key = es_obj_str(expr, "key");
    const char *op = es_obj_str(expr, "operator");
    const json_t *values = es_obj_at(expr, "values");
    const char *have = label_of(labels, key);
    bool set = es_streq(op, "In") || es_streq(op, "NotIn");

    if (!set && !es_streq(op, "Exists") && !es_streq(op, "DoesNotExist"))
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not a valid label selector operator", op);
    if (set && json_array_size(values) == 0)
        return es_error_set(err, ES_E_CONFIG, "label selector: operator %s for \"%s\" needs values", op, key);
    if (!set && json_array_size(values) > 0)
        return es_error_set(err, ES_E_CONFIG, "label selector: operator %s for \"%s\" takes no values", op,
                            key);

    if (es_streq(op, "Exists"))
        return have != NULL;
    if (es_streq(op, "DoesNotExist"))
        return have == NULL;
    bool listed = have && array_has(values, have);
    return es_streq(op, "In") ? listed : !listed;
}

static bool match_labels(const json_t *wanted, const json_t *labels)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)wanted, key, value) {
        const char *have = label_of(labels, key);
        if (!have || !json_is_string(value) || strcmp(have, json_string_value(value)) != 0)
            return false;
    }
    return true;
}

int es_label_selector_match(const json_t *selector, const json_t *labels, struct es_error *err)
{
    if (!selector || json_is_null(selector))
        return 0;
    int matches = match_labels(es_obj_at(selector, "matchLabels"), labels);
    const json_t *exprs = es_obj_at(selector, "matchExpressions");
    size_t i;
    const json_t *expr;

    /* All of them even after a mismatch: a wrong operator is reported for
     * every object, not only for those the rest lets through. */
    json_array_foreach (exprs, i, expr) {
        int rc = match_expression(expr, labels, err);
        if (rc < 0)
            return rc;
        matches = matches && rc;
    }
    return matches;
}

static int merge_into(json_t *target, const json_t *patch, int depth)
{
    if (depth > DEPTH_MAX)
        return ES_E_TOO_LARGE;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(target, key);
            continue;
        }
        if (!json_is_object(value)) {
            if (json_object_set_new(target, key, json_deep_copy(value)) < 0)
                return ES_E_NOMEM;
            continue;
        }
        /* Also when nothing is there: nulls inside the patch must not stay. */
        json_t *inner = enter(target, key);
        int rc = inner ? merge_into(inner, value, depth + 1) : ES_E_NOMEM;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int es_json_merge_patch(json_t *target, const json_t *patch)
{
    if (!json_is_object(target) || !json_is_object(patch))
        return ES_E_INVALID;
    return merge_into(target, patch, 0);
}

/* jansson's own writer looks every container up in a table to find cycles and
 * grows its buffer as it goes. Objects here are trees, so this one walks twice,
 * once to count: the memory is exact, which a cache of such texts wants. */
struct writer {
    char *out; /* NULL while counting */
    size_t len;
    bool failed;
};

static inline void put(struct writer *w, const char *data, size_t len)
{
    if (w->out)
        memcpy(w->out + w->len, data, len);
    w->len += len;
}

static const char short_escape[0x60] = {
    ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};

static void put_escaped(struct writer *w, unsigned char c)
{
    char text[8];

    if (short_escape[c]) {
        const char two[2] = {'\\', short_escape[c]};
        put(w, two, 2);
        return;
    }
    snprintf(text, sizeof text, "\\u%04X", c);
    put(w, text, 6);
}

static void put_string(struct writer *w, const char *text, size_t len)
{
    size_t plain = 0;

    put(w, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(w, text + plain, i - plain);
        put_escaped(w, c);
        plain = i + 1;
    }
    put(w, text + plain, len - plain);
    put(w, "\"", 1);
}

/* The fewest digits that read back as the same number: 0.1 stays 0.1. */
static size_t format_real(const json_t *value, char *out, size_t size)
{
    size_t len = 0;

    for (size_t digits = 15; digits <= 17; digits++) {
        len = json_dumpb(value, out, size - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        if (len == 0 || len >= size)
            return 0;
        out[len] = '\0';
        if (strtod(out, NULL) == json_real_value(value))
            break;
    }
    return len;
}

static void put_number(struct writer *w, const json_t *value)
{
    char text[64];
    size_t len;

    if (json_is_integer(value))
        len = (size_t)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        len = format_real(value, text, sizeof text);
    if (len == 0)
        w->failed = true;
    else
        put(w, text, len);
}

static void put_value(struct writer *w, const json_t *value, int depth);

static void put_object(struct writer *w, json_t *object, int depth)
{
    const char *between = "{";

    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        const char *key = json_object_iter_key(it);
        put(w, between, 1);
        between = ",";
        put_string(w, key, strlen(key));
        put(w, ":", 1);
        put_value(w, json_object_iter_value(it), depth + 1);
    }
    if (*between == '{')
        put(w, between, 1);
    put(w, "}", 1);
}

static void put_array(struct writer *w, const json_t *array, int depth)
{
    size_t count = json_array_size(array);

    put(w, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i)
            put(w, ",", 1);
        put_value(w, json_array_get(array, i), depth + 1);
    }
    put(w, "]", 1);
}

static void put_value(struct writer *w, const json_t *value, int depth)
{
    if (!value || depth > DEPTH_MAX) {
        w->failed = true;
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(w, (json_t *)value, depth);
        break;
    case JSON_ARRAY:
        put_array(w, value, depth);
        break;
    case JSON_STRING:
        put_string(w, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        put_number(w, value);
        break;
    case JSON_TRUE:
        put(w, "true", 4);
        break;
    case JSON_FALSE:
        put(w, "false", 5);
        break;
    case JSON_NULL:
        put(w, "null", 4);
        break;
    }
}

char *es_json_text(const json_t *value, size_t *ret_len)
{
    struct writer w = {0};

    put_value(&w, value, 0);
    if (w.failed)
        return NULL;
    w.out = es_mem_alloc(w.len + 1);
    if (!w.out)
        return NULL;
    w.len = 0;
    put_value(&w, value, 0);
    w.out[w.len] = '\0';
    if (ret_len)
        *ret_len = w.len;
    return w.out;
}
