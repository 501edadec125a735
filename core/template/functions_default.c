/* Defaults, choices and types. */
#include <string.h>

#include "core/template/functions.h"
#include "core/template/text_of.h"

/* sprig's empty is what the language takes for false. */
static void empty(struct es_tcall *c)
{
    c->ret = es_tbool(!es_tvalue_truth(&c->args[0]));
}

static void default_(struct es_tcall *c)
{
    c->ret = c->count > 1 && es_tvalue_truth(&c->args[1]) ? c->args[1] : c->args[0];
}

static void coalesce(struct es_tcall *c)
{
    c->ret = es_tnil();
    for (size_t i = 0; i < c->count; i++)
        if (es_tvalue_truth(&c->args[i])) {
            c->ret = c->args[i];
            return;
        }
}

static void all(struct es_tcall *c)
{
    c->ret = es_tbool(true);
    for (size_t i = 0; i < c->count; i++)
        c->ret.b = c->ret.b && es_tvalue_truth(&c->args[i]);
}

static void any(struct es_tcall *c)
{
    c->ret = es_tbool(false);
    for (size_t i = 0; i < c->count; i++)
        c->ret.b = c->ret.b || es_tvalue_truth(&c->args[i]);
}

static void ternary(struct es_tcall *c)
{
    c->ret = c->args[2].b ? c->args[0] : c->args[1];
}

static void fail(struct es_tcall *c)
{
    es_tcall_fail(c, "%.*s", (int)(c->args[0].s.len < 300 ? c->args[0].s.len : 300), c->args[0].s.ptr);
}

/* Types */

static const char *type_of(const struct es_tvalue *v)
{
    return v->type <= ES_T_NIL ? "<nil>" : es_tvalue_type_name(v);
}

static void do_type_of(struct es_tcall *c)
{
    es_tcall_return_text(c, type_of(&c->args[0]));
}

static void type_is(struct es_tcall *c)
{
    c->ret = es_tbool(es_tstring_is(&c->args[0], type_of(&c->args[1])));
}

/* A pointer is like what it points to. */
static void type_is_like(struct es_tcall *c)
{
    const char *type = type_of(&c->args[1]);
    c->ret =
        es_tbool(es_tstring_is(&c->args[0], type) || (*type == '*' && es_tstring_is(&c->args[0], type + 1)));
}

static void kind_of(struct es_tcall *c)
{
    es_tcall_return_text(c, es_tvalue_kind_name(&c->args[0]));
}

static void kind_is(struct es_tcall *c)
{
    c->ret = es_tbool(es_tstring_is(&c->args[0], es_tvalue_kind_name(&c->args[1])));
}

static void deep_equal(struct es_tcall *c)
{
    c->ret = es_tbool(es_tvalue_deep_equal(&c->args[0], &c->args[1]));
}

static const struct es_tfunction functions[] = {
    {"empty", "a", empty},
    {"default", "aa*", default_},
    {"coalesce", "a*", coalesce},
    {"all", "a*", all},
    {"any", "a*", any},
    {"ternary", "aab", ternary},
    {"fail", "s", fail},
    {"typeOf", "a", do_type_of},
    {"typeIs", "sa", type_is},
    {"typeIsLike", "sa", type_is_like},
    {"kindOf", "a", kind_of},
    {"kindIs", "sa", kind_is},
    {"deepEqual", "aa", deep_equal},
};

const struct es_tfunction_table es_tfunctions_default = ES_TFUNCTION_TABLE(functions);
