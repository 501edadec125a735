/* Walks a tree: text goes out, actions are evaluated, structures decide. */
#include "core/template/exec.h"

#include <stdio.h>
#include <string.h>

#include "core/secret/gotext.h"
#include "core/template/print.h"

/* Together with the ceilings on output and memory these end everything that a
 * template can do to keep a worker. */
#define STEPS_MAX ((size_t)20 * 1000 * 1000)
#define STEPS_BETWEEN_LOOKS ((size_t)4096)

/* "template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: " */
static void add_place(struct es_buf *out, const struct es_texec *x)
{
    size_t line = 1, column = x->node->pos;

    for (size_t i = 0; i < x->node->pos; i++)
        if (x->text[i] == '\n') {
            line++;
            column = x->node->pos - i - 1;
        }
    es_buf_addf(out, "template: %s:%zu:%zu: executing ", x->name, line, column);
    es_go_quote_bytes(out, x->current.ptr, x->current.len, 0);
    es_buf_adds(out, " at <");
    es_tnode_text(out, x->node);
    es_buf_adds(out, ">: ");
}

void es_texec_fail(struct es_texec *x, int code, const char *fmt, ...)
{
    char text[600];
    struct es_buf place;
    va_list args;

    if (x->rc < 0)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    es_buf_init(&place, 64 * 1024);
    if (x->node)
        add_place(&place, x);
    else
        es_buf_addf(&place, "template: %s: ", x->name);
    /* The reason is worth more than the whole of a long place. */
    x->rc = es_error_set(x->err, code, "%.*s%s", ES_ERROR_TEXT_MAX - 650, es_buf_str(&place), text);
    es_buf_fini(&place);
}

void es_texec_nomem(struct es_texec *x)
{
    size_t max = x->arena.max;

    if (x->arena.used > max / 2)
        es_texec_fail(x, ES_E_TOO_LARGE, "the template needs more than %zu MiB of memory", max >> 20);
    else if (x->rc == 0)
        x->rc = es_error_nomem(x->err);
}

bool es_texec_spend(struct es_texec *x, size_t steps)
{
    size_t before = x->steps;

    if (x->rc < 0)
        return false;
    x->steps = steps > STEPS_MAX ? STEPS_MAX : before + steps;
    if (x->steps >= STEPS_MAX)
        es_texec_fail(x, ES_E_TOO_LARGE, "the template takes more than %zu steps", STEPS_MAX);
    else if (before / STEPS_BETWEEN_LOOKS != x->steps / STEPS_BETWEEN_LOOKS &&
             x->clock->mono_ms(x->clock->ctx) > x->deadline_ms)
        es_texec_fail(x, ES_E_TOO_LARGE, "the template takes too long");
    return x->rc == 0;
}

void es_texec_at(struct es_texec *x, const struct es_tnode *n)
{
    if (x->rc < 0)
        return;
    x->node = n;
    es_texec_spend(x, 1);
}

bool es_texec_enter(struct es_texec *x)
{
    if (x->rc == 0 && x->depth >= ES_TEMPLATE_DEPTH_MAX)
        es_texec_fail(x, ES_E_CONFIG, "exceeded maximum template depth (%d)", ES_TEMPLATE_DEPTH_MAX);
    if (x->rc < 0)
        return false;
    x->depth++;
    return true;
}

void es_texec_leave(struct es_texec *x)
{
    x->depth--;
}

/* Variables */

void es_texec_push(struct es_texec *x, struct es_ttext name, const struct es_tvalue *value)
{
    if (x->var_count == x->var_cap) {
        size_t cap = x->var_cap ? x->var_cap * 2 : 16;
        struct es_tvariable *more = es_arena_alloc(&x->arena, cap * sizeof *more);
        if (!more) {
            es_texec_nomem(x);
            return;
        }
        if (x->var_count)
            memcpy(more, x->vars, x->var_count * sizeof *more);
        x->vars = more;
        x->var_cap = cap;
    }
    x->vars[x->var_count++] = (struct es_tvariable){name, *value};
}

