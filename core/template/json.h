/* core/template/json.h: values to and from JSON as Go's encoding/json has it. */
#ifndef ES_TEMPLATE_JSON_H
#define ES_TEMPLATE_JSON_H

#include "core/base/buf.h"
#include "core/template/value.h"

struct es_tjson_style {
    bool escape_html; /* < > & as \u003c ... */
    bool indent;      /* MarshalIndent with two spaces */
};

/* Appends. NULL, or what is wrong: "json: unsupported value: NaN". */
const char *es_tjson_write(struct es_buf *out, const struct es_tvalue *v, const struct es_tjson_style *style);

/* Reads one value into *ret. Numbers are float64, the last of several members of a
 * name counts, what is no UTF-8 becomes U+FFFD. At most 128 levels. False for bad
 * syntax, with Go's sentence in `error`; no memory is one as well. */
#define ES_TJSON_ERROR_MAX 120
bool es_tjson_read(struct es_arena *a, const char *text, size_t len, struct es_tvalue *ret,
                   char error[ES_TJSON_ERROR_MAX]);

#endif
