/* Calls over HTTP/1.1, with and without TLS: what goes out, what comes back. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "fixture.h"

static struct es_http *http; /* of the test that runs */

static int set_up(void **state)
{
    (void)state;
    http = new_http(&(struct es_http_opts){.user_agent = "esod/test"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct es_http_stats s = stats(http);
    assert_int_equal(s.in_flight, 0);
    es_http_free(http);
    return 0;
}

static void expect_echo(const struct es_http_request *req, const char *first, const char *const *lines)
{
    struct es_http_response res;

    assert_int_equal(must(http, req, &res), 200);
    const char *text = es_buf_str(&res.body);
    if (strncmp(text, first, strlen(first)) != 0)
        fail_msg("wanted %s first, got %s", first, text);
    for (; *lines; lines++) {
        bool absent = **lines == '!';
        if (!strstr(text, *lines + absent) != absent)
            fail_msg("%s: %s", *lines, text);
    }
    es_http_response_fini(&res);
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_get_sends_what_it_was_given(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/echo/../echo?a=%2fb&c"));
    struct es_http_header headers[] = {{"X-One", "1"}, {"X-Empty", ""}, {"Authorization", "Bearer hunter2"}};

    req.headers = headers;
    req.header_count = 3;
    req.url = url("http", h->http, "/echo?a=%2fb&c#fragment");
    expect_echo(&req, "GET /echo?a=%2fb&c\n",
                LINES("\nx-one: 1\n", "\nx-empty: \n", "\nauthorization: Bearer hunter2\n",
                      "\nuser-agent: esod/test\n", "!content-type", "!content-length", "!expect",
                      "!accept-encoding", "!cookie"));
}

static void test_path_is_sent_as_written(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/a/../echo/./%7e"));
    struct es_http_response res;

    /* 404 from a server that does not clean paths either: it saw the dots. */
    assert_int_equal(must(http, &req, &res), 404);
    es_http_response_fini(&res);
}

static void test_bodies_of_all_methods(void **state)
{
    const struct harness *h = *state;
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"};
    char first[64];

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct es_http_request req = get(url("http", h->http, "/echo"));
        req.method = methods[i];
        req.body = "{\"a\":1}";
        req.body_len = 7;
        req.headers = &(struct es_http_header){"Content-Type", "application/json"};
        req.header_count = 1;
        snprintf(first, sizeof first, "%s /echo\n", methods[i]);
        expect_echo(&req, first,
                    LINES("\n\n{\"a\":1}", "\ncontent-length: 7\n", "\ncontent-type: application/json\n"));
    }
}

static void test_methods_without_body_and_reuse_of_handles(void **state)
{
    const struct harness *h = *state;
    static const char *const methods[] = {"GET", "DELETE",  "HEAD", "POST",  "PUT",
                                          "GET", "OPTIONS", "HEAD", "DELETE"};
    char first[64];

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct es_http_request req = get(url("http", h->http, "/echo"));
        struct es_http_response res;
        bool uploads = methods[i][0] == 'P';
        req.method = methods[i];
        snprintf(first, sizeof first, "%s /echo\n", methods[i]);
        assert_int_equal(must(http, &req, &res), 200);
        if (strcmp(methods[i], "HEAD") == 0)
            assert_int_equal(res.body.len, 0);
        else {
            assert_int_equal(strncmp(es_buf_str(&res.body), first, strlen(first)), 0);
            assert_int_equal(strstr(es_buf_str(&res.body), "\ncontent-length: 0\n") != NULL, uploads);
        }
        es_http_response_fini(&res);
    }
    assert_int_equal(stats(http).connections_opened, 1);
}

static void test_large_binary_body_without_expect(void **state)
{
    const struct harness *h = *state;
    size_t len = 3000000;
    char *body = malloc(len);
    struct es_http_request req = get(url("http", h->http, "/echo"));
    struct es_http_response res;

    for (size_t i = 0; i < len; i++)
        body[i] = (char)(i * 7);
    req.method = "POST";
    req.body = body;
    req.body_len = len;
    assert_int_equal(must(http, &req, &res), 200);
    assert_true(res.body.len > len);
    assert_memory_equal(res.body.ptr + res.body.len - len, body, len);
    res.body.ptr[res.body.len - len] = '\0';
    assert_null(strstr(res.body.ptr, "expect"));
    assert_null(strstr(res.body.ptr, "content-type"));
    es_http_response_fini(&res);
    free(body);
}

static void test_framing_headers_are_ours(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/echo"));
    struct es_http_header headers[] = {{"content-length", "9999"},
                                       {"Transfer-Encoding", "chunked"},
                                       {"Connection", "close"},
                                       {"X-Last", "y"}};

    req.method = "POST";
    req.body = "abc";
    req.body_len = 3;
    req.headers = headers;
    req.header_count = 4;
    expect_echo(&req, "POST /echo\n",
                LINES("\ncontent-length: 3\n", "!chunked", "!connection: close", "\nx-last: y\n", "\n\nabc"));
}

static void test_answer_headers(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/headers?n=5"));
    struct es_http_response res;
    char name[16] = "x-0";
    size_t at = 0;

    assert_int_equal(must(http, &req, &res), 200);
    for (size_t i = 0; i < res.header_count; i++)
        if (strncmp(res.headers[i].name, "x-", 2) == 0) {
            name[2] = (char)('0' + at++);
            assert_string_equal(res.headers[i].name, name);
        }
    assert_int_equal(at, 5);
    es_http_response_fini(&res);
    req.url = url("http", h->http, "/echo");
    must(http, &req, &res);
    assert_string_equal(es_http_response_header(&res, "x-mixed-case"), "kept");
    es_http_response_fini(&res);
}

static void test_any_status_is_an_answer(void **state)
{
    const struct harness *h = *state;
    static const int codes[] = {200, 201, 400, 401, 404, 409, 429, 500, 503};
    char path[40];

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct es_http_response res;
        snprintf(path, sizeof path, "/status?code=%d", codes[i]);
        struct es_http_request req = get(url("http", h->http, path));
        assert_int_equal(must(http, &req, &res), codes[i]);
        assert_string_equal(es_buf_str(&res.body), "as asked\n");
        es_http_response_fini(&res);
    }
}

