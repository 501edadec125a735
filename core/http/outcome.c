/* What went wrong, as a decision and a sentence.
 *
 * libcurl's own messages may quote URLs and answers, so sentences are made
 * here. From libcurl come numbers only, and the reason strings of OpenSSL,
 * which are constants. */
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/http/exchange.h"
#include "core/http/slot.h"

int es_exchange_fail(struct es_exchange *x, int code, const char *fmt, ...)
{
    char reason[400];
    va_list ap;

    if (x->code)
        return x->code;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    x->code = code;
    return es_error_set(x->err, code, "%s %s://%s: %s", x->method, x->https ? "https" : "http",
                        x->host ? x->host : "?", reason);
}

static const char *errno_reason(CURL *easy)
{
    long number = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    switch (number) {
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
        return "connection reset";
    case EHOSTUNREACH:
        return "no route to host";
    case ENETUNREACH:
        return "network unreachable";
    case ETIMEDOUT:
        return "connection timed out";
    case EACCES:
    case EPERM:
        return "connection not permitted";
    default:
        return "cannot connect";
    }
}

/* "error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0":
 * the words between "::" and the comma. */
static bool openssl_reason(const struct es_slot *slot, char *out, size_t size)
{
    const char *mark = strstr(slot->text, "routines:");
    const char *start = mark ? strrchr(mark, ':') : NULL;

    if (!start)
        return false;
    start++;
    size_t len = strcspn(start, ",\r\n");
    if (len == 0 || len >= size)
        return false;
    memcpy(out, start, len);
    out[len] = '\0';
    return true;
}

/* Alerts that say: not with this certificate. Trying again does not help. */
static bool is_refusal(const char *reason)
{
    static const char *const words[] = {
        "certificate required", "bad certificate",     "unknown ca",          "access denied",
        "certificate expired",  "certificate revoked", "certificate unknown", "unsupported certificate"};

    if (!strstr(reason, "alert"))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(reason, words[i]))
            return true;
    return false;
}

static void fail_untrusted(struct es_exchange *x)
{
    long result = X509_V_OK;

    curl_easy_getinfo(x->slot->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    /* libcurl compares the name itself, before it records OpenSSL's verdict. */
    if (result == X509_V_OK || result == X509_V_ERR_UNSPECIFIED)
        es_exchange_fail(x, ES_E_DENIED, "certificate verify failed: it is not valid for this host");
    else
        es_exchange_fail(x, ES_E_DENIED, "certificate verify failed: %s",
                         X509_verify_cert_error_string(result));
}

/* A connection that broke, at whatever point. */
static void fail_broken(struct es_exchange *x, const char *otherwise)
{
    char reason[120];
    long connect_code = 0, number = 0;

    curl_easy_getinfo(x->slot->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
    if (connect_code >= 300) {
        es_exchange_fail(x, connect_code == 407 ? ES_E_DENIED : ES_E_RETRY, "the proxy answered %ld",
                         connect_code);
        return;
    }
    if (openssl_reason(x->slot, reason, sizeof reason)) {
        es_exchange_fail(x, is_refusal(reason) ? ES_E_DENIED : ES_E_RETRY, "TLS: %s", reason);
        return;
    }
    curl_easy_getinfo(x->slot->easy, CURLINFO_OS_ERRNO, &number);
    es_exchange_fail(x, ES_E_RETRY, "%s",
                     number == ECONNRESET || strstr(x->slot->text, "reset by peer") ? "connection reset"
                                                                                    : otherwise);
}

static const struct verdict {
    CURLcode rc;
    int code;
    const char *text;
} verdicts[] = {
    {CURLE_URL_MALFORMAT, ES_E_CONFIG, "bad URL or proxy address"},
    {CURLE_COULDNT_RESOLVE_PROXY, ES_E_RETRY, "cannot resolve the proxy's name"},
    {CURLE_COULDNT_RESOLVE_HOST, ES_E_RETRY, "cannot resolve the host's name"},
    {CURLE_OPERATION_TIMEDOUT, ES_E_RETRY, "no connection in time"},
    {CURLE_SSL_CERTPROBLEM, ES_E_CONFIG, "client certificate or key is not usable"},
    {CURLE_SSL_CACERT_BADFILE, ES_E_CONFIG, "CA certificates cannot be read"},
    {CURLE_PARTIAL_FILE, ES_E_RETRY, "answer cut short"},
    {CURLE_GOT_NOTHING, ES_E_RETRY, "connection closed without an answer"},
    {CURLE_BAD_CONTENT_ENCODING, ES_E_RETRY, "answer with a broken content encoding"},
    {(CURLcode)100 /* CURLE_TOO_LARGE, since 8.6 */, ES_E_TOO_LARGE, "answer too large"},
    {CURLE_FILESIZE_EXCEEDED, ES_E_TOO_LARGE, "answer too large"},
    /* Schemes were checked before: this is an answer without a status line. */
    {CURLE_UNSUPPORTED_PROTOCOL, ES_E_RETRY, "not an HTTP answer"},
    {CURLE_WEIRD_SERVER_REPLY, ES_E_RETRY, "not an HTTP answer"},
};

void es_outcome_set(struct es_exchange *x, CURLcode rc)
{
    if (rc == CURLE_OK || x->code)
        return;
    switch (rc) {
    case CURLE_COULDNT_CONNECT:
        es_exchange_fail(x, ES_E_RETRY, "%s", errno_reason(x->slot->easy));
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
        fail_untrusted(x);
        return;
    case CURLE_OUT_OF_MEMORY:
        /* Also what libcurl before 8.7 says of a header line above 100 KiB. */
        if (x->head.status && !x->head.complete)
            es_exchange_fail(x, ES_E_TOO_LARGE, "headers of the answer above %zu bytes",
                             ES_HTTP_MAX_HEADER_BYTES);
        else
            es_exchange_fail(x, ES_E_NOMEM, "out of memory");
        return;
    case CURLE_SSL_CONNECT_ERROR:
        fail_broken(x, "TLS handshake failed");
        return;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PROXY:
        fail_broken(x, x->head.complete ? "answer cut short" : "connection broken");
        return;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (verdicts[i].rc == rc) {
            es_exchange_fail(x, verdicts[i].code, "%s", verdicts[i].text);
            return;
        }
    es_exchange_fail(x, ES_E_RETRY, "transport error %d", (int)rc);
}
