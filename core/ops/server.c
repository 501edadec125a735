#include "core/ops/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/certificate.h"

#define TEXT_MAX ((size_t)128 << 10)
#define PIECE_MAX ((size_t)1 << 20)
#define BLOCK ((size_t)32 << 10)
#define PAGE_MS 60000 /* how long somebody may take for a page of metrics */
#define NOTES_MAX ((size_t)64 << 10)
#define CONNECTIONS_MAX 32
#define CONNECTION_TIMEOUT_S 10
#define THREAD_STACK ((size_t)256 * 1024)
#define LOOK_EVERY_MS 10000
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct listener {
    struct es_server *server;
    struct MHD_Daemon *daemon;
    bool metrics; /* else health */
    int port;
    int fd; /* on which it listens; -1: none */
};

struct es_server {
    struct es_server_opts opts;
    struct listener metrics, live;

    /* Only the thread that calls es_server_tick: */
    struct es_certificate certificate;
    struct MHD_Daemon *retiring; /* ends the connections that began with the last certificate */
    int64_t retire_at_ms, look_at_ms;
    char complaint[ES_ERROR_TEXT_MAX]; /* about the files, as it was logged */
};

/* ---- pages ---- */

static enum MHD_Result queue(struct MHD_Connection *conn, unsigned status, const char *type,
                             struct MHD_Response *response)
{
    MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    enum MHD_Result rc = MHD_queue_response(conn, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result answer(struct MHD_Connection *conn, unsigned status, struct es_buf *body)
{
    char *text = es_buf_failed(body) ? NULL : es_mem_strdup(es_buf_str(body));

    if (!text)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(strlen(text), text, es_mem_free);
    if (!response) {
        es_mem_free(text);
        return MHD_NO;
    }
    return queue(conn, status, "text/plain; charset=utf-8", response);
}

static enum MHD_Result answer_text(struct MHD_Connection *conn, unsigned status, const char *text)
{
    struct es_buf body;

    es_buf_init(&body, TEXT_MAX);
    es_buf_adds(&body, text);
    enum MHD_Result rc = answer(conn, status, &body);
    es_buf_fini(&body);
    return rc;
}

/* ---- metrics ---- */

/* A page on its way: ten thousand objects are some megabytes, of which never more
 * than a piece is in memory. */
struct stream {
    struct es_metrics_page *page;
    struct es_buf piece;
    size_t sent; /* of the piece */
    int64_t until_ms;
};

static void stream_free(void *ctx)
{
    struct stream *s = ctx;

    es_metrics_page_close(s->page);
    es_buf_fini(&s->piece);
    free(s);
}

static bool next_piece(struct stream *s)
{
    es_buf_reset(&s->piece);
    s->sent = 0;
    while (!s->piece.len)
        if (!es_metrics_page_next(s->page, &s->piece))
            return false;
    return true;
}

static ssize_t read_stream(void *ctx, uint64_t pos, char *out, size_t max)
{
    struct stream *s = ctx;

    (void)pos;
    if (es_mono_ms() > s->until_ms)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (s->sent == s->piece.len && !next_piece(s))
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (es_buf_failed(&s->piece))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = s->piece.len - s->sent < max ? s->piece.len - s->sent : max;
    memcpy(out, s->piece.ptr + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static enum MHD_Result metrics_page(const struct listener *l, struct MHD_Connection *conn)
{
    struct stream *s = calloc(1, sizeof *s);

    if (!s)
        return MHD_NO;
    es_buf_init(&s->piece, PIECE_MAX);
    s->until_ms = es_mono_ms() + PAGE_MS;
    s->page = es_metrics_page_open(l->server->opts.metrics);
    struct MHD_Response *response =
        s->page ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, s, stream_free)
                : NULL;
    if (!response) {
        stream_free(s);
        return MHD_NO;
    }
    return queue(conn, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", response);
}

/* 200, or why whoever asks gets nothing. */
static unsigned admit(const struct es_server_opts *o, struct MHD_Connection *conn)
{
    static const char scheme[] = "Bearer ";
    const char *value = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Authorization");

    if (!o->authorize)
        return MHD_HTTP_OK;
    if (!value || strncasecmp(value, scheme, sizeof scheme - 1) != 0)
        return MHD_HTTP_UNAUTHORIZED;
    return o->authorize(o->authorize_ctx, value + sizeof scheme - 1 + strspn(value + sizeof scheme - 1, " "));
}

static enum MHD_Result serve_metrics(const struct listener *l, struct MHD_Connection *conn, const char *path)
{
    unsigned status = admit(&l->server->opts, conn);

    if (status == MHD_HTTP_UNAUTHORIZED)
        return answer_text(conn, status, "a bearer token is needed\n");
    if (status == MHD_HTTP_FORBIDDEN)
        return answer_text(conn, status, "this token's user may not get /metrics\n");
    if (status != MHD_HTTP_OK)
        return answer_text(conn, status, "the API server does not say who may read this\n");
    return es_streq(path, "/metrics") ? metrics_page(l, conn)
                                      : answer_text(conn, MHD_HTTP_NOT_FOUND, "not found\n");
}

/* ---- health ---- */

static bool is_alive(const struct es_server_opts *o, struct es_buf *notes)
{
    if (!o->alive || o->alive(o->ctx, notes))
        return true;
    /* Perhaps the whole process stood still and this thread is the first to go on. */
    usleep(200000);
    es_buf_reset(notes);
    return o->alive(o->ctx, notes);
}

static enum MHD_Result note_verbose(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    (void)value;
    if (es_streq(key, "verbose"))
        *(bool *)ctx = true;
    return MHD_YES;
}

static enum MHD_Result serve_health(const struct listener *l, struct MHD_Connection *conn, const char *path)
{
    const struct es_server_opts *o = &l->server->opts;
    bool good, verbose = false, ready = es_streq(path, "/readyz");
    struct es_buf notes, body;

    if (!ready && !es_streq(path, "/healthz"))
        return answer_text(conn, MHD_HTTP_NOT_FOUND, "not found\n");
    es_buf_init(&notes, NOTES_MAX);
    es_buf_init(&body, TEXT_MAX);
    MHD_get_connection_values(conn, MHD_GET_ARGUMENT_KIND, note_verbose, &verbose);
    good = ready ? o->ready(o->ctx, verbose, &notes) : is_alive(o, &notes);
    es_buf_adds(&body, good ? "ok" : ready ? "not ready" : "stuck");
    es_buf_addf(&body, "%s%s", notes.len ? "\n" : "", es_buf_str(&notes));
    enum MHD_Result rc = answer(conn, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, &body);
    es_buf_fini(&notes);
    es_buf_fini(&body);
    return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    const struct listener *l = ctx;

    (void)version;
    (void)upload;
    (void)state;
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (!es_streq(method, "GET") && !es_streq(method, "HEAD"))
        return answer_text(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
    return l->metrics ? serve_metrics(l, conn, path) : serve_health(l, conn, path);
}

/* ---- listening ---- */

/* "host:port", ":port", "[::1]:port" */
static int split_address(const char *address, char host[256], char port[16], struct es_error *err)
{
    const char *colon = strrchr(address, ':');
    int64_t n;

    if (!colon || es_parse_i64(colon + 1, &n) < 0 || n < 0 || n > 65535 || (size_t)(colon - address) >= 256)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is no address like :8080 or 127.0.0.1:8080", address);
    snprintf(port, 16, "%lld", (long long)n);
    size_t len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(host, 256, "%.*s", (int)len, address);
    return 0;
}

static int bind_to(const struct addrinfo *ai)
{
    int on = 1, off = 0;
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6) /* ":8080" means both families */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 64) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int listen_on(const char *address, struct es_error *err)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *list = NULL;
    int fd = -1;
    int rc = split_address(address, host, port, err);

    if (rc < 0)
        return rc;
    rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (rc)
        return es_error_set(err, ES_E_CONFIG, "cannot listen on %s: %s", address, gai_strerror(rc));
    /* IPv6 first for the wildcard: that socket serves IPv4 as well. */
    for (int pass = 0; pass < 2 && fd < 0; pass++)
        for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
            if ((ai->ai_family == AF_INET6) == (pass == 0))
                fd = bind_to(ai);
    int saved = errno;
    freeaddrinfo(list);
    return fd >= 0 ? fd : es_error_set(err, ES_E_CONFIG, "cannot listen on %s: %s", address, strerror(saved));
}

int es_server_try(const char *address, struct es_error *err)
{
    int fd = listen_on(address, err);

    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static int port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;

    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

/* A server on the listener's socket. It gets a descriptor of its own: with the next
 * certificate another one takes over, and for a moment both listen. */
static struct MHD_Daemon *start_daemon(struct listener *l)
{
    const struct es_server *s = l->server;
    const bool tls = l->metrics && s->opts.metrics_secure, asks = l->metrics && s->opts.authorize;
    struct MHD_OptionItem none = {MHD_OPTION_END, 0, NULL};
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)es_buf_str(&s->certificate.chain)},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)es_buf_str(&s->certificate.key)},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    /* A question to the API server must not hold up who asks meanwhile. */
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC | (tls ? MHD_USE_TLS : 0) |
                     (asks ? MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL : MHD_USE_AUTO);
    int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return NULL;
    struct MHD_Daemon *d = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S, MHD_OPTION_THREAD_STACK_SIZE,
        THREAD_STACK, MHD_OPTION_ARRAY, tls ? options : &none, MHD_OPTION_END);
    if (!d)
        close(fd);
    return d;
}

