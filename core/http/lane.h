/* core/http/lane.h: one thread, one libcurl multi handle, one pool of
 * connections. Inside this room only. */
#ifndef ES_HTTP_LANE_H
#define ES_HTTP_LANE_H

#include "core/http/exchange.h"

/* Counted by all lanes; read at any time. Relaxed atomics. */
struct es_http_counters {
    uint64_t requests, failures, connections_opened, bytes_sent, bytes_received;
    size_t in_flight, streams;
};

struct es_lane_opts {
    const char *name; /* of the thread, 15 characters at most */
    const char *user_agent, *ca_file;
    size_t max_host_connections, max_total_connections, max_idle_connections; /* 0: no bound */
    int64_t connect_timeout_ms;
    bool http11;
    void (*observe)(void *ctx, const struct es_http_sample *sample);
    void *observe_ctx;
    struct es_http_counters *counters;
};

/* Texts of `opts` must outlive the lane. */
int es_lane_new(struct es_lane **ret, const struct es_lane_opts *opts, struct es_error *err);

/* When its thread last came by (monotonic): it does so every ten seconds at least. */
int64_t es_lane_beat_ms(const struct es_lane *lane);

/* Everything in flight ends with ES_E_CANCELLED, and so does what comes later. */
void es_lane_stop(struct es_lane *lane);
void es_lane_free(struct es_lane *lane); /* stops and joins; NULL is fine */

/* Any thread. After submit, x belongs to the lane until es_lane_wait or
 * es_lane_drop returned. */
void es_lane_submit(struct es_lane *lane, struct es_exchange *x);
void es_lane_wait(struct es_exchange *x);                         /* once */
void es_lane_resume(struct es_lane *lane, struct es_exchange *x); /* undoes CURL_WRITEFUNC_PAUSE */
void es_lane_drop(struct es_lane *lane,
                  struct es_exchange *x); /* ends it now, and waits for that; instead of es_lane_wait */

/* Tells the observer, once per exchange. Lane's thread. */
void es_lane_observe(struct es_lane *lane, struct es_exchange *x);

#endif
