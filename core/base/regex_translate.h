/* core/base/regex_translate.h: RE2's syntax into PCRE2's (private to base's regex files). */
#ifndef ES_BASE_REGEX_TRANSLATE_H
#define ES_BASE_REGEX_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"

#define ES_REGEX_PATTERN_MAX ((size_t)64 << 10)

/* The longest thing written for one byte read is below this, so a buffer that
 * fails has failed for want of memory. */
#define ES_REGEX_OUTPUT_MAX (ES_REGEX_PATTERN_MAX * 64)

struct es_regex_plan {
    struct es_buf pattern; /* for PCRE2 with PCRE2_UTF and nothing else */
    char **names;          /* [1..groups]; NULL for a group without a name */
    size_t groups;         /* capturing groups */
};

/* Zeroes to begin with. 0, ES_E_CONFIG with Go's wording, or ES_E_NOMEM; fini
 * in any case. */
int es_regex_translate(struct es_regex_plan *plan, const char *pattern, struct es_error *err);
void es_regex_plan_fini(struct es_regex_plan *plan);

/* Character classes, in regex_class.c */

enum { ES_REGEX_FOLD = 1, ES_REGEX_MULTILINE = 2, ES_REGEX_DOT_NL = 4, ES_REGEX_UNGREEDY = 8 };

/* "error parsing regexp: WHAT: `FROM..TO`" with ES_E_CONFIG. */
int es_regex_fail(struct es_error *err, const char *what, const char *from, const char *to);

/* Reads "\n", "\x{e9}", "\." and the like at *p. */
int es_regex_escape(const char **p, uint32_t *ret, struct es_error *err);

/* Reads one rune that is not special. */
int es_regex_rune(const char **p, uint32_t *ret, struct es_error *err);

/* Reads "[...]" at *p and writes PCRE2's form of it, one atom. */
int es_regex_class(struct es_buf *out, const char **p, unsigned flags, struct es_error *err);

/* Reads "\d", "\pL", "\P{Greek}" at *p likewise. Returns 1, 0 if it is no such
 * thing (nothing read or written then), or an error. */
int es_regex_class_escape(struct es_buf *out, const char **p, unsigned flags, struct es_error *err);

#endif
