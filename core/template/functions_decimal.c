/* Floats. Sums and products are those of decimal numbers, so that 0.1 and 0.2 make 0.3. */
#include <math.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/template/functions.h"
#include "core/template/text_of.h"

#define BITS_MAX 100000    /* of a number; beyond that a template is no longer about numbers */
#define DIVISION_PLACES 16 /* behind the point, as the reference divides */

/* digits * 10^exponent */
struct decimal {
    BIGNUM *digits;
    int exponent;
};

struct calculation {
    struct es_tcall *call;
    BN_CTX *ctx;
};

static bool failed(struct calculation *k)
{
    es_tcall_nomem(k->call);
    return false;
}

static bool scale(struct calculation *k, BIGNUM *n, int powers)
{
    bool ok = true;

    if (powers > BITS_MAX / 4 || BN_num_bits(n) > BITS_MAX) {
        es_tcall_fail(k->call, "the number has too many digits");
        return false;
    }
    for (; powers >= 18 && ok; powers -= 18)
        ok = BN_mul_word(n, (BN_ULONG)1000000000000000000) == 1;
    for (; powers > 0 && ok; powers--)
        ok = BN_mul_word(n, 10) == 1;
    return ok || failed(k);
}

/* The shortest decimal number that reads back as `f`. */
static bool from_float(struct calculation *k, double f, struct decimal *d)
{
    char text[ES_FLOAT_TEXT_MAX], digits[ES_FLOAT_TEXT_MAX];
    size_t n = 0;
    int exponent = 0;
    bool point = false;

    if (!isfinite(f)) {
        es_tcall_fail(k->call, "Cannot create a Decimal from %s", isnan(f) ? "NaN" : f > 0 ? "+Inf" : "-Inf");
        return false;
    }
    es_float_format(f, 64, 6, text);
    for (const char *p = text; *p; p++) {
        if (*p == 'e') {
            exponent += (int)strtol(p + 1, NULL, 10);
            break;
        }
        if (*p == '.')
            point = true;
        else
            digits[n++] = *p;
        exponent -= point && *p != '.';
    }
    digits[n] = '\0';
    d->exponent = exponent;
    bool ok = BN_dec2bn(&d->digits, digits) > 0;
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(digits, sizeof digits);
    return ok || failed(k);
}

static double to_float(const struct decimal *d)
{
    double f = 0;
    char *digits = BN_bn2dec(d->digits);
    size_t cap = digits ? strlen(digits) + 24 : 0;
    char *text = cap ? malloc(cap) : NULL;

    if (text) {
        snprintf(text, cap, "%se%d", digits, d->exponent);
        f = strtod(text, NULL);
        OPENSSL_cleanse(text, cap);
    }
    free(text);
    if (digits)
        OPENSSL_clear_free(digits, strlen(digits));
    return f;
}

typedef bool operation(struct calculation *k, struct decimal *a, struct decimal *b);

/* Brings both to the same, smaller exponent. */
static bool align(struct calculation *k, struct decimal *a, struct decimal *b)
{
    struct decimal *larger = a->exponent > b->exponent ? a : b;
    int to = a->exponent < b->exponent ? a->exponent : b->exponent;
    int by = larger->exponent - to;

    larger->exponent = to;
    return scale(k, larger->digits, by);
}

static bool add(struct calculation *k, struct decimal *a, struct decimal *b)
{
    return align(k, a, b) && (BN_add(a->digits, a->digits, b->digits) == 1 || failed(k));
}

static bool sub(struct calculation *k, struct decimal *a, struct decimal *b)
{
    return align(k, a, b) && (BN_sub(a->digits, a->digits, b->digits) == 1 || failed(k));
}

static bool mul(struct calculation *k, struct decimal *a, struct decimal *b)
{
    a->exponent += b->exponent;
    return scale(k, a->digits, 0) && (BN_mul(a->digits, a->digits, b->digits, k->ctx) == 1 || failed(k));
}

/* Rounds half away from zero at the last place. */
static bool round_quotient(struct calculation *k, BIGNUM *quotient, BIGNUM *rest, const BIGNUM *divisor,
                           bool negative)
{
    BN_set_negative(rest, 0);
    if (BN_lshift1(rest, rest) != 1)
        return failed(k);
    if (BN_ucmp(rest, divisor) < 0)
        return true;
    return (negative ? BN_sub_word(quotient, 1) : BN_add_word(quotient, 1)) == 1 || failed(k);
}

