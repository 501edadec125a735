/* tests/unit/http/fixture.h: one request in one line. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <string.h>

#include "harness.h"

/* A transport that lives as long as one test. */
static inline struct es_http *new_http(const struct es_http_opts *opts)
{
    struct es_http *http = NULL;
    struct es_error err = ES_ERROR_INIT;

    if (es_http_new(&http, opts, &err) < 0)
        fail_msg("%s", err.text);
    return http;
}

static inline struct es_http_request get(const char *address)
{
    return (struct es_http_request){.method = "GET", .url = address, .timeout_ms = 20000, .proxy = ""};
}

static inline struct es_http_request tls_get(const char *address, const char *ca)
{
    struct es_http_request req = get(address);

    req.tls.ca_pem = ca;
    req.tls.ca_len = strlen(ca);
    return req;
}

/* Makes the request, checks for success, and returns the status. */
static inline int must(struct es_http *http, const struct es_http_request *req, struct es_http_response *ret)
{
    struct es_error err = ES_ERROR_INIT;

    if (es_http_call(http, req, ret, &err) < 0)
        fail_msg("%s", err.text);
    return ret->status;
}

/* Makes the request and checks how it fails. */
static inline void must_fail(struct es_http *http, const struct es_http_request *req, int code,
                             const char *text)
{
    struct es_http_response res;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_http_call(http, req, &res, &err);

    if (rc != code || err.code != code || !strstr(err.text, text))
        fail_msg("wanted %d \"%s\", got %d/%d \"%s\"", code, text, rc, err.code, err.text);
    assert_int_equal(res.status, 0);
    assert_int_equal(res.body.len, 0);
    es_http_response_fini(&res);
}

static inline struct es_http_stats stats(struct es_http *http)
{
    struct es_http_stats s;
    es_http_stats(http, &s);
    return s;
}

#endif
