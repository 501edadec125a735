/* core/template/functions.h: the functions that templates may call.
 *
 * To add one: write `static void name(struct es_tcall *c)` in the functions_*.c file
 * it belongs to and give it a row in that file's table. Files are listed in
 * functions.c. A row holds the name, the types of the parameters and the function.
 *
 * Types are checked before the function runs, as Go does from its signature:
 *   s string      i int      I int64    u uint32     f float64    b bool
 *   a interface{} (nil is ES_T_NIL)     v reflect.Value (nothing is ES_T_NONE)
 *   m map[string]interface{}            l []interface{}           S []string
 *   c the certificate of genCA and its kin               t time.Time
 * and "*" behind the last makes that one variadic. So c->args[i] may be read without
 * a look at its type where the row says which it is.
 *
 * A function sets c->ret, or fails with es_tcall_fail and returns: Go's error text,
 * without a value in it. Memory for results comes from es_tcall_alloc and its kin, and
 * is wiped when the render ends; whatever else held a value is wiped by the function.
 * What may run long or grow large asks es_tcall_spend first. */
#ifndef ES_TEMPLATE_FUNCTIONS_H
#define ES_TEMPLATE_FUNCTIONS_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/template/value.h"

struct es_texec;

struct es_tcall {
    struct es_texec *exec;
    const char *name;
    struct es_tvalue *args;
    size_t count;
    struct es_tvalue ret;
    bool failed;
    char error[400];
};

typedef void es_tfunction_run(struct es_tcall *c);

struct es_tfunction {
    const char *name, *types;
    es_tfunction_run *run; /* NULL: and, or, which the evaluator does itself */
};

struct es_tfunction_table {
    const struct es_tfunction *functions;
    size_t count;
};

#define ES_TFUNCTION_TABLE(array)                                                                            \
    {                                                                                                        \
        (array), sizeof(array) / sizeof *(array)                                                             \
    }

extern const struct es_tfunction_table es_tfunctions_builtin, es_tfunctions_strings, es_tfunctions_cut,
    es_tfunctions_case, es_tfunctions_lists, es_tfunctions_dicts, es_tfunctions_merge, es_tfunctions_math,
    es_tfunctions_decimal, es_tfunctions_default, es_tfunctions_encode, es_tfunctions_json,
    es_tfunctions_hash, es_tfunctions_pem, es_tfunctions_pkcs12, es_tfunctions_jwk, es_tfunctions_certs,
    es_tfunctions_regex, es_tfunctions_path, es_tfunctions_random, es_tfunctions_url, es_tfunctions_semver,
    es_tfunctions_date;

const struct es_tfunction *es_tfunction_find(const char *name, size_t len); /* NULL: none */

/* Everything that a function may do beside looking at its arguments. */

void es_tcall_fail(struct es_tcall *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed; NULL without memory or above the render's ceiling: the call has failed then. */
void *es_tcall_alloc(struct es_tcall *c, size_t size);
struct es_arena *es_tcall_arena(struct es_tcall *c);
void es_tcall_nomem(struct es_tcall *c);

/* False when the render has done too much, or its time is over: fail at once. */
bool es_tcall_spend(struct es_tcall *c, size_t steps);

/* A string as the result: copied, from a buffer (which is wiped and freed). */
void es_tcall_return_copy(struct es_tcall *c, const char *text, size_t len);
void es_tcall_return_text(struct es_tcall *c, const char *text);
void es_tcall_return_buf(struct es_tcall *c, struct es_buf *take_buf);

/* A buffer with the ceiling of the render's output. */
void es_tcall_buf(struct es_buf *b);

/* NULL after a failure. */
struct es_tlist *es_tcall_list(struct es_tcall *c, size_t count);
struct es_tmap *es_tcall_map(struct es_tcall *c, size_t cap);
void es_tcall_map_set(struct es_tcall *c, struct es_tmap *m, const struct es_tvalue *key,
                      const struct es_tvalue *value);
void es_tcall_return_list(struct es_tcall *c, enum es_ttype type, struct es_tlist *list);
void es_tcall_return_map(struct es_tcall *c, enum es_ttype type, struct es_tmap *map);

/* The wall clock and chance, which belong to the caller of the render. */
int64_t es_tcall_now_ns(struct es_tcall *c);
bool es_tcall_random(struct es_tcall *c, void *out, size_t len);

/* sprig's strval: what toString gives. Strings stay, the rest prints as %v. */
struct es_tvalue es_tcall_text_of(struct es_tcall *c, const struct es_tvalue *v);

#endif
