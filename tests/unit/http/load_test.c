/* Many callers, little time: pooling, bounds in time, cancellation, stop. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

struct load {
    struct es_http *http;
    struct es_http_request req;
    int calls;        /* by each thread */
    int good, failed; /* atomics */
    int code;         /* of the failures, if all the same */
    const char *body; /* wanted */
};

static void *call_often(void *arg)
{
    struct load *l = arg;

    for (int i = 0; i < l->calls; i++) {
        struct es_http_response res;
        struct es_error err = ES_ERROR_INIT;
        int rc = es_http_call(l->http, &l->req, &res, &err);
        if (rc == 0 && res.status == 200 && strcmp(es_buf_str(&res.body), l->body) == 0)
            __atomic_add_fetch(&l->good, 1, __ATOMIC_RELAXED);
        else {
            __atomic_add_fetch(&l->failed, 1, __ATOMIC_RELAXED);
            __atomic_store_n(&l->code, rc, __ATOMIC_RELAXED);
        }
        es_http_response_fini(&res);
    }
    return NULL;
}

/* The most calls the server saw at once since the last question. */
static int most_at_once(struct es_http *http, const struct harness *h)
{
    struct es_http_request req = get(url("http", h->http, "/most"));
    struct es_http_response res;

    must(http, &req, &res);
    int most = atoi(es_buf_str(&res.body));
    es_http_response_fini(&res);
    return most;
}

static void test_2000_calls_from_16_threads(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    struct load l = {.http = new_http(NULL), .calls = 125, .body = "ok\n"};

    l.req = tls_get(url("https", h->https, "/plain"), ca);
    on_threads(16, call_often, &l);
    assert_int_equal(l.good, 2000);
    struct es_http_stats s = stats(l.http);
    assert_int_equal(s.requests, 2000);
    assert_int_equal(s.failures, 0);
    assert_in_range(s.connections_opened, 2, 10);
    es_http_free(l.http);
    free(ca);
}

/* A burst to a host of which nothing is known yet: the first connection
 * tells that it is HTTP/1.1 only, then several work side by side. */
static void burst(const struct harness *h, const char *scheme, const char *ca)
{
    struct load l = {.http = new_http(NULL), .calls = 1, .body = "at last\n"};

    l.req = get(url(scheme, ca ? h->https : h->http, "/slow?ms=200"));
    l.req.tls.ca_pem = ca;
    l.req.tls.ca_len = ca ? strlen(ca) : 0;
    most_at_once(l.http, h);
    int64_t begin = now_ms();
    on_threads(24, call_often, &l);
    int64_t took = now_ms() - begin;
    assert_int_equal(l.good, 24);
    int most = most_at_once(l.http, h);
    assert_in_range(most, 6, 8);
    assert_in_range(took, 600, is_slow_build() ? 4000 : 1500);
    assert_in_range(stats(l.http).connections_opened, 6, 9);
    es_http_free(l.http);
}

static void test_burst_to_http11_uses_several_connections(void **state)
{
    char *ca = harness_read(*state, "ca.pem");

    burst(*state, "http", NULL);
    burst(*state, "https", ca);
    free(ca);
}

static void test_limit_of_connections_per_host(void **state)
{
    const struct harness *h = *state;
    struct load l = {
        .http = new_http(&(struct es_http_opts){.max_host_connections = 2}), .calls = 1, .body = "at last\n"};

    l.req = get(url("http", h->http, "/slow?ms=50"));
    most_at_once(l.http, h);
    on_threads(8, call_often, &l);
    assert_int_equal(l.good, 8);
    assert_int_equal(most_at_once(l.http, h), 2);
    assert_in_range(stats(l.http).connections_opened, 2, 2);
    es_http_free(l.http);
}

static void test_refused_burst_fails_at_once(void **state)
{
    const struct harness *h = *state;
    struct load l = {.http = new_http(NULL), .calls = 3, .body = ""};
    int64_t begin = now_ms();

    l.req = get(url("https", h->closed, "/"));
    on_threads(16, call_often, &l);
    assert_int_equal(l.failed, 48);
    assert_int_equal(l.code, ES_E_RETRY);
    assert_in_range(now_ms() - begin, 0, is_slow_build() ? 5000 : 2000);
    es_http_free(l.http);
}

/* How long a call to `address` takes to fail with this text. */
static int64_t time_failure(struct es_http *http, const char *address, int64_t timeout_ms, const char *text)
{
    struct es_http_request req = get(address);
    int64_t begin = now_ms();

    req.timeout_ms = timeout_ms;
    must_fail(http, &req, ES_E_CANCELLED, text);
    return now_ms() - begin;
}

static void test_deadlines_are_exact(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    int64_t late = is_slow_build() ? 300 : 50;
    char text[100];

    snprintf(text, sizeof text, "GET http://127.0.0.1:%d: no answer within 250ms", h->http);
    assert_in_range(time_failure(http, url("http", h->http, "/slow?ms=2000"), 250, text), 249, 250 + late);
    assert_in_range(time_failure(http, url("http", h->silent, "/"), 400, "no answer within 400ms"), 399,
                    400 + late);
    assert_in_range(time_failure(http, url("https", h->silent, "/"), 1500, "no answer within 1.5s"), 1499,
                    1500 + late);
    assert_in_range(time_failure(http, url("http", h->http, "/lines?ms=20"), 300, "no answer within 300ms"),
                    299, 300 + late);
    es_http_free(http);
}

