/* core/http/exchange.h: one request on its way. Inside this room only.
 *
 * An exchange lives in the memory of whoever asked (a call: on the caller's
 * stack, a stream: in its handle). From es_lane_submit until `gone` it
 * belongs to the lane's thread, but for the fields marked otherwise. */
#ifndef ES_HTTP_EXCHANGE_H
#define ES_HTTP_EXCHANGE_H

#include <curl/curl.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/http/http.h"
#include "core/http/proxy.h"

#define ES_HTTP_METHOD_MAX 32
#define ES_HTTP_MAX_HEADERS 256
#define ES_HTTP_MAX_HEADER_BYTES ((size_t)64 * 1024)
#define ES_HTTP_NEVER INT64_MAX

struct es_exchange;
struct es_lane;
struct es_slot;

/* What differs between a call and a stream. All run on the lane's thread. */
struct es_exchange_hooks {
    /* The last header of the answer is there. May be NULL. */
    void (*head)(struct es_exchange *x);
    /* Returns `len`, CURL_WRITEFUNC_PAUSE, or anything else after es_exchange_fail. */
    size_t (*body)(struct es_exchange *x, const char *data, size_t len);
    /* x->code and the error are final. May be NULL. */
    void (*finished)(struct es_exchange *x);
};

/* The answer's head while it comes in: name NUL value NUL ... */
struct es_head {
    struct es_buf text;
    size_t count;
    size_t bytes; /* of all heads of this exchange, interim answers too */
    int status;
    bool complete;
    bool encoded;           /* there is a content-encoding */
    int64_t content_length; /* -1: not told */
};

struct es_exchange {
    const struct es_exchange_hooks *hooks;
    struct es_exchange *prev, *next; /* the lane's list of what is active */

    /* What to ask: fixed before submission. */
    char method[ES_HTTP_METHOD_MAX];
    const char *url; /* borrowed, or url_own */
    char *url_own;   /* curl_free */
    char *host;      /* host:port as texts show it; es_mem_free */
    const char *api; /* borrowed */
    const char *proxy;
    const char *ntlm_user, *ntlm_password; /* borrowed, or NULL */
    struct es_http_tls tls;                /* texts borrowed */
    struct curl_slist *headers;            /* nodes in `block` */
    struct curl_slist *connect_to;         /* node in `block`, or NULL */
    void *block;                           /* es_mem_free */
    const void *body;
    size_t body_len;
    bool https, gzip, keep_copies; /* keep_copies: the caller returns before the end */
    int64_t timeout_ms;            /* for the text */
    int64_t start_ns;

    /* What bounds it. */
    int64_t deadline_ms; /* monotonic, or ES_HTTP_NEVER */
    const bool *cancelled;
    const struct es_gate *gate;    /* or NULL */
    int64_t idle_ms, last_byte_ms; /* idle_ms 0: no bound */
    bool paused;

    /* What came of it. */
    struct es_slot *slot;
    unsigned pieces, pieces_seen; /* what came in, for stall.c */
    int64_t look_at_ms, look_step_ms;
    struct es_head head;
    int code;             /* 0 or es_code; the first failure stays */
    struct es_error *err; /* its text; never NULL */
    bool observed;

    /* Guarded by the lane's lock. */
    struct es_exchange *op_next;
    unsigned wants; /* enum es_want */
    bool op_queued, gone;

    sem_t done; /* posted once, when gone */
};

/* Checks the request and makes what can be made on the caller's thread.
 * `deadline_ms` is monotonic. ES_E_CONFIG, ES_E_NOMEM. es_exchange_fini in
 * any case. */
int es_exchange_prepare(struct es_exchange *x, const struct es_http_request *req,
                        const struct es_proxy_env *env, int64_t deadline_ms, struct es_error *err);
void es_exchange_fini(struct es_exchange *x);

/* Records the first failure: "METHOD scheme://host:port: reason". Returns the code. */
int es_exchange_fail(struct es_exchange *x, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Asks the gate. true: it is barred, and x has failed. */
bool es_exchange_barred(struct es_exchange *x);

/* Takes in one line of the answer's head. false: x has failed. */
bool es_head_line(struct es_exchange *x, const char *line, size_t len);

/* Moves status and headers into an empty `ret`. 0 or ES_E_NOMEM. */
int es_head_move(struct es_head *head, struct es_http_response *ret);
void es_head_fini(struct es_head *head);

/* Turns libcurl's verdict on x->slot into x->code and the error's text. */
void es_outcome_set(struct es_exchange *x, CURLcode rc);

#endif
