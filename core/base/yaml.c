#include "core/base/yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/yaml_lines.h"
#include "core/base/yaml_scalar.h"

#define MAX_TEXT ((size_t)8 << 20)
#define MAX_DEPTH 64
#define MAX_NODES 1000000

struct anchor {
    char *name;
    json_t *value; /* NULL while the node it stands on is being read */
    int line;
};

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct es_error *err;
    struct es_map anchors;       /* of the document being read */
    struct es_yaml_lines *lines; /* likewise */
    size_t nodes;
};

static bool is_shared(const json_t *node)
{
    return json_is_boolean(node) || json_is_null(node);
}

static int note_node(struct reader *r, const json_t *node, int line)
{
    if (!node || (!is_shared(node) && es_yaml_lines_put(r->lines, es_yaml_of_node(node), line) < 0))
        return es_error_nomem(r->err);
    return 0;
}

static int fail_at(struct reader *r, int line, const char *why)
{
    return es_error_set(r->err, ES_E_CONFIG, "%s:%d: %s", r->name, line, why);
}

static int fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not YAML";

    if (p->error == YAML_MEMORY_ERROR)
        return es_error_nomem(r->err);
    if (p->error == YAML_READER_ERROR)
        return es_error_set(r->err, ES_E_CONFIG, "%s:%zu: %s", r->name, p->mark.line + 1, problem);
    return es_error_set(r->err, ES_E_CONFIG, "%s:%zu: %s%s%s", r->name, p->problem_mark.line + 1, problem,
                        p->context ? " " : "", p->context ? p->context : "");
}

static int next_event(struct reader *r, yaml_event_t *ev)
{
    return yaml_parser_parse(&r->parser, ev) ? 0 : fail_parser(r);
}

static int line_of(const yaml_event_t *ev)
{
    return (int)ev->start_mark.line + 1;
}

/* Every node, alias expansions included, passes here once. */
static int count_node(struct reader *r, int line, unsigned depth)
{
    if (depth > MAX_DEPTH)
        return fail_at(r, line, "nested too deeply");
    if (++r->nodes > MAX_NODES)
        return fail_at(r, line, "too many values (aliases included)");
    return 0;
}

static int read_node(struct reader *r, yaml_event_t *ev, unsigned depth, json_t **ret);

/* Anchors */

static void forget_anchors(struct reader *r)
{
    size_t pos = 0;
    struct anchor *a;

    while ((a = es_map_next(&r->anchors, &pos))) {
        json_decref(a->value);
        es_mem_free(a->name);
        free(a);
    }
    es_map_fini(&r->anchors);
}

/* Makes the name known before its node is read, so that a node that contains
 * itself is told from a name that does not exist. */
static int open_anchor(struct reader *r, const yaml_char_t *name, int line, struct anchor **ret)
{
    if (!name)
        return 0;
    struct anchor *a = es_map_get(&r->anchors, (const char *)name);
    if (!a) {
        a = calloc(1, sizeof *a);
        char *copy = es_mem_strdup((const char *)name);
        if (!a || !copy || es_map_put(&r->anchors, copy, a, NULL) < 0) {
            free(a);
            es_mem_free(copy);
            return es_error_nomem(r->err);
        }
        a->name = copy;
    }
    json_decref(a->value);
    a->value = NULL;
    a->line = line;
    *ret = a;
    return 0;
}

static int copy_node(struct reader *r, const json_t *from, int line, unsigned depth, json_t **ret);

static int copy_object(struct reader *r, const json_t *from, json_t *to, int line, unsigned depth)
{
    const char *key;
    const json_t *value;

    json_object_foreach ((json_t *)from, key, value) {
        json_t *copy = NULL;
        int key_line = es_yaml_lines_get(r->lines, es_yaml_of_key(from, key));
        int rc = copy_node(r, value, line, depth + 1, &copy);
        if (rc < 0)
            return rc;
        if (json_object_set_new_nocheck(to, key, copy) < 0 ||
            es_yaml_lines_put(r->lines, es_yaml_of_key(to, key), key_line) < 0)
            return es_error_nomem(r->err);
    }
    return 0;
}

