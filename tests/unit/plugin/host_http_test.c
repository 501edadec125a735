/* HTTP on behalf of a plugin, against a server of our own on loopback. */
#include "probe.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/http/http.h"
#include "core/plugin/api_names.h"

/* ---- a server that answers with what it was sent ---- */

static int listener = -1;
static char base_url[64];
static pthread_t server;

/* Reads one request: the head, and the body that Content-Length announces. */
static size_t read_request(int fd, char *buf, size_t cap)
{
    size_t len = 0;

    while (len < cap - 1) {
        ssize_t n = read(fd, buf + len, cap - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        buf[len] = '\0';
        const char *end = strstr(buf, "\r\n\r\n");
        const char *length = strcasestr(buf, "content-length:");
        size_t body = length ? strtoul(length + 15, NULL, 10) : 0;
        if (end && len >= (size_t)(end + 4 - buf) + body)
            break;
    }
    return len;
}

/* /status/404 answers so; /away/HOST:PORT redirects to there; /slow waits for
 * the client to go away; anything else gives the request back as the body. */
static void answer(int fd)
{
    char request[8192] = "", head[512];
    size_t len = read_request(fd, request, sizeof request);
    const char *wanted = strstr(request, " /status/"), *away = strstr(request, " /away/");
    char location[200] = "";

    if (strstr(request, " /slow")) {
        char byte;
        while (read(fd, &byte, 1) > 0)
            ;
        return;
    }
    if (away)
        snprintf(location, sizeof location, "Location: http://%.*s/landed\r\n", (int)strcspn(away + 7, " "),
                 away + 7);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d Whatever\r\nX-Thing: One\r\nx-thing: two\r\nContent-Length: %zu\r\n"
                     "%sConnection: close\r\n\r\n",
                     wanted ? atoi(wanted + 9)
                     : away ? 302
                            : 200,
                     len, location);
    if (write(fd, head, (size_t)n) < 0 || write(fd, request, len) < 0)
        return;
}

static void *serve(void *arg)
{
    int fd;
    (void)arg;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        answer(fd);
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
    return NULL;
}

static void start_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
}

/* ---- the tests ---- */

static struct es_http *transport;
static struct es_metrics *metrics;
static struct es_services services;
static struct es_registry *registry;
static struct es_authority who;

static int setup(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    start_server();
    assert_int_equal(es_http_new(&transport, NULL, &err), 0);
    metrics = es_metrics_new();
    probe_reset();
    services = (struct es_services){.http = transport, .metrics = metrics, .user_agent = "esod/test"};
    registry = probe_registry(&services);
    who = probe_who("{}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_registry_free(registry);
    es_metrics_free(metrics);
    es_http_free(transport);
    stop_server();
    probe_who_free(&who);
    return 0;
}

static char url_text[256];
static struct esp_http_request q;
static struct esp_http_response a;

static void ask_for(const char *path)
{
    snprintf(url_text, sizeof url_text, "%s%s", base_url, path);
    q = (struct esp_http_request){
        .size = sizeof q, .method = bytes("GET"), .url = bytes(url_text), .api = bytes("Probe/Read")};
    a = (struct esp_http_response){.size = sizeof a};
}

static esp_status fetch(struct esp_call *call, const struct esp_request *request)
{
    (void)request;
    esp_status status = probe_host->http(call, &q, &a);
    return status == ESP_OK ? probe_host->emit(call, ESP_OUT_VALUE, bytes(""), a.body) : status;
}

static struct es_blob body;

static int run(struct es_error *err)
{
    struct es_instance *i = probe_open(registry, &who);
    es_blob_fini(&body);
    probe_act = fetch;
    int rc = es_instance_get(i, &who, NULL, &body, err);
    es_instance_close(i);
    return rc;
}

static esp_status look_at_answer(struct esp_call *call, const struct esp_request *request)
{
    esp_pair headers[] = {{bytes("X-Token"), bytes("s3cret")}, {bytes("Accept"), bytes("text/plain")}};
    esp_bytes first;
    (void)request;

    ask_for("/path?q=1");
    q.method = bytes("POST");
    q.headers = headers;
    q.header_count = 2;
    q.body = bytes("the body");
    assert_int_equal(probe_host->http(call, &q, &a), ESP_OK);
    assert_int_equal(a.status, 200);
    assert_true(a.header_count >= 3);
    assert_memory_equal(a.headers[0].name.ptr, "x-thing", 7);
    assert_memory_equal(a.headers[0].value.ptr, "One", 3);
    assert_memory_equal(a.headers[1].value.ptr, "two", 3);
    first = a.body;

    /* The first answer stays where it is when a second one comes. */
    ask_for("/status/404");
    assert_int_equal(probe_host->http(call, &q, &a), ESP_OK);
    assert_int_equal(a.status, 404);
    assert_ptr_not_equal(first.ptr, a.body.ptr);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), first);
}

