#include "core/http/http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/http/lane.h"
#include "core/http/redirect.h"
#include "core/http/transport.h"

#define DEFAULT_MAX_BODY ((size_t)16 * 1024 * 1024)
#define MAX_FIRST_RESERVE ((int64_t)1024 * 1024)
#define MAX_SINGLE_CONNECTIONS 512
#define DEFAULT_CONNECTIONS 28 /* a worker each, and some for what goes on beside them */

/* ---- the transport ---- */

static int own_text(char **ret, const char *text)
{
    if (es_str_empty(text))
        return 0;
    *ret = es_mem_strdup(text);
    return *ret ? 0 : ES_E_NOMEM;
}

static struct es_lane_opts shared_lane_opts(struct es_http *h, const struct es_http_opts *opts)
{
    return (struct es_lane_opts){
        .name = "http",
        .user_agent = h->user_agent,
        .ca_file = h->ca_file,
        .max_host_connections = opts->max_host_connections ? opts->max_host_connections : 8,
        .max_idle_connections = opts->max_idle_connections ? opts->max_idle_connections : 64,
        .connect_timeout_ms = opts->connect_timeout_ms > 0 ? opts->connect_timeout_ms : 10000,
        .observe = opts->observe,
        .observe_ctx = opts->observe_ctx,
        .counters = &h->counters,
    };
}

int es_http_new(struct es_http **ret, const struct es_http_opts *opts, struct es_error *err)
{
    static const struct es_http_opts defaults;
    struct es_http *h = NULL;
    int rc = ES_E_NOMEM;

    if (!opts)
        opts = &defaults;
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, es_mem_alloc, es_mem_free, es_mem_realloc, es_mem_strdup,
                             es_mem_calloc) != CURLE_OK)
        return es_error_set(err, ES_E_INTERNAL, "libcurl does not start");
    h = es_mem_calloc(1, sizeof *h);
    if (!h) {
        curl_global_cleanup();
        return es_error_nomem(err);
    }
    pthread_mutex_init(&h->lock, NULL);
    if (own_text(&h->user_agent, opts->user_agent) < 0 ||
        own_text(&h->ca_file, getenv("SSL_CERT_FILE")) < 0 || es_proxy_env_init(&h->env) < 0) {
        rc = es_error_nomem(err);
        goto out;
    }
    h->lane_opts = shared_lane_opts(h, opts);
    h->single_connections = opts->single_connections ? opts->single_connections : DEFAULT_CONNECTIONS;
    rc = es_lane_new(&h->shared, &h->lane_opts, err);
    if (rc < 0)
        goto out;
    *ret = h;
    h = NULL;
out:
    es_http_free(h);
    return rc;
}

bool es_http_speaks_ntlm(void)
{
    return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_NTLM) != 0;
}

void es_http_stop(struct es_http *h)
{
    pthread_mutex_lock(&h->lock);
    h->stopped = true;
    struct es_lane *single[ES_HTTP_SINGLE_LANES];
    memcpy(single, h->single, sizeof single);
    pthread_mutex_unlock(&h->lock);
    es_lane_stop(h->shared);
    for (int i = 0; i < ES_HTTP_SINGLE_LANES; i++)
        if (single[i])
            es_lane_stop(single[i]);
}

void es_http_free(struct es_http *h)
{
    if (!h)
        return;
    es_lane_free(h->shared);
    for (int i = 0; i < ES_HTTP_SINGLE_LANES; i++)
        es_lane_free(h->single[i]);
    es_proxy_env_fini(&h->env);
    es_mem_free(h->user_agent);
    es_mem_free(h->ca_file);
    pthread_mutex_destroy(&h->lock);
    es_mem_free(h);
    curl_global_cleanup();
}

int es_http_single_lane(struct es_http *h, enum es_http_single which, struct es_lane **ret,
                        struct es_error *err)
{
    const struct {
        const char *name;
        size_t per_host; /* 0: as many as there are users */
    } lanes[] = {[ES_HTTP_STREAMS] = {"http-streams", 0},
                 [ES_HTTP_SINGLE] = {"http-single", h->single_connections},
                 [ES_HTTP_PROMPT] = {"http-prompt", 0}};
    int rc = 0;

    pthread_mutex_lock(&h->lock);
    if (h->stopped)
        rc = es_error_set(err, ES_E_CANCELLED, "the transport stops");
    else if (!h->single[which]) {
        struct es_lane_opts opts = h->lane_opts;
        opts.name = lanes[which].name;
        opts.http11 = true;
        opts.max_host_connections = lanes[which].per_host;
        opts.max_total_connections = MAX_SINGLE_CONNECTIONS;
        rc = es_lane_new(&h->single[which], &opts, err);
    }
    *ret = h->single[which];
    pthread_mutex_unlock(&h->lock);
    return rc;
}

