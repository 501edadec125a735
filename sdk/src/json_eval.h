/* sdk/src/json_eval.h: the state of one lookup, shared by the parts of the path
 * language. Private. */
#ifndef ESP_JSON_EVAL_H
#define ESP_JSON_EVAL_H

#include "json_scan.h"

/* A document made on the way to the result. */
struct derived {
    struct derived *next;
    struct esp_text text;
};

struct eval {
    struct derived *derived; /* all of them, wiped at the end */
    size_t derived_len;
    size_t work; /* bytes looked at so far */
    size_t depth;
    struct esp_text key; /* the member name being compared, unescaped */
    bool failed;         /* a ceiling or no memory: the result is void */
};

void esp_eval_init(struct eval *e);
void esp_eval_free(struct eval *e);

/* What `path` selects; kind NONE if nothing does or the lookup failed. The
 * text is borrowed from `json` or from a derived document of `e`. */
struct node esp_eval_path(struct eval *e, esp_bytes json, esp_bytes path);

/* Accounts for looking at `bytes`; false once that was too much. */
bool esp_eval_work(struct eval *e, size_t bytes);

/* One level deeper, and back. After a false there is nothing to leave. */
bool esp_eval_enter(struct eval *e);
void esp_eval_leave(struct eval *e);

/* A new derived text to fill, NULL without memory; and what it became, empty if
 * filling it failed. */
struct esp_text *esp_eval_text(struct eval *e);
esp_bytes esp_eval_done(struct eval *e, struct esp_text *text);

/* Patterns: `*` is any run of characters, `?` one, `\x` is x itself. */
bool esp_eval_match(struct eval *e, esp_bytes pattern, esp_bytes text);

/* The content of a string node: borrowed, or unescaped into a derived text. */
esp_bytes esp_eval_string(struct eval *e, const struct node *node);

/* Whether a value counts as true: true, a number but 0, a string as strconv.ParseBool has them. */
bool esp_eval_truth(struct eval *e, const struct node *node);

/* #(path op value), its parts borrowed from the path (the value possibly derived). */
struct query {
    esp_bytes path, op, value;
};
/* `path` begins with `#(` or `#[`. The offset behind the bracket, 0 if malformed. */
size_t esp_query_parse(struct eval *e, esp_bytes path, struct query *ret);
bool esp_query_matches(struct eval *e, const struct query *q, struct node value);

/* {a,b} and [a,b]: `path` begins with the bracket. The offset behind it, 0 if
 * malformed; the new document in *ret. */
size_t esp_multipath_end(esp_bytes path);
esp_bytes esp_multipath(struct eval *e, esp_bytes json, esp_bytes path);

/* @name or @name:argument at the beginning of `path`: sets *ret to what it makes of
 * `json` and returns the offset behind it; 0 if there is no such modifier. */
size_t esp_modifier(struct eval *e, esp_bytes json, esp_bytes path, esp_bytes *ret);
bool esp_is_modifier(esp_bytes path); /* `path` begins with the @ */

/* The layout of @pretty. */
struct pretty {
    struct esp_text *out;
    struct eval *e;
    size_t width;
    esp_bytes prefix, indent;
    bool sort_keys;
};
void esp_pretty(const struct pretty *p, esp_bytes json);

#endif
