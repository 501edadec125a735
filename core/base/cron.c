#include "core/base/cron.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define DAY_S INT64_C(86400)
#define YEARS_AHEAD 5

/* Longer schedules than this are refused; the longest sensible one, all
 * values of all fields spelled out, is shorter. */
#define TEXT_MAX 1024

struct field {
    int min, max;
    const char *const *names; /* of min, min + 1, ...; NULL at the end */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct field fields[FIELDS] = {
    [MINUTE] = {0, 59, NULL},       [HOUR] = {0, 23, NULL},        [DAY] = {1, 31, NULL},
    [MONTH] = {1, 12, month_names}, [WEEKDAY] = {0, 6, day_names},
};

/* Go's strconv.Atoi, then not below zero. */
static int parse_number(int *ret, const char *text, struct es_error *err)
{
    int64_t n;
    const char *digits = text + (*text == '+' || *text == '-');

    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        return es_error_set(err, ES_E_CONFIG,
                            "failed to parse int from %s: strconv.Atoi: parsing \"%s\": invalid syntax", text,
                            text);
    if (es_parse_i64(digits, &n) < 0)
        return es_error_set(err, ES_E_CONFIG,
                            "failed to parse int from %s: strconv.Atoi: parsing \"%s\": value out of range",
                            text, text);
    if (*text == '-' && n)
        return es_error_set(err, ES_E_CONFIG, "negative number (-%lld) not allowed: %s", (long long)n, text);
    *ret = n > INT_MAX ? INT_MAX : (int)n;
    return 0;
}

static int parse_value(int *ret, const char *text, const struct field *f, struct es_error *err)
{
    for (int i = 0; f->names && f->names[i]; i++)
        if (strcasecmp(f->names[i], text) == 0) {
            *ret = f->min + i;
            return 0;
        }
    return parse_number(ret, text, err);
}

/* Splits at `sep` in place; at most `max` pieces are kept, all are counted. */
static size_t split(char *text, char sep, char **pieces, size_t max)
{
    size_t n = 0;

    for (char *p = text; p;) {
        char *next = strchr(p, sep);
        if (next)
            *next++ = '\0';
        if (n < max)
            pieces[n] = p;
        n++;
        p = next;
    }
    return n;
}

static int check_range(const struct field *f, int low, int high, int step, const char *expr,
                       struct es_error *err)
{
    if (low < f->min)
        return es_error_set(err, ES_E_CONFIG, "beginning of range (%d) below minimum (%d): %s", low, f->min,
                            expr);
    if (high > f->max)
        return es_error_set(err, ES_E_CONFIG, "end of range (%d) above maximum (%d): %s", high, f->max, expr);
    if (low > high)
        return es_error_set(err, ES_E_CONFIG, "beginning of range (%d) beyond end of range (%d): %s", low,
                            high, expr);
    if (step == 0)
        return es_error_set(err, ES_E_CONFIG, "step of range should be a positive number: %s", expr);
    return 0;
}

/* "*", "5", "1-5", each with "/2" behind it; "5/2" runs to the field's end. */
static int parse_range(uint64_t *bits, int *star, const char *expr, const struct field *f,
                       struct es_error *err)
{
    char text[TEXT_MAX], *halves[2], *ends[2];
    int low = f->min, high = f->max, step = 1;

    memcpy(text, expr, strlen(expr) + 1);
    size_t slashes = split(text, '/', halves, 2);
    size_t hyphens = split(halves[0], '-', ends, 2);
    bool all = strcmp(ends[0], "*") == 0 || strcmp(ends[0], "?") == 0;

