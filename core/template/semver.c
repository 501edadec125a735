/* Source: https://semver.org, and for constraints the documentation of
 * https://github.com/Masterminds/semver. */
#include "core/template/semver.h"

#include <string.h>

#include "core/template/literal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-';
}

/* Identifiers with dots between them, at *at. False: one of them is empty. */
static bool take_idents(const char *s, size_t len, size_t *at, struct es_tvalue *ret)
{
    size_t from = *at;

    for (;;) {
        size_t begin = *at;
        while (*at < len && is_ident(s[*at]))
            ++*at;
        if (*at == begin)
            return false;
        if (*at == len || s[*at] != '.')
            break;
        ++*at;
    }
    *ret = es_tstring(s + from, *at - from);
    return true;
}

/* The next of the identifiers of a pre-release. */
static bool next_ident(const struct es_tvalue *all, size_t *at, struct es_tvalue *ret, bool *ret_number)
{
    size_t from = *at;

    if (from >= all->s.len)
        return false;
    *ret_number = true;
    while (*at < all->s.len && all->s.ptr[*at] != '.') {
        *ret_number = *ret_number && is_digit(all->s.ptr[*at]);
        ++*at;
    }
    *ret = es_tsubstring(all, from, *at);
    ++*at;
    return true;
}

static bool has_leading_zero(const struct es_tvalue *pre)
{
    struct es_tvalue ident;
    size_t at = 0;
    bool number;

    while (next_ident(pre, &at, &ident, &number))
        if (number && ident.s.len > 1 && *ident.s.ptr == '0')
            return true;
    return false;
}

const char *es_semver_parse(struct es_semver *ret, const char *text, size_t len)
{
    size_t at = len && *text == 'v';

    *ret = (struct es_semver){.pre = es_tstring("", 0), .metadata = es_tstring("", 0)};
    for (size_t i = 0; i < 3; i++) {
        size_t from = at + (i > 0), end = from;
        if (i > 0 && (at >= len || text[at] != '.'))
            break;
        while (end < len && is_digit(text[end]))
            end++;
        if (end == from)
            return "invalid semantic version";
        if (!es_go_parse_uint(text + from, end - from, 10, &ret->numbers[i]))
            return "error parsing version segment";
        at = end;
    }
    if (at < len && text[at] == '-' && (++at, !take_idents(text, len, &at, &ret->pre)))
        return "invalid semantic version";
    if (at < len && text[at] == '+' && (++at, !take_idents(text, len, &at, &ret->metadata)))
        return "invalid semantic version";
    if (at != len)
        return "invalid semantic version";
    return has_leading_zero(&ret->pre) ? "version segment starts with 0" : NULL;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Numbers come before words. */
static int compare_idents(const struct es_tvalue *a, bool a_number, const struct es_tvalue *b, bool b_number)
{
    uint64_t x = 0, y = 0;

    if (a_number && b_number) {
        es_go_parse_uint(a->s.ptr, a->s.len, 10, &x);
        es_go_parse_uint(b->s.ptr, b->s.len, 10, &y);
        return compare_numbers(x, y);
    }
    if (a_number != b_number)
        return a_number ? -1 : 1;
    int order = es_tstring_compare(a, b);
    return (order > 0) - (order < 0);
}

static int compare_pre(const struct es_tvalue *a, const struct es_tvalue *b)
{
    size_t at = 0, other_at = 0;
    struct es_tvalue one, other;
    bool number, other_number;

    if (!a->s.len || !b->s.len)
        return (a->s.len == 0) - (b->s.len == 0);
    for (;;) {
        bool have = next_ident(a, &at, &one, &number),
             other_have = next_ident(b, &other_at, &other, &other_number);
        if (!have || !other_have)
            return have - other_have;
        int order = compare_idents(&one, number, &other, other_number);
        if (order)
            return order;
    }
}

int es_semver_compare(const struct es_semver *a, const struct es_semver *b)
{
    for (size_t i = 0; i < 3; i++)
        if (a->numbers[i] != b->numbers[i])
            return compare_numbers(a->numbers[i], b->numbers[i]);
    return compare_pre(&a->pre, &b->pre);
}

/* Constraints */

enum op { OP_EQUAL, OP_NOT, OP_GREATER, OP_LESS, OP_AT_LEAST, OP_AT_MOST, OP_TILDE, OP_CARET };

struct constraint {
    enum op op;
    struct es_semver v;
    size_t given; /* how many of the numbers: the others are "x" or left out */
};

struct reader {
    const char *s;
    size_t len, at;
};

static void skip_spaces(struct reader *r)
{
    while (r->at < r->len && memchr(" \t\r\n\f", r->s[r->at], 5))
        r->at++;
}

static enum op take_op(struct reader *r)
{
    static const struct {
        const char *text;
        enum op op;
    } ops[] = {{">=", OP_AT_LEAST}, {"=>", OP_AT_LEAST}, {"<=", OP_AT_MOST}, {"=<", OP_AT_MOST},
               {"!=", OP_NOT},      {"~>", OP_TILDE},    {">", OP_GREATER},  {"<", OP_LESS},
               {"~", OP_TILDE},     {"^", OP_CARET},     {"=", OP_EQUAL}};

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t n = strlen(ops[i].text);
        if (r->len - r->at >= n && memcmp(r->s + r->at, ops[i].text, n) == 0) {
            r->at += n;
            return ops[i].op;
        }
    }
    return OP_EQUAL;
}

