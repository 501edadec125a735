#include "core/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t es_mono_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

int64_t es_mono_ms(void)
{
    return es_mono_ns() / 1000000;
}

int64_t es_boot_ms(void)
{
    return read_clock_ns(CLOCK_BOOTTIME) / 1000000;
}

int64_t es_unix_ms(void)
{
    return read_clock_ns(CLOCK_REALTIME) / 1000000;
}

static int64_t system_unix_ms(void *ctx)
{
    (void)ctx;
    return es_unix_ms();
}

static int64_t system_mono_ms(void *ctx)
{
    (void)ctx;
    return es_mono_ms();
}

static uint32_t system_random(void *ctx)
{
    uint32_t r;
    (void)ctx;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) != (ssize_t)sizeof r)
        r = (uint32_t)es_mono_ns();
    return r;
}

const struct es_clock es_system_clock = {system_unix_ms, system_mono_ms, system_random, NULL};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static struct tm broken_down(int64_t unix_ms)
{
    time_t seconds = (time_t)floor_div(unix_ms, 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    return tm;
}

/* Up to the seconds; returns the length. Not by strftime, which leaves the
 * zeroes out of the year 1, where Go's zero time lies. */
static size_t format_seconds(int64_t unix_ms, char out[ES_TIME_TEXT_MAX])
{
    struct tm tm = broken_down(unix_ms);
    int n = snprintf(out, ES_TIME_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return n < 0 ? 0 : n < ES_TIME_TEXT_MAX ? (size_t)n : ES_TIME_TEXT_MAX - 1;
}

char *es_time_format(int64_t unix_ms, char out[ES_TIME_TEXT_MAX])
{
    size_t n = format_seconds(unix_ms, out);
    snprintf(out + n, ES_TIME_TEXT_MAX - n, "Z");
    return out;
}

char *es_time_format_micro(int64_t unix_ms, char out[ES_TIME_TEXT_MAX])
{
    size_t n = format_seconds(unix_ms, out);
    int ms = (int)(unix_ms - floor_div(unix_ms, 1000) * 1000);
    snprintf(out + n, ES_TIME_TEXT_MAX - n, ".%03d000Z", ms);
    return out;
}

static bool two_digits(const char **p, int low, int high, int *ret)
{
    const char *s = *p;
    if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
        return false;
    *ret = (s[0] - '0') * 10 + (s[1] - '0');
    *p += 2;
    return *ret >= low && *ret <= high;
}

static bool one_char(const char **p, const char *set)
{
    if (!**p || !strchr(set, **p))
        return false;
    (*p)++;
    return true;
}

/* Milliseconds of ".123456", if there is a fraction. */
static bool parse_fraction(const char **p, int64_t *ms)
{
    *ms = 0;
    if (**p != '.')
        return true;
    (*p)++;
    int64_t scale = 100;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *ms += (**p - '0') * scale;
    return true;
}

static bool parse_offset(const char **p, int *seconds)
{
    int h, m;
    *seconds = 0;
    if (one_char(p, "Zz"))
        return true;
    int sign = **p == '-' ? -1 : 1;
    if (!one_char(p, "+-") || !two_digits(p, 0, 23, &h) || !one_char(p, ":") || !two_digits(p, 0, 59, &m))
        return false;
    *seconds = sign * (h * 3600 + m * 60);
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int es_time_parse(const char *text, int64_t *ret_unix_ms)
{
    int century, year, month, day, hour, minute, second, offset;
    int64_t ms;
    const char *p = text ? text : "";

    if (!two_digits(&p, 0, 99, &century) || !two_digits(&p, 0, 99, &year) || !one_char(&p, "-") ||
        !two_digits(&p, 1, 12, &month) || !one_char(&p, "-") || !two_digits(&p, 1, 31, &day) ||
        !one_char(&p, "Tt ") || !two_digits(&p, 0, 23, &hour) || !one_char(&p, ":") ||
        !two_digits(&p, 0, 59, &minute) || !one_char(&p, ":") || !two_digits(&p, 0, 60, &second) ||
        !parse_fraction(&p, &ms) || !parse_offset(&p, &offset) || *p ||
        day > days_in(century * 100 + year, month))
        return -1;
    struct tm tm = {.tm_year = century * 100 + year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    *ret_unix_ms = ((int64_t)timegm(&tm) - offset) * 1000 + ms;
    return 0;
}

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {{"ns", 1},
             {"us", 1000},
             {"\xC2\xB5s", 1000},
             {"\xCE\xBCs", 1000},
             {"ms", 1000000},
             {"s", 1000000000},
             {"m", 60 * INT64_C(1000000000)},
             {"h", 3600 * INT64_C(1000000000)}};

/* Longest first would matter for "m" and "ms": compare whole letter runs. */
static const struct unit *parse_unit(const char **p)
{
    size_t len = strcspn(*p, ".0123456789+-");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, *p, len) == 0) {
            *p += len;
            return &units[i];
        }
    return NULL;
}

#define MAX_NS (UINT64_C(1) << 63) /* of a negative duration; one less of others */

/* "12.345": the whole part, and the digits behind the point as fraction/scale.
 * Digits that no longer fit add nothing, as in Go. */
static bool parse_number(const char **p, uint64_t *whole, uint64_t *fraction, double *scale)
{
    bool digits = false, full = false;

    *whole = *fraction = 0;
    *scale = 1;
    for (; **p >= '0' && **p <= '9'; (*p)++, digits = true) {
        if (*whole > MAX_NS / 10)
            return false;
        *whole = *whole * 10 + (uint64_t)(**p - '0');
        if (*whole > MAX_NS)
            return false;
    }
    if (**p != '.')
        return digits;
    for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, digits = true) {
        uint64_t next = *fraction * 10 + (uint64_t)(**p - '0');
        full |= *fraction > (MAX_NS - 1) / 10 || next > MAX_NS;
        if (full)
            continue;
        *fraction = next;
        *scale *= 10;
    }
    return digits;
}

/* One "1.5h", in nanoseconds. */
static bool parse_part(const char **p, uint64_t *ns)
{
    uint64_t whole, fraction;
    double scale;

    if (!parse_number(p, &whole, &fraction, &scale))
        return false;
    const struct unit *u = parse_unit(p);
    if (!u || whole > MAX_NS / (uint64_t)u->ns)
        return false;
    *ns = whole * (uint64_t)u->ns + (uint64_t)((double)fraction * ((double)u->ns / scale));
    return *ns <= MAX_NS;
}

int es_duration_parse(const char *text, int64_t *ret_ms)
{
    const char *p = text ? text : "";
    bool negative = *p == '-';
    uint64_t total = 0, part;

    if (*p == '-' || *p == '+')
        p++;
    if (strcmp(p, "0") == 0) {
        *ret_ms = 0;
        return 0;
    }
    if (!*p)
        return -1;
    while (*p) {
        if (!parse_part(&p, &part) || total + part > MAX_NS)
            return -1;
        total += part;
    }
    if (!negative && total == MAX_NS)
        return -1;
    int64_t ms = (int64_t)(total / 1000000);
    *ret_ms = negative ? -ms : ms;
    return 0;
}

char *es_duration_format(int64_t ms, char out[ES_TIME_TEXT_MAX])
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t u = ms < 0 ? (uint64_t)0 - (uint64_t)ms : (uint64_t)ms;
    uint64_t h = u / 3600000, m = u / 60000 % 60, s = u / 1000 % 60, rest = u % 1000;
    char fraction[8] = "";

    if (u && u < 1000) {
        snprintf(out, ES_TIME_TEXT_MAX, "%s%ums", sign, (unsigned)u);
        return out;
    }
    if (rest) {
        int n = snprintf(fraction, sizeof fraction, ".%03u", (unsigned)rest);
        while (n > 0 && fraction[n - 1] == '0')
            fraction[--n] = '\0';
    }
    if (h)
        snprintf(out, ES_TIME_TEXT_MAX, "%s%lluh%um%u%ss", sign, (unsigned long long)h, (unsigned)m,
                 (unsigned)s, fraction);
    else if (m)
        snprintf(out, ES_TIME_TEXT_MAX, "%s%um%u%ss", sign, (unsigned)m, (unsigned)s, fraction);
    else
        snprintf(out, ES_TIME_TEXT_MAX, "%s%u%ss", sign, (unsigned)s, fraction);
    return out;
}
