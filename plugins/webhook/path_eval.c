/* Evaluates a JSONPath over a tree. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_own.h"

#define MAX_MEMORY ((size_t)64 << 20)
#define MAX_DEPTH 500

struct hook_block {
    struct hook_block *next;
    size_t size; /* of what follows */
};

void *hook_path_alloc(struct hook_path *p, size_t size)
{
    if (size > MAX_MEMORY || p->bytes + size > MAX_MEMORY)
        return NULL;
    struct hook_block *b = calloc(1, sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct hook_block){p->blocks, size};
    p->blocks = b;
    p->bytes += size;
    return b + 1;
}

void hook_path_free(struct hook_path *p)
{
    if (!p)
        return;
    for (struct hook_block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        esp_wipe(b + 1, b->size);
        free(b);
    }
    free(p);
}

/* One evaluation. */
struct eval {
    struct hook_path *path;
    struct hook_value root, current;
    size_t work, depth;
    bool exhausted;       /* too much work or no memory: ends all of it, also where errors are left out */
    struct esp_text *why; /* the error; what is in it counts only when the evaluation fails */
};

static bool evaluate(struct eval *e, const struct hook_expr *x, struct hook_value *ret);

static bool fail(struct eval *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct eval *e, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    esp_text_cut(e->why, 0);
    esp_text_adds(e->why, text);
    return false;
}

static bool exhaust(struct eval *e, const char *why)
{
    if (!e->exhausted)
        fail(e, "%s", why);
    e->exhausted = true;
    return false;
}

static bool work(struct eval *e)
{
    if (e->exhausted)
        return false;
    return e->work++ < HOOK_MAX_WORK || exhaust(e, "the path looks at too many values");
}

/* Threads of workers have 256 KiB of stack; a level takes about 200 bytes. */
static bool enter(struct eval *e)
{
    if (e->depth == MAX_DEPTH)
        return exhaust(e, "the path goes too deep");
    e->depth++;
    return true;
}

/* ---- what a value is ---- */

static struct hook_value of_node(const struct hook_node *node)
{
    return (struct hook_value){.kind = HOOK_NODE, .node = node};
}

static enum esp_json_kind kind_of(const struct hook_value *v)
{
    switch (v->kind) {
    case HOOK_NULL:
        return ESP_JSON_NULL;
    case HOOK_BOOL:
        return v->truth ? ESP_JSON_TRUE : ESP_JSON_FALSE;
    case HOOK_NUMBER:
        return ESP_JSON_NUMBER;
    case HOOK_TEXT:
        return ESP_JSON_STRING;
    case HOOK_LIST:
        return ESP_JSON_ARRAY;
    case HOOK_NODE:
        break;
    }
    return v->node->kind;
}

const char *hook_type_name(const struct hook_value *v)
{
    switch (kind_of(v)) {
    case ESP_JSON_TRUE:
    case ESP_JSON_FALSE:
        return "bool";
    case ESP_JSON_NUMBER:
        return "float64";
    case ESP_JSON_STRING:
        return "string";
    case ESP_JSON_OBJECT:
        return "map[string]interface {}";
    case ESP_JSON_ARRAY:
        return "[]interface {}";
    default:
        return "<nil>";
    }
}

/* The text of a string, decoded where it is one of the document. */
static bool text_of(struct eval *e, const struct hook_value *v, esp_bytes *ret)
{
    struct esp_text plain;

    if (v->kind == HOOK_TEXT) {
        *ret = v->text;
        return true;
    }
    esp_text_init(&plain, v->node->raw.len + 1);
    esp_json_plain(v->node->raw, &plain);
    uint8_t *copy = hook_path_alloc(e->path, plain.len + 1);
    if (copy && plain.len)
        memcpy(copy, plain.ptr, plain.len);
    *ret = esp_span(copy, plain.len);
    bool good = copy && !esp_text_failed(&plain);
    esp_text_free(&plain);
    return good || exhaust(e, "the path needs too much memory");
}

