/* core/base/yaml_scalar.h: what a YAML scalar means (private to the yaml files of base). */
#ifndef ES_BASE_YAML_SCALAR_H
#define ES_BASE_YAML_SCALAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum es_scalar_kind {
    ES_SCALAR_NULL,
    ES_SCALAR_BOOL,
    ES_SCALAR_INT,
    ES_SCALAR_UINT, /* above INT64_MAX: JSON carries it as a double */
    ES_SCALAR_FLOAT,
    ES_SCALAR_STRING,
    ES_SCALAR_BINARY, /* base64 text */
};

struct es_scalar {
    enum es_scalar_kind kind;
    bool truth;
    int64_t integer;
    double real;
    const char *text; /* as written; borrowed */
    size_t len;
};

/* `tag` is NULL for none, `plain` means neither quoted nor a block. Returns
 * NULL, or why the text does not fit its tag (a constant sentence). */
const char *es_scalar_resolve(struct es_scalar *ret, const char *tag, bool plain, const char *text,
                              size_t len);

/* A new reference; NULL with *ret_why NULL means no memory. */
json_t *es_scalar_json(const struct es_scalar *s, const char **ret_why);

/* A finite number; 3.0 and 1e3 are integers, as they are once they have been
 * through JSON text. A new reference, NULL without memory. */
json_t *es_scalar_number(double v);

/* The text of a mapping key, to be freed with es_mem_free; NULL as above. */
char *es_scalar_key(const struct es_scalar *s, const char **ret_why);

/* Would a reader of YAML 1.1 or 1.2 take this unquoted text for something
 * that is not a string? Errs on the side of yes. */
bool es_scalar_is_special(const char *text, size_t len);

#endif
