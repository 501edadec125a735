/* core/ops/server.h: /metrics, /healthz and /readyz over HTTP (libmicrohttpd).
 *
 * healthz says that the process lives, readyz that it works: caches filled,
 * plugins loaded, and if not, why not, a line a reason. */
#ifndef ES_OPS_SERVER_H
#define ES_OPS_SERVER_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/metrics.h"

struct es_server;

struct es_server_opts {
    const char *metrics_addr; /* ":8080", "127.0.0.1:0"; "0" or "": none */
    const char *live_addr;
    struct es_metrics *metrics;
    /* Ready? Appends a line for each reason why not, and for what is worth knowing
     * although it is ready. Any thread. */
    bool (*ready)(void *ctx, struct es_buf *notes);
    void *ctx;
};

int es_server_new(struct es_server **ret, const struct es_server_opts *opts, struct es_error *err);
void es_server_free(struct es_server *s); /* NULL is fine */

/* The ports that were bound; 0: no listener. */
int es_server_metrics_port(const struct es_server *s);
int es_server_live_port(const struct es_server *s);

#endif
