/* core/template/parse.h: from text to trees. */
#ifndef ES_TEMPLATE_PARSE_H
#define ES_TEMPLATE_PARSE_H

#include "core/base/error.h"
#include "core/template/lex.h"
#include "core/template/node.h"

/* How deep parentheses and control structures may nest: workers have small stacks. */
#define ES_TEMPLATE_NESTING_MAX 100

/* Reads the whole template. The trees point into `text` and live in `arena`; the
 * first is the template itself. `name` is for errors alone: ES_E_CONFIG with Go's
 * sentence, "template: NAME:1: unexpected EOF". */
int es_ttree_parse(struct es_ttree **ret, struct es_arena *arena, const char *name, const char *text,
                   size_t len, const char *left, const char *right, struct es_error *err);

/* The rest is shared by the parser's files. */
struct es_tparser {
    struct es_tlexer lexer;
    struct es_arena *arena;
    const char *name;
    struct es_error *err;
    int rc; /* of the first failure, which ends everything */
    struct es_ttoken tokens[3];
    int peeked;
    int action_line, range_depth, depth;
    struct es_ttext *vars; /* declared so far, innermost last */
    size_t var_count, var_cap;
    struct es_ttree *trees, **last_tree;
};

struct es_ttoken es_tparser_next(struct es_tparser *p);
struct es_ttoken es_tparser_next_nonspace(struct es_tparser *p);
struct es_ttoken es_tparser_peek(struct es_tparser *p);
struct es_ttoken es_tparser_peek_nonspace(struct es_tparser *p);
void es_tparser_backup(struct es_tparser *p);
/* `t` comes again before what was peeked at, with `between` in the middle if given. */
void es_tparser_push(struct es_tparser *p, const struct es_ttoken *t, const struct es_ttoken *between);

/* All return NULL, for what they are called in place of. */
void *es_tparser_fail(struct es_tparser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *es_tparser_unexpected(struct es_tparser *p, const struct es_ttoken *t, const char *context);
void *es_tparser_nomem(struct es_tparser *p);
struct es_tnode *es_tparser_node(struct es_tparser *p, enum es_tnode_type type, size_t pos);

/* One deeper, unless that is too deep. Goes with es_tparser_leave. */
bool es_tparser_enter(struct es_tparser *p);
void es_tparser_leave(struct es_tparser *p);

/* No variables but "$". */
void es_tparser_begin_scope(struct es_tparser *p);

/* Up to and with the token `end`. `context` is for errors: "if", "command", ... */
struct es_tnode *es_tparser_pipeline(struct es_tparser *p, const char *context, enum es_ttoken_type end);

/* A string literal with its quotes, as strconv.Unquote: false for bad syntax. */
bool es_tparser_unquote(struct es_tparser *p, struct es_ttext literal, struct es_ttext *ret);
struct es_tnode *es_tparser_number(struct es_tparser *p, const struct es_ttoken *t);

#endif