static double number_of(const struct hook_value *v)
{
    char digits[400];

    if (v->kind == HOOK_NUMBER)
        return v->number;
    size_t len = v->node->raw.len < sizeof digits - 1 ? v->node->raw.len : sizeof digits - 1;
    memcpy(digits, v->node->raw.ptr, len);
    digits[len] = '\0';
    double number = strtod(digits, NULL);
    esp_wipe(digits, sizeof digits);
    return number;
}

/* Text that is a number counts as one. */
static bool text_number(esp_bytes text, double *ret)
{
    char digits[64], *end;

    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    *ret = strtod(digits, &end);
    bool all = *end == '\0' && end == digits + text.len && !strchr(" \t\n", digits[0]);
    esp_wipe(digits, sizeof digits);
    return all;
}

static bool to_number(struct eval *e, const struct hook_value *v, double *ret)
{
    esp_bytes text;

    if (kind_of(v) == ESP_JSON_NUMBER) {
        *ret = number_of(v);
        return true;
    }
    return kind_of(v) == ESP_JSON_STRING && text_of(e, v, &text) && text_number(text, ret);
}

/* 1, 0, or -1 for what is neither. */
static int to_bool(struct eval *e, const struct hook_value *v)
{
    esp_bytes text;
    double number;

    switch (kind_of(v)) {
    case ESP_JSON_TRUE:
        return 1;
    case ESP_JSON_FALSE:
    case ESP_JSON_NULL:
        return 0;
    case ESP_JSON_STRING:
        if (!text_of(e, v, &text))
            return -1;
        if (esp_equal_str(text, "true") || esp_equal_str(text, "TRUE"))
            return 1;
        if (esp_equal_str(text, "false") || esp_equal_str(text, "FALSE"))
            return 0;
        break;
    default:
        break;
    }
    return to_number(e, v, &number) ? number != 0 : -1;
}

/* ---- children ---- */

static size_t count_of(const struct hook_value *v)
{
    return v->kind == HOOK_LIST ? v->list->count : v->node->count;
}

static struct hook_value element(const struct hook_value *v, size_t index)
{
    if (v->kind == HOOK_LIST)
        return v->list->items[index];
    const struct hook_node *n = v->node->first;
    while (index--)
        n = n->next;
    return of_node(n);
}

/* As an index: what a key of the path says may be quoted, what the document says may not. */
static bool to_index(struct eval *e, const struct hook_expr *key, int64_t *ret)
{
    struct hook_value v;
    double number;

    if (!evaluate(e, key, &v))
        return false;
    if (to_number(e, &v, &number) && number > -2147483648.0 && number < 2147483648.0) {
        *ret = (int64_t)number;
        return true;
    }
    if (key->kind == HOOK_CONSTANT && v.kind == HOOK_TEXT)
        return fail(e, "could not select value, invalid key: expected number but got %.*s (string)",
                    ESP_ARG(v.text));
    return fail(e, "could not select value, invalid key: expected number but got a %s", hook_type_name(&v));
}

static bool select_element(struct eval *e, const struct hook_expr *key, const struct hook_value *v,
                           struct hook_value *ret)
{
    int64_t wanted, count = (int64_t)count_of(v);

    if (!to_index(e, key, &wanted))
        return false;
    int64_t index = wanted < 0 ? wanted + count : wanted;
    if (index < 0 || index >= count)
        return fail(e, "index %lld out of bounds", (long long)wanted);
    *ret = element(v, (size_t)index);
    return true;
}

/* As a name. */
static bool to_name(struct eval *e, const struct hook_value *v, esp_bytes *ret)
{
    char text[40];

    switch (kind_of(v)) {
    case ESP_JSON_STRING:
        return text_of(e, v, ret);
    case ESP_JSON_NUMBER:
        snprintf(text, sizeof text, "%.15g", number_of(v));
        break;
    case ESP_JSON_TRUE:
    case ESP_JSON_FALSE:
        snprintf(text, sizeof text, "%s", kind_of(v) == ESP_JSON_TRUE ? "true" : "false");
        break;
    default:
        return fail(e, "could not select value, invalid key: expected text but got a %s", hook_type_name(v));
    }
    char *copy = hook_path_alloc(e->path, strlen(text) + 1);
    if (!copy)
        return exhaust(e, "the path needs too much memory");
    memcpy(copy, text, strlen(text) + 1);
    *ret = esp_str(copy);
    return true;
}

