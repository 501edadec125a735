/* Messages: what is put is what is got, and a frame that misses a byte or has one
 * more is refused. HTTP requests that are cut on their way hear the same sentence. */
#include "wire_test.h"

#include "core/wire/message.h"
#include "core/wire/tables.h"
#include "tests/unit/plugin/probe.h"

/* ---- the messages, as they may come ---- */

static const esp_pair some_pairs[] = {{{(const uint8_t *)"a", 1}, {(const uint8_t *)"1", 1}},
                                      {{NULL, 0}, {(const uint8_t *)"\0\xFF", 2}}};

static const struct es_hello a_hello = {.least = 1, .most = UINT32_MAX, .memory = UINT64_MAX - 5, .flags = 3};

static const struct es_wire_call a_call = {.op = ES_OP_PUSH,
                                           .component = 255,
                                           .instance = UINT64_MAX,
                                           .deadline_ms = INT64_MIN,
                                           .log_level = ESP_LOG_DEBUG,
                                           .json = {(const uint8_t *)"{}", 2},
                                           .values = some_pairs,
                                           .value_count = 2};

static struct esp_http_request a_request(void)
{
    return (struct esp_http_request){.size = sizeof(struct esp_http_request),
                                     .timeout_ms = UINT32_MAX,
                                     .flags = 0x80000001,
                                     .max_body = UINT64_MAX,
                                     .method = text("PUT"),
                                     .url = text("https://a/b"),
                                     .body = text("body"),
                                     .headers = some_pairs,
                                     .header_count = 2,
                                     .ca_pem = text("ca"),
                                     .cert_pem = text("cert"),
                                     .key_pem = text("key"),
                                     .server_name = text("server"),
                                     .api = text("api"),
                                     .username = text("user"),
                                     .password = text("password")};
}

static struct es_frame frame_of(void (*put)(struct es_link *l))
{
    struct es_link l;

    es_link_init(&l, -1);
    put(&l);
    struct es_frame f = take_put(&l);
    es_link_fini(&l);
    return f;
}

static void put_hello(struct es_link *l)
{
    es_put_hello(l, &a_hello);
}

static void put_call(struct es_link *l)
{
    es_put_call(l, &a_call);
}

static void put_request(struct es_link *l)
{
    const struct esp_http_request q = a_request();
    es_put_http_request(l, &q, 40);
}

static void put_response(struct es_link *l)
{
    const struct esp_http_response a = {
        .status = -7, .headers = some_pairs, .header_count = 2, .body = text("a body")};
    es_put_begin(l, ES_MSG_REPLY);
    es_put_http_response(l, &a);
    es_put_end(l);
}

/* ---- there and back ---- */

static void assert_pairs(const esp_pair *got, size_t count)
{
    assert_int_equal(count, 2);
    assert_bytes(got[0].name, "a");
    assert_bytes(got[0].value, "1");
    assert_int_equal(got[1].name.len, 0);
    assert_int_equal(got[1].value.len, 2);
    assert_memory_equal(got[1].value.ptr, "\0\xFF", 2);
}

static void test_hello(void **state)
{
    struct es_frame f = frame_of(put_hello);
    struct es_hello got;
    (void)state;

    assert_int_equal(f.type, ES_MSG_HELLO);
    assert_true(es_get_hello(&f, &got));
    assert_int_equal(got.least, a_hello.least);
    assert_int_equal(got.most, a_hello.most);
    assert_true(got.memory == a_hello.memory);
    assert_int_equal(got.flags, a_hello.flags);
    es_frame_fini(&f);
}

static void test_call(void **state)
{
    struct es_frame f = frame_of(put_call);
    struct es_wire_call got;
    esp_pair values[2];
    (void)state;

    assert_int_equal(f.type, ES_MSG_CALL);
    assert_true(es_get_call(&f, &got));
    es_get_pairs(&f, values, got.value_count);
    assert_true(es_get_done(&f));
    assert_int_equal(got.op, a_call.op);
    assert_int_equal(got.component, a_call.component);
    assert_true(got.instance == a_call.instance);
    assert_true(got.deadline_ms == a_call.deadline_ms);
    assert_int_equal(got.log_level, a_call.log_level);
    assert_bytes(got.json, "{}");
    assert_pairs(values, got.value_count);
    es_frame_fini(&f);
}

