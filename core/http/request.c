/* From a request as the caller wrote it to what libcurl wants, as far as it
 * can be made on the caller's thread. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/http/address.h"
#include "core/http/transport.h"

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if (es_str_empty(text))
        return false;
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr(others, *text)))
            return false;
    return true;
}

/* The transport frames messages itself; a caller's word on it would only
 * make two truths. */
static bool is_framing(const char *name)
{
    static const char *const names[] = {"connection", "content-length",    "expect",  "keep-alive",      "te",
                                        "trailer",    "transfer-encoding", "upgrade", "proxy-connection"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (es_strieq(name, names[i]))
            return true;
    return false;
}

static const struct es_http_header *find_header(const struct es_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (es_strieq(req->headers[i].name, name))
            return &req->headers[i];
    return NULL;
}

static int check_headers(const struct es_http_request *req, struct es_error *err)
{
    if (req->header_count > ES_HTTP_MAX_HEADERS)
        return es_error_set(err, ES_E_CONFIG, "%s: more than %d request headers", req->method,
                            ES_HTTP_MAX_HEADERS);
    for (size_t i = 0; i < req->header_count; i++) {
        const struct es_http_header *h = &req->headers[i];
        if (!is_token(h->name))
            return es_error_set(err, ES_E_CONFIG, "%s: request header %zu has no valid name", req->method,
                                i + 1);
        if (!h->value || strpbrk(h->value, "\r\n"))
            return es_error_set(err, ES_E_CONFIG, "%s: request header %s has no valid value", req->method,
                                h->name);
    }
    return 0;
}

/* Lays texts and list nodes out in one block: nodes grow from its start,
 * texts follow them. The same code measures (block NULL) and writes. */
struct layout {
    struct curl_slist *nodes;
    char *text;
    size_t node_count, text_len;
};

static void put_line(struct layout *l, const char *name, const char *separator, const char *value)
{
    size_t name_len = strlen(name), separator_len = strlen(separator), value_len = strlen(value);

    if (l->nodes) {
        char *at = l->text + l->text_len;
        l->nodes[l->node_count] = (struct curl_slist){.data = at};
        if (l->node_count > 0)
            l->nodes[l->node_count - 1].next = &l->nodes[l->node_count];
        memcpy(at, name, name_len);
        memcpy(at + name_len, separator, separator_len);
        memcpy(at + name_len + separator_len, value, value_len + 1);
    }
    l->node_count++;
    l->text_len += name_len + separator_len + value_len + 1;
}

static void put_headers(struct layout *l, const struct es_http_request *req, const char *host)
{
    /* libcurl asks before it sends large bodies over HTTP/1.1 unless told
     * not to, and calls any body a form. */
    put_line(l, "Expect", ":", "");
    if (!find_header(req, "content-type"))
        put_line(l, "Content-Type", ":", "");
    if (host && !find_header(req, "host"))
        put_line(l, "Host", ": ", host);
    for (size_t i = 0; i < req->header_count; i++) {
        const struct es_http_header *h = &req->headers[i];
        if (is_framing(h->name) || (req->accept_gzip && es_strieq(h->name, "accept-encoding")))
            continue;
        /* "Name;" is libcurl's way to write a header without a value. */
        if (h->value[0])
            put_line(l, h->name, ": ", h->value);
        else
            put_line(l, h->name, ";", "");
    }
}

static int build_lists(struct es_exchange *x, const struct es_http_request *req, const char *host,
                       const char *connect_to)
{
    struct layout size = {0};

    put_headers(&size, req, host);
    if (connect_to)
        put_line(&size, "::", connect_to, "");
    size_t nodes = size.node_count * sizeof(struct curl_slist);
    x->block = es_mem_alloc(nodes + size.text_len);
    if (!x->block)
        return ES_E_NOMEM;
    struct layout l = {.nodes = x->block, .text = (char *)x->block + nodes};
    put_headers(&l, req, host);
    x->headers = l.nodes;
    if (connect_to) {
        x->connect_to = &l.nodes[l.node_count];
        put_line(&l, "::", connect_to, "");
        x->connect_to[-1].next = NULL;
    }
    return 0;
}

static int bad_url(const struct es_exchange *x, struct es_error *err, const char *why)
{
    return es_error_set(err, ES_E_CONFIG, "%s: %s", x->method, why);
}

/* The certificate is to be checked against another name than the address
 * has: that name goes into the URL, the address into connect_to and Host. */
static int rename_host(struct es_exchange *x, CURLU *url, const char *name)
{
    if (curl_url_set(url, CURLUPART_HOST, name, 0) != CURLUE_OK)
        return ES_E_CONFIG;
    if (curl_url_get(url, CURLUPART_URL, &x->url_own, 0) != CURLUE_OK)
        return ES_E_NOMEM;
    x->url = x->url_own;
    return 0;
}

static int apply_url(struct es_exchange *x, const struct es_http_request *req, const struct es_proxy_env *env,
                     CURLU *url, struct es_error *err)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    char *plain = NULL;
    int64_t port_number = 0;
    const char *connect_to = NULL;
    int rc = ES_E_NOMEM;

    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        goto out;
    x->https = es_streq(scheme, "https");
    if (!x->https && !es_streq(scheme, "http")) {
        rc = bad_url(x, err, "only http and https are spoken");
        goto out;
    }
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) ||
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        es_parse_i64(port, &port_number) < 0) {
        rc = bad_url(x, err, "bad URL");
        goto out;
    }
    x->host = es_strf("%s:%s", host, port);
    if (!x->host)
        goto out;
    if (!req->proxy) {
        size_t len = strlen(host);
        bool v6 = host[0] == '[' && len > 2;
        plain = v6 ? es_strf("%.*s", (int)len - 2, host + 1) : es_strf("%s", host);
        if (!plain)
            goto out;
        x->proxy = es_proxy_pick(env, x->https, plain, (int)port_number);
    }
    if (x->https && !es_str_empty(req->tls.server_name) && !es_streq(req->tls.server_name, host)) {
        rc = rename_host(x, url, req->tls.server_name);
        if (rc == ES_E_CONFIG)
            bad_url(x, err, "bad TLS server name");
        if (rc < 0)
            goto out;
        connect_to = x->host;
    }
    rc = build_lists(x, req, connect_to, connect_to);
