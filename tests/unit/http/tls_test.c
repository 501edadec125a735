/* Whom the transport trusts, and who it says it is. */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

static struct es_http *http;
static char *ca, *other_ca, *alone, *cert, *key;

static int start(void **state)
{
    harness_start(state);
    ca = harness_read(*state, "ca.pem");
    other_ca = harness_read(*state, "other-ca.pem");
    alone = harness_read(*state, "alone.pem");
    cert = harness_read(*state, "client.pem");
    key = harness_read(*state, "client.key");
    return 0;
}

static int stop(void **state)
{
    free(ca);
    free(other_ca);
    free(alone);
    free(cert);
    free(key);
    return harness_stop(state);
}

static int set_up(void **state)
{
    (void)state;
    http = new_http(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    es_http_free(http);
    return 0;
}

static void must_work(const struct es_http_request *req)
{
    struct es_http_response res;
    assert_int_equal(must(http, req, &res), 200);
    assert_string_equal(es_buf_str(&res.body), "ok\n");
    es_http_response_fini(&res);
}

static void test_own_ca_is_trusted(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = tls_get(url("https", h->https, "/plain"), ca);

    must_work(&req);
    must_work(&req);
    assert_int_equal(stats(http).connections_opened, 1);
}

static void test_texts_of_distrust(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = tls_get(url("https", h->alone, "/plain"), ca);
    char text[160];

    snprintf(text, sizeof text,
             "GET https://127.0.0.1:%d: certificate verify failed: self-signed certificate", h->alone);
    must_fail(http, &req, ES_E_DENIED, text);
    req = tls_get(url("https", h->https, "/plain"), other_ca);
    must_fail(http, &req, ES_E_DENIED, ": certificate verify failed: unable to get local issuer certificate");
    req = get(url("https", h->https, "/plain"));
    must_fail(http, &req, ES_E_DENIED, ": certificate verify failed: unable to get local issuer certificate");
    req = tls_get(url("https", h->expired, "/plain"), ca);
    must_fail(http, &req, ES_E_DENIED, ": certificate verify failed: certificate has expired");
    req = tls_get(url("https", h->elsewhere, "/plain"), ca);
    must_fail(http, &req, ES_E_DENIED, ": certificate verify failed: it is not valid for this host");
}

/* Trust is per request: a connection made with one is not used with another. */
static void test_trust_is_not_shared(void **state)
{
    const struct harness *h = *state;
    struct es_http_request good = tls_get(url("https", h->https, "/plain"), ca);
    struct es_http_request bad = tls_get(good.url, other_ca);
    struct es_http_request blind = get(good.url);

    must_work(&good);
    must_fail(http, &bad, ES_E_DENIED, "certificate verify failed");
    blind.tls.insecure = true;
    must_work(&blind);
    must_fail(http, &bad, ES_E_DENIED, "certificate verify failed");
    blind.tls.insecure = false;
    must_fail(http, &blind, ES_E_DENIED, "certificate verify failed");
    must_work(&good);
}

static void test_a_self_signed_certificate_can_be_the_ca(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = tls_get(url("https", h->alone, "/plain"), alone);
    must_work(&req);
}

static void test_insecure_accepts_anything(void **state)
{
    const struct harness *h = *state;
    const int ports[] = {h->https, h->alone, h->expired, h->elsewhere};

    for (size_t i = 0; i < 4; i++) {
        struct es_http_request req = get(url("https", ports[i], "/plain"));
        req.tls.insecure = true;
        must_work(&req);
    }
}

static void test_server_name_instead_of_the_host(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = tls_get(url("https", h->elsewhere, "/echo"), ca);
    struct es_http_response res;
    char host[64];

    req.tls.server_name = "elsewhere.test";
    must(http, &req, &res);
    snprintf(host, sizeof host, "\nhost: 127.0.0.1:%d\n", h->elsewhere);
    if (!strstr(es_buf_str(&res.body), host))
        fail_msg("no %s in %s", host, es_buf_str(&res.body));
    es_http_response_fini(&res);
    req.tls.server_name = "nowhere.test";
    snprintf(host, sizeof host, "GET https://127.0.0.1:%d: certificate verify failed", h->elsewhere);
    must_fail(http, &req, ES_E_DENIED, host);
    req.tls.server_name = "127.0.0.1";
    must_fail(http, &req, ES_E_DENIED, "not valid for this host");
    req.tls.server_name = "not a name";
    must_fail(http, &req, ES_E_CONFIG, "bad TLS server name");
    /* The handle that had another target is used for a plain one again. */
    req = tls_get(url("https", h->https, "/plain"), ca);
    must_work(&req);
}

/* With TLS 1.3 the server refuses after the client's handshake is over; when
 * its reset overtakes its alert, all there is to say is that it hung up. */
static void must_be_refused(const struct es_http_request *req)
{
    struct es_http_response res;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_http_call(http, req, &res, &err);

    if (rc == ES_E_DENIED)
        assert_non_null(strstr(err.text, "TLS: tlsv13 alert certificate required"));
    else
        assert_int_equal(rc, ES_E_RETRY);
    es_http_response_fini(&res);
}

static void test_client_certificates(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = tls_get(url("https", h->mutual, "/plain"), ca);

    must_be_refused(&req);
    req.tls.cert_pem = cert;
    req.tls.cert_len = strlen(cert);
    must_fail(http, &req, ES_E_CONFIG, "client certificate and key go together");
    req.tls.key_pem = key;
    req.tls.key_len = strlen(key);
    must_work(&req);
    req.tls.cert_pem = req.tls.key_pem = NULL;
    must_be_refused(&req);
}

static void test_bad_pem_is_a_matter_of_configuration(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = tls_get(url("https", h->mutual, "/plain"), "hunter2");

    must_fail(http, &req, ES_E_CONFIG, ": CA certificates cannot be read");
    req = tls_get(req.url, "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n");
    must_fail(http, &req, ES_E_CONFIG, ": CA certificates cannot be read");
    req = tls_get(req.url, ca);
    req.tls.cert_pem = "hunter2";
    req.tls.cert_len = 7;
    req.tls.key_pem = key;
    req.tls.key_len = strlen(key);
    must_fail(http, &req, ES_E_CONFIG, ": client certificate or key is not usable");
    req.tls.cert_pem = cert;
    req.tls.cert_len = strlen(cert);
    req.tls.key_pem = "hunter2";
    req.tls.key_len = 7;
    must_fail(http, &req, ES_E_CONFIG, ": client certificate or key is not usable");
}

/* What SSL_CERT_FILE names stands for the system's roots. */
static void test_roots_from_the_environment(void **state)
{
    const struct harness *h = *state;
    char path[100];
    struct es_http_request req = get(url("https", h->https, "/plain"));

    snprintf(path, sizeof path, "%s/ca.pem", h->folder);
    es_http_free(http);
    setenv("SSL_CERT_FILE", path, 1);
    http = new_http(NULL);
    unsetenv("SSL_CERT_FILE");
    must_work(&req);
    /* A CA of the request's own is not an addition to it. */
    req = tls_get(req.url, other_ca);
    must_fail(http, &req, ES_E_DENIED, "certificate verify failed");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_own_ca_is_trusted),          TEST(test_texts_of_distrust),
        TEST(test_trust_is_not_shared),        TEST(test_a_self_signed_certificate_can_be_the_ca),
        TEST(test_insecure_accepts_anything),  TEST(test_server_name_instead_of_the_host),
        TEST(test_client_certificates),        TEST(test_bad_pem_is_a_matter_of_configuration),
        TEST(test_roots_from_the_environment),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
