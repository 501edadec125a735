/* core/ops/pulse.h: is a thread that should move every few seconds still moving? */
#ifndef ES_OPS_PULSE_H
#define ES_OPS_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"

/* A thread that has not come by for so long is stuck: no call that it makes may
 * take this time. */
#define ES_PULSE_STUCK_MS 60000

struct es_pulse {
    const char *what; /* "the main loop" */
    int64_t beat_ms;  /* monotonic; 0: it has not begun */
};

/* Had it moved at `now_ms`? If not, appends a line that says so. */
bool es_pulse_moves(const struct es_pulse *p, int64_t now_ms, struct es_buf *notes);

#endif
