/* core/base/text.h: small things about text that the C library lacks. */
#ifndef ES_BASE_TEXT_H
#define ES_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL counts as "". */
bool es_streq(const char *a, const char *b);
bool es_strieq(const char *a, const char *b); /* ASCII case folded */
bool es_str_empty(const char *s);
bool es_str_starts(const char *s, const char *prefix);
bool es_str_ends(const char *s, const char *suffix);

/* snprintf into memory to be freed with es_mem_free; NULL without memory. */
char *es_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Decodes one character (RFC 3629: no surrogates, no overlong forms).
 * Returns its length, or 0 if the bytes are not UTF-8 or len is 0. */
size_t es_utf8_decode(const char *s, size_t len, uint32_t *rune);

/* Encodes into out[4], returns the length; invalid runes become U+FFFD. */
size_t es_utf8_encode(uint32_t rune, char out[4]);
bool es_utf8_valid(const char *s, size_t len);

/* Whole-string decimal. Returns 0, or -1 for anything else (range included). */
int es_parse_i64(const char *s, int64_t *ret);

#define ES_FLOAT_TEXT_MAX 48

/* Go's strconv.FormatFloat(v, 'g', -1, bits): the fewest digits that read back
 * as the same number. `bits` is 64 or 32. Below 1e-4 and from 10^exponent_from
 * on with an exponent: 6 as in Go's 'g' and %v, or 21 as in JSON.
 * "+Inf", "-Inf", "NaN". Returns `out`. */
char *es_float_format(double v, int bits, int exponent_from, char out[ES_FLOAT_TEXT_MAX]);

/* Orders resourceVersions. The API promises since Kubernetes 1.35 that those
 * of one resource are decimal numbers which grow. <0, 0, >0; texts that are
 * no numbers compare equal only to themselves, otherwise as older (-1). */
int es_rv_compare(const char *a, const char *b);

#endif