/* A number or an x. False: neither. */
static bool take_number(struct reader *r, uint64_t *ret, bool *ret_any)
{
    size_t from = r->at;

    *ret_any = false;
    if (r->at < r->len && strchr("xX*", r->s[r->at]) && r->s[r->at]) {
        r->at++;
        *ret_any = true;
        return true;
    }
    while (r->at < r->len && is_digit(r->s[r->at]))
        r->at++;
    return r->at > from && es_go_parse_uint(r->s + from, r->at - from, 10, ret);
}

static bool take_version(struct reader *r, struct constraint *c)
{
    bool any, open = false;

    c->v = (struct es_semver){.pre = es_tstring("", 0), .metadata = es_tstring("", 0)};
    c->given = 0;
    if (r->at < r->len && r->s[r->at] == 'v')
        r->at++;
    for (size_t i = 0; i < 3; i++) {
        uint64_t n = 0;
        if (i > 0 && (r->at >= r->len || r->s[r->at] != '.'))
            break;
        r->at += i > 0;
        if (!take_number(r, &n, &any))
            return false;
        open = open || any;
        if (!open) {
            c->v.numbers[i] = n;
            c->given = i + 1;
        }
    }
    if (r->at < r->len && r->s[r->at] == '-' && (r->at++, !take_idents(r->s, r->len, &r->at, &c->v.pre)))
        return false;
    return !(r->at < r->len && r->s[r->at] == '+' &&
             (r->at++, !take_idents(r->s, r->len, &r->at, &c->v.metadata)));
}

static bool same(const struct es_semver *v, const struct constraint *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (v->numbers[i] != c->v.numbers[i])
            return false;
    return true;
}

static bool fits_greater(const struct es_semver *v, const struct constraint *c)
{
    if (c->given == 0 || c->given == 3 || v->numbers[0] != c->v.numbers[0])
        return es_semver_compare(v, &c->v) > 0;
    return c->given == 2 && v->numbers[1] > c->v.numbers[1];
}

static bool fits_at_most(const struct es_semver *v, const struct constraint *c)
{
    if (c->given == 3)
        return es_semver_compare(v, &c->v) <= 0;
    if (v->numbers[0] != c->v.numbers[0])
        return v->numbers[0] < c->v.numbers[0];
    return c->given < 2 ? c->given == 1 || v->numbers[1] == 0 : v->numbers[1] <= c->v.numbers[1];
}

