/* Points in time and durations. */
#include <stdio.h>
#include <string.h>

#include "core/template/duration.h"
#include "core/template/functions.h"
#include "core/template/gotime.h"
#include "core/template/literal.h"
#include "core/template/tzone.h"

#define SECOND INT64_C(1000000000)

/* time.Time */

static bool field(struct es_tcall *c, const struct es_tobject *object, const char *name, size_t len,
                  bool *ret_is_method);

static struct es_tvalue text_by(struct es_arena *arena, const struct es_tobject *object, const char *layout)
{
    struct es_buf out;

    es_buf_init(&out, 200);
    es_ttime_format(&out, object->data, layout, strlen(layout));
    char *copy = es_arena_dup(arena, es_buf_str(&out), out.len);
    struct es_tvalue v = es_tstring(copy ? copy : "", copy ? out.len : 0);
    es_buf_fini(&out);
    return v;
}

/* Time.String. */
static struct es_tvalue text(struct es_arena *arena, const struct es_tobject *object)
{
    return text_by(arena, object, "2006-01-02 15:04:05.999999999 -0700 MST");
}

/* Time.MarshalJSON. */
static struct es_tvalue json(struct es_arena *arena, const struct es_tobject *object)
{
    return text_by(arena, object, "2006-01-02T15:04:05.999999999Z07:00");
}

static const struct es_tclass time_class = {"time.Time", "struct", field, text, json};

static void return_time(struct es_tcall *c, const struct es_ttime *t)
{
    struct es_ttime *copy = es_tcall_alloc(c, sizeof *copy);
    struct es_tobject *object = es_tcall_alloc(c, sizeof *object);

    if (!copy || !object)
        return;
    *copy = *t;
    *object = (struct es_tobject){&time_class, copy};
    c->ret = (struct es_tvalue){.type = ES_T_OBJECT, .object = object};
}

static const struct es_ttime *time_of(const struct es_tvalue *v)
{
    return v->type == ES_T_OBJECT && v->object->class == &time_class ? v->object->data : NULL;
}

static struct es_ttime now_of(struct es_tcall *c)
{
    int64_t ns = es_tcall_now_ns(c);
    struct es_ttime t = {.s = ns / SECOND, .ns = (int32_t)(ns % SECOND)};

    es_ttime_in(&t, true);
    return t;
}

static void add_ns(struct es_ttime *t, int64_t ns)
{
    int64_t sum = t->ns + ns % SECOND;

    t->s += ns / SECOND + (sum >= SECOND) - (sum < 0);
    t->ns = (int32_t)(sum + (sum < 0 ? SECOND : 0) - (sum >= SECOND ? SECOND : 0));
}

static int64_t ns_between(const struct es_ttime *from, const struct es_ttime *to)
{
    int64_t ns;

    if (__builtin_mul_overflow(to->s - from->s, SECOND, &ns))
        return to->s > from->s ? INT64_MAX : INT64_MIN;
    return ns + (to->ns - from->ns);
}

/* Methods */

static bool is(const char *name, size_t len, const char *wanted)
{
    return strlen(wanted) == len && memcmp(name, wanted, len) == 0;
}

