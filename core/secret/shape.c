#include "core/secret/shape.h"

#include <stdint.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/secret/rename.h"

#define KEY_MAX 253 /* DNS subdomain, as the API server wants Secret keys */
#define RUNE_ERROR 0xfffdu

/* Like Go's range over a string: a byte that is not UTF-8 is U+FFFD. */
static size_t next_rune(const char *text, size_t len, uint32_t *rune)
{
    size_t n = es_utf8_decode(text, len, rune);
    if (n > 0)
        return n;
    *rune = RUNE_ERROR;
    return 1;
}

/* 1, 0, or ES_E_NOMEM. */
static int fits_key(uint32_t rune)
{
    if (rune == '-' || rune == '.' || rune == '_')
        return 1;
    return es_go_is_letter_or_number(rune);
}

static int store_renamed(struct es_values *into, struct es_value *from, struct es_buf *name,
                         bool refuse_collisions, struct es_error *err)
{
    const char *key = es_buf_str(name);

    if (es_buf_failed(name))
        return es_error_set(err, ES_E_TOO_LARGE, "key above %zu bytes", ES_REWRITTEN_KEY_MAX);
    if (strlen(key) != name->len)
        return es_error_set(err, ES_E_CONFIG, "key contains a null byte");
    if (refuse_collisions && es_values_get(into, key))
        return es_error_set(err, ES_E_CONFIG, "secret name collision during conversion: %s", key);
    return es_values_move(into, key, &from->blob) < 0 ? es_error_nomem(err) : 0;
}

int es_values_rename(struct es_values *values, es_rename_fn *fn, void *ctx, bool refuse_collisions,
                     struct es_error *err)
{
    struct es_values renamed = {0};
    struct es_buf name;
    int rc = 0;

    es_buf_init(&name, ES_REWRITTEN_KEY_MAX);
    for (size_t i = 0; i < values->count && rc == 0; i++) {
        es_buf_reset(&name);
        rc = fn(ctx, values->items[i].key, &name, err);
        if (rc == 0)
            rc = store_renamed(&renamed, &values->items[i], &name, refuse_collisions, err);
    }
    es_buf_fini(&name);
    if (rc == 0) {
        es_values_fini(values);
        *values = renamed;
        return 0;
    }
    es_values_fini(&renamed);
    return rc;
}

static int convert_key(void *ctx, const char *key, struct es_buf *out, struct es_error *err)
{
    const bool *as_unicode = ctx;
    size_t len = strlen(key);

    for (size_t i = 0; i < len;) {
        uint32_t rune;
        size_t n = next_rune(key + i, len - i, &rune);
        int fits = fits_key(rune);
        if (fits < 0)
            return es_error_nomem(err);
        if (fits)
            es_buf_add(out, key + i, n);
        else if (*as_unicode)
            es_buf_addf(out, "_U%04x_", (unsigned)rune);
        else
            es_buf_addc(out, '_');
        i += n;
    }
    return 0;
}

int es_values_convert_keys(struct es_values *values, const char *strategy, struct es_error *err)
{
    bool as_unicode = es_streq(strategy, "Unicode");

    if (!as_unicode && !es_str_empty(strategy) && !es_streq(strategy, "Default"))
        return 0;
    return es_values_rename(values, convert_key, &as_unicode, true, err);
}

/* A refused key may be anything, and error texts are UTF-8. */
static void add_key(struct es_buf *out, const char *key, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t rune;
        char text[4];
        i += next_rune(key + i, len - i, &rune);
        es_buf_add(out, text, es_utf8_encode(rune, text));
    }
}

static int refuse_long(const char *key, size_t len, struct es_error *err)
{
    struct es_buf start;

    es_buf_init(&start, ES_ERROR_TEXT_MAX);
    add_key(&start, key, KEY_MAX);
    es_error_set(err, ES_E_CONFIG, "key has length %zu but max is %d: (following is truncated): %s", len,
                 KEY_MAX, es_buf_str(&start));
    es_buf_fini(&start);
    return ES_E_CONFIG;
}