static void test_every_operation_crosses_and_no_other(void **state)
{
    struct es_wire_call got;
    (void)state;

    for (uint32_t op = 0; op < 300; op++) {
        struct es_frame f = frame_of(put_call);
        memcpy(f.data, &op, sizeof op);
        assert_int_equal(es_get_call(&f, &got), op < ES_OPS);
        assert_true(op >= ES_OPS || got.op == op);
        es_frame_fini(&f);
    }
}

static void test_request(void **state)
{
    struct es_frame f = frame_of(put_request);
    const struct esp_http_request want = a_request();
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_request got;
    uint32_t response_size;
    (void)state;

    assert_int_equal(f.type, ES_MSG_HTTP);
    assert_true(es_get_http_request(&f, &got, &response_size, headers));
    assert_int_equal(got.size, want.size);
    assert_int_equal(response_size, 40);
    assert_int_equal(got.timeout_ms, want.timeout_ms);
    assert_int_equal(got.flags, want.flags);
    assert_true(got.max_body == want.max_body);
    assert_bytes(got.method, "PUT");
    assert_bytes(got.url, "https://a/b");
    assert_bytes(got.body, "body");
    assert_bytes(got.ca_pem, "ca");
    assert_bytes(got.cert_pem, "cert");
    assert_bytes(got.key_pem, "key");
    assert_bytes(got.server_name, "server");
    assert_bytes(got.api, "api");
    assert_bytes(got.username, "user");
    assert_bytes(got.password, "password");
    assert_pairs(got.headers, got.header_count);
    es_frame_fini(&f);
}

static void put_request_of_1_0(struct es_link *l)
{
    struct esp_http_request q = a_request();

    q.size = offsetof(struct esp_http_request, username);
    es_put_http_request(l, &q, 40);
}

/* Its author's struct ends before these. */
static void test_request_without_a_login(void **state)
{
    struct es_frame f = frame_of(put_request_of_1_0);
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_request got;
    uint32_t response_size;
    (void)state;

    assert_true(es_get_http_request(&f, &got, &response_size, headers));
    assert_bytes(got.api, "api");
    assert_int_equal(got.username.len, 0);
    assert_int_equal(got.password.len, 0);
    es_frame_fini(&f);
}

static void test_response(void **state)
{
    struct es_frame f = frame_of(put_response);
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_response got = {0};
    (void)state;

    assert_true(es_get_http_response(&f, &got, headers));
    assert_int_equal(got.status, -7);
    assert_bytes(got.body, "a body");
    assert_pairs(got.headers, got.header_count);
    es_frame_fini(&f);
}

/* ---- cut short, and too long ---- */

static bool get_hello(struct es_frame *f)
{
    struct es_hello got;
    return es_get_hello(f, &got);
}

static bool get_call(struct es_frame *f)
{
    esp_pair values[16];
    struct es_wire_call got;

    if (!es_get_call(f, &got))
        return false;
    assert_true(got.value_count <= COUNT_OF(values));
    es_get_pairs(f, values, got.value_count);
    return es_get_done(f);
}

static bool get_request(struct es_frame *f)
{
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_request got;
    uint32_t response_size;
    return es_get_http_request(f, &got, &response_size, headers);
}

static bool get_response(struct es_frame *f)
{
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_response got;
    return es_get_http_response(f, &got, headers);
}

static const struct {
    void (*put)(struct es_link *l);
    bool (*get)(struct es_frame *f);
} messages[] = {
    {put_hello, get_hello}, {put_call, get_call}, {put_request, get_request}, {put_response, get_response}};

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct es_frame whole = frame_of(messages[i].put);
        assert_true(messages[i].get(&whole));
        for (size_t len = 0; len < whole.len; len++) {
            struct es_frame cut = exact_frame(whole.type, whole.data, len);
            assert_false(messages[i].get(&cut));
            es_frame_fini(&cut);
        }
        es_frame_fini(&whole);
    }
}

static void test_a_byte_too_many_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct es_frame whole = frame_of(messages[i].put);
        uint8_t *more = calloc(1, whole.len + 1);
        assert_non_null(more);
        memcpy(more, whole.data, whole.len);
        struct es_frame longer = exact_frame(whole.type, more, whole.len + 1);
        assert_false(messages[i].get(&longer));
        es_frame_fini(&longer);
        es_frame_fini(&whole);
        free(more);
    }
}

