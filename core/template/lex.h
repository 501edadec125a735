/* core/template/lex.h: cuts a template into tokens.
 *
 * Source: https://pkg.go.dev/text/template. Tokens are made on demand, since what a
 * delimiter means depends on where the parser is: inside an action or in text. */
#ifndef ES_TEMPLATE_LEX_H
#define ES_TEMPLATE_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum es_ttoken_type {
    ES_TOKEN_ERROR, /* the text is what is wrong */
    ES_TOKEN_BOOL,
    ES_TOKEN_CHAR, /* "," and whatever else is printable */
    ES_TOKEN_CHAR_CONSTANT,
    ES_TOKEN_ASSIGN,
    ES_TOKEN_DECLARE,
    ES_TOKEN_EOF,
    ES_TOKEN_FIELD,
    ES_TOKEN_IDENTIFIER,
    ES_TOKEN_LEFT_DELIM,
    ES_TOKEN_LEFT_PAREN,
    ES_TOKEN_NUMBER,
    ES_TOKEN_COMPLEX,
    ES_TOKEN_PIPE,
    ES_TOKEN_RAW_STRING,
    ES_TOKEN_RIGHT_DELIM,
    ES_TOKEN_RIGHT_PAREN,
    ES_TOKEN_SPACE,
    ES_TOKEN_STRING,
    ES_TOKEN_TEXT,
    ES_TOKEN_VARIABLE,
    ES_TOKEN_KEYWORD, /* only a border: keywords follow */
    ES_TOKEN_BLOCK,
    ES_TOKEN_BREAK,
    ES_TOKEN_CONTINUE,
    ES_TOKEN_DEFINE,
    ES_TOKEN_DOT,
    ES_TOKEN_ELSE,
    ES_TOKEN_END,
    ES_TOKEN_IF,
    ES_TOKEN_NIL,
    ES_TOKEN_RANGE,
    ES_TOKEN_TEMPLATE,
    ES_TOKEN_WITH,
};

/* Points into the template, or into the lexer for an error. */
struct es_ttoken {
    enum es_ttoken_type type;
    size_t pos;
    const char *ptr;
    size_t len;
    int line; /* from 1 */
};

struct es_tlexer {
    const char *text;
    size_t len, pos, start;
    const char *left, *right; /* delimiters */
    int line, start_line;
    int parens;
    bool inside;
    char error[200];
};

/* All pointers are borrowed for as long as the lexer is used. */
void es_tlexer_init(struct es_tlexer *l, const char *text, size_t len, const char *left, const char *right);

/* The next token. After an error or the end: the end, again and again. */
struct es_ttoken es_tlexer_next(struct es_tlexer *l);

#endif
