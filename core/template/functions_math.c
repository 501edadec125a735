/* Whole numbers, and the casts. What is no number counts as 0. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/template/functions.h"
#include "core/template/literal.h"
#include "core/template/print.h"
#include "core/template/text_of.h"

/* Casts */

/* As the processor converts: what does not fit is the smallest number. */
static int64_t int_of_float(double f)
{
    return f >= -0x1p63 && f < 0x1p63 ? (int64_t)f : INT64_MIN;
}

/* "12.75" counts as "12", ".5" as "0"; anything else stays for the parser. */
static size_t without_decimals(const char *s, size_t len)
{
    size_t i = len && (*s == '-' || *s == '+'), dot;

    while (i < len && s[i] >= '0' && s[i] <= '9')
        i++;
    if (i == len || s[i] != '.')
        return len;
    dot = i++;
    while (i < len && s[i] >= '0' && s[i] <= '9')
        i++;
    return i == len ? dot : len;
}

static int64_t int_of_text(const struct es_tvalue *v)
{
    int64_t n = 0;
    size_t len = without_decimals(v->s.ptr, v->s.len);
    return es_go_parse_int(v->s.ptr, len, 0, &n) ? n : 0;
}

int64_t es_tcall_int_of(const struct es_tvalue *v)
{
    switch (es_tvalue_kind(v)) {
    case ES_TK_BOOL:
        return v->b;
    case ES_TK_INT:
    case ES_TK_UINT:
        return v->i;
    case ES_TK_FLOAT:
        return int_of_float(v->f);
    case ES_TK_STRING:
        return int_of_text(v);
    default:
        return 0;
    }
}

double es_tcall_float_of(const struct es_tvalue *v)
{
    double f = 0;

    switch (es_tvalue_kind(v)) {
    case ES_TK_BOOL:
        return v->b;
    case ES_TK_INT:
        return (double)v->i;
    case ES_TK_UINT:
        return (double)v->u;
    case ES_TK_FLOAT:
        return v->f;
    case ES_TK_STRING:
        return es_go_parse_float(v->s.ptr, v->s.len, &f) ? f : 0;
    default:
        return 0;
    }
}

static void to_int(struct es_tcall *c)
{
    c->ret = es_tint(es_tcall_int_of(&c->args[0]));
}

static void to_int64(struct es_tcall *c)
{
    c->ret = es_tint64(es_tcall_int_of(&c->args[0]));
}

static void to_float64(struct es_tcall *c)
{
    c->ret = es_tfloat(es_tcall_float_of(&c->args[0]));
}

static void atoi_(struct es_tcall *c)
{
    int64_t n = 0;

    /* What is too large stays as large as can be, as Go's Atoi has it. */
    es_go_parse_int(c->args[0].s.ptr, c->args[0].s.len, 10, &n);
    c->ret = es_tint(n);
}

/* From the text of an octal number. */
static void to_decimal(struct es_tcall *c)
{
    struct es_buf text;
    int64_t n = 0;

    es_tcall_buf(&text);
    es_tprint_verb_v(&text, &c->args[0]);
    c->ret = es_tint64(es_go_parse_int(es_buf_str(&text), text.len, 8, &n) ? n : 0);
    es_buf_fini(&text);
}

/* Arithmetic, which wraps around as Go's does */

static void add(struct es_tcall *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < c->count; i++)
        sum += (uint64_t)es_tcall_int_of(&c->args[i]);
    c->ret = es_tint64((int64_t)sum);
}

static void add1(struct es_tcall *c)
{
    c->ret = es_tint64((int64_t)((uint64_t)es_tcall_int_of(&c->args[0]) + 1));
}

static void sub(struct es_tcall *c)
{
    c->ret =
        es_tint64((int64_t)((uint64_t)es_tcall_int_of(&c->args[0]) - (uint64_t)es_tcall_int_of(&c->args[1])));
}

static void mul(struct es_tcall *c)
{
    uint64_t product = (uint64_t)es_tcall_int_of(&c->args[0]);

    for (size_t i = 1; i < c->count; i++)
        product *= (uint64_t)es_tcall_int_of(&c->args[i]);
    c->ret = es_tint64((int64_t)product);
}

static bool operands(struct es_tcall *c, int64_t *a, int64_t *b)
{
    *a = es_tcall_int_of(&c->args[0]);
    *b = es_tcall_int_of(&c->args[1]);
    if (*b == 0)
        es_tcall_fail(c, "runtime error: integer divide by zero");
    return *b != 0;
}

