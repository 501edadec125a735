#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/server.h"

/* What the readiness callback of the test says. */
static bool ready;
static const char *notes;

static bool is_ready(void *ctx, bool verbose, struct es_buf *out)
{
    assert_ptr_equal(ctx, &notes);
    if (verbose)
        es_buf_adds(out, "[+] everything\n");
    es_buf_adds(out, notes);
    return ready;
}

/* Does it move? And whose token is good? */
static int standing; /* so many questions are answered with "stuck"; -1: all */

static bool is_alive(void *ctx, struct es_buf *out)
{
    assert_ptr_equal(ctx, &notes);
    if (standing == 0)
        return true;
    standing -= standing > 0;
    es_buf_adds(out, "the main loop has not moved for 61 s\n");
    return false;
}

static unsigned authorize(void *ctx, const char *token)
{
    assert_ptr_equal(ctx, &notes);
    if (strcmp(token, "good") == 0)
        return 200;
    return strcmp(token, "powerless") == 0 ? 403 : strcmp(token, "unclear") == 0 ? 503 : 401;
}

static struct es_metrics *metrics;
static struct es_metric *counter;

static int set_up(void **state)
{
    (void)state;
    metrics = es_metrics_new();
    counter = es_metrics_family(metrics, ES_COUNTER, "things_total", "Things.", NULL, 0, NULL, 0);
    ready = true;
    notes = "";
    standing = 0;
    return metrics && counter ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    es_metrics_free(metrics);
    return 0;
}

static int serve(struct es_server **ret, const char *metrics_addr, const char *live_addr,
                 struct es_error *err)
{
    struct es_server_opts opts = {.metrics_addr = metrics_addr,
                                  .live_addr = live_addr,
                                  .metrics = metrics,
                                  .alive = is_alive,
                                  .ready = is_ready,
                                  .ctx = &notes};
    *err = (struct es_error)ES_ERROR_INIT;
    return es_server_new(ret, &opts, err);
}

static struct es_server *serve_both(void)
{
    struct es_server *s = NULL;
    struct es_error err;
    if (serve(&s, "127.0.0.1:0", "127.0.0.1:0", &err) < 0)
        fail_msg("%s", err.text);
    assert_true(es_server_metrics_port(s) > 0);
    assert_true(es_server_live_port(s) > 0);
    assert_int_not_equal(es_server_metrics_port(s), es_server_live_port(s));
    return s;
}

/* ---- a client ---- */

struct page {
    long status;
    char body[4096], type[128], allow[64];
    size_t len;
};

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct page *p = ctx;
    size_t n = size * count;

    assert_true(p->len + n < sizeof p->body);
    memcpy(p->body + p->len, data, n);
    p->len += n;
    return n;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct page *p = ctx;
    char line[256];

    snprintf(line, sizeof line, "%.*s", (int)(size * count), data);
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, "Allow: ", 7) == 0)
        snprintf(p->allow, sizeof p->allow, "%.*s", 63, line + 7);
    return size * count;
}

/* `host` as it stands in a URL. */
static struct page ask(const char *method, const char *host, int port, const char *path, const char *body)
{
    struct page p = {0};
    char url[256];
    const char *type = NULL;
    CURL *curl = curl_easy_init();

    snprintf(url, sizeof url, "http://%s:%d%s", host, port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &p);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &p);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body);
    CURLcode rc = curl_easy_perform(curl);
    if (rc != CURLE_OK)
        fail_msg("%s %s: %s", method, url, curl_easy_strerror(rc));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &p.status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    snprintf(p.type, sizeof p.type, "%s", type ? type : "");
    curl_easy_cleanup(curl);
    return p;
}

static struct page get(int port, const char *path)
{
    return ask("GET", "127.0.0.1", port, path, NULL);
}

/* ---- tests ---- */

static void test_health_says_that_it_lives(void **state)
{
    struct es_server *s = serve_both();

    (void)state;
    ready = false;
    struct page p = get(es_server_live_port(s), "/healthz");
    assert_int_equal(p.status, 200);
    assert_string_equal(p.body, "ok");
    assert_string_equal(p.type, "text/plain; charset=utf-8");
    es_server_free(s);
}

