/* core/http/http.h: the one transport. Every byte esod sends over a network
 * goes through here: to the API server, and for plugins to their backends.
 *
 * One thread runs a libcurl multi handle; callers on any other thread block
 * until their answer is there, their deadline passed, or the transport stops.
 * Connections are pooled and shared: hundreds of calls use a handful of
 * HTTP/2 connections. Bodies may carry secrets, so every buffer is wiped;
 * those for which even libcurl's connection buffers matter say so (`secret`)
 * and go, like calls that ask for it (`single`) and streams, over HTTP/1.1 by
 * further such threads, which start when first needed. docs/http.md tells why. */
#ifndef ES_HTTP_HTTP_H
#define ES_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/gate.h"

struct es_http;
struct es_http_stream;

/* What one request was, for metrics. Texts are borrowed during the call. */
struct es_http_sample {
    const char *api; /* the caller's label */
    const char *method;
    const char *host; /* host:port */
    int status;       /* 0: no answer */
    int code;         /* es_code of the outcome */
    int64_t duration_us;
    bool new_connection;
};

struct es_http_opts {
    const char *user_agent;
    size_t max_host_connections; /* 0: 8 */
    size_t max_idle_connections; /* 0: 64 */
    size_t single_connections;   /* per host, for `secret` and `single` calls; more of them wait. 0: 28 */
    int64_t connect_timeout_ms;  /* 0: 10 s */
    /* Called once per request, when its outcome (of a stream: of opening it)
     * is known, on one of the transport's threads; must not block. */
    void (*observe)(void *ctx, const struct es_http_sample *sample);
    void *observe_ctx;
};

/* Whom to trust and who we are. Texts and PEM are borrowed for the call. */
struct es_http_tls {
    const char *ca_pem; /* NULL: the system's roots, or what SSL_CERT_FILE names */
    size_t ca_len;
    const char *cert_pem, *key_pem; /* client certificate, both or none */
    size_t cert_len, key_len;
    const char *server_name; /* checked instead of the URL's host, or NULL */
    bool insecure;           /* accept any server certificate */
};

struct es_http_header {
    /* The value may be secret: never logged. Framing headers (Connection,
     * Content-Length, Transfer-Encoding, ...) of a request are left out. */
    const char *name, *value;
};

struct es_http_request {
    const char *method; /* "GET", ... */
    const char *url;    /* http or https only */
    const struct es_http_header *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
    struct es_http_tls tls;
    const char *proxy;  /* NULL: from the environment (HTTPS_PROXY, NO_PROXY, ...); "": none */
    const char *api;    /* metric label, NULL is "" */
    int64_t timeout_ms; /* the whole call; 0: 30 s */
    size_t max_body;    /* ceiling of the answer; 0: 16 MiB */
    bool accept_gzip;   /* ask for and undo content encodings */
    /* GET and HEAD only, same scheme or up to https, 5 at most. To another
     * scheme, host or port only harmless headers go along (Accept, Range,
     * User-Agent, ...) and no client certificate. */
    bool follow_redirects;
    /* Body or answer hold secret values: nothing of them is to stay in
     * memory afterwards. Costs HTTP/2: libcurl and nghttp2 keep the last
     * bytes of a shared connection in buffers that nobody can wipe. */
    bool secret;
    /* Has a connection (HTTP/1.1) to itself while it runs, as `secret` has. For
     * a host that is asked all the time by few at once: sharing one with HTTP/2
     * saves nothing there, and its buffers take memory. */
    bool single;
    /* Log in with NTLM when the server asks for it; NULL: not. Such a login holds for a
     * connection, so this one is the call's own and ends with it (HTTP/1.1). Both or none;
     * only to the origin of the URL, and only where es_http_speaks_ntlm. libcurl takes each
     * byte for a character: the name is ASCII, the password Latin-1. */
    const char *ntlm_user, *ntlm_password;
    /* Has to go out and come back however busy everybody else is: HTTP/1.1 over
     * connections for such requests only. One whose answer does not come in time
     * takes its connection along, so the next try gets a fresh one. */
    bool prompt;
    /* Asked on the transport's thread as late as can be: when a connection is
     * there and the first byte would leave, and again for as long as the answer
     * has not begun. Barred: no further byte leaves, and the call ends with
     * ES_E_CANCELLED and the gate's sentence. May be NULL. */
    const struct es_gate *gate;
    const bool *cancelled; /* polled with __atomic loads, every 100 ms; may be NULL */
    /* Whether this request may go to `host` (in the form of core/http/address.h)
     * at `port`: 0, or an error that becomes the call's. Asked on the caller's
     * thread before anything leaves, for the URL and again for each redirect;
     * and for a Host header and a TLS server name, by which a front end that
     * serves many may choose another one behind it. Of a proxy it knows nothing:
     * the URL's host counts. May be NULL. */
    int (*allow)(void *ctx, const char *host, int port, struct es_error *err);
    void *allow_ctx;
};

