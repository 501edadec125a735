/* Every allocation fails once: an error, never a crash. The linker wraps the
 * allocator (see CMakeLists.txt). With TLS only our own allocations fail:
 * libcurl 7.88 frees a host name twice when it cannot store a TLS session. */
#include <dlfcn.h>
#include <stdlib.h>

#include "fixture.h"

static long countdown;   /* atomic; 0: never fail */
static bool spares_curl; /* set while no transport lives */

void *__real_es_mem_alloc(size_t size);
void *__real_es_mem_calloc(size_t count, size_t size);
void *__real_es_mem_realloc(void *ptr, size_t size);
char *__real_es_mem_strdup(const char *text);
void *__wrap_es_mem_alloc(size_t size);
void *__wrap_es_mem_calloc(size_t count, size_t size);
void *__wrap_es_mem_realloc(void *ptr, size_t size);
char *__wrap_es_mem_strdup(const char *text);

static bool is_curl(const void *caller)
{
    Dl_info info;
    return dladdr(caller, &info) != 0 && info.dli_fname && strstr(info.dli_fname, "libcurl");
}

static bool fails(const void *caller)
{
    if (spares_curl && is_curl(caller))
        return false;
    return __atomic_load_n(&countdown, __ATOMIC_RELAXED) > 0 &&
           __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) == 0;
}

void *__wrap_es_mem_alloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_es_mem_alloc(size);
}

void *__wrap_es_mem_calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_es_mem_calloc(count, size);
}

void *__wrap_es_mem_realloc(void *ptr, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_es_mem_realloc(ptr, size);
}

char *__wrap_es_mem_strdup(const char *text)
{
    return fails(__builtin_return_address(0)) ? NULL : __real_es_mem_strdup(text);
}

static void one_call(struct es_http *http, const struct es_http_request *req, int *good)
{
    struct es_http_response res;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_http_call(http, req, &res, &err);

    if (rc == 0) {
        assert_int_equal(res.status, 200);
        ++*good;
    } else {
        assert_int_equal(err.code, rc);
        assert_true(err.text[0]);
    }
    es_http_response_fini(&res);
}

static void one_stream(struct es_http *http, const struct es_http_request *req)
{
    struct es_http_stream *s = NULL;
    struct es_http_response head;
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    es_buf_init(&out, 1000000);
    if (es_http_stream_open(http, req, NULL, &s, &head, &err) == 0)
        while (es_http_stream_read(s, &out, &err) > 0)
            ;
    es_http_stream_close(s);
    es_http_response_fini(&head);
    es_buf_fini(&out);
}

/* A transport's whole life. Returns whether the n-th allocation was reached. */
static bool life(const struct es_http_request *req, long n, int *good)
{
    struct es_http *http = NULL;
    struct es_error err = ES_ERROR_INIT;

    __atomic_store_n(&countdown, n, __ATOMIC_RELAXED);
    if (es_http_new(&http, &(struct es_http_opts){.user_agent = "x"}, &err) == 0) {
        one_call(http, req, good);
        one_stream(http, req);
        one_call(http, req, good);
        es_http_free(http);
    }
    bool reached = __atomic_load_n(&countdown, __ATOMIC_RELAXED) == 0;
    __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
    return reached;
}

static void every_failure(struct es_http_request *req, bool spare_curl, long least)
{
    struct es_http_header header = {"X-Header", "value"};
    int good = 0;
    long n = 1;

    spares_curl = spare_curl;
    req->method = "POST";
    req->body = "body";
    req->body_len = 4;
    req->headers = &header;
    req->header_count = 1;
    while (life(req, n, &good))
        n++;
    assert_in_range(n, least, 5000);
    assert_true(good > n); /* a failure spoils one call, not the next */
}

static void test_plain(void **state)
{
    const struct harness *h = *state;
    struct es_http_request req = get(url("http", h->http, "/echo"));
    every_failure(&req, false, 100);
}

static void test_tls(void **state)
{
    const struct harness *h = *state;
    char *ca = harness_read(h, "ca.pem");
    struct es_http_request req = tls_get(url("https", h->https, "/echo"), ca);

    every_failure(&req, true, 20);
    free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_tls)};
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
