/* Lists. None of them changes the list that it gets. */
#include <math.h>
#include <string.h>

#include "core/template/functions.h"
#include "core/template/text_of.h"

void es_tcall_fail_nil(struct es_tcall *c)
{
    es_tcall_fail(c, "runtime error: invalid memory address or nil pointer dereference");
}

/* False, after Go's sentence, unless it is a list. */
static bool is_list(struct es_tcall *c, const struct es_tvalue *v, const char *what)
{
    if (v->type <= ES_T_NIL)
        es_tcall_fail_nil(c);
    else if (es_tvalue_kind(v) != ES_TK_LIST)
        es_tcall_fail(c, "%s %s", what, es_tvalue_kind_name(v));
    return !c->failed;
}

/* A list of anything with `count` items of `from`, `skip` of them left out. */
static struct es_tlist *part_of(struct es_tcall *c, const struct es_tvalue *from, size_t skip, size_t count,
                                size_t room_before, size_t room_behind)
{
    struct es_tlist *list = es_tcall_list(c, room_before + count + room_behind);

    for (size_t i = 0; list && i < count; i++)
        list->items[room_before + i] = es_tlist_at(from, skip + i);
    return list;
}

static void do_list(struct es_tcall *c)
{
    struct es_tlist *list = es_tcall_list(c, c->count);

    if (list && c->count)
        memcpy(list->items, c->args, c->count * sizeof *list->items);
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static void append(struct es_tcall *c)
{
    const struct es_tvalue *from = &c->args[0];

    if (!is_list(c, from, "Cannot push on type"))
        return;
    struct es_tlist *list = part_of(c, from, 0, es_tvalue_len(from), 0, 1);
    if (list)
        list->items[list->count - 1] = c->args[1];
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static void prepend(struct es_tcall *c)
{
    const struct es_tvalue *from = &c->args[0];

    if (!is_list(c, from, "Cannot prepend on type"))
        return;
    struct es_tlist *list = part_of(c, from, 0, es_tvalue_len(from), 1, 0);
    if (list)
        list->items[0] = c->args[1];
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static void first(struct es_tcall *c)
{
    if (is_list(c, &c->args[0], "Cannot find first on type"))
        c->ret = es_tvalue_len(&c->args[0]) ? es_tlist_at(&c->args[0], 0) : es_tnil();
}

static void last(struct es_tcall *c)
{
    if (!is_list(c, &c->args[0], "Cannot find last on type"))
        return;
    size_t count = es_tvalue_len(&c->args[0]);
    c->ret = count ? es_tlist_at(&c->args[0], count - 1) : es_tnil();
}

static void all_but_one(struct es_tcall *c, size_t skip)
{
    size_t count = es_tvalue_len(&c->args[0]);
    es_tcall_return_list(c, ES_T_LIST_ANY,
                         count ? part_of(c, &c->args[0], skip, count - 1, 0, 0) : es_tcall_list(c, 0));
}

static void rest(struct es_tcall *c)
{
    if (is_list(c, &c->args[0], "Cannot find rest on type"))
        all_but_one(c, 1);
}

static void initial(struct es_tcall *c)
{
    if (is_list(c, &c->args[0], "Cannot find initial on type"))
        all_but_one(c, 0);
}

static void reverse(struct es_tcall *c)
{
    if (!is_list(c, &c->args[0], "Cannot find reverse on type"))
        return;
    size_t count = es_tvalue_len(&c->args[0]);
    struct es_tlist *list = es_tcall_list(c, count);
    for (size_t i = 0; list && i < count; i++)
        list->items[i] = es_tlist_at(&c->args[0], count - 1 - i);
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static bool is_in(struct es_tcall *c, const struct es_tvalue *items, size_t count, const struct es_tvalue *v)
{
    if (!es_tcall_spend(c, count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (es_tvalue_deep_equal(&items[i], v))
            return true;
    return false;
}

typedef bool keeps(struct es_tcall *c, const struct es_tlist *so_far, const struct es_tvalue *v);

static void filter(struct es_tcall *c, const char *what, keeps *keep)
{
    if (!is_list(c, &c->args[0], what))
        return;
    size_t count = es_tvalue_len(&c->args[0]);
    struct es_tlist *list = es_tcall_list(c, count);
    if (!list)
        return;
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct es_tvalue one = es_tlist_at(&c->args[0], i);
        if (keep(c, list, &one))
            list->items[list->count++] = one;
    }
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static bool is_something(struct es_tcall *c, const struct es_tlist *so_far, const struct es_tvalue *v)
{
    (void)c;
    (void)so_far;
    return es_tvalue_truth(v);
}

static void compact(struct es_tcall *c)
{
    filter(c, "Cannot compact on type", is_something);
}

static bool is_new(struct es_tcall *c, const struct es_tlist *so_far, const struct es_tvalue *v)
{
    return !is_in(c, so_far->items, so_far->count, v);
}

static void uniq(struct es_tcall *c)
{
    filter(c, "Cannot find uniq on type", is_new);
}

static bool is_kept(struct es_tcall *c, const struct es_tlist *so_far, const struct es_tvalue *v)
{
    (void)so_far;
    return !is_in(c, c->args + 1, c->count - 1, v);
}

static void without(struct es_tcall *c)
{
    filter(c, "Cannot find without on type", is_kept);
}

static void has(struct es_tcall *c)
{
    const struct es_tvalue *list = &c->args[1];

    c->ret = es_tbool(false);
    if (list->type <= ES_T_NIL || !is_list(c, list, "Cannot find has on type"))
        return;
    for (size_t i = 0; i < es_tvalue_len(list) && !c->ret.b; i++) {
        struct es_tvalue one = es_tlist_at(list, i);
        c->ret.b = es_tvalue_deep_equal(&c->args[0], &one);
    }
}

/* A part of the list, which keeps its type. */
static void slice(struct es_tcall *c)
{
    const struct es_tvalue *from = &c->args[0];

    if (!is_list(c, from, "list should be type of slice or array but"))
        return;
    int64_t count = (int64_t)es_tvalue_len(from);
    int64_t begin = c->count > 1 ? es_tcall_int_of(&c->args[1]) : 0;
    int64_t end = c->count > 2 ? es_tcall_int_of(&c->args[2]) : count;
    if (count == 0) {
        c->ret = es_tnil();
    } else if (begin < 0 || end < begin || end > count) {
        es_tcall_fail(c, "reflect.Value.Slice: slice index out of bounds");
    } else if (from->type == ES_T_BYTES) {
        c->ret = es_tsubstring(from, (size_t)begin, (size_t)end);
        c->ret.type = ES_T_BYTES;
    } else {
        es_tcall_return_list(c, from->type, part_of(c, from, (size_t)begin, (size_t)(end - begin), 0, 0));
    }
}

static void concat(struct es_tcall *c)
{
    size_t total = 0, n = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (c->args[i].type <= ES_T_NIL)
            es_tcall_fail_nil(c);
        else if (es_tvalue_kind(&c->args[i]) != ES_TK_LIST)
            es_tcall_fail(c, "Cannot concat type %s as list", es_tvalue_kind_name(&c->args[i]));
        if (c->failed)
            return;
        total += es_tvalue_len(&c->args[i]);
    }
    struct es_tlist *list = es_tcall_list(c, total);
    for (size_t i = 0; list && i < c->count; i++)
        for (size_t k = 0; k < es_tvalue_len(&c->args[i]); k++)
            list->items[n++] = es_tlist_at(&c->args[i], k);
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static void chunk(struct es_tcall *c)
{
    const struct es_tvalue *from = &c->args[1];
    int64_t size = c->args[0].i;

    if (!is_list(c, from, "Cannot chunk type"))
        return;
    size_t count = es_tvalue_len(from);
    if (size < 0 && count > 1 && count - 1 <= (uint64_t)-size) {
        es_tcall_return_list(c, ES_T_LIST_LIST, es_tcall_list(c, 0));
        return;
    }
    if (size <= 0) {
        es_tcall_fail(c, "runtime error: makeslice: len out of range");
        return;
    }
    size_t chunks = count ? (count - 1) / (size_t)size + 1 : 0;
    struct es_tlist *list = es_tcall_list(c, chunks);
    for (size_t i = 0; list && i < chunks; i++) {
        size_t begin = i * (size_t)size, n = count - begin;
        struct es_tlist *one = part_of(c, from, begin, n < (size_t)size ? n : (size_t)size, 0, 0);
        if (!one)
            return;
        list->items[i] = (struct es_tvalue){.type = ES_T_LIST_ANY, .list = one};
    }
    es_tcall_return_list(c, ES_T_LIST_LIST, list);
}

static const struct es_tfunction functions[] = {
    {"list", "a*", do_list},      {"tuple", "a*", do_list},
    {"append", "aa", append},     {"push", "aa", append},
    {"mustAppend", "aa", append}, {"mustPush", "aa", append},
    {"prepend", "aa", prepend},   {"mustPrepend", "aa", prepend},
    {"first", "a", first},        {"mustFirst", "a", first},
    {"last", "a", last},          {"mustLast", "a", last},
    {"rest", "a", rest},          {"mustRest", "a", rest},
    {"initial", "a", initial},    {"mustInitial", "a", initial},
    {"reverse", "a", reverse},    {"mustReverse", "a", reverse},
    {"compact", "a", compact},    {"mustCompact", "a", compact},
    {"uniq", "a", uniq},          {"mustUniq", "a", uniq},
    {"without", "aa*", without},  {"mustWithout", "aa*", without},
    {"has", "aa", has},           {"mustHas", "aa", has},
    {"slice", "aa*", slice},      {"mustSlice", "aa*", slice},
    {"concat", "a*", concat},     {"chunk", "ia", chunk},
    {"mustChunk", "ia", chunk},
};

const struct es_tfunction_table es_tfunctions_lists = ES_TFUNCTION_TABLE(functions);
