/* Reads a time by a layout. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/template/gotime.h"

struct reading {
    const char *s;
    size_t len, at;
    struct es_tcivil c; /* month, day, yearday: 0 while not given */
    int32_t ns, offset;
    bool pm_set, pm, zone_set;
    char zone[ES_TZONE_MAX];
    const char *why;
};

static bool fail(struct reading *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static bool digit(const struct reading *r, size_t at)
{
    return at < r->len && r->s[at] >= '0' && r->s[at] <= '9';
}

/* Between `least` and `most` digits. */
static bool number(struct reading *r, int least, int most, int *ret)
{
    int n = 0, digits = 0;

    for (; digits < most && digit(r, r->at); digits++)
        n = n * 10 + (r->s[r->at++] - '0');
    *ret = n;
    return digits >= least || fail(r, "a number is missing");
}

static bool in_range(struct reading *r, int n, int from, int to, const char *what)
{
    return (n >= from && n <= to) || fail(r, what);
}

static bool name(struct reading *r, const char *const *names, int count, bool whole, int *ret)
{
    for (int i = 0; i < count; i++) {
        size_t n = whole ? strlen(names[i]) : 3;
        if (r->len - r->at >= n && strncasecmp(r->s + r->at, names[i], n) == 0) {
            r->at += n;
            *ret = i;
            return true;
        }
    }
    return fail(r, "a name is missing");
}

static bool skip(struct reading *r, char c)
{
    if (r->at >= r->len || r->s[r->at] != c)
        return false;
    r->at++;
    return true;
}

static bool fraction(struct reading *r, size_t least, size_t most)
{
    int32_t ns = 0;
    size_t digits = 0;

    r->at++; /* the point */
    for (; digits < most && digit(r, r->at); digits++, r->at++)
        if (digits < 9)
            ns = ns * 10 + (r->s[r->at] - '0');
    for (size_t i = digits; i < 9; i++)
        ns *= 10;
    r->ns = ns;
    return digits >= least || fail(r, "fractional second out of range");
}

static bool at_point(const struct reading *r)
{
    return r->at < r->len && (r->s[r->at] == '.' || r->s[r->at] == ',') && digit(r, r->at + 1);
}

/* "+07:00" by a form such as "-07:00"; "Z" where the form begins with it. */
static bool offset(struct reading *r, const char *form, size_t len)
{
    bool colon = memchr(form, ':', len) != NULL;
    int hours = 0, minutes = 0, seconds = 0;

    r->zone_set = true;
    if (*form == 'Z' && skip(r, 'Z')) {
        memcpy(r->zone, "UTC", 4);
        return true;
    }
    bool minus = r->at < r->len && r->s[r->at] == '-';
    if (!skip(r, '-') && !skip(r, '+'))
        return fail(r, "a time zone is missing");
    if (!number(r, 2, 2, &hours) || !in_range(r, hours, 0, 24, "time zone offset hour out of range"))
        return false;
    if (len > 3 &&
        ((colon && !skip(r, ':') && fail(r, "a time zone is missing")) || !number(r, 2, 2, &minutes)))
        return fail(r, "a time zone is missing");
    if (len > 6 && ((colon && !skip(r, ':')) || !number(r, 2, 2, &seconds)))
        return fail(r, "a time zone is missing");
    if (!in_range(r, minutes, 0, 59, "time zone offset minute out of range"))
        return false;
    r->offset = (hours * 60 + minutes) * 60 + seconds;
    r->offset = minus ? -r->offset : r->offset;
    return true;
}

/* Abbreviations: of no known offset, but for UTC and GMT+n. */
static bool zone(struct reading *r)
{
    size_t n = 0;

    while (r->at + n < r->len && r->s[r->at + n] >= 'A' && r->s[r->at + n] <= 'Z' && n < 5)
        n++;
    if (n < 3)
        return fail(r, "a time zone is missing");
    memcpy(r->zone, r->s + r->at, n);
    r->zone[n] = '\0';
    r->at += n;
    r->zone_set = true;
    return true;
}

static bool year2(struct reading *r)
{
    int n;

    if (!number(r, 2, 2, &n))
        return false;
    r->c.year = n >= 69 ? 1900 + n : 2000 + n;
    return true;
}

static bool year4(struct reading *r)
{
    int n;

    if (!number(r, 4, 4, &n))
        return false;
    r->c.year = n;
    return true;
}

static bool second(struct reading *r, int least, bool fraction_follows)
{
    if (!number(r, least, 2, &r->c.second) || !in_range(r, r->c.second, 0, 59, "second out of range"))
        return false;
    /* A fraction may be there that the layout does not speak of. */
    return fraction_follows || !at_point(r) || fraction(r, 1, 40);
}

static bool pm(struct reading *r, bool upper)
{
    const char *am_pm[] = {upper ? "AM" : "am", upper ? "PM" : "pm"};

    for (int i = 0; i < 2; i++)
        if (r->len - r->at >= 2 && memcmp(r->s + r->at, am_pm[i], 2) == 0) {
            r->at += 2;
            r->pm_set = true;
            r->pm = i == 1;
            return true;
        }
    return fail(r, "AM or PM is missing");
}

static bool hour(struct reading *r, enum es_tlayout element)
{
    int least = element == ES_TL_HOUR12 ? 1 : 2;

    return number(r, least, 2, &r->c.hour) &&
           in_range(r, r->c.hour, 0, element == ES_TL_HOUR ? 23 : 12, "hour out of range");
}

static bool day(struct reading *r, enum es_tlayout element)
{
    if (element == ES_TL_DAY_SPACE)
        skip(r, ' ');
    return number(r, element == ES_TL_DAY_ZERO ? 2 : 1, 2, &r->c.day);
}

static bool yearday(struct reading *r, enum es_tlayout element)
{
    for (int i = 0; element == ES_TL_YEARDAY_SPACE && i < 2; i++)
        skip(r, ' ');
    return number(r, element == ES_TL_YEARDAY_ZERO ? 3 : 1, 3, &r->c.yearday);
}

static bool month(struct reading *r, enum es_tlayout element)
{
    int i = 0;

    if (element == ES_TL_MONTH || element == ES_TL_MONTH_ZERO)
        return number(r, element == ES_TL_MONTH ? 1 : 2, 2, &r->c.month) &&
               in_range(r, r->c.month, 1, 12, "month out of range");
    if (!name(r, es_tmonth_names, 12, element == ES_TL_MONTH_LONG, &i))
        return false;
    r->c.month = i + 1;
    return true;
}

static bool element(struct reading *r, enum es_tlayout e, const char *form, size_t len, bool fraction_follows)
{
    int ignored;

    switch (e) {
    case ES_TL_MONTH_LONG:
    case ES_TL_MONTH_SHORT:
    case ES_TL_MONTH:
    case ES_TL_MONTH_ZERO:
        return month(r, e);
    case ES_TL_WEEKDAY_LONG:
    case ES_TL_WEEKDAY_SHORT:
        return name(r, es_tweekday_names, 7, e == ES_TL_WEEKDAY_LONG, &ignored);
    case ES_TL_DAY:
    case ES_TL_DAY_SPACE:
    case ES_TL_DAY_ZERO:
        return day(r, e);
    case ES_TL_YEARDAY_SPACE:
    case ES_TL_YEARDAY_ZERO:
        return yearday(r, e);
    case ES_TL_HOUR:
    case ES_TL_HOUR12:
    case ES_TL_HOUR12_ZERO:
        return hour(r, e);
    case ES_TL_MINUTE:
    case ES_TL_MINUTE_ZERO:
        return number(r, e == ES_TL_MINUTE ? 1 : 2, 2, &r->c.minute) &&
               in_range(r, r->c.minute, 0, 59, "minute out of range");
    case ES_TL_SECOND:
    case ES_TL_SECOND_ZERO:
        return second(r, e == ES_TL_SECOND ? 1 : 2, fraction_follows);
    case ES_TL_YEAR_LONG:
        return year4(r);
    case ES_TL_YEAR:
        return year2(r);
    case ES_TL_PM_UPPER:
    case ES_TL_PM_LOWER:
        return pm(r, e == ES_TL_PM_UPPER);
    case ES_TL_ZONE:
        return zone(r);
    case ES_TL_OFFSET:
        return offset(r, form, len);
    case ES_TL_FRACTION_0:
        return r->at < r->len && (r->s[r->at] == '.' || r->s[r->at] == ',')
                   ? fraction(r, len - 1, len - 1)
                   : fail(r, "a fraction is missing");
    case ES_TL_FRACTION_9:
        return !at_point(r) || fraction(r, 1, 40);
    default:
        return true;
    }
}

/* Literal text of the layout; runs of spaces fit runs of spaces. */
static bool text(struct reading *r, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        if (s[i] == ' ') {
            if (r->at < r->len && r->s[r->at] != ' ')
                return fail(r, "it does not fit the layout");
            while (i < len && s[i] == ' ')
                i++;
            while (skip(r, ' '))
                ;
            continue;
        }
        if (!skip(r, s[i++]))
            return fail(r, "it does not fit the layout");
    }
    return true;
}

