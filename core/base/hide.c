#include "core/base/hide.h"

#include <stdbool.h>
#include <string.h>

/* What is shorter is a word that may stand anywhere. */
#define LEAST_SECRET 6

static const char stars[] = "***";

static size_t hide_whole(char *text, size_t len, const char *secret, size_t secret_len)
{
    char *at = text;

    while ((at = memmem(at, len - (size_t)(at - text), secret, secret_len)) != NULL) {
        size_t behind = (size_t)(at - text) + secret_len;
        memcpy(at, stars, 3);
        memmove(at + 3, text + behind, len - behind);
        len -= secret_len - 3;
        at += 3;
    }
    return len;
}

/* A text that was cut may end with the beginning of one. */
static size_t hide_beginning(char *text, size_t len, const char *secret, size_t secret_len)
{
    for (size_t part = secret_len < len ? secret_len : len; part >= LEAST_SECRET; part--) {
        if (memcmp(text + len - part, secret, part) != 0)
            continue;
        memcpy(text + len - part, stars, 3);
        return len - part + 3;
    }
    return len;
}

static size_t hide_piece(char *text, size_t len, const char *secret, size_t secret_len)
{
    if (secret_len < LEAST_SECRET)
        return len;
    len = hide_whole(text, len, secret, secret_len);
    return hide_beginning(text, len, secret, secret_len);
}

/* What quoting a text changes: JSON, Go's %q and Python's repr write these in other
 * ways, and what wraps a text does so at its line ends. */
static bool survives_quoting(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= ' ' && byte < 0x7F && !strchr("\"'\\<>&", c);
}

size_t es_hide(char *text, size_t len, const void *secret, size_t secret_len)
{
    const char *s = secret;

    if (!s)
        return len;
    len = hide_piece(text, len, s, secret_len);
    for (size_t i = 0, start = 0; i <= secret_len; i++) {
        if (i < secret_len && survives_quoting(s[i]))
            continue;
        if (i - start < secret_len)
            len = hide_piece(text, len, s + start, i - start);
        start = i + 1;
    }
    return len;
}

void es_hide_in_error(struct es_error *err, const void *secret, size_t secret_len)
{
    if (err)
        err->text[es_hide(err->text, strlen(err->text), secret, secret_len)] = '\0';
}
