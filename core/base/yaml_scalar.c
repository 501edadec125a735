#include "core/base/yaml_scalar.h"
#include "core/base/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

/* Longer runs of digits than any double has are left as text. */
#define NUMBER_MAX 512

static const struct word {
    const char *text;
    enum es_scalar_kind kind;
    bool truth;
    double real;
} words[] = {
    {"y", ES_SCALAR_BOOL, true, 0},
    {"Y", ES_SCALAR_BOOL, true, 0},
    {"yes", ES_SCALAR_BOOL, true, 0},
    {"Yes", ES_SCALAR_BOOL, true, 0},
    {"YES", ES_SCALAR_BOOL, true, 0},
    {"true", ES_SCALAR_BOOL, true, 0},
    {"True", ES_SCALAR_BOOL, true, 0},
    {"TRUE", ES_SCALAR_BOOL, true, 0},
    {"on", ES_SCALAR_BOOL, true, 0},
    {"On", ES_SCALAR_BOOL, true, 0},
    {"ON", ES_SCALAR_BOOL, true, 0},
    {"n", ES_SCALAR_BOOL, false, 0},
    {"N", ES_SCALAR_BOOL, false, 0},
    {"no", ES_SCALAR_BOOL, false, 0},
    {"No", ES_SCALAR_BOOL, false, 0},
    {"NO", ES_SCALAR_BOOL, false, 0},
    {"false", ES_SCALAR_BOOL, false, 0},
    {"False", ES_SCALAR_BOOL, false, 0},
    {"FALSE", ES_SCALAR_BOOL, false, 0},
    {"off", ES_SCALAR_BOOL, false, 0},
    {"Off", ES_SCALAR_BOOL, false, 0},
    {"OFF", ES_SCALAR_BOOL, false, 0},
    {"", ES_SCALAR_NULL, false, 0},
    {"~", ES_SCALAR_NULL, false, 0},
    {"null", ES_SCALAR_NULL, false, 0},
    {"Null", ES_SCALAR_NULL, false, 0},
    {"NULL", ES_SCALAR_NULL, false, 0},
    {".nan", ES_SCALAR_FLOAT, false, NAN},
    {".NaN", ES_SCALAR_FLOAT, false, NAN},
    {".NAN", ES_SCALAR_FLOAT, false, NAN},
    {".inf", ES_SCALAR_FLOAT, false, INFINITY},
    {".Inf", ES_SCALAR_FLOAT, false, INFINITY},
    {".INF", ES_SCALAR_FLOAT, false, INFINITY},
    {"+.inf", ES_SCALAR_FLOAT, false, INFINITY},
    {"+.Inf", ES_SCALAR_FLOAT, false, INFINITY},
    {"+.INF", ES_SCALAR_FLOAT, false, INFINITY},
    {"-.inf", ES_SCALAR_FLOAT, false, -INFINITY},
    {"-.Inf", ES_SCALAR_FLOAT, false, -INFINITY},
    {"-.INF", ES_SCALAR_FLOAT, false, -INFINITY},
};

static bool resolve_word(struct es_scalar *s)
{
    if (s->len > 5)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].text) == s->len && memcmp(words[i].text, s->text, s->len) == 0) {
            s->kind = words[i].kind;
            s->truth = words[i].truth;
            s->real = words[i].real;
            return true;
        }
    return false;
}

