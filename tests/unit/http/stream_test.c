/* Streams: nothing lost, nothing hoarded, and an end to each. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

static struct es_http *http;

static int set_up(void **state)
{
    (void)state;
    http = new_http(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct es_http_stats s = stats(http);
    assert_int_equal(s.streams, 0);
    assert_int_equal(s.in_flight, 0);
    es_http_free(http);
    return 0;
}

static struct es_http_stream *open_stream(const struct es_http_request *req, size_t window, int64_t idle_ms)
{
    struct es_http_stream *s = NULL;
    struct es_http_response head;
    struct es_error err = ES_ERROR_INIT;
    struct es_http_stream_opts opts = {.window = window, .idle_timeout_ms = idle_ms};

    if (es_http_stream_open(http, req, &opts, &s, &head, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.body.len, 0);
    es_http_response_fini(&head);
    return s;
}

static void must_not_open(const struct es_http_request *req, int code, const char *text)
{
    struct es_http_stream *s = NULL;
    struct es_http_response head;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_http_stream_open(http, req, NULL, &s, &head, &err);

    if (rc != code || !strstr(err.text, text))
        fail_msg("wanted %d \"%s\", got %d \"%s\"", code, text, rc, err.text);
    assert_null(s);
    es_http_response_fini(&head);
}

/* Reads to the end; returns what the last read did. */
static int read_all(struct es_http_stream *s, struct es_buf *out, struct es_error *err)
{
    int rc;
    do
        rc = es_http_stream_read(s, out, err);
    while (rc > 0);
    return rc;
}