static void test_retry_after_from_the_wire(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/retry?after=7"));
    struct es_http_response res;

    assert_int_equal(must(http, &req, &res), 429);
    assert_int_equal(es_http_retry_after_ms(&res, es_unix_ms()), 7000);
    es_http_response_fini(&res);
    req.url = url("http", h->http, "/retry?after=Wed,%2021%20Oct%202015%2007:28:00%20GMT");
    must(http, &req, &res);
    assert_int_equal(es_http_retry_after_ms(&res, INT64_C(1445412480000) - 5000), 5000);
    es_http_response_fini(&res);
}

static void test_interim_answers_and_trailers_are_left_out(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/hints"));
    struct es_http_response res;

    assert_int_equal(must(http, &req, &res), 200);
    assert_null(es_http_response_header(&res, "link"));
    assert_string_equal(es_http_response_header(&res, "x-final"), "yes");
    es_http_response_fini(&res);
    req.url = url("http", h->http, "/trailers");
    must(http, &req, &res);
    assert_string_equal(es_buf_str(&res.body), "body");
    assert_null(es_http_response_header(&res, "x-trailer"));
    es_http_response_fini(&res);
}

static void test_gzip_only_when_asked_for(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/gzip?n=100000"));
    struct es_http_response res;

    req.accept_gzip = true;
    must(http, &req, &res);
    assert_int_equal(res.body.len, 100000);
    assert_int_equal(res.body.ptr[99999], 'z');
    assert_string_equal(es_http_response_header(&res, "content-encoding"), "gzip");
    es_http_response_fini(&res);
    req.accept_gzip = false;
    must(http, &req, &res);
    assert_int_equal(res.body.len, 100000);
    assert_null(es_http_response_header(&res, "content-encoding"));
    es_http_response_fini(&res);
    req.url = url("http", h->http, "/notgzip");
    must(http, &req, &res);
    assert_string_equal(es_buf_str(&res.body), "this is no gzip at all");
    es_http_response_fini(&res);
    req.accept_gzip = true;
    must_fail(http, &req, ES_E_RETRY, "broken content encoding");
}