/* Each length and count in turn promises what is not there. */
static void test_promises_are_not_believed(void **state)
{
    static const uint32_t promises[] = {0x100, 0x10000, INT32_MAX, UINT32_MAX};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct es_frame whole = frame_of(messages[i].put);
        for (size_t at = 0; at + 4 <= whole.len; at++)
            for (size_t p = 0; p < COUNT_OF(promises); p++) {
                struct es_frame f = exact_frame(whole.type, whole.data, whole.len);
                memcpy(f.data + at, &promises[p], 4);
                messages[i].get(&f); /* whatever it says, it reads nothing else */
                assert_true(f.at <= f.len);
                es_frame_fini(&f);
            }
        es_frame_fini(&whole);
    }
}

static void test_too_many_values_and_headers(void **state)
{
    static const esp_pair many[ES_WIRE_MAX_HEADERS + 1];
    const struct esp_http_response a = {.headers = many, .header_count = ES_WIRE_MAX_HEADERS + 1};
    struct es_wire_call call = {.op = ES_OP_PUSH, .value_count = ES_WIRE_MAX_VALUES + 1}, got;
    struct es_link l;
    (void)state;

    es_link_init(&l, -1);
    es_put_begin(&l, ES_MSG_REPLY);
    es_put_http_response(&l, &a);
    es_put_end(&l);
    struct es_frame f = take_put(&l);
    assert_false(get_response(&f));
    es_frame_fini(&f);

    call.values = calloc(call.value_count, sizeof *call.values);
    assert_non_null(call.values);
    es_put_call(&l, &call);
    f = take_put(&l);
    assert_false(es_get_call(&f, &got));
    es_frame_fini(&f);
    call.value_count--;
    es_put_call(&l, &call);
    f = take_put(&l);
    assert_true(es_get_call(&f, &got));
    assert_int_equal(got.value_count, ES_WIRE_MAX_VALUES);
    es_frame_fini(&f);
    free((void *)call.values);
    es_link_fini(&l);
}

/* ---- what is cut is refused with the same words ---- */

#define LONG ((size_t)17 << 20)

static uint8_t *long_text;
static struct es_registry *registry;
static struct es_authority who;
static struct esp_http_request question;
static struct es_error here, there;

static esp_status ask_directly(struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_response response = {.size = sizeof response};
    (void)request;
    return probe_host->http(call, &question, &response);
}

static esp_status ask_over_a_frame(struct esp_call *call, const struct esp_request *request)
{
    struct esp_http_response response = {.size = sizeof response};
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_request carried;
    struct es_link l;
    (void)request;

    es_link_init(&l, -1);
    es_put_http_request(&l, &question, response.size);
    struct es_frame f = take_put(&l);
    es_link_fini(&l);
    assert_true(es_get_http_request(&f, &carried, &response.size, headers));
    esp_status status = probe_host->http(call, &carried, &response);
    es_frame_fini(&f);
    return status;
}

static void assert_same_words(const char *part)
{
    here = there = (struct es_error)ES_ERROR_INIT;
    int rc = probe_get(registry, &who, ask_directly, &here);
    assert_true(rc < 0);
    assert_int_equal(probe_get(registry, &who, ask_over_a_frame, &there), rc);
    assert_string_equal(there.text, here.text);
    if (!strstr(here.text, part))
        fail_msg("\"%s\" does not say \"%s\"", here.text, part);
}

static int set_up_host(void **state)
{
    (void)state;
    long_text = malloc(LONG);
    assert_non_null(long_text);
    memset(long_text, 'x', LONG);
    probe_reset();
    registry = probe_registry(NULL);
    who = probe_who("{}");
    return 0;
}

static int tear_down_host(void **state)
{
    (void)state;
    es_registry_free(registry);
    probe_who_free(&who);
    free(long_text);
    return 0;
}

