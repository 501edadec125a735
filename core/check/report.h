/* core/check/report.h: the line between a check and the parent.
 *
 * Each finding is one line: a letter, a blank, a sentence. Where the plugin is
 * stands in memory that both see, because a process that crashed says nothing. */
#ifndef ES_CHECK_REPORT_H
#define ES_CHECK_REPORT_H

#include <stddef.h>

/* Letters of lines. */
enum {
    ES_REPORT_INFO = 'i',
    ES_REPORT_SKIP = 's',
    ES_REPORT_WARN = 'w',
    ES_REPORT_FAIL = 'f',
    ES_REPORT_REFUSE = 'u',
    ES_REPORT_RAN = 'r',
    ES_REPORT_DONE = 'd'
};

#define ES_REPORT_MAX_LINE 2000

/* Shared by parent and child. */
struct es_report_place {
    unsigned step; /* goes up with each es_check_at; atomic */
    char text[240];
};

/* In the child, before anything else of check.h is used. Both are borrowed. */
void es_report_init(int fd, struct es_report_place *place);

#endif
