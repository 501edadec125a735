/* What keeps a request from leaving at the last moment, and what lets one pass all others. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

static bool closed; /* atomic */
static int asked;   /* atomic */

static const char *barred(void *ctx)
{
    (void)ctx;
    __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&closed, __ATOMIC_SEQ_CST) ? "not any more" : NULL;
}

static const struct es_gate gate = {barred, NULL};

static void shut(void)
{
    __atomic_store_n(&closed, true, __ATOMIC_SEQ_CST);
}

static int set_up(void **state)
{
    (void)state;
    closed = false;
    asked = 0;
    return 0;
}

static struct es_http_request post(const struct harness *h, const char *path)
{
    struct es_http_request req = get(url("http", h->http, path));

    req.method = "POST";
    req.body = "{}";
    req.body_len = 2;
    req.gate = &gate;
    return req;
}

static void test_an_open_gate_lets_through(void **state)
{
    struct es_http *http = new_http(NULL);
    struct es_http_request req = post(*state, "/echo");
    struct es_http_response res;

    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    assert_true(asked >= 2); /* before libcurl has it, and when the connection is there */
    es_http_free(http);
}

static void test_a_closed_gate_opens_no_connection(void **state)
{
    struct es_http *http = new_http(NULL);
    struct es_http_request req = post(*state, "/echo");

    shut();
    must_fail(http, &req, ES_E_CANCELLED, "not any more");
    assert_int_equal(stats(http).connections_opened, 0);
    assert_int_equal(stats(http).bytes_sent, 0);
    es_http_free(http);
}

struct slow {
    struct es_http *http;
    struct es_http_request req;
};

static void *call_slowly(void *arg)
{
    struct slow *s = arg;
    struct es_http_response res;

    assert_int_equal(must(s->http, &s->req, &res), 200);
    es_http_response_fini(&res);
    return NULL;
}

/* A server that says when somebody has connected. */
struct door {
    int listener, guest; /* guest -1: nobody yet */
};

static const char *barred_once_connected(void *ctx)
{
    struct door *d = ctx;

    if (d->guest < 0)
        d->guest = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return d->guest >= 0 ? "too late" : NULL;
}

static int listen_anywhere(struct door *d)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    *d = (struct door){socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), -1};
    assert_int_equal(bind(d->listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(d->listener, 1), 0);
    assert_int_equal(getsockname(d->listener, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

static void test_it_is_asked_when_the_connection_is_there(void **state)
{
    struct es_http *http = new_http(NULL);
    struct door door;
    struct es_gate gate_of_the_door = {barred_once_connected, &door};
    struct es_http_request req = post(*state, "/");
    char byte;

    req.url = url("http", listen_anywhere(&door), "/");
    req.gate = &gate_of_the_door;
    must_fail(http, &req, ES_E_CANCELLED, "too late");
    es_http_free(http);
    assert_true(door.guest >= 0);
    assert_int_equal(recv(door.guest, &byte, 1, 0), 0); /* it came and left without a word */
    close(door.guest);
    close(door.listener);
}

static void *shut_soon(void *arg)
{
    struct slow *s = arg;

    nap_ms(200);
    shut();
    return call_slowly(s);
}

static void test_what_is_under_way_is_given_up(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct slow plain = {http, get(url("http", h->http, "/plain"))};
    struct es_http_request req = post(h, "/slow?ms=5000");
    pthread_t thread;

    int64_t begun = now_ms();
    assert_int_equal(pthread_create(&thread, NULL, shut_soon, &plain), 0);
    must_fail(http, &req, ES_E_CANCELLED, "not any more");
    assert_in_range(now_ms() - begun, 150, 4500);
    pthread_join(thread, NULL);
    es_http_free(http);
}

static void test_prompt_calls_wait_behind_nobody(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(&(struct es_http_opts){.max_host_connections = 1});
    struct slow slow = {http, get(url("http", h->http, "/slow?ms=3000"))};
    struct es_http_request req = get(url("http", h->http, "/plain"));
    struct es_http_response res;
    pthread_t thread;

    req.prompt = true;
    assert_int_equal(pthread_create(&thread, NULL, call_slowly, &slow), 0);
    nap_ms(100);
    int64_t begun = now_ms();
    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    assert_in_range(now_ms() - begun, 0, 2500);
    pthread_join(thread, NULL);
    es_http_free(http);
}

static void test_a_prompt_call_in_vain_takes_its_connection_along(void **state)
{
    const struct harness *h = *state;
    struct es_http *http = new_http(NULL);
    struct es_http_request req = get(url("http", h->http, "/plain"));
    struct es_http_response res;

    req.prompt = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(must(http, &req, &res), 200);
        es_http_response_fini(&res);
    }
    assert_int_equal(stats(http).connections_opened, 1);
    struct es_http_request vain = get(url("http", h->http, "/slow?ms=3000"));
    vain.prompt = true;
    vain.timeout_ms = 100;
    must_fail(http, &vain, ES_E_CANCELLED, "no answer within 100ms");
    assert_int_equal(must(http, &req, &res), 200);
    es_http_response_fini(&res);
    assert_int_equal(stats(http).connections_opened, 2);
    es_http_free(http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_open_gate_lets_through, set_up),
        cmocka_unit_test_setup(test_a_closed_gate_opens_no_connection, set_up),
        cmocka_unit_test_setup(test_it_is_asked_when_the_connection_is_there, set_up),
        cmocka_unit_test_setup(test_what_is_under_way_is_given_up, set_up),
        cmocka_unit_test_setup(test_prompt_calls_wait_behind_nobody, set_up),
        cmocka_unit_test_setup(test_a_prompt_call_in_vain_takes_its_connection_along, set_up),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