static bool div_(struct calculation *k, struct decimal *a, struct decimal *b)
{
    int shift = DIVISION_PLACES + a->exponent - b->exponent;
    bool negative = BN_is_negative(a->digits) != BN_is_negative(b->digits);
    BIGNUM *rest = BN_new();
    bool ok = rest != NULL;

    if (BN_is_zero(b->digits)) {
        es_tcall_fail(k->call, "decimal division by 0");
        ok = false;
    }
    ok = ok && (shift >= 0 ? scale(k, a->digits, shift) : scale(k, b->digits, -shift));
    ok = ok && BN_div(a->digits, rest, a->digits, b->digits, k->ctx) == 1 &&
         round_quotient(k, a->digits, rest, b->digits, negative);
    a->exponent = -DIVISION_PLACES;
    BN_clear_free(rest);
    return ok || (k->call->failed ? false : failed(k));
}

/* `first` and then each argument from `from` on. */
static void calculate(struct es_tcall *c, double first, size_t from, operation *run)
{
    struct calculation k = {.call = c, .ctx = BN_CTX_new()};
    struct decimal sum = {0}, next = {0};
    bool ok = k.ctx ? from_float(&k, first, &sum) : failed(&k);

    for (size_t i = from; ok && i < c->count; i++)
        ok = from_float(&k, es_tcall_float_of(&c->args[i]), &next) && run(&k, &sum, &next);
    if (ok)
        c->ret = es_tfloat(to_float(&sum));
    BN_clear_free(sum.digits);
    BN_clear_free(next.digits);
    BN_CTX_free(k.ctx);
}

static void addf(struct es_tcall *c)
{
    calculate(c, 0, 0, add);
}

static void add1f(struct es_tcall *c)
{
    calculate(c, 1, 0, add);
}

static void subf(struct es_tcall *c)
{
    calculate(c, es_tcall_float_of(&c->args[0]), 1, sub);
}

static void mulf(struct es_tcall *c)
{
    calculate(c, es_tcall_float_of(&c->args[0]), 1, mul);
}

static void divf(struct es_tcall *c)
{
    calculate(c, es_tcall_float_of(&c->args[0]), 1, div_);
}

/* What is no number wins. */
static void extreme(struct es_tcall *c, bool most)
{
    double best = es_tcall_float_of(&c->args[0]);

    for (size_t i = 1; i < c->count; i++) {
        double f = es_tcall_float_of(&c->args[i]);
        if (isnan(f) || isnan(best))
            best = NAN;
        else if (most ? f > best : f < best)
            best = f;
    }
    c->ret = es_tfloat(best);
}

static void maxf(struct es_tcall *c)
{
    extreme(c, true);
}

static void minf(struct es_tcall *c)
{
    extreme(c, false);
}

static void ceil_(struct es_tcall *c)
{
    c->ret = es_tfloat(ceil(es_tcall_float_of(&c->args[0])));
}

static void floor_(struct es_tcall *c)
{
    c->ret = es_tfloat(floor(es_tcall_float_of(&c->args[0])));
}

/* round x places [from]: up from that fraction on, otherwise down. */
static void round_(struct es_tcall *c)
{
    double whole, from = c->count > 2 ? c->args[2].f : 0.5;
    double power = pow(10, (double)c->args[1].i), scaled = power * es_tcall_float_of(&c->args[0]);

    c->ret = es_tfloat((modf(scaled, &whole) >= from ? ceil(scaled) : floor(scaled)) / power);
}

static const struct es_tfunction functions[] = {
    {"addf", "a*", addf},   {"add1f", "a", add1f},     {"subf", "aa*", subf}, {"mulf", "aa*", mulf},
    {"divf", "aa*", divf},  {"maxf", "aa*", maxf},     {"minf", "aa*", minf}, {"ceil", "a", ceil_},
    {"floor", "a", floor_}, {"round", "aif*", round_},
};

const struct es_tfunction_table es_tfunctions_decimal = ES_TFUNCTION_TABLE(functions);
