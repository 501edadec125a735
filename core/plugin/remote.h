/* core/plugin/remote.h: a plugin in a process of its own. Private to the room.
 *
 * To the rest of the room it looks like any other plugin: a table of components
 * whose operations are called. These operations carry the call over, as
 * sdk/include/esp/plugin.h promises that they can.
 *
 *   worker --- lane (a socket) --- thread of the plugin's process
 *
 * There are as many lanes as calls at the same time, made when needed and kept.
 * A process that ends, for whatever reason, costs the calls that were in it: they
 * fail with ES_E_RETRY and a sentence that says what happened. A thread of the
 * remote sees the end and starts the next one, at once the first time, then later
 * and later. Stores that were opened in the old one are stale and are opened again
 * by the pool. Calls that come meanwhile wait a little. */
#ifndef ES_PLUGIN_REMOTE_H
#define ES_PLUGIN_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/plugin/registry.h"

struct es_remote;

struct es_remote_opts {
    const char *runner;
    const char *file;                  /* the plugin */
    int memory_fd;                     /* its checked bytes, or -1; borrowed */
    int64_t memory;                    /* ceiling of the process in bytes, 0: none */
    int64_t start_ms;                  /* how long loading may take */
    int64_t grace_ms;                  /* how long an operation may overrun before the process is ended */
    struct es_metric *restarts, *lost; /* by plugin; or NULL */
};

/* Starts the process and has it load the plugin. ES_E_CONFIG: it is no plugin for
 * this esod; the text is the end of a sentence that begins with its name. */
int es_remote_new(struct es_remote **ret, const struct es_remote_opts *opts, struct es_error *err);

/* What it says of itself; valid as long as the remote. Not vetted. */
const struct esp_plugin *es_remote_data(const struct es_remote *r);
uint32_t es_remote_fences(const struct es_remote *r);

/* In whose name it is called. Both are borrowed for its life. Before the first call. */
void es_remote_bind(struct es_remote *r, const struct es_registry *registry, const struct es_plugin *plugin);

/* From now on its process is looked after. Before that, an end is only noticed by
 * who calls. */
int es_remote_start(struct es_remote *r, struct es_error *err);

/* Whether this instance of the plugin (what `open` gave) died with its process. */
bool es_remote_stale(struct es_remote *r, void *instance);

/* Resident bytes of its process, and its pid; 0: there is none at the moment. */
size_t es_remote_resident(struct es_remote *r);
int es_remote_pid(struct es_remote *r);

/* Tells the process that it is over, and whoever waits for the next one, without
 * waiting for anything. Calls fail from now on. */
void es_remote_leave(struct es_remote *r);

/* No call may be in flight. NULL is fine. */
void es_remote_free(struct es_remote *r);

#endif
