#include "core/base/codec.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/mem.h"

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void es_base64_encode(struct es_buf *out, const void *data, size_t len)
{
    const unsigned char *p = data;
    char quad[4];

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0u);
        quad[0] = std_alphabet[v >> 18 & 63];
        quad[1] = std_alphabet[v >> 12 & 63];
        quad[2] = n > 1 ? std_alphabet[v >> 6 & 63] : '=';
        quad[3] = n > 2 ? std_alphabet[v & 63] : '=';
        es_buf_add(out, quad, 4);
    }
}

static int digit_of(char c, enum es_base64_alphabet alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (alphabet == ES_BASE64_URL ? '-' : '+'))
        return 62;
    if (c == (alphabet == ES_BASE64_URL ? '_' : '/'))
        return 63;
    return -1;
}

static size_t skip_newlines(const char *text, size_t len, size_t i)
{
    while (i < len && (text[i] == '\n' || text[i] == '\r'))
        i++;
    return i;
}

/* The padding after `have` digits of the last quantum; *i stands behind the
 * first '='. Go points one past the end when padding is missing. */
static bool padding_ok(const char *text, size_t len, size_t have, size_t *i, size_t *bad)
{
    size_t first = *i - 1;

    if (have < 2) {
        *bad = first;
        return false;
    }
    if (have == 2) {
        *i = skip_newlines(text, len, *i);
        if (*i == len) {
            *bad = len;
            return false;
        }
        if (text[*i] != '=') {
            *bad = *i - 1;
            return false;
        }
        (*i)++;
    }
    *i = skip_newlines(text, len, *i);
    if (*i < len) {
        *bad = *i;
        return false;
    }
    return true;
}

static int decode_into(unsigned char *out, size_t *ret_len, enum es_base64_alphabet alphabet,
                       const char *text, size_t len, size_t *bad)
{
    size_t n = 0, have = 0;
    uint32_t acc = 0;

    for (size_t i = 0;;) {
        i = skip_newlines(text, len, i);
        if (i == len)
            break;
        char c = text[i++];
        int d = digit_of(c, alphabet);
        if (d < 0 && c != '=') {
            *bad = i - 1;
            return ES_E_INVALID;
        }
        if (c == '=') {
            if (!padding_ok(text, len, have, &i, bad))
                return ES_E_INVALID;
            out[n++] = (unsigned char)(acc >> (have == 2 ? 4 : 10));
            if (have == 3)
                out[n++] = (unsigned char)(acc >> 2);
            *ret_len = n;
            return 0;
        }
        acc = acc << 6 | (uint32_t)d;
        if (++have == 4) {
            out[n++] = (unsigned char)(acc >> 16);
            out[n++] = (unsigned char)(acc >> 8);
            out[n++] = (unsigned char)acc;
            have = 0;
            acc = 0;
        }
    }
    if (have) { /* Go counts back from the end, newlines or not */
        *bad = len - have;
        return ES_E_INVALID;
    }
    *ret_len = n;
    return 0;
}

int es_base64_decode(struct es_blob *ret, enum es_base64_alphabet alphabet, const char *text, size_t len,
                     size_t *ret_bad)
{
    size_t bad = 0, n = 0;
    unsigned char *out = es_mem_alloc(len / 4 * 3 + 4);

    if (!out)
        return ES_E_NOMEM;
    int rc = decode_into(out, &n, alphabet, text, len, &bad);
    if (rc < 0) {
        es_mem_free(out);
        if (ret_bad)
            *ret_bad = bad;
        return rc;
    }
    out[n] = '\0';
    es_blob_fini(ret);
    *ret = (struct es_blob){.ptr = out, .len = n};
    return 0;
}

void es_hex(char *out, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

static int digest_hex(const EVP_MD *md, char *out, const void *data, size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    if (!md || EVP_Digest(data, len, digest, &n, md, NULL) != 1)
        return ES_E_INTERNAL;
    es_hex(out, digest, n);
    return 0;
}

int es_sha3_224_hex(char out[ES_SHA3_224_HEX_MAX], const void *data, size_t len)
{
    return digest_hex(EVP_sha3_224(), out, data, len);
}

int es_sha256_hex(char out[ES_SHA256_HEX_MAX], const void *data, size_t len)
{
    return digest_hex(EVP_sha256(), out, data, len);
}