static int start(struct listener *l, const char *address, struct es_error *err)
{
    if (es_str_empty(address) || es_streq(address, "0"))
        return 0;
    l->fd = listen_on(address, err);
    if (l->fd < 0)
        return l->fd;
    l->port = port_of(l->fd);
    l->daemon = start_daemon(l);
    return l->daemon ? 0 : es_error_set(err, ES_E_INTERNAL, "cannot serve on %s", address);
}

/* ---- the certificate ---- */

static int get_certificate(const struct es_server_opts *o, struct es_certificate *ret, struct es_error *err)
{
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return es_error_set(err, ES_E_CONFIG, "--metrics-secure: this libmicrohttpd was built without TLS");
    if (!o->cert_file)
        return es_certificate_make(ret, err);
    int rc = es_certificate_load(ret, o->cert_file, o->key_file, err);
    return rc < 0 ? es_error_wrap(err, "--metrics-cert-dir: ") : 0;
}

static bool same(const struct es_buf *a, const struct es_buf *b)
{
    return a->len == b->len && memcmp(es_buf_str(a), es_buf_str(b), a->len) == 0;
}

/* New connections get the new certificate. Those that there are have a while to
 * end; a scraper that keeps its own comes back with another. */
static void change_certificate(struct es_server *s, struct es_certificate *take_new)
{
    struct MHD_Daemon *old = s->metrics.daemon;
    struct es_certificate last = s->certificate;

    s->certificate = *take_new;
    s->metrics.daemon = start_daemon(&s->metrics);
    if (!s->metrics.daemon) {
        s->metrics.daemon = old;
        es_certificate_fini(&s->certificate);
        s->certificate = last;
        es_log_plain(ES_WARN, "metrics", "the new certificate is not taken; the last one stays");
        return;
    }
    es_certificate_fini(&last);
    MHD_socket fd = MHD_quiesce_daemon(old);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    if (s->retiring)
        MHD_stop_daemon(s->retiring);
    s->retiring = old;
    s->retire_at_ms = es_mono_ms() + CONNECTION_TIMEOUT_S * 1000;
    es_log_plain(ES_INFO, "metrics", "the certificate has changed");
}

