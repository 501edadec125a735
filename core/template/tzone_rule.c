/* Rules for all years, as POSIX writes them in TZ. */
#include <stdio.h>
#include <string.h>

#include "core/template/tzone.h"

#define DAY_S 86400

struct reader {
    const char *s;
    size_t len, at;
};

struct change {
    char form; /* 'J' day 1-365 without the leap day, '0' day 0-365, 'M' month.week.day */
    int day, week, month;
    int32_t time; /* of the day, by the clock that is valid until then */
};

struct period {
    char name[ES_TZONE_MAX];
    int32_t offset;
};

static bool take(struct reader *r, char c)
{
    if (r->at >= r->len || r->s[r->at] != c)
        return false;
    r->at++;
    return true;
}

static bool number(struct reader *r, int *ret)
{
    size_t from = r->at;

    for (*ret = 0; r->at < r->len && r->s[r->at] >= '0' && r->s[r->at] <= '9' && r->at < from + 4; r->at++)
        *ret = *ret * 10 + (r->s[r->at] - '0');
    return r->at > from;
}

/* "CET", or "<+0330>" for what is not letters. */
static bool name(struct reader *r, char ret[ES_TZONE_MAX])
{
    bool quoted = take(r, '<');
    size_t from = r->at;

    while (r->at < r->len &&
           (quoted ? r->s[r->at] != '>' : (r->s[r->at] | 32) >= 'a' && (r->s[r->at] | 32) <= 'z'))
        r->at++;
    snprintf(ret, ES_TZONE_MAX, "%.*s", (int)(r->at - from), r->s + from);
    return r->at - from >= 3 && (!quoted || take(r, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(struct reader *r, int32_t *ret)
{
    bool minus = take(r, '-');
    int part = 0;

    if (!minus)
        take(r, '+');
    if (!number(r, &part))
        return false;
    *ret = part * 3600;
    if (take(r, ':')) {
        if (!number(r, &part))
            return false;
        *ret += part * 60;
        if (take(r, ':')) {
            if (!number(r, &part))
                return false;
            *ret += part;
        }
    }
    *ret = minus ? -*ret : *ret;
    return true;
}

static bool change(struct reader *r, struct change *c)
{
    c->form = take(r, 'M') ? 'M' : take(r, 'J') ? 'J' : '0';
    c->time = 2 * 3600;
    if (c->form == 'M') {
        if (!number(r, &c->month) || !take(r, '.') || !number(r, &c->week) || !take(r, '.') ||
            !number(r, &c->day) || c->month < 1 || c->month > 12 || c->week < 1 || c->week > 5 || c->day > 6)
            return false;
    } else if (!number(r, &c->day)) {
        return false;
    }
    return !take(r, '/') || clock_time(r, &c->time);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The day of the year, from 0, of "the week-th such day of the month". */
static int day_by_week(int64_t year, const struct change *c)
{
    struct es_tcivil first = {.year = year, .month = c->month, .day = 1}, next = first, start = first, of;
    struct es_ttime t = {.s = es_tcivil_seconds(&first)};

    start.month = 1;
    next.month++;
    es_tcivil_of(&of, &t);
    int length = (int)((es_tcivil_seconds(&next) - t.s) / DAY_S);
    int day = (c->day - of.weekday + 7) % 7 + (c->week - 1) * 7;
    if (day >= length)
        day -= 7;
    return (int)((t.s - es_tcivil_seconds(&start)) / DAY_S) + day;
}

/* Seconds from the year's beginning, in UTC, to the change. */
static int64_t change_at(int64_t year, const struct change *c, int32_t offset_before)
{
    int day = c->day;

    if (c->form == 'M')
        day = day_by_week(year, c);
    else if (c->form == 'J')
        day = c->day - 1 + (is_leap(year) && c->day >= 60);
    return (int64_t)day * DAY_S + c->time - offset_before;
}

static const struct period *valid_at(int64_t unix_s, const struct period *standard,
                                     const struct period *summer, const struct change *begin,
                                     const struct change *end)
{
    struct es_ttime t = {.s = unix_s};
    struct es_tcivil of;

    es_tcivil_of(&of, &t);
    struct es_tcivil first = {.year = of.year, .month = 1, .day = 1};
    int64_t second = unix_s - es_tcivil_seconds(&first);
    int64_t from = change_at(of.year, begin, standard->offset), to = change_at(of.year, end, summer->offset);
    if (from <= to)
        return second >= from && second < to ? summer : standard;
    return second >= to && second < from ? standard : summer;
}

bool es_tzone_by_rule(const char *rule, size_t len, int64_t unix_s, int32_t *ret_offset,
                      char ret_abbr[ES_TZONE_MAX])
{
    struct reader r = {rule, len, 0};
    struct period standard, summer;
    struct change begin, end;
    const struct period *p = &standard;

    /* The sign is that of people west of Greenwich. */
    if (!name(&r, standard.name) || !clock_time(&r, &standard.offset))
        return false;
    standard.offset = -standard.offset;
    if (r.at < r.len) {
        if (!name(&r, summer.name))
            return false;
        summer.offset = standard.offset + 3600;
        if (r.at < r.len && r.s[r.at] != ',') {
            if (!clock_time(&r, &summer.offset))
                return false;
            summer.offset = -summer.offset;
        }
        if (!take(&r, ',') || !change(&r, &begin) || !take(&r, ',') || !change(&r, &end) || r.at != r.len)
            return false;
        p = valid_at(unix_s, &standard, &summer, &begin, &end);
    }
    *ret_offset = p->offset;
    memcpy(ret_abbr, p->name, ES_TZONE_MAX);
    return true;
}
