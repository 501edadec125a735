/* Each allocation fails in turn: it is said, nothing is half sent, and what can go
 * on goes on. Nothing is left behind, of which the sanitizer's leak check is the judge. */
#include "wire_test.h"

#include <errno.h>
#include <sys/socket.h>

#include "core/wire/message.h"
#include "core/wire/tables.h"
#include "tests/unit/failing_alloc.h"

/* Runs the story once per allocation that it makes; it returns whether it came
 * through, which it does exactly when none failed. */
static void torture(bool (*story)(void), size_t least)
{
    for (size_t n = 0;; n++) {
        failed_one = false;
        until_failure = n;
        bool good = story();
        until_failure = SIZE_MAX;
        assert_int_equal(good, !failed_one);
        if (good) {
            assert_true(n >= least);
            return;
        }
    }
}

static struct es_link near, far;

static int setup(void **state)
{
    int pair[2];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    es_link_init(&near, pair[0]);
    es_link_init(&far, pair[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_link_fini(&near);
    es_link_fini(&far);
    return 0;
}

/* ---- writing ---- */

static uint8_t much[40000];

static void put_growing(struct es_link *l)
{
    static const esp_pair pairs[] = {{{much, 9000}, {much, 9000}}, {{much, 9000}, {much, 5}}};

    es_put_begin(l, 1);
    es_put_u32(l, 1);
    es_put_bytes(l, (esp_bytes){much, 3000});
    es_put_pairs(l, pairs, COUNT_OF(pairs));
    es_put_text(l, "end");
    es_put_u64(l, 1);
    es_put_end(l);
}

static bool write_story(void)
{
    char byte;

    teardown(NULL);
    setup(NULL);
    put_growing(&near);
    enum es_link_result result = es_link_flush(&near);
    if (result == ES_LINK_OK)
        return near.out_len == 0;
    assert_int_equal(result, ES_LINK_NOMEM);
    assert_false(near.failed);
    assert_int_equal(recv(far.fd, &byte, 1, MSG_DONTWAIT), -1); /* not even a part */
    assert_int_equal(errno, EAGAIN);
    put_growing(&near); /* and the next one is not harmed */
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    return false;
}

static void test_writing(void **state)
{
    (void)state;
    torture(write_story, 3);
}

/* ---- reading ---- */

/* A frame that finds no memory is there the next time. */
static bool read_story(void)
{
    struct es_frame f = {0};
    bool good = true;

    for (int i = 0; i < 3; i++) {
        size_t armed = until_failure;
        until_failure = SIZE_MAX;
        put_growing(&near);
        assert_int_equal(es_link_flush(&near), ES_LINK_OK);
        until_failure = armed;
        enum es_link_result result = es_link_next(&far, &f);
        if (result == ES_LINK_NOMEM) {
            assert_null(f.data);
            good = false;
            result = es_link_next(&far, &f);
        }
        assert_int_equal(result, ES_LINK_FRAME);
        assert_int_equal(es_get_u32(&f), 1);
        assert_int_equal(es_get_bytes(&f).len, 3000);
        es_frame_fini(&f);
    }
    return good;
}

static void test_reading(void **state)
{
    (void)state;
    torture(read_story, 3);
}

/* ---- tables ---- */

static esp_status no_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    (void)request;
    (void)instance;
    return ESP_E_INTERNAL;
}

static esp_status no_op(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    (void)request;
    return ESP_E_INTERNAL;
}

static const struct esp_store_ops ops = {.size = sizeof ops, .open = no_open};
static const struct esp_generator_ops generator_ops = {.size = sizeof generator_ops, .generate = no_op};
static char long_schema[ES_MAX_SCHEMA + 3];
static const struct esp_component component = {.size = sizeof component,
                                               .kind = ESP_KIND_STORE,
                                               .name = "store",
                                               .schema = long_schema,
                                               .store = &ops,
                                               .generator = &generator_ops};
static const struct esp_component *const components[] = {&component, NULL};
static const char *const ambient[] = {"env:A", NULL};
static const struct esp_plugin plugin = {.size = sizeof plugin,
                                         .abi_major = ESP_ABI_MAJOR,
                                         .name = "plugin",
                                         .version = "1",
                                         .components = components,
                                         .ambient = ambient};

/* The text is too long, so it is copied to be cut. */
static bool put_tables_story(void)
{
    struct es_link l;

    es_link_init(&l, -1);
    es_put_plugin(&l, &plugin);
    bool good = !l.failed;
    es_link_fini(&l);
    return good;
}

static struct es_frame tables_frame;

static bool get_tables_story(void)
{
    size_t armed = until_failure;
    until_failure = SIZE_MAX;
    struct es_frame f = exact_frame(ES_MSG_PLUGIN, tables_frame.data, tables_frame.len);
    bool bad = true;
    until_failure = armed;

    struct es_tables *t = es_get_plugin(&f, &ops, &generator_ops, NULL, &bad);
    assert_false(bad); /* it is not the frame's fault */
    assert_null(f.data);
    es_tables_free(t);
    return t != NULL;
}

static void test_tables(void **state)
{
    struct es_link l;
    (void)state;

    memset(long_schema, 'x', sizeof long_schema - 1);
    torture(put_tables_story, 3);
    es_link_init(&l, -1);
    es_put_plugin(&l, &plugin);
    tables_frame = take_put(&l);
    es_link_fini(&l);
    torture(get_tables_story, 6);
    es_frame_fini(&tables_frame);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_writing), TEST(test_reading), TEST(test_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
