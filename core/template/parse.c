#include "core/template/parse.h"

#include <stdio.h>
#include <string.h>

#include "core/secret/gotext.h"

/* Trees */

static struct es_tnode *text_or_action(struct es_tparser *p);

static bool expect(struct es_tparser *p, enum es_ttoken_type type, const char *context)
{
    struct es_ttoken t = es_tparser_next_nonspace(p);

    if (t.type != type)
        es_tparser_unexpected(p, &t, context);
    return t.type == type;
}

/* A tree that is empty gives way to another of its name. */
static void add_tree(struct es_tparser *p, struct es_ttext name, struct es_tnode *root)
{
    struct es_ttree *t = p->trees;

    while (t && (t->name.len != name.len || memcmp(t->name.ptr, name.ptr, name.len) != 0))
        t = t->next;
    if (!t) {
        t = es_arena_alloc(p->arena, sizeof *t);
        if (!t) {
            es_tparser_nomem(p);
            return;
        }
        *t = (struct es_ttree){.name = name, .root = root};
        *p->last_tree = t;
        p->last_tree = &t->next;
    } else if (es_tnode_is_blank(t->root)) {
        t->root = root;
    } else if (!es_tnode_is_blank(root)) {
        es_tparser_fail(p, "template: multiple definition of template \"%.*s\"", (int)name.len, name.ptr);
    }
}

/* Nodes up to an end or else, which is given back in *ret_end. */
static struct es_tnode *item_list(struct es_tparser *p, struct es_tnode **ret_end)
{
    struct es_tnode *list = es_tparser_node(p, ES_NODE_LIST, es_tparser_peek_nonspace(p).pos);

    while (p->rc == 0 && es_tparser_peek_nonspace(p).type != ES_TOKEN_EOF) {
        struct es_tnode *n = text_or_action(p);
        if (!n)
            return NULL;
        if (n->type == ES_NODE_END || n->type == ES_NODE_ELSE) {
            *ret_end = n;
            return list;
        }
        if (!es_tnode_add(p->arena, &list->kids, &list->kid_count, n))
            return es_tparser_nomem(p);
    }
    return es_tparser_fail(p, "unexpected EOF");
}

/* The body of a define or block: a tree of its own, which sees no variables. */
static void definition(struct es_tparser *p, struct es_ttext name, const char *context)
{
    struct es_ttext *vars = p->vars;
    size_t count = p->var_count, cap = p->var_cap;
    int ranges = p->range_depth, action_line = p->action_line;
    struct es_tnode *end = NULL;

    if (!es_tparser_enter(p))
        return;
    es_tparser_begin_scope(p);
    p->range_depth = 0;
    p->action_line = 0;
    struct es_tnode *root = item_list(p, &end);
    if (root && end->type != ES_NODE_END)
        es_tparser_fail(p, "unexpected {{else}} in %s", context);
    p->vars = vars;
    p->var_count = count;
    p->var_cap = cap;
    p->range_depth = ranges;
    p->action_line = action_line;
    es_tparser_leave(p);
    if (p->rc == 0)
        add_tree(p, name, root);
}

static bool template_name(struct es_tparser *p, const struct es_ttoken *t, const char *context,
                          struct es_ttext *ret)
{
    if (t->type != ES_TOKEN_STRING && t->type != ES_TOKEN_RAW_STRING) {
        es_tparser_unexpected(p, t, context);
        return false;
    }
    return es_tparser_unquote(p, (struct es_ttext){t->ptr, t->len}, ret);
}

static void define(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_next_nonspace(p);
    struct es_ttext name;

    if (template_name(p, &t, "define clause", &name) && expect(p, ES_TOKEN_RIGHT_DELIM, "define clause"))
        definition(p, name, "define clause");
}

static struct es_tnode *template_call(struct es_tparser *p, bool block)
{
    const char *context = block ? "block clause" : "template clause";
    struct es_ttoken t = es_tparser_next_nonspace(p);
    struct es_tnode *n = es_tparser_node(p, ES_NODE_TEMPLATE, t.pos);

    if (!n || !template_name(p, &t, context, &n->value))
        return NULL;
    if (block || es_tparser_next_nonspace(p).type != ES_TOKEN_RIGHT_DELIM) {
        if (!block)
            es_tparser_backup(p);
        n->pipe = es_tparser_pipeline(p, context, ES_TOKEN_RIGHT_DELIM);
    }
    if (block && p->rc == 0)
        definition(p, n->value, context);
    return p->rc == 0 ? n : NULL;
}

static struct es_tnode *control(struct es_tparser *p, enum es_tnode_type type);

/* "else if" and "else with" are an else with one structure in it, which takes the
 * end for both. */
static struct es_tnode *else_branch(struct es_tparser *p, enum es_tnode_type type, const struct es_tnode *at)
{
    enum es_ttoken_type again = type == ES_NODE_IF     ? ES_TOKEN_IF
                                : type == ES_NODE_WITH ? ES_TOKEN_WITH
                                                       : ES_TOKEN_EOF;
    struct es_tnode *end = NULL, *list;

    if (again != ES_TOKEN_EOF && es_tparser_peek(p).type == again) {
        es_tparser_next(p);
        list = es_tparser_node(p, ES_NODE_LIST, at->pos);
        struct es_tnode *inner = list ? control(p, type) : NULL;
        if (inner && !es_tnode_add(p->arena, &list->kids, &list->kid_count, inner))
            es_tparser_nomem(p);
        return list;
    }
    list = item_list(p, &end);
    if (list && end->type != ES_NODE_END)
        es_tparser_fail(p, "expected end; found {{else}}");
    return list;
}

