/* core/runner/host.h: the services of the core, as a plugin sees them in a
 * process of its own.
 *
 * What needs no answer (emit, fail, log) is put into the lane's next packet and
 * judged here by the rules that the core will apply again; time and chance are
 * this process' own; everything else is asked of the core, which answers as it
 * does inside its own process. */
#ifndef ES_RUNNER_HOST_H
#define ES_RUNNER_HOST_H

#include <stdbool.h>

#include "core/wire/message.h"

/* What a service handed out: it lives until the call ends, and is wiped then. */
struct es_kept {
    struct es_frame frame;
    esp_pair *headers;
    struct es_kept *next;
};

/* One operation, on the thread of its lane. */
struct esp_call {
    struct es_link *link;
    struct es_wire_call asked;
    size_t output_count, output_bytes;
    int log_lines;
    bool failed;    /* `fail` was called */
    bool broken;    /* an emit was refused: nothing more will be used */
    bool cancelled; /* the core said so */
    struct es_kept *kept;
};

extern const struct esp_host es_runner_host;

/* Wipes what the call was given. */
void es_call_forget(struct esp_call *c);

#endif
