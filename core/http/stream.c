/* Answers that are read while they come in.
 *
 * The lane's thread fills a window, the reader empties it. When the reader
 * is slower, the exchange is paused: libcurl stops reading the socket, TCP
 * tells the server. See docs/http.md for why streams have a lane of their
 * own. */
#include <openssl/crypto.h>
#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/http/redirect.h"
#include "core/http/transport.h"

#define DEFAULT_WINDOW ((size_t)1024 * 1024)
#define KEPT_WINDOW ((size_t)16 * 1024)

struct es_http_stream {
    struct es_exchange x; /* first: hooks get at the stream through it */
    struct es_http *http;
    struct es_lane *lane;
    size_t limit;

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* anything below */
    struct es_buf window;
    bool opened, ended, cancelled;
    bool paused;         /* the lane waits for the reader */
    struct es_error err; /* the lane's until `ended` */
};

/* ---- on the lane's thread ---- */

static void stream_head(struct es_exchange *x)
{
    struct es_http_stream *s = (struct es_http_stream *)x;

    /* The bounds of opening end here; those of reading begin. */
    x->deadline_ms = ES_HTTP_NEVER;
    x->cancelled = NULL;
    x->last_byte_ms = es_mono_ms();
    es_lane_observe(s->lane, x);
    pthread_mutex_lock(&s->lock);
    s->opened = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static size_t stream_body(struct es_exchange *x, const char *data, size_t len)
{
    struct es_http_stream *s = (struct es_http_stream *)x;
    size_t taken = len;

    x->last_byte_ms = es_mono_ms();
    pthread_mutex_lock(&s->lock);
    /* A piece larger than the window passes when there is nothing before it. */
    if (s->cancelled || (s->window.len > 0 && s->window.len + len > s->limit)) {
        s->paused = true;
        x->paused = true;
        taken = CURL_WRITEFUNC_PAUSE;
    } else
        es_buf_add(&s->window, data, len);
    bool failed = es_buf_failed(&s->window);
    pthread_mutex_unlock(&s->lock);
    pthread_cond_broadcast(&s->changed); /* without the lock, which the reader wants next */
    if (failed) {
        es_exchange_fail(x, ES_E_NOMEM, "out of memory");
        return 0;
    }
    return taken;
}

static void stream_finished(struct es_exchange *x)
{
    struct es_http_stream *s = (struct es_http_stream *)x;

    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static const struct es_exchange_hooks stream_hooks = {
    .head = stream_head, .body = stream_body, .finished = stream_finished};

/* ---- on the caller's thread ---- */

static void stream_free(struct es_http_stream *s)
{
    es_exchange_fini(&s->x);
    es_buf_fini(&s->window);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    es_mem_free(s);
}

static int stream_new(struct es_http_stream **ret, struct es_http *h, const struct es_http_request *req,
                      const struct es_http_stream_opts *opts, int64_t deadline_ms, struct es_error *err)
{
    struct es_http_stream *s = es_mem_calloc(1, sizeof *s);
    int rc;

    if (!s)
        return es_error_nomem(err);
    s->x.hooks = &stream_hooks;
    s->x.keep_copies = true;
    s->x.idle_ms = opts && opts->idle_timeout_ms > 0 ? opts->idle_timeout_ms : 0;
    s->http = h;
    s->limit = opts && opts->window ? opts->window : DEFAULT_WINDOW;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    es_buf_init(&s->window, s->limit + CURL_MAX_WRITE_SIZE);
    rc = es_exchange_prepare(&s->x, req, &h->env, deadline_ms, &s->err);
    s->x.gzip = false;
    if (rc == 0)
        rc = es_http_single_lane(h, ES_HTTP_STREAMS, &s->lane, &s->err);
    if (rc < 0) {
        *err = s->err;
        stream_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

/* Gives status and headers out once they are there. */
static int await_head(struct es_http_stream *s, struct es_http_response *ret_head, struct es_error *err)
{
    pthread_mutex_lock(&s->lock);
    while (!s->opened && !s->ended)
        pthread_cond_wait(&s->changed, &s->lock);
    bool opened = s->opened;
    pthread_mutex_unlock(&s->lock);
    if (!opened) {
        *err = s->err;
        return s->x.code;
    }
    if (es_head_move(&s->x.head, ret_head) < 0)
        return es_error_nomem(err);
    return 0;
}

static int open_once(struct es_http *h, const struct es_http_request *req,
                     const struct es_http_stream_opts *opts, int64_t deadline_ms, struct es_http_stream **ret,
                     struct es_http_response *ret_head, struct es_error *err)
{
    struct es_http_stream *s = NULL;
    int rc;

    rc = stream_new(&s, h, req, opts, deadline_ms, err);
    if (rc < 0)
        return rc;
    __atomic_add_fetch(&h->counters.streams, 1, __ATOMIC_RELAXED);
    es_lane_submit(s->lane, &s->x);
    rc = await_head(s, ret_head, err);
    if (rc < 0) {
        es_http_stream_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

int es_http_stream_open(struct es_http *h, const struct es_http_request *req,
                        const struct es_http_stream_opts *opts, struct es_http_stream **ret,
                        struct es_http_response *ret_head, struct es_error *err)
{
    struct es_error local = ES_ERROR_INIT;
    struct es_http_stream *s = NULL;
    struct es_redirect r;
    int64_t deadline_ms = es_http_deadline(req);
    int rc;

    if (!err)
        err = &local;
    *ret_head = (struct es_http_response){0};
    es_redirect_init(&r, req);
    for (;;) {
        rc = open_once(h, &r.req, opts, deadline_ms, &s, ret_head, err);
        if (rc < 0)
            break;
        rc = es_redirect_next(&r, ret_head, err);
        if (rc == 0) {
            *ret = s;
            break;
        }
        es_http_stream_close(s);
        es_http_response_fini(ret_head);
        if (rc < 0)
            break;
    }
    es_redirect_fini(&r);
    return rc;
}

/* Takes all there is; what a long list needed is not kept for the trickle
 * that follows it. */
static int drain_locked(struct es_http_stream *s, struct es_buf *out, struct es_error *err)
{
    es_buf_add(out, s->window.ptr, s->window.len);
    if (es_buf_failed(out))
        return es_error_set(err, ES_E_TOO_LARGE, "the reader's buffer ends at %zu bytes", out->max);
    OPENSSL_cleanse(s->window.ptr, s->window.len);
    s->window.len = 0;
    if (s->window.cap > KEPT_WINDOW)
        es_buf_fini(&s->window);
    return 1;
}

static int cancelled(struct es_error *err)
{
    return es_error_set(err, ES_E_CANCELLED, "the stream was cancelled");
}

int es_http_stream_read(struct es_http_stream *s, struct es_buf *out, struct es_error *err)
{
    bool resume = false;
    int rc;

    pthread_mutex_lock(&s->lock);
    while (s->window.len == 0 && !s->ended && !s->cancelled)
        pthread_cond_wait(&s->changed, &s->lock);
    if (s->cancelled)
        rc = cancelled(err);
    else if (s->window.len > 0) {
        rc = drain_locked(s, out, err);
        resume = rc > 0 && s->paused;
        if (resume)
            s->paused = false;
    } else {
        rc = s->x.code;
        if (rc < 0 && err)
            *err = s->err;
    }
    pthread_mutex_unlock(&s->lock);
    if (resume)
        es_lane_resume(s->lane, &s->x);
    return rc;
}

void es_http_stream_cancel(struct es_http_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->cancelled = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void es_http_stream_close(struct es_http_stream *s)
{
    if (!s)
        return;
    es_lane_drop(s->lane, &s->x);
    __atomic_sub_fetch(&s->http->counters.streams, 1, __ATOMIC_RELAXED);
    stream_free(s);
}