    int rc = all ? 0 : parse_value(&low, ends[0], f, err);
    if (rc == 0 && !all && hyphens > 2)
        rc = es_error_set(err, ES_E_CONFIG, "too many hyphens: %s", expr);
    if (rc == 0 && !all && hyphens == 1)
        high = low;
    if (rc == 0 && !all && hyphens == 2)
        rc = parse_value(&high, ends[1], f, err);
    if (rc == 0 && slashes > 2)
        rc = es_error_set(err, ES_E_CONFIG, "too many slashes: %s", expr);
    if (rc == 0 && slashes == 2)
        rc = parse_number(&step, halves[1], err);
    if (rc == 0 && slashes == 2 && hyphens == 1)
        high = f->max;
    if (rc == 0)
        rc = check_range(f, low, high, step, expr, err);
    if (rc < 0)
        return rc;
    for (int64_t i = low; i <= high; i += step)
        *bits |= UINT64_C(1) << i;
    /* A star with a step restricts, one without does not. */
    *star |= all && step == 1;
    return 0;
}

static int parse_field(uint64_t *bits, int *star, char *list, const struct field *f, struct es_error *err)
{
    for (char *p = list, *next; p; p = next) {
        next = strchr(p, ',');
        if (next)
            *next++ = '\0';
        int rc = *p ? parse_range(bits, star, p, f, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int parse_fields(struct es_cron *c, char *text, const char *whole, struct es_error *err)
{
    char *pieces[FIELDS];
    size_t count = 0;

    for (char *p = text; *p;) {
        while (isspace((unsigned char)*p))
            *p++ = '\0';
        if (!*p)
            break;
        if (count < FIELDS)
            pieces[count] = p;
        count++;
        while (*p && !isspace((unsigned char)*p))
            p++;
    }
    if (count != FIELDS)
        return es_error_set(err, ES_E_CONFIG, "expected exactly 5 fields, found %zu: [%s]", count, whole);
    int unused = 0;
    int rc = parse_field(&c->minute, &unused, pieces[MINUTE], &fields[MINUTE], err);
    if (rc == 0)
        rc = parse_field(&c->hour, &unused, pieces[HOUR], &fields[HOUR], err);
    if (rc == 0)
        rc = parse_field(&c->day, &c->day_star, pieces[DAY], &fields[DAY], err);
    if (rc == 0)
        rc = parse_field(&c->month, &unused, pieces[MONTH], &fields[MONTH], err);
    if (rc == 0)
        rc = parse_field(&c->weekday, &c->weekday_star, pieces[WEEKDAY], &fields[WEEKDAY], err);
    return rc;
}

static int parse_every(struct es_cron *c, const char *text, struct es_error *err)
{
    const char *duration = text + strlen("@every ");
    int64_t ms;

    if (es_duration_parse(duration, &ms) < 0)
        return es_error_set(err, ES_E_CONFIG, "failed to parse duration %s: time: invalid duration \"%s\"",
                            text, duration);
    c->every_ms = ms < 1000 ? 1000 : ms - ms % 1000;
    return 0;
}

static int parse_descriptor(struct es_cron *c, const char *text, struct es_error *err)
{
    static const struct {
        const char *name, *meaning;
    } known[] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
        {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
        {"@hourly", "0 * * * *"},
    };
    char meaning[16];

    if (es_str_starts(text, "@every "))
        return parse_every(c, text, err);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, text) == 0) {
            memcpy(meaning, known[i].meaning, strlen(known[i].meaning) + 1);
            return parse_fields(c, meaning, text, err);
        }
    return es_error_set(err, ES_E_CONFIG, "unrecognized descriptor: %s", text);
}

/* Skips "TZ=UTC " and the like. */
static int skip_zone(const char **text, struct es_error *err)
{
    static const char *const utc[] = {"", "UTC", "Etc/UTC"};

    if (!es_str_starts(*text, "TZ=") && !es_str_starts(*text, "CRON_TZ="))
        return 0;
    const char *zone = strchr(*text, '=') + 1;
    size_t len = strcspn(zone, " ");
    for (size_t i = 0; i < sizeof utc / sizeof *utc && zone[len]; i++)
        if (strlen(utc[i]) == len && memcmp(utc[i], zone, len) == 0) {
            *text = zone + len + strspn(zone + len, " \t");
            return 0;
        }
    return es_error_set(err, ES_E_CONFIG, "provided bad location %.*s: schedules are in UTC", (int)len, zone);
}

int es_cron_parse(struct es_cron *ret, const char *text, struct es_error *err)
{
    struct es_cron c = {0};
    char copy[TEXT_MAX];

    if (es_str_empty(text))
        return es_error_set(err, ES_E_CONFIG, "empty spec string");
    size_t len = strlen(text);
    if (len >= sizeof copy)
        return es_error_set(err, ES_E_CONFIG, "a schedule above %zu bytes", sizeof copy - 1);
    int rc = skip_zone(&text, err);
    if (rc < 0)
        return rc;
    memcpy(copy, text, strlen(text) + 1);
    rc = *text == '@' ? parse_descriptor(&c, copy, err) : parse_fields(&c, copy, text, err);
    if (rc == 0)
        *ret = c;
    return rc;
}

struct date {
    int64_t year;
    int month, day;
};

/* Days since 1970-01-01 to a date of the Gregorian calendar; years are counted
 * from March so that the leap day comes last. */
static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int day_of_era = (int)(days - era * 146097);
    int year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * day_of_year + 2) / 153;
    return (struct date){
        .year = year + era * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool has(uint64_t bits, int64_t n)
{
    return bits >> n & 1;
}

static bool day_matches(const struct es_cron *c, int64_t days, const struct date *d)
{
    int64_t weekday = ((days + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    bool day = has(c->day, d->day), week = has(c->weekday, weekday);

    if (!has(c->month, d->month))
        return false;
    return c->day_star || c->weekday_star ? day && week : day || week;
}

/* The first matching minute of the day from `minute` on, or -1. */
static int find_minute(const struct es_cron *c, int minute)
{
    for (; minute < 24 * 60; minute++)
        if (has(c->hour, minute / 60) && has(c->minute, minute % 60))
            return minute;
    return -1;
}

int64_t es_cron_next(const struct es_cron *c, int64_t unix_ms)
{
    int64_t now_s = floor_div(unix_ms, 1000);

    if (c->every_ms > 0)
        return now_s * 1000 + c->every_ms;
    int64_t start_minute = floor_div(now_s, 60) + 1;
    int64_t days = floor_div(start_minute, 24 * 60);
    int first = (int)(start_minute - days * 24 * 60);
    int64_t last_year = date_of(floor_div(now_s + 1, DAY_S)).year + YEARS_AHEAD;

    for (;; days++, first = 0) {
        struct date d = date_of(days);
        if (d.year > last_year)
            return -1;
        int minute = day_matches(c, days, &d) ? find_minute(c, first) : -1;
        if (minute >= 0)
            return (days * DAY_S + (int64_t)minute * 60) * 1000;
    }
}