static void look_at_files(struct es_server *s)
{
    struct es_certificate now = {0};
    struct es_error err = ES_ERROR_INIT;

    if (get_certificate(&s->opts, &now, &err) < 0) {
        /* Halfway through a change perhaps: the files are looked at again. */
        if (!es_streq(s->complaint, err.text))
            es_log(ES_WARN, "metrics", "the certificate's files cannot be used; the last one stays",
                   ES_F_STR("error", err.text));
        snprintf(s->complaint, sizeof s->complaint, "%s", err.text);
        return;
    }
    s->complaint[0] = '\0';
    if (same(&now.chain, &s->certificate.chain) && same(&now.key, &s->certificate.key))
        es_certificate_fini(&now);
    else
        change_certificate(s, &now);
}

void es_server_tick(struct es_server *s)
{
    int64_t now_ms = es_mono_ms();

    if (s->retiring && now_ms >= s->retire_at_ms) {
        MHD_stop_daemon(s->retiring);
        s->retiring = NULL;
    }
    if (!s->metrics.daemon || !s->opts.metrics_secure || !s->opts.cert_file || now_ms < s->look_at_ms)
        return;
    s->look_at_ms = now_ms + LOOK_EVERY_MS;
    look_at_files(s);
}

/* ---- life ---- */

static int start_metrics(struct es_server *s, struct es_error *err)
{
    const char *address = s->opts.metrics_addr;
    int rc = 0;

    if (es_str_empty(address) || es_streq(address, "0"))
        return 0;
    if (s->opts.metrics_secure)
        rc = get_certificate(&s->opts, &s->certificate, err);
    if (rc < 0)
        return rc;
    s->look_at_ms = es_mono_ms() + LOOK_EVERY_MS;
    rc = start(&s->metrics, address, err);
    return rc < 0 ? es_error_wrap(err, "--metrics-addr: ") : 0;
}

int es_server_new(struct es_server **ret, const struct es_server_opts *opts, struct es_error *err)
{
    struct es_server *s = calloc(1, sizeof *s);

    if (!s)
        return es_error_nomem(err);
    s->opts = *opts;
    s->metrics = (struct listener){.server = s, .metrics = true, .fd = -1};
    s->live = (struct listener){.server = s, .fd = -1};
    int rc = start(&s->live, opts->live_addr, err);
    rc = rc < 0 ? es_error_wrap(err, "--live-addr: ") : start_metrics(s, err);
    if (rc < 0) {
        es_server_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static void stop_listener(struct listener *l)
{
    if (l->daemon)
        MHD_stop_daemon(l->daemon);
    if (l->fd >= 0)
        close(l->fd);
}

void es_server_free(struct es_server *s)
{
    if (!s)
        return;
    if (s->retiring)
        MHD_stop_daemon(s->retiring);
    stop_listener(&s->metrics);
    stop_listener(&s->live);
    es_certificate_fini(&s->certificate);
    free(s);
}

int es_server_metrics_port(const struct es_server *s)
{
    return s->metrics.port;
}

int es_server_live_port(const struct es_server *s)
{
    return s->live.port;
}