/* Of two members of a name the last, as in Go. */
static const struct hook_node *find_member(const struct hook_node *object, esp_bytes name)
{
    const struct hook_node *found = NULL;
    struct esp_text plain;

    esp_text_init(&plain, name.len + 1);
    for (const struct hook_node *n = object->first; n; n = n->next) {
        esp_text_free(&plain);
        esp_text_init(&plain, name.len + 1);
        esp_json_plain(n->name, &plain);
        if (!esp_text_failed(&plain) && esp_equal(esp_text_bytes(&plain), name))
            found = n;
    }
    esp_text_free(&plain);
    return found;
}

static bool select_member(struct eval *e, const struct hook_expr *key, const struct hook_node *object,
                          struct hook_value *ret)
{
    struct hook_value v;
    esp_bytes name;

    if (!evaluate(e, key, &v) || !to_name(e, &v, &name))
        return false;
    const struct hook_node *member = find_member(object, name);
    if (!member)
        return key->kind == HOOK_CONSTANT ? fail(e, "unknown key %.*s", ESP_ARG(name))
                                          : fail(e, "unknown key");
    *ret = of_node(member);
    return true;
}

static bool select_value(struct eval *e, const struct hook_expr *key, const struct hook_value *v,
                         struct hook_value *ret)
{
    const struct hook_value outer = e->current;
    bool good;

    if (!work(e))
        return false;
    e->current = *v;
    if (kind_of(v) == ESP_JSON_ARRAY)
        good = select_element(e, key, v, ret);
    else if (kind_of(v) == ESP_JSON_OBJECT)
        good = select_member(e, key, v->node, ret);
    else
        good =
            fail(e, "unsupported value type %s for select, expected map[string]interface{} or []interface{}",
                 hook_type_name(v));
    e->current = outer;
    return good;
}

/* ---- lists ---- */

static bool append(struct eval *e, struct hook_list *list, struct hook_value v)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        struct hook_value *items = hook_path_alloc(e->path, cap * sizeof *items);
        if (!items)
            return exhaust(e, "the path needs too much memory");
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = v;
    return true;
}

static void walk(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                 struct hook_list *out);

typedef void each_fn(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                     struct hook_list *out);

static void each_child(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                       struct hook_list *out, each_fn *visit)
{
    if (v->kind == HOOK_LIST) {
        for (size_t i = 0; i < v->list->count && !e->exhausted; i++)
            visit(e, s, &v->list->items[i], out);
        return;
    }
    for (const struct hook_node *n = v->kind == HOOK_NODE ? v->node->first : NULL; n && !e->exhausted;
         n = n->next) {
        const struct hook_value child = of_node(n);
        visit(e, s, &child, out);
    }
}

static void walk_on(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                    struct hook_list *out)
{
    walk(e, s->next, v, out);
}

static void walk_if(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                    struct hook_list *out)
{
    const struct hook_value outer = e->current;
    struct hook_value condition;

    e->current = *v;
    bool holds = evaluate(e, s->keys[0], &condition) && to_bool(e, &condition) == 1;
    e->current = outer;
    if (holds)
        walk(e, s->next, v, out);
}

/* The value itself, then all below it. */
static void walk_below(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                       struct hook_list *out)
{
    if (!work(e) || !enter(e))
        return;
    walk(e, s->next, v, out);
    each_child(e, s, v, out, walk_below);
    e->depth--;
}

static int64_t bound(int64_t at, int64_t count)
{
    at = at < 0 ? at + count : at;
    return at < 0 ? 0 : at > count ? count : at;
}

