/* What stands inside an action: pipelines, commands, operands. */
#include <string.h>

#include "core/secret/gotext.h"
#include "core/template/functions.h"
#include "core/template/parse.h"

/* Variables */

static void declare(struct es_tparser *p, struct es_ttext name)
{
    if (p->var_count == p->var_cap) {
        size_t cap = p->var_cap ? p->var_cap * 2 : 8;
        struct es_ttext *more = es_arena_alloc(p->arena, cap * sizeof *more);
        if (!more) {
            es_tparser_nomem(p);
            return;
        }
        if (p->var_count)
            memcpy(more, p->vars, p->var_count * sizeof *more);
        p->vars = more;
        p->var_cap = cap;
    }
    p->vars[p->var_count++] = name;
}

void es_tparser_begin_scope(struct es_tparser *p)
{
    p->vars = NULL;
    p->var_count = p->var_cap = 0;
    declare(p, (struct es_ttext){"$", 1});
}

static bool is_declared(const struct es_tparser *p, struct es_ttext name)
{
    for (size_t i = p->var_count; i-- > 0;)
        if (p->vars[i].len == name.len && memcmp(p->vars[i].ptr, name.ptr, name.len) == 0)
            return true;
    return false;
}

static struct es_tnode *add_ident(struct es_tparser *p, struct es_tnode *n, struct es_ttext ident)
{
    struct es_ttext *more = es_arena_alloc(p->arena, (n->ident_count + 1) * sizeof *more);

    if (!more)
        return es_tparser_nomem(p);
    if (n->ident_count)
        memcpy(more, n->idents, n->ident_count * sizeof *more);
    more[n->ident_count++] = ident;
    n->idents = more;
    return n;
}

static struct es_tnode *word_node(struct es_tparser *p, enum es_tnode_type type, const struct es_ttoken *t)
{
    struct es_tnode *n = es_tparser_node(p, type, t->pos);

    if (n)
        n->text = (struct es_ttext){t->ptr, t->len};
    return n;
}

/* ".name" or "$name": the dot is no part of an identifier, the dollar is. */
static struct es_tnode *name_node(struct es_tparser *p, enum es_tnode_type type, const struct es_ttoken *t)
{
    struct es_tnode *n = word_node(p, type, t);
    size_t dot = type == ES_NODE_VARIABLE ? 0 : 1;
    return n ? add_ident(p, n, (struct es_ttext){t->ptr + dot, t->len - dot}) : NULL;
}

/* Operands */

static struct es_tnode *function_node(struct es_tparser *p, const struct es_ttoken *t)
{
    struct es_tnode *n = word_node(p, ES_NODE_IDENTIFIER, t);

    if (!n)
        return NULL;
    n->function = es_tfunction_find(t->ptr, t->len);
    if (!n->function)
        return es_tparser_fail(p, "function \"%.*s\" not defined", (int)t->len, t->ptr);
    return n;
}

static struct es_tnode *variable_node(struct es_tparser *p, const struct es_ttoken *t)
{
    struct es_tnode *n = name_node(p, ES_NODE_VARIABLE, t);

    if (n && !is_declared(p, n->idents[0]))
        return es_tparser_fail(p, "undefined variable \"%.*s\"", (int)t->len, t->ptr);
    return n;
}

static struct es_tnode *string_node(struct es_tparser *p, const struct es_ttoken *t)
{
    struct es_tnode *n = word_node(p, ES_NODE_STRING, t);
    return n && es_tparser_unquote(p, n->text, &n->value) ? n : NULL;
}

static struct es_tnode *bool_node(struct es_tparser *p, const struct es_ttoken *t)
{
    struct es_tnode *n = word_node(p, ES_NODE_BOOL, t);
    if (n)
        n->truth = t->len == 4;
    return n;
}

static struct es_tnode *parenthesized(struct es_tparser *p)
{
    if (!es_tparser_enter(p))
        return NULL;
    struct es_tnode *n = es_tparser_pipeline(p, "parenthesized pipeline", ES_TOKEN_RIGHT_PAREN);
    es_tparser_leave(p);
    return n;
}

