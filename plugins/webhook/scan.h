/* plugins/webhook/scan.h: the tokens of a JSONPath, which are those of Go. */
#ifndef HOOK_SCAN_H
#define HOOK_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include <esp/plugin.h>
#include <esp/text.h>

/* Anything else is a character by itself, as its code. */
enum hook_token {
    HOOK_END = -1,
    HOOK_IDENT = -2,
    HOOK_INT = -3,
    HOOK_FLOAT = -4,
    HOOK_CHAR = -5,
    HOOK_STRING = -6,
    HOOK_RAW = -7
};

struct hook_scanner {
    esp_bytes text;
    size_t at;    /* after the last token */
    size_t start; /* of the last token */
};

/* The next token; what it is made of is text[start..at). */
int hook_scan(struct hook_scanner *s);

/* The character that follows the last token without a space, -1 at the end. */
int hook_scan_peek(const struct hook_scanner *s);

/* Which character of the text the byte at `at` belongs to, from 1. */
size_t hook_scan_column(const struct hook_scanner *s, size_t at);

/* Appends what the token is called in an error: Ident, EOF, "[". */
void hook_token_name(int token, struct esp_text *out);

#endif