static void test_health_says_what_is_stuck(void **state)
{
    struct es_server *s = serve_both();
    (void)state;

    standing = -1;
    struct page p = get(es_server_live_port(s), "/healthz");
    assert_int_equal(p.status, 503);
    assert_string_equal(p.body, "stuck\nthe main loop has not moved for 61 s\n");
    /* After the whole process had been stopped: it is on its way again. */
    standing = 1;
    p = get(es_server_live_port(s), "/healthz");
    assert_int_equal(p.status, 200);
    assert_string_equal(p.body, "ok");
    es_server_free(s);
}

static void test_readiness_has_reasons(void **state)
{
    struct es_server *s = serve_both();
    int port = es_server_live_port(s);

    (void)state;
    struct page p = get(port, "/readyz");
    assert_int_equal(p.status, 200);
    assert_string_equal(p.body, "ok");

    notes = "optional plugin x: no such file\n";
    p = get(port, "/readyz");
    assert_int_equal(p.status, 200);
    assert_string_equal(p.body, "ok\noptional plugin x: no such file\n");
    p = get(port, "/readyz?verbose=1");
    assert_string_equal(p.body, "ok\n[+] everything\noptional plugin x: no such file\n");
    p = get(port, "/readyz?verbose");
    assert_string_equal(p.body, "ok\n[+] everything\noptional plugin x: no such file\n");

    ready = false;
    notes = "the first lists are still being read\nand more\n";
    p = get(port, "/readyz");
    assert_int_equal(p.status, 503);
    assert_string_equal(p.body, "not ready\nthe first lists are still being read\nand more\n");

    notes = "";
    p = get(port, "/readyz");
    assert_int_equal(p.status, 503);
    assert_string_equal(p.body, "not ready");
    es_server_free(s);
}

static void test_metrics_page(void **state)
{
    struct es_server *s = serve_both();

    (void)state;
    es_metric_add(counter, NULL, 3);
    struct page p = get(es_server_metrics_port(s), "/metrics");
    assert_int_equal(p.status, 200);
    assert_string_equal(p.type, "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(p.body, "# TYPE things_total counter\nthings_total 3\n"));
    es_server_free(s);
}

/* ---- pages of megabytes ---- */

enum { SAMPLES = 100000 };
static int views;

static void *open_view(void *ctx)
{
    __atomic_add_fetch(&views, 1, __ATOMIC_SEQ_CST);
    return ctx;
}

static void close_view(void *ctx, void *view)
{
    (void)ctx;
    (void)view;
    __atomic_sub_fetch(&views, 1, __ATOMIC_SEQ_CST);
}

static bool write_many(void *ctx, void *view, int which, size_t *pos, const struct es_metric *f,
                       struct es_buf *out)
{
    char name[32];
    (void)ctx;
    (void)view;
    (void)which;
    for (int i = 0; i < 100; i++, ++*pos) {
        snprintf(name, sizeof name, "a-secret-of-a-team-%zu", *pos);
        es_metric_sample(f, out, (const char *const[]){name}, 1);
    }
    return *pos < SAMPLES;
}

static size_t count_lines(char *data, size_t size, size_t count, void *ctx)
{
    size_t *lines = ctx;
    for (size_t i = 0; i < size * count; i++)
        *lines += data[i] == '\n';
    return size * count;
}

/* Lines of /metrics, and how long it took to get them. */
static size_t read_lines(int port, double *ret_seconds)
{
    char url[64];
    size_t lines = 0;
    CURL *curl = curl_easy_init();

    snprintf(url, sizeof url, "http://127.0.0.1:%d/metrics", port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_lines);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &lines);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, ret_seconds);
    curl_easy_cleanup(curl);
    return lines;
}

/* Asks, and reads a few bytes of the answer. */
static int ask_and_wait(int port)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int small = 1024, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char head[8];

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    assert_int_equal(read(fd, head, sizeof head), sizeof head);
    return fd;
}