static int refuse_rune(const char *key, size_t len, uint32_t rune, struct es_error *err)
{
    struct es_buf shown;
    char text[4];
    int n = (int)es_utf8_encode(rune, text);

    es_buf_init(&shown, ES_ERROR_TEXT_MAX);
    add_key(&shown, key, len);
    es_error_set(err, ES_E_CONFIG,
                 "key has invalid character %.*s, only alphanumeric, '-', '.' and '_' are allowed: %s", n,
                 text, es_buf_str(&shown));
    es_buf_fini(&shown);
    return ES_E_CONFIG;
}

static int check_key(const char *key, struct es_error *err)
{
    size_t len = strlen(key);

    if (len > KEY_MAX)
        return refuse_long(key, len, err);
    for (size_t i = 0; i < len;) {
        uint32_t rune;
        i += next_rune(key + i, len - i, &rune);
        int fits = fits_key(rune);
        if (fits < 0)
            return es_error_nomem(err);
        if (!fits)
            return refuse_rune(key, len, rune, err);
    }
    return 0;
}

int es_values_check_keys(struct es_values *values, struct es_error *err)
{
    es_values_remove(values, "");
    for (size_t i = 0; i < values->count; i++) {
        int rc = check_key(values->items[i].key, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int decode_strict(struct es_blob *blob, enum es_base64_alphabet alphabet, struct es_error *err)
{
    struct es_blob plain = {0};
    size_t bad = 0;
    int rc = es_base64_decode(&plain, alphabet, blob->ptr ? (const char *)blob->ptr : "", blob->len, &bad);

    if (rc == ES_E_NOMEM)
        return es_error_nomem(err);
    if (rc < 0)
        return es_error_set(err, ES_E_CONFIG, "illegal base64 data at input byte %zu", bad);
    es_blob_fini(blob);
    *blob = plain;
    return 0;
}

static int decode_if_encoded(struct es_blob *blob, struct es_error *err)
{
    int rc = decode_strict(blob, ES_BASE64_STD, NULL);

    if (rc == ES_E_CONFIG)
        rc = decode_strict(blob, ES_BASE64_URL, NULL);
    return rc == ES_E_NOMEM ? es_error_nomem(err) : 0;
}

int es_blob_decode(struct es_blob *blob, const char *strategy, struct es_error *err)
{
    if (es_str_empty(strategy) || es_streq(strategy, "None"))
        return 0;
    if (es_streq(strategy, "Base64"))
        return decode_strict(blob, ES_BASE64_STD, err);
    if (es_streq(strategy, "Base64URL"))
        return decode_strict(blob, ES_BASE64_URL, err);
    if (es_streq(strategy, "Auto"))
        return decode_if_encoded(blob, err);
    return es_error_set(err, ES_E_CONFIG, "decoding strategy %s is not supported", strategy);
}

int es_values_decode(struct es_values *values, const char *strategy, struct es_error *err)
{
    for (size_t i = 0; i < values->count; i++) {
        int rc = es_blob_decode(&values->items[i].blob, strategy, err);
        if (rc < 0) {
            es_error_wrap(err, "failure decoding key %s: ", values->items[i].key);
            return rc;
        }
    }
    return 0;
}

int es_blob_check_nulls(const char *key, const struct es_blob *blob, const char *policy, struct es_error *err)
{
    if (!es_streq(policy, "Fail") || !blob->len || !memchr(blob->ptr, 0, blob->len))
        return 0;
    return es_error_set(
        err, ES_E_CONFIG,
        "fetched secret value for key \"%s\" contains null bytes; use a text-safe format such as "
        "PEM/base64 or leave nullBytePolicy unset for intentional binary data",
        key);
}

int es_values_check_nulls(const struct es_values *values, const char *policy, struct es_error *err)
{
    for (size_t i = 0; i < values->count; i++) {
        int rc = es_blob_check_nulls(values->items[i].key, &values->items[i].blob, policy, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