/* The children as an array, for a step that goes through them by number. */
static struct hook_value *children_of(struct eval *e, const struct hook_value *v, size_t count)
{
    struct hook_value *items =
        v->kind == HOOK_LIST ? v->list->items : hook_path_alloc(e->path, (count + 1) * sizeof *items);
    size_t i = 0;

    if (!items)
        exhaust(e, "the path needs too much memory");
    for (const struct hook_node *n = items && v->kind == HOOK_NODE ? v->node->first : NULL; n; n = n->next)
        items[i++] = of_node(n);
    return items;
}

static void walk_range(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                       struct hook_list *out)
{
    int64_t min, max, step;

    if (kind_of(v) != ESP_JSON_ARRAY || !to_index(e, s->keys[0], &min) || !to_index(e, s->keys[1], &max) ||
        !to_index(e, s->keys[2], &step))
        return;
    int64_t count = (int64_t)count_of(v);
    const struct hook_value *items = children_of(e, v, (size_t)count);
    min = bound(min, count);
    max = bound(max, count);
    step = step == 0 ? 1 : step;
    for (int64_t i = step > 0 ? min : max - 1; i >= min && i < max && !e->exhausted; i += step)
        walk(e, s->next, &items[i], out);
}

static void walk_keys(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                      struct hook_list *out)
{
    for (size_t i = 0; i < s->key_count; i++) {
        struct hook_value found;
        if (select_value(e, s->keys[i], v, &found))
            walk(e, s->next, &found, out);
    }
}

static void walk_script(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                        struct hook_list *out)
{
    const struct hook_value outer = e->current;
    struct hook_value result;

    e->current = *v;
    bool good = evaluate(e, s->keys[0], &result);
    e->current = outer;
    if (good)
        walk(e, s->next, &result, out);
}

static void walk_step(struct eval *e, const struct hook_step *s, const struct hook_value *v,
                      struct hook_list *out)
{
    switch (s->kind) {
    case HOOK_CHILD:
    case HOOK_UNION:
        walk_keys(e, s, v, out);
        break;
    case HOOK_SCRIPT:
        walk_script(e, s, v, out);
        break;
    case HOOK_ALL:
        each_child(e, s, v, out, walk_on);
        break;
    case HOOK_FILTER:
        each_child(e, s, v, out, walk_if);
        break;
    case HOOK_RANGE:
        walk_range(e, s, v, out);
        break;
    case HOOK_DESCEND:
        walk_below(e, s, v, out);
        break;
    }
}

/* Takes the steps from `s` on and appends what they lead to; what they do not fit is left out. */
static void walk(struct eval *e, const struct hook_step *s, const struct hook_value *v, struct hook_list *out)
{
    if (!work(e) || !enter(e))
        return;
    if (s)
        walk_step(e, s, v, out);
    else
        append(e, out, *v);
    e->depth--;
}

/* ---- expressions ---- */

/* A path that yields one value: the first step that does not fit is its error. */
static bool follow(struct eval *e, const struct hook_expr *x, struct hook_value v, struct hook_value *ret)
{
    for (const struct hook_step *s = x->steps; s; s = s->next) {
        const struct hook_value outer = e->current;
        struct hook_value found;
        bool good;
        if (s->kind == HOOK_SCRIPT) {
            e->current = v;
            good = evaluate(e, s->keys[0], &found);
            e->current = outer;
        } else {
            good = select_value(e, s->keys[0], &v, &found);
        }
        if (!good)
            return false;
        v = found;
    }
    *ret = v;
    return true;
}

static bool evaluate_path(struct eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value begin = x->current ? e->current : e->root;

    if (!x->many)
        return follow(e, x, begin, ret);
    struct hook_list *list = hook_path_alloc(e->path, sizeof *list);
    if (!list)
        return exhaust(e, "the path needs too much memory");
    walk(e, x->steps, &begin, list);
    *ret = (struct hook_value){.kind = HOOK_LIST, .list = list};
    return !e->exhausted;
}

