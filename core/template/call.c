/* Calls functions: counts and checks arguments as Go does from a signature. */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/template/exec.h"
#include "core/template/print.h"

struct signature {
    size_t fixed;
    char variadic; /* the type of what follows, or '\0' */
};

static struct signature signature_of(const struct es_tfunction *f)
{
    size_t n = strlen(f->types);

    if (n && f->types[n - 1] == '*')
        return (struct signature){n - 2, f->types[n - 2]};
    return (struct signature){n, '\0'};
}

static char type_at(const struct es_tfunction *f, const struct signature *sig, size_t i)
{
    return i < sig->fixed ? f->types[i] : sig->variadic;
}

static bool check_count(struct es_texec *x, const struct es_tfunction *f, const struct signature *sig,
                        size_t nodes, size_t all)
{
    if (sig->variadic && all < sig->fixed)
        es_texec_fail(x, ES_E_CONFIG, "wrong number of args for %s: want at least %zu got %zu", f->name,
                      sig->fixed, nodes);
    else if (!sig->variadic && all != sig->fixed)
        es_texec_fail(x, ES_E_CONFIG, "wrong number of args for %s: want %zu got %zu", f->name, sig->fixed,
                      all);
    return x->rc == 0;
}

/* and, or: give back an operand, and look at no more than they need. */
static struct es_tvalue short_circuit(struct es_texec *x, const struct es_tvalue *dot,
                                      const struct es_tfunction *f, struct es_tnode *const *args,
                                      size_t count, const struct es_tvalue *final)
{
    bool wanted = strcmp(f->name, "or") == 0;
    struct es_tvalue v = es_tnone();

    for (size_t i = 0; i < count; i++) {
        v = es_teval_argument(x, dot, 'v', args[i]);
        if (x->rc < 0 || es_tvalue_truth(&v) == wanted)
            return v;
    }
    return final ? es_teval_check(x, final, 'v') : v;
}

/* Nothing here is a function, so that call can only say so. */
static struct es_tvalue call_value(struct es_texec *x, const struct es_tnode *at,
                                   const struct es_tnode *callee, const struct es_tvalue *v)
{
    struct es_buf text;

    es_buf_init(&text, 4096);
    if (callee)
        es_tnode_text(&text, callee);
    else
        es_buf_addf(&text, "<%s Value>", es_tvalue_type_name(v));
    x->node = at;
    if (es_tvalue_kind(v) <= ES_TK_NIL)
        es_texec_fail(x, ES_E_CONFIG, "error calling call: call of nil");
    else
        es_texec_fail(x, ES_E_CONFIG, "error calling call: non-function %s of type %s", es_buf_str(&text),
                      es_tvalue_type_name(v));
    es_buf_fini(&text);
    return es_tnone();
}

static struct es_tvalue run(struct es_texec *x, const struct es_tfunction *f, const struct es_tnode *at,
                            struct es_tvalue *argv, size_t count)
{
    struct es_tcall c = {.exec = x, .name = f->name, .args = argv, .count = count};

    f->run(&c);
    if (c.failed) {
        x->node = at;
        es_texec_fail(x, ES_E_CONFIG, "error calling %s: %s", f->name, c.error);
    }
    return x->rc == 0 ? c.ret : es_tnone();
}

struct es_tvalue es_teval_call(struct es_texec *x, const struct es_tvalue *dot, const struct es_tfunction *f,
                               const struct es_tnode *at, struct es_tnode *const *args, size_t arg_count,
                               const struct es_tvalue *final)
{
    struct signature sig = signature_of(f);
    size_t all = arg_count + (final ? 1 : 0);

    if (x->rc < 0 || !check_count(x, f, &sig, arg_count, all))
        return es_tnone();
    if (!f->run && strcmp(f->name, "call") != 0)
        return short_circuit(x, dot, f, args, arg_count, final);
    struct es_tvalue *argv = es_arena_alloc(&x->arena, all * sizeof *argv);
    if (!argv) {
        es_texec_nomem(x);
        return es_tnone();
    }
    for (size_t i = 0; i < arg_count && x->rc == 0; i++)
        argv[i] = es_teval_argument(x, dot, type_at(f, &sig, i), args[i]);
    if (final && x->rc == 0)
        argv[all - 1] = es_teval_check(x, final, type_at(f, &sig, all - 1));
    if (x->rc < 0)
        return es_tnone();
    return f->run ? run(x, f, at, argv, all) : call_value(x, at, arg_count ? args[0] : NULL, &argv[0]);
}