static void div_(struct es_tcall *c)
{
    int64_t a, b;

    if (operands(c, &a, &b))
        c->ret = es_tint64(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
}

static void mod(struct es_tcall *c)
{
    int64_t a, b;

    if (operands(c, &a, &b))
        c->ret = es_tint64(b == -1 ? 0 : a % b);
}

static void max(struct es_tcall *c)
{
    int64_t most = es_tcall_int_of(&c->args[0]);

    for (size_t i = 1; i < c->count; i++) {
        int64_t n = es_tcall_int_of(&c->args[i]);
        most = n > most ? n : most;
    }
    c->ret = es_tint64(most);
}

static void min(struct es_tcall *c)
{
    int64_t least = es_tcall_int_of(&c->args[0]);

    for (size_t i = 1; i < c->count; i++) {
        int64_t n = es_tcall_int_of(&c->args[i]);
        least = n < least ? n : least;
    }
    c->ret = es_tint64(least);
}

/* [from, to), each as likely as the others. */
static void rand_int(struct es_tcall *c)
{
    int64_t from = c->args[0].i, to = c->args[1].i;
    uint64_t range = (uint64_t)to - (uint64_t)from, n;

    if (to <= from) {
        es_tcall_fail(c, "invalid argument to Intn");
        return;
    }
    do {
        if (!es_tcall_random(c, &n, sizeof n))
            return;
    } while (n >= UINT64_MAX - UINT64_MAX % range);
    c->ret = es_tint((int64_t)((uint64_t)from + n % range));
}

/* Rows of numbers */

static size_t row_length(int64_t start, int64_t stop, int64_t step)
{
    if (stop < start ? step >= 0 : step <= 0)
        return 0;
    uint64_t distance = stop < start ? (uint64_t)start - (uint64_t)stop : (uint64_t)stop - (uint64_t)start;
    uint64_t size = stop < start ? 0 - (uint64_t)step : (uint64_t)step;
    uint64_t count = distance / size + (distance % size != 0);
    return count < SIZE_MAX / 64 ? (size_t)count : SIZE_MAX / 64;
}

static struct es_tlist *row(struct es_tcall *c, int64_t start, int64_t stop, int64_t step)
{
    size_t count = row_length(start, stop, step);
    struct es_tlist *list = es_tcall_list(c, count);

    for (size_t i = 0; list && i < count; i++)
        list->items[i] = es_tint((int64_t)((uint64_t)start + (uint64_t)step * i));
    return list;
}

static void until(struct es_tcall *c)
{
    es_tcall_return_list(c, ES_T_LIST_INT, row(c, 0, c->args[0].i, c->args[0].i < 0 ? -1 : 1));
}

static void until_step(struct es_tcall *c)
{
    es_tcall_return_list(c, ES_T_LIST_INT, row(c, c->args[0].i, c->args[1].i, c->args[2].i));
}

/* seq LAST, seq FIRST LAST, seq FIRST STEP LAST: with the last, as text. */
static void seq(struct es_tcall *c)
{
    int64_t start = 1, end, step, one;

    es_tcall_return_text(c, "");
    if (c->count < 1 || c->count > 3)
        return;
    end = c->args[c->count - 1].i;
    if (c->count > 1)
        start = c->args[0].i;
    one = end < start ? -1 : 1;
    step = c->count == 3 ? c->args[1].i : one;
    if (c->count == 3 && end < start && step > 0)
        return;
    struct es_tlist *list = row(c, start, (int64_t)((uint64_t)end + (uint64_t)one), step);
    struct es_buf out;
    es_tcall_buf(&out);
    for (size_t i = 0; list && i < list->count; i++)
        es_buf_addf(&out, "%s%lld", i ? " " : "", (long long)list->items[i].i);
    es_tcall_return_buf(c, &out);
}

static const struct es_tfunction functions[] = {
    {"int", "a", to_int},
    {"int64", "a", to_int64},
    {"float64", "a", to_float64},
    {"atoi", "s", atoi_},
    {"toDecimal", "a", to_decimal},
    {"add", "a*", add},
    {"add1", "a", add1},
    {"sub", "aa", sub},
    {"mul", "aa*", mul},
    {"div", "aa", div_},
    {"mod", "aa", mod},
    {"max", "aa*", max},
    {"biggest", "aa*", max},
    {"min", "aa*", min},
    {"randInt", "ii", rand_int},
    {"until", "i", until},
    {"untilStep", "iii", until_step},
    {"seq", "i*", seq},
};

const struct es_tfunction_table es_tfunctions_math = ES_TFUNCTION_TABLE(functions);
