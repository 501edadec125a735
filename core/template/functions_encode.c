/* base64, base32, hex, and digests. What cannot be decoded gives the error's text as
 * the value, as in the reference. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/text.h"
#include "core/secret/runes.h"
#include "core/template/functions.h"
#include "core/template/literal.h"

static void b64enc(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    es_base64_encode(&out, c->args[0].s.ptr, c->args[0].s.len);
    es_tcall_return_buf(c, &out);
}

static void return_bad_byte(struct es_tcall *c, const char *what, size_t at)
{
    char text[64];

    snprintf(text, sizeof text, "illegal %s data at input byte %zu", what, at);
    es_tcall_return_copy(c, text, strlen(text));
}

static void b64dec(struct es_tcall *c)
{
    struct es_blob bytes = {0};
    size_t bad = 0;
    int rc = es_base64_decode(&bytes, ES_BASE64_STD, c->args[0].s.ptr, c->args[0].s.len, &bad);

    if (rc == ES_E_INVALID)
        return_bad_byte(c, "base64", bad);
    else if (rc < 0)
        es_tcall_nomem(c);
    else
        es_tcall_return_copy(c, bytes.ptr ? (const char *)bytes.ptr : "", bytes.len);
    es_blob_fini(&bytes);
}

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void b32enc(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];
    struct es_buf out;

    es_tcall_buf(&out);
    for (size_t i = 0; i < s->s.len; i += 5) {
        uint64_t group = 0;
        size_t have = s->s.len - i < 5 ? s->s.len - i : 5, digits = (have * 8 + 4) / 5;
        for (size_t k = 0; k < 5; k++)
            group = group << 8 | (k < have ? (unsigned char)s->s.ptr[i + k] : 0);
        for (size_t k = 0; k < 8; k++)
            es_buf_addc(&out, k < digits ? base32_digits[group >> (35 - 5 * k) & 31] : '=');
    }
    es_tcall_return_buf(c, &out);
}

/* The text without line ends, of which nothing counts, not even as a byte. */
static void without_line_ends(struct es_buf *out, const struct es_tvalue *s)
{
    for (size_t i = 0; i < s->s.len; i++)
        if (s->s.ptr[i] != '\r' && s->s.ptr[i] != '\n')
            es_buf_addc(out, s->s.ptr[i]);
}

/* Padding at `at`, behind `digits` of a group. Returns the offset of the byte that Go
 * complains about, or SIZE_MAX. */
static size_t check_padding(const char *text, size_t len, size_t at, size_t digits)
{
    if (len - at + digits < 8)
        return len;
    for (size_t k = 0; k + digits < 7; k++)
        if (at + 1 + k < len && text[at + 1 + k] != '=')
            return at + k;
    return digits == 3 || digits == 6 ? at : SIZE_MAX;
}

/* One group of up to eight digits; as above. */
static size_t decode_group(struct es_buf *out, const char *text, size_t len, size_t from, bool *ret_end)
{
    static const unsigned char bytes_of[] = {0, 0, 1, 0, 2, 3, 0, 4, 5};
    uint64_t group = 0;
    size_t n = 0;

    for (; n < 8 && !*ret_end; n += !*ret_end) {
        size_t at = from + n;
        if (at >= len)
            return from; /* cut off: the group as a whole is bad */
        if (text[at] == '=' && n >= 2 && len - at <= 8) {
            size_t bad = check_padding(text, len, at, n);
            if (bad != SIZE_MAX)
                return bad;
            *ret_end = true;
            continue;
        }
        const char *digit = text[at] ? strchr(base32_digits, text[at]) : NULL;
        if (!digit)
            return at;
        group = group << 5 | (uint64_t)(digit - base32_digits);
    }
    group <<= 5 * (8 - n);
    for (size_t k = 0; k < bytes_of[n]; k++)
        es_buf_addc(out, (char)(group >> (32 - 8 * k)));
    return SIZE_MAX;
}

static void b32dec(struct es_tcall *c)
{
    struct es_buf text, out;
    bool end = false;
    size_t bad = SIZE_MAX;

    es_tcall_buf(&text);
    es_tcall_buf(&out);
    without_line_ends(&text, &c->args[0]);
    for (size_t at = 0; at < text.len && bad == SIZE_MAX && !end; at += 8)
        bad = decode_group(&out, text.ptr, text.len, at, &end);
    es_buf_fini(&text);
    if (bad != SIZE_MAX) {
        return_bad_byte(c, "base32", bad);
        es_buf_fini(&out);
    } else {
        es_tcall_return_buf(c, &out);
    }
}

static void return_bad_hex(struct es_tcall *c, unsigned char byte)
{
    char text[64], rune[5] = "";

    rune[es_utf8_encode(byte, rune)] = '\0';
    if (es_rune_is(ES_RUNE_PRINT, byte))
        snprintf(text, sizeof text, "encoding/hex: invalid byte: U+%04X '%s'", byte, rune);
    else
        snprintf(text, sizeof text, "encoding/hex: invalid byte: U+%04X", byte);
    es_tcall_return_copy(c, text, strlen(text));
}

static void hexdec(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];
    struct es_buf out;

    es_tcall_buf(&out);
    for (size_t i = 0; i < s->s.len; i++) {
        int digit = es_hex_digit(s->s.ptr[i]);
        if (digit < 0) {
            return_bad_hex(c, (unsigned char)s->s.ptr[i]);
            es_buf_fini(&out);
            return;
        }
        if (i % 2)
            es_buf_addc(&out, (char)(es_hex_digit(s->s.ptr[i - 1]) << 4 | digit));
    }
    if (s->s.len % 2) {
        es_tcall_return_text(c, "encoding/hex: odd length hex string");
        es_buf_fini(&out);
        return;
    }
    es_tcall_return_buf(c, &out);
}

/* Digests */

static void digest(struct es_tcall *c, const EVP_MD *md)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct es_buf out;

    if (EVP_Digest(c->args[0].s.ptr, c->args[0].s.len, bytes, &len, md, NULL) != 1) {
        es_tcall_fail(c, "no such digest");
        return;
    }
    es_tcall_buf(&out);
    for (unsigned i = 0; i < len; i++)
        es_buf_addf(&out, "%02x", bytes[i]);
    es_tcall_return_buf(c, &out);
}

static void sha1sum(struct es_tcall *c)
{
    digest(c, EVP_sha1());
}

static void sha256sum(struct es_tcall *c)
{
    digest(c, EVP_sha256());
}

static void sha512sum(struct es_tcall *c)
{
    digest(c, EVP_sha512());
}

/* RFC 1950, in decimal. */
static void adler32sum(struct es_tcall *c)
{
    uint32_t a = 1, b = 0;
    char text[16];

    for (size_t i = 0; i < c->args[0].s.len; i++) {
        a = (a + (unsigned char)c->args[0].s.ptr[i]) % 65521;
        b = (b + a) % 65521;
    }
    snprintf(text, sizeof text, "%u", b << 16 | a);
    es_tcall_return_copy(c, text, strlen(text));
}

static const struct es_tfunction functions[] = {
    {"b64enc", "s", b64enc},       {"b64dec", "s", b64dec},       {"b32enc", "s", b32enc},
    {"b32dec", "s", b32dec},       {"hexdec", "s", hexdec},       {"sha1sum", "s", sha1sum},
    {"sha256sum", "s", sha256sum}, {"sha512sum", "s", sha512sum}, {"adler32sum", "s", adler32sum},
};

const struct es_tfunction_table es_tfunctions_encode = ES_TFUNCTION_TABLE(functions);
