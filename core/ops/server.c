#include "core/ops/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"

#define PAGE_MAX ((size_t)256 << 20)
#define NOTES_MAX ((size_t)64 << 10)
#define CONNECTIONS_MAX 32
#define CONNECTION_TIMEOUT_S 10

struct listener {
    struct es_server *server;
    struct MHD_Daemon *daemon;
    bool metrics; /* else health */
    int port;
};

struct es_server {
    struct es_server_opts opts;
    struct listener metrics, live;
};

/* ---- pages ---- */

static enum MHD_Result answer(struct MHD_Connection *conn, unsigned status, const char *type,
                              struct es_buf *body)
{
    char *text = es_buf_failed(body) ? NULL : es_mem_strdup(es_buf_str(body));
    struct MHD_Response *response;

    if (!text)
        return MHD_NO;
    response = MHD_create_response_from_buffer_with_free_callback(strlen(text), text, es_mem_free);
    if (!response) {
        es_mem_free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result rc = MHD_queue_response(conn, status, response);
    MHD_destroy_response(response);
    return rc;
}

static unsigned health_page(const struct listener *l, const char *path, struct es_buf *body)
{
    const struct es_server_opts *o = &l->server->opts;
    struct es_buf notes;

    es_buf_init(&notes, NOTES_MAX);
    if (es_streq(path, "/healthz")) {
        es_buf_adds(body, "ok");
        return MHD_HTTP_OK;
    }
    if (!es_streq(path, "/readyz"))
        return MHD_HTTP_NOT_FOUND;
    bool ready = o->ready(o->ctx, &notes);
    es_buf_adds(body, ready ? "ok" : "not ready");
    es_buf_addf(body, "%s%s", notes.len ? "\n" : "", es_buf_str(&notes));
    es_buf_fini(&notes);
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    const struct listener *l = ctx;
    const char *type = "text/plain; charset=utf-8";
    unsigned status = MHD_HTTP_NOT_FOUND;
    struct es_buf body;

    (void)version;
    (void)upload;
    (void)state;
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    es_buf_init(&body, PAGE_MAX);
    if (!es_streq(method, "GET") && !es_streq(method, "HEAD")) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
    } else if (!l->metrics) {
        status = health_page(l, path, &body);
    } else if (es_streq(path, "/metrics")) {
        status = MHD_HTTP_OK;
        type = "text/plain; version=0.0.4; charset=utf-8";
        es_metrics_write(l->server->opts.metrics, &body);
    }
    if (status >= 400 && !body.len)
        es_buf_adds(&body, status == MHD_HTTP_NOT_FOUND ? "not found\n" : "only GET\n");
    enum MHD_Result rc = answer(conn, status, type, &body);
    es_buf_fini(&body);
    return rc;
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

static int port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;

    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static int start(struct listener *l, const char *address, struct es_error *err)
{
    if (es_str_empty(address) || es_streq(address, "0"))
        return 0;
    int fd = listen_on(address, err);
    if (fd < 0)
        return fd;
    l->port = port_of(fd);
    l->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request, l,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S,
                                 MHD_OPTION_THREAD_STACK_SIZE, (size_t)256 * 1024, MHD_OPTION_END);
    if (l->daemon)
        return 0;
    close(fd);
    return es_error_set(err, ES_E_INTERNAL, "cannot serve on %s", address);
}

int es_server_new(struct es_server **ret, const struct es_server_opts *opts, struct es_error *err)
{
    struct es_server *s = calloc(1, sizeof *s);

    if (!s)
        return es_error_nomem(err);
    s->opts = *opts;
    s->metrics = (struct listener){.server = s, .metrics = true};
    s->live = (struct listener){.server = s};
    int rc = start(&s->live, opts->live_addr, err);
    if (rc < 0)
        es_error_wrap(err, "--live-addr: ");
    if (rc == 0) {
        rc = start(&s->metrics, opts->metrics_addr, err);
        if (rc < 0)
            es_error_wrap(err, "--metrics-addr: ");
    }
    if (rc < 0) {
        es_server_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void es_server_free(struct es_server *s)
{
    if (!s)
        return;
    if (s->metrics.daemon)
        MHD_stop_daemon(s->metrics.daemon);
    if (s->live.daemon)
        MHD_stop_daemon(s->live.daemon);
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
