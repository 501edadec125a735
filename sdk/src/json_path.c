/* The steps of a path through objects and arrays. */
#include "json_eval.h"

#include <string.h>

/* How far a walk came: the value, and the part of the path behind a pipe, which
 * goes on with whatever the walk found, be it nothing. */
struct walk {
    struct node value;
    esp_bytes pipe;
    bool piped;
};

/* The first step of a path. */
struct step {
    esp_bytes name; /* with its escapes and wildcards */
    bool plain;     /* it has none of them */
    bool more;      /* `rest` is to be walked below this step */
    esp_bytes rest;
    bool piped;
    esp_bytes pipe;
    bool hash;       /* array steps: there is a # in it */
    bool query, all; /* #(...) and #(...)# */
    struct query condition;
};

static bool walk(struct eval *e, struct walk *w, const struct node *container, esp_bytes path);

static bool is_container(const struct node *node)
{
    return node->kind == ESP_JSON_OBJECT || node->kind == ESP_JSON_ARRAY;
}

/* A dot before a modifier or a multipath is a pipe. */
static bool dot_is_pipe(esp_bytes rest)
{
    if (rest.len == 0)
        return false;
    return rest.ptr[0] == '[' || rest.ptr[0] == '{' || (rest.ptr[0] == '@' && esp_is_modifier(rest));
}

/* Ends a step at `at`, where a dot or a pipe is, or the path ends. */
static void end_step(struct step *s, esp_bytes path, size_t at)
{
    s->name = esp_span(path.ptr, at);
    if (at == path.len)
        return;
    esp_bytes behind = esp_json_from(path, at + 1);
    if (path.ptr[at] == '|' || (!s->hash && dot_is_pipe(behind))) {
        s->piped = true;
        s->pipe = behind;
    } else {
        s->more = true;
        s->rest = behind;
    }
}

static struct step object_step(esp_bytes path)
{
    struct step s = {.plain = true};
    size_t at = 0;
    for (; at < path.len && path.ptr[at] != '.' && path.ptr[at] != '|'; at++) {
        uint8_t c = path.ptr[at];
        if (c == '*' || c == '?' || c == '\\')
            s.plain = false;
        if (c == '\\' && at + 1 < path.len)
            at++;
    }
    end_step(&s, path, at);
    return s;
}

static struct step array_step(struct eval *e, esp_bytes path)
{
    struct step s = {.plain = true};
    size_t at = 0;
    if (path.len > 1 && path.ptr[0] == '#' && (path.ptr[1] == '(' || path.ptr[1] == '[')) {
        s.hash = s.query = true;
        size_t end = esp_query_parse(e, path, &s.condition);
        at = end ? end : path.len;
        s.all = at < path.len && path.ptr[at] == '#';
    }
    for (; at < path.len && path.ptr[at] != '.' && path.ptr[at] != '|'; at++)
        if (path.ptr[at] == '#')
            s.hash = true;
    end_step(&s, path, at);
    return s;
}

static bool name_matches(struct eval *e, const struct step *s, esp_bytes key)
{
    esp_bytes name = esp_json_inner(key);
    if (name.len && memchr(name.ptr, '\\', name.len)) {
        esp_text_cut(&e->key, 0);
        esp_json_unescape(name, &e->key);
        if (esp_text_failed(&e->key))
            e->failed = true;
        name = esp_text_bytes(&e->key);
    }
    return s->plain ? esp_equal(s->name, name) : esp_eval_match(e, s->name, name);
}

static void keep_pipe(struct walk *w, esp_bytes pipe)
{
    w->piped = true;
    w->pipe = pipe;
}

static bool walk_object(struct eval *e, struct walk *w, esp_bytes text, esp_bytes path)
{
    struct step s = object_step(path);
    struct node key, value;
    size_t at = 1;
    if (s.piped)
        keep_pipe(w, s.pipe);
    while (!e->failed && esp_json_value(text, &at, &key) && key.kind == ESP_JSON_STRING &&
           esp_json_value(text, &at, &value)) {
        if (!name_matches(e, &s, key.raw))
            continue;
        if (!s.more) {
            w->value = value;
            return true;
        }
        if (is_container(&value) && walk(e, w, &value, s.rest))
            return true;
    }
    return false;
}

