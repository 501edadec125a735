/* The steps of a path: to one child, or to many. */
#include <string.h>

#include "path_eval.h"

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
    return hook_of_node(n);
}

static bool select_element(struct hook_eval *e, const struct hook_expr *key, const struct hook_value *v,
                           struct hook_value *ret)
{
    int64_t wanted, count = (int64_t)count_of(v);

    if (!hook_to_index(e, key, &wanted))
        return false;
    int64_t index = wanted < 0 ? wanted + count : wanted;
    if (index < 0 || index >= count)
        return hook_eval_fail(e, "index %lld out of bounds", (long long)wanted);
    *ret = element(v, (size_t)index);
    return true;
}

static bool is_named(struct hook_eval *e, const struct hook_node *member, esp_bytes name)
{
    esp_bytes raw = esp_span(member->name.ptr + 1, member->name.len - 2);
    struct esp_text plain;

    if (!raw.len || !memchr(raw.ptr, '\\', raw.len))
        return esp_equal(raw, name);
    esp_text_init(&plain, raw.len);
    esp_json_plain(member->name, &plain);
    bool same = esp_equal(esp_text_bytes(&plain), name);
    if (esp_text_failed(&plain))
        hook_eval_exhaust(e, "the path needs too much memory");
    esp_text_free(&plain);
    return same;
}

/* Of two members of a name the last, as in Go. */
const struct hook_node *hook_find_member(struct hook_eval *e, const struct hook_node *object, esp_bytes name)
{
    const struct hook_node *found = NULL;

    for (const struct hook_node *n = object->first; n; n = n->next)
        if (is_named(e, n, name))
            found = n;
    return found;
}

static bool select_member(struct hook_eval *e, const struct hook_expr *key, const struct hook_node *object,
                          struct hook_value *ret)
{
    struct hook_value v;
    esp_bytes name;

    if (!hook_evaluate(e, key, &v) || !hook_to_name(e, &v, &name))
        return false;
    const struct hook_node *member = hook_find_member(e, object, name);
    if (!member)
        return key->kind == HOOK_CONSTANT ? hook_eval_fail(e, "unknown key %.*s", ESP_ARG(name))
                                          : hook_eval_fail(e, "unknown key");
    *ret = hook_of_node(member);
    return true;
}

bool hook_select(struct hook_eval *e, const struct hook_expr *key, const struct hook_value *v,
                 struct hook_value *ret)
{
    const struct hook_value outer = e->current;
    bool good;

    if (!hook_eval_work(e))
        return false;
    e->current = *v;
    if (hook_kind_of(v) == ESP_JSON_ARRAY)
        good = select_element(e, key, v, ret);
    else if (hook_kind_of(v) == ESP_JSON_OBJECT)
        good = select_member(e, key, v->node, ret);
    else
        good = hook_eval_fail(
            e, "unsupported value type %s for select, expected map[string]interface{} or []interface{}",
            hook_type_name(v));
    e->current = outer;
    return good;
}

/* ---- lists ---- */

static bool append(struct hook_eval *e, struct hook_list *list, struct hook_value v)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        struct hook_value *items = hook_path_alloc(e->path, cap * sizeof *items);
        if (!items)
            return hook_eval_exhaust(e, "the path needs too much memory");
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = v;
    return true;
}

typedef void each_fn(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                     struct hook_list *out);

static void each_child(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                       struct hook_list *out, each_fn *visit)
{
    if (v->kind == HOOK_LIST) {
        for (size_t i = 0; i < v->list->count && !e->exhausted; i++)
            visit(e, s, &v->list->items[i], out);
        return;
    }
    for (const struct hook_node *n = v->kind == HOOK_NODE ? v->node->first : NULL; n && !e->exhausted;
         n = n->next) {
        const struct hook_value child = hook_of_node(n);
        visit(e, s, &child, out);
    }
}

static void walk_on(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                    struct hook_list *out)
{
    hook_walk(e, s->next, v, out);
}

static void walk_if(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                    struct hook_list *out)
{
    const struct hook_value outer = e->current;
    struct hook_value condition;

    e->current = *v;
    bool holds = hook_evaluate(e, s->keys[0], &condition) && hook_to_bool(e, &condition) == 1;
    e->current = outer;
    if (holds)
        hook_walk(e, s->next, v, out);
}

/* The value itself, then all below it. */
static void walk_below(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                       struct hook_list *out)
{
    if (!hook_eval_work(e) || !hook_eval_enter(e))
        return;
    hook_walk(e, s->next, v, out);
    each_child(e, s, v, out, walk_below);
    e->depth--;
}

static int64_t bound(int64_t at, int64_t count)
{
    at = at < 0 ? at + count : at;
    return at < 0 ? 0 : at > count ? count : at;
}

/* The children as an array, for a step that goes through them by number. */
static struct hook_value *children_of(struct hook_eval *e, const struct hook_value *v, size_t count)
{
    struct hook_value *items =
        v->kind == HOOK_LIST ? v->list->items : hook_path_alloc(e->path, (count + 1) * sizeof *items);
    size_t i = 0;

    if (!items)
        hook_eval_exhaust(e, "the path needs too much memory");
    for (const struct hook_node *n = items && v->kind == HOOK_NODE ? v->node->first : NULL; n; n = n->next)
        items[i++] = hook_of_node(n);
    return items;
}

static void walk_range(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                       struct hook_list *out)
{
    int64_t min, max, step;

    if (hook_kind_of(v) != ESP_JSON_ARRAY || !hook_to_index(e, s->keys[0], &min) ||
        !hook_to_index(e, s->keys[1], &max) || !hook_to_index(e, s->keys[2], &step))
        return;
    int64_t count = (int64_t)count_of(v);
    const struct hook_value *items = children_of(e, v, (size_t)count);
    min = bound(min, count);
    max = bound(max, count);
    step = step == 0 ? 1 : step;
    for (int64_t i = step > 0 ? min : max - 1; i >= min && i < max && !e->exhausted; i += step)
        hook_walk(e, s->next, &items[i], out);
}

static void walk_keys(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                      struct hook_list *out)
{
    for (size_t i = 0; i < s->key_count; i++) {
        struct hook_value found;
        if (hook_select(e, s->keys[i], v, &found))
            hook_walk(e, s->next, &found, out);
    }
}

static void walk_script(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
                        struct hook_list *out)
{
    const struct hook_value outer = e->current;
    struct hook_value result;

    e->current = *v;
    bool good = hook_evaluate(e, s->keys[0], &result);
    e->current = outer;
    if (good)
        hook_walk(e, s->next, &result, out);
}

static void walk_step(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
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
void hook_walk(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
               struct hook_list *out)
{
    if (!hook_eval_work(e) || !hook_eval_enter(e))
        return;
    if (s)
        walk_step(e, s, v, out);
    else
        append(e, out, *v);
    e->depth--;
}
