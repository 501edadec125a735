/* core/template/gotime.h: points in time, and their texts by Go's layouts. */
#ifndef ES_TEMPLATE_GOTIME_H
#define ES_TEMPLATE_GOTIME_H

#include "core/base/buf.h"
#include "core/template/value.h"

#define ES_TZONE_MAX 12

struct es_ttime {
    int64_t s; /* since 1970, UTC */
    int32_t ns;
    int32_t offset;          /* of the zone it is shown in, in seconds east of UTC */
    char zone[ES_TZONE_MAX]; /* its abbreviation; "" when only the offset is known */
};

struct es_tcivil {
    int64_t year;
    int month, day, hour, minute, second, weekday, yearday; /* from 1, but weekday from 0: Sunday */
};

void es_tcivil_of(struct es_tcivil *ret, const struct es_ttime *t);

/* Seconds since 1970 of a date, whose fields may be out of range as in Go's time.Date. */
int64_t es_tcivil_seconds(const struct es_tcivil *c);

/* Shows it in UTC, or where the process is. */
void es_ttime_in(struct es_ttime *t, bool local);

/* time.Time.Format. */
void es_ttime_format(struct es_buf *out, const struct es_ttime *t, const char *layout, size_t len);

/* time.ParseInLocation(layout, text, time.Local). NULL, or why it is none. */
const char *es_ttime_parse(struct es_ttime *ret, const char *layout, size_t layout_len, const char *text,
                           size_t len);

/* The elements of layouts, shared by the two files. */
enum es_tlayout {
    ES_TL_TEXT, /* none: stands for itself */
    ES_TL_MONTH_LONG,
    ES_TL_MONTH_SHORT,
    ES_TL_MONTH,
    ES_TL_MONTH_ZERO,
    ES_TL_WEEKDAY_LONG,
    ES_TL_WEEKDAY_SHORT,
    ES_TL_DAY,
    ES_TL_DAY_SPACE,
    ES_TL_DAY_ZERO,
    ES_TL_YEARDAY_SPACE,
    ES_TL_YEARDAY_ZERO,
    ES_TL_HOUR,
    ES_TL_HOUR12,
    ES_TL_HOUR12_ZERO,
    ES_TL_MINUTE,
    ES_TL_MINUTE_ZERO,
    ES_TL_SECOND,
    ES_TL_SECOND_ZERO,
    ES_TL_YEAR_LONG,
    ES_TL_YEAR,
    ES_TL_PM_UPPER,
    ES_TL_PM_LOWER,
    ES_TL_ZONE,
    ES_TL_OFFSET,     /* any of -07:00 and the like */
    ES_TL_FRACTION_0, /* ".000" */
    ES_TL_FRACTION_9, /* ".999" */
};

/* The first element behind *at: what is before it is [*at, *ret_from), and *at is moved
 * behind it. ES_TL_TEXT at the end. */
enum es_tlayout es_tlayout_next(const char *layout, size_t len, size_t *at, size_t *ret_from);

extern const char *const es_tmonth_names[12], *const es_tweekday_names[7];

#endif