/* The index a step names, SIZE_MAX if it names none. */
static size_t step_index(esp_bytes name)
{
    size_t index = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9' || index > SIZE_MAX / 16)
            return SIZE_MAX;
        index = index * 10 + (size_t)(name.ptr[i] - '0');
    }
    return name.len ? index : SIZE_MAX;
}

static bool walk_index(struct eval *e, struct walk *w, esp_bytes text, size_t at, const struct step *s)
{
    size_t index = step_index(s->name);
    struct node value;
    if (index == SIZE_MAX)
        return false;
    for (size_t i = 0; esp_json_value(text, &at, &value); i++) {
        if (i < index)
            continue;
        if (s->more)
            return is_container(&value) && walk(e, w, &value, s->rest);
        w->value = value;
        return true;
    }
    return false;
}

static struct node derived_node(struct eval *e, struct esp_text *text, enum esp_json_kind kind)
{
    esp_bytes raw = esp_eval_done(e, text);
    return (struct node){e->failed ? ESP_JSON_NONE : kind, raw};
}

static bool walk_count(struct eval *e, struct walk *w, esp_bytes text, size_t at)
{
    size_t count = 0;
    struct node value;
    while (esp_json_value(text, &at, &value))
        count++;
    struct esp_text *out = esp_eval_text(e);
    if (out)
        esp_text_addf(out, "%zu", count);
    w->value = derived_node(e, out, ESP_JSON_NUMBER);
    return true;
}

/* Below # and queries the path belongs to each element; a pipe at its top level
 * belongs to the array of the results. Cuts *path there. Behind an object multipath, only
 * a pipe that follows at once is one of those; a pipe right behind `.#` is the element's. */
static void split_pipe(struct walk *w, esp_bytes *path)
{
    size_t at = 0;
    if (path->len && path->ptr[0] == '{') {
        at = esp_json_bracket_end(*path, 0);
        if (at < path->len && path->ptr[at] != '|')
            return;
    }
    for (; at < path->len && path->ptr[at] != '|'; at++) {
        if (path->ptr[at] == '\\')
            at++;
        else if (path->ptr[at] == '.' && path->len - at > 2 && path->ptr[at + 1] == '#') {
            at += 2;
            if (path->ptr[at] == '(' || path->ptr[at] == '[')
                at = esp_json_bracket_end(*path, at) - 1;
        }
    }
    if (at < path->len) {
        keep_pipe(w, esp_json_from(*path, at + 1));
        path->len = at;
    }
}

static void add_element(struct esp_text *out, esp_bytes raw)
{
    if (out->len > 1)
        esp_text_addc(out, ',');
    esp_text_add(out, raw);
}

/* #.path: what `path` selects in each element that has it. */
static bool walk_each(struct eval *e, struct walk *w, esp_bytes text, size_t at, esp_bytes path)
{
    struct node element;
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return true;
    split_pipe(w, &path);
    esp_text_addc(out, '[');
    while (!e->failed && esp_json_value(text, &at, &element)) {
        struct node found = esp_eval_path(e, element.raw, path);
        if (found.kind != ESP_JSON_NONE)
            add_element(out, found.raw);
    }
    esp_text_addc(out, ']');
    w->value = derived_node(e, out, ESP_JSON_ARRAY);
    return true;
}

static bool element_matches(struct eval *e, const struct query *q, const struct node *element)
{
    if (is_container(element))
        return esp_query_matches(e, q, esp_eval_path(e, element->raw, q->path));
    return q->path.len == 0 && esp_query_matches(e, q, *element);
}

/* #(...) and #(...)#: the first element that matches, or all of them, each
 * followed down the rest of the path. */
static bool walk_query(struct eval *e, struct walk *w, esp_bytes text, size_t at, struct step *s)
{
    struct node element;
    struct esp_text *out = s->all ? esp_eval_text(e) : NULL;
    if (s->all && !out)
        return true;
    if (out)
        esp_text_addc(out, '[');
    while (!e->failed && esp_json_value(text, &at, &element)) {
        if (!element_matches(e, &s->condition, &element))
            continue;
        if (s->more) {
            split_pipe(w, &s->rest);
            element = esp_eval_path(e, element.raw, s->rest);
        }
        if (!out) {
            w->value = element;
            return true;
        }
        if (element.kind != ESP_JSON_NONE)
            add_element(out, element.raw);
    }
    if (!out)
        return false;
    esp_text_addc(out, ']');
    w->value = derived_node(e, out, ESP_JSON_ARRAY);
    return true;
}

