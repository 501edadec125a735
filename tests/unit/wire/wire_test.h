/* What every test of this folder includes first. */
#ifndef TESTS_UNIT_WIRE_TEST_H
#define TESTS_UNIT_WIRE_TEST_H

#include "tests/unit/base/base_test.h"

#include "core/wire/link.h"

static inline esp_bytes text(const char *s)
{
    return (esp_bytes){(const uint8_t *)s, strlen(s)};
}

static inline void assert_bytes(esp_bytes bytes, const char *want)
{
    assert_int_equal(bytes.len, strlen(want));
    if (bytes.len)
        assert_memory_equal(bytes.ptr, want, bytes.len);
}

/* A frame of exactly these bytes, so that a sanitizer sees whoever reads on. */
static inline struct es_frame exact_frame(uint16_t type, const uint8_t *data, size_t len)
{
    struct es_frame f = {.type = type, .data = malloc(len ? len : 1), .len = len};
    assert_non_null(f.data);
    if (len)
        memcpy(f.data, data, len);
    return f;
}

/* The one frame that was put, without a socket; the link is as new. */
static inline struct es_frame take_put(struct es_link *l)
{
    uint16_t type;

    assert_false(l->failed);
    assert_true(l->out_len >= 8);
    memcpy(&type, l->out + 4, sizeof type);
    struct es_frame f = exact_frame(type, l->out + 8, l->out_len - 8);
    es_put_forget(l);
    return f;
}

#endif