static bool civil_field(struct es_tcall *c, const struct es_ttime *t, const char *name, size_t len)
{
    struct es_tcivil d;

    es_tcivil_of(&d, t);
    const struct {
        const char *name;
        enum es_ttype type;
        int64_t value;
    } fields[] = {{"Year", ES_T_INT, d.year},
                  {"Month", ES_T_MONTH, d.month},
                  {"Day", ES_T_INT, d.day},
                  {"Hour", ES_T_INT, d.hour},
                  {"Minute", ES_T_INT, d.minute},
                  {"Second", ES_T_INT, d.second},
                  {"Nanosecond", ES_T_INT, t->ns},
                  {"Weekday", ES_T_WEEKDAY, d.weekday},
                  {"YearDay", ES_T_INT, d.yearday},
                  {"Unix", ES_T_INT64, t->s},
                  {"UnixMilli", ES_T_INT64, t->s * 1000 + t->ns / 1000000},
                  {"UnixNano", ES_T_INT64, (int64_t)((uint64_t)t->s * (uint64_t)SECOND + (uint64_t)t->ns)}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (is(name, len, fields[i].name)) {
            c->ret = (struct es_tvalue){.type = fields[i].type, .i = fields[i].value};
            return true;
        }
    return false;
}

static void format_method(struct es_tcall *c, const struct es_ttime *t)
{
    struct es_buf out;

    if (c->count != 1 || c->args[0].type != ES_T_STRING) {
        es_tcall_fail(c, "it takes one string");
        return;
    }
    es_tcall_buf(&out);
    es_ttime_format(&out, t, c->args[0].s.ptr, c->args[0].s.len);
    es_tcall_return_buf(c, &out);
}

static bool compare_method(struct es_tcall *c, const struct es_ttime *t, const char *name, size_t len)
{
    bool before = is(name, len, "Before"), after = is(name, len, "After"), equal = is(name, len, "Equal");
    const struct es_ttime *other = c->count == 1 ? time_of(&c->args[0]) : NULL;

    if (!before && !after && !equal && !is(name, len, "Sub"))
        return false;
    if (!other) {
        es_tcall_fail(c, "it takes one time.Time");
        return true;
    }
    int64_t ns = ns_between(other, t);
    if (before || after || equal)
        c->ret = es_tbool(before ? ns < 0 : after ? ns > 0 : ns == 0);
    else
        c->ret = (struct es_tvalue){.type = ES_T_DURATION, .i = ns};
    return true;
}

static void add_date(struct es_tcall *c, const struct es_ttime *t)
{
    struct es_tcivil d;
    struct es_ttime moved = *t;

    if (c->count != 3 || c->args[0].type != ES_T_INT || c->args[1].type != ES_T_INT ||
        c->args[2].type != ES_T_INT) {
        es_tcall_fail(c, "it takes three integers");
        return;
    }
    es_tcivil_of(&d, t);
    d.year += c->args[0].i;
    d.month += (int)c->args[1].i;
    d.day += (int)c->args[2].i;
    moved.s = es_tcivil_seconds(&d) - t->offset;
    return_time(c, &moved);
}

static bool field(struct es_tcall *c, const struct es_tobject *object, const char *name, size_t len,
                  bool *ret_is_method)
{
    const struct es_ttime *t = object->data;
    struct es_ttime moved = *t;

    *ret_is_method = true;
    if (civil_field(c, t, name, len) || compare_method(c, t, name, len))
        return true;
    if (is(name, len, "Format")) {
        format_method(c, t);
    } else if (is(name, len, "String")) {
        c->ret = text(es_tcall_arena(c), object);
    } else if (is(name, len, "UTC") || is(name, len, "Local")) {
        es_ttime_in(&moved, is(name, len, "Local"));
        return_time(c, &moved);
    } else if (is(name, len, "Add") && c->count == 1 && c->args[0].type == ES_T_DURATION) {
        add_ns(&moved, c->args[0].i);
        return_time(c, &moved);
    } else if (is(name, len, "AddDate")) {
        add_date(c, t);
    } else {
        return false;
    }
    return true;
}

/* Functions */

static void now(struct es_tcall *c)
{
    struct es_ttime t = now_of(c);
    return_time(c, &t);
}

/* A time, or seconds since 1970; anything else is now. */
static struct es_ttime date_of(struct es_tcall *c, const struct es_tvalue *v)
{
    const struct es_ttime *given = time_of(v);

    if (given)
        return *given;
    if (v->type == ES_T_INT || v->type == ES_T_INT64 || v->type == ES_T_INT32)
        return (struct es_ttime){.s = v->i};
    return now_of(c);
}

/* A zone that is not known counts as UTC. */
static void place(struct es_ttime *t, const struct es_tvalue *zone)
{
    es_ttime_in(t, es_tstring_is(zone, "Local"));
    if (!es_tstring_is(zone, "Local") && !es_tstring_is(zone, "UTC"))
        es_tzone_at(zone->s.ptr, zone->s.len, t->s, &t->offset, t->zone);
}

static void format(struct es_tcall *c, const struct es_tvalue *layout, const struct es_tvalue *date,
                   const struct es_tvalue *zone)
{
    struct es_ttime t = date_of(c, date);
    struct es_buf out;

    place(&t, zone);
    es_tcall_buf(&out);
    es_ttime_format(&out, &t, layout->s.ptr, layout->s.len);
    es_tcall_return_buf(c, &out);
}

static const struct es_tvalue html_layout = {.type = ES_T_STRING, .s = {"2006-01-02", 10}};

static const struct es_tvalue local = {.type = ES_T_STRING, .s = {"Local", 5}};

static void date(struct es_tcall *c)
{
    format(c, &c->args[0], &c->args[1], &local);
}

static void date_in_zone(struct es_tcall *c)
{
    format(c, &c->args[0], &c->args[1], &c->args[2]);
}

static void html_date(struct es_tcall *c)
{
    format(c, &html_layout, &c->args[0], &local);
}

static void html_date_in_zone(struct es_tcall *c)
{
    format(c, &html_layout, &c->args[0], &c->args[1]);
}

static void modify(struct es_tcall *c)
{
    struct es_ttime t = *time_of(&c->args[1]);
    int64_t ns = 0;
    bool must = strncmp(c->name, "must", 4) == 0;

    if (!es_tduration_parse(c->args[0].s.ptr, c->args[0].s.len, &ns) && must)
        es_tcall_fail(c, "time: invalid duration");
    add_ns(&t, ns);
    return_time(c, &t);
}

static void return_duration(struct es_tcall *c, int64_t ns)
{
    char out[ES_TDURATION_TEXT_MAX];

    es_tduration_text(ns, out);
    es_tcall_return_copy(c, out, strlen(out));
}

static void ago(struct es_tcall *c)
{
    struct es_ttime from = date_of(c, &c->args[0]), to = now_of(c);
    int64_t ns = ns_between(&from, &to), rest = ns % SECOND;

    ns -= rest;
    ns += rest >= SECOND / 2 ? SECOND : rest <= -SECOND / 2 ? -SECOND : 0;
    return_duration(c, ns);
}

static void duration(struct es_tcall *c)
{
    int64_t seconds = 0;

    if (c->args[0].type == ES_T_STRING)
        es_go_parse_int(c->args[0].s.ptr, c->args[0].s.len, 10, &seconds);
    else if (c->args[0].type == ES_T_INT64)
        seconds = c->args[0].i;
    return_duration(c, (int64_t)((uint64_t)seconds * (uint64_t)SECOND));
}

/* In the largest unit of which there is more than one. */
static void duration_round(struct es_tcall *c)
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {{"y", 365 * 86400}, {"mo", 30 * 86400}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    const struct es_tvalue *v = &c->args[0];
    int64_t ns = 0;
    char out[32] = "0s";

    if (v->type == ES_T_STRING)
        es_tduration_parse(v->s.ptr, v->s.len, &ns);
    else if (v->type == ES_T_INT64)
        ns = v->i;
    else if (time_of(v)) {
        struct es_ttime to = now_of(c);
        ns = ns_between(time_of(v), &to);
    }
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (size > units[i].seconds * (uint64_t)SECOND) {
            snprintf(out, sizeof out, "%llu%s",
                     (unsigned long long)(size / (units[i].seconds * (uint64_t)SECOND)), units[i].name);
            break;
        }
    es_tcall_return_copy(c, out, strlen(out));
}

static void to_date(struct es_tcall *c)
{
    /* Go's zero time, which is what a text gives that is none */
    struct es_ttime t = {.s = INT64_C(-62135596800), .zone = "UTC"};
    const char *why =
        es_ttime_parse(&t, c->args[0].s.ptr, c->args[0].s.len, c->args[1].s.ptr, c->args[1].s.len);

    if (why && strncmp(c->name, "must", 4) == 0)
        es_tcall_fail(c, "parsing time: %s", why);
    return_time(c, &t);
}

static void unix_epoch(struct es_tcall *c)
{
    char out[24];

    snprintf(out, sizeof out, "%lld", (long long)time_of(&c->args[0])->s);
    es_tcall_return_copy(c, out, strlen(out));
}

static const struct es_tfunction functions[] = {
    {"now", "", now},
    {"date", "sa", date},
    {"dateInZone", "sas", date_in_zone},
    {"date_in_zone", "sas", date_in_zone},
    {"htmlDate", "a", html_date},
    {"htmlDateInZone", "as", html_date_in_zone},
    {"dateModify", "st", modify},
    {"date_modify", "st", modify},
    {"mustDateModify", "st", modify},
    {"must_date_modify", "st", modify},
    {"ago", "a", ago},
    {"duration", "a", duration},
    {"durationRound", "a", duration_round},
    {"toDate", "ss", to_date},
    {"mustToDate", "ss", to_date},
    {"unixEpoch", "t", unix_epoch},
};

const struct es_tfunction_table es_tfunctions_date = ES_TFUNCTION_TABLE(functions);
