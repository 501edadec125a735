#include "core/kube/call.h"

#include <pthread.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/login.h"

#define URL_MAX (32 * 1024)
#define HEADERS_MAX (ES_KUBE_LOGIN_HEADERS_MAX + 3)
#define TIMEOUT_MS 30000

/* A connection that was reset says so at once. What took longer may have
 * been a time-out, and trying that again would double the caller's wait. */
#define RESET_MS 1000

struct es_kube {
    struct es_http *http;
    struct es_kube_config *config;
    char *user_agent; /* or NULL */
    int64_t timeout_ms;
    double qps, burst; /* qps 0: no throttle */
    bool prompt;
    const struct es_gate *gate; /* or NULL */
    bool stopped;               /* atomic; set under the lock */

    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t wake;  /* es_kube_stop, for those the throttle holds */
    double tokens;
    int64_t filled_ns;
    struct es_kube_stop_hook *hooks;
};

static int init_waiting(struct es_kube *k)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return ES_E_NOMEM;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (rc != 0)
        return ES_E_NOMEM;
    if (pthread_mutex_init(&k->lock, NULL) == 0)
        return 0;
    pthread_cond_destroy(&k->wake);
    return ES_E_NOMEM;
}

int es_kube_new(struct es_kube **ret, struct es_http *http, struct es_kube_config *take_config,
                const struct es_kube_opts *opts, struct es_error *err)
{
    static const struct es_kube_opts none;
    const struct es_kube_opts *o = opts ? opts : &none;
    struct es_kube *k = es_mem_calloc(1, sizeof *k);

    if (!k)
        goto fail;
    k->http = http;
    k->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    k->qps = o->qps > 0 ? o->qps : 0;
    k->burst = o->burst > 0 ? o->burst : 1;
    k->prompt = o->prompt;
    k->tokens = k->burst;
    k->filled_ns = es_mono_ns();
    if (o->user_agent) {
        k->user_agent = es_mem_strdup(o->user_agent);
        if (!k->user_agent)
            goto fail;
    }
    if (init_waiting(k) < 0)
        goto fail;
    k->config = take_config;
    *ret = k;
    return 0;
fail:
    es_kube_config_free(take_config);
    if (k)
        es_mem_free(k->user_agent);
    es_mem_free(k);
    return es_error_nomem(err);
}

void es_kube_free(struct es_kube *k)
{
    if (!k)
        return;
    es_kube_config_free(k->config);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->wake);
    es_mem_free(k->user_agent);
    es_mem_free(k);
}

void es_kube_set_gate(struct es_kube *k, const struct es_gate *gate)
{
    k->gate = gate;
}

struct es_kube_config *es_kube_config_of(struct es_kube *k)
{
    return k->config;
}

