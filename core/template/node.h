/* core/template/node.h: what a template is once it was read.
 *
 * Trees are never changed after parsing, so many threads may walk one. They and
 * what they point to live in the arena of their es_template. */
#ifndef ES_TEMPLATE_NODE_H
#define ES_TEMPLATE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"

enum es_tnode_type {
    /* what stands in an action */
    ES_NODE_BOOL,
    ES_NODE_CHAIN, /* (pipe).a.b: child, idents */
    ES_NODE_COMMAND,
    ES_NODE_DOT,
    ES_NODE_FIELD, /* .a.b: idents */
    ES_NODE_IDENTIFIER,
    ES_NODE_NIL,
    ES_NODE_NUMBER,
    ES_NODE_PIPE,
    ES_NODE_STRING,
    ES_NODE_VARIABLE, /* $a.b: idents, the first with its "$" */
    /* what stands in a list */
    ES_NODE_ACTION,
    ES_NODE_BREAK,
    ES_NODE_CONTINUE,
    ES_NODE_ELSE, /* these two only while parsing */
    ES_NODE_END,
    ES_NODE_IF,
    ES_NODE_LIST,
    ES_NODE_RANGE,
    ES_NODE_TEMPLATE,
    ES_NODE_TEXT,
    ES_NODE_WITH,
};

struct es_ttext {
    const char *ptr;
    size_t len;
};

struct es_tnumber {
    bool is_int, is_uint, is_float, is_complex;
    int64_t i;
    uint64_t u;
    double f;
};

struct es_tfunction;

struct es_tnode {
    enum es_tnode_type type;
    size_t pos;
    struct es_ttext text;  /* as it is written: words, numbers, strings with their quotes, text */
    struct es_ttext value; /* a string without quotes; the name of a template */
    struct es_ttext *idents;
    size_t ident_count;
    struct es_tnode **kids; /* of a list, a pipe (commands), a command (operands) */
    size_t kid_count;
    struct es_tnode **decls; /* variables of a pipe */
    size_t decl_count;
    bool assigns; /* "=" rather than ":=" */
    struct es_tnode *child, *pipe, *list, *else_list;
    struct es_tnumber number;
    bool truth;
    const struct es_tfunction *function;
};

/* A template by its name: the whole, or one of define and block. */
struct es_ttree {
    struct es_ttext name; /* empty: the whole */
    struct es_tnode *root;
    struct es_ttree *next;
};

/* As Go writes a node in errors. */
void es_tnode_text(struct es_buf *out, const struct es_tnode *n);
bool es_tnode_is_blank(const struct es_tnode *n); /* nothing but spaces */

/* Grows an array of nodes in an arena by one. False without memory. */
bool es_tnode_add(struct es_arena *a, struct es_tnode ***nodes, size_t *count, struct es_tnode *n);

#endif
