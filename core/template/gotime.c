#include "core/template/gotime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400

const char *const es_tmonth_names[12] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
const char *const es_tweekday_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the Gregorian calendar, for a month from 1 to 12. Years are
 * counted from March, so that the leap day is the last of one. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, struct es_tcivil *c)
{
    int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    c->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c->month = (int)(month < 10 ? month + 3 : month - 9);
    c->year = year + era * 400 + (c->month <= 2);
}

void es_tcivil_of(struct es_tcivil *ret, const struct es_ttime *t)
{
    int64_t shown = t->s + t->offset, days = floor_div(shown, DAY_S), rest = shown - days * DAY_S;

    date_of(days, ret);
    ret->hour = (int)(rest / 3600);
    ret->minute = (int)(rest / 60 % 60);
    ret->second = (int)(rest % 60);
    ret->weekday = (int)(((days + 4) % 7 + 7) % 7);
    ret->yearday = (int)(days - days_of(ret->year, 1, 1)) + 1;
}

int64_t es_tcivil_seconds(const struct es_tcivil *c)
{
    int64_t months = (int64_t)c->month - 1, years = floor_div(months, 12);
    int64_t days = days_of(c->year + years, (int)(months - years * 12) + 1, 1) + c->day - 1;

    return days * DAY_S + (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second;
}

void es_ttime_in(struct es_ttime *t, bool local)
{
    time_t s = (time_t)t->s;
    struct tm tm;

    t->offset = 0;
    snprintf(t->zone, sizeof t->zone, "UTC");
    if (local && localtime_r(&s, &tm)) {
        t->offset = (int32_t)tm.tm_gmtoff;
        snprintf(t->zone, sizeof t->zone, "%s", tm.tm_zone ? tm.tm_zone : "");
    }
}

/* Layouts */

static bool is_digit_at(const char *s, size_t len, size_t at)
{
    return at < len && s[at] >= '0' && s[at] <= '9';
}

static bool has(const char *s, size_t len, size_t at, const char *word)
{
    size_t n = strlen(word);
    return len - at >= n && memcmp(s + at, word, n) == 0;
}

/* "Jan" and "Mon" are elements unless a word goes on behind them. */
static bool word_ends(const char *s, size_t len, size_t at)
{
    return at >= len || s[at] < 'a' || s[at] > 'z';
}

/* ".000" or ",999", and no other digit behind it. */
static size_t fraction_at(const char *s, size_t len, size_t at)
{
    size_t end = at + 1;

    if ((s[at] != '.' && s[at] != ',') || end >= len || (s[end] != '0' && s[end] != '9'))
        return 0;
    while (end < len && s[end] == s[at + 1])
        end++;
    return is_digit_at(s, len, end) ? 0 : end - at;
}

static const struct {
    const char *word;
    enum es_tlayout element;
} elements[] = {
    /* the longer of two that begin alike comes first */
    {"January", ES_TL_MONTH_LONG},
    {"Monday", ES_TL_WEEKDAY_LONG},
    {"MST", ES_TL_ZONE},
    {"002", ES_TL_YEARDAY_ZERO},
    {"01", ES_TL_MONTH_ZERO},
    {"02", ES_TL_DAY_ZERO},
    {"03", ES_TL_HOUR12_ZERO},
    {"04", ES_TL_MINUTE_ZERO},
    {"05", ES_TL_SECOND_ZERO},
    {"06", ES_TL_YEAR},
    {"15", ES_TL_HOUR},
    {"1", ES_TL_MONTH},
    {"2006", ES_TL_YEAR_LONG},
    {"2", ES_TL_DAY},
    {"__2", ES_TL_YEARDAY_SPACE},
    {"_2", ES_TL_DAY_SPACE},
    {"3", ES_TL_HOUR12},
    {"4", ES_TL_MINUTE},
    {"5", ES_TL_SECOND},
    {"PM", ES_TL_PM_UPPER},
    {"pm", ES_TL_PM_LOWER},
    {"-070000", ES_TL_OFFSET},
    {"-07:00:00", ES_TL_OFFSET},
    {"-0700", ES_TL_OFFSET},
    {"-07:00", ES_TL_OFFSET},
    {"-07", ES_TL_OFFSET},
    {"Z070000", ES_TL_OFFSET},
    {"Z07:00:00", ES_TL_OFFSET},
    {"Z0700", ES_TL_OFFSET},
    {"Z07:00", ES_TL_OFFSET},
    {"Z07", ES_TL_OFFSET},
};

static enum es_tlayout element_at(const char *s, size_t len, size_t at, size_t *ret_len)
{
    if (has(s, len, at, "_2006"))
        return ES_TL_TEXT;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (has(s, len, at, elements[i].word)) {
            *ret_len = strlen(elements[i].word);
            return elements[i].element;
        }
    *ret_len = 3;
    if (has(s, len, at, "Jan") && word_ends(s, len, at + 3))
        return ES_TL_MONTH_SHORT;
    if (has(s, len, at, "Mon") && word_ends(s, len, at + 3))
        return ES_TL_WEEKDAY_SHORT;
    *ret_len = fraction_at(s, len, at);
    if (!*ret_len)
        return ES_TL_TEXT;
    return s[at + 1] == '0' ? ES_TL_FRACTION_0 : ES_TL_FRACTION_9;
}

enum es_tlayout es_tlayout_next(const char *layout, size_t len, size_t *at, size_t *ret_from)
{
    for (size_t i = *at; i < len; i++) {
        size_t n = 0;
        enum es_tlayout element = element_at(layout, len, i, &n);
        if (element != ES_TL_TEXT) {
            *ret_from = i;
            *at = i + n;
            return element;
        }
    }
    *ret_from = *at = len;
    return ES_TL_TEXT;
}

/* Formatting */

static void add_offset(struct es_buf *out, int32_t offset, const char *form, size_t len)
{
    int32_t minutes = offset / 60;
    bool colon = memchr(form, ':', len) != NULL;
    char sign = offset < 0 ? '-' : '+';

    if (*form == 'Z' && offset == 0) {
        es_buf_addc(out, 'Z');
        return;
    }
    if (minutes < 0)
        minutes = -minutes;
    es_buf_addf(out, "%c%02d", sign, minutes / 60);
    if (len > 3)
        es_buf_addf(out, "%s%02d", colon ? ":" : "", minutes % 60);
    if (len > 6)
        es_buf_addf(out, "%s%02d", colon ? ":" : "", (offset < 0 ? -offset : offset) % 60);
}

static void add_zone(struct es_buf *out, const struct es_ttime *t)
{
    int32_t minutes = (t->offset < 0 ? -t->offset : t->offset) / 60;

    if (*t->zone) {
        es_buf_adds(out, t->zone);
        return;
    }
    es_buf_addf(out, "%c%02d", t->offset < 0 ? '-' : '+', minutes / 60);
    if (minutes % 60)
        es_buf_addf(out, "%02d", minutes % 60);
}

static void add_fraction(struct es_buf *out, int32_t ns, const char *form, size_t len, bool trim)
{
    char digits[16];
    size_t n = len - 1;

    snprintf(digits, sizeof digits, "%09d", ns);
    if (n > 9) {
        /* what is finer than nanoseconds is zero */
        es_buf_addc(out, *form);
        es_buf_adds(out, digits);
        return;
    }
    while (trim && n > 0 && digits[n - 1] == '0')
        n--;
    if (n == 0)
        return;
    es_buf_addc(out, *form);
    es_buf_add(out, digits, n);
}

static int hour12(int hour)
{
    return hour % 12 ? hour % 12 : 12;
}

static void add_year(struct es_buf *out, int64_t year)
{
    es_buf_addf(out, "%s%04lld", year < 0 ? "-" : "", (long long)(year < 0 ? -year : year));
}

static void add_element(struct es_buf *out, const struct es_ttime *t, const struct es_tcivil *c,
                        enum es_tlayout element, const char *form, size_t len)
{
    switch (element) {
    case ES_TL_MONTH_LONG:
        es_buf_adds(out, es_tmonth_names[c->month - 1]);
        break;
    case ES_TL_MONTH_SHORT:
        es_buf_add(out, es_tmonth_names[c->month - 1], 3);
        break;
    case ES_TL_WEEKDAY_LONG:
        es_buf_adds(out, es_tweekday_names[c->weekday]);
        break;
    case ES_TL_WEEKDAY_SHORT:
        es_buf_add(out, es_tweekday_names[c->weekday], 3);
        break;
    case ES_TL_YEAR_LONG:
        add_year(out, c->year);
        break;
    case ES_TL_YEAR:
        es_buf_addf(out, "%02d", abs((int)(c->year % 100)));
        break;
    case ES_TL_PM_UPPER:
        es_buf_adds(out, c->hour >= 12 ? "PM" : "AM");
        break;
    case ES_TL_PM_LOWER:
        es_buf_adds(out, c->hour >= 12 ? "pm" : "am");
        break;
    case ES_TL_ZONE:
        add_zone(out, t);
        break;
    case ES_TL_OFFSET:
        add_offset(out, t->offset, form, len);
        break;
    case ES_TL_FRACTION_0:
    case ES_TL_FRACTION_9:
        add_fraction(out, t->ns, form, len, element == ES_TL_FRACTION_9);
        break;
    default:
        break;
    }
}

/* Elements that are a number. False: it is none of them. */
static bool add_number(struct es_buf *out, const struct es_tcivil *c, enum es_tlayout element)
{
    const int values[] = {[ES_TL_MONTH] = c->month,
                          [ES_TL_MONTH_ZERO] = c->month,
                          [ES_TL_DAY] = c->day,
                          [ES_TL_DAY_SPACE] = c->day,
                          [ES_TL_DAY_ZERO] = c->day,
                          [ES_TL_YEARDAY_SPACE] = c->yearday,
                          [ES_TL_YEARDAY_ZERO] = c->yearday,
                          [ES_TL_HOUR] = c->hour,
                          [ES_TL_HOUR12] = hour12(c->hour),
                          [ES_TL_HOUR12_ZERO] = hour12(c->hour),
                          [ES_TL_MINUTE] = c->minute,
                          [ES_TL_MINUTE_ZERO] = c->minute,
                          [ES_TL_SECOND] = c->second,
                          [ES_TL_SECOND_ZERO] = c->second};
    bool zero = element == ES_TL_MONTH_ZERO || element == ES_TL_DAY_ZERO || element == ES_TL_HOUR12_ZERO ||
                element == ES_TL_MINUTE_ZERO || element == ES_TL_SECOND_ZERO || element == ES_TL_HOUR;

    if (element < ES_TL_MONTH || element > ES_TL_SECOND_ZERO || element == ES_TL_WEEKDAY_LONG ||
        element == ES_TL_WEEKDAY_SHORT)
        return false;
    if (zero)
        es_buf_addf(out, "%02d", values[element]);
    else if (element == ES_TL_YEARDAY_ZERO)
        es_buf_addf(out, "%03d", values[element]);
    else if (element == ES_TL_DAY_SPACE)
        es_buf_addf(out, "%2d", values[element]);
    else if (element == ES_TL_YEARDAY_SPACE)
        es_buf_addf(out, "%3d", values[element]);
    else
        es_buf_addf(out, "%d", values[element]);
    return true;
}

void es_ttime_format(struct es_buf *out, const struct es_ttime *t, const char *layout, size_t len)
{
    struct es_tcivil c;
    size_t at = 0, from;

    es_tcivil_of(&c, t);
    while (at < len) {
        size_t begin = at;
        enum es_tlayout element = es_tlayout_next(layout, len, &at, &from);
        es_buf_add(out, layout + begin, from - begin);
        if (element != ES_TL_TEXT && !add_number(out, &c, element))
            add_element(out, t, &c, element, layout + from, at - from);
    }
}
