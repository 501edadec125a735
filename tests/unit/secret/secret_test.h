/* What the tests of core/secret share. */
#ifndef TESTS_UNIT_SECRET_SECRET_TEST_H
#define TESTS_UNIT_SECRET_SECRET_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/values.h"

static inline json_t *parse(const char *text)
{
    json_error_t why;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!value)
        fail_msg("%s at byte %d of %s", why.text, why.position, text);
    return value;
}

/* The values of an object of strings: {"key":"value"}. */
static inline struct es_values values_of(const char *text)
{
    struct es_values v = {0};
    json_t *object = parse(text);
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value)
        assert_int_equal(es_values_set(&v, key, json_string_value(value), json_string_length(value)), 0);
    json_decref(object);
    return v;
}

/* The other way round; values have to be UTF-8. */
static inline json_t *object_of(const struct es_values *v)
{
    json_t *object = json_object();
    for (size_t i = 0; i < v->count; i++) {
        const struct es_blob *b = &v->items[i].blob;
        json_t *text = json_stringn(b->ptr ? (const char *)b->ptr : "", b->len);
        assert_int_equal(json_object_set_new(object, v->items[i].key, text), 0);
    }
    return object;
}

static inline void check_json(const json_t *have, const char *want)
{
    json_t *wanted = parse(want);
    char *text = json_dumps(have, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);

    if (!json_equal((json_t *)have, wanted))
        fail_msg("have %s\nwant %s", text ? text : "(nothing)", want);
    json_decref(wanted);
    es_mem_free(text);
}

static inline void check_values(const struct es_values *v, const char *want)
{
    json_t *have = object_of(v);
    check_json(have, want);
    json_decref(have);
}

static inline void check_error(const struct es_error *err, int code, const char *text)
{
    assert_string_equal(err->text, text);
    assert_int_equal(err->code, code);
}

#endif
