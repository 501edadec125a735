#include <openssl/crypto.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/gotext.h"
#include "core/secret/rename.h"
#include "core/secret/shape.h"

/* Deeper JSON than this is refused before jansson recurses into it. */
#define DEPTH_MAX 512

/* A merged document cannot be larger than a Secret may be, by far. */
#define MERGED_MAX ((size_t)8 * 1024 * 1024)

/* Text for a message that holds a quoted key. */
#define QUOTED_MAX ES_ERROR_TEXT_MAX

struct regexp_op {
    struct es_regex *regex;
    const char *target;
};

static int rename_by_regexp(void *ctx, const char *key, struct es_buf *out, struct es_error *err)
{
    const struct regexp_op *op = ctx;
    return es_regex_replace_all(op->regex, key, strlen(key), op->target, out, err);
}

static int rewrite_regexp(struct es_values *values, const json_t *spec, struct es_error *err)
{
    struct regexp_op op = {.target = es_obj_str(spec, "target")};
    int rc = es_regex_new(&op.regex, es_obj_str(spec, "source"), err);

    if (rc < 0) {
        es_error_wrap(err, "regexp failed with failed to compile: ");
        return rc;
    }
    rc = es_values_rename(values, rename_by_regexp, &op, false, err);
    if (rc < 0)
        es_error_wrap(err, "regexp failed with ");
    es_regex_free(op.regex);
    return rc;
}

struct transform_op {
    const struct es_renderer *renderer;
    const char *template;
};

static int render_key(const struct transform_op *op, const char *key, struct es_buf *out,
                      struct es_error *err)
{
    if (!es_utf8_valid(key, strlen(key)))
        return es_error_set(err, ES_E_CONFIG, "the key is not UTF-8");
    json_t *data = json_object();
    if (!data || json_object_set_new(data, "value", json_string(key)) < 0) {
        json_decref(data);
        return es_error_nomem(err);
    }
    int rc = op->renderer->render(op->renderer->ctx, op->template, data, out, err);
    json_decref(data);
    return rc;
}

static int rename_by_transform(void *ctx, const char *key, struct es_buf *out, struct es_error *err)
{
    const struct transform_op *op = ctx;
    int rc = render_key(op, key, out, err);

    if (rc < 0) {
        struct es_buf quoted;
        es_buf_init(&quoted, QUOTED_MAX);
        es_go_quote(&quoted, key);
        es_error_wrap(err, "failed to execute template for key %s: ", es_buf_str(&quoted));
        es_buf_fini(&quoted);
    }
    return rc;
}

static int rewrite_transform(struct es_values *values, const json_t *spec, const struct es_renderer *renderer,
                             struct es_error *err)
{
    struct transform_op op = {.renderer = renderer, .template = es_obj_str(spec, "template")};
    int rc;

    if (!renderer || !renderer->render)
        return es_error_set(err, ES_E_CONFIG, "transform failed with no template engine in this build");
    rc = renderer->parse ? renderer->parse(renderer->ctx, op.template, err) : 0;
    if (rc < 0) {
        es_error_wrap(err, "transform failed with failed to parse template: ");
        return rc;
    }
    rc = es_values_rename(values, rename_by_transform, &op, false, err);
    if (rc < 0)
        es_error_wrap(err, "transform failed with ");
    return rc;
}

/* What a merge has gathered so far. */
struct merge {
    json_t *members;
    struct es_buf conflicts; /* names, joined by ", " */
};

static void note_conflict(struct merge *m, const char *name)
{
    /* No more than the message can hold. */
    if (m->conflicts.len > ES_ERROR_TEXT_MAX)
        return;
    if (m->conflicts.len)
        es_buf_adds(&m->conflicts, ", ");
    es_buf_adds(&m->conflicts, name);
}

/* Nesting outside of strings; what is no JSON is left to the parser. */
static bool too_deep(const struct es_blob *text)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = text->ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

/* As Go reads JSON into a map of anything: all numbers are floats, and null
 * is an empty map. Where in the text the error is stays untold, for the
 * parser's words quote it. */
static int parse_members(json_t **ret, const char *key, const struct es_blob *text, struct es_error *err)
{
    json_t *parsed = NULL;
    json_error_t why = {0};
    bool deep = too_deep(text);

    if (!deep)
        parsed = json_loadb(text->ptr ? (const char *)text->ptr : "", text->len,
                            JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &why);
    /* jansson has words for everything but a lack of memory. */
    if (!parsed && !deep && !*why.text)
        return es_error_nomem(err);
    if (json_is_object(parsed) || json_is_null(parsed)) {
        *ret = parsed;
        return 0;
    }
    json_decref(parsed);
    return es_error_set(err, ES_E_CONFIG, "failed to unmarshal JSON: the value of key %s is no JSON object",
                        key);
}

static int add_members(struct merge *m, const json_t *parsed, struct es_error *err)
{
    struct es_go_member *members;
    size_t count;

    if (es_go_members(&members, &count, parsed) < 0)
        return es_error_nomem(err);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (json_object_get(m->members, members[i].key))
            note_conflict(m, members[i].key);
        if (json_object_set_nocheck(m->members, members[i].key, members[i].value) < 0)
            rc = es_error_nomem(err);
    }
    es_mem_free(members);
    return rc;
}

static int merge_value(struct merge *m, const char *key, const struct es_blob *value, struct es_error *err)
{
    json_t *parsed = NULL;
    int rc = parse_members(&parsed, key, value, err);

    if (rc == 0)
        rc = add_members(m, parsed, err);
    json_decref(parsed);
    return rc;
}