void es_texec_assign(struct es_texec *x, struct es_ttext name, const struct es_tvalue *value)
{
    for (size_t i = x->var_count; i-- > 0;) {
        struct es_tvariable *v = &x->vars[i];
        if (v->name.len == name.len && memcmp(v->name.ptr, name.ptr, name.len) == 0) {
            v->value = *value;
            return;
        }
    }
    es_texec_fail(x, ES_E_CONFIG, "undefined variable: %.*s", (int)name.len, name.ptr);
}

/* Structures */

static void if_or_with(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    size_t mark = x->var_count;
    struct es_tvalue v = es_teval_pipeline(x, dot, n->pipe);

    if (x->rc == 0 && es_tvalue_truth(&v))
        es_texec_walk(x, n->type == ES_NODE_WITH ? &v : dot, n->list);
    else if (n->else_list)
        es_texec_walk(x, dot, n->else_list);
    x->var_count = mark;
}

/* True: go on with the next element. */
static bool iterate(struct es_texec *x, const struct es_tnode *n, const struct es_tvalue *index,
                    const struct es_tvalue *element)
{
    struct es_tnode **decls = n->pipe->decls;
    size_t count = n->pipe->decl_count, mark = x->var_count;

    if (n->pipe->assigns) {
        if (count > 1)
            es_texec_assign(x, decls[0]->idents[0], index);
        if (count > 0)
            es_texec_assign(x, decls[count - 1]->idents[0], element);
    } else {
        if (count > 0)
            x->vars[mark - 1].value = *element;
        if (count > 1)
            x->vars[mark - 2].value = *index;
    }
    es_texec_walk(x, element, n->list);
    x->var_count = mark;
    bool stop = x->rc < 0 || x->flow == ES_TFLOW_BREAK;
    x->flow = ES_TFLOW_ON;
    return !stop;
}

static void range_list(struct es_texec *x, const struct es_tnode *n, const struct es_tvalue *list)
{
    for (size_t i = 0; i < es_tvalue_len(list); i++) {
        struct es_tvalue index = es_tint((int64_t)i), element = es_tlist_at(list, i);
        if (!iterate(x, n, &index, &element))
            return;
    }
}

/* The keys are those from the beginning, also when the body changes the map. */
static void range_map(struct es_texec *x, const struct es_tnode *n, const struct es_tvalue *v)
{
    const struct es_tmap *map = v->map;
    size_t count = map->count;
    struct es_tentry *entries = es_arena_alloc(&x->arena, count * sizeof *entries);

    if (!entries) {
        es_texec_nomem(x);
        return;
    }
    memcpy(entries, map->entries, count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        entries[i].value.boxed = v->type == ES_T_MAP_ANY;
        if (!iterate(x, n, &entries[i].key, &entries[i].value))
            return;
    }
}

/* False: nothing was there to go through. */
static bool range_number(struct es_texec *x, const struct es_tnode *n, const struct es_tvalue *limit)
{
    struct es_tvalue v = *limit, none = es_tnone();
    bool is_signed = es_tvalue_kind(limit) == ES_TK_INT;

    if (n->pipe->decl_count > 1) {
        es_texec_fail(x, ES_E_CONFIG, "can't use a value of type %s to iterate over more than one variable",
                      es_tvalue_type_name(limit));
        return true;
    }
    if (is_signed ? limit->i <= 0 : limit->u == 0)
        return false;
    for (v.u = 0; v.u < limit->u; v.u++)
        if (!iterate(x, n, &none, &v))
            break;
    return true;
}

/* True: something was, or the range has failed. */
static bool range_over(struct es_texec *x, const struct es_tnode *n, const struct es_tvalue *v)
{
    switch (es_tvalue_kind(v)) {
    case ES_TK_NONE:
        return false;
    case ES_TK_INT:
    case ES_TK_UINT:
        return range_number(x, n, v);
    case ES_TK_LIST:
        range_list(x, n, v);
        return es_tvalue_len(v) > 0;
    case ES_TK_MAP:
        if (v->map->count == 0)
            return false;
        range_map(x, n, v);
        return true;
    default:
        /* Go prints the value here, which may be a secret. */
        es_texec_fail(x, ES_E_CONFIG, "range can't iterate over a value of type %s", es_tvalue_type_name(v));
        return true;
    }
}