static int base_of(const char **p)
{
    const char *s = *p;

    if (s[0] != '0' || !s[1])
        return 10;
    int base = 8;
    if (s[2])
        base = s[1] == 'x' || s[1] == 'X'   ? 16
               : s[1] == 'b' || s[1] == 'B' ? 2
               : s[1] == 'o' || s[1] == 'O' ? -8
                                            : 8;
    *p += base == 8 ? 1 : 2;
    return base < 0 ? 8 : base;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Go's strconv.ParseInt and ParseUint with base 0, without underscores. */
static bool resolve_integer(struct es_scalar *s, const char *p)
{
    bool negative = *p == '-', has_sign = *p == '-' || *p == '+';
    uint64_t value = 0;

    p += has_sign;
    int base = base_of(&p);
    if (!*p)
        return false;
    for (; *p; p++) {
        int digit = digit_value(*p);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    if (value <= (uint64_t)INT64_MAX + negative) {
        s->kind = ES_SCALAR_INT;
        s->integer = (int64_t)(negative ? 0 - value : value);
        return true;
    }
    if (has_sign)
        return false;
    s->kind = ES_SCALAR_UINT;
    s->real = (double)value;
    return true;
}

static size_t count_digits(const char *p)
{
    return strspn(p, "0123456789");
}

/* [-+]? ( .D+ | D+ (. D*)? ) ( [eE] [-+]? D+ )?; too large for a double is text. */
static bool resolve_float(struct es_scalar *s, const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');
    size_t whole = count_digits(p), part = 0;

    p += whole;
    if (*p == '.') {
        part = count_digits(++p);
        p += part;
    }
    if (!whole && !part)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        size_t digits = count_digits(p);
        if (!digits)
            return false;
        p += digits;
    }
    if (*p)
        return false;
    double value = strtod(text, NULL);
    if (isinf(value))
        return false;
    s->kind = ES_SCALAR_FLOAT;
    s->real = value;
    return true;
}

static bool resolve_number(struct es_scalar *s)
{
    char plain[NUMBER_MAX + 1];
    size_t n = 0;
    bool dot = s->len && s->text[0] == '.';

    if (!s->len || s->len > NUMBER_MAX || !strchr("0123456789+-.", s->text[0]))
        return false;
    for (size_t i = 0; i < s->len; i++) {
        if (!s->text[i])
            return false;
        if (s->text[i] != '_' || dot)
            plain[n++] = s->text[i];
    }
    plain[n] = '\0';
    return (!dot && resolve_integer(s, plain)) || resolve_float(s, plain);
}

/* Makes the kind found agree with the tag given. */
static const char *check_tag(struct es_scalar *s, const char *tag)
{
    if (strcmp(tag, "null") == 0)
        return s->kind == ES_SCALAR_NULL ? NULL : "a value tagged !!null is not null";
    if (strcmp(tag, "bool") == 0)
        return s->kind == ES_SCALAR_BOOL ? NULL : "a value tagged !!bool is not a boolean";
    if (strcmp(tag, "int") == 0)
        return s->kind == ES_SCALAR_INT || s->kind == ES_SCALAR_UINT
                   ? NULL
                   : "a value tagged !!int is not an integer";
    if (s->kind == ES_SCALAR_INT) {
        s->kind = ES_SCALAR_FLOAT;
        s->real = (double)s->integer;
    }
    return s->kind == ES_SCALAR_FLOAT || s->kind == ES_SCALAR_UINT ? NULL
                                                                   : "a value tagged !!float is not a number";
}

const char *es_scalar_resolve(struct es_scalar *ret, const char *tag, bool plain, const char *text,
                              size_t len)
{
    static const char *const typed[] = {"null", "bool", "int", "float"};
    bool known = false;

    *ret = (struct es_scalar){.kind = ES_SCALAR_STRING, .text = text, .len = len};
    if (tag && es_str_starts(tag, TAG_PREFIX)) {
        tag += strlen(TAG_PREFIX);
        if (strcmp(tag, "binary") == 0) {
            ret->kind = ES_SCALAR_BINARY;
            return NULL;
        }
        for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
            known |= strcmp(tag, typed[i]) == 0;
    }
    /* !!str, !!timestamp, and tags that only their inventor knows: text. */
    if (tag ? !known : !plain)
        return NULL;
    if (!resolve_word(ret))
        resolve_number(ret);
    return known ? check_tag(ret, tag) : NULL;
}

static json_t *binary_json(const struct es_scalar *s, const char **ret_why)
{
    struct es_blob blob = {0};
    json_t *text = NULL;
    int rc = es_base64_decode(&blob, ES_BASE64_STD, s->text, s->len, NULL);

    if (rc == 0 && es_utf8_valid((const char *)blob.ptr, blob.len))
        text = json_stringn_nocheck((const char *)blob.ptr, blob.len);
    else if (rc == 0)
        *ret_why = "a !!binary value is not UTF-8 text, which JSON cannot carry";
    else if (rc != ES_E_NOMEM)
        *ret_why = "a !!binary value is not base64";
    es_blob_fini(&blob);
    return text;
}

json_t *es_scalar_json(const struct es_scalar *s, const char **ret_why)
{
    *ret_why = NULL;
    switch (s->kind) {
    case ES_SCALAR_NULL:
        return json_null();
    case ES_SCALAR_BOOL:
        return json_boolean(s->truth);
    case ES_SCALAR_INT:
        return json_integer(s->integer);
    case ES_SCALAR_BINARY:
        return binary_json(s, ret_why);
    case ES_SCALAR_STRING:
        return json_stringn_nocheck(s->text, s->len);
    case ES_SCALAR_UINT:
    case ES_SCALAR_FLOAT:
        break;
    }
    if (!isfinite(s->real)) {
        *ret_why = "JSON has no infinity and no not-a-number";
        return NULL;
    }
    return es_scalar_number(s->real);
}

json_t *es_scalar_number(double v)
{
    char text[ES_FLOAT_TEXT_MAX];
    int64_t whole;

    if (es_parse_i64(es_float_format(v, 64, 21, text), &whole) == 0)
        return json_integer(whole);
    return json_real(v);
}

char *es_scalar_key(const struct es_scalar *s, const char **ret_why)
{
    char number[ES_FLOAT_TEXT_MAX];

    *ret_why = NULL;
    switch (s->kind) {
    case ES_SCALAR_BOOL:
        return es_mem_strdup(s->truth ? "true" : "false");
    case ES_SCALAR_INT:
        return es_strf("%lld", (long long)s->integer);
    case ES_SCALAR_FLOAT:
        if (isnan(s->real) || isinf(s->real))
            return es_mem_strdup(isnan(s->real) ? ".nan" : s->real > 0 ? ".inf" : "-.inf");
        /* Kubernetes' library prints float keys in single precision. */
        return es_mem_strdup(es_float_format(s->real, 32, 6, number));
    case ES_SCALAR_STRING: {
        if (memchr(s->text, 0, s->len)) {
            *ret_why = "a mapping key holds a NUL";
            return NULL;
        }
        return es_strf("%.*s", (int)s->len, s->text);
    }
    case ES_SCALAR_NULL:
    case ES_SCALAR_UINT:
    case ES_SCALAR_BINARY:
        break;
    }
    *ret_why = "a mapping key is null, binary or too large a number";
    return NULL;
}

/* Everything that is a number, a base-60 number or a date in some dialect. */
static bool looks_numeric(const char *p)
{
    size_t year = count_digits(p);

    if (year == 4 && p[4] == '-')
        return true;
    p += *p == '-' || *p == '+';
    if (p[0] == '0' && p[1] && strchr("xXoObB", p[1]))
        return strspn(p + 2, "0123456789abcdefABCDEF_+-") == strlen(p + 2);
    p += strspn(p, "0123456789_:");
    if (*p == '.')
        p++;
    p += strspn(p, "0123456789_");
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        p += strspn(p, "0123456789_");
    }
    return !*p;
}

bool es_yaml_is_text(const char *text, size_t len)
{
    struct es_scalar s;
    return !es_scalar_resolve(&s, NULL, true, text, len) && s.kind == ES_SCALAR_STRING;
}

bool es_scalar_is_special(const char *text, size_t len)
{
    static const char *const other[] = {"<<", "=", ".nan", ".inf", "-.inf", "+.inf"};

    if (memchr(text, 0, len))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(words[i].text, text) == 0)
            return true;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcasecmp(other[i], text) == 0)
            return true;
    return strchr("0123456789+-.", text[0]) && looks_numeric(text);
}
