#include "core/template/template.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/template/data.h"
#include "core/template/exec.h"
#include "core/template/parse.h"

/* A node takes up to 70 times as much room as what it is written as. */
#define TREE_MEMORY_MAX ((size_t)256 << 20)

struct es_template {
    atomic_int users;
    struct es_arena arena;
    const char *text;
    struct es_ttree *trees;
};

const char *es_template_delimiter(const struct es_template_opts *opts, bool left)
{
    const char *given = left ? opts->left : opts->right;
    return given && *given ? given : left ? "{{" : "}}";
}

static char *keep(struct es_template *t, const char *text, size_t len)
{
    return es_arena_dup(&t->arena, text, len);
}

int es_template_new(struct es_template **ret, const char *name, const char *text, size_t len,
                    const struct es_template_opts *opts, struct es_error *err)
{
    const char *left = es_template_delimiter(opts, true), *right = es_template_delimiter(opts, false);

    if (len > ES_TEMPLATE_TEXT_MAX)
        return es_error_set(err, ES_E_TOO_LARGE, "template: %s: the text is above %zu bytes", name,
                            ES_TEMPLATE_TEXT_MAX);
    struct es_template *t = es_mem_calloc(1, sizeof *t);
    if (!t)
        return es_error_nomem(err);
    atomic_init(&t->users, 1);
    es_arena_init(&t->arena, TREE_MEMORY_MAX);
    left = keep(t, left, strlen(left));
    right = keep(t, right, strlen(right));
    t->text = keep(t, text, len);
    int rc = left && right && t->text
                 ? es_ttree_parse(&t->trees, &t->arena, name, t->text, len, left, right, err)
                 : es_error_nomem(err);
    if (rc < 0) {
        es_template_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

struct es_template *es_template_hold(struct es_template *t)
{
    atomic_fetch_add(&t->users, 1);
    return t;
}

void es_template_free(struct es_template *t)
{
    if (!t || atomic_fetch_sub(&t->users, 1) > 1)
        return;
    es_arena_fini(&t->arena);
    es_mem_free(t);
}

static void execute(struct es_texec *x, const json_t *data)
{
    static const struct es_ttext dollar = {"$", 1};
    struct es_tvalue root;

    if (!es_tdata_root(&x->arena, data, &root)) {
        es_texec_nomem(x);
        return;
    }
    es_texec_push(x, dollar, &root);
    es_texec_walk(x, &root, x->trees->root);
}

int es_template_execute(const struct es_template *t, const char *name, const json_t *data,
                        const struct es_template_opts *opts, struct es_blob *ret, struct es_error *err)
{
    const struct es_clock *clock = opts->clock ? opts->clock : &es_system_clock;
    struct es_buf out;
    struct es_texec x = {.trees = t->trees,
                         .text = t->text,
                         .name = name,
                         .current = {name, strlen(name)},
                         .missing_key_fails = opts->missing_key_fails,
                         .out = &out,
                         .clock = clock,
                         .deadline_ms = clock->mono_ms(clock->ctx) + ES_TEMPLATE_TIME_MAX_MS,
                         .err = err};

    es_buf_init(&out, ES_TEMPLATE_OUTPUT_MAX);
    es_arena_init(&x.arena, ES_TEMPLATE_MEMORY_MAX);
    execute(&x, data);
    if (x.rc == 0 && es_blob_set(ret, es_buf_str(&out), out.len) < 0)
        x.rc = es_error_nomem(err);
    es_arena_fini(&x.arena);
    es_buf_fini(&out);
    return x.rc;
}
