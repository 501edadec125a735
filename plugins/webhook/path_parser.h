/* plugins/webhook/path_parser.h: the reader of paths, for the two files that it is made of.
 *
 * Recursive descent, one token ahead. A token that did not fit where it was looked at is put
 * back, with a note of what it would have had to be: if nobody takes it afterwards, that
 * note is the error. All functions that return false or NULL have recorded why. */
#ifndef HOOK_PATH_PARSER_H
#define HOOK_PATH_PARSER_H

#include "path_own.h"
#include "scan.h"

struct hook_parser {
    struct hook_path *path;
    struct hook_scanner scan;
    int token;          /* the last one */
    bool back;          /* it is put back, ... */
    const char *unit;   /* ... because there it did not fit */
    const char *wanted; /* or NULL: "expected ..." of the same note */
    bool joined;        /* the last token is an operator of several characters: it has no place */
    int depth;
    struct esp_text *why; /* what is wrong, without the place */
};

int hook_next(struct hook_parser *p); /* the next token */
esp_bytes hook_token_text(const struct hook_parser *p);
void hook_put_back(struct hook_parser *p, const char *unit, const char *wanted);

bool hook_unexpected(struct hook_parser *p, const char *unit, const char *wanted); /* always false */
bool hook_parse_nomem(struct hook_parser *p);                                      /* likewise */

struct hook_expr *hook_parse_expression(struct hook_parser *p);
struct hook_expr *hook_constant(struct hook_parser *p, struct hook_value value);
struct hook_expr *hook_constant_text(struct hook_parser *p, esp_bytes text); /* copies */

/* Appends a step at **end, the place after the last one of `path`. */
bool hook_add_step(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end,
                   enum hook_step_kind kind, struct hook_step **ret);

/* Everything from the first . [ or ( after $ or @ up to what is none of them. */
bool hook_parse_steps(struct hook_parser *p, struct hook_expr *path, struct hook_step **first);

#endif
