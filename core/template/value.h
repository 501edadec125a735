/* core/template/value.h: the values that templates work on.
 *
 * Templates are written with Go in mind, where each value has a type that shows:
 * in what prints, in typeOf, in errors. So a value here carries the Go type that
 * the reference's value would have. Lists and maps are shared, as Go's are: what
 * `set` changes, everybody sees. All memory is the render's arena. */
#ifndef ES_TEMPLATE_VALUE_H
#define ES_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"

/* reflect.Kind, as far as it shows. */
enum es_tkind {
    ES_TK_NONE, /* reflect's zero Value: prints <no value> */
    ES_TK_NIL,  /* an interface that holds nil */
    ES_TK_BOOL,
    ES_TK_INT,
    ES_TK_UINT,
    ES_TK_FLOAT,
    ES_TK_STRING,
    ES_TK_LIST,
    ES_TK_MAP,
    ES_TK_OBJECT, /* a struct or a pointer to one, known to its class only */
};

enum es_ttype {
    ES_T_NONE,
    ES_T_NIL,
    ES_T_BOOL,
    ES_T_INT,
    ES_T_INT32,
    ES_T_INT64,
    ES_T_UINT8,
    ES_T_UINT32,
    ES_T_UINT64,
    ES_T_FLOAT64,
    ES_T_STRING,
    ES_T_DURATION, /* an int64 of nanoseconds */
    ES_T_MONTH,
    ES_T_WEEKDAY,
    ES_T_LIST_ANY,
    ES_T_LIST_STRING,
    ES_T_LIST_INT,
    ES_T_LIST_LIST,
    ES_T_BYTES,
    ES_T_MAP_ANY,
    ES_T_MAP_STRING,
    ES_T_MAP_MAP_STRING,
    ES_T_OBJECT,
};

struct es_tlist;
struct es_tmap;
struct es_tobject;

struct es_tvalue {
    enum es_ttype type;
    bool boxed; /* comes out of a container of anything, which shows in one error */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double f;
        struct {
            const char *ptr;
            size_t len;
        } s; /* strings and ES_T_BYTES; not terminated */
        struct es_tlist *list;
        struct es_tmap *map;
        const struct es_tobject *object;
    };
};

/* Lists are not changed once others may see them. */
struct es_tlist {
    size_t count;
    struct es_tvalue *items;
};

struct es_tentry {
    struct es_tvalue key; /* a string */
    struct es_tvalue value;
};

/* Sorted by key, bytewise: the order in which Go prints and ranges. */
struct es_tmap {
    size_t count, cap;
    struct es_tentry *entries;
};

struct es_tcall;

/* A struct of Go, as far as templates can look into it. */
struct es_tclass {
    const char *type; /* "*semver.Version" */
    const char *kind; /* "ptr" or "struct" */
    /* Field or method `name`. False: there is none. A method finds its arguments in
     * the call; the result goes to call->ret. */
    bool (*field)(struct es_tcall *call, const struct es_tobject *object, const char *name, size_t len,
                  bool *ret_is_method);
    /* What fmt prints with %v; into the arena, NULL without memory. */
    struct es_tvalue (*text)(struct es_arena *arena, const struct es_tobject *object);
    /* What JSON has for it, where that is another text; NULL: the same. */
    struct es_tvalue (*json)(struct es_arena *arena, const struct es_tobject *object);
};

struct es_tobject {
    const struct es_tclass *class;
    const void *data;
};

enum es_tkind es_tvalue_kind(const struct es_tvalue *v);
const char *es_tvalue_type_name(const struct es_tvalue *v); /* Go's: "map[string]interface {}" */
const char *es_tvalue_kind_name(const struct es_tvalue *v); /* reflect's: "slice" */
const char *es_ttype_name(enum es_ttype type);

/* Truth as if and with see it; and sprig's empty, which differs for structs only. */
bool es_tvalue_truth(const struct es_tvalue *v);

static inline struct es_tvalue es_tnone(void)
{
    return (struct es_tvalue){.type = ES_T_NONE};
}

static inline struct es_tvalue es_tnil(void)
{
    return (struct es_tvalue){.type = ES_T_NIL};
}

static inline struct es_tvalue es_tbool(bool b)
{
    return (struct es_tvalue){.type = ES_T_BOOL, .b = b};
}

static inline struct es_tvalue es_tint(int64_t i)
{
    return (struct es_tvalue){.type = ES_T_INT, .i = i};
}

static inline struct es_tvalue es_tint64(int64_t i)
{
    return (struct es_tvalue){.type = ES_T_INT64, .i = i};
}

static inline struct es_tvalue es_tfloat(double f)
{
    return (struct es_tvalue){.type = ES_T_FLOAT64, .f = f};
}

/* Borrows the bytes, which have to live as long as the render. */
static inline struct es_tvalue es_tstring(const char *ptr, size_t len)
{
    return (struct es_tvalue){.type = ES_T_STRING, .s = {ptr, len}};
}

/* A slice of a string, kept in range: Go's s[from:to] without the panic. */
struct es_tvalue es_tsubstring(const struct es_tvalue *s, size_t from, size_t to);

/* The character at `at`, which is in range, and its length; a byte that is no UTF-8 is
 * U+FFFD. */
uint32_t es_tstring_rune(const struct es_tvalue *s, size_t at, size_t *ret_len);
bool es_tstring_is(const struct es_tvalue *s, const char *text);
int es_tstring_compare(const struct es_tvalue *a, const struct es_tvalue *b);

/* NULL without memory. The items of a new list are NONE. */
struct es_tlist *es_tlist_new(struct es_arena *a, size_t count);
struct es_tmap *es_tmap_new(struct es_arena *a, size_t cap);

/* The element, also of ES_T_BYTES. `i` is in range. */
struct es_tvalue es_tlist_at(const struct es_tvalue *list, size_t i);
size_t es_tvalue_len(const struct es_tvalue *v); /* of strings, lists and maps; else 0 */

/* Copies neither key nor value. False without memory. */
bool es_tmap_set(struct es_arena *a, struct es_tmap *m, const struct es_tvalue *key,
                 const struct es_tvalue *value);
struct es_tvalue *es_tmap_get(const struct es_tmap *m, const char *key, size_t len); /* NULL: none */
void es_tmap_remove(struct es_tmap *m, const char *key, size_t len);

/* The zero value of what a map or list of this type holds. */
struct es_tvalue es_tvalue_zero_of(enum es_ttype container);

/* reflect.DeepEqual. Beyond 64 levels nothing is equal. */
bool es_tvalue_deep_equal(const struct es_tvalue *a, const struct es_tvalue *b);

#endif
