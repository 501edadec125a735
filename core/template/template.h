/* core/template/template.h: Go's text/template with the functions of the reference.
 *
 *     struct es_template_opts opts = {.missing_key_fails = true};
 *     rc = es_template_run("tls.crt", text, len, data, &opts, &blob, err);
 *
 * The language is Go's (https://pkg.go.dev/text/template), the functions are those
 * in docs/templates.md. Rendering sees the data, the clock, random bytes and the
 * machine's time zones, and nothing else. Everything that held a value is wiped when it ends.
 *
 * Errors have Go's wording, with line and column and the part of the template that
 * failed, and never a value: "template: k:1:3: executing "k" at <.x>: map has no entry
 * for key "x"". They are ES_E_CONFIG; ES_E_TOO_LARGE above a limit; or ES_E_NOMEM. */
#ifndef ES_TEMPLATE_TEMPLATE_H
#define ES_TEMPLATE_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/values.h"

#define ES_TEMPLATE_TEXT_MAX ((size_t)1 << 20)
#define ES_TEMPLATE_OUTPUT_MAX ((size_t)4 << 20)
#define ES_TEMPLATE_MEMORY_MAX ((size_t)64 << 20) /* of one render */
#define ES_TEMPLATE_TIME_MAX_MS 10000

/* Zeroes are the defaults. Everything is borrowed. */
struct es_template_opts {
    const char *left, *right;     /* delimiters; NULL: "{{" and "}}" */
    bool missing_key_fails;       /* missingkey=error; else nothing prints as "<no value>" */
    const struct es_clock *clock; /* NULL: the system's */
};

struct es_template;

/* Reads a template. `name` is for errors. *ret is for any number of threads. */
int es_template_new(struct es_template **ret, const char *name, const char *text, size_t len,
                    const struct es_template_opts *opts, struct es_error *err);
void es_template_free(struct es_template *t); /* gives back what the caller holds */
struct es_template *es_template_hold(struct es_template *t);
const char *es_template_delimiter(const struct es_template_opts *opts, bool left);

/* Runs it over an object. Of what type Go's maps would be shows from the members:
 * all strings: map[string]string; all objects of strings: a map of such maps; anything
 * else: map[string]interface{}. The delimiters of `opts` do
 * not matter here. Sets *ret. */
int es_template_execute(const struct es_template *t, const char *name, const json_t *data,
                        const struct es_template_opts *opts, struct es_blob *ret, struct es_error *err);

/* Both at once, with a template that was read before if it is still there. */
int es_template_run(const char *name, const char *text, size_t len, const json_t *data,
                    const struct es_template_opts *opts, struct es_blob *ret, struct es_error *err);

#endif