/* `at` is behind the bracket, or at the beginning of JSON lines. */
static bool walk_array(struct eval *e, struct walk *w, esp_bytes text, size_t at, esp_bytes path)
{
    struct step s = array_step(e, path);
    if (s.piped)
        keep_pipe(w, s.pipe);
    if (s.query)
        return walk_query(e, w, text, at, &s);
    if (!s.hash)
        return walk_index(e, w, text, at, &s);
    if (!esp_equal_str(s.name, "#"))
        return false;
    return s.more ? walk_each(e, w, text, at, s.rest) : walk_count(e, w, text, at);
}

static bool walk(struct eval *e, struct walk *w, const struct node *container, esp_bytes path)
{
    if (!esp_eval_work(e, container->raw.len) || !esp_eval_enter(e))
        return false;
    bool found = container->kind == ESP_JSON_OBJECT ? walk_object(e, w, container->raw, path)
                                                    : walk_array(e, w, container->raw, 1, path);
    esp_eval_leave(e);
    return found;
}

/* The first bracket begins the document, whatever is before it. */
static struct node outermost(esp_bytes json)
{
    for (size_t at = 0; at < json.len; at++) {
        if (json.ptr[at] == '{')
            return (struct node){ESP_JSON_OBJECT, esp_json_from(json, at)};
        if (json.ptr[at] == '[')
            return (struct node){ESP_JSON_ARRAY, esp_json_from(json, at)};
    }
    return (struct node){ESP_JSON_NONE, {NULL, 0}};
}

static struct walk walk_document(struct eval *e, esp_bytes json, esp_bytes path)
{
    struct walk w = {.piped = false};
    if (esp_starts_with(path, esp_str(".."))) {
        if (esp_eval_work(e, json.len))
            walk_array(e, &w, json, 0, esp_json_from(path, 2));
        return w;
    }
    struct node root = outermost(json);
    if (root.kind != ESP_JSON_NONE)
        walk(e, &w, &root, path);
    return w;
}

/* `!` and a JSON text or one of its words. */
static size_t literal(esp_bytes path, esp_bytes *ret)
{
    esp_bytes text = esp_json_from(path, 1);
    struct node node;
    size_t at = 0;
    if (text.len == 0 || text.ptr[0] <= ' ' || text.ptr[0] == ',' || text.ptr[0] == ':' ||
        !esp_json_value(text, &at, &node) || (at < text.len && text.ptr[at] != '.' && text.ptr[at] != '|'))
        return 0;
    *ret = node.raw;
    return 1 + at;
}

/* The parts of the language that make a new document out of `json`: the offset in
 * the path behind what was done, 0 if the path begins with an ordinary step. */
static size_t transform(struct eval *e, esp_bytes json, esp_bytes path, esp_bytes *ret)
{
    if (path.len < 2)
        return 0;
    switch (path.ptr[0]) {
    case '@':
        return esp_modifier(e, json, path, ret);
    case '!':
        return literal(path, ret);
    case '{':
    case '[': {
        size_t end = esp_multipath_end(path);
        if (end == 0 || (end < path.len && path.ptr[end] != '|' && path.ptr[end] != '.'))
            return 0;
        *ret = esp_multipath(e, json, esp_span(path.ptr, end));
        return end;
    }
    default:
        return 0;
    }
}

static struct node follow(struct eval *e, esp_bytes json, esp_bytes path)
{
    while (esp_eval_work(e, 1)) {
        esp_bytes made = {NULL, 0};
        size_t end = transform(e, json, path, &made);
        if (end > 0) {
            if (end >= path.len || (path.ptr[end] != '|' && path.ptr[end] != '.'))
                return esp_json_document(made);
            json = made;
            path = esp_json_from(path, end + 1);
            continue;
        }
        struct walk w = walk_document(e, json, path);
        if (!w.piped)
            return w.value;
        json = w.value.raw;
        path = w.pipe;
    }
    return (struct node){ESP_JSON_NONE, {NULL, 0}};
}

struct node esp_eval_path(struct eval *e, esp_bytes json, esp_bytes path)
{
    struct node none = {ESP_JSON_NONE, {NULL, 0}};
    if (!esp_eval_enter(e))
        return none;
    struct node found = follow(e, json, path);
    esp_eval_leave(e);
    return e->failed ? none : found;
}
