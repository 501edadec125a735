/* What stays of a secret in the process after its call. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "fixture.h"

#define MARK 16
#define WINDOW ((size_t)1 << 20)
#define LARGEST_REGION ((size_t)1 << 28) /* sanitizers map terabytes */

/* The mark is made at run time and kept inverted, so that only what is
 * looked for looks like it. */
static unsigned char inverted[MARK];

static void fill(char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)~inverted[i % MARK];
}

/* Watched byte by byte, the search of all memory would take minutes. */
__attribute__((no_sanitize("thread"))) static size_t count_marks(const unsigned char *p, size_t len)
{
    size_t hits = 0;

    for (size_t i = 0; i + MARK <= len; i++) {
        size_t k = 0;
        while (k < MARK && p[i + k] == (unsigned char)~inverted[k])
            k++;
        if (k == MARK) {
            hits++;
            i += MARK - 1;
        }
    }
    return hits;
}

/* A window between two guards, so that it is a region of its own. */
static unsigned char *new_window(void)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *p = mmap(NULL, WINDOW + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + guard, WINDOW, PROT_READ | PROT_WRITE), 0);
    return p + guard;
}

static void free_window(unsigned char *window)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    munmap(window - guard, WINDOW + 2 * guard);
}

/* Searches all writable memory but the window it is read through. */
static size_t marks_in_memory(void)
{
    unsigned char *window = new_window();
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned long begin, end;
    char mode[8], line[512];
    size_t hits = 0;

    assert_true(maps && mem >= 0);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) != 3 || mode[1] != 'w' ||
            end - begin > LARGEST_REGION || begin == (unsigned long)(uintptr_t)window)
            continue;
        for (unsigned long at = begin; at < end; at += WINDOW - MARK) {
            ssize_t got = pread(mem, window, end - at < WINDOW ? end - at : WINDOW, (off_t)at);
            if (got > 0)
                hits += count_marks(window, (size_t)got);
        }
    }
    fclose(maps);
    close(mem);
    free_window(window);
    return hits;
}

static void post(struct es_http *http, const char *address, const char *ca, size_t len, bool marked)
{
    char *body = es_mem_alloc(len);
    struct es_http_request req = tls_get(address, ca);
    struct es_http_response res;

    assert_non_null(body);
    memset(body, 'x', len);
    if (marked)
        fill(body, len);
    req.method = "POST";
    req.body = body;
    req.body_len = len;
    req.secret = true;
    assert_int_equal(must(http, &req, &res), 200);
    assert_true(res.body.len > len);
    assert_int_equal(count_marks((unsigned char *)res.body.ptr, res.body.len) > 0, marked);
    if (marked)
        assert_true(marks_in_memory() >= 2 * (len / MARK) - 2); /* the search finds what is there */
    es_http_response_fini(&res);
    es_mem_free(body);
}

static void test_nothing_of_a_secret_call_stays(void **state)
{
    const struct harness *h = *state;
    static const size_t lengths[] = {100, 5000, 60000, 400000};
    char *ca = harness_read(h, "ca.pem");
    struct es_http *http = new_http(NULL);
    const char *address = url("https", h->https, "/echo");

    /* The first call binds symbols, which leaves registers on the stack. */
    post(http, address, ca, 100, false);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        post(http, address, ca, lengths[i], true);
        assert_int_equal(marks_in_memory(), 0);
    }
    es_http_free(http);
    assert_int_equal(marks_in_memory(), 0);
    free(ca);
}

static void test_nothing_of_a_stream_stays(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    struct es_http *http = new_http(NULL);
    struct es_http_stream *s = NULL;
    struct es_http_response head;
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    char *body = es_mem_alloc(100000);
    struct es_http_request req = tls_get(url("https", h->https, "/echo"), ca);

    post(http, req.url, ca, 100, false);
    fill(body, 100000);
    req.method = "POST";
    req.body = body;
    req.body_len = 100000;
    es_buf_init(&out, 1000000);
    assert_int_equal(
        es_http_stream_open(http, &req, &(struct es_http_stream_opts){.window = 20000}, &s, &head, &err), 0);
    es_mem_free(body);
    while (es_http_stream_read(s, &out, &err) > 0)
        nap_ms(1);
    assert_true(out.len > 100000);
    es_buf_fini(&out);
    es_http_stream_close(s);
    es_http_response_fini(&head);
    assert_int_equal(marks_in_memory(), 0);
    es_http_free(http);
    free(ca);
}

/* libcurl copies a login when it is set, and again for the connection. */
static void log_in(struct es_http *http, const char *address, const char *ca, bool marked)
{
    char *password = es_mem_calloc(1, MARK + 1);
    struct es_http_request req = tls_get(address, ca);
    struct es_http_response res;

    memset(password, 'x', MARK);
    if (marked)
        fill(password, MARK);
    req.ntlm_user = "alice";
    req.ntlm_password = password;
    req.secret = true;
    assert_int_equal(must(http, &req, &res), 401); /* as far as a login gets with the wrong one */
    if (marked)
        assert_true(marks_in_memory() >= 1);
    es_http_response_fini(&res);
    es_mem_free(password);
}

static void test_nothing_of_a_login_stays(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    struct es_http *http = new_http(NULL);
    const char *address = url("https", h->https, "/ntlm");

    log_in(http, address, ca, false);
    log_in(http, address, ca, true);
    assert_int_equal(marks_in_memory(), 0);
    es_http_free(http);
    free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_of_a_secret_call_stays),
        cmocka_unit_test(test_nothing_of_a_stream_stays),
        cmocka_unit_test(test_nothing_of_a_login_stays),
    };
    for (size_t i = 0; i < MARK; i++) /* never 255: a mark without NUL can be a password */
        inverted[i] = (unsigned char)(0x80 + 7 * i + (unsigned)getpid() % 22);
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
