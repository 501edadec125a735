#include "core/template/duration.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000u

/* digits.fraction with trailing zeros left out; `places` digits of fraction. */
static char *fraction(char *end, uint64_t *value, int places)
{
    bool any = false;

    for (int i = 0; i < places; i++, *value /= 10) {
        unsigned digit = (unsigned)(*value % 10);
        any = any || digit;
        if (any)
            *--end = (char)('0' + digit);
    }
    if (any)
        *--end = '.';
    return end;
}

static char *whole(char *end, uint64_t value)
{
    do
        *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}

/* Below a second in the unit that leaves one to three digits. */
static char *small(char *p, uint64_t ns)
{
    *--p = 's';
    if (ns == 0) {
        *--p = '0';
        return p;
    }
    int places = ns < 1000 ? 0 : ns < 1000000 ? 3 : 6;
    *--p = places == 0 ? 'n' : places == 3 ? '\xB5' : 'm';
    if (places == 3)
        *--p = '\xC2'; /* "µ" in UTF-8 */
    p = fraction(p, &ns, places);
    return whole(p, ns);
}

char *es_tduration_text(int64_t ns, char out[ES_TDURATION_TEXT_MAX])
{
    char text[ES_TDURATION_TEXT_MAX], *end = text + sizeof text, *p = end;
    uint64_t n = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    if (n < NS_PER_S) {
        p = small(p, n);
    } else {
        *--p = 's';
        p = fraction(p, &n, 9);
        p = whole(p, n % 60);
        n /= 60;
        if (n) {
            *--p = 'm';
            p = whole(p, n % 60);
            n /= 60;
        }
        if (n) {
            *--p = 'h';
            p = whole(p, n);
        }
    }
    if (ns < 0)
        *--p = '-';
    memcpy(out, p, (size_t)(end - p));
    out[end - p] = '\0';
    return out;
}

static bool unit_of(const char *text, size_t len, size_t *ret_len, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1},       {"us", 1000},    {"\xC2\xB5s", 1000},     {"\xCE\xBCs", 1000},
                 {"ms", 1000000}, {"s", NS_PER_S}, {"m", 60ull * NS_PER_S}, {"h", 3600ull * NS_PER_S}};
    size_t n = 0;

    while (n < len && text[n] != '.' && !(text[n] >= '0' && text[n] <= '9'))
        n++;
    *ret_len = n;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == n && memcmp(units[i].name, text, n) == 0) {
            *ret = units[i].ns;
            return true;
        }
    return false;
}

/* "1.5h" at text + *at; adds to *sum. */
static bool part(const char *text, size_t len, size_t *at, uint64_t *sum)
{
    uint64_t value = 0, unit, fraction_value = 0;
    double scale = 1;
    size_t digits = 0, unit_len;

    for (; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at, digits++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[*at] - '0'), &value))
            return false;
    if (*at < len && text[*at] == '.')
        for (++*at; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at, digits++)
            if (fraction_value < UINT64_MAX / 20) {
                fraction_value = fraction_value * 10 + (uint64_t)(text[*at] - '0');
                scale *= 10;
            }
    if (!digits || !unit_of(text + *at, len - *at, &unit_len, &unit))
        return false;
    *at += unit_len;
    return !__builtin_mul_overflow(value, unit, &value) &&
           !__builtin_add_overflow(value, (uint64_t)((double)fraction_value * ((double)unit / scale)),
                                   &value) &&
           !__builtin_add_overflow(*sum, value, sum) && *sum <= (uint64_t)INT64_MAX + 1;
}

bool es_tduration_parse(const char *text, size_t len, int64_t *ret_ns)
{
    size_t at = len && (*text == '-' || *text == '+');
    bool negative = len && *text == '-';
    uint64_t sum = 0;

    if (len - at == 1 && text[at] == '0') {
        *ret_ns = 0;
        return true;
    }
    if (at == len)
        return false;
    while (at < len)
        if (!part(text, len, &at, &sum))
            return false;
    if (!negative && sum > (uint64_t)INT64_MAX)
        return false;
    *ret_ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool es_tnamed_int_text(const struct es_tvalue *v, char out[ES_TDURATION_TEXT_MAX])
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

    if (v->type == ES_T_DURATION)
        es_tduration_text(v->i, out);
    else if (v->type == ES_T_MONTH && v->i >= 1 && v->i <= 12)
        snprintf(out, ES_TDURATION_TEXT_MAX, "%s", months[v->i - 1]);
    else if (v->type == ES_T_WEEKDAY && v->i >= 0 && v->i <= 6)
        snprintf(out, ES_TDURATION_TEXT_MAX, "%s", days[v->i]);
    else
        return false;
    return true;
}

static const struct {
    const char *name;
    int64_t ns;
    bool is_float;
} methods[] = {
    {"Hours", 3600 * (int64_t)NS_PER_S, true},
    {"Minutes", 60 * (int64_t)NS_PER_S, true},
    {"Seconds", NS_PER_S, true},
    {"Milliseconds", 1000000, false},
    {"Microseconds", 1000, false},
    {"Nanoseconds", 1, false},
};

bool es_tduration_method(struct es_tcall *c, const struct es_tvalue *v, const char *name, size_t len,
                         bool *ret_is_method)
{
    char text[ES_TDURATION_TEXT_MAX];

    *ret_is_method = true;
    if (es_tnamed_int_text(v, text) && len == 6 && memcmp(name, "String", 6) == 0) {
        es_tcall_return_copy(c, text, strlen(text));
        return true;
    }
    for (size_t i = 0; v->type == ES_T_DURATION && i < sizeof methods / sizeof *methods; i++) {
        if (strlen(methods[i].name) != len || memcmp(methods[i].name, name, len) != 0)
            continue;
        int64_t whole_units = v->i / methods[i].ns, rest = v->i % methods[i].ns;
        c->ret = methods[i].is_float ? es_tfloat((double)whole_units + (double)rest / (double)methods[i].ns)
                                     : es_tint64(whole_units);
        return true;
    }
    return false;
}