static void test_ceiling_of_the_body(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/huge?n=100000"));
    struct es_http_response res;

    req.max_body = 100000;
    must(http, &req, &res);
    assert_int_equal(res.body.len, 100000);
    es_http_response_fini(&res);
    req.max_body = 99999;
    must_fail(http, &req, ES_E_TOO_LARGE, ": answer above 99999 bytes");
    req.url = url("http", h->http, "/chunked?n=100000");
    must_fail(http, &req, ES_E_TOO_LARGE, ": answer above 99999 bytes");
    req.url = url("http", h->http, "/gzip?n=50000000");
    req.accept_gzip = true;
    must_fail(http, &req, ES_E_TOO_LARGE, ": answer above 99999 bytes");
    req.url = url("http", h->http, "/chunked?n=20000000");
    req.max_body = 0;
    must_fail(http, &req, ES_E_TOO_LARGE, ": answer above 16777216 bytes");
}

static void test_ceilings_of_the_head(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/headers?n=250"));
    struct es_http_response res;

    must(http, &req, &res);
    es_http_response_fini(&res);
    req.url = url("http", h->http, "/headers?n=300");
    must_fail(http, &req, ES_E_TOO_LARGE, "more than 256 headers");
    req.url = url("http", h->http, "/headers?n=40&size=2000");
    must_fail(http, &req, ES_E_TOO_LARGE, "headers of the answer above 65536 bytes");
    req.url = url("http", h->http, "/headers?n=1&size=70000");
    must_fail(http, &req, ES_E_TOO_LARGE, "headers of the answer above 65536 bytes");
    req.url = url("http", h->http, "/headers?n=1&size=400000");
    must_fail(http, &req, ES_E_TOO_LARGE, "headers of the answer above 65536 bytes");
    req.url = url("http", h->http, "/endlesshints");
    must_fail(http, &req, ES_E_TOO_LARGE, "headers of the answer above 65536 bytes");
}

static void test_broken_connections_are_to_be_retried(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->closed, "/x"));
    char text[80];

    snprintf(text, sizeof text, "GET http://127.0.0.1:%d: connection refused", h->closed);
    must_fail(http, &req, ES_E_RETRY, text);
    req.url = url("http", h->http, "/reset");
    must_fail(http, &req, ES_E_RETRY, ": connection reset");
    req.url = url("http", h->http, "/close");
    must_fail(http, &req, ES_E_RETRY, ": connection closed without an answer");
    req.url = url("http", h->http, "/cut");
    must_fail(http, &req, ES_E_RETRY, ": answer cut short");
    req.url = url("http", h->garbage, "/");
    must_fail(http, &req, ES_E_RETRY, ": not an HTTP answer");
    req.url = url("https", h->http, "/");
    must_fail(http, &req, ES_E_RETRY, ": TLS: ");
    req.url = "http://name.invalid/";
    must_fail(http, &req, ES_E_RETRY, "GET http://name.invalid:80: cannot resolve the host's name");
}

static void test_bad_requests_do_not_leave(void **state)
{
    const struct harness *h = *state;
    static const char *const addresses[] = {
        "", "no url at all", "http://", "http://a b/", "http://h:x/", "/path", "http://h:99999/", NULL};
    struct es_http_request req = get(NULL);

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        req.url = addresses[i];
        must_fail(http, &req, ES_E_CONFIG, "GET: bad URL");
    }
    req.url = "ftp://127.0.0.1/";
    must_fail(http, &req, ES_E_CONFIG, "GET: only http and https are spoken");
    req.url = "file:///etc/passwd";
    must_fail(http, &req, ES_E_CONFIG, "GET: only http and https are spoken");
    req = get(url("http", h->http, "/echo"));
    req.headers = &(struct es_http_header){"X-Injected", "a\r\nX-Other: b"};
    req.header_count = 1;
    must_fail(http, &req, ES_E_CONFIG, "request header X-Injected has no valid value");
    req.headers = &(struct es_http_header){"X Injected", "hunter2"};
    must_fail(http, &req, ES_E_CONFIG, "request header 1 has no valid name");
    req.header_count = 0;
    req.method = "GET /other HTTP/1.1\r\n";
    must_fail(http, &req, ES_E_CONFIG, "bad request method");
    req.method = NULL;
    must_fail(http, &req, ES_E_CONFIG, "bad request method");
    assert_int_equal(stats(http).requests, 0);
}