static void range(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    size_t mark = x->var_count;
    struct es_tvalue v = es_teval_pipeline(x, dot, n->pipe);

    if (x->rc == 0 && !range_over(x, n, &v) && n->else_list)
        es_texec_walk(x, dot, n->else_list);
    x->var_count = mark;
}

/* The template itself goes by the name that it runs under. */
static const struct es_ttree *find_tree(const struct es_texec *x, struct es_ttext name)
{
    if (name.len == strlen(x->name) && memcmp(name.ptr, x->name, name.len) == 0)
        return x->trees;
    for (const struct es_ttree *t = x->trees->next; t; t = t->next)
        if (t->name.len == name.len && memcmp(t->name.ptr, name.ptr, name.len) == 0)
            return t;
    return NULL;
}

static void run_tree(struct es_texec *x, const struct es_ttree *t, struct es_ttext name,
                     const struct es_tvalue *dot)
{
    static const struct es_ttext dollar = {"$", 1};
    struct es_ttext caller = x->current;
    struct es_tvariable *vars = x->vars;
    size_t count = x->var_count, cap = x->var_cap;

    x->current = name;
    x->vars = NULL;
    x->var_count = x->var_cap = 0;
    es_texec_push(x, dollar, dot);
    es_texec_walk(x, dot, t->root);
    x->current = caller;
    x->vars = vars;
    x->var_count = count;
    x->var_cap = cap;
}

static void template_call(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    const struct es_ttree *t = find_tree(x, n->value);
    struct es_tvalue inner = es_tnone();

    if (!t) {
        es_texec_fail(x, ES_E_CONFIG, "template \"%.*s\" not defined", (int)n->value.len, n->value.ptr);
        return;
    }
    if (n->pipe)
        inner = es_teval_pipeline(x, dot, n->pipe);
    if (x->rc == 0)
        run_tree(x, t, n->value, &inner);
}

static void put(struct es_texec *x, const char *text, size_t len)
{
    es_buf_add(x->out, text, len);
    if (es_buf_failed(x->out))
        es_texec_fail(x, ES_E_TOO_LARGE, "the result is above %zu bytes", x->out->max);
}

static void action(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    struct es_tvalue v = es_teval_pipeline(x, dot, n->pipe);

    if (x->rc < 0 || n->pipe->decl_count)
        return;
    x->node = n;
    es_tprint(x->out, &v);
    put(x, "", 0);
}

static void list(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    for (size_t i = 0; i < n->kid_count && x->rc == 0 && x->flow == ES_TFLOW_ON; i++)
        es_texec_walk(x, dot, n->kids[i]);
}

void es_texec_walk(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    es_texec_at(x, n);
    if (!es_texec_enter(x))
        return;
    switch (n->type) {
    case ES_NODE_TEXT:
        put(x, n->text.ptr, n->text.len);
        break;
    case ES_NODE_ACTION:
        action(x, dot, n);
        break;
    case ES_NODE_LIST:
        list(x, dot, n);
        break;
    case ES_NODE_IF:
    case ES_NODE_WITH:
        if_or_with(x, dot, n);
        break;
    case ES_NODE_RANGE:
        range(x, dot, n);
        break;
    case ES_NODE_TEMPLATE:
        template_call(x, dot, n);
        break;
    case ES_NODE_BREAK:
        x->flow = ES_TFLOW_BREAK;
        break;
    case ES_NODE_CONTINUE:
        x->flow = ES_TFLOW_CONTINUE;
        break;
    default:
        es_texec_fail(x, ES_E_INTERNAL, "unknown node");
        break;
    }
    es_texec_leave(x);
}
