#include "core/secret/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/secret/gotext.h"

#define KEY_MAX 254
#define QUOTED_MAX 512

/* A member's name, or with name NULL an index. */
struct step {
    char *name;
    size_t index;
};

struct steps {
    const char *path;
    struct step list[ES_PATH_STEPS_MAX];
    size_t count;
    struct es_error *err;
};

/* ---- reading ---- */

/* The reference's `invalid path "a..b": empty segment`. */
static int refuse(const struct steps *s, const char *why)
{
    struct es_buf quoted;

    es_buf_init(&quoted, QUOTED_MAX);
    es_go_quote(&quoted, s->path);
    es_error_set(s->err, ES_E_CONFIG, "invalid path %s: %s",
                 es_buf_failed(&quoted) ? "of this length" : es_buf_str(&quoted), why);
    es_buf_fini(&quoted);
    return ES_E_CONFIG;
}

/* The same about a part of it, which is quoted in short. */
static int refuse_part(const struct steps *s, const char *before, const char *part, size_t len,
                       const char *behind)
{
    char why[128];

    snprintf(why, sizeof why, "%s%.*s%s", before, (int)(len < 32 ? len : 32), part, behind);
    return refuse(s, why);
}

static int add_step(struct steps *s, const char *name, size_t len, size_t index)
{
    char key[KEY_MAX];

    if (s->count == ES_PATH_STEPS_MAX)
        return refuse(s, "more than 64 steps");
    if (len >= sizeof key)
        return refuse(s, "a key above 253 bytes");
    struct step *step = &s->list[s->count];
    *step = (struct step){.index = index};
    if (name) {
        memcpy(key, name, len);
        key[len] = '\0';
        step->name = es_mem_strdup(key);
        if (!step->name)
            return es_error_nomem(s->err);
    }
    s->count++;
    return 0;
}

/* "[12]" at *at; *at moves behind it. */
static int read_index(struct steps *s, const char **at, const char *end)
{
    const char *open = *at, *close = memchr(open, ']', (size_t)(end - open));
    char digits[24];
    int64_t index = 0;

    if (*open != '[')
        return refuse_part(s, "expected '[' near \"", open, (size_t)(end - open), "\"");
    if (!close)
        return refuse(s, "unterminated '['");
    size_t len = (size_t)(close - open) - 1;
    snprintf(digits, sizeof digits, "%.*s", (int)(len < sizeof digits ? len : sizeof digits - 1), open + 1);
    if (len >= sizeof digits || es_parse_i64(digits, &index) < 0)
        return refuse_part(s, "bad index \"", open + 1, len, "\"");
    if (index < 0)
        return refuse_part(s, "negative index ", open + 1, len, "");
    if (index > ES_PATH_INDEX_MAX)
        return refuse_part(s, "index ", open + 1, len, " exceeds maximum (10000)");
    *at = close + 1;
    return add_step(s, NULL, 0, (size_t)index);
}

/* What stands between two dots: a key, indexes, or both. */
static int read_segment(struct steps *s, const char *at, const char *end)
{
    const char *bracket = memchr(at, '[', (size_t)(end - at));
    size_t name_len = (size_t)((bracket ? bracket : end) - at);
    int rc = 0;

    if (at == end)
        return refuse(s, "empty segment");
    if (name_len)
        rc = add_step(s, at, name_len, 0);
    at += name_len;
    while (rc == 0 && at < end)
        rc = read_index(s, &at, end);
    return rc;
}

static int read_path(struct steps *s)
{
    const char *at = s->path;
    int rc;

    if (!es_utf8_valid(at, strlen(at)))
        return refuse(s, "not UTF-8");
    do {
        const char *end = at + strcspn(at, ".");
        rc = read_segment(s, at, end);
        at = *end ? end + 1 : NULL;
    } while (rc == 0 && at);
    if (rc == 0 && !s->list[0].name)
        return refuse(s, "path must start with a key");
    return rc;
}

static void free_steps(struct steps *s)
{
    for (size_t i = 0; i < s->count; i++)
        es_mem_free(s->list[i].name);
}

/* ---- walking ---- */

/* What Go calls the type of a value in a tree. */
static const char *go_type(const json_t *node)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "map[string]interface {}",
        [JSON_ARRAY] = "[]interface {}",
        [JSON_STRING] = "string",
        [JSON_INTEGER] = "int64",
        [JSON_REAL] = "float64",
        [JSON_TRUE] = "bool",
        [JSON_FALSE] = "bool",
        [JSON_NULL] = "<nil>",
    };
    return names[json_typeof(node)];
}

/* Does the node hold what the step names? */
static int check_node(const struct steps *s, const json_t *node, const struct step *step)
{
    if (step->name && !json_is_object(node))
        return es_error_set(s->err, ES_E_CONFIG,
                            "failed to set path %s: expected map at key \"%s\" but found %s", s->path,
                            step->name, go_type(node));
    if (!step->name && !json_is_array(node))
        return es_error_set(s->err, ES_E_CONFIG,
                            "failed to set path %s: expected array at index %zu but found %s", s->path,
                            step->index, go_type(node));
    return 0;
}

static json_t *get_child(const json_t *node, const struct step *step)
{
    json_t *child = step->name ? json_object_get(node, step->name) : json_array_get(node, step->index);
    return json_is_null(child) ? NULL : child;
}

/* 0 or -1 */
static int set_child(json_t *node, const struct step *step, json_t *child)
{
    if (step->name)
        return json_object_set(node, step->name, child);
    while (json_array_size(node) <= step->index)
        if (json_array_append_new(node, json_null()) < 0)
            return -1;
    return json_array_set(node, step->index, child);
}

/* The node behind a step, made for what comes next if there is none. */
static json_t *enter(json_t *node, const struct step *step, const struct step *next)
{
    json_t *child = get_child(node, step);

    if (child)
        return child;
    child = next->name ? json_object() : json_array();
    int rc = child ? set_child(node, step, child) : -1;
    json_decref(child); /* the tree has it */
    return rc == 0 ? child : NULL;
}

static int put(const struct steps *s, json_t *node, json_t *value, bool merge)
{
    size_t last = s->count - 1;
    int rc = check_node(s, node, &s->list[0]);

    for (size_t i = 0; rc == 0 && i < last; i++) {
        node = enter(node, &s->list[i], &s->list[i + 1]);
        rc = node ? check_node(s, node, &s->list[i + 1]) : es_error_nomem(s->err);
    }
    if (rc < 0)
        return rc;
    json_t *have = get_child(node, &s->list[last]);
    bool add = merge && last > 0 && json_is_object(have) && json_is_object(value);
    if ((add ? json_object_update(have, value) : set_child(node, &s->list[last], value)) < 0)
        return es_error_nomem(s->err);
    return 0;
}

int es_path_put(json_t *root, const char *path, json_t *value, bool merge, struct es_error *err)
{
    struct steps *s = es_mem_calloc(1, sizeof *s);

    if (!s)
        return es_error_nomem(err);
    s->path = path;
    s->err = err;
    int rc = read_path(s);
    if (rc == 0)
        rc = put(s, root, value, merge);
    free_steps(s);
    es_mem_free(s);
    return rc;
}
