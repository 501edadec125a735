/* Chance: strings, bytes, an order, UUIDs. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/text.h"
#include "core/template/functions.h"

#define COUNT_MAX ((int64_t)1 << 20)

/* A number below `range` (at most 65536), each as likely as the others. */
static bool below(struct es_tcall *c, uint32_t range, uint32_t *ret)
{
    uint32_t n, fair = UINT32_MAX - UINT32_MAX % range;

    do
        if (!es_tcall_random(c, &n, sizeof n))
            return false;
    while (n >= fair);
    *ret = n % range;
    return true;
}

static bool check_count(struct es_tcall *c, int64_t count)
{
    if (count > COUNT_MAX)
        es_tcall_fail(c, "more than %lld characters", (long long)COUNT_MAX);
    return !c->failed;
}

static void from_alphabet(struct es_tcall *c, const char *alphabet)
{
    int64_t count = c->args[0].i;
    struct es_buf out;
    uint32_t n;

    if (!check_count(c, count))
        return;
    es_tcall_buf(&out);
    for (int64_t i = 0; i < count && below(c, (uint32_t)strlen(alphabet), &n); i++)
        es_buf_addc(&out, alphabet[n]);
    es_tcall_return_buf(c, &out);
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static void rand_alpha_num(struct es_tcall *c)
{
    from_alphabet(c, LETTERS "0123456789");
}

static void rand_alpha(struct es_tcall *c)
{
    from_alphabet(c, LETTERS);
}

static void rand_numeric(struct es_tcall *c)
{
    from_alphabet(c, "0123456789");
}

static void rand_ascii(struct es_tcall *c)
{
    from_alphabet(c, " !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~" LETTERS);
}

static void rand_bytes(struct es_tcall *c)
{
    int64_t count = c->args[0].i;
    struct es_buf out;

    if (count < 0)
        es_tcall_fail(c, "runtime error: makeslice: len out of range");
    if (!check_count(c, count))
        return;
    unsigned char *bytes = es_tcall_alloc(c, (size_t)count + 1);
    if (!bytes || !es_tcall_random(c, bytes, (size_t)count))
        return;
    es_tcall_buf(&out);
    es_base64_encode(&out, bytes, (size_t)count);
    es_tcall_return_buf(c, &out);
}

static size_t rune_length(const struct es_tvalue *s, size_t at)
{
    size_t len;

    es_tstring_rune(s, at, &len);
    return len;
}

/* Characters, not bytes, change places. */
static void shuffle(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];
    size_t count = 0;
    struct es_buf out;
    uint32_t n;

    if (!check_count(c, (int64_t)s->s.len))
        return;
    size_t *starts = es_tcall_alloc(c, (s->s.len + 1) * sizeof *starts);
    if (!starts)
        return;
    for (size_t i = 0; i < s->s.len; i += rune_length(s, i))
        starts[count++] = i;
    for (size_t i = count; i > 1 && below(c, (uint32_t)i, &n); i--) {
        size_t other = starts[n];
        starts[n] = starts[i - 1];
        starts[i - 1] = other;
    }
    es_tcall_buf(&out);
    for (size_t i = 0; i < count; i++)
        es_buf_add(&out, s->s.ptr + starts[i], rune_length(s, starts[i]));
    es_tcall_return_buf(c, &out);
}

/* RFC 9562, section 5.4. */
static void uuidv4(struct es_tcall *c)
{
    unsigned char b[16];
    char text[40];
    size_t n = 0;

    if (!es_tcall_random(c, b, sizeof b))
        return;
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof b; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%02x", dash ? "-" : "", b[i]);
    }
    es_tcall_return_copy(c, text, n);
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(b, sizeof b);
}

static const struct es_tfunction functions[] = {
    {"randAlphaNum", "i", rand_alpha_num},
    {"randAlpha", "i", rand_alpha},
    {"randNumeric", "i", rand_numeric},
    {"randAscii", "i", rand_ascii},
    {"randBytes", "i", rand_bytes},
    {"shuffle", "s", shuffle},
    {"uuidv4", "", uuidv4},
};

const struct es_tfunction_table es_tfunctions_random = ES_TFUNCTION_TABLE(functions);
