/* core/base/hide.h: takes secrets out of what somebody else says. */
#ifndef ES_BASE_HIDE_H
#define ES_BASE_HIDE_H

#include <stddef.h>

/* Replaces each occurrence of the secret in the text by three stars, as a whole
 * and line by line (a key in PEM may be quoted in part). What is shorter than six
 * bytes is a word that may stand anywhere, and stays. Returns the new length. */
size_t es_hide(char *text, size_t len, const void *secret, size_t secret_len);

#endif
