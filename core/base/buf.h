/* core/base/buf.h: a text or byte buffer with a ceiling.
 *
 * The ceiling is given at birth. A failed append (ceiling, memory) is
 * remembered, so a series of appends is checked once, with es_buf_failed.
 * The memory is wiped when freed: buffers carry bodies with secrets. */
#ifndef ES_BASE_BUF_H
#define ES_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct es_buf {
    char *ptr; /* NUL-terminated once something was added; NULL before */
    size_t len, cap, max;
    bool failed;
};

void es_buf_init(struct es_buf *b, size_t max);
void es_buf_fini(struct es_buf *b);  /* wipes; zeroes are fine */
void es_buf_reset(struct es_buf *b); /* empty again, memory kept and wiped, failure forgotten */
bool es_buf_failed(const struct es_buf *b);

void es_buf_add(struct es_buf *b, const void *data, size_t len);
void es_buf_addc(struct es_buf *b, char c);
void es_buf_adds(struct es_buf *b, const char *text);
void es_buf_addf(struct es_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void es_buf_add_json(struct es_buf *b, const char *text, size_t len);

/* Drops `count` bytes at the front. */
void es_buf_consume(struct es_buf *b, size_t count);

/* Hands the NUL-terminated text over (free with es_mem_free) and empties the
 * buffer. NULL if it failed. An empty buffer gives "". */
char *es_buf_take(struct es_buf *b);

/* The text so far, "" when empty. Borrowed until the next call on `b`. */
const char *es_buf_str(const struct es_buf *b);

#endif