/* What functions.h promises to functions */

void es_tcall_fail(struct es_tcall *c, const char *fmt, ...)
{
    va_list args;

    if (c->failed)
        return;
    c->failed = true;
    va_start(args, fmt);
    vsnprintf(c->error, sizeof c->error, fmt, args);
    va_end(args);
}

void es_tcall_nomem(struct es_tcall *c)
{
    es_texec_nomem(c->exec);
}

struct es_arena *es_tcall_arena(struct es_tcall *c)
{
    return &c->exec->arena;
}

void *es_tcall_alloc(struct es_tcall *c, size_t size)
{
    void *p = es_arena_alloc(&c->exec->arena, size);

    if (!p)
        es_tcall_nomem(c);
    return p;
}

bool es_tcall_spend(struct es_tcall *c, size_t steps)
{
    return es_texec_spend(c->exec, steps);
}

void es_tcall_return_copy(struct es_tcall *c, const char *text, size_t len)
{
    char *copy = es_arena_dup(&c->exec->arena, text, len);

    if (!copy)
        es_tcall_nomem(c);
    else
        c->ret = es_tstring(copy, len);
}

void es_tcall_return_text(struct es_tcall *c, const char *text)
{
    c->ret = es_tstring(text, strlen(text));
}

void es_tcall_buf(struct es_buf *b)
{
    es_buf_init(b, (size_t)8 << 20);
}

void es_tcall_return_buf(struct es_tcall *c, struct es_buf *take_buf)
{
    if (es_buf_failed(take_buf))
        es_texec_fail(c->exec, ES_E_TOO_LARGE, "error calling %s: the result is above %zu bytes", c->name,
                      take_buf->max);
    else
        es_tcall_return_copy(c, es_buf_str(take_buf), take_buf->len);
    es_buf_fini(take_buf);
}

struct es_tlist *es_tcall_list(struct es_tcall *c, size_t count)
{
    struct es_tlist *list = es_tcall_spend(c, count) ? es_tlist_new(&c->exec->arena, count) : NULL;

    if (!list)
        es_tcall_nomem(c);
    return list;
}

struct es_tmap *es_tcall_map(struct es_tcall *c, size_t cap)
{
    struct es_tmap *map = es_tmap_new(&c->exec->arena, cap);

    if (!map)
        es_tcall_nomem(c);
    return map;
}

void es_tcall_map_set(struct es_tcall *c, struct es_tmap *m, const struct es_tvalue *key,
                      const struct es_tvalue *value)
{
    if (m && !es_tmap_set(&c->exec->arena, m, key, value))
        es_tcall_nomem(c);
}

void es_tcall_return_list(struct es_tcall *c, enum es_ttype type, struct es_tlist *list)
{
    if (list)
        c->ret = (struct es_tvalue){.type = type, .list = list};
}

void es_tcall_return_map(struct es_tcall *c, enum es_ttype type, struct es_tmap *map)
{
    if (map)
        c->ret = (struct es_tvalue){.type = type, .map = map};
}

int64_t es_tcall_now_ns(struct es_tcall *c)
{
    const struct es_clock *clock = c->exec->clock;
    return clock->unix_ms(clock->ctx) * 1000000;
}

bool es_tcall_random(struct es_tcall *c, void *out, size_t len)
{
    if (RAND_bytes(out, (int)len) == 1)
        return true;
    es_tcall_fail(c, "no random bytes");
    return false;
}

struct es_tvalue es_tcall_text_of(struct es_tcall *c, const struct es_tvalue *v)
{
    struct es_tcall inner = {.exec = c->exec, .name = c->name};
    struct es_buf text;

    if (v->type == ES_T_STRING)
        return *v;
    if (v->type == ES_T_BYTES)
        return es_tstring(v->s.ptr, v->s.len);
    es_tcall_buf(&text);
    es_tprint_verb_v(&text, v);
    es_tcall_return_buf(&inner, &text);
    return c->exec->rc == 0 ? inner.ret : es_tstring("", 0);
}
