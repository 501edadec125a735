/* core/plugin/remote_process.h: the process of one plugin, from its start to its
 * end. Private to the room. What goes over its lanes is remote_talk.h's affair,
 * when it is started again remote.h's. */
#ifndef ES_PLUGIN_REMOTE_PROCESS_H
#define ES_PLUGIN_REMOTE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/wire/link.h"
#include "core/wire/tables.h"

#define ES_PROCESS_WHY_MAX 256

struct es_process {
    pid_t pid;              /* 0: none */
    struct es_link control; /* our end */
    uint32_t fences;
};

struct es_process_opts {
    const char *runner;    /* the program */
    const char *file;      /* the plugin */
    int memory_fd;         /* its checked bytes, or -1 */
    int64_t memory;        /* ceiling in bytes, 0: none */
    int64_t start_ms;      /* how long loading may take */
    const bool *cancelled; /* atomic: nobody wants it any more; or NULL */
};

/* Starts it and lets it load the plugin. ret_tables holds its description, whose
 * operations are these stand-ins. The errors are those of loading it in this
 * process, as the end of a sentence that begins with the plugin's name; also: no
 * runner, another build's runner, ended or hung while loading. */
int es_process_start(struct es_process *ret, struct es_tables **ret_tables,
                     const struct es_process_opts *opts, const struct esp_store_ops *store,
                     const struct esp_generator_ops *generator,
                     esp_status (*configure)(struct esp_call *, const struct esp_request *),
                     struct es_error *err);

/* A new lane: our end of it, or -1 (err says why). Reads and writes on it give up
 * after ES_LANE_TICK_MS, so that whoever waits can look around. */
#define ES_LANE_TICK_MS 100
int es_process_lane(struct es_process *p, struct es_error *err);

/* Whether it still holds its end of the control link. One system call; any thread. */
bool es_process_alive(const struct es_process *p);

/* Sees it off, once: waits a moment for a process that is about to end, else
 * kills it; `why` tells how it ended ("signal 11 (Segmentation fault)"). Blocks for a
 * few milliseconds, a second at most if it does not want to go. The caller then sets
 * pid to 0; the link stays open for those who look at it. */
void es_process_end(const struct es_process *p, char why[ES_PROCESS_WHY_MAX]);

/* Tells it that it is over, without waiting. */
void es_process_leave(const struct es_process *p);

/* Closes the link; a process that is still there takes that for a goodbye, and is
 * waited for. */
void es_process_fini(struct es_process *p);

#endif
