/* core/template/exec.h: one run of a template; shared by the evaluator's files. */
#ifndef ES_TEMPLATE_EXEC_H
#define ES_TEMPLATE_EXEC_H

#include "core/base/clock.h"
#include "core/template/functions.h"
#include "core/template/node.h"

/* Pipelines in pipelines, lists in lists, templates in templates: on small stacks. */
#define ES_TEMPLATE_DEPTH_MAX 130

enum es_tflow { ES_TFLOW_ON, ES_TFLOW_BREAK, ES_TFLOW_CONTINUE };

struct es_tvariable {
    struct es_ttext name;
    struct es_tvalue value;
};

struct es_texec {
    const struct es_ttree *trees;
    const char *text; /* the template's, for line and column */
    const char *name;
    struct es_ttext current; /* what errors say is executing */
    bool missing_key_fails;
    struct es_arena arena;
    struct es_buf *out;
    const struct es_clock *clock;
    int64_t deadline_ms;
    size_t steps;

    struct es_error *err;
    int rc; /* of the first failure: from then on nothing is done */
    const struct es_tnode *node;
    struct es_tvariable *vars;
    size_t var_count, var_cap;
    int depth;
    enum es_tflow flow;
};

/* With Go's beginning: where, what executes, at which node. Keeps the first failure. */
void es_texec_fail(struct es_texec *x, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void es_texec_nomem(struct es_texec *x);

/* Notes what is evaluated, and counts. */
void es_texec_at(struct es_texec *x, const struct es_tnode *n);
bool es_texec_spend(struct es_texec *x, size_t steps);
bool es_texec_enter(struct es_texec *x);
void es_texec_leave(struct es_texec *x);

void es_texec_push(struct es_texec *x, struct es_ttext name, const struct es_tvalue *value);
void es_texec_assign(struct es_texec *x, struct es_ttext name, const struct es_tvalue *value);

/* After a failure, which x->rc tells, results are ES_T_NONE. */
struct es_tvalue es_teval_pipeline(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n);

/* An operand by itself; and constants and the dot, which are no calls. */
struct es_tvalue es_teval_operand(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n);
struct es_tvalue es_teval_plain(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n);

/* A failure about a node, which stands between the two texts. */
struct es_tvalue es_teval_refuse(struct es_texec *x, const char *before, const struct es_tnode *n,
                                 const char *after);

/* An operand where a parameter of `type` is (functions.h; '\0': of any). */
struct es_tvalue es_teval_argument(struct es_texec *x, const struct es_tvalue *dot, char type,
                                   const struct es_tnode *n);

/* Calls: `args` are the nodes behind the function's name; `final` what a pipe brings,
 * or NULL. Errors of the function itself are placed at `at`. */
struct es_tvalue es_teval_call(struct es_texec *x, const struct es_tvalue *dot, const struct es_tfunction *f,
                               const struct es_tnode *at, struct es_tnode *const *args, size_t arg_count,
                               const struct es_tvalue *final);
/* Is the value of that type? Converts what Go converts. */
struct es_tvalue es_teval_check(struct es_texec *x, const struct es_tvalue *v, char type);

void es_texec_walk(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n);

#endif
