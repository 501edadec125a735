/* semver, semverCompare. */
#include <stdio.h>
#include <string.h>

#include "core/template/functions.h"
#include "core/template/semver.h"

static bool field(struct es_tcall *c, const struct es_tobject *object, const char *name, size_t len,
                  bool *ret_is_method);

static struct es_tvalue text(struct es_arena *arena, const struct es_tobject *object)
{
    const struct es_semver *v = object->data;
    size_t cap = 70 + v->pre.s.len + v->metadata.s.len;
    char *out = es_arena_alloc(arena, cap);

    if (!out)
        return es_tstring("", 0);
    int n = snprintf(out, cap, "%llu.%llu.%llu%s%.*s%s%.*s", (unsigned long long)v->numbers[0],
                     (unsigned long long)v->numbers[1], (unsigned long long)v->numbers[2],
                     v->pre.s.len ? "-" : "", (int)v->pre.s.len, v->pre.s.ptr, v->metadata.s.len ? "+" : "",
                     (int)v->metadata.s.len, v->metadata.s.ptr);
    return es_tstring(out, (size_t)n);
}

static const struct es_tclass version_class = {"*semver.Version", "ptr", field, text, text};

static const struct es_semver *other(struct es_tcall *c)
{
    if (c->count == 1 && c->args[0].type == ES_T_OBJECT && c->args[0].object->class == &version_class)
        return c->args[0].object->data;
    es_tcall_fail(c, "it takes one version");
    return NULL;
}

static void compare(struct es_tcall *c, const struct es_semver *v, const char *name)
{
    const struct es_semver *with = other(c);

    if (!with)
        return;
    int order = es_semver_compare(v, with);
    if (strcmp(name, "Compare") == 0)
        c->ret = es_tint(order);
    else
        c->ret = es_tbool(strcmp(name, "Equal") == 0      ? order == 0
                          : strcmp(name, "LessThan") == 0 ? order < 0
                                                          : order > 0);
}

static bool is(const char *name, size_t len, const char *wanted)
{
    return strlen(wanted) == len && memcmp(name, wanted, len) == 0;
}

static bool field(struct es_tcall *c, const struct es_tobject *object, const char *name, size_t len,
                  bool *ret_is_method)
{
    static const char *const numbers[] = {"Major", "Minor", "Patch"};
    static const char *const comparisons[] = {"Compare", "Equal", "LessThan", "GreaterThan"};
    const struct es_semver *v = object->data;

    *ret_is_method = true;
    for (size_t i = 0; i < 3; i++)
        if (is(name, len, numbers[i])) {
            c->ret = (struct es_tvalue){.type = ES_T_UINT64, .u = v->numbers[i]};
            return true;
        }
    for (size_t i = 0; i < 4; i++)
        if (is(name, len, comparisons[i])) {
            compare(c, v, comparisons[i]);
            return true;
        }
    if (is(name, len, "Prerelease"))
        c->ret = v->pre;
    else if (is(name, len, "Metadata"))
        c->ret = v->metadata;
    else if (is(name, len, "String"))
        c->ret = text(es_tcall_arena(c), object);
    else
        return false;
    return true;
}

static struct es_semver *parse(struct es_tcall *c, const struct es_tvalue *s)
{
    struct es_semver *v = es_tcall_alloc(c, sizeof *v);
    const char *why = v ? es_semver_parse(v, s->s.ptr, s->s.len) : NULL;

    if (why)
        es_tcall_fail(c, "%s", why);
    return why ? NULL : v;
}

static void semver(struct es_tcall *c)
{
    struct es_semver *v = parse(c, &c->args[0]);
    struct es_tobject *object = v ? es_tcall_alloc(c, sizeof *object) : NULL;

    if (!object)
        return;
    *object = (struct es_tobject){&version_class, v};
    c->ret = (struct es_tvalue){.type = ES_T_OBJECT, .object = object};
}

static void semver_compare(struct es_tcall *c)
{
    static const struct es_semver zero;
    const struct es_tvalue *constraint = &c->args[0];
    struct es_semver *v;

    if (es_semver_fits(constraint->s.ptr, constraint->s.len, &zero) < 0) {
        es_tcall_fail(c, "improper constraint");
        return;
    }
    v = parse(c, &c->args[1]);
    if (v)
        c->ret = es_tbool(es_semver_fits(constraint->s.ptr, constraint->s.len, v) == 1);
}

static const struct es_tfunction functions[] = {
    {"semver", "s", semver},
    {"semverCompare", "ss", semver_compare},
};

const struct es_tfunction_table es_tfunctions_semver = ES_TFUNCTION_TABLE(functions);
