/* Operands where a parameter's type is asked for. */
#include <string.h>

#include "core/template/exec.h"

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
        return n->type == ES_NODE_STRING ? es_teval_plain(x, NULL, n)
                                         : es_teval_refuse(x, "expected string; found ", n, "");
    case 'b':
        return n->type == ES_NODE_BOOL ? es_tbool(n->truth)
                                       : es_teval_refuse(x, "expected bool; found ", n, "");
    case 'i':
    case 'I':
        if (!number_of || !number_of->is_int)
            return es_teval_refuse(x, "expected integer; found ", n, "");
        return type == 'i' ? es_tint(number_of->i) : es_tint64(number_of->i);
    case 'u':
        if (!number_of || !number_of->is_uint)
            return es_teval_refuse(x, "expected unsigned integer; found ", n, "");
        return (struct es_tvalue){.type = ES_T_UINT32, .u = (uint32_t)number_of->u};
    case 'f':
        return number_of && number_of->is_float ? es_tfloat(number_of->f)
                                                : es_teval_refuse(x, "expected float; found ", n, "");
    case 'a':
    case 'v':
        return es_teval_plain(x, NULL, n);
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
        v = es_teval_operand(x, dot, n);
        return es_teval_check(x, &v, type);
    default:
        return literal(x, type, n);
    }
}
