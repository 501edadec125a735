#include "core/http/redirect.h"

#include <curl/curl.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

void es_redirect_init(struct es_redirect *r, const struct es_http_request *req)
{
    *r = (struct es_redirect){.req = *req};
}

void es_redirect_fini(struct es_redirect *r)
{
    curl_free(r->url);
    es_mem_free(r->headers);
    *r = (struct es_redirect){0};
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *left = NULL, *right = NULL;
    bool same = curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK && es_strieq(left, right);

    curl_free(left);
    curl_free(right);
    return same;
}

/* Headers that say nothing about who asks. Everything else may be a
 * credential (Authorization, Cookie, X-Vault-Token, ...), so the list is of
 * what may travel. */
static bool may_travel(const char *name)
{
    static const char *const names[] = {"accept",        "accept-encoding", "accept-language",
                                        "cache-control", "range",           "user-agent"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (es_strieq(name, names[i]))
            return true;
    return false;
}

static int leave_origin(struct es_redirect *r)
{
    size_t kept = 0;
    const struct es_http_header *from = r->req.headers;

    if (!r->headers && r->req.header_count > 0) {
        r->headers = es_mem_calloc(r->req.header_count, sizeof *r->headers);
        if (!r->headers)
            return ES_E_NOMEM;
    }
    for (size_t i = 0; i < r->req.header_count; i++)
        if (may_travel(from[i].name))
            r->headers[kept++] = from[i];
    r->req.headers = r->headers;
    r->req.header_count = kept;
    r->req.tls.cert_pem = r->req.tls.key_pem = NULL;
    r->req.tls.cert_len = r->req.tls.key_len = 0;
    r->req.tls.server_name = NULL;
    r->req.ntlm_user = r->req.ntlm_password = NULL;
    return 0;
}

/* Resolves `location` against the present URL. */
static int move_to(struct es_redirect *r, CURLU *old, CURLU *url, const char *location, struct es_error *err)
{
    char *target = NULL, *scheme = NULL;
    int rc = 0;

    CURLUcode bad = curl_url_set(url, CURLUPART_URL, location, CURLU_PATH_AS_IS | CURLU_URLENCODE);
    if (bad != CURLUE_OK || curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        return es_error_set(err, ES_E_CONFIG, "%s: redirected to an address that is none", r->req.method);
    bool left = !same_part(old, url, CURLUPART_SCHEME) || !same_part(old, url, CURLUPART_HOST) ||
                !same_part(old, url, CURLUPART_PORT);
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(url, CURLUPART_URL, &target, 0))
        rc = es_error_nomem(err);
    else if (!es_streq(scheme, "https") && !same_part(old, url, CURLUPART_SCHEME))
        rc = es_error_set(err, ES_E_CONFIG, "%s: redirected from https to %s", r->req.method,
                          es_streq(scheme, "http") ? "http" : "another scheme");
    else if (left && leave_origin(r) < 0)
        rc = es_error_nomem(err);
    if (rc == 0) {
        curl_free(r->url);
        r->url = target;
        r->req.url = target;
        target = NULL;
    }
    curl_free(scheme);
    curl_free(target);
    return rc;
}

int es_redirect_next(struct es_redirect *r, const struct es_http_response *head, struct es_error *err)
{
    const char *location = es_http_response_header(head, "location");
    int rc;

    if (!r->req.follow_redirects || !is_redirect(head->status) || es_str_empty(location))
        return 0;
    if (!es_streq(r->req.method, "GET") && !es_streq(r->req.method, "HEAD"))
        return 0;
    if (r->hops++ == ES_HTTP_MAX_REDIRECTS)
        return es_error_set(err, ES_E_CONFIG, "%s: more than %d redirects", r->req.method,
                            ES_HTTP_MAX_REDIRECTS);
    CURLU *old = curl_url();
    CURLU *url = NULL;
    if (old && curl_url_set(old, CURLUPART_URL, r->req.url, CURLU_PATH_AS_IS) == CURLUE_OK)
        url = curl_url_dup(old);
    rc = url ? move_to(r, old, url, location, err) : es_error_nomem(err);
    curl_url_cleanup(old);
    curl_url_cleanup(url);
    return rc < 0 ? rc : 1;
}