static int copy_array(struct reader *r, const json_t *from, json_t *to, int line, unsigned depth)
{
    for (size_t i = 0; i < json_array_size(from); i++) {
        json_t *copy = NULL;
        int item_line = es_yaml_lines_get(r->lines, es_yaml_of_index(from, i));
        int rc = copy_node(r, json_array_get(from, i), line, depth + 1, &copy);
        if (rc < 0)
            return rc;
        if (json_array_append_new(to, copy) < 0 ||
            es_yaml_lines_put(r->lines, es_yaml_of_index(to, i), item_line) < 0)
            return es_error_nomem(r->err);
    }
    return 0;
}

/* An alias becomes a copy of its own, or changing one place of the tree would
 * change another. Its nodes keep the lines of the original; `line` is the
 * alias's, for errors. */
static int copy_node(struct reader *r, const json_t *from, int line, unsigned depth, json_t **ret)
{
    int rc = count_node(r, line, depth);
    if (rc < 0)
        return rc;
    json_t *to = json_is_object(from)  ? json_object()
                 : json_is_array(from) ? json_array()
                                       : json_copy((json_t *)from);
    rc = note_node(r, to, is_shared(from) ? 0 : es_yaml_lines_get(r->lines, es_yaml_of_node(from)));
    if (rc == 0 && json_is_object(from))
        rc = copy_object(r, from, to, line, depth);
    if (rc == 0 && json_is_array(from))
        rc = copy_array(r, from, to, line, depth);
    if (rc < 0) {
        json_decref(to);
        return rc;
    }
    *ret = to;
    return 0;
}

static int find_anchor(struct reader *r, const yaml_event_t *ev, const struct anchor **ret)
{
    *ret = es_map_get(&r->anchors, (const char *)ev->data.alias.anchor);
    if (!*ret)
        return fail_at(r, line_of(ev), "an alias refers to an anchor that does not exist");
    if (!(*ret)->value)
        return fail_at(r, line_of(ev), "an anchored value contains itself");
    return 0;
}

static int read_alias(struct reader *r, const yaml_event_t *ev, unsigned depth, json_t **ret)
{
    const struct anchor *a;
    int rc = find_anchor(r, ev, &a);
    return rc < 0 ? rc : copy_node(r, a->value, line_of(ev), depth, ret);
}

/* Scalars and sequences */

static int resolve_event(struct reader *r, const yaml_event_t *ev, struct es_scalar *ret)
{
    const char *why =
        es_scalar_resolve(ret, (const char *)ev->data.scalar.tag, ev->data.scalar.plain_implicit != 0,
                          (const char *)ev->data.scalar.value, ev->data.scalar.length);
    return why ? fail_at(r, line_of(ev), why) : 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *ev, json_t **ret)
{
    struct es_scalar s;
    const char *why;
    int rc = resolve_event(r, ev, &s);

    if (rc < 0)
        return rc;
    json_t *value = es_scalar_json(&s, &why);
    if (!value && why)
        return fail_at(r, line_of(ev), why);
    rc = note_node(r, value, line_of(ev));
    if (rc < 0)
        json_decref(value);
    else
        *ret = value;
    return rc;
}

static int read_sequence(struct reader *r, unsigned depth, json_t *array)
{
    for (size_t i = 0;; i++) {
        yaml_event_t ev;
        json_t *item = NULL;
        int rc = next_event(r, &ev);
        if (rc < 0)
            return rc;
        bool end = ev.type == YAML_SEQUENCE_END_EVENT;
        int line = line_of(&ev);
        if (!end)
            rc = read_node(r, &ev, depth + 1, &item);
        yaml_event_delete(&ev);
        if (end || rc < 0)
            return rc;
        if (json_array_append_new(array, item) < 0 ||
            es_yaml_lines_put(r->lines, es_yaml_of_index(array, i), line) < 0)
            return es_error_nomem(r->err);
    }
}

/* Mappings */

static bool is_merge_key(const yaml_event_t *ev)
{
    const char *tag = (const char *)ev->data.scalar.tag;

    return ev->type == YAML_SCALAR_EVENT && ev->data.scalar.length == 2 &&
           memcmp(ev->data.scalar.value, "<<", 2) == 0 &&
           (tag ? strcmp(tag, "tag:yaml.org,2002:merge") == 0 : ev->data.scalar.plain_implicit != 0);
}

