/* core/http/transport.h: the insides of struct es_http. This room only. */
#ifndef ES_HTTP_TRANSPORT_H
#define ES_HTTP_TRANSPORT_H

#include "core/http/lane.h"
#include "core/http/proxy.h"

#define ES_HTTP_DEFAULT_TIMEOUT_MS 30000

/* Streams keep their connections for long, calls pass them on, prompt ones wait
 * behind nobody. */
enum es_http_single { ES_HTTP_STREAMS, ES_HTTP_SINGLE, ES_HTTP_PROMPT, ES_HTTP_SINGLE_LANES };

struct es_http {
    struct es_lane *shared; /* HTTP/2 where there is TLS and the server has it */
    struct es_lane_opts lane_opts;
    struct es_http_counters counters;
    struct es_proxy_env env;
    char *user_agent, *ca_file;
    size_t single_connections; /* of each host */

    pthread_mutex_t lock; /* guards what follows */
    /* HTTP/1.1. NULL before their first use; they stay once they are there. */
    struct es_lane *single[ES_HTTP_SINGLE_LANES];
    bool stopped;
};

/* The lane for what wants a connection to itself, started when first asked for. */
int es_http_single_lane(struct es_http *h, enum es_http_single which, struct es_lane **ret,
                        struct es_error *err);

int64_t es_http_deadline(const struct es_http_request *req);

#endif