static void test_a_hundred_thousand_samples(void **state)
{
    static const char *const labels[] = {"name"};
    static struct es_metric_source source = {.open = open_view, .write = write_many, .close = close_view};
    struct es_server *s = serve_both();
    int port = es_server_metrics_port(s);
    double seconds = 0;
    (void)state;

    source.ctx = &source;
    assert_int_equal(es_metrics_source_family(metrics, &source, 0, ES_GAUGE, "many", "M.", labels, 1), 0);
    int slow = ask_and_wait(port);
    assert_int_equal(read_lines(port, &seconds), SAMPLES + 2);
    print_message("%d samples in %.3f s\n", SAMPLES, seconds);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(seconds < 5);
#endif
    /* Whoever reads slowly has a view still; it goes with him. */
    close(slow);
    for (int i = 0; i < 5000 && __atomic_load_n(&views, __ATOMIC_SEQ_CST); i++)
        usleep(1000);
    assert_int_equal(views, 0);
    es_server_free(s);
}

/* ---- over TLS, and to some only ---- */

static long ask_secure(int port, const char *authorization, struct page *p)
{
    char url[256], header[256];
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();

    *p = (struct page){0};
    snprintf(url, sizeof url, "https://127.0.0.1:%d/metrics", port);
    if (authorization) {
        snprintf(header, sizeof header, "Authorization: %s", authorization);
        headers = curl_slist_append(NULL, header);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, p);
    CURLcode rc = curl_easy_perform(curl);
    if (rc != CURLE_OK)
        fail_msg("%s: %s", url, curl_easy_strerror(rc));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &p->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return p->status;
}

static void test_who_may_read(void **state)
{
    struct es_server_opts opts = {.metrics_addr = "127.0.0.1:0",
                                  .live_addr = "127.0.0.1:0",
                                  .metrics = metrics,
                                  .metrics_secure = true,
                                  .authorize = authorize,
                                  .authorize_ctx = &notes,
                                  .ready = is_ready,
                                  .ctx = &notes};
    static const struct {
        const char *authorization;
        int status;
    } cases[] = {{NULL, 401},
                 {"", 401},
                 {"Basic good", 401},
                 {"Bearer", 401},
                 {"Bearer bad", 401},
                 {"Bearer powerless", 403},
                 {"Bearer unclear", 503},
                 {"Bearer good", 200},
                 {"bearer  good", 200}};
    struct es_server *s = NULL;
    struct es_error err = ES_ERROR_INIT;
    struct page p;
    (void)state;

    es_metric_add(counter, NULL, 3);
    assert_int_equal(es_server_new(&s, &opts, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ask_secure(es_server_metrics_port(s), cases[i].authorization, &p), cases[i].status);
        assert_int_equal(strstr(p.body, "things_total 3") != NULL, cases[i].status == 200);
    }
    assert_int_equal(get(es_server_live_port(s), "/healthz").status, 200);
    es_server_tick(s);
    es_server_free(s);
}

static void test_a_certificate_that_is_not_there(void **state)
{
    struct es_server_opts opts = {.metrics_addr = "127.0.0.1:0",
                                  .metrics = metrics,
                                  .metrics_secure = true,
                                  .cert_file = "/nonexistent/tls.crt",
                                  .key_file = "/nonexistent/tls.key",
                                  .ready = is_ready,
                                  .ctx = &notes};
    struct es_server *s = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_server_new(&s, &opts, &err), ES_E_CONFIG);
    assert_string_equal(err.text, "--metrics-cert-dir: /nonexistent/tls.crt: No such file or directory");
}

static void test_each_page_has_its_listener(void **state)
{
    struct es_server *s = serve_both();
    int live = es_server_live_port(s), counts = es_server_metrics_port(s);
    const struct {
        int port;
        const char *path;
    } wrong[] = {{live, "/"},          {live, "/metrics"},      {live, "/healthz/"},
                 {live, "/healthz2"},  {live, "/..%2fhealthz"}, {counts, "/"},
                 {counts, "/healthz"}, {counts, "/metrics/x"}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct page p = get(wrong[i].port, wrong[i].path);
        assert_int_equal(p.status, 404);
        assert_string_equal(p.body, "not found\n");
    }
    es_server_free(s);
}