static void test_redirects_only_when_asked_for(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/redirect?to=/plain"));
    struct es_http_response res;

    assert_int_equal(must(http, &req, &res), 302);
    assert_string_equal(es_http_response_header(&res, "location"), "/plain");
    es_http_response_fini(&res);
    req.follow_redirects = true;
    assert_int_equal(must(http, &req, &res), 200);
    assert_string_equal(es_buf_str(&res.body), "ok\n");
    es_http_response_fini(&res);
    req.method = "POST";
    assert_int_equal(must(http, &req, &res), 302);
    es_http_response_fini(&res);
    req.method = "GET";
    req.url = url("http", h->http, "/countdown?n=5");
    assert_int_equal(must(http, &req, &res), 200);
    assert_string_equal(es_buf_str(&res.body), "landed\n");
    es_http_response_fini(&res);
    req.url = url("http", h->http, "/countdown?n=6");
    must_fail(http, &req, ES_E_CONFIG, "more than 5 redirects");
    req.url = url("http", h->http, "/loop?n=0");
    must_fail(http, &req, ES_E_CONFIG, "more than 5 redirects");
    req.url = url("http", h->http, "/redirect?to=file:///etc/passwd");
    must_fail(http, &req, ES_E_CONFIG, "redirected");
    req.url = url("http", h->http, "/redirect?to=gopher://127.0.0.1/");
    must_fail(http, &req, ES_E_CONFIG, "redirected");
}

static void test_credentials_stay_with_their_host(void **state)
{
    const struct harness *h = *state;
    char path[200];
    struct es_http_header headers[] = {{"Authorization", "Bearer hunter2"},
                                       {"X-Vault-Token", "hunter2"},
                                       {"Accept", "text/x"},
                                       {"Cookie", "hunter2"}};
    struct es_http_request req = {.method = "GET",
                                  .timeout_ms = 20000,
                                  .proxy = "",
                                  .follow_redirects = true,
                                  .headers = headers,
                                  .header_count = 4};

    req.url = url("http", h->http, "/redirect?to=/echo");
    expect_echo(&req, "GET /echo\n",
                LINES("authorization: Bearer hunter2", "x-vault-token: hunter2", "accept: text/x"));
    snprintf(path, sizeof path, "/redirect?to=http://localhost:%d/echo", h->http);
    req.url = url("http", h->http, path);
    expect_echo(&req, "GET /echo\n", LINES("!hunter2", "accept: text/x"));
}

static void test_no_way_back_from_tls(void **state)
{
    const struct harness *h = *state;
    char path[200];
    char *ca = harness_read(h, "ca.pem");

    snprintf(path, sizeof path, "/redirect?to=http://127.0.0.1:%d/echo", h->http);
    struct es_http_request req = tls_get(url("https", h->https, path), ca);
    req.follow_redirects = true;
    must_fail(http, &req, ES_E_CONFIG, "redirected from https to http");
    free(ca);
}

/* ---- where a request may go ---- */

/* Allows one host and notes what it was asked about. */
struct gate {
    const char *host;
    char asked[512];
};

static int only_one(void *ctx, const char *host, int port, struct es_error *err)
{
    struct gate *g = ctx;
    size_t at = strlen(g->asked);

    snprintf(g->asked + at, sizeof g->asked - at, "%s%s:%d", at ? " " : "", host, port);
    return strcmp(host, g->host) == 0 ? 0 : es_error_set(err, ES_E_DENIED, "not to %s", host);
}

static struct es_http_request gated(struct gate *g, const char *host, const char *address)
{
    struct es_http_request req = get(address);

    *g = (struct gate){.host = host};
    req.allow = only_one;
    req.allow_ctx = g;
    req.follow_redirects = true;
    return req;
}