/* NULL without a failure: something else comes here. */
static struct es_tnode *term(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_next_nonspace(p);

    switch (t.type) {
    case ES_TOKEN_IDENTIFIER:
        return function_node(p, &t);
    case ES_TOKEN_DOT:
        return es_tparser_node(p, ES_NODE_DOT, t.pos);
    case ES_TOKEN_NIL:
        return es_tparser_node(p, ES_NODE_NIL, t.pos);
    case ES_TOKEN_VARIABLE:
        return variable_node(p, &t);
    case ES_TOKEN_FIELD:
        return name_node(p, ES_NODE_FIELD, &t);
    case ES_TOKEN_BOOL:
        return bool_node(p, &t);
    case ES_TOKEN_CHAR_CONSTANT:
    case ES_TOKEN_COMPLEX:
    case ES_TOKEN_NUMBER:
        return es_tparser_number(p, &t);
    case ES_TOKEN_LEFT_PAREN:
        return parenthesized(p);
    case ES_TOKEN_STRING:
    case ES_TOKEN_RAW_STRING:
        return string_node(p, &t);
    default:
        es_tparser_backup(p);
        return NULL;
    }
}

static bool takes_fields(enum es_tnode_type type)
{
    return type == ES_NODE_FIELD || type == ES_NODE_VARIABLE || type == ES_NODE_PIPE ||
           type == ES_NODE_IDENTIFIER;
}

static struct es_tnode *no_fields(struct es_tparser *p, const struct es_tnode *n)
{
    struct es_buf text;

    es_buf_init(&text, 200);
    es_tnode_text(&text, n);
    struct es_buf quoted;
    es_buf_init(&quoted, 400);
    es_go_quote_bytes(&quoted, es_buf_str(&text), text.len, 0);
    es_tparser_fail(p, "unexpected . after term %s", es_buf_str(&quoted));
    es_buf_fini(&quoted);
    es_buf_fini(&text);
    return NULL;
}

/* A term with the fields that follow at once. The position is that of the first of
 * these, as in Go, and shows in errors. */
static struct es_tnode *operand(struct es_tparser *p)
{
    struct es_tnode *n = term(p), *whole = n;

    if (!n || es_tparser_peek(p).type != ES_TOKEN_FIELD)
        return n;
    size_t pos = es_tparser_peek(p).pos;
    if (n->type == ES_NODE_FIELD || n->type == ES_NODE_VARIABLE) {
        n->pos = pos;
    } else {
        whole = es_tparser_node(p, ES_NODE_CHAIN, pos);
        if (!whole)
            return NULL;
        whole->child = n;
    }
    while (p->rc == 0 && es_tparser_peek(p).type == ES_TOKEN_FIELD) {
        struct es_ttoken t = es_tparser_next(p);
        add_ident(p, whole, (struct es_ttext){t.ptr + 1, t.len - 1});
    }
    return takes_fields(n->type) ? whole : no_fields(p, n);
}

/* Pipelines */

/* Up to "|", which is taken, or what ends the pipeline, which is not. */
static struct es_tnode *command(struct es_tparser *p)
{
    struct es_tnode *n = es_tparser_node(p, ES_NODE_COMMAND, es_tparser_peek_nonspace(p).pos);
    struct es_ttoken t;

    do {
        es_tparser_peek_nonspace(p);
        struct es_tnode *one = operand(p);
        if (one && !es_tnode_add(p->arena, &n->kids, &n->kid_count, one))
            es_tparser_nomem(p);
        if (p->rc < 0)
            return NULL;
        t = es_tparser_next(p);
    } while (t.type == ES_TOKEN_SPACE);
    if (t.type == ES_TOKEN_RIGHT_DELIM || t.type == ES_TOKEN_RIGHT_PAREN)
        es_tparser_backup(p);
    else if (t.type != ES_TOKEN_PIPE)
        return es_tparser_unexpected(p, &t, "operand");
    return n->kid_count ? n : es_tparser_fail(p, "empty command");
}

static void add_declaration(struct es_tparser *p, struct es_tnode *pipe, const struct es_ttoken *t)
{
    struct es_tnode *v = name_node(p, ES_NODE_VARIABLE, t);

    if (v && !es_tnode_add(p->arena, &pipe->decls, &pipe->decl_count, v))
        es_tparser_nomem(p);
    declare(p, (struct es_ttext){t->ptr, t->len});
}

