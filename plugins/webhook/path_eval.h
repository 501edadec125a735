/* plugins/webhook/path_eval.h: one evaluation of a JSONPath, and the values that it meets. */
#ifndef HOOK_PATH_EVAL_H
#define HOOK_PATH_EVAL_H

#include "path_own.h"

struct hook_eval {
    struct hook_path *path;
    struct hook_value root, current; /* $ and @ */
    size_t work, depth;
    bool exhausted;       /* too much work or no memory: ends all of it, also where errors are left out */
    struct esp_text *why; /* the error; what is in it counts only when the evaluation fails */
};

/* ---- how it ends ---- */

/* Records why, and returns false. Texts quote the path, never the document. */
bool hook_eval_fail(struct hook_eval *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool hook_eval_exhaust(struct hook_eval *e, const char *why); /* the same, for good */

bool hook_eval_work(struct hook_eval *e); /* one value more to look at; false: no more */
bool hook_eval_enter(
    struct hook_eval *e); /* one level deeper, to be left with e->depth--; false: no deeper */

/* ---- steps ---- */

bool hook_evaluate(struct hook_eval *e, const struct hook_expr *x, struct hook_value *ret);

/* The member or element of `v` that the key stands for. */
bool hook_select(struct hook_eval *e, const struct hook_expr *key, const struct hook_value *v,
                 struct hook_value *ret);

/* Takes the steps from `s` on and appends what they lead to; what they do not fit is left out. */
void hook_walk(struct hook_eval *e, const struct hook_step *s, const struct hook_value *v,
               struct hook_list *out);

/* The member of that name, of two the last, as in Go; NULL if there is none. */
const struct hook_node *hook_find_member(struct hook_eval *e, const struct hook_node *object, esp_bytes name);

/* ---- values ---- */

struct hook_value hook_of_node(const struct hook_node *node);
enum esp_json_kind hook_kind_of(const struct hook_value *v);

bool hook_text_of(struct hook_eval *e, const struct hook_value *v, esp_bytes *ret); /* of a string, decoded */
double hook_number_of(const struct hook_value *v);                                  /* of a number */

bool hook_to_number(struct hook_eval *e, const struct hook_value *v, double *ret); /* text may be one */
int hook_to_bool(struct hook_eval *e, const struct hook_value *v); /* 1, 0; -1: it is neither */
bool hook_to_name(struct hook_eval *e, const struct hook_value *v, esp_bytes *ret);
bool hook_to_index(struct hook_eval *e, const struct hook_expr *key, int64_t *ret);
bool hook_equal(struct hook_eval *e, const struct hook_value *a, const struct hook_value *b);

#endif
