/* The small language of the documents in crds/: $ref with a merge patch beside
 * it, and ${NAME} inside CEL rules. */
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/crd_own.h"

#define FRAGMENT_PREFIX "#/fragments/"
#define COMPUTED_PREFIX "#/computed/"
#define RULE_MAX ((size_t)16 * 1024)

struct scope {
    const json_t *fragments, *computed;
    struct es_error *err;
};

static json_t *resolve(const struct scope *s, const json_t *node, unsigned depth);

static json_t *wrong(const struct scope *s, const char *what, const char *name)
{
    es_error_set(s->err, ES_E_INTERNAL, "base documents: %s %s", what, name);
    return NULL;
}

static json_t *nomem(const struct scope *s)
{
    es_error_nomem(s->err);
    return NULL;
}

/* RFC 7396 for a patch that is not needed any more: base keeps what is not
 * named, null takes away, objects merge, everything else replaces. A patch
 * object that meets nothing to merge with still loses its nulls. */
static json_t *merge(const struct scope *s, json_t *take_base, json_t *patch, unsigned depth)
{
    if (!json_is_object(patch)) {
        json_decref(take_base);
        return json_incref(patch);
    }
    json_t *base = take_base;
    if (!json_is_object(base)) {
        json_decref(base);
        base = json_object();
    }
    if (depth > ES_CRD_MAX_DEPTH) {
        json_decref(base);
        return wrong(s, "a patch nests", "too deep");
    }

    const char *key;
    json_t *value;
    json_object_foreach (patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(base, key);
            continue;
        }
        json_t *merged = merge(s, json_incref(json_object_get(base, key)), value, depth + 1);
        if (!merged || json_object_set_new(base, key, merged) < 0) {
            json_decref(base);
            return merged ? nomem(s) : NULL;
        }
    }
    return base ? base : nomem(s);
}

static json_t *fragment(const struct scope *s, const char *ref, unsigned depth)
{
    const json_t *found = NULL;

    if (es_str_starts(ref, COMPUTED_PREFIX)) {
        found = json_object_get(s->computed, ref + strlen(COMPUTED_PREFIX));
        if (found)
            return json_deep_copy(found);
    } else if (es_str_starts(ref, FRAGMENT_PREFIX)) {
        found = json_object_get(s->fragments, ref + strlen(FRAGMENT_PREFIX));
    }
    return found ? resolve(s, found, depth + 1) : wrong(s, "there is no", ref);
}

/* The text that ${NAME} stands for: strings as they are, all else as JSON. */
static int expand_name(const struct scope *s, struct es_buf *out, const char *name, size_t len)
{
    char key[64];
    if (len >= sizeof key)
        len = sizeof key - 1;
    memcpy(key, name, len);
    key[len] = '\0';

    const json_t *found = json_object_get(s->fragments, key);
    if (!found)
        return es_error_set(s->err, ES_E_INTERNAL, "base documents: ${%s} in a rule is unknown", key);
    char *text = json_is_string(found) ? es_mem_strdup(json_string_value(found))
                                       : json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return es_error_nomem(s->err);
    es_buf_adds(out, text);
    es_mem_free(text);
    return 0;
}

static json_t *expand_rule(const struct scope *s, const char *rule)
{
    struct es_buf out;
    es_buf_init(&out, RULE_MAX);

    for (const char *p = rule;;) {
        const char *open = strstr(p, "${");
        const char *shut = open ? strchr(open, '}') : NULL;
        if (!shut) {
            es_buf_adds(&out, p);
            break;
        }
        es_buf_add(&out, p, (size_t)(open - p));
        if (expand_name(s, &out, open + 2, (size_t)(shut - open) - 2) < 0) {
            es_buf_fini(&out);
            return NULL;
        }
        p = shut + 1;
    }
    json_t *made = es_buf_failed(&out) ? NULL : json_string(es_buf_str(&out));
    es_buf_fini(&out);
    return made ? made : nomem(s);
}

static bool is_rule(const char *key, const json_t *value)
{
    return json_is_string(value) && (strcmp(key, "rule") == 0 || strcmp(key, "messageExpression") == 0);
}

/* All members but $ref. */
static json_t *resolve_members(const struct scope *s, const json_t *node, unsigned depth)
{
    json_t *made = json_object();
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)node, key, value) {
        if (strcmp(key, "$ref") == 0)
            continue;
        json_t *v =
            is_rule(key, value) ? expand_rule(s, json_string_value(value)) : resolve(s, value, depth + 1);
        if (!v || json_object_set_new(made, key, v) < 0) {
            json_decref(made);
            return v ? nomem(s) : NULL;
        }
    }
    return made ? made : nomem(s);
}

static json_t *resolve_object(const struct scope *s, const json_t *node, unsigned depth)
{
    const char *ref = json_string_value(json_object_get(node, "$ref"));
    json_t *members = resolve_members(s, node, depth);

    if (!ref || !members)
        return members;
    json_t *base = fragment(s, ref, depth);
    if (base && json_object_size(members) > 0)
        base = merge(s, base, members, depth);
    json_decref(members);
    return base;
}

static json_t *resolve_array(const struct scope *s, const json_t *node, unsigned depth)
{
    json_t *made = json_array();
    size_t i;
    json_t *item;

    json_array_foreach (node, i, item) {
        json_t *v = resolve(s, item, depth + 1);
        if (!v || json_array_append_new(made, v) < 0) {
            json_decref(made);
            return v ? nomem(s) : NULL;
        }
    }
    return made ? made : nomem(s);
}

static json_t *resolve(const struct scope *s, const json_t *node, unsigned depth)
{
    if (depth > ES_CRD_MAX_DEPTH)
        return wrong(s, "fragments nest", "too deep");
    if (json_is_object(node))
        return resolve_object(s, node, depth);
    if (json_is_array(node))
        return resolve_array(s, node, depth);
    json_t *copy = json_deep_copy(node);
    return copy ? copy : nomem(s);
}

int es_crd_resolve(json_t **ret, const json_t *node, const json_t *fragments, const json_t *computed,
                   struct es_error *err)
{
    const struct scope s = {fragments, computed, err};
    json_t *made = resolve(&s, node, 0);

    if (!made)
        return err ? err->code : ES_E_INTERNAL;
    *ret = made;
    return 0;
}