static void test_request_and_answer(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    struct es_buf text;
    (void)state;

    struct es_instance *i = probe_open(registry, &who);
    probe_act = look_at_answer;
    if (es_instance_get(i, &who, NULL, &value, &err) < 0)
        fail_msg("%s", err.text);
    const char *sent = (const char *)value.ptr;
    assert_memory_equal(sent, "POST /path?q=1 HTTP/1.1\r\n", 25);
    assert_non_null(strstr(sent, "X-Token: s3cret\r\n"));
    assert_non_null(strstr(sent, "User-Agent: esod/test\r\n"));
    assert_non_null(strstr(sent, "\r\n\r\nthe body"));
    es_blob_fini(&value);
    es_instance_close(i);

    es_buf_init(&text, 100000);
    es_metrics_write(metrics, &text);
    assert_non_null(strstr(es_buf_str(&text),
                           "externalsecret_provider_api_calls_count{provider=\"Test/Probe/Probe\","
                           "call=\"Read\",status=\"success\"} 1\n"));
    assert_non_null(strstr(es_buf_str(&text),
                           "externalsecret_provider_api_calls_count{provider=\"Test/Probe/Probe\","
                           "call=\"Read\",status=\"error\"} 1\n"));
    es_buf_fini(&text);
}

static void test_time(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    ask_for("/slow");
    q.timeout_ms = 100;
    int64_t start = es_mono_ms();
    assert_int_equal(run(&err), ES_E_CANCELLED);
    assert_in_range(es_mono_ms() - start, 80, 10000);

    /* The call's own deadline is shorter than what the plugin wants. */
    q.timeout_ms = 60000;
    start = es_mono_ms();
    who.deadline_ms = start + 150;
    assert_int_equal(run(&err), ES_E_CANCELLED);
    assert_in_range(es_mono_ms() - start, 100, 10000);
}

static void assert_not_sent(int code, const char *text)
{
    struct es_http_stats before, after;
    struct es_error err = ES_ERROR_INIT;

    es_http_stats(transport, &before);
    int rc = run(&err);
    assert_error(rc, &err, code, text);
    es_http_stats(transport, &after);
    assert_int_equal(before.requests, after.requests);
}

static void test_what_is_not_sent(void **state)
{
    esp_pair header = {bytes("X-Thing"), bytes("a\r\nX-Other: b")};
    (void)state;

    ask_for("/");
    q.size = 8;
    assert_not_sent(ES_E_INTERNAL,
                    "the probe plugin passed an HTTP request or response struct that is too short");
    ask_for("/");
    a.size = 8;
    assert_not_sent(ES_E_INTERNAL,
                    "the probe plugin passed an HTTP request or response struct that is too short");
    ask_for("/");
    q.flags = UINT32_C(1) << 30 | ESP_HTTP_FOLLOW;
    assert_not_sent(ES_E_UNSUPPORTED,
                    "this esod does not know the HTTP flags 0x40000000 of the probe plugin");
    ask_for("/");
    q.headers = &header;
    q.header_count = 1;
    assert_not_sent(ES_E_CONFIG, "an HTTP header's value holds a control character");
    header = (esp_pair){bytes("X Thing"), bytes("a")};
    assert_not_sent(ES_E_CONFIG, "an HTTP header has a malformed name");
    ask_for("/");
    q.method = bytes("GET /");
    assert_not_sent(ES_E_CONFIG, "an HTTP request without a proper method");
    ask_for("/");
    q.cert_pem = bytes("-----BEGIN CERTIFICATE-----");
    assert_not_sent(ES_E_CONFIG, "a client certificate needs its key, and a key its certificate");
    ask_for("/\n");
    assert_not_sent(ES_E_CONFIG, "a URL holds a control character");
}

static void test_logins_that_are_not_sent(void **state)
{
    (void)state;

    ask_for("/");
    q.username = bytes("alice");
    assert_not_sent(ES_E_INTERNAL, "the probe plugin passed a login without saying which one it is");
    q.flags = ESP_HTTP_NTLM;
    q.password = (esp_bytes){(const uint8_t *)"a\0b", 3};
    assert_not_sent(ES_E_CONFIG, "a password for NTLM holds a character that is not in Latin-1");
    q.password = bytes("\xF6");
    assert_not_sent(ES_E_CONFIG, "a password for NTLM holds a character that is not in Latin-1");
    /* What stands behind the end of a struct of 1.0 is somebody else's. */
    q.size = offsetof(struct esp_http_request, username);
    assert_not_sent(ES_E_CONFIG, "a login with NTLM needs a user name");
}

