#include "core/http/slot.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/mem.h"
#include "core/base/text.h"

#define KEEPALIVE_S 30L
#define UNACKED_MS 30000

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (rc == CURLE_OK)                                                                                  \
            rc = curl_easy_setopt(easy, option, value);                                                      \
    } while (0)

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct es_exchange *x = ctx;
    (void)size; /* always 1 */
    x->pieces++;
    return es_head_line(x, line, count) ? count : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct es_exchange *x = ctx;
    (void)size;
    x->pieces++;
    size_t taken = x->hooks->body(x, data, count);
    /* libcurl's buffer lives as long as the transfer, which for a watch is
     * minutes after the last object came. What was taken is not read again. */
    if (taken == count)
        OPENSSL_cleanse(data, count);
    return taken;
}

/* Called between connection and request, for each attempt that libcurl makes:
 * the call may have waited long for the connection. */
static int on_departure(void *ctx, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    return es_exchange_barred(ctx) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* No child inherits a connection. And a peer that vanished must not hold a
 * shared HTTP/2 connection for the quarter of an hour TCP retransmits: every
 * call would run into its deadline meanwhile. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    unsigned ms = UNACKED_MS;

    (void)ctx;
    (void)purpose;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    return CURL_SOCKOPT_OK;
}

/* OpenSSL otherwise keeps the last record, deciphered, until the next. */
static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *ctx)
{
    (void)easy;
    (void)ctx;
    SSL_CTX_set_options(ssl_ctx, SSL_OP_CLEANSE_PLAINTEXT);
    /* 34 KiB a connection, of which most are idle most of the time. */
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

static CURLcode set_tls_defaults(CURL *easy, const char *ca_file)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L); /* instead of 64 KiB a handle */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* A directory would be trusted besides the caller's CA, and keeps libcurl
     * from caching what it parsed of the file. */
    if (ca_file)
        SET(CURLOPT_CAINFO, ca_file);
    if (ca_file || info->cainfo)
        SET(CURLOPT_CAPATH, NULL);
    if (info->ssl_version && strncmp(info->ssl_version, "OpenSSL/3", 9) == 0)
        SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    SET(CURLOPT_SSLCERTTYPE, "PEM");
    SET(CURLOPT_SSLKEYTYPE, "PEM");
    return rc;
}

static CURLcode set_constants(struct es_slot *slot, const struct es_slot_opts *opts)
{
    CURL *easy = slot->easy;
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_ERRORBUFFER, slot->text);
    SET(CURLOPT_SHARE, opts->share);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* redirect.c */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOPROXY, ""); /* proxy.c decided */
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* Signatures are made over the path as the caller wrote it. */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)opts->connect_timeout_ms);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S / 2);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_PREREQFUNCTION, on_departure);
    if (opts->user_agent)
        SET(CURLOPT_USERAGENT, opts->user_agent);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Otherwise giving up a call whose name is being looked up waits for the
     * resolver, and every other call waits with it. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    if (rc == CURLE_OK)
        rc = set_tls_defaults(easy, opts->ca_file);
    return rc;
}

struct es_slot *es_slot_new(const struct es_slot_opts *opts)
{
    struct es_slot *slot = es_mem_calloc(1, sizeof *slot);

    if (!slot)
        return NULL;
    slot->easy = curl_easy_init();
    if (!slot->easy || set_constants(slot, opts) != CURLE_OK) {
        es_slot_free(slot);
        return NULL;
    }
    return slot;
}

void es_slot_free(struct es_slot *slot)
{
    if (!slot)
        return;
    curl_easy_cleanup(slot->easy);
    es_mem_free(slot);
}

static CURLcode set_method(struct es_slot *slot, const struct es_exchange *x)
{
    CURL *easy = slot->easy;
    CURLcode rc = CURLE_OK;
    const char *m = x->method;
    bool upload = x->body_len > 0 || es_streq(m, "POST") || es_streq(m, "PUT") || es_streq(m, "PATCH");
    bool custom = upload ? !es_streq(m, "POST") : !es_streq(m, "GET") && !es_streq(m, "HEAD");

    if (upload) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body_len);
        if (x->keep_copies && x->body_len > 0)
            SET(CURLOPT_COPYPOSTFIELDS, x->body);
        else
            SET(CURLOPT_POSTFIELDS, x->body_len > 0 ? x->body : "");
    } else {
        if (slot->upload)
            SET(CURLOPT_POSTFIELDS, NULL);
        SET(CURLOPT_HTTPGET, 1L);
        if (es_streq(m, "HEAD"))
            SET(CURLOPT_NOBODY, 1L);
    }
    if (custom || slot->custom_method)
        SET(CURLOPT_CUSTOMREQUEST, custom ? m : NULL);
    slot->upload = upload;
    slot->custom_method = custom;
    return rc;
}

