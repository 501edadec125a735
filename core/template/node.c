#include "core/template/node.h"

#include <string.h>

#include "core/secret/gotext.h"

static void add(struct es_buf *out, struct es_ttext text)
{
    es_buf_add(out, text.ptr, text.len);
}

static void idents(struct es_buf *out, const struct es_tnode *n, bool dot_first)
{
    for (size_t i = 0; i < n->ident_count; i++) {
        if (i || dot_first)
            es_buf_addc(out, '.');
        add(out, n->idents[i]);
    }
}

static void operand(struct es_buf *out, const struct es_tnode *n)
{
    bool pipe = n->type == ES_NODE_PIPE;

    if (pipe)
        es_buf_addc(out, '(');
    es_tnode_text(out, n);
    if (pipe)
        es_buf_addc(out, ')');
}

static void pipe(struct es_buf *out, const struct es_tnode *n)
{
    for (size_t i = 0; i < n->decl_count; i++) {
        if (i)
            es_buf_adds(out, ", ");
        es_tnode_text(out, n->decls[i]);
    }
    if (n->decl_count)
        es_buf_adds(out, n->assigns ? " = " : " := ");
    for (size_t i = 0; i < n->kid_count; i++) {
        if (i)
            es_buf_adds(out, " | ");
        es_tnode_text(out, n->kids[i]);
    }
}

static void list(struct es_buf *out, const struct es_tnode *n)
{
    for (size_t i = 0; n && i < n->kid_count; i++)
        es_tnode_text(out, n->kids[i]);
}

static void branch(struct es_buf *out, const struct es_tnode *n, const char *word)
{
    es_buf_addf(out, "{{%s ", word);
    pipe(out, n->pipe);
    es_buf_adds(out, "}}");
    list(out, n->list);
    if (n->else_list) {
        es_buf_adds(out, "{{else}}");
        list(out, n->else_list);
    }
    es_buf_adds(out, "{{end}}");
}

static void action(struct es_buf *out, const struct es_tnode *n)
{
    es_buf_adds(out, "{{");
    pipe(out, n->pipe);
    es_buf_adds(out, "}}");
}

static void template_call(struct es_buf *out, const struct es_tnode *n)
{
    es_buf_adds(out, "{{template ");
    es_go_quote_bytes(out, n->value.ptr, n->value.len, 0);
    if (n->pipe) {
        es_buf_addc(out, ' ');
        pipe(out, n->pipe);
    }
    es_buf_adds(out, "}}");
}

static void command(struct es_buf *out, const struct es_tnode *n)
{
    for (size_t i = 0; i < n->kid_count; i++) {
        if (i)
            es_buf_addc(out, ' ');
        operand(out, n->kids[i]);
    }
}

void es_tnode_text(struct es_buf *out, const struct es_tnode *n)
{
    switch (n->type) {
    case ES_NODE_CHAIN:
        operand(out, n->child);
        idents(out, n, true);
        break;
    case ES_NODE_COMMAND:
        command(out, n);
        break;
    case ES_NODE_FIELD:
    case ES_NODE_VARIABLE:
        idents(out, n, n->type == ES_NODE_FIELD);
        break;
    case ES_NODE_PIPE:
        pipe(out, n);
        break;
    case ES_NODE_ACTION:
        action(out, n);
        break;
    case ES_NODE_BREAK:
        es_buf_adds(out, "{{break}}");
        break;
    case ES_NODE_CONTINUE:
        es_buf_adds(out, "{{continue}}");
        break;
    case ES_NODE_ELSE:
        es_buf_adds(out, "{{else}}");
        break;
    case ES_NODE_END:
        es_buf_adds(out, "{{end}}");
        break;
    case ES_NODE_IF:
        branch(out, n, "if");
        break;
    case ES_NODE_RANGE:
        branch(out, n, "range");
        break;
    case ES_NODE_WITH:
        branch(out, n, "with");
        break;
    case ES_NODE_LIST:
        list(out, n);
        break;
    case ES_NODE_TEMPLATE:
        template_call(out, n);
        break;
    case ES_NODE_DOT:
        es_buf_addc(out, '.');
        break;
    case ES_NODE_NIL:
        es_buf_adds(out, "nil");
        break;
    default: /* bool, identifier, number, string, text */
        add(out, n->text);
        break;
    }
}

static bool text_is_blank(struct es_ttext text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!memchr(" \t\r\n\v\f", text.ptr[i], 6))
            return false;
    return true;
}

bool es_tnode_is_blank(const struct es_tnode *n)
{
    if (!n)
        return true;
    if (n->type == ES_NODE_TEXT)
        return text_is_blank(n->text);
    if (n->type != ES_NODE_LIST)
        return false;
    for (size_t i = 0; i < n->kid_count; i++)
        if (!es_tnode_is_blank(n->kids[i]))
            return false;
    return true;
}

/* The array doubles whenever it is full, which a power of two tells. */
bool es_tnode_add(struct es_arena *a, struct es_tnode ***nodes, size_t *count, struct es_tnode *n)
{
    if ((*count & (*count - 1)) == 0) {
        struct es_tnode **more = es_arena_alloc(a, (*count ? *count * 2 : 1) * sizeof(struct es_tnode *));
        if (!more)
            return false;
        if (*count)
            memcpy(more, *nodes, *count * sizeof(struct es_tnode *));
        *nodes = more;
    }
    (*nodes)[(*count)++] = n;
    return true;
}