static bool is_set(const bool *flag)
{
    return flag && __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

void es_kube_stop(struct es_kube *k)
{
    es_kube_login_stop(k->config);
    pthread_mutex_lock(&k->lock);
    __atomic_store_n(&k->stopped, true, __ATOMIC_RELEASE);
    for (struct es_kube_stop_hook *hook = k->hooks; hook; hook = hook->next)
        hook->fn(hook->ctx);
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

void es_kube_on_stop(struct es_kube *k, struct es_kube_stop_hook *hook)
{
    pthread_mutex_lock(&k->lock);
    hook->next = k->hooks;
    hook->prev_next = &k->hooks;
    if (hook->next)
        hook->next->prev_next = &hook->next;
    k->hooks = hook;
    if (k->stopped)
        hook->fn(hook->ctx);
    pthread_mutex_unlock(&k->lock);
}

void es_kube_off_stop(struct es_kube *k, struct es_kube_stop_hook *hook)
{
    pthread_mutex_lock(&k->lock);
    if (hook->prev_next) {
        *hook->prev_next = hook->next;
        if (hook->next)
            hook->next->prev_next = hook->prev_next;
        hook->prev_next = NULL;
    }
    pthread_mutex_unlock(&k->lock);
}

/* Takes a token and returns when it may be used: tokens may be owed, so that
 * those who wait are served in the order in which they came. */
static int64_t take_token_locked(struct es_kube *k, int64_t now_ns)
{
    k->tokens += (double)(now_ns - k->filled_ns) / 1e9 * k->qps;
    if (k->tokens > k->burst)
        k->tokens = k->burst;
    k->filled_ns = now_ns;
    k->tokens -= 1;
    return k->tokens >= 0 ? now_ns : now_ns + (int64_t)(-k->tokens / k->qps * 1e9);
}

static void wait_until_locked(struct es_kube *k, int64_t until_ns, const bool *cancelled)
{
    /* The caller's own flag has no condition to wait on, hence the slices. */
    const int64_t slice_ns = 50 * 1000000;

    for (int64_t now = es_mono_ns(); now < until_ns; now = es_mono_ns()) {
        if (k->stopped || is_set(cancelled))
            return;
        int64_t to = cancelled && until_ns - now > slice_ns ? now + slice_ns : until_ns;
        struct timespec ts = {to / 1000000000, (long)(to % 1000000000)};
        pthread_cond_timedwait(&k->wake, &k->lock, &ts);
    }
}

static void throttle(struct es_kube *k, const bool *cancelled)
{
    if (k->qps <= 0)
        return;
    pthread_mutex_lock(&k->lock);
    wait_until_locked(k, take_token_locked(k, es_mono_ns()), cancelled);
    pthread_mutex_unlock(&k->lock);
}

static int check_running(struct es_kube *k, const struct es_kube_call *call, struct es_error *err)
{
    if (is_set(&k->stopped) || is_set(call->cancelled))
        return es_error_set(err, ES_E_CANCELLED, "stopped");
    return 0;
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* RFC 3986, section 2.3: everything else is escaped. */
static void add_escaped(struct es_buf *b, const char *text)
{
    while (*text) {
        size_t plain = 0;
        while (unreserved(text[plain]))
            plain++;
        es_buf_add(b, text, plain);
        text += plain;
        if (*text)
            es_buf_addf(b, "%%%02X", (unsigned)(unsigned char)*text++);
    }
}

void es_query_add(struct es_buf *query, const char *name, const char *value)
{
    if (!value)
        return;
    if (query->len)
        es_buf_addc(query, '&');
    es_buf_adds(query, name);
    es_buf_addc(query, '=');
    add_escaped(query, value);
}

/* Names come from objects that tenants write. One that changes the path must
 * not reach the wire: transports fold "..", servers unescape slashes. */
static bool is_segment(const char *text)
{
    return *text && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 && !strpbrk(text, "/%");
}

static int add_segment(struct es_buf *url, const char *what, const char *text, struct es_error *err)
{
    if (!is_segment(text))
        return es_error_set(err, ES_E_INVALID, "\"%s\" cannot be the %s of an object", text, what);
    es_buf_addc(url, '/');
    add_escaped(url, text);
    return 0;
}

static int add_resource(struct es_buf *url, const struct es_kube_call *call, struct es_error *err)
{
    const struct es_kind *kind = call->kind;
    int rc = 0;

    es_buf_adds(url, *kind->group ? "/apis/" : "/api");
    es_buf_adds(url, kind->group);
    es_buf_addc(url, '/');
    es_buf_adds(url, kind->version);
    if (kind->namespaced && !es_str_empty(call->ns)) {
        es_buf_adds(url, "/namespaces");
        rc = add_segment(url, "namespace", call->ns, err);
    }
    es_buf_addc(url, '/');
    es_buf_adds(url, kind->plural);
    if (rc == 0 && call->name)
        rc = add_segment(url, "name", call->name, err);
    if (rc == 0 && call->subresource) {
        es_buf_addc(url, '/');
        es_buf_adds(url, call->subresource);
    }
    return rc;
}

static int build_url(struct es_buf *url, struct es_kube *k, const struct es_kube_call *call,
                     struct es_error *err)
{
    int rc = 0;

    es_buf_adds(url, es_kube_config_server(k->config));
    if (call->kind)
        rc = add_resource(url, call, err);
    else
        es_buf_adds(url, call->path);
    if (!es_str_empty(call->query)) {
        es_buf_addc(url, '?');
        es_buf_adds(url, call->query);
    }
    if (rc == 0 && es_buf_failed(url))
        rc = es_error_set(err, ES_E_TOO_LARGE, "the request's URL is above %d bytes", URL_MAX);
    return rc;
}

/* What is sent; lives on the stack of the call. */
struct wire {
    struct es_http_request req;
    struct es_http_header headers[HEADERS_MAX];
    struct es_kube_credential cred;
};

static void add_header(struct wire *w, const char *name, const char *value)
{
    if (value && w->req.header_count < HEADERS_MAX)
        w->headers[w->req.header_count++] = (struct es_http_header){name, value};
}

/* Secrets hold them, and a TokenRequest is answered with one. */
static bool is_about_secrets(const struct es_kube_call *call)
{
    return (call->kind && call->kind->holds != ES_HOLDS_NONE) || es_streq(call->subresource, "token");
}

static bool is_write(const struct es_kube_call *call)
{
    return strcmp(call->method, "GET") != 0;
}

static int prepare(struct wire *w, struct es_kube *k, const struct es_kube_call *call, const char *url,
                   struct es_error *err)
{
    const bool *cancelled = call->cancelled ? call->cancelled : &k->stopped;
    int rc = es_kube_login(k->config, cancelled, &w->cred, err);
    if (rc < 0)
        return rc;
    w->req = (struct es_http_request){
        .method = call->method,
        .url = url,
        .headers = w->headers,
        .body = call->body,
        .body_len = call->body_len,
        .tls = w->cred.tls,
        .proxy = es_kube_config_proxy(k->config),
        .api = "kubernetes",
        .timeout_ms = k->timeout_ms,
        .secret = is_about_secrets(call),
        .single = true,
        .prompt = k->prompt,
        .gate = is_write(call) ? k->gate : NULL,
        .cancelled = cancelled,
    };
    add_header(w, "Accept", call->accept ? call->accept : "application/json");
    add_header(w, "Content-Type", call->body ? call->content_type : NULL);
    add_header(w, "User-Agent", k->user_agent);
    for (size_t i = 0; i < w->cred.header_count; i++)
        add_header(w, w->cred.headers[i].name, w->cred.headers[i].value);
    return 0;
}

/* One request, or its opening when `stream` is given. */
struct attempt {
    const struct es_http_stream_opts *opts;
    struct es_http_stream **stream;
};

static void publish(const struct es_kube_call *call, struct es_http_stream *stream)
{
    if (call->publish)
        call->publish(call->publish_ctx, stream);
}

static int send_once(struct es_kube *k, const struct es_kube_call *call, const char *url,
                     const struct attempt *a, uint64_t *ret_generation, struct es_http_response *ret,
                     struct es_error *err)
{
    struct wire w = {0};
    int rc = prepare(&w, k, call, url, err);

    if (rc == 0 && a->stream) {
        rc = es_http_stream_open(k->http, &w.req, a->opts, a->stream, ret, err);
        if (rc == 0)
            publish(call, *a->stream);
    } else if (rc == 0)
        rc = es_http_call(k->http, &w.req, ret, err);
    *ret_generation = w.cred.generation;
    es_kube_credential_fini(&w.cred);
    return rc;
}

static void drop_answer(const struct es_kube_call *call, const struct attempt *a,
                        struct es_http_response *res)
{
    es_http_response_fini(res);
    *res = (struct es_http_response){0};
    if (a->stream && *a->stream) {
        publish(call, NULL);
        es_http_stream_close(*a->stream);
        *a->stream = NULL;
    }
}

/* After a 401: whether there is another credential to try. */
static bool relogin(struct es_kube *k, const struct es_kube_call *call, uint64_t refused)
{
    struct es_kube_credential cred = {0};

    es_kube_config_refused(k->config, refused);
    int rc = es_kube_login(k->config, call->cancelled ? call->cancelled : &k->stopped, &cred, NULL);
    bool changed = rc == 0 && cred.generation != refused;
    es_kube_credential_fini(&cred);
    return changed;
}

/* Sends, and once more where that is known to help: at once on a connection
 * that was reset under an idempotent request, and with a new credential. */
static int send_call(struct es_kube *k, const struct es_kube_call *call, const char *url,
                     const struct attempt *a, struct es_http_response *ret, struct es_error *err)
{
    bool may_resend = strcmp(call->method, "GET") == 0;
    bool may_relogin = true;

    for (;;) {
        uint64_t generation = 0;
        int rc = check_running(k, call, err);
        if (rc < 0)
            return rc;
        int64_t begun_ms = es_mono_ms();
        rc = send_once(k, call, url, a, &generation, ret, err);
        if (rc == ES_E_RETRY && may_resend && generation && es_mono_ms() - begun_ms < RESET_MS) {
            may_resend = false;
        } else if (rc == 0 && ret->status == 401 && may_relogin && relogin(k, call, generation)) {
            may_relogin = false;
        } else {
            return rc;
        }
        drop_answer(call, a, ret);
    }
}

static int refuse(const struct es_kube_call *call, const struct es_http_response *res, const char *body,
                  size_t len, struct es_error *err)
{
    const struct es_kind *kind = call->kind;
    json_t *status = NULL;

    if (len && es_kube_parse(&status, body, len, NULL) < 0)
        status = NULL;
    int rc = es_kube_refusal(status, res->status, es_http_retry_after_ms(res, es_unix_ms()), err);
    if (kind && kind->holds == ES_HOLDS_PLAIN)
        es_kube_refusal_by_fields(status, err);
    /* A resource that is not served has no Status. */
    if (err && rc == ES_E_NOT_FOUND && !status && kind && *kind->group) {
        es_error_set(err, rc, "the API server has no %s.%s/%s; is its CRD installed?", kind->plural,
                     kind->group, kind->version);
        err->http_status = res->status;
    }
    json_decref(status);
    return rc;
}

static bool is_success(const struct es_http_response *res)
{
    return res->status >= 200 && res->status < 300;
}

int es_kube_call(struct es_kube *k, const struct es_kube_call *call, struct es_http_response *ret,
                 struct es_error *err)
{
    struct es_buf url;

    *ret = (struct es_http_response){0};
    es_buf_init(&url, URL_MAX);
    int rc = build_url(&url, k, call, err);
    if (rc == 0) {
        throttle(k, call->cancelled);
        rc = send_call(k, call, es_buf_str(&url), &(struct attempt){0}, ret, err);
    }
    if (rc == 0 && !is_success(ret))
        rc = refuse(call, ret, es_buf_str(&ret->body), ret->body.len, err);
    es_buf_fini(&url);
    return rc;
}

/* The body of a refused stream is a Status; what of it comes soon is read. */
static int refuse_stream(const struct es_kube_call *call, const struct es_http_response *head,
                         struct es_http_stream *s, struct es_error *err)
{
    struct es_buf body;

    es_buf_init(&body, 256 * 1024);
    int64_t until_ms = es_mono_ms() + 5000;
    while (es_mono_ms() < until_ms && es_http_stream_read(s, &body, NULL) > 0)
        ;
    int rc = refuse(call, head, es_buf_str(&body), body.len, err);
    es_buf_fini(&body);
    return rc;
}

int es_kube_call_stream(struct es_kube *k, const struct es_kube_call *call,
                        const struct es_http_stream_opts *opts, struct es_http_stream **ret,
                        struct es_error *err)
{
    struct es_http_response head = {0};
    struct es_http_stream *stream = NULL;
    struct es_buf url;

    es_buf_init(&url, URL_MAX);
    int rc = build_url(&url, k, call, err);
    if (rc == 0) {
        throttle(k, call->cancelled);
        rc = send_call(k, call, es_buf_str(&url), &(struct attempt){opts, &stream}, &head, err);
    }
    if (rc == 0 && !is_success(&head))
        rc = refuse_stream(call, &head, stream, err);
    if (rc == 0) {
        *ret = stream;
        stream = NULL;
    }
    drop_answer(call, &(struct attempt){opts, &stream}, &head);
    es_buf_fini(&url);
    return rc;
}
