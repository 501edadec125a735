/* Evaluates a JSONPath over a tree. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_eval.h"

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

/* ---- how it ends ---- */

bool hook_eval_fail(struct hook_eval *e, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (e->exhausted)
        return false; /* what ended it has been said */
    esp_text_cut(e->why, 0);
    esp_text_adds(e->why, text);
    return false;
}

bool hook_eval_exhaust(struct hook_eval *e, const char *why)
{
    if (!e->exhausted)
        hook_eval_fail(e, "%s", why);
    e->exhausted = true;
    return false;
}

bool hook_eval_work(struct hook_eval *e)
{
    if (e->exhausted)
        return false;
    return e->work++ < HOOK_MAX_WORK || hook_eval_exhaust(e, "the path looks at too many values");
}

/* Threads of workers have 256 KiB of stack; a level takes about 200 bytes. */
bool hook_eval_enter(struct hook_eval *e)
{
    if (e->depth == MAX_DEPTH)
        return hook_eval_exhaust(e, "the path goes too deep");
    e->depth++;
    return true;
}

/* ---- expressions ---- */

/* A path that yields one value: the first step that does not fit is its error. */
static bool follow(struct hook_eval *e, const struct hook_expr *x, struct hook_value v,
                   struct hook_value *ret)
{
    for (const struct hook_step *s = x->steps; s; s = s->next) {
        const struct hook_value outer = e->current;
        struct hook_value found;
        bool good;
        if (s->kind == HOOK_SCRIPT) {
            e->current = v;
            good = hook_evaluate(e, s->keys[0], &found);
            e->current = outer;
        } else {
            good = hook_select(e, s->keys[0], &v, &found);
        }
        if (!good)
            return false;
        v = found;
    }
    *ret = v;
    return true;
}

static bool evaluate_path(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value begin = x->current ? e->current : e->root;

    if (!x->many)
        return follow(e, x, begin, ret);
    struct hook_list *list = hook_path_alloc(e->path, sizeof *list);
    if (!list)
        return hook_eval_exhaust(e, "the path needs too much memory");
    hook_walk(e, x->steps, &begin, list);
    *ret = (struct hook_value){.kind = HOOK_LIST, .list = list};
    return !e->exhausted;
}

/* Members that are not there are null to a name, unlike to a path. */
static bool evaluate_variable(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value v = e->root;

    for (const struct hook_step *s = x->steps; s; s = s->next) {
        struct hook_value found;
        esp_bytes name = s->keys[0]->value.text;
        if (hook_kind_of(&v) != ESP_JSON_OBJECT)
            return hook_eval_fail(e, "unknown parameter %.*s", ESP_ARG(name));
        found = (struct hook_value){.kind = HOOK_NULL};
        const struct hook_node *member = hook_find_member(e, v.node, name);
        if (member)
            found = hook_of_node(member);
        v = found;
    }
    *ret = v;
    return true;
}

static bool negate(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value v;
    double number;

    if (!hook_evaluate(e, x->left, &v))
        return false;
    if (!hook_to_number(e, &v, &number))
        return hook_eval_fail(e, "unexpected %s expected number", hook_type_name(&v));
    *ret = (struct hook_value){.kind = HOOK_NUMBER, .number = -number};
    return true;
}

static bool compare(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    struct hook_value a, b;

    if (!hook_evaluate(e, x->left, &a) || !hook_evaluate(e, x->right, &b))
        return false;
    *ret = (struct hook_value){.kind = HOOK_BOOL, .truth = hook_equal(e, &a, &b) == (x->kind == HOOK_EQUAL)};
    return true;
}

static bool evaluate_kind(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret)
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

bool hook_evaluate(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret)
{
    if (!hook_eval_work(e) || !hook_eval_enter(e))
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
    struct hook_eval e = {.path = p, .root = hook_of_node(root), .why = &wrong};
    bool good = hook_path_parse(p, path, why);
    if (good && (!hook_evaluate(&e, p->expr, value) || e.exhausted)) {
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
