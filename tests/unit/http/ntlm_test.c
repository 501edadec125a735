/* A login with NTLM: the whole of it is one call, and nobody else travels on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static struct es_http_request as_alice(const char *address, const char *ca)
{
    struct es_http_request req = ca ? tls_get(address, ca) : get(address);

    req.ntlm_user = "alice";
    req.ntlm_password = "pass/w\xF6rd";
    req.secret = true;
    return req;
}

static void expect(struct es_http *http, const struct es_http_request *req, int status, const char *body)
{
    struct es_http_response res;

    assert_int_equal(must(http, req, &res), status);
    assert_string_equal(es_buf_str(&res.body), body);
    /* Of the answers on the way nothing is left. */
    assert_null(es_http_response_header(&res, "x-step"));
    es_http_response_fini(&res);
}

static void test_a_login_is_one_call(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    struct es_http *http = new_http(NULL);
    struct es_http_request req = as_alice(url("http", h->http, "/ntlm"), NULL);

    expect(http, &req, 200, "|alice GET\n");
    req.ntlm_user = "TEST\\alice";
    expect(http, &req, 200, "TEST|alice GET\n");
    req = as_alice(url("https", h->https, "/ntlm"), ca);
    req.method = "POST";
    req.body = "the body";
    req.body_len = 8;
    expect(http, &req, 200, "|alice POST\nthe body");
    es_http_free(http);
    free(ca);
}

static void test_a_wrong_password_is_the_servers_answer(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_request req = as_alice(url("http", h->http, "/ntlm"), NULL);

    req.ntlm_password = "password";
    expect(http, &req, 401, "denied\n");
    req = as_alice(url("http", h->http, "/ntlm"), NULL);
    req.ntlm_user = "bob";
    expect(http, &req, 401, "denied\n");
    es_http_free(http);
}

/* The server knows the connection by its login: whoever came next would be alice. */
static void test_nobody_inherits_the_connection(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_request alice = as_alice(url("http", h->http, "/ntlm"), NULL);
    const struct es_http_request nobody = get(url("http", h->http, "/ntlm"));

    for (int i = 0; i < 3; i++) {
        expect(http, &alice, 200, "|alice GET\n");
        expect(http, &nobody, 401, "denied\n");
    }
    alice.ntlm_password = "wrong";
    expect(http, &alice, 401, "denied\n");
    es_http_free(http);
}

/* The same handles serve everybody else afterwards. */
static void test_no_login_stays_behind(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    const struct es_http_request alice = as_alice(url("http", h->http, "/ntlm"), NULL);
    const struct es_http_request nobody = get(url("http", h->http, "/echo"));
    struct es_http_response res;

    expect(http, &alice, 200, "|alice GET\n");
    must(http, &nobody, &res);
    assert_null(strstr(es_buf_str(&res.body), "authorization"));
    es_http_response_fini(&res);
    es_http_free(http);
}

static void test_a_login_stays_with_its_origin(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    char path[200];
    struct es_http *http = new_http(NULL);

    snprintf(path, sizeof path, "/redirect?to=%s", url("https", h->https, "/ntlm"));
    struct es_http_request req = as_alice(url("http", h->http, path), ca);
    req.follow_redirects = true;
    expect(http, &req, 401, "denied\n");
    snprintf(path, sizeof path, "/redirect?to=%s", url("https", h->https, "/ntlm"));
    req.url = url("https", h->https, path);
    expect(http, &req, 200, "|alice GET\n");
    es_http_free(http);
    free(ca);
}

static void *log_in(void *arg)
{
    const struct es_http_request *req = ((void **)arg)[0];
    struct es_http *http = ((void **)arg)[1];

    for (int i = 0; i < 5; i++)
        expect(http, req, 200, "|alice GET\n");
    return NULL;
}

static void test_many_at_once(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_request req = as_alice(url("http", h->http, "/ntlm"), NULL);

    on_threads(12, log_in, (void *[]){&req, http});
    es_http_free(http);
}

static void test_a_cancelled_login_ends(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_request req = as_alice(url("http", h->http, "/slow?ms=5000"), NULL);

    req.timeout_ms = 100;
    must_fail(http, &req, ES_E_CANCELLED, "no answer within 100ms");
    es_http_free(http);
}

static void test_libcurl_has_it(void **state)
{
    (void)state;
    assert_true(es_http_speaks_ntlm());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libcurl_has_it),
        cmocka_unit_test(test_a_login_is_one_call),
        cmocka_unit_test(test_a_wrong_password_is_the_servers_answer),
        cmocka_unit_test(test_nobody_inherits_the_connection),
        cmocka_unit_test(test_no_login_stays_behind),
        cmocka_unit_test(test_a_login_stays_with_its_origin),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_a_cancelled_login_ends),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
