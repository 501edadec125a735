/* core/cmd/daemon.h: the program put together, from the transport to the engine.
 * `esod run` and `esod local` differ in the cluster that stands behind it. */
#ifndef ES_CMD_DAEMON_H
#define ES_CMD_DAEMON_H

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/engine/engine.h"
#include "core/http/http.h"
#include "core/ops/config.h"
#include "core/ops/election.h"

struct es_daemon {
    const struct es_config *config;
    struct es_metrics *metrics;
    struct es_http *http;
    struct es_env env; /* registry, pool and cluster among it */
    struct es_engine *engine;
    struct es_election *election; /* NULL: this process works alone */
};

/* Transport and plugins. On failure there is nothing to clean up. */
int es_daemon_init(struct es_daemon *d, const struct es_config *config, struct es_error *err);

/* The engine on a cluster, which is consumed even on failure. */
int es_daemon_start(struct es_daemon *d, struct es_cluster *take_cluster, const struct es_engine_opts *opts,
                    struct es_error *err);

/* Everything down again, in the reverse order: the lease is given back as soon
 * as nothing writes any more. */
void es_daemon_fini(struct es_daemon *d, int64_t grace_ms);

#endif