int64_t es_http_beat_ms(struct es_http *h)
{
    int64_t oldest = es_lane_beat_ms(h->shared);

    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < ES_HTTP_SINGLE_LANES; i++)
        if (h->single[i] && es_lane_beat_ms(h->single[i]) < oldest)
            oldest = es_lane_beat_ms(h->single[i]);
    pthread_mutex_unlock(&h->lock);
    return oldest;
}

void es_http_stats(struct es_http *h, struct es_http_stats *ret)
{
    const struct es_http_counters *c = &h->counters;

    *ret = (struct es_http_stats){
        .requests = __atomic_load_n(&c->requests, __ATOMIC_RELAXED),
        .failures = __atomic_load_n(&c->failures, __ATOMIC_RELAXED),
        .connections_opened = __atomic_load_n(&c->connections_opened, __ATOMIC_RELAXED),
        .bytes_sent = __atomic_load_n(&c->bytes_sent, __ATOMIC_RELAXED),
        .bytes_received = __atomic_load_n(&c->bytes_received, __ATOMIC_RELAXED),
        .in_flight = __atomic_load_n(&c->in_flight, __ATOMIC_RELAXED),
        .streams = __atomic_load_n(&c->streams, __ATOMIC_RELAXED),
    };
}

/* ---- calls ---- */

struct call {
    struct es_exchange x; /* first: hooks get at the call through it */
    struct es_buf body;
};

/* One allocation instead of a dozen when the answer says how long it is. */
static void reserve(struct es_buf *b, int64_t length)
{
    if (b->ptr || length <= 0 || length > MAX_FIRST_RESERVE || (size_t)length > b->max)
        return;
    b->ptr = es_mem_alloc((size_t)length + 1);
    if (!b->ptr)
        return;
    b->ptr[0] = '\0';
    b->cap = (size_t)length + 1;
}

static void too_large(struct call *c)
{
    es_exchange_fail(&c->x, ES_E_TOO_LARGE, "answer above %zu bytes", c->body.max);
}

static void call_head(struct es_exchange *x)
{
    struct call *c = (struct call *)x;
    const struct es_head *head = &x->head;

    if (head->encoded || head->content_length < 0 || strcmp(x->method, "HEAD") == 0)
        return;
    if ((uint64_t)head->content_length > c->body.max)
        too_large(c);
    else
        reserve(&c->body, head->content_length);
}

static size_t call_body(struct es_exchange *x, const char *data, size_t len)
{
    struct call *c = (struct call *)x;
    struct es_buf *b = &c->body;

    es_buf_add(b, data, len);
    if (!es_buf_failed(b))
        return len;
    if (len > b->max - b->len)
        too_large(c);
    else
        es_exchange_fail(x, ES_E_NOMEM, "out of memory");
    return 0;
}

static const struct es_exchange_hooks call_hooks = {.head = call_head, .body = call_body};

static int call_once(struct es_http *h, const struct es_http_request *req, int64_t deadline_ms,
                     struct es_http_response *ret, struct es_error *err)
{
    struct call c = {.x.hooks = &call_hooks};
    struct es_lane *lane = h->shared;
    int rc;

    es_buf_init(&c.body, req->max_body ? req->max_body : DEFAULT_MAX_BODY);
    rc = es_exchange_prepare(&c.x, req, &h->env, deadline_ms, err);
    if (rc < 0)
        goto out;
    bool alone = req->secret || req->single || req->ntlm_user;
    if (req->prompt || (alone && c.x.https)) {
        rc = es_http_single_lane(h, req->prompt ? ES_HTTP_PROMPT : ES_HTTP_SINGLE, &lane, err);
        if (rc < 0)
            goto out;
    }
    es_lane_submit(lane, &c.x);
    es_lane_wait(&c.x);
    rc = c.x.code;
    if (rc == 0 && es_head_move(&c.x.head, ret) < 0)
        rc = es_error_nomem(err);
    if (rc == 0) {
        ret->body = c.body;
        c.body = (struct es_buf){0};
    }
out:
    es_buf_fini(&c.body);
    es_exchange_fini(&c.x);
    return rc;
}

int64_t es_http_deadline(const struct es_http_request *req)
{
    return es_mono_ms() + (req->timeout_ms > 0 ? req->timeout_ms : ES_HTTP_DEFAULT_TIMEOUT_MS);
}

int es_http_call(struct es_http *h, const struct es_http_request *req, struct es_http_response *ret,
                 struct es_error *err)
{
    struct es_error local = ES_ERROR_INIT;
    struct es_redirect r;
    int64_t deadline_ms = es_http_deadline(req);
    int rc;

    if (!err)
        err = &local;
    *ret = (struct es_http_response){0};
    es_redirect_init(&r, req);
    for (;;) {
        rc = call_once(h, &r.req, deadline_ms, ret, err);
        if (rc < 0)
            break;
        rc = es_redirect_next(&r, ret, err);
        if (rc == 0)
            break;
        es_http_response_fini(ret);
        if (rc < 0)
            break;
    }
    es_redirect_fini(&r);
    return rc;
}