/* Members that are not there are null to a name, unlike to a path. */
static bool evaluate_variable(struct eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value v = e->root;

    for (const struct hook_step *s = x->steps; s; s = s->next) {
        struct hook_value found;
        esp_bytes name = s->keys[0]->value.text;
        if (kind_of(&v) != ESP_JSON_OBJECT)
            return fail(e, "unknown parameter %.*s", ESP_ARG(name));
        found = (struct hook_value){.kind = HOOK_NULL};
        const struct hook_node *member = find_member(v.node, name);
        if (member)
            found = of_node(member);
        v = found;
    }
    *ret = v;
    return true;
}

/* Containers are equal when their members are, in whatever order. */
static bool equal_containers(const struct hook_value *a, const struct hook_value *b)
{
    struct esp_text left, right;

    if (a->kind != HOOK_NODE || b->kind != HOOK_NODE)
        return false;
    esp_text_init(&left, a->node->raw.len + 1);
    esp_text_init(&right, b->node->raw.len + 1);
    bool same = esp_json_sorted(a->node->raw, &left) && esp_json_sorted(b->node->raw, &right) &&
                esp_equal(esp_text_bytes(&left), esp_text_bytes(&right));
    esp_text_free(&left);
    esp_text_free(&right);
    return same;
}

static bool equal(struct eval *e, const struct hook_value *a, const struct hook_value *b)
{
    esp_bytes left, right;

    if (kind_of(a) != kind_of(b))
        return false;
    switch (kind_of(a)) {
    case ESP_JSON_NUMBER:
        return !(number_of(a) < number_of(b)) && !(number_of(a) > number_of(b));
    case ESP_JSON_STRING:
        return text_of(e, a, &left) && text_of(e, b, &right) && esp_equal(left, right);
    case ESP_JSON_OBJECT:
    case ESP_JSON_ARRAY:
        return equal_containers(a, b);
    default:
        return true;
    }
}

static bool negate(struct eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value v;
    double number;

    if (!evaluate(e, x->left, &v))
        return false;
    if (!to_number(e, &v, &number))
        return fail(e, "unexpected %s expected number", hook_type_name(&v));
    *ret = (struct hook_value){.kind = HOOK_NUMBER, .number = -number};
    return true;
}

static bool compare(struct eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value a, b;

    if (!evaluate(e, x->left, &a) || !evaluate(e, x->right, &b))
        return false;
    *ret = (struct hook_value){.kind = HOOK_BOOL, .truth = equal(e, &a, &b) == (x->kind == HOOK_EQUAL)};
    return true;
}

static bool evaluate_kind(struct eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    switch (x->kind) {
    case HOOK_CONSTANT:
        *ret = x->value;
        return true;
    case HOOK_PATH:
        return evaluate_path(e, x, ret);
    case HOOK_VARIABLE:
        return evaluate_variable(e, x, ret);
    case HOOK_NEGATIVE:
        return negate(e, x, ret);
    case HOOK_EQUAL:
    case HOOK_UNEQUAL:
        return compare(e, x, ret);
    }
    return false;
}

static bool evaluate(struct eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    if (!work(e) || !enter(e))
        return false;
    bool good = evaluate_kind(e, x, ret);
    e->depth--;
    return good;
}

bool hook_path_get(struct hook_path **ret, esp_bytes path, const struct hook_node *root,
                   struct hook_value *value, struct esp_text *why)
{
    struct hook_path *p = calloc(1, sizeof *p);
    struct esp_text wrong;

    if (!p) {
        esp_text_adds(why, "out of memory");
        return false;
    }
    esp_text_init(&wrong, 1024);
    struct eval e = {.path = p, .root = of_node(root), .why = &wrong};
    bool good = hook_path_parse(p, path, why);
    if (good && !evaluate(&e, p->expr, value)) {
        esp_text_add(why, esp_text_bytes(&wrong));
        good = false;
    }
    esp_text_free(&wrong);
    if (good)
        *ret = p;
    else
        hook_path_free(p);
    return good;
}