/* The wait for one of the host's connections counts too. */
static void test_deadline_covers_the_wait_for_a_connection(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(&(struct es_http_opts){.max_host_connections = 1});
    struct load l = {.http = http, .calls = 1, .body = "at last\n"};
    pthread_t holder;

    l.req = get(url("http", h->http, "/slow?ms=1500"));
    pthread_create(&holder, NULL, call_often, &l);
    nap_ms(150);
    int64_t took = time_failure(http, url("http", h->http, "/plain"), 300, "no answer within 300ms");
    assert_in_range(took, 299, is_slow_build() ? 900 : 350);
    pthread_join(holder, NULL);
    assert_int_equal(l.good, 1);
    es_http_free(http);
}

static void test_connect_timeout_is_to_be_retried(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(&(struct es_http_opts){.connect_timeout_ms = 300});
    struct es_http_request req = get(url("https", h->silent, "/"));
    int64_t begin = now_ms();

    must_fail(http, &req, ES_E_RETRY, ": no connection in time");
    assert_in_range(now_ms() - begin, 250, is_slow_build() ? 2000 : 700);
    es_http_free(http);
}

static void *raise_flag_soon(void *arg)
{
    nap_ms(150);
    __atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
    return NULL;
}

static void test_flag_cancels_within_200_ms(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_request req = get(url("http", h->silent, "/"));
    bool flag = false;
    pthread_t thread;

    req.cancelled = &flag;
    pthread_create(&thread, NULL, raise_flag_soon, &flag);
    int64_t begin = now_ms();
    must_fail(http, &req, ES_E_CANCELLED, ": cancelled");
    assert_in_range(now_ms() - begin, 140, 150 + (is_slow_build() ? 600 : 200));
    pthread_join(thread, NULL);
    begin = now_ms();
    must_fail(http, &req, ES_E_CANCELLED, ": cancelled");
    assert_in_range(now_ms() - begin, 0, is_slow_build() ? 300 : 50);
    es_http_free(http);
}

static void *block(void *arg)
{
    struct load *l = arg;
    return call_often(l);
}

static void test_stop_releases_16_blocked_callers(void **state)
{
    const struct harness *h = *state;
    struct load l = {.http = new_http(NULL), .calls = 1, .body = ""};
    pthread_t threads[16];

    l.req = get(url("http", h->silent, "/"));
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, block, &l);
    while (stats(l.http).in_flight < 16)
        nap_ms(5);
    nap_ms(50);
    int64_t begin = now_ms();
    es_http_stop(l.http);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(now_ms() - begin, 0, is_slow_build() ? 1000 : 100);
    assert_int_equal(l.failed, 16);
    assert_int_equal(l.code, ES_E_CANCELLED);
    must_fail(l.http, &l.req, ES_E_CANCELLED, "the transport stops");
    es_http_stop(l.http);
    es_http_free(l.http);
}

/* Every way to fail, with a secret wherever one can be. */
static void test_no_secret_in_any_text(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_header header = {"Authorization", "hunter2"};
    const char *const paths[] = {"/cut?x=hunter2",         "/close?x=hunter2",      "/reset?x=hunter2",
                                 "/huge?n=900&x=hunter2",  "/notgzip?x=hunter2",    "/slow?ms=900&x=hunter2",
                                 "/headers?n=300&hunter2", "/redirect?to=hunter2:x"};
    const struct {
        const char *scheme;
        int port;
    } places[] = {{"http", h->http},   {"http", h->closed}, {"https", h->closed}, {"https", h->http},
                  {"https", h->https}, {"http", h->https},  {"http", h->garbage}, {"ftp", 1}};
    int failures = 0;

    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            char address[200];
            struct es_http_response res;
            struct es_error err = ES_ERROR_INIT;
            snprintf(address, sizeof address, "%s://hunter2:hunter2@127.0.0.1:%d%s", places[p].scheme,
                     places[p].port, paths[i]);
            struct es_http_request req = {.method = "POST",
                                          .url = address,
                                          .headers = &header,
                                          .header_count = 1,
                                          .body = "hunter2",
                                          .body_len = 7,
                                          .timeout_ms = 300,
                                          .max_body = 500,
                                          .proxy = "",
                                          .accept_gzip = true};
            if (i == 7) {
                req.method = "GET";
                req.follow_redirects = true;
            }
            failures += es_http_call(http, &req, &res, &err) < 0;
            if (strstr(err.text, "hunter2"))
                fail_msg("secret told: %s", err.text);
            es_http_response_fini(&res);
        }
    assert_in_range(failures, 60, 64);
    es_http_free(http);
}

static void test_nothing_in_flight_and_nothing_given(void **state)
{
    (void)state;
    es_http_free(NULL);
    es_http_stream_close(NULL);
    es_http_free(new_http(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2000_calls_from_16_threads),
        cmocka_unit_test(test_burst_to_http11_uses_several_connections),
        cmocka_unit_test(test_limit_of_connections_per_host),
        cmocka_unit_test(test_refused_burst_fails_at_once),
        cmocka_unit_test(test_deadlines_are_exact),
        cmocka_unit_test(test_deadline_covers_the_wait_for_a_connection),
        cmocka_unit_test(test_connect_timeout_is_to_be_retried),
        cmocka_unit_test(test_flag_cancels_within_200_ms),
        cmocka_unit_test(test_stop_releases_16_blocked_callers),
        cmocka_unit_test(test_no_secret_in_any_text),
        cmocka_unit_test(test_nothing_in_flight_and_nothing_given),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