static void test_only_reading(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    struct es_server *s = serve_both();

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct page p =
            ask(methods[i], "127.0.0.1", es_server_live_port(s), "/healthz", i < 2 ? "a=b" : NULL);
        assert_int_equal(p.status, 405);
        assert_string_equal(p.body, "only GET\n");
        assert_string_equal(p.allow, "GET, HEAD");
    }
    struct page p = ask("HEAD", "127.0.0.1", es_server_live_port(s), "/healthz", NULL);
    assert_int_equal(p.status, 200);
    assert_int_equal(p.len, 0);
    es_server_free(s);
}

static void test_nowhere(void **state)
{
    struct es_server *s = NULL;
    struct es_error err;

    (void)state;
    assert_int_equal(serve(&s, "0", NULL, &err), 0);
    assert_int_equal(es_server_metrics_port(s), 0);
    assert_int_equal(es_server_live_port(s), 0);
    es_server_free(s);
    assert_int_equal(serve(&s, "", "127.0.0.1:0", &err), 0);
    assert_int_equal(es_server_metrics_port(s), 0);
    assert_int_equal(get(es_server_live_port(s), "/healthz").status, 200);
    es_server_free(s);
    es_server_free(NULL);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

    if (fd >= 0)
        close(fd);
    return yes;
}

static void test_names_and_ipv6(void **state)
{
    struct es_server *s = NULL;
    struct es_error err;

    (void)state;
    assert_int_equal(serve(&s, "0", "localhost:0", &err), 0);
    assert_int_equal(ask("GET", "localhost", es_server_live_port(s), "/healthz", NULL).status, 200);
    es_server_free(s);
    if (!has_ipv6()) {
        assert_int_equal(serve(&s, "0", "[::1]:0", &err), ES_E_CONFIG);
        return;
    }
    assert_int_equal(serve(&s, "0", "[::1]:0", &err), 0);
    assert_int_equal(ask("GET", "[::1]", es_server_live_port(s), "/healthz", NULL).status, 200);
    es_server_free(s);
}

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {"8080",   "localhost", "127.0.0.1:",  "127.0.0.1:http",
                                      ":65536", ":-1",       "127.0.0.1: 1"};
    struct es_server *s = NULL;
    struct es_error err;
    char want[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(want, sizeof want, "--live-addr: \"%s\" is no address like :8080 or 127.0.0.1:8080", bad[i]);
        assert_int_equal(serve(&s, "0", bad[i], &err), ES_E_CONFIG);
        assert_string_equal(err.text, want);
    }
    assert_int_equal(serve(&s, "127.0.0.1", "127.0.0.1:0", &err), ES_E_CONFIG);
    assert_memory_equal(err.text, "--metrics-addr: ", 16);
    /* An address of nobody here (RFC 5737). */
    assert_int_equal(serve(&s, "0", "192.0.2.1:0", &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "cannot listen on 192.0.2.1:0: "));
    assert_null(s);
}

static void test_a_port_that_is_taken(void **state)
{
    struct es_server *first = serve_both(), *second = NULL;
    struct es_error err;
    char address[64];

    (void)state;
    snprintf(address, sizeof address, "127.0.0.1:%d", es_server_live_port(first));
    assert_int_equal(serve(&second, address, "127.0.0.1:0", &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "--metrics-addr: cannot listen on 127.0.0.1:"));
    assert_non_null(strstr(err.text, "Address already in use"));
    es_server_free(first);
    /* And it is free again when its server is gone. */
    assert_int_equal(serve(&second, address, "0", &err), 0);
    es_server_free(second);
}

static void *hammer(void *arg)
{
    for (int i = 0; i < 50; i++) {
        assert_int_equal(get(es_server_metrics_port(arg), "/metrics").status, 200);
        assert_int_equal(get(es_server_live_port(arg), "/readyz").status, 200);
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    struct es_server *s = serve_both();
    pthread_t threads[6];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, s), 0);
    for (int i = 0; i < 5000; i++)
        es_metric_add(counter, NULL, 1);
    for (size_t i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    assert_non_null(strstr(get(es_server_metrics_port(s), "/metrics").body, "\nthings_total 5000\n"));
    es_server_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_health_says_that_it_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_health_says_what_is_stuck, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_hundred_thousand_samples, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_may_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_certificate_that_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readiness_has_reasons, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metrics_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_page_has_its_listener, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_and_ipv6, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_port_that_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failures;
}
