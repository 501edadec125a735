/* core/base/cron.h: schedules of five fields (minute hour day month weekday)
 * and the descriptors @yearly @annually @monthly @weekly @daily @midnight @hourly and
 * "@every DURATION", as github.com/robfig/cron v3's standard parser reads
 * them: names (JAN, MON), ranges, steps, lists, ? as *, and the rule that day
 * of month and weekday are alternatives when both are restricted. UTC. An
 * optional "TZ=..." or "CRON_TZ=..." prefix other than UTC is refused. */
#ifndef ES_BASE_CRON_H
#define ES_BASE_CRON_H

#include <stdint.h>

#include "core/base/error.h"

struct es_cron {
    uint64_t minute, hour, day, month, weekday; /* bit sets */
    int day_star, weekday_star;
    int64_t every_ms; /* > 0: "@every", the fields above are unused */
};

/* ES_E_CONFIG with what is wrong. */
int es_cron_parse(struct es_cron *ret, const char *text, struct es_error *err);

/* The first activation after `unix_ms`, or -1 when there is none within five
 * years. "@every D" gives unix_ms + D, cut to whole seconds. */
int64_t es_cron_next(const struct es_cron *c, int64_t unix_ms);

#endif
