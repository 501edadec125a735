#include "core/cmd/supervisor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/ops/notify.h"

/* More often than any watchdog that makes sense, more seldom than the rounds of a start. */
#define BEAT_MS 1000

static void tell_status(struct es_supervisor *s, const char *status)
{
    char lines[sizeof s->status + 32];

    if (s->started && es_streq(s->status, status))
        return;
    snprintf(s->status, sizeof s->status, "%s", status);
    snprintf(lines, sizeof lines, "%sSTATUS=%.*s", s->started ? "" : "READY=1\n",
             (int)strcspn(s->status, "\n"), s->status); /* a further line would be another message */
    es_notify(lines);
    s->started = true;
}

void es_supervisor_tick(struct es_supervisor *s, bool alive, const char *status)
{
    int64_t now_ms = es_mono_ms();

    tell_status(s, status);
    if (!alive || now_ms - s->beat_ms < BEAT_MS)
        return;
    s->beat_ms = now_ms;
    es_notify("WATCHDOG=1");
}
