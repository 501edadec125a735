/* Which proxy is used for what, and what it gets to see. */
#include <stdio.h>
#include <stdlib.h>

#include "core/http/proxy.h"
#include "fixture.h"

static bool is_proxied(const char *none, const char *host, int port)
{
    struct es_proxy_env e = {.https = (char[]){"http://proxy:1"}, .http = (char[]){"http://plain:1"}};
    char list[200];

    snprintf(list, sizeof list, "%s", none);
    e.none = list;
    return *es_proxy_pick(&e, true, host, port) != '\0';
}

static void test_no_proxy(void **state)
{
    static const struct {
        const char *none, *host;
        int port;
        bool proxied;
    } cases[] = {
        {"", "example.com", 443, true},
        {"*", "example.com", 443, false},
        {"example.com", "example.com", 443, false},
        {"example.com", "EXAMPLE.com", 443, false},
        {"example.com", "a.example.com", 443, false},
        {"example.com", "notexample.com", 443, true},
        {".example.com", "a.example.com", 443, false},
        {".example.com", "example.com", 443, true},
        {"*.example.com", "b.example.com", 443, false},
        {"*.example.com", "example.com", 443, true},
        {"other, example.com ,x", "example.com", 443, false},
        {"example.com:8443", "example.com", 443, true},
        {"example.com:8443", "example.com", 8443, false},
        {"10.0.0.0/8", "10.1.2.3", 443, false},
        {"10.0.0.0/8", "11.1.2.3", 443, true},
        {"10.0.0.0/8", "host10.test", 443, true},
        {"10.0.0.0/0", "11.1.2.3", 443, false},
        {"192.168.1.64/26", "192.168.1.127", 443, false},
        {"192.168.1.64/26", "192.168.1.128", 443, true},
        {"10.0.0.0/33", "10.0.0.1", 443, true},
        {"10.0.0.0/x", "10.0.0.1", 443, true},
        {"/8", "10.0.0.1", 443, true},
        {"10.0.0.1", "10.0.0.1", 443, false},
        {"10.0.0.1:443", "10.0.0.1", 443, false},
        {"10.0.0.1:80", "10.0.0.1", 443, true},
        {"0.0.1", "10.0.0.1", 443, true},
        {"fd00::/8", "fd12::1", 443, false},
        {"fd00::/8", "fe12::1", 443, true},
        {"fd00::/8", "10.0.0.1", 443, true},
        {"fd00::1", "fd00::1", 443, false},
        {"[fd00::1]:443", "fd00::1", 443, false},
        {"[fd00::1]:80", "fd00::1", 443, true},
        {"[fd00::1", "fd00::1", 443, true},
        {":", "example.com", 443, true},
        {",,,", "example.com", 443, true},
        {"", "localhost", 443, false},
        {"", "127.9.9.9", 443, false},
        {"", "::1", 443, false},
        {"", "128.0.0.1", 443, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool proxied = is_proxied(cases[i].none, cases[i].host, cases[i].port);
        if (proxied != cases[i].proxied)
            fail_msg("NO_PROXY=%s: %s:%d %s", cases[i].none, cases[i].host, cases[i].port,
                     proxied ? "went to the proxy" : "did not go to the proxy");
    }
}

static void clear_environment(void)
{
    static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                        "NO_PROXY",   "no_proxy",   "ALL_PROXY",   "all_proxy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static void test_variables(void **state)
{
    struct es_proxy_env e;

    (void)state;
    clear_environment();
    assert_int_equal(es_proxy_env_init(&e), 0);
    assert_string_equal(es_proxy_pick(&e, true, "a.test", 443), "");
    es_proxy_env_fini(&e);
    setenv("https_proxy", "http://lower", 1);
    setenv("http_proxy", "http://plain", 1);
    setenv("no_proxy", "b.test", 1);
    assert_int_equal(es_proxy_env_init(&e), 0);
    assert_string_equal(es_proxy_pick(&e, true, "a.test", 443), "http://lower");
    assert_string_equal(es_proxy_pick(&e, false, "a.test", 443), "http://plain");
    assert_string_equal(es_proxy_pick(&e, false, "b.test", 443), "");
    es_proxy_env_fini(&e);
    setenv("HTTPS_PROXY", "http://upper", 1);
    assert_int_equal(es_proxy_env_init(&e), 0);
    assert_string_equal(es_proxy_pick(&e, true, "a.test", 443), "http://upper");
    es_proxy_env_fini(&e);
    clear_environment();
}

/* What the proxy has seen since the last question. */
static void expect_seen(struct es_http *http, const struct harness *h, const char *text)
{
    struct es_http_request req = get(url("http", h->http, "/proxied"));
    struct es_http_response res;

    must(http, &req, &res);
    if (!strstr(es_buf_str(&res.body), text) || (!*text && res.body.len > 0))
        fail_msg("wanted \"%s\", the proxy saw \"%s\"", text, es_buf_str(&res.body));
    es_http_response_fini(&res);
}

static void test_tunnel_hides_credentials(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    char address[100], proxy[100], seen[100];
    struct es_http *http = new_http(NULL);
    struct es_http_response res;

    snprintf(address, sizeof address, "https://service.test:%d/echo", h->https);
    snprintf(proxy, sizeof proxy, "http://user:pass@127.0.0.1:%d", h->proxy);
    struct es_http_request req = tls_get(address, ca);
    req.proxy = proxy;
    req.headers = &(struct es_http_header){"Authorization", "Bearer hunter2"};
    req.header_count = 1;
    assert_int_equal(must(http, &req, &res), 200);
    assert_non_null(strstr(es_buf_str(&res.body), "authorization: Bearer hunter2"));
    assert_null(strstr(es_buf_str(&res.body), "proxy-authorization"));
    assert_null(es_http_response_header(&res, "x-proxy"));
    es_http_response_fini(&res);
    snprintf(seen, sizeof seen, "CONNECT service.test:%d Proxy-Authorization: Basic dXNlcjpwYXNz", h->https);
    expect_seen(http, h, seen);
    es_http_free(http);
    free(ca);
}

static void test_proxy_from_the_environment(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    char address[100], plain[100], proxy[100];
    struct es_http_response res;

    clear_environment();
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", h->proxy);
    setenv("HTTPS_PROXY", proxy, 1);
    setenv("HTTP_PROXY", proxy + strlen("http://"), 1); /* a scheme is not needed */
    setenv("NO_PROXY", "direct.test", 1);
    struct es_http *http = new_http(NULL);
    clear_environment();
    snprintf(address, sizeof address, "https://service.test:%d/echo", h->https);
    struct es_http_request req = tls_get(address, ca);
    req.proxy = NULL;
    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    expect_seen(http, h, "CONNECT service.test");
    snprintf(plain, sizeof plain, "http://service.test:%d/echo", h->http);
    req.url = plain;
    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    expect_seen(http, h, "GET http://service.test");
    /* Excluded or told not to: the name is looked up here, and is not found. */
    req.url = "http://direct.test/";
    must_fail(http, &req, ES_E_RETRY, "cannot resolve the host's name");
    req.url = plain;
    req.proxy = "";
    must_fail(http, &req, ES_E_RETRY, "cannot resolve the host's name");
    req.url = url("http", h->http, "/plain");
    req.proxy = NULL;
    must(http, &req, &res); /* loopback */
    es_http_response_fini(&res);
    expect_seen(http, h, "");
    es_http_free(http);
    free(ca);
}

static int not_to_forbidden(void *ctx, const char *host, int port, struct es_error *err)
{
    snprintf(ctx, 100, "%s:%d", host, port);
    return strstr(host, "forbidden") ? es_error_set(err, ES_E_DENIED, "not to %s", host) : 0;
}

/* Whoever allows hosts is asked about the URL's, not about the proxy's. */
static void test_the_host_behind_the_proxy_is_what_is_allowed(void **state)
{
    const struct harness *h = *state;
    char plain[100], proxy[100], asked[100] = "", want[100];
    struct es_http *http = new_http(NULL);
    struct es_http_response res;

    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", h->proxy);
    snprintf(plain, sizeof plain, "http://Service.test:%d/echo", h->http);
    struct es_http_request req = get(plain);
    req.proxy = proxy;
    req.allow = not_to_forbidden;
    req.allow_ctx = asked;
    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    snprintf(want, sizeof want, "service.test:%d", h->http);
    assert_string_equal(asked, want);
    expect_seen(http, h, "GET http://");
    req.url = "https://forbidden.test/";
    must_fail(http, &req, ES_E_DENIED, "not to forbidden.test");
    expect_seen(http, h, "");
    es_http_free(http);
}

static void test_proxies_that_refuse(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    char proxy[100];
    struct es_http *http = new_http(NULL);
    struct es_http_request req = tls_get("https://forbidden.test/", ca);

    snprintf(proxy, sizeof proxy, "http://user:hunter2@127.0.0.1:%d", h->proxy);
    req.proxy = proxy;
    must_fail(http, &req, ES_E_DENIED, "GET https://forbidden.test:443: the proxy answered 407");
    req.url = "https://broken.test/";
    must_fail(http, &req, ES_E_RETRY, "GET https://broken.test:443: the proxy answered 503");
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", h->closed);
    must_fail(http, &req, ES_E_RETRY, "connection refused");
    req.proxy = "http://proxy.invalid:3128";
    must_fail(http, &req, ES_E_RETRY, "cannot resolve the proxy's name");
    es_http_free(http);
    free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_proxy),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_tunnel_hides_credentials),
        cmocka_unit_test(test_proxy_from_the_environment),
        cmocka_unit_test(test_the_host_behind_the_proxy_is_what_is_allowed),
        cmocka_unit_test(test_proxies_that_refuse),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
