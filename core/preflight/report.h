/* core/preflight/report.h: what was looked at, and what came of it.
 *
 * Findings are noted in the order in which they are made. Memory that runs out
 * is remembered, so that checks need not look after it: es_report_complete. */
#ifndef ES_PREFLIGHT_REPORT_H
#define ES_PREFLIGHT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"

enum es_verdict {
    ES_FINE,
    ES_WARNING,   /* it works, but somebody should know */
    ES_FAILED,    /* it does not work, or will not for long */
    ES_UNCHECKED, /* the one who asks may not know */
    ES_VERDICTS
};

struct es_report {
    json_t *items;
    size_t counts[ES_VERDICTS];
    bool incomplete;
};

void es_report_init(struct es_report *r);
void es_report_fini(struct es_report *r);

/* One finding of a check. `check` is a word or two: "definitions". */
void es_report_add(struct es_report *r, const char *check, enum es_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* What to do about the finding that was noted last: a sentence, or a command. */
void es_report_remedy(struct es_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool es_report_complete(const struct es_report *r);

/* A line for each finding, its remedy below it, and the sum at the end. */
void es_report_text(const struct es_report *r, struct es_buf *out);

/* {"checks": [{"check", "result", "text", "remedy"}], "failed", "warnings", "notChecked"}:
 * NULL without memory. Results: ok, warning, failed, not checked. */
json_t *es_report_json(const struct es_report *r);

#endif
