/* core/base/hide.h: takes secret bytes out of a text that somebody else wrote.
 *
 * What a plugin or an admission webhook says may quote what it was shown. Its
 * reason is worth reading, so the quotation goes and the rest stays. */
#ifndef ES_BASE_HIDE_H
#define ES_BASE_HIDE_H

#include <stddef.h>

#include "core/base/error.h"

/* Puts three stars for each place where `secret` stands in `text`: whole, in part
 * because the text was cut there, or piece by piece, as texts do that quote or
 * wrap it. Pieces below six bytes are words that may stand anywhere, and stay.
 * Works in place and returns the new length; never makes a text longer. */
size_t es_hide(char *text, size_t len, const void *secret, size_t secret_len);

/* The same with the text of an error; NULL is fine. */
void es_hide_in_error(struct es_error *err, const void *secret, size_t secret_len);

#endif
