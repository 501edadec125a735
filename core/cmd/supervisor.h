/* core/cmd/supervisor.h: what the service manager hears of `esod run`: that it has started,
 * what it is at, and that it still moves. */
#ifndef ES_CMD_SUPERVISOR_H
#define ES_CMD_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct es_supervisor {
    bool started;
    int64_t beat_ms;
    char status[ES_ERROR_TEXT_MAX];
};

/* A round of the main loop. `alive`: as /healthz says it; `status`: a sentence for people.
 * The first round is what "started" means: the configuration, the login and the plugins are
 * in order. It does not wait for the cluster, whose troubles are not ours to be restarted for;
 * the status names them. */
void es_supervisor_tick(struct es_supervisor *s, bool alive, const char *status);

#endif