static void test_whoever_asks_is_told_the_true_host(void **state)
{
    static const struct {
        const char *url, *asked;
    } cases[] = {
        {"https://evil.example", "evil.example:443"},
        {"http://evil.example/a?b#c", "evil.example:80"},
        {"https://good.example@evil.example/", "evil.example:443"},
        {"https://good.example:pass@evil.example:8443/", "evil.example:8443"},
        {"https://evil.example/@good.example", "evil.example:443"},
        {"https://evil.example?@good.example", "evil.example:443"},
        {"https://evil.example#@good.example", "evil.example:443"},
        {"https://good.example\\@evil.example/", "evil.example:443"},
        {"https://EVIL.Example./", "evil.example:443"},
        {"https://ev%69l.example/", "evil.example:443"},
        {"https:/evil.example/", "evil.example:443"},
        {"https:///evil.example/", "evil.example:443"},
        {"http://0x7f.1/", "127.0.0.1:80"},
        {"http://2130706433/", "127.0.0.1:80"},
        {"http://[2001:DB8:0::1]/", "[2001:db8::1]:80"},
        {"http://[fe80::1%25eth0]:81/", "[fe80::1]:81"},
    };
    struct gate g;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct es_http_request req = gated(&g, "good.example", cases[i].url);
        must_fail(http, &req, ES_E_DENIED, "not to ");
        assert_string_equal(g.asked, cases[i].asked);
    }
    assert_int_equal(stats(http).requests, 0);
}

/* What libcurl would turn into another name must not pass as something else:
 * it is asked for in its plain form, or not sent. */
static void test_international_names_are_asked_for_in_plain_form(void **state)
{
    static const char *const addresses[] = {
        "https://b\xC3\xBC"
        "cher.example/",                    /* xn--bcher-kva.example */
        "https://\xEF\xBD\x85vil.example/", /* a wide e */
        "https://good.example\xE3\x80\x82"
        "evil/", /* a dot of another script */
    };
    struct gate g;
    (void)state;

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct es_http_request req = gated(&g, "good.example", addresses[i]);
        struct es_http_response res;
        int rc = es_http_call(http, &req, &res, NULL);
        es_http_response_fini(&res);
        assert_true(rc == ES_E_CONFIG || rc == ES_E_DENIED);
        for (const char *c = g.asked; *c; c++)
            assert_in_range(*c, ' ', '~');
    }
    assert_int_equal(stats(http).requests, 0);
}

static void test_redirects_are_asked_for_too(void **state)
{
    const struct harness *h = *state;
    char path[300], asked[100];
    struct gate g;
    struct es_http_response res;

    struct es_http_request req = gated(&g, "127.0.0.1", url("http", h->http, "/countdown?n=2"));
    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    snprintf(asked, sizeof asked, "127.0.0.1:%d 127.0.0.1:%d 127.0.0.1:%d", h->http, h->http, h->http);
    assert_string_equal(g.asked, asked);

    snprintf(path, sizeof path, "/redirect?to=http://127.0.0.1@LOCALHOST:%d/echo", h->http);
    req = gated(&g, "127.0.0.1", url("http", h->http, path));
    must_fail(http, &req, ES_E_DENIED, "not to localhost");
    snprintf(asked, sizeof asked, "127.0.0.1:%d localhost:%d", h->http, h->http);
    assert_string_equal(g.asked, asked);

    /* A relative address to another host. */
    snprintf(path, sizeof path, "/redirect?to=//localhost:%d/echo", h->http);
    req = gated(&g, "127.0.0.1", url("http", h->http, path));
    must_fail(http, &req, ES_E_DENIED, "not to localhost");
    assert_int_equal(stats(http).requests, 5); /* three and two that were led astray */
}

static void test_streams_are_asked_for_too(void **state)
{
    const struct harness *h = *state;
    struct es_http_stream *s = NULL;
    struct es_http_response head;
    struct es_error err = ES_ERROR_INIT;
    struct gate g;

    struct es_http_request req = gated(&g, "good.example", url("http", h->http, "/lines?n=1"));
    assert_int_equal(es_http_stream_open(http, &req, NULL, &s, &head, &err), ES_E_DENIED);
    assert_string_equal(err.text, "not to 127.0.0.1");
    assert_null(s);
    es_http_response_fini(&head);
    assert_int_equal(stats(http).requests, 0);
}

