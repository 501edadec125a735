/* Evaluates what stands inside actions. */
#include <string.h>

#include "core/template/duration.h"
#include "core/template/exec.h"

struct es_tvalue es_teval_refuse(struct es_texec *x, const char *before, const struct es_tnode *n,
                                 const char *after)
{
    struct es_buf text;

    es_buf_init(&text, 64 * 1024);
    es_tnode_text(&text, n);
    es_texec_fail(x, ES_E_CONFIG, "%s%s%s", before, es_buf_str(&text), after);
    es_buf_fini(&text);
    return es_tnone();
}

/* Constants */

static struct es_tvalue number(struct es_texec *x, const struct es_tnode *n)
{
    const char *text = n->text.ptr;
    size_t len = n->text.len;
    bool hex = len > 2 && text[0] == '0' && (text[1] | 32) == 'x' && !memchr(text, 'p', len) &&
               !memchr(text, 'P', len);

    es_texec_at(x, n);
    if (n->number.is_float && !hex && *text != '\'')
        for (size_t i = 0; i < len; i++)
            if (strchr(".eEpP", text[i]))
                return es_tfloat(n->number.f);
    if (n->number.is_int)
        return es_tint(n->number.i);
    return es_teval_refuse(x, "", n, " overflows int");
}

/* Fields */

static struct es_tvalue map_field(struct es_texec *x, const struct es_tvalue *receiver, struct es_ttext name)
{
    struct es_tvalue *found = es_tmap_get(receiver->map, name.ptr, name.len);

    if (found) {
        struct es_tvalue v = *found;
        v.boxed = receiver->type == ES_T_MAP_ANY;
        return v;
    }
    if (x->missing_key_fails)
        es_texec_fail(x, ES_E_CONFIG, "map has no entry for key \"%.*s\"", (int)name.len, name.ptr);
    return es_tnone();
}

/* What methods and fields take part in: one step of a chain. */
struct step {
    const struct es_tvalue *dot;
    const struct es_tnode *at;
    struct es_ttext name;
    struct es_tnode *const *args; /* behind the name */
    size_t arg_count;
    const struct es_tvalue *final;
};

static bool has_arguments(const struct step *s)
{
    return s->arg_count > 0 || s->final;
}

/* Arguments of a method are of any type here; the class looks at them. */
static bool method_arguments(struct es_texec *x, const struct step *s, struct es_tcall *c)
{
    size_t count = s->arg_count + (s->final ? 1 : 0);

    c->args = es_arena_alloc(&x->arena, count * sizeof *c->args);
    if (!c->args) {
        es_texec_nomem(x);
        return false;
    }
    for (size_t i = 0; i < s->arg_count; i++)
        c->args[i] = es_teval_argument(x, s->dot, 'a', s->args[i]);
    if (s->final)
        c->args[count - 1] = *s->final;
    c->count = count;
    return x->rc == 0;
}

static struct es_tvalue object_field(struct es_texec *x, const struct step *s, const struct es_tvalue *v)
{
    struct es_tcall c = {.exec = x, .name = "method"};
    bool method = false, found;

    if (has_arguments(s) && !method_arguments(x, s, &c))
        return es_tnone();
    if (v->type == ES_T_OBJECT)
        found = v->object->class->field(&c, v->object, s->name.ptr, s->name.len, &method);
    else
        found = es_tduration_method(&c, v, s->name.ptr, s->name.len, &method);
    if (!found)
        es_texec_fail(x, ES_E_CONFIG, "can't evaluate field %.*s in type %s", (int)s->name.len, s->name.ptr,
                      v->boxed ? "interface {}" : es_tvalue_type_name(v));
    else if (!method && has_arguments(s))
        es_texec_fail(x, ES_E_CONFIG, "%.*s has arguments but cannot be invoked as function",
                      (int)s->name.len, s->name.ptr);
    else if (c.failed) {
        x->node = s->at;
        es_texec_fail(x, ES_E_CONFIG, "error calling %.*s: %s", (int)s->name.len, s->name.ptr, c.error);
    }
    return x->rc == 0 ? c.ret : es_tnone();
}

static struct es_tvalue field(struct es_texec *x, const struct step *s, const struct es_tvalue *receiver)
{
    switch (es_tvalue_kind(receiver)) {
    case ES_TK_NONE:
        if (x->missing_key_fails)
            es_texec_fail(x, ES_E_CONFIG, "nil data; no entry for key \"%.*s\"", (int)s->name.len,
                          s->name.ptr);
        return es_tnone();
    case ES_TK_NIL:
        es_texec_fail(x, ES_E_CONFIG, "nil pointer evaluating interface {}.%.*s", (int)s->name.len,
                      s->name.ptr);
        return es_tnone();
    case ES_TK_MAP:
        if (has_arguments(s)) {
            es_texec_fail(x, ES_E_CONFIG, "%.*s is not a method but has arguments", (int)s->name.len,
                          s->name.ptr);
            return es_tnone();
        }
        return map_field(x, receiver, s->name);
    default:
        return object_field(x, s, receiver);
    }
}