struct es_http_response {
    int status;
    struct es_buf body;
    struct es_http_header *headers; /* of the last answer, names in lower case, order kept */
    size_t header_count;
};

/* libcurl's global set-up happens here: before the first thread, once per
 * process. `opts` may be NULL. */
int es_http_new(struct es_http **ret, const struct es_http_opts *opts, struct es_error *err);

/* Whether libcurl was built with NTLM. */
bool es_http_speaks_ntlm(void);

/* Cancels whatever is in flight (callers get ES_E_CANCELLED) and refuses new
 * calls. Any thread. Streams end with ES_E_CANCELLED. */
void es_http_stop(struct es_http *h);

/* Stops, joins the threads. All calls must have returned (es_http_stop makes
 * them) and all streams be closed. NULL is fine. */
void es_http_free(struct es_http *h);

/* Blocks. 0 when there is an answer, whatever its status. Otherwise
 * ES_E_RETRY (connection refused or reset, name resolution, time-out of the
 * connection, an answer cut short or garbled), ES_E_CANCELLED (deadline of the call, `cancelled`, stop),
 * ES_E_TOO_LARGE (body or header ceiling: 256 headers, 64 KiB),
 * ES_E_CONFIG (bad URL, bad PEM, a redirect that is not followed),
 * what `allow` said, ES_E_DENIED (the server's certificate is not trusted, ours is not wanted,
 * or the proxy asks for credentials). The text names method,
 * host and reason, never a header, query or body. *ret is to be passed to
 * es_http_response_fini in any case once this was called. */
int es_http_call(struct es_http *h, const struct es_http_request *req, struct es_http_response *ret,
                 struct es_error *err);
void es_http_response_fini(struct es_http_response *r); /* wipes; zeroes are fine */
const char *es_http_response_header(const struct es_http_response *r, const char *lower_name); /* or NULL */

/* Retry-After of an answer in ms (seconds or HTTP-date, RFC 9110 section
 * 10.2.3), 0 when absent. At most one hour. */
int64_t es_http_retry_after_ms(const struct es_http_response *r, int64_t now_unix_ms);

/* Date of an answer in ms since 1970, cut to whole seconds; 0 when absent. */
int64_t es_http_date_ms(const struct es_http_response *r);

/* A request whose answer is read in pieces as it arrives (watches). Opening
 * blocks until the response headers are there: on return ret_head
 * holds status and headers (its body stays empty; es_http_response_fini it). The answer's body is buffered up
 * to `window` bytes; when the reader is slower, the connection waits (flow control), nothing is lost.
 * timeout_ms of the request bounds opening only; idle_timeout_ms ends the
 * stream with ES_E_RETRY when no byte came for so long (0: never). */
struct es_http_stream_opts {
    int64_t idle_timeout_ms;
    size_t window; /* 0: 1 MiB */
};
int es_http_stream_open(struct es_http *h, const struct es_http_request *req,
                        const struct es_http_stream_opts *opts, struct es_http_stream **ret,
                        struct es_http_response *ret_head, struct es_error *err);

/* Blocks until some bytes are there and appends all that are to `out`.
 * Returns 1, 0 at the regular end of the body, or an error as es_http_call
 * has them (also ES_E_TOO_LARGE when `out` is full). One reader at a time. */
int es_http_stream_read(struct es_http_stream *s, struct es_buf *out, struct es_error *err);

/* Makes a blocked and every later read return ES_E_CANCELLED. Any thread. */
void es_http_stream_cancel(struct es_http_stream *s);

/* Ends the request and frees the handle; no read may be in flight. NULL is fine. */
void es_http_stream_close(struct es_http_stream *s);

struct es_http_stats {
    uint64_t requests, failures, connections_opened, bytes_sent, bytes_received;
    size_t in_flight, streams;
};
void es_http_stats(struct es_http *h, struct es_http_stats *ret);

/* When each of the transport's threads has last come by (monotonic ms), the one
 * that is longest ago. They come by every ten seconds at least. */
int64_t es_http_beat_ms(struct es_http *h);

#endif