out:
    if (rc == ES_E_NOMEM)
        es_error_nomem(err);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    es_mem_free(plain);
    return rc;
}

static int parse_url(struct es_exchange *x, const struct es_http_request *req, const struct es_proxy_env *env,
                     struct es_error *err)
{
    CURLU *url = curl_url();
    int rc;

    if (!url)
        return es_error_nomem(err);
    CURLUcode bad = curl_url_set(url, CURLUPART_URL, req->url ? req->url : "", CURLU_PATH_AS_IS);
    if (bad == CURLUE_OUT_OF_MEMORY)
        rc = es_error_nomem(err);
    else if (bad == CURLUE_UNSUPPORTED_SCHEME)
        rc = bad_url(x, err, "only http and https are spoken");
    else if (bad != CURLUE_OK)
        rc = bad_url(x, err, "bad URL");
    else
        rc = apply_url(x, req, env, url, err);
    curl_url_cleanup(url);
    return rc;
}

/* The name behind a front end, which hears it in place of the URL's host. */
static int ask_for_name(const struct es_exchange *x, const struct es_http_request *req, const char *name,
                        int port, struct es_error *err)
{
    struct es_address at;

    if (!es_address_parse(&at, name))
        return bad_url(x, err, "the Host header or the TLS server name is no name of a host");
    return req->allow(req->allow_ctx, at.host, at.has_port ? at.port : port, err);
}

static int ask_whether_allowed(const struct es_exchange *x, const struct es_http_request *req,
                               struct es_error *err)
{
    struct es_address at;

    if (!es_address_of_url(&at, req->url))
        return bad_url(x, err, "the URL's host is no plain name; write international names as xn--");
    int rc = req->allow(req->allow_ctx, at.host, at.port, err);
    for (size_t i = 0; i < req->header_count && rc == 0; i++)
        if (es_strieq(req->headers[i].name, "host"))
            rc = ask_for_name(x, req, req->headers[i].value, at.port, err);
    if (rc == 0 && x->https && !es_str_empty(req->tls.server_name))
        rc = ask_for_name(x, req, req->tls.server_name, at.port, err);
    return rc;
}

static int check_tls(const struct es_exchange *x, const struct es_http_tls *tls, struct es_error *err)
{
    if (!tls->cert_pem != !tls->key_pem)
        return es_error_set(err, ES_E_CONFIG, "%s: client certificate and key go together", x->method);
    return 0;
}

int es_exchange_prepare(struct es_exchange *x, const struct es_http_request *req,
                        const struct es_proxy_env *env, int64_t deadline_ms, struct es_error *err)
{
    int rc;

    x->err = err;
    x->start_ns = es_mono_ns();
    sem_init(&x->done, 0, 0);
    es_buf_init(&x->head.text, ES_HTTP_MAX_HEADER_BYTES);
    if (!is_token(req->method) || strlen(req->method) >= sizeof x->method)
        return es_error_set(err, ES_E_CONFIG, "bad request method");
    memcpy(x->method, req->method, strlen(req->method) + 1);
    x->url = req->url;
    x->api = req->api ? req->api : "";
    x->proxy = req->proxy;
    x->ntlm_user = req->ntlm_user;
    x->ntlm_password = req->ntlm_password;
    x->tls = req->tls;
    x->body = req->body;
    x->body_len = req->body_len;
    x->gzip = req->accept_gzip;
    x->timeout_ms = req->timeout_ms > 0 ? req->timeout_ms : ES_HTTP_DEFAULT_TIMEOUT_MS;
    x->deadline_ms = deadline_ms;
    x->cancelled = req->cancelled;
    x->gate = req->gate;
    rc = check_headers(req, err);
    if (rc == 0)
        rc = check_tls(x, &req->tls, err);
    if (rc == 0)
        rc = parse_url(x, req, env, err);
    if (rc == 0 && req->allow)
        rc = ask_whether_allowed(x, req, err);
    return rc;
}

bool es_exchange_barred(struct es_exchange *x)
{
    const char *why = es_gate_barred(x->gate);

    if (why)
        es_exchange_fail(x, ES_E_CANCELLED, "%s", why);
    return why != NULL;
}

void es_exchange_fini(struct es_exchange *x)
{
    es_head_fini(&x->head);
    es_mem_free(x->host);
    es_mem_free(x->block);
    curl_free(x->url_own);
    sem_destroy(&x->done);
}