/* One address may serve many: by the name in the head, or in the handshake. */
static void test_names_behind_a_front_end_are_asked_for_too(void **state)
{
    const struct harness *h = *state;
    struct es_http_header headers[] = {{"Host", "127.0.0.1"}, {"hOST", "Evil.example:81"}};
    char asked[100];
    struct gate g;

    struct es_http_request req = gated(&g, "127.0.0.1", url("http", h->http, "/echo"));
    req.headers = headers;
    req.header_count = 2;
    must_fail(http, &req, ES_E_DENIED, "not to evil.example");
    snprintf(asked, sizeof asked, "127.0.0.1:%d 127.0.0.1:%d evil.example:81", h->http, h->http);
    assert_string_equal(g.asked, asked);
    headers[1].value = "evil.example/127.0.0.1";
    must_fail(http, &req, ES_E_CONFIG, "GET: the Host header or the TLS server name is no name of a host");

    req = gated(&g, "127.0.0.1", url("https", h->https, "/echo"));
    req.tls.server_name = "evil.example";
    must_fail(http, &req, ES_E_DENIED, "not to evil.example");
    assert_int_equal(stats(http).requests, 0);
}

static struct es_http_sample last;
static char last_host[80], last_api[20], last_method[20];
static int samples;

static void observe(void *ctx, const struct es_http_sample *sample)
{
    assert_ptr_equal(ctx, &last);
    last = *sample;
    snprintf(last_host, sizeof last_host, "%s", sample->host);
    snprintf(last_api, sizeof last_api, "%s", sample->api);
    snprintf(last_method, sizeof last_method, "%s", sample->method);
    samples++;
}

static void test_observer_and_stats(void **state)
{
    const struct harness *h = *state;
    struct es_http *watched = new_http(&(struct es_http_opts){.observe = observe, .observe_ctx = &last});
    struct es_http_request req = get(url("http", h->http, "/slow?ms=30"));
    struct es_http_response res;
    char host[40];

    req.api = "vault";
    must(watched, &req, &res);
    es_http_response_fini(&res);
    snprintf(host, sizeof host, "127.0.0.1:%d", h->http);
    assert_int_equal(samples, 1);
    assert_string_equal(last_host, host);
    assert_string_equal(last_api, "vault");
    assert_string_equal(last_method, "GET");
    assert_int_equal(last.status, 200);
    assert_int_equal(last.code, 0);
    assert_true(last.new_connection);
    assert_in_range(last.duration_us, 30000, 5000000);
    must(watched, &req, &res);
    es_http_response_fini(&res);
    assert_false(last.new_connection);
    req.url = url("http", h->closed, "/");
    req.api = NULL;
    must_fail(watched, &req, ES_E_RETRY, "refused");
    assert_int_equal(samples, 3);
    assert_int_equal(last.status, 0);
    assert_int_equal(last.code, ES_E_RETRY);
    assert_string_equal(last_api, "");
    struct es_http_stats s = stats(watched);
    assert_int_equal(s.requests, 3);
    assert_int_equal(s.failures, 1);
    assert_int_equal(s.connections_opened, 1);
    assert_in_range(s.bytes_sent, 100, 2000);
    assert_in_range(s.bytes_received, 100, 2000);
    assert_int_equal(s.in_flight, 0);
    assert_int_equal(s.streams, 0);
    es_http_free(watched);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get_sends_what_it_was_given),
        TEST(test_path_is_sent_as_written),
        TEST(test_bodies_of_all_methods),
        TEST(test_methods_without_body_and_reuse_of_handles),
        TEST(test_large_binary_body_without_expect),
        TEST(test_framing_headers_are_ours),
        TEST(test_answer_headers),
        TEST(test_any_status_is_an_answer),
        TEST(test_retry_after_from_the_wire),
        TEST(test_interim_answers_and_trailers_are_left_out),
        TEST(test_gzip_only_when_asked_for),
        TEST(test_ceiling_of_the_body),
        TEST(test_ceilings_of_the_head),
        TEST(test_broken_connections_are_to_be_retried),
        TEST(test_bad_requests_do_not_leave),
        TEST(test_redirects_only_when_asked_for),
        TEST(test_credentials_stay_with_their_host),
        TEST(test_no_way_back_from_tls),
        TEST(test_whoever_asks_is_told_the_true_host),
        TEST(test_international_names_are_asked_for_in_plain_form),
        TEST(test_redirects_are_asked_for_too),
        TEST(test_streams_are_asked_for_too),
        TEST(test_names_behind_a_front_end_are_asked_for_too),
        TEST(test_observer_and_stats),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