static int key_from_alias(struct reader *r, const yaml_event_t *ev, char **ret)
{
    const struct anchor *a;
    struct es_scalar s = {.kind = ES_SCALAR_NULL};
    const char *why;
    int rc = find_anchor(r, ev, &a);

    if (rc < 0)
        return rc;
    if (json_is_string(a->value))
        s = (struct es_scalar){.kind = ES_SCALAR_STRING,
                               .text = json_string_value(a->value),
                               .len = json_string_length(a->value)};
    else if (json_is_integer(a->value))
        s = (struct es_scalar){.kind = ES_SCALAR_INT, .integer = json_integer_value(a->value)};
    else if (json_is_boolean(a->value))
        s = (struct es_scalar){.kind = ES_SCALAR_BOOL, .truth = json_is_true(a->value)};
    else if (json_is_real(a->value))
        s = (struct es_scalar){.kind = ES_SCALAR_FLOAT, .real = json_real_value(a->value)};
    *ret = es_scalar_key(&s, &why);
    if (!*ret)
        return why ? fail_at(r, line_of(ev), why) : es_error_nomem(r->err);
    return 0;
}

static int read_key(struct reader *r, const yaml_event_t *ev, char **ret)
{
    struct anchor *anchor = NULL;
    struct es_scalar s;
    const char *why;

    if (ev->type == YAML_ALIAS_EVENT)
        return key_from_alias(r, ev, ret);
    if (ev->type != YAML_SCALAR_EVENT)
        return fail_at(r, line_of(ev), "a mapping key is not a scalar");
    int rc = open_anchor(r, ev->data.scalar.anchor, line_of(ev), &anchor);
    if (rc == 0 && anchor)
        rc = read_scalar(r, ev, &anchor->value);
    if (rc == 0)
        rc = resolve_event(r, ev, &s);
    if (rc < 0)
        return rc;
    *ret = es_scalar_key(&s, &why);
    if (!*ret)
        return why ? fail_at(r, line_of(ev), why) : es_error_nomem(r->err);
    return 0;
}

/* Moves members that `to` lacks (or all, with `overwrite`) from `from`. */
static int take_members(struct reader *r, json_t *to, const json_t *from, bool overwrite)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)from, key, value) {
        if (!overwrite && json_object_get(to, key))
            continue;
        if (json_object_set_nocheck(to, key, value) < 0 ||
            es_yaml_lines_put(r->lines, es_yaml_of_key(to, key),
                              es_yaml_lines_get(r->lines, es_yaml_of_key(from, key))) < 0)
            return es_error_nomem(r->err);
    }
    return 0;
}

/* The value of "<<": a mapping, or a sequence of mappings of which earlier
 * ones win. Collected apart, because what the mapping says itself wins over
 * all of them, wherever the "<<" stands. */
static int read_merge(struct reader *r, unsigned depth, json_t **merged)
{
    yaml_event_t ev;
    json_t *source = NULL;
    int rc = next_event(r, &ev);

    if (rc < 0)
        return rc;
    int line = line_of(&ev);
    rc = read_node(r, &ev, depth + 1, &source);
    yaml_event_delete(&ev);
    if (rc == 0 && !*merged) {
        *merged = json_object();
        rc = *merged ? 0 : es_error_nomem(r->err);
    }
    if (rc == 0 && json_is_object(source))
        rc = take_members(r, *merged, source, true);
    else if (rc == 0 && !json_is_array(source))
        rc = fail_at(r, line, "a merge key needs a mapping or a sequence of mappings");
    for (size_t i = json_array_size(source); rc == 0 && i > 0; i--) {
        const json_t *item = json_array_get(source, i - 1);
        rc = json_is_object(item) ? take_members(r, *merged, item, true)
                                  : fail_at(r, line, "a merge key needs a mapping or a sequence of mappings");
    }
    json_decref(source);
    return rc;
}