static int days_in(int64_t year, int in_month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return in_month == 2 && leap ? 29 : days[in_month - 1];
}

static bool finish(struct reading *r)
{
    if (r->pm_set && r->pm && r->c.hour < 12)
        r->c.hour += 12;
    else if (r->pm_set && !r->pm && r->c.hour == 12)
        r->c.hour = 0;
    if (r->c.yearday > 0 && r->c.month == 0 && r->c.day == 0) {
        r->c.month = 1;
        r->c.day = r->c.yearday;
        return in_range(r, r->c.yearday, 1, 337 + days_in(r->c.year, 2), "day-of-year out of range");
    }
    if (r->c.month == 0)
        r->c.month = 1;
    if (r->c.day == 0)
        r->c.day = 1;
    return in_range(r, r->c.day, 1, days_in(r->c.year, r->c.month), "day out of range");
}

static void place_locally(struct reading *r, struct es_ttime *t)
{
    struct tm tm = {.tm_year = (int)(r->c.year - 1900),
                    .tm_mon = r->c.month - 1,
                    .tm_mday = r->c.day,
                    .tm_hour = r->c.hour,
                    .tm_min = r->c.minute,
                    .tm_sec = r->c.second,
                    .tm_isdst = -1};

    t->s = mktime(&tm);
    es_ttime_in(t, true);
}

const char *es_ttime_parse(struct es_ttime *ret, const char *layout, size_t layout_len, const char *s,
                           size_t len)
{
    struct reading r = {.s = s, .len = len};
    size_t at = 0, from;

    while (at < layout_len) {
        size_t begin = at;
        enum es_tlayout e = es_tlayout_next(layout, layout_len, &at, &from);
        size_t ahead = at, next_from = 0;
        enum es_tlayout next = es_tlayout_next(layout, layout_len, &ahead, &next_from);
        bool fraction_follows =
            (next == ES_TL_FRACTION_0 || next == ES_TL_FRACTION_9) && next_from == at && at < layout_len;
        if (!text(&r, layout + begin, from - begin) ||
            !element(&r, e, layout + from, at - from, fraction_follows))
            return r.why;
    }
    if (r.at != r.len)
        return "extra text";
    if (!finish(&r))
        return r.why;
    *ret = (struct es_ttime){.ns = r.ns};
    if (!r.zone_set) {
        place_locally(&r, ret);
        return NULL;
    }
    ret->s = es_tcivil_seconds(&r.c) - r.offset;
    ret->offset = r.offset;
    memcpy(ret->zone, r.zone, sizeof r.zone);
    return NULL;
}
