#include "core/ops/pulse.h"

bool es_pulse_moves(const struct es_pulse *p, int64_t now_ms, struct es_buf *notes)
{
    int64_t still_ms = now_ms - p->beat_ms;

    if (!p->beat_ms || still_ms < ES_PULSE_STUCK_MS)
        return true;
    es_buf_addf(notes, "%s has not moved for %lld s\n", p->what, (long long)(still_ms / 1000));
    return false;
}