static int read_member(struct reader *r, const yaml_event_t *key_event, unsigned depth, json_t *object)
{
    char *key = NULL;
    json_t *value = NULL;
    yaml_event_t ev;
    int rc = read_key(r, key_event, &key);

    if (rc < 0)
        return rc;
    if (json_object_get(object, key)) {
        rc = es_error_set(r->err, ES_E_CONFIG, "%s:%d: key \"%s\" is already defined at line %d", r->name,
                          line_of(key_event), key, es_yaml_lines_get(r->lines, es_yaml_of_key(object, key)));
        goto out;
    }
    rc = next_event(r, &ev);
    if (rc < 0)
        goto out;
    rc = read_node(r, &ev, depth + 1, &value);
    yaml_event_delete(&ev);
    if (rc == 0 && (json_object_set_new_nocheck(object, key, value) < 0 ||
                    es_yaml_lines_put(r->lines, es_yaml_of_key(object, key), line_of(key_event)) < 0))
        rc = es_error_nomem(r->err);
out:
    es_mem_free(key);
    return rc;
}

static int read_mapping(struct reader *r, unsigned depth, json_t *object)
{
    json_t *merged = NULL;
    int rc;

    for (;;) {
        yaml_event_t ev;
        rc = next_event(r, &ev);
        if (rc < 0)
            break;
        bool end = ev.type == YAML_MAPPING_END_EVENT;
        if (!end)
            rc = is_merge_key(&ev) ? read_merge(r, depth, &merged) : read_member(r, &ev, depth, object);
        yaml_event_delete(&ev);
        if (end || rc < 0)
            break;
    }
    if (rc == 0 && merged)
        rc = take_members(r, object, merged, false);
    json_decref(merged);
    return rc;
}

static int read_collection(struct reader *r, const yaml_event_t *ev, unsigned depth, json_t **ret)
{
    bool mapping = ev->type == YAML_MAPPING_START_EVENT;
    json_t *node = mapping ? json_object() : json_array();
    int rc = note_node(r, node, line_of(ev));

    if (rc == 0)
        rc = mapping ? read_mapping(r, depth, node) : read_sequence(r, depth, node);
    if (rc < 0)
        json_decref(node);
    else
        *ret = node;
    return rc;
}

static const yaml_char_t *anchor_of(const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return ev->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return ev->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return ev->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static int read_node(struct reader *r, yaml_event_t *ev, unsigned depth, json_t **ret)
{
    struct anchor *anchor = NULL;

    if (ev->type == YAML_ALIAS_EVENT)
        return read_alias(r, ev, depth, ret);
    int rc = count_node(r, line_of(ev), depth);
    if (rc == 0)
        rc = open_anchor(r, anchor_of(ev), line_of(ev), &anchor);
    if (rc == 0)
        rc = ev->type == YAML_SCALAR_EVENT ? read_scalar(r, ev, ret) : read_collection(r, ev, depth, ret);
    if (rc < 0 || !anchor)
        return rc;
    /* Inside, the same name may have been given to another node: the name
     * goes to the one that was completed last. */
    json_decref(anchor->value);
    anchor->value = json_incref(*ret);
    return 0;
}

/* Documents */

static int add_document(struct es_yaml *y, struct es_yaml_doc doc)
{
    struct es_yaml_doc *docs = realloc(y->docs, (y->count + 1) * sizeof *docs);
    if (!docs)
        return ES_E_NOMEM;
    y->docs = docs;
    y->docs[y->count++] = doc;
    return 0;
}

static int read_document(struct reader *r, struct es_yaml *y)
{
    yaml_event_t ev;
    json_t *root = NULL;
    int rc = next_event(r, &ev);

    if (rc < 0)
        return rc;
    r->lines = calloc(1, sizeof *r->lines);
    struct es_yaml_doc doc = {.line = line_of(&ev), .lines = r->lines};
    rc = r->lines ? read_node(r, &ev, 1, &root) : es_error_nomem(r->err);
    yaml_event_delete(&ev);
    forget_anchors(r);
    doc.root = root;
    if (rc == 0 && !json_is_null(root)) {
        if (add_document(y, doc) == 0)
            return 0;
        rc = es_error_nomem(r->err);
    }
    json_decref(root);
    es_yaml_lines_free(r->lines);
    return rc;
}

static int read_stream(struct reader *r, struct es_yaml *y)
{
    int rc;

    for (;;) {
        yaml_event_t ev;
        rc = next_event(r, &ev);
        if (rc < 0)
            return rc;
        yaml_event_type_t type = ev.type;
        yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type == YAML_DOCUMENT_START_EVENT)
            rc = read_document(r, y);
        if (rc < 0)
            return rc;
    }
}

/* Makes numbers what they are when read as YAML. False when nested too deeply,
 * or without memory. */
