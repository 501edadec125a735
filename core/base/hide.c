#include "core/base/hide.h"

#include <string.h>

#define LEAST_SECRET 6

static size_t hide_one(char *text, size_t len, const char *secret, size_t secret_len)
{
    static const char stars[] = "***";
    char *at = text;

    while (secret_len >= LEAST_SECRET &&
           (at = memmem(at, len - (size_t)(at - text), secret, secret_len)) != NULL) {
        size_t behind = (size_t)(at - text) + secret_len;
        memcpy(at, stars, 3);
        memmove(at + 3, text + behind, len - behind);
        len -= secret_len - 3;
        at += 3;
    }
    return len;
}

size_t es_hide(char *text, size_t len, const void *secret, size_t secret_len)
{
    const char *at = secret, *end = at ? at + secret_len : at;

    len = hide_one(text, len, secret, secret_len);
    while (at && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        len = hide_one(text, len, at, (size_t)(stop - at));
        at = newline ? newline + 1 : end;
    }
    return len;
}