static bool is_listed(const json_t *names, const char *name)
{
    size_t i;
    const json_t *one;

    json_array_foreach (names, i, one)
        if (es_streq(json_string_value(one), name))
            return true;
    return false;
}

static int merge_priority(struct merge *m, const struct es_values *values, const json_t *spec,
                          const char *key, struct es_error *err)
{
    const struct es_blob *value = es_values_get(values, key);

    if (value)
        return merge_value(m, key, value, err);
    if (es_streq(es_obj_str(spec, "priorityPolicy"), "IgnoreNotFound"))
        return 0;
    struct es_buf quoted;
    es_buf_init(&quoted, QUOTED_MAX);
    es_go_quote(&quoted, key);
    es_error_set(err, ES_E_CONFIG, "key %s not found in input map", es_buf_str(&quoted));
    es_buf_fini(&quoted);
    return ES_E_CONFIG;
}

/* The later of two equal members stays, so those with priority come last. */
static int merge_all(struct merge *m, const struct es_values *values, const json_t *spec,
                     struct es_error *err)
{
    const json_t *priority = es_obj_at(spec, "priority");
    size_t i;
    const json_t *name;

    for (size_t k = 0; k < values->count; k++) {
        const struct es_value *v = &values->items[k];
        int rc = is_listed(priority, v->key) ? 0 : merge_value(m, v->key, &v->blob, err);
        if (rc < 0)
            return rc;
    }
    json_array_foreach (priority, i, name) {
        const char *key = json_string_value(name);
        int rc = merge_priority(m, values, spec, key ? key : "", err);
        if (rc < 0)
            return rc;
    }
    if (m->conflicts.len && !es_streq(es_obj_str(spec, "conflictPolicy"), "Ignore"))
        return es_error_set(err, ES_E_CONFIG, "conflicts: %s", es_buf_str(&m->conflicts));
    return 0;
}

static int set_json(struct es_values *into, const char *key, const json_t *value, bool escape_html,
                    struct es_error *err)
{
    struct es_buf text;
    int rc = 0;

    es_buf_init(&text, MERGED_MAX);
    es_go_json(&text, value, escape_html);
    if (es_buf_failed(&text))
        rc = es_error_set(err, ES_E_TOO_LARGE, "merged JSON above %zu bytes", MERGED_MAX);
    else if (es_values_set(into, key, es_buf_str(&text), text.len) < 0)
        rc = es_error_nomem(err);
    es_buf_fini(&text);
    return rc;
}

/* Strings raw, null empty, the rest as JSON, but numbers never with an exponent. */
static int set_member(struct es_values *into, const char *key, const json_t *value, struct es_error *err)
{
    char number[ES_GO_FLOAT_MAX];
    const char *text = "";
    size_t len = 0;

    if (json_is_object(value) || json_is_array(value) || json_is_boolean(value))
        return set_json(into, key, value, true, err);
    if (json_is_string(value)) {
        text = json_string_value(value);
        len = json_string_length(value);
    } else if (json_is_real(value)) {
        text = number;
        len = es_go_float(number, json_real_value(value), ES_GO_FIXED);
    }
    int rc = es_values_set(into, key, text, len);
    OPENSSL_cleanse(number, sizeof number);
    return rc < 0 ? es_error_nomem(err) : 0;
}

static int extract_members(struct es_values *values, const json_t *members, struct es_error *err)
{
    struct es_values out = {0};
    const char *key;
    json_t *value;
    int rc = 0;

    json_object_foreach ((json_t *)members, key, value) {
        rc = set_member(&out, key, value, err);
        if (rc < 0)
            break;
    }
    if (rc == 0) {
        es_values_fini(values);
        *values = out;
        return 0;
    }
    es_values_fini(&out);
    return rc;
}

static int merge_into_key(struct es_values *values, const json_t *members, const char *into,
                          struct es_error *err)
{
    if (!*into)
        return es_error_set(err, ES_E_CONFIG, "missing 'into' field");
    return set_json(values, into, members, false, err);
}

static int rewrite_merge(struct es_values *values, const json_t *spec, struct es_error *err)
{
    struct merge m = {.members = json_object()};
    int rc;

    es_buf_init(&m.conflicts, MERGED_MAX);
    rc = m.members ? merge_all(&m, values, spec, err) : es_error_nomem(err);
    if (rc == 0) {
        const char *strategy = es_obj_str(spec, "strategy");
        if (es_streq(strategy, "JSON"))
            rc = merge_into_key(values, m.members, es_obj_str(spec, "into"), err);
        else
            rc = extract_members(values, m.members, err);
    }
    es_buf_fini(&m.conflicts);
    json_decref(m.members);
    if (rc < 0)
        es_error_wrap(err, "merge failed with ");
    return rc;
}

/* An entry without any of the three changes nothing. */
static int rewrite_once(struct es_values *values, const json_t *op, const struct es_renderer *renderer,
                        struct es_error *err)
{
    const json_t *merge = es_obj_at(op, "merge"), *regexp = es_obj_at(op, "regexp");
    const json_t *transform = es_obj_at(op, "transform");

    if (merge)
        return rewrite_merge(values, merge, err);
    if (regexp)
        return rewrite_regexp(values, regexp, err);
    if (transform)
        return rewrite_transform(values, transform, renderer, err);
    return 0;
}

int es_values_rewrite(struct es_values *values, const json_t *rewrite, const struct es_renderer *renderer,
                      struct es_error *err)
{
    size_t i;
    const json_t *op;

    json_array_foreach (rewrite, i, op) {
        int rc = rewrite_once(values, op, renderer, err);
        if (rc < 0) {
            es_error_wrap(err, "failed rewrite operation[%zu]: ", i);
            return rc;
        }
    }
    return 0;
}