/* .a.b.c: only the last may be a method with arguments. */
static struct es_tvalue chain(struct es_texec *x, const struct step *last, struct es_tvalue receiver,
                              const struct es_ttext *names, size_t count)
{
    for (size_t i = 0; i < count && x->rc == 0; i++) {
        struct step s = {.dot = last->dot, .at = last->at, .name = names[i]};
        if (i == count - 1) {
            s = *last;
            s.name = names[i];
        }
        receiver = field(x, &s, &receiver);
    }
    return x->rc == 0 ? receiver : es_tnone();
}

/* Commands */

static bool not_a_function(struct es_texec *x, const struct step *s, const struct es_tnode *first)
{
    if (!has_arguments(s))
        return false;
    es_teval_refuse(x, "can't give argument to non-function ", first, "");
    return true;
}

static struct es_tvalue variable(struct es_texec *x, const struct step *s, const struct es_tnode *n)
{
    const struct es_ttext *name = &n->idents[0];

    es_texec_at(x, n);
    for (size_t i = x->var_count; i-- > 0;) {
        const struct es_tvariable *v = &x->vars[i];
        if (v->name.len != name->len || memcmp(v->name.ptr, name->ptr, name->len) != 0)
            continue;
        if (n->ident_count == 1)
            return not_a_function(x, s, n) ? es_tnone() : v->value;
        return chain(x, s, v->value, n->idents + 1, n->ident_count - 1);
    }
    es_texec_fail(x, ES_E_CONFIG, "undefined variable: %.*s", (int)name->len, name->ptr);
    return es_tnone();
}

static struct es_tvalue chain_node(struct es_texec *x, const struct step *s, const struct es_tnode *n)
{
    es_texec_at(x, n);
    struct es_tvalue receiver = es_teval_argument(x, s->dot, '\0', n->child);
    return x->rc == 0 ? chain(x, s, receiver, n->idents, n->ident_count) : es_tnone();
}

struct es_tvalue es_teval_plain(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    switch (n->type) {
    case ES_NODE_BOOL:
        return es_tbool(n->truth);
    case ES_NODE_DOT:
        return *dot;
    case ES_NODE_NUMBER:
        return number(x, n);
    case ES_NODE_STRING:
        return es_tstring(n->value.ptr, n->value.len);
    case ES_NODE_NIL:
        es_texec_fail(x, ES_E_CONFIG, "nil is not a command");
        return es_tnone();
    default:
        return es_teval_refuse(x, "can't evaluate command \"", n, "\"");
    }
}

/* `at` is what errors of a called function point to. */
static struct es_tvalue operand(struct es_texec *x, const struct step *s, const struct es_tnode *n)
{
    switch (n->type) {
    case ES_NODE_FIELD:
        es_texec_at(x, n);
        return chain(x, s, *s->dot, n->idents, n->ident_count);
    case ES_NODE_CHAIN:
        return chain_node(x, s, n);
    case ES_NODE_IDENTIFIER:
        es_texec_at(x, n);
        return es_teval_call(x, s->dot, n->function, s->at, s->args, s->arg_count, s->final);
    case ES_NODE_VARIABLE:
        return variable(x, s, n);
    case ES_NODE_PIPE:
        return not_a_function(x, s, n) ? es_tnone() : es_teval_pipeline(x, s->dot, n);
    default:
        es_texec_at(x, n);
        return not_a_function(x, s, n) ? es_tnone() : es_teval_plain(x, s->dot, n);
    }
}

static struct es_tvalue command(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n,
                                const struct es_tvalue *final)
{
    const struct es_tnode *first = n->kids[0];
    struct step s = {.dot = dot,
                     .at = first->type == ES_NODE_IDENTIFIER ? n : first,
                     .args = n->kids + 1,
                     .arg_count = n->kid_count - 1,
                     .final = final};
    return operand(x, &s, first);
}

static void declare(struct es_texec *x, const struct es_tnode *n, const struct es_tvalue *v)
{
    for (size_t i = 0; i < n->decl_count; i++) {
        if (n->assigns)
            es_texec_assign(x, n->decls[i]->idents[0], v);
        else
            es_texec_push(x, n->decls[i]->idents[0], v);
    }
}

struct es_tvalue es_teval_pipeline(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    struct es_tvalue v = es_tnone();

    es_texec_at(x, n);
    if (!es_texec_enter(x))
        return es_tnone();
    for (size_t i = 0; i < n->kid_count && x->rc == 0; i++) {
        struct es_tvalue before = v;
        v = command(x, dot, n->kids[i], i ? &before : NULL);
        /* A nil that comes out of a pipeline is as good as nothing. */
        if (v.type == ES_T_NIL)
            v = es_tnone();
        v.boxed = false;
    }
    es_texec_leave(x);
    if (x->rc == 0)
        declare(x, n, &v);
    return x->rc == 0 ? v : es_tnone();
}

struct es_tvalue es_teval_operand(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
{
    struct step s = {.dot = dot, .at = n};
    return operand(x, &s, n);
}
