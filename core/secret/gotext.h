/* core/secret/gotext.h: texts as Go writes them.
 *
 * Hashes, merged values and messages have to agree with the reference to the
 * byte, and it is written in Go. What follows is documented with Go's packages
 * fmt, strconv, encoding/json and unicode. */
#ifndef ES_SECRET_GOTEXT_H
#define ES_SECRET_GOTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"

enum es_go_style {
    ES_GO_FIXED,   /* strconv 'f', -1: never an exponent */
    ES_GO_GENERAL, /* fmt %v: exponent below 1e-4 and from 1e+06 */
    ES_GO_JSON,    /* encoding/json: exponent below 1e-6 and from 1e21 */
};

/* The fewest digits that read back as `value`, which must be finite. Returns
 * the length; a NUL follows. */
#define ES_GO_FLOAT_MAX 360
size_t es_go_float(char out[ES_GO_FLOAT_MAX], double value, enum es_go_style style);

/* json.Marshal: members sorted by key, no blanks. With `escape_html` as
 * Marshal does it (<, > and & as \u003c...), without as an Encoder told not
 * to. Trouble (memory, ceiling, more than 512 levels) shows in `out`. */
void es_go_json(struct es_buf *out, const json_t *value, bool escape_html);

/* A text in it; what is no UTF-8 becomes \ufffd, byte by byte. */
void es_go_json_string(struct es_buf *out, const char *text, size_t len, bool escape_html);

/* strconv.Quote, the %q of fmt. */
void es_go_quote(struct es_buf *out, const char *text);

/* The same for any bytes. ES_GO_QUOTE_ASCII: as QuoteToASCII, all beyond ASCII is
 * escaped. ES_GO_QUOTE_RUNE: in single quotes, as QuoteRune. */
#define ES_GO_QUOTE_ASCII 1u
#define ES_GO_QUOTE_RUNE 2u
void es_go_quote_bytes(struct es_buf *out, const char *text, size_t len, unsigned flags);

/* unicode.IsLetter or IsNumber. 1 or 0. */
int es_go_is_letter_or_number(uint32_t rune);

/* The members of an object in Go's order, bytewise by key; all borrowed but
 * the array (es_mem_free). 0 or ES_E_NOMEM; NULL and what is no object have
 * none. */
struct es_go_member {
    const char *key;
    json_t *value;
};
int es_go_members(struct es_go_member **ret, size_t *ret_count, const json_t *object);

#endif