static bool fits_tilde(const struct es_semver *v, const struct constraint *c)
{
    if (es_semver_compare(v, &c->v) < 0)
        return false;
    if (c->given == 0 || (c->given == 3 && same(&(struct es_semver){0}, c, 3)))
        return true;
    return same(v, c, c->given == 1 ? 1 : 2);
}

static bool fits_caret(const struct es_semver *v, const struct constraint *c)
{
    if (es_semver_compare(v, &c->v) < 0)
        return false;
    if (c->v.numbers[0] > 0 || c->given == 1)
        return same(v, c, 1);
    if (v->numbers[0] > 0)
        return false;
    if (c->v.numbers[1] > 0 || c->given == 2)
        return same(v, c, 2);
    return same(v, c, 3);
}

static bool fits_not(const struct es_semver *v, const struct constraint *c)
{
    if (c->given == 3 || c->given == 0)
        return es_semver_compare(v, &c->v) != 0;
    if (!same(v, c, c->given))
        return true;
    return c->given == 2 && (v->pre.s.len || c->v.pre.s.len) && compare_pre(&v->pre, &c->v.pre) != 0;
}

static bool fits(const struct es_semver *v, const struct constraint *c)
{
    switch (c->op) {
    case OP_NOT:
        return fits_not(v, c);
    case OP_GREATER:
        return fits_greater(v, c);
    case OP_LESS:
        return es_semver_compare(v, &c->v) < 0;
    case OP_AT_LEAST:
        return es_semver_compare(v, &c->v) >= 0;
    case OP_AT_MOST:
        return fits_at_most(v, c);
    case OP_TILDE:
        return fits_tilde(v, c);
    case OP_CARET:
        return fits_caret(v, c);
    default:
        return c->given == 3 ? es_semver_compare(v, &c->v) == 0 : fits_tilde(v, c);
    }
}

/* "1.2 - 1.4": behind the first version. */
static bool take_hyphen(struct reader *r)
{
    struct reader ahead = *r;

    skip_spaces(&ahead);
    if (ahead.at == r->at || ahead.len - ahead.at < 2 || ahead.s[ahead.at] != '-')
        return false;
    size_t behind = ++ahead.at;
    skip_spaces(&ahead);
    if (ahead.at == behind)
        return false;
    *r = ahead;
    return true;
}

/* All constraints up to "||". 1, 0, -1 as es_semver_fits; a pre-release fits only where
 * one of them names one. */
static int fits_all(struct reader *r, const struct es_semver *v)
{
    struct constraint c;
    bool all = true, names_pre = false;

    for (;;) {
        skip_spaces(r);
        size_t begin = r->at;
        c.op = take_op(r);
        bool bare = r->at == begin;
        skip_spaces(r);
        if (!take_version(r, &c))
            return -1;
        if (bare && take_hyphen(r)) {
            c.op = OP_AT_LEAST;
            names_pre |= c.v.pre.s.len > 0;
            all = fits(v, &c) && all;
            if (!take_version(r, &c))
                return -1;
            c.op = OP_AT_MOST;
        }
        names_pre |= c.v.pre.s.len > 0;
        all = fits(v, &c) && all;
        size_t end = r->at;
        skip_spaces(r);
        if (r->at >= r->len || r->s[r->at] == '|')
            break;
        if (r->s[r->at] == ',')
            r->at++;
        else if (r->at == end)
            return -1;
    }
    return all && (names_pre || !v->pre.s.len);
}

int es_semver_fits(const char *constraint, size_t len, const struct es_semver *v)
{
    struct reader r = {constraint, len, 0};
    bool any = false;

    for (;;) {
        int rc = fits_all(&r, v);
        if (rc < 0)
            return -1;
        any = any || rc == 1;
        if (r.at >= r.len)
            return any;
        if (r.len - r.at < 2 || memcmp(r.s + r.at, "||", 2) != 0)
            return -1;
        r.at += 2;
    }
}
