/* Evaluates what stands inside actions. */
#include <string.h>

#include "core/template/duration.h"
#include "core/template/exec.h"

/* The node stands between the two texts. */
static struct es_tvalue failed(struct es_texec *x, const char *before, const struct es_tnode *n,
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
    return failed(x, "", n, " overflows int");
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
    failed(x, "can't give argument to non-function ", first, "");
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

/* Constants and the dot, which take no arguments. */
static struct es_tvalue plain(struct es_texec *x, const struct es_tvalue *dot, const struct es_tnode *n)
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
        return failed(x, "can't evaluate command \"", n, "\"");
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
        return not_a_function(x, s, n) ? es_tnone() : plain(x, s->dot, n);
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

/* Operands where a type is asked for */

static const char *const type_names[128] = {
    ['s'] = "string",
    ['i'] = "int",
    ['I'] = "int64",
    ['u'] = "uint32",
    ['f'] = "float64",
    ['b'] = "bool",
    ['a'] = "interface {}",
    ['v'] = "reflect.Value",
    ['m'] = "map[string]interface {}",
    ['l'] = "[]interface {}",
    ['S'] = "[]string",
    ['t'] = "time.Time",
    ['c'] = "sprig.certificate",
};

static const char *type_name(char type)
{
    return type_names[(unsigned char)type & 127];
}

static bool can_be_nil(char type)
{
    return strchr("avmlS", type) != NULL;
}

static struct es_tvalue nothing(char type)
{
    static struct es_tmap no_entries;
    static struct es_tlist no_items;

    switch (type) {
    case 'a':
        return es_tnil();
    case 'm':
        return (struct es_tvalue){.type = ES_T_MAP_ANY, .map = &no_entries};
    case 'l':
        return (struct es_tvalue){.type = ES_T_LIST_ANY, .list = &no_items};
    case 'S':
        return (struct es_tvalue){.type = ES_T_LIST_STRING, .list = &no_items};
    default:
        return es_tnone();
    }
}

static bool is_of(const struct es_tvalue *v, char type)
{
    switch (type) {
    case 's':
        return v->type == ES_T_STRING;
    case 'i':
        return v->type == ES_T_INT;
    case 'I':
        return v->type == ES_T_INT64;
    case 'u':
        return v->type == ES_T_UINT32;
    case 'f':
        return v->type == ES_T_FLOAT64;
    case 'b':
        return v->type == ES_T_BOOL;
    case 'm':
        return v->type == ES_T_MAP_ANY;
    case 'l':
        return v->type == ES_T_LIST_ANY;
    case 'S':
        return v->type == ES_T_LIST_STRING;
    case 'c':
    case 't':
        return v->type == ES_T_OBJECT && strcmp(v->object->class->type, type_name(type)) == 0;
    default:
        return true;
    }
}

struct es_tvalue es_teval_check(struct es_texec *x, const struct es_tvalue *v, char type)
{
    if (x->rc < 0)
        return es_tnone();
    if (v->type == ES_T_NONE) {
        if (type == '\0' || can_be_nil(type))
            return nothing(type);
        es_texec_fail(x, ES_E_CONFIG, "invalid value; expected %s", type_name(type));
        return es_tnone();
    }
    if (is_of(v, type))
        return *v;
    es_texec_fail(x, ES_E_CONFIG, "wrong type for value; expected %s; got %s", type_name(type),
                  es_tvalue_type_name(v));
    return es_tnone();
}

/* A literal has to be one of the type; it is not converted. */
static struct es_tvalue literal(struct es_texec *x, char type, const struct es_tnode *n)
{
    const struct es_tnumber *number_of = n->type == ES_NODE_NUMBER ? &n->number : NULL;

    switch (type) {
    case 's':
        return n->type == ES_NODE_STRING ? plain(x, NULL, n) : failed(x, "expected string; found ", n, "");
    case 'b':
        return n->type == ES_NODE_BOOL ? es_tbool(n->truth) : failed(x, "expected bool; found ", n, "");
    case 'i':
    case 'I':
        if (!number_of || !number_of->is_int)
            return failed(x, "expected integer; found ", n, "");
        return type == 'i' ? es_tint(number_of->i) : es_tint64(number_of->i);
    case 'u':
        if (!number_of || !number_of->is_uint)
            return failed(x, "expected unsigned integer; found ", n, "");
        return (struct es_tvalue){.type = ES_T_UINT32, .u = (uint32_t)number_of->u};
    case 'f':
        return number_of && number_of->is_float ? es_tfloat(number_of->f)
                                                : failed(x, "expected float; found ", n, "");
    case 'a':
    case 'v':
        return plain(x, NULL, n);
    default:
        break;
    }
    struct es_buf text;
    es_buf_init(&text, 64 * 1024);
    es_tnode_text(&text, n);
    es_texec_fail(x, ES_E_CONFIG, "can't handle %s for arg of type %s", es_buf_str(&text), type_name(type));
    es_buf_fini(&text);
    return es_tnone();
}

struct es_tvalue es_teval_argument(struct es_texec *x, const struct es_tvalue *dot, char type,
                                   const struct es_tnode *n)
{
    struct step s = {.dot = dot, .at = n};
    struct es_tvalue v;

    es_texec_at(x, n);
    if (x->rc < 0)
        return es_tnone();
    switch (n->type) {
    case ES_NODE_NIL:
        if (can_be_nil(type))
            return nothing(type);
        es_texec_fail(x, ES_E_CONFIG, "cannot assign nil to %s", type_name(type));
        return es_tnone();
    case ES_NODE_DOT:
        return es_teval_check(x, dot, type);
    case ES_NODE_FIELD:
    case ES_NODE_VARIABLE:
    case ES_NODE_PIPE:
    case ES_NODE_IDENTIFIER:
    case ES_NODE_CHAIN:
        v = operand(x, &s, n);
        return es_teval_check(x, &v, type);
    default:
        return literal(x, type, n);
    }
}
