/* core/ops/server.h: /metrics, /healthz and /readyz over HTTP (libmicrohttpd).
 *
 * healthz says that the process moves, readyz that it works: caches filled,
 * plugins loaded, and if not, why not, a line a reason. Metrics may be served over
 * TLS, and to those only who may read them. TLS is libmicrohttpd's own, which is
 * GnuTLS: a library that is mapped anyhow, since libmicrohttpd links it, and takes
 * memory only when it is used; OpenSSL in front of it would want threads, timeouts
 * and limits of its own for what libmicrohttpd has. */
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
    bool metrics_secure;              /* over TLS, */
    const char *cert_file, *key_file; /* with these, read again when they change; NULL: self-signed */
    /* May the bearer of `token` read the metrics? An HTTP status: 200, 401, 403 or
     * 503. NULL: everybody may. May block; on a thread of the connection's own. */
    unsigned (*authorize)(void *ctx, const char *token);
    void *authorize_ctx;
    /* Does it move? Appends a line for what does not. Any thread. NULL: it does. */
    bool (*alive)(void *ctx, struct es_buf *notes);
    /* Ready? Appends a line for each reason why not, and for what is worth knowing
     * although it is ready; with `verbose` one for all that was looked at. Any thread. */
    bool (*ready)(void *ctx, bool verbose, struct es_buf *notes);
    void *ctx;
};

/* Texts of `opts` must outlive the server. ES_E_CONFIG: an address or a certificate is wrong. */
int es_server_new(struct es_server **ret, const struct es_server_opts *opts, struct es_error *err);
void es_server_free(struct es_server *s); /* NULL is fine */

/* Could somebody listen at this address now? ES_E_CONFIG with what start would fail with. */
int es_server_try(const char *address, struct es_error *err);

/* To be called every second or so: looks after the certificate's files. */
void es_server_tick(struct es_server *s);

/* The ports that were bound; 0: no listener. */
int es_server_metrics_port(const struct es_server *s);
int es_server_live_port(const struct es_server *s);

#endif