static CURLcode set_blob(CURL *easy, CURLoption option, const char *pem, size_t len, bool copy)
{
    struct curl_blob blob = {(void *)(uintptr_t)pem, len, copy ? CURL_BLOB_COPY : CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, pem ? &blob : NULL);
}

/* libcurl compares these when it looks for a connection to reuse, so an
 * exchange only ever travels with others of the same trust. */
static CURLcode set_tls(struct es_slot *slot, const struct es_exchange *x)
{
    CURL *easy = slot->easy;
    CURLcode rc = CURLE_OK;
    bool ca = x->tls.ca_pem != NULL, cert = x->tls.cert_pem != NULL;

    if (ca || slot->has_ca)
        rc = set_blob(easy, CURLOPT_CAINFO_BLOB, x->tls.ca_pem, x->tls.ca_len, x->keep_copies);
    slot->has_ca = ca;
    if (rc == CURLE_OK && (cert || slot->has_cert)) {
        rc = set_blob(easy, CURLOPT_SSLCERT_BLOB, x->tls.cert_pem, x->tls.cert_len, x->keep_copies);
        if (rc == CURLE_OK)
            rc = set_blob(easy, CURLOPT_SSLKEY_BLOB, x->tls.key_pem, x->tls.key_len, x->keep_copies);
    }
    slot->has_cert = cert;
    if (x->tls.insecure != slot->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, x->tls.insecure ? 0L : 1L);
        SET(CURLOPT_SSL_VERIFYHOST, x->tls.insecure ? 0L : 2L);
        slot->insecure = x->tls.insecure;
    }
    return rc;
}

/* HTTP/2 is agreed upon in the TLS handshake; a second call to a host waits
 * for the first one's to learn whether it may share. Without TLS there is
 * nothing to wait for. */
static CURLcode set_version(struct es_slot *slot, const struct es_exchange *x, bool http11)
{
    CURL *easy = slot->easy;
    CURLcode rc = CURLE_OK;
    bool share = x->https && !http11;

    SET(CURLOPT_HTTP_VERSION, share ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PIPEWAIT, share ? 1L : 0L);
    return rc;
}

/* The server knows the connection by its login, so nobody comes after. */
static CURLcode set_login(struct es_slot *slot, const struct es_exchange *x)
{
    CURL *easy = slot->easy;
    CURLcode rc = CURLE_OK;

    if (!x->ntlm_user)
        return CURLE_OK;
    slot->has_login = true;
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_NTLM);
    SET(CURLOPT_USERNAME, x->ntlm_user);
    SET(CURLOPT_PASSWORD, x->ntlm_password);
    SET(CURLOPT_FORBID_REUSE, 1L);
    return rc;
}

CURLcode es_slot_configure(struct es_slot *slot, struct es_exchange *x, bool http11)
{
    CURL *easy = slot->easy;
    CURLcode rc = CURLE_OK;
    bool proxy = !es_str_empty(x->proxy);

    slot->text[0] = '\0';
    SET(CURLOPT_PRIVATE, x);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_PREREQDATA, x);
    SET(CURLOPT_URL, x->url);
    SET(CURLOPT_HTTPHEADER, x->headers);
    if (x->connect_to || slot->has_connect_to)
        SET(CURLOPT_CONNECT_TO, x->connect_to);
    slot->has_connect_to = x->connect_to != NULL;
    if (proxy || slot->has_proxy)
        SET(CURLOPT_PROXY, proxy ? x->proxy : "");
    slot->has_proxy = proxy;
    if (x->gzip != slot->gzip)
        SET(CURLOPT_ACCEPT_ENCODING, x->gzip ? "gzip" : NULL);
    slot->gzip = x->gzip;
    if (rc == CURLE_OK)
        rc = set_method(slot, x);
    if (rc == CURLE_OK)
        rc = set_tls(slot, x);
    if (rc == CURLE_OK)
        rc = set_version(slot, x, http11);
    if (rc == CURLE_OK)
        rc = set_login(slot, x);
    return rc;
}

void es_slot_clear(struct es_slot *slot)
{
    if (slot->upload)
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, NULL);
    if (slot->has_connect_to)
        curl_easy_setopt(slot->easy, CURLOPT_CONNECT_TO, NULL);
    slot->has_connect_to = false;
}