/* "$i, " of a range: is there another variable, or nothing, as must be? */
static bool comma(struct es_tparser *p, struct es_tnode *pipe, const struct es_ttoken *v, const char *context)
{
    es_tparser_next_nonspace(p);
    add_declaration(p, pipe, v);
    if (strcmp(context, "range") != 0 || pipe->decl_count >= 2) {
        es_tparser_fail(p, "too many declarations in %s", context);
        return false;
    }
    enum es_ttoken_type next = es_tparser_peek_nonspace(p).type;
    if (next == ES_TOKEN_VARIABLE || next == ES_TOKEN_RIGHT_DELIM || next == ES_TOKEN_RIGHT_PAREN)
        return true;
    es_tparser_fail(p, "range can only initialize variables");
    return false;
}

/* "$x :=", "$x =", "$i, $x :=". True: there may be more. */
static bool declaration(struct es_tparser *p, struct es_tnode *pipe, const char *context)
{
    struct es_ttoken v = es_tparser_peek_nonspace(p);

    if (v.type != ES_TOKEN_VARIABLE)
        return false;
    es_tparser_next(p);
    struct es_ttoken behind = es_tparser_peek(p), next = es_tparser_peek_nonspace(p);
    if (next.type == ES_TOKEN_ASSIGN || next.type == ES_TOKEN_DECLARE) {
        pipe->assigns = next.type == ES_TOKEN_ASSIGN;
        es_tparser_next_nonspace(p);
        add_declaration(p, pipe, &v);
        return false;
    }
    if (next.type == ES_TOKEN_CHAR && next.len == 1 && *next.ptr == ',')
        return comma(p, pipe, &v, context);
    es_tparser_push(p, &v, behind.type == ES_TOKEN_SPACE ? &behind : NULL);
    return false;
}

static bool begins_operand(enum es_ttoken_type type)
{
    switch (type) {
    case ES_TOKEN_BOOL:
    case ES_TOKEN_CHAR_CONSTANT:
    case ES_TOKEN_COMPLEX:
    case ES_TOKEN_DOT:
    case ES_TOKEN_FIELD:
    case ES_TOKEN_IDENTIFIER:
    case ES_TOKEN_NUMBER:
    case ES_TOKEN_NIL:
    case ES_TOKEN_RAW_STRING:
    case ES_TOKEN_STRING:
    case ES_TOKEN_VARIABLE:
    case ES_TOKEN_LEFT_PAREN:
        return true;
    default:
        return false;
    }
}

static struct es_tnode *check_pipeline(struct es_tparser *p, struct es_tnode *pipe, const char *context)
{
    if (pipe->kid_count == 0)
        return es_tparser_fail(p, "missing value for %s", context);
    for (size_t i = 1; i < pipe->kid_count; i++) {
        enum es_tnode_type first = pipe->kids[i]->kids[0]->type;
        if (first == ES_NODE_BOOL || first == ES_NODE_DOT || first == ES_NODE_NIL ||
            first == ES_NODE_NUMBER || first == ES_NODE_STRING)
            return es_tparser_fail(p, "non executable command in pipeline stage %zu", i + 1);
    }
    return pipe;
}

struct es_tnode *es_tparser_pipeline(struct es_tparser *p, const char *context, enum es_ttoken_type end)
{
    struct es_tnode *pipe = es_tparser_node(p, ES_NODE_PIPE, es_tparser_peek_nonspace(p).pos);

    if (!pipe)
        return NULL;
    while (declaration(p, pipe, context))
        ;
    while (p->rc == 0) {
        struct es_ttoken t = es_tparser_next_nonspace(p);
        if (t.type == end)
            return check_pipeline(p, pipe, context);
        if (!begins_operand(t.type))
            return es_tparser_unexpected(p, &t, context);
        es_tparser_backup(p);
        struct es_tnode *one = command(p);
        if (one && !es_tnode_add(p->arena, &pipe->kids, &pipe->kid_count, one))
            es_tparser_nomem(p);
    }
    return NULL;
}