static bool settle_numbers(json_t *node, unsigned depth)
{
    size_t i;
    json_t *item;

    if (depth > MAX_DEPTH)
        return false;
    json_array_foreach (node, i, item) {
        if (json_is_real(item) && json_array_set_new(node, i, es_scalar_number(json_real_value(item))) < 0)
            return false;
        if (!settle_numbers(json_array_get(node, i), depth + 1))
            return false;
    }
    for (void *at = json_object_iter(node); at; at = json_object_iter_next(node, at)) {
        item = json_object_iter_value(at);
        if (json_is_real(item) &&
            json_object_iter_set_new(node, at, es_scalar_number(json_real_value(item))) < 0)
            return false;
        if (!settle_numbers(json_object_iter_value(at), depth + 1))
            return false;
    }
    return true;
}

/* The corners of JSON that YAML 1.1 does not read (surrogate pairs in \u, keys
 * above 1024 bytes). Nodes have no lines then. */
static bool read_as_json(struct es_yaml *y, const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && strchr(" \t\r\n", text[i]) && text[i])
        i++;
    if (i == len || (text[i] != '{' && text[i] != '['))
        return false;
    struct es_yaml_doc doc = {.line = 1};
    doc.root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (doc.root && settle_numbers(doc.root, 1) && add_document(y, doc) == 0)
        return true;
    json_decref(doc.root);
    return false;
}

int es_yaml_parse(struct es_yaml *ret, const char *name, const char *text, size_t len, struct es_error *err)
{
    struct reader r = {.name = name, .err = err};
    struct es_yaml y = {0};

    if (len > MAX_TEXT)
        return es_error_set(err, ES_E_CONFIG, "%s:1: above %zu bytes", name, (size_t)MAX_TEXT);
    if (!yaml_parser_initialize(&r.parser))
        return es_error_nomem(err);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int rc = read_stream(&r, &y);
    yaml_parser_delete(&r.parser);
    if (rc == ES_E_CONFIG) {
        es_yaml_fini(&y);
        if (read_as_json(&y, text, len))
            rc = 0;
    }
    if (rc < 0)
        es_yaml_fini(&y);
    else
        *ret = y;
    return rc;
}

static int read_file(struct es_buf *ret, const char *path, struct es_error *err)
{
    char chunk[16384];
    FILE *f = fopen(path, "re");

    if (!f)
        return es_error_set(err, errno == ENOENT ? ES_E_NOT_FOUND : ES_E_CONFIG, "%s: %s", path,
                            strerror(errno));
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && !es_buf_failed(ret))
        es_buf_add(ret, chunk, n);
    int broken = ferror(f) ? errno : 0;
    fclose(f);
    if (broken)
        return es_error_set(err, ES_E_CONFIG, "%s: %s", path, strerror(broken));
    if (es_buf_failed(ret))
        return es_error_set(err, ES_E_CONFIG, "%s:1: above %zu bytes", path, (size_t)MAX_TEXT);
    return 0;
}

int es_yaml_load(struct es_yaml *ret, const char *path, struct es_error *err)
{
    struct es_buf text;

    es_buf_init(&text, MAX_TEXT);
    int rc = read_file(&text, path, err);
    if (rc == 0)
        rc = es_yaml_parse(ret, path, es_buf_str(&text), text.len, err);
    es_buf_fini(&text);
    return rc;
}

void es_yaml_fini(struct es_yaml *y)
{
    for (size_t i = 0; i < y->count; i++) {
        json_decref(y->docs[i].root);
        es_yaml_lines_free(y->docs[i].lines);
    }
    free(y->docs);
    *y = (struct es_yaml){0};
}

int es_yaml_line(const struct es_yaml_doc *doc, const json_t *node)
{
    return node && !is_shared(node) ? es_yaml_lines_get(doc->lines, es_yaml_of_node(node)) : 0;
}

int es_yaml_line_of_key(const struct es_yaml_doc *doc, const json_t *parent, const char *key)
{
    return es_yaml_lines_get(doc->lines, es_yaml_of_key(parent, key));
}

int es_yaml_line_of_index(const struct es_yaml_doc *doc, const json_t *parent, size_t index)
{
    return es_yaml_lines_get(doc->lines, es_yaml_of_index(parent, index));
}
