/* What the parser's files share: tokens in advance, failures, nodes. */
#include <stdio.h>
#include <string.h>

#include "core/secret/gotext.h"
#include "core/template/parse.h"

/* Tokens, with up to three looked at in advance */

struct es_ttoken es_tparser_next(struct es_tparser *p)
{
    if (p->peeked > 0)
        p->peeked--;
    else
        p->tokens[0] = es_tlexer_next(&p->lexer);
    return p->tokens[p->peeked];
}

void es_tparser_backup(struct es_tparser *p)
{
    p->peeked++;
}

void es_tparser_push(struct es_tparser *p, const struct es_ttoken *t, const struct es_ttoken *between)
{
    if (between)
        p->tokens[1] = *between;
    p->tokens[between ? 2 : 1] = *t;
    p->peeked = between ? 3 : 2;
}

struct es_ttoken es_tparser_peek(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_next(p);
    es_tparser_backup(p);
    return t;
}

struct es_ttoken es_tparser_next_nonspace(struct es_tparser *p)
{
    struct es_ttoken t;

    do
        t = es_tparser_next(p);
    while (t.type == ES_TOKEN_SPACE);
    return t;
}

struct es_ttoken es_tparser_peek_nonspace(struct es_tparser *p)
{
    struct es_ttoken t = es_tparser_next_nonspace(p);
    es_tparser_backup(p);
    return t;
}

/* Failures */

void *es_tparser_nomem(struct es_tparser *p)
{
    if (p->rc == 0)
        p->rc = es_error_nomem(p->err);
    return NULL;
}

void *es_tparser_fail(struct es_tparser *p, const char *fmt, ...)
{
    char text[500];
    va_list args;

    if (p->rc < 0)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    p->rc = es_error_set(p->err, ES_E_CONFIG, "template: %s:%d: %s", p->name, p->tokens[0].line, text);
    return NULL;
}

/* As Go shows a token: keywords in angles, others quoted and cut. */
static void token_text(struct es_buf *out, const struct es_ttoken *t)
{
    size_t shown = 0, runes = 0;

    if (t->type == ES_TOKEN_EOF) {
        es_buf_adds(out, "EOF");
    } else if (t->type > ES_TOKEN_KEYWORD) {
        es_buf_addf(out, "<%.*s>", (int)t->len, t->ptr);
    } else {
        for (; shown < t->len && runes < 10; runes++)
            do
                shown++;
            while (shown < t->len && ((unsigned char)t->ptr[shown] & 0xc0) == 0x80);
        es_go_quote_bytes(out, t->ptr, t->len > 10 ? shown : t->len, 0);
        if (t->len > 10)
            es_buf_adds(out, "...");
    }
}

static void *lexer_failed(struct es_tparser *p, const struct es_ttoken *t)
{
    bool action = t->len >= 7 && memcmp(t->ptr + t->len - 7, " action", 7) == 0;

    if (!p->action_line || p->action_line == t->line)
        return es_tparser_fail(p, "%.*s", (int)t->len, t->ptr);
    return es_tparser_fail(p, "%.*s%s started at %s:%d", (int)t->len, t->ptr, action ? "" : " in action",
                           p->name, p->action_line);
}

void *es_tparser_unexpected(struct es_tparser *p, const struct es_ttoken *t, const char *context)
{
    struct es_buf text;

    if (t->type == ES_TOKEN_ERROR)
        return lexer_failed(p, t);
    es_buf_init(&text, 400);
    token_text(&text, t);
    es_tparser_fail(p, "unexpected %s in %s", es_buf_str(&text), context);
    es_buf_fini(&text);
    return NULL;
}

struct es_tnode *es_tparser_node(struct es_tparser *p, enum es_tnode_type type, size_t pos)
{
    struct es_tnode *n = es_arena_alloc(p->arena, sizeof *n);

    if (!n)
        return es_tparser_nomem(p);
    n->type = type;
    n->pos = pos;
    return n;
}

bool es_tparser_enter(struct es_tparser *p)
{
    if (p->depth < ES_TEMPLATE_NESTING_MAX) {
        p->depth++;
        return true;
    }
    es_tparser_fail(p, "nested more than %d deep", ES_TEMPLATE_NESTING_MAX);
    return false;
}

void es_tparser_leave(struct es_tparser *p)
{
    p->depth--;
}
