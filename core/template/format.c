/* Reads formats: Sprintf. */
#include <string.h>

#include "core/base/text.h"
#include "core/template/print.h"

#define NUMBER_MAX 1000000

struct format {
    const char *text;
    size_t len, at;
    const struct es_tvalue *values;
    size_t count, next; /* operands */
    bool reordered, good_index, after_index;
    struct es_tverb verb;
};

/* Digits at f->at. False: none, or too many of them, which spoils the rest. */
static bool number(struct format *f, int *ret)
{
    int n = 0;
    size_t from = f->at;

    for (; f->at < f->len && f->text[f->at] >= '0' && f->text[f->at] <= '9'; f->at++) {
        n = n * 10 + (f->text[f->at] - '0');
        if (n > NUMBER_MAX) {
            f->at = f->len;
            return false;
        }
    }
    *ret = n;
    return f->at > from;
}

/* "[3]" chooses the next operand. */
static void operand_index(struct format *f)
{
    int n = 0;

    if (f->at >= f->len || f->text[f->at] != '[')
        return;
    f->reordered = true;
    const char *close = memchr(f->text + f->at, ']', f->len - f->at);
    if (!close) {
        f->good_index = false;
        f->at++;
        return;
    }
    size_t end = (size_t)(close - f->text);
    f->at++;
    bool ok = number(f, &n) && f->at == end && n >= 1 && (size_t)n <= f->count;
    f->at = end + 1;
    if (ok) {
        f->next = (size_t)n - 1;
        f->after_index = true;
    } else {
        f->good_index = false;
    }
}

/* "*": the number is an operand. */
static bool from_operand(struct format *f, int *ret)
{
    bool ok = false;

    f->after_index = false;
    if (f->next >= f->count)
        return false;
    const struct es_tvalue *v = &f->values[f->next++];
    if (es_tvalue_kind(v) == ES_TK_INT)
        ok = v->i >= -NUMBER_MAX && v->i <= NUMBER_MAX;
    else if (es_tvalue_kind(v) == ES_TK_UINT)
        ok = v->u <= NUMBER_MAX;
    if (ok)
        *ret = (int)v->i;
    return ok;
}

static bool star(struct format *f)
{
    if (f->at >= f->len || f->text[f->at] != '*')
        return false;
    f->at++;
    return true;
}

static void flags(struct format *f)
{
    for (; f->at < f->len; f->at++)
        switch (f->text[f->at]) {
        case '#':
            f->verb.sharp = true;
            break;
        case '0':
            f->verb.zero = true;
            break;
        case '+':
            f->verb.plus = true;
            break;
        case '-':
            f->verb.minus = true;
            break;
        case ' ':
            f->verb.space = true;
            break;
        default:
            return;
        }
}

static void width(struct format *f)
{
    operand_index(f);
    if (!star(f)) {
        f->verb.has_width = number(f, &f->verb.width);
        if (f->after_index && f->verb.has_width)
            f->good_index = false;
        return;
    }
    f->verb.has_width = from_operand(f, &f->verb.width);
    if (!f->verb.has_width)
        es_buf_adds(f->verb.out, "%!(BADWIDTH)");
    if (f->verb.width < 0) {
        f->verb.width = -f->verb.width;
        f->verb.minus = true;
        f->verb.zero = false;
    }
}

static void precision(struct format *f)
{
    if (f->at + 1 > f->len || f->at >= f->len || f->text[f->at] != '.')
        return;
    f->at++;
    if (f->after_index)
        f->good_index = false;
    operand_index(f);
    if (!star(f)) {
        f->verb.has_precision = true;
        if (!number(f, &f->verb.precision))
            f->verb.precision = 0;
        return;
    }
    f->verb.has_precision = from_operand(f, &f->verb.precision);
    if (f->verb.precision < 0) {
        f->verb.precision = 0;
        f->verb.has_precision = false;
    }
    if (!f->verb.has_precision)
        es_buf_adds(f->verb.out, "%!(BADPREC)");
}

static void wrong(struct format *f, const char *rune, size_t len, const char *why)
{
    es_buf_adds(f->verb.out, "%!");
    es_buf_add(f->verb.out, rune, len);
    es_buf_adds(f->verb.out, why);
}

static void print(struct format *f, uint32_t verb)
{
    struct es_tverb *v = &f->verb;

    /* Zeros go to the left only. */
    if (v->minus)
        v->zero = false;
    if (verb == 'v' || verb == 'w') {
        v->sharp_v = v->sharp;
        v->plus_v = v->plus;
        v->sharp = v->plus = false;
    }
    es_tverb_print(v, &f->values[f->next++], verb, 0);
}

/* Behind a "%". */
static void directive(struct format *f)
{
    uint32_t verb = 0xFFFD;

    f->verb = (struct es_tverb){.out = f->verb.out};
    f->good_index = true;
    f->after_index = false;
    flags(f);
    width(f);
    precision(f);
    if (!f->after_index)
        operand_index(f);
    if (f->at >= f->len) {
        es_buf_adds(f->verb.out, "%!(NOVERB)");
        return;
    }
    const char *rune = f->text + f->at;
    size_t n = es_utf8_decode(rune, f->len - f->at, &verb);
    f->at += n ? n : 1;
    if (verb == '%')
        es_buf_addc(f->verb.out, '%');
    else if (!f->good_index)
        wrong(f, n ? rune : "\xEF\xBF\xBD", n ? n : 3, "(BADINDEX)");
    else if (f->next >= f->count)
        wrong(f, n ? rune : "\xEF\xBF\xBD", n ? n : 3, "(MISSING)");
    else
        print(f, verb);
}

static void extra(const struct format *f)
{
    struct es_buf *out = f->verb.out;

    es_buf_adds(out, "%!(EXTRA ");
    for (size_t i = f->next; i < f->count; i++) {
        const struct es_tvalue *v = &f->values[i];
        if (i > f->next)
            es_buf_adds(out, ", ");
        if (es_tvalue_kind(v) > ES_TK_NIL) {
            es_buf_adds(out, es_tvalue_type_name(v));
            es_buf_addc(out, '=');
        }
        es_tprint_verb_v(out, v);
    }
    es_buf_addc(out, ')');
}

void es_tprint_format(struct es_buf *out, const char *format, size_t len, const struct es_tvalue *values,
                      size_t count)
{
    struct format f = {.text = format, .len = len, .values = values, .count = count, .verb = {.out = out}};

    while (f.at < len && !es_buf_failed(out)) {
        const char *percent = memchr(format + f.at, '%', len - f.at);
        size_t end = percent ? (size_t)(percent - format) : len;
        es_buf_add(out, format + f.at, end - f.at);
        f.at = end + 1;
        if (percent)
            directive(&f);
    }
    if (!f.reordered && f.next < count)
        extra(&f);
}
