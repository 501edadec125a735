/* plugins/webhook/path_own.h: what the reader of paths hands to their evaluation. */
#ifndef HOOK_PATH_OWN_H
#define HOOK_PATH_OWN_H

#include "jsonpath.h"

#define HOOK_MAX_PATH ((size_t)16 << 10)
#define HOOK_MAX_NESTING 64
#define HOOK_MAX_WORK ((size_t)4 << 20) /* values that are looked at: `..` in `..` multiplies */

enum hook_expr_kind {
    HOOK_CONSTANT,
    HOOK_NEGATIVE, /* -left */
    HOOK_EQUAL,    /* left == right */
    HOOK_UNEQUAL,  /* left != right */
    HOOK_PATH,     /* steps from $ or @ */
    HOOK_VARIABLE  /* steps from a name, which is a member of the document */
};

enum hook_step_kind {
    HOOK_CHILD,  /* one member or element: keys[0] */
    HOOK_SCRIPT, /* (keys[0]) */
    HOOK_ALL,    /* * */
    HOOK_UNION,  /* keys, one after the other */
    HOOK_RANGE,  /* keys: min, max, step; NULL where none is written */
    HOOK_FILTER, /* ? keys[0] */
    HOOK_DESCEND /* .. */
};

#define HOOK_MAX_KEYS 32

struct hook_expr;

struct hook_step {
    enum hook_step_kind kind;
    struct hook_expr *keys[HOOK_MAX_KEYS];
    size_t key_count;
    struct hook_step *next;
};

struct hook_expr {
    enum hook_expr_kind kind;
    struct hook_value value; /* HOOK_CONSTANT */
    struct hook_expr *left, *right;
    struct hook_step *steps;
    bool current; /* HOOK_PATH: begins with @ */
    bool many;    /* HOOK_PATH: yields a list */
};

struct hook_path {
    struct hook_block *blocks; /* all memory below, wiped at the end */
    size_t bytes;
    struct hook_expr *expr;
};

/* Zeroed memory that lives as long as the path; NULL without. */
void *hook_path_alloc(struct hook_path *p, size_t size);

/* Reads `text` into p->expr. False: `why` says where it is no path. */
bool hook_path_parse(struct hook_path *p, esp_bytes text, struct esp_text *why);

#endif