static void test_long_fields_are_refused_with_the_same_words(void **state)
{
    static const struct {
        size_t field; /* offset of an esp_bytes */
        size_t most;
        const char *says;
        uint32_t flags;
    } cases[] = {
        {offsetof(struct esp_http_request, method), 16, "an HTTP method is longer than 16 bytes", 0},
        {offsetof(struct esp_http_request, url), (size_t)64 << 10, "a URL is longer than 65536 bytes", 0},
        {offsetof(struct esp_http_request, body), (size_t)16 << 20, "an HTTP request of more than 16 MiB", 0},
        {offsetof(struct esp_http_request, ca_pem), (size_t)1 << 20,
         "a certificate or key of more than 1 MiB", 0},
        {offsetof(struct esp_http_request, cert_pem), (size_t)1 << 20,
         "a certificate or key of more than 1 MiB", 0},
        {offsetof(struct esp_http_request, key_pem), (size_t)1 << 20,
         "a certificate or key of more than 1 MiB", 0},
        {offsetof(struct esp_http_request, server_name), 253, "a server's name is longer than 253 bytes", 0},
        {offsetof(struct esp_http_request, username), 1024, "a user name is longer than 1024 bytes",
         ESP_HTTP_NTLM},
        {offsetof(struct esp_http_request, password), 1024, "a password for NTLM is longer than 1 KiB",
         ESP_HTTP_NTLM},
        {offsetof(struct esp_http_request, api), LONG, "", 0}, /* cut to a label, never refused */
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t lengths[] = {cases[i].most, cases[i].most + 1, 2 * cases[i].most, LONG};
        for (size_t n = 0; n < COUNT_OF(lengths); n++) {
            question = (struct esp_http_request){.size = sizeof question,
                                                 .flags = cases[i].flags,
                                                 .method = text("GET"),
                                                 .url = text("http://127.0.0.1:1/")};
            if (cases[i].flags)
                question.username = text("alice");
            size_t len = lengths[n] < LONG ? lengths[n] : LONG;
            *(esp_bytes *)(void *)((char *)&question + cases[i].field) = (esp_bytes){long_text, len};
            assert_same_words(len > cases[i].most ? cases[i].says : "");
        }
    }
    assert_string_equal(there.text, "there is no network here"); /* the label's */
}

static void ask_with_headers(size_t count, size_t name, size_t value, const char *says)
{
    esp_pair *headers = calloc(count, sizeof *headers);
    assert_non_null(headers);
    for (size_t i = 0; i < count; i++)
        headers[i] = (esp_pair){{long_text, name}, {long_text, value}};
    question = (struct esp_http_request){.size = sizeof question,
                                         .method = text("GET"),
                                         .url = text("http://127.0.0.1:1/"),
                                         .headers = headers,
                                         .header_count = count};
    assert_same_words(says);
    free(headers);
}

static void test_headers_are_refused_with_the_same_words(void **state)
{
    const char *many = "more than 200 headers", *no_network = "there is no network here";
    (void)state;

    ask_with_headers(200, 1, 1, no_network);
    ask_with_headers(201, 1, 1, many);
    ask_with_headers(256, 1, 1, many);
    ask_with_headers(257, 1, 1, many);
    ask_with_headers(5000, 1, 1, many);
    ask_with_headers(201, 1, (size_t)70000, many);
    ask_with_headers(1, 253, 1, no_network);
    ask_with_headers(1, 254, 1, "an HTTP header's name is longer than 253 bytes");
    ask_with_headers(1, 5000, 1, "an HTTP header's name is longer than 253 bytes");
    ask_with_headers(1, 1, (size_t)64 << 10, no_network);
    ask_with_headers(1, 1, ((size_t)64 << 10) + 1, "an HTTP header's value is longer than 65536 bytes");
    ask_with_headers(1, 1, LONG, "an HTTP header's value is longer than 65536 bytes");
}

/* All at their ceilings, in one frame. */
static void test_the_largest_request_fits(void **state)
{
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct es_link l;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(headers); i++)
        headers[i] = (esp_pair){{long_text, LONG}, {long_text, LONG}};
    question = (struct esp_http_request){.size = sizeof question,
                                         .method = {long_text, LONG},
                                         .url = {long_text, LONG},
                                         .body = {long_text, LONG},
                                         .headers = headers,
                                         .header_count = 1000000,
                                         .ca_pem = {long_text, LONG},
                                         .cert_pem = {long_text, LONG},
                                         .key_pem = {long_text, LONG},
                                         .server_name = {long_text, LONG},
                                         .api = {long_text, LONG}};
    es_link_init(&l, -1);
    es_put_http_request(&l, &question, sizeof(struct esp_http_response));
    assert_false(l.failed);
    assert_true(l.out_len > (size_t)32 << 20);
    es_link_fini(&l);
}

#define WITH_HOST(name) cmocka_unit_test_setup_teardown(name, set_up_host, tear_down_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_every_operation_crosses_and_no_other),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_request_without_a_login),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_a_byte_too_many_is_refused),
        cmocka_unit_test(test_promises_are_not_believed),
        cmocka_unit_test(test_too_many_values_and_headers),
        WITH_HOST(test_long_fields_are_refused_with_the_same_words),
        WITH_HOST(test_headers_are_refused_with_the_same_words),
        WITH_HOST(test_the_largest_request_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