static void control_body(struct es_tparser *p, struct es_tnode *n, const char *word)
{
    struct es_tnode *end = NULL;

    n->pipe = es_tparser_pipeline(p, word, ES_TOKEN_RIGHT_DELIM);
    if (!n->pipe)
        return;
    n->pos = n->pipe->pos;
    p->range_depth += n->type == ES_NODE_RANGE;
    n->list = item_list(p, &end);
    p->range_depth -= n->type == ES_NODE_RANGE;
    if (n->list && end->type == ES_NODE_ELSE)
        n->else_list = else_branch(p, n->type, end);
}

/* if, range and with. Variables end with the structure. */
static struct es_tnode *control(struct es_tparser *p, enum es_tnode_type type)
{
    const char *word = type == ES_NODE_IF ? "if" : type == ES_NODE_RANGE ? "range" : "with";
    struct es_tnode *n = es_tparser_node(p, type, 0);
    size_t vars = p->var_count;

    if (!n || !es_tparser_enter(p))
        return NULL;
    control_body(p, n, word);
    p->var_count = vars;
    es_tparser_leave(p);
    return p->rc == 0 ? n : NULL;
}

static struct es_tnode *jump(struct es_tparser *p, const struct es_ttoken *word, enum es_tnode_type type)
{
    const char *context = type == ES_NODE_BREAK ? "{{break}}" : "{{continue}}";

    if (!expect(p, ES_TOKEN_RIGHT_DELIM, context))
        return NULL;
    if (p->range_depth == 0)
        return es_tparser_fail(p, "%s outside {{range}}", context);
    return es_tparser_node(p, type, word->pos);
}

static struct es_tnode *else_clause(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_peek_nonspace(p);

    if (t.type != ES_TOKEN_IF && t.type != ES_TOKEN_WITH && !expect(p, ES_TOKEN_RIGHT_DELIM, "else"))
        return NULL;
    return es_tparser_node(p, ES_NODE_ELSE, t.pos);
}

static struct es_tnode *plain_action(struct es_tparser *p)
{
    es_tparser_backup(p);
    struct es_ttoken t = es_tparser_peek(p);
    struct es_tnode *n = es_tparser_node(p, ES_NODE_ACTION, t.pos);

    if (!n)
        return NULL;
    n->pipe = es_tparser_pipeline(p, "command", ES_TOKEN_RIGHT_DELIM);
    return n->pipe ? n : NULL;
}

static struct es_tnode *action(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_next_nonspace(p);

    switch (t.type) {
    case ES_TOKEN_BLOCK:
        return template_call(p, true);
    case ES_TOKEN_TEMPLATE:
        return template_call(p, false);
    case ES_TOKEN_BREAK:
        return jump(p, &t, ES_NODE_BREAK);
    case ES_TOKEN_CONTINUE:
        return jump(p, &t, ES_NODE_CONTINUE);
    case ES_TOKEN_ELSE:
        return else_clause(p);
    case ES_TOKEN_END:
        return expect(p, ES_TOKEN_RIGHT_DELIM, "end") ? es_tparser_node(p, ES_NODE_END, t.pos) : NULL;
    case ES_TOKEN_IF:
        return control(p, ES_NODE_IF);
    case ES_TOKEN_RANGE:
        return control(p, ES_NODE_RANGE);
    case ES_TOKEN_WITH:
        return control(p, ES_NODE_WITH);
    default:
        return plain_action(p);
    }
}

static struct es_tnode *text_or_action(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_next_nonspace(p);
    struct es_tnode *n;

    switch (t.type) {
    case ES_TOKEN_TEXT:
        n = es_tparser_node(p, ES_NODE_TEXT, t.pos);
        if (n)
            n->text = (struct es_ttext){t.ptr, t.len};
        return n;
    case ES_TOKEN_LEFT_DELIM:
        p->action_line = t.line;
        n = action(p);
        p->action_line = 0;
        return n;
    default:
        return es_tparser_unexpected(p, &t, "input");
    }
}

/* At the top: a define, or whatever stands in lists. */
static void top(struct es_tparser *p, struct es_tnode *root)
{
    if (es_tparser_peek(p).type == ES_TOKEN_LEFT_DELIM) {
        struct es_ttoken delim = es_tparser_next(p);
        if (es_tparser_next_nonspace(p).type == ES_TOKEN_DEFINE) {
            define(p);
            return;
        }
        es_tparser_push(p, &delim, NULL);
    }
    struct es_tnode *n = text_or_action(p);
    if (n && (n->type == ES_NODE_END || n->type == ES_NODE_ELSE))
        es_tparser_fail(p, "unexpected %s", n->type == ES_NODE_END ? "{{end}}" : "{{else}}");
    else if (n && !es_tnode_add(p->arena, &root->kids, &root->kid_count, n))
        es_tparser_nomem(p);
}

/* The template itself was put first; defines of an empty name, which may be, do not
 * get in its way because it is looked up by being first. */
static int parse_all(struct es_tparser *p, struct es_ttree *whole)
{
    es_tparser_begin_scope(p);
    whole->root = es_tparser_node(p, ES_NODE_LIST, 0);
    while (p->rc == 0 && es_tparser_peek(p).type != ES_TOKEN_EOF)
        top(p, whole->root);
    return p->rc;
}

int es_ttree_parse(struct es_ttree **ret, struct es_arena *arena, const char *name, const char *text,
                   size_t len, const char *left, const char *right, struct es_error *err)
{
    struct es_tparser p = {.arena = arena, .name = name, .err = err};
    struct es_ttree *whole = es_arena_alloc(arena, sizeof *whole);

    if (!whole)
        return es_error_nomem(err);
    p.last_tree = &p.trees;
    es_tlexer_init(&p.lexer, text, len, left, right);
    int rc = parse_all(&p, whole);
    if (rc == 0) {
        whole->next = p.trees;
        *ret = whole;
    }
    return rc;
}