static void test_answers_have_ceilings(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    ask_for("/");
    q.max_body = 10; /* the echo is longer */
    assert_int_equal(run(&err), ES_E_INTERNAL);
    assert_null(strstr(err.text, "GET /"));
}

static void test_no_connection(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    ask_for("/");
    q.url = bytes("http://127.0.0.1:1/");
    assert_int_equal(run(&err), ES_E_RETRY);
    q.url = bytes("ftp://127.0.0.1/");
    assert_int_equal(run(&err), ES_E_CONFIG);
}

/* ---- hosts of the entry ---- */

/* From now on the probe may talk to these hosts only, for a store with this block. */
static void limit_hosts(const char *spec, const char *const *hosts)
{
    es_registry_free(registry);
    registry = probe_registry_with(&services, &(struct es_plugin_entry){.name = "probe", .hosts = hosts});
    probe_who_free(&who);
    who = probe_who(spec);
}

#define HOSTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_reached(const char *path)
{
    struct es_error err = ES_ERROR_INIT;

    ask_for(path);
    q.flags = ESP_HTTP_FOLLOW;
    if (run(&err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(a.status, 200);
}

static void assert_denied(const char *url, const char *text)
{
    ask_for("/");
    q.url = bytes(url);
    assert_not_sent(ES_E_DENIED, text);
}

static void test_hosts_limit_where_requests_go(void **state)
{
    (void)state;
    limit_hosts("{}", HOSTS("*.amazonaws.com", "127.0.0.1"));
    assert_reached("/");
    assert_denied("http://127.0.0.2/",
                  "the probe plugin may not talk to 127.0.0.2: its hosts are *.amazonaws.com, 127.0.0.1; add "
                  "it to hosts: of this plugin in the configuration");
    assert_denied("https://127.0.0.1@EVIL.example.:8443/",
                  "the probe plugin may not talk to evil.example:8443: its hosts are *.amazonaws.com, "
                  "127.0.0.1; add it to hosts: of this plugin in the configuration");
    limit_hosts("{}", HOSTS(NULL));
    assert_denied("http://127.0.0.1/",
                  "the probe plugin may not talk to 127.0.0.1: its hosts are none; add it to hosts: of this "
                  "plugin in the configuration");
    limit_hosts("{}", NULL);
    assert_reached("/");
}

static void test_the_spec_names_hosts(void **state)
{
    char spec[100];
    (void)state;

    snprintf(spec, sizeof spec, "{\"server\":{\"url\":\"%s/v1\"}}", base_url);
    limit_hosts(spec, HOSTS("spec"));
    assert_reached("/");
    assert_denied(
        "http://127.0.0.1:1/",
        "the probe plugin may not talk to 127.0.0.1:1: its hosts are spec; add it to hosts: of this "
        "plugin in the configuration");
}

/* The allowed host sends the plugin on to another one. */
static void test_redirects_do_not_lead_out(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    char path[64];
    const char *port = strrchr(base_url, ':') + 1;
    (void)state;

    limit_hosts("{}", HOSTS("127.0.0.1"));
    snprintf(path, sizeof path, "/away/127.0.0.1:%s", port);
    assert_reached(path);
    snprintf(path, sizeof path, "/away/localhost:%s", port);
    ask_for(path);
    q.flags = ESP_HTTP_FOLLOW;
    assert_int_equal(run(&err), ES_E_DENIED);
    assert_non_null(strstr(err.text, "the probe plugin may not talk to localhost:"));
    limit_hosts("{}", HOSTS("127.0.0.1", "localhost"));
    assert_reached(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A plugin that puts a key into the name of a call makes no endless page of it. */
static void test_names_of_calls_have_a_ceiling(void **state)
{
    struct es_api_names *names = es_api_names_new();
    char name[32];
    (void)state;

    for (int i = 0; i < ES_API_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "Get%d", i);
        assert_string_equal(es_api_names_bound(names, name), name);
    }
    assert_string_equal(es_api_names_bound(names, "Get100"), "other");
    assert_string_equal(es_api_names_bound(names, "Get99"), "Get99");
    es_api_names_free(names);
    es_api_names_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_of_calls_have_a_ceiling),
        TEST(test_request_and_answer),
        TEST(test_time),
        TEST(test_what_is_not_sent),
        TEST(test_logins_that_are_not_sent),
        TEST(test_answers_have_ceilings),
        TEST(test_no_connection),
        TEST(test_hosts_limit_where_requests_go),
        TEST(test_the_spec_names_hosts),
        TEST(test_redirects_do_not_lead_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
