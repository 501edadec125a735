/* core/check/run.h: one check in a process of its own, and what came of it.
 *
 * The parent has one thread and never loads the plugin. It waits with a limit
 * for each step and one for all of them, collects what the child says and prints,
 * and ends its whole process group. */
#ifndef ES_CHECK_RUN_H
#define ES_CHECK_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/check/check.h"
#include "core/check/options.h"

enum es_verdict { ES_PASS, ES_SKIP, ES_WARN, ES_FAIL };

struct es_finding {
    char level; /* ES_REPORT_...: info, skip, warn, fail, refuse */
    char *text;
};

struct es_result {
    const struct es_check *check;
    enum es_verdict verdict;
    struct es_finding *findings;
    size_t finding_count, finding_cap;
    bool refused; /* not to be used at all */
    struct es_buf
        output; /* stdout and stderr of the child, the first 64 KiB; empty when it may hold secrets */
    int64_t took_ms;
};

/* Fills *ret in any case. */
void es_check_run(struct es_result *ret, const struct es_check *check, const struct es_check_opts *opts);
void es_result_fini(struct es_result *r);

#endif
