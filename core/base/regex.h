/* core/base/regex.h: regular expressions as Go's regexp package (RE2) reads
 * them, run by PCRE2 with limits.
 *
 * The syntax accepted is RE2's: what PCRE2 has beyond it (look-around, back
 * references, possessive quantifiers, recursion, conditionals, callouts) is
 * refused at compile time with RE2's wording of the reason, and what the two
 * read differently (\z, \C, \Q..\E, (?P<name>..), (?i) flags, [[:word:]], \pN,
 * $ without m, . and \n, case folding) gets RE2's meaning. UTF-8 throughout.
 * Invalid UTF-8 in a subject counts as U+FFFD, byte by byte, and comes out of
 * a replacement unchanged. Limits: 64 KiB of pattern, groups nested 200 deep,
 * what PCRE2 can hold ("expression too large"), and steps and memory of a match.
 *
 * What still differs from Go: a group that can match nothing and is repeated,
 * "(a|)*", stops at its first empty turn, which can show in what a group holds
 * or where a match ends, never in whether there is one; and \p{Lu} under (?i)
 * takes every letter that has a case.
 * Source: https://github.com/google/re2/wiki/Syntax */
#ifndef ES_BASE_REGEX_H
#define ES_BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/error.h"

struct es_regex;

/* ES_E_CONFIG with a text like Go's: error parsing regexp: missing closing ]: `[` */
int es_regex_new(struct es_regex **ret, const char *pattern, struct es_error *err);
void es_regex_free(struct es_regex *re);

/* Unanchored search. 1 found, 0 not, ES_E_TOO_LARGE when the match limit was
 * hit (err set). Thread-safe on one es_regex. */
int es_regex_search(const struct es_regex *re, const char *text, size_t len, struct es_error *err);

/* Go's ReplaceAllString: $1, ${1}, $name, ${name}, $$; an unknown group is
 * empty; $1x names the group "1x". Empty matches advance by one character and
 * none is taken right behind a match. Appends to out. 0 or an error. */
int es_regex_replace_all(const struct es_regex *re, const char *text, size_t len, const char *replacement,
                         struct es_buf *out, struct es_error *err);

/* Go's FindAllStringIndex: each match from left to right with its offsets, until
 * `visit` says false. An empty match right behind another is passed over. 0 or an
 * error. */
typedef bool es_regex_visit(void *ctx, size_t from, size_t to);
int es_regex_each(const struct es_regex *re, const char *text, size_t len, es_regex_visit *visit, void *ctx,
                  struct es_error *err);

#endif
