#include "core/base/buf.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

void es_buf_init(struct es_buf *b, size_t max)
{
    *b = (struct es_buf){.max = max};
}

void es_buf_fini(struct es_buf *b)
{
    es_mem_free(b->ptr);
    *b = (struct es_buf){.max = b->max};
}

void es_buf_reset(struct es_buf *b)
{
    if (b->ptr)
        OPENSSL_cleanse(b->ptr, b->cap);
    b->len = 0;
    b->failed = false;
}

bool es_buf_failed(const struct es_buf *b)
{
    return b->failed;
}

static bool make_room(struct es_buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max || b->len > b->max - more) {
        b->failed = true;
        return false;
    }
    size_t want = b->len + more + 1;
    if (want <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < want)
        cap = cap > (size_t)1 << 20 ? cap + cap / 2 : cap * 2;
    char *ptr = es_mem_realloc(b->ptr, cap);
    if (!ptr) {
        b->failed = true;
        return false;
    }
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void es_buf_add(struct es_buf *b, const void *data, size_t len)
{
    if (!make_room(b, len))
        return;
    if (len)
        memcpy(b->ptr + b->len, data, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void es_buf_addc(struct es_buf *b, char c)
{
    es_buf_add(b, &c, 1);
}

void es_buf_adds(struct es_buf *b, const char *text)
{
    es_buf_add(b, text, strlen(text));
}

void es_buf_addf(struct es_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = true;
    else if (make_room(b, (size_t)n)) {
        vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

static void add_json_char(struct es_buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        es_buf_add(b, "\\\"", 2);
        break;
    case '\\':
        es_buf_add(b, "\\\\", 2);
        break;
    case '\n':
        es_buf_add(b, "\\n", 2);
        break;
    case '\r':
        es_buf_add(b, "\\r", 2);
        break;
    case '\t':
        es_buf_add(b, "\\t", 2);
        break;
    default:
        es_buf_addf(b, "\\u%04x", c);
    }
}

void es_buf_add_json(struct es_buf *b, const char *text, size_t len)
{
    size_t i = 0;

    es_buf_addc(b, '"');
    while (i < len) {
        size_t plain = i;
        while (plain < len && (unsigned char)text[plain] >= 0x20 && (unsigned char)text[plain] < 0x80 &&
               text[plain] != '"' && text[plain] != '\\')
            plain++;
        es_buf_add(b, text + i, plain - i);
        i = plain;
        if (i == len)
            break;
        if ((unsigned char)text[i] < 0x80) {
            add_json_char(b, (unsigned char)text[i++]);
            continue;
        }
        uint32_t rune;
        size_t n = es_utf8_decode(text + i, len - i, &rune);
        if (n)
            es_buf_add(b, text + i, n);
        else
            es_buf_add(b, "\xEF\xBF\xBD", 3);
        i += n ? n : 1;
    }
    es_buf_addc(b, '"');
}

void es_buf_consume(struct es_buf *b, size_t count)
{
    if (count > b->len)
        count = b->len;
    if (!count)
        return;
    memmove(b->ptr, b->ptr + count, b->len - count);
    b->len -= count;
    b->ptr[b->len] = '\0';
}

char *es_buf_take(struct es_buf *b)
{
    char *text = NULL;

    if (!b->ptr)
        es_buf_add(b, "", 0);
    if (!b->failed) {
        text = b->ptr;
        b->ptr = NULL;
    }
    es_buf_fini(b);
    b->failed = false;
    return text;
}

const char *es_buf_str(const struct es_buf *b)
{
    return b->ptr ? b->ptr : "";
}