static void test_lines_come_as_they_are_written(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?n=5&ms=100"));
    struct es_http_stream *s = open_stream(&req, 0, 0);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    es_buf_init(&out, 1000);
    assert_int_equal(es_http_stream_read(s, &out, &err), 1);
    assert_string_equal(out.ptr, "line 000000\n"); /* long before the rest is written */
    assert_int_equal(read_all(s, &out, &err), 0);
    assert_int_equal(out.len, 60);
    assert_string_equal(out.ptr + 48, "line 000004\n");
    assert_int_equal(es_http_stream_read(s, &out, &err), 0);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

/* The reader takes its time, the window is small: all counters arrive. */
static void flood(const char *address, const char *ca, size_t window, uint32_t count, int nap)
{
    struct es_http_request req = get(address);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    uint32_t next = 0;
    size_t most = 0;
    int rc;

    req.tls.ca_pem = ca;
    req.tls.ca_len = ca ? strlen(ca) : 0;
    struct es_http_stream *s = open_stream(&req, window, 0);
    es_buf_init(&out, 64 * 1024 * 1024);
    while ((rc = es_http_stream_read(s, &out, &err)) > 0) {
        most = out.len > most ? out.len : most;
        size_t at = 0;
        for (; at + 4 <= out.len; at += 4, next++) {
            const unsigned char *p = (const unsigned char *)out.ptr + at;
            uint32_t got = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
            if (got != next)
                fail_msg("counter %u instead of %u", got, next);
        }
        es_buf_consume(&out, at);
        if (nap)
            nap_ms(nap);
    }
    if (rc < 0)
        fail_msg("%s", err.text);
    assert_int_equal(next, count);
    size_t limit = window ? window : 1024 * 1024;
    assert_true(most <= (limit < 16384 ? 16384 : limit) + 3);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void test_slow_reader_with_a_small_window_loses_nothing(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");

    flood(url("http", h->http, "/flood?n=200000"), NULL, 4096, 200000, 1);
    flood(url("https", h->https, "/flood?n=200000"), ca, 1, 200000, 1);
    flood(url("https", h->https, "/flood?n=400000"), ca, 40000, 400000, 2);
    flood(url("https", h->https, "/flood?n=3000000"), ca, 0, 3000000, 0);
    free(ca);
}

/* A paused stream must not keep calls to the same host waiting. */
static void test_paused_stream_is_in_nobodys_way(void **state)
{
    const struct harness *h = *state;
    struct es_http_request slow = get(url("http", h->http, "/flood?n=5000000"));
    struct es_http_request call = get(url("http", h->http, "/plain"));
    struct es_http_stream *streams[20];

    for (int i = 0; i < 20; i++)
        streams[i] = open_stream(&slow, 1000, 0);
    assert_int_equal(stats(http).streams, 20);
    int64_t begin = now_ms();
    for (int i = 0; i < 50; i++) {
        struct es_http_response res;
        assert_int_equal(must(http, &call, &res), 200);
        es_http_response_fini(&res);
    }
    assert_in_range(now_ms() - begin, 0, is_slow_build() ? 5000 : 2000);
    for (int i = 0; i < 20; i++)
        es_http_stream_close(streams[i]);
}

static void test_idle_timeout(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?n=2&ms=100&end=hang"));
    struct es_http_stream *s = open_stream(&req, 0, 400);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    char text[100];

    es_buf_init(&out, 1000);
    int64_t begin = now_ms();
    assert_int_equal(read_all(s, &out, &err), ES_E_RETRY);
    assert_in_range(now_ms() - begin, 390, is_slow_build() ? 1500 : 620);
    snprintf(text, sizeof text, "GET http://127.0.0.1:%d: no data within 400ms", h->http);
    assert_string_equal(err.text, text);
    assert_int_equal(out.len, 24);
    assert_int_equal(es_http_stream_read(s, &out, &err), ES_E_RETRY);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

/* Slowness of the reader is not silence of the server. */
static void test_idle_timeout_does_not_run_while_paused(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/flood?n=1000000"));
    struct es_http_stream *s = open_stream(&req, 1000, 200);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    nap_ms(700);
    es_buf_init(&out, 5000000);
    assert_int_equal(read_all(s, &out, &err), 0);
    assert_int_equal(out.len, 4000000);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void test_open_is_bounded_reading_is_not(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?n=4&ms=200"));
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    req.timeout_ms = 400;
    struct es_http_stream *s = open_stream(&req, 0, 0);
    es_buf_init(&out, 1000);
    assert_int_equal(read_all(s, &out, &err), 0);
    assert_int_equal(out.len, 48);
    es_buf_fini(&out);
    es_http_stream_close(s);
    req.url = url("http", h->silent, "/");
    int64_t begin = now_ms();
    must_not_open(&req, ES_E_CANCELLED, "no answer within 400ms");
    assert_in_range(now_ms() - begin, 399, is_slow_build() ? 1500 : 450);
}

static void test_what_cannot_be_opened(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->closed, "/"));
    char *ca = harness_read(h, "other-ca.pem");
    bool flag = true;

    must_not_open(&req, ES_E_RETRY, "connection refused");
    req.url = "nonsense";
    must_not_open(&req, ES_E_CONFIG, "bad URL");
    req = tls_get(url("https", h->https, "/plain"), ca);
    must_not_open(&req, ES_E_DENIED, "certificate verify failed");
    req = get(url("http", h->http, "/headers?n=300"));
    must_not_open(&req, ES_E_TOO_LARGE, "more than 256 headers");
    req.url = url("http", h->http, "/close");
    must_not_open(&req, ES_E_RETRY, "connection closed without an answer");
    req.url = url("http", h->silent, "/");
    req.cancelled = &flag;
    must_not_open(&req, ES_E_CANCELLED, "cancelled");
    free(ca);
}

static void test_error_answers_have_head_and_body(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/status?code=410"));
    struct es_http_stream *s = NULL;
    struct es_http_response head;
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    es_buf_init(&out, 1000);
    assert_int_equal(es_http_stream_open(http, &req, NULL, &s, &head, &err), 0);
    assert_int_equal(head.status, 410);
    assert_string_equal(es_http_response_header(&head, "content-length"), "9");
    assert_int_equal(read_all(s, &out, &err), 0);
    assert_string_equal(out.ptr, "as asked\n");
    es_http_response_fini(&head);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void test_cut_stream_gives_what_there_was_and_an_error(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?n=3&end=cut"));
    struct es_http_stream *s = open_stream(&req, 0, 0);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    es_buf_init(&out, 1000);
    assert_int_equal(read_all(s, &out, &err), ES_E_RETRY);
    assert_int_equal(out.len, 36);
    assert_non_null(strstr(err.text, ": answer cut short"));
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void test_full_buffer_of_the_reader(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?n=3&ms=10"));
    struct es_http_stream *s = open_stream(&req, 0, 0);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    es_buf_init(&out, 30);
    assert_int_equal(read_all(s, &out, &err), ES_E_TOO_LARGE);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void *cancel_soon(void *arg)
{
    nap_ms(100);
    es_http_stream_cancel(arg);
    return NULL;
}

static void test_cancel_from_another_thread(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?n=1&end=hang"));
    struct es_http_stream *s = open_stream(&req, 0, 0);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    pthread_t thread;

    es_buf_init(&out, 1000);
    assert_int_equal(es_http_stream_read(s, &out, &err), 1);
    pthread_create(&thread, NULL, cancel_soon, s);
    int64_t begin = now_ms();
    assert_int_equal(es_http_stream_read(s, &out, &err), ES_E_CANCELLED);
    assert_in_range(now_ms() - begin, 50, is_slow_build() ? 500 : 200);
    assert_int_equal(es_http_stream_read(s, &out, &err), ES_E_CANCELLED);
    pthread_join(thread, NULL);
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void *read_until_stopped(void *arg)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    es_buf_init(&out, 1000000);
    int rc = read_all(arg, &out, &err);
    es_buf_fini(&out);
    return rc == ES_E_CANCELLED ? arg : NULL;
}

static void test_stop_ends_all_streams(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?ms=20"));
    struct es_http_stream *streams[12];
    pthread_t threads[12];
    void *stopped;

    for (int i = 0; i < 12; i++) {
        streams[i] = open_stream(&req, 0, 0);
        pthread_create(&threads[i], NULL, read_until_stopped, streams[i]);
    }
    nap_ms(100);
    int64_t begin = now_ms();
    es_http_stop(http);
    for (int i = 0; i < 12; i++) {
        pthread_join(threads[i], &stopped);
        assert_ptr_equal(stopped, streams[i]);
        es_http_stream_close(streams[i]);
    }
    assert_in_range(now_ms() - begin, 0, is_slow_build() ? 1000 : 100);
    must_not_open(&req, ES_E_CANCELLED, "the transport stops");
}

static void test_close_in_the_middle(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/lines?ms=1"));

    for (int i = 0; i < 30; i++) {
        struct es_http_stream *s = open_stream(&req, 50, 0);
        nap_ms(i % 7);
        es_http_stream_close(s);
    }
}

/* Everything in the request may go away once the stream is open. */
static void test_request_is_not_needed_after_open(void **state)
{
    const struct harness *h = *state;
    char *address = strdup(url("http", h->http, "/echo"));
    char *body = strdup("posted");
    char *value = strdup("one");
    struct es_http_header header = {"X-Header", value};
    struct es_http_request req = get(address);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    req.method = "POST";
    req.body = body;
    req.body_len = 6;
    req.headers = &header;
    req.header_count = 1;
    struct es_http_stream *s = open_stream(&req, 0, 0);
    memset(address, 'x', strlen(address));
    memset(body, 'x', strlen(body));
    free(address);
    free(body);
    free(value);
    es_buf_init(&out, 10000);
    assert_int_equal(read_all(s, &out, &err), 0);
    assert_non_null(strstr(out.ptr, "\nx-header: one\n"));
    assert_non_null(strstr(out.ptr, "\n\nposted"));
    es_buf_fini(&out);
    es_http_stream_close(s);
}

static void test_redirected_stream(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/redirect?to=/lines?n=2"));
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    req.follow_redirects = true;
    struct es_http_stream *s = open_stream(&req, 0, 0);
    es_buf_init(&out, 1000);
    assert_int_equal(read_all(s, &out, &err), 0);
    assert_int_equal(out.len, 24);
    es_buf_fini(&out);
    es_http_stream_close(s);
    req.url = url("http", h->http, "/loop");
    must_not_open(&req, ES_E_CONFIG, "more than 5 redirects");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lines_come_as_they_are_written),
        TEST(test_slow_reader_with_a_small_window_loses_nothing),
        TEST(test_paused_stream_is_in_nobodys_way),
        TEST(test_idle_timeout),
        TEST(test_idle_timeout_does_not_run_while_paused),
        TEST(test_open_is_bounded_reading_is_not),
        TEST(test_what_cannot_be_opened),
        TEST(test_error_answers_have_head_and_body),
        TEST(test_cut_stream_gives_what_there_was_and_an_error),
        TEST(test_full_buffer_of_the_reader),
        TEST(test_cancel_from_another_thread),
        TEST(test_stop_ends_all_streams),
        TEST(test_close_in_the_middle),
        TEST(test_request_is_not_needed_after_open),
        TEST(test_redirected_stream),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
