/* One call over one lane, with a test at the other end: what a process may do to the
 * worker that called it, which is not much. */
#include "probe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/plugin/remote_talk.h"

#define GRACE_MS 50

/* ---- memory that fails ---- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static size_t too_large = SIZE_MAX; /* there is no memory for so much at once */

/* The linker sends the program's allocations here (--wrap). */
void *__wrap_malloc(size_t size)
{
    return size >= too_large ? NULL : __real_malloc(size);
}

/* ---- a call ---- */

static struct es_registry *registry;
static struct es_authority who;
static struct es_link lane, process;
static bool cancelled;
static struct es_error err;
static char why[ES_TALK_WHY_MAX];
static esp_status status;

static int kube_read(void *ctx, const struct es_authority *whom, enum es_kube_read what, const char *ns,
                     const char *name, const char *key, struct es_blob *ret, struct es_error *error)
{
    static char value[100000];
    (void)ctx;
    (void)whom;
    (void)what;
    (void)ns;
    (void)name;
    (void)key;
    return es_blob_set(ret, value, sizeof value) < 0 ? es_error_nomem(error) : 0;
}

static int setup(void **state)
{
    static const struct es_services services = {.kube_read = kube_read};
    const struct timeval tick = {.tv_usec = 10000};
    const int small = 4096;
    int pair[2];
    (void)state;

    probe_reset();
    registry = probe_registry(&services);
    who = probe_who("{\"a\":\"creds\"}");
    cancelled = false;
    who.cancelled = &cancelled;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    es_link_init(&lane, pair[0]);
    es_link_init(&process, pair[1]);
    process.call = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_link_fini(&lane);
    es_link_fini(&process);
    es_registry_free(registry);
    probe_who_free(&who);
    too_large = SIZE_MAX;
    return 0;
}

static enum es_talk talk(int64_t time_ms, esp_bytes json)
{
    struct esp_call call;
    uint64_t instance = 0;

    who.deadline_ms = es_mono_ms() + time_ms;
    es_call_begin(&call, registry, es_registry_provider(registry, "probe")->plugin, &probe_component,
                  ES_OP_GET, &who);
    const struct es_wire_call asked = {.op = ES_OP_GET, .deadline_ms = who.deadline_ms, .json = json};
    why[0] = '\0';
    status = ESP_OK;
    enum es_talk result = es_talk(&lane, &call, &asked, GRACE_MS, &status, &instance, why);
    err = (struct es_error)ES_ERROR_INIT;
    if (result == ES_TALK_DONE)
        es_call_settle(&call, status, &err);
    es_call_end(&call);
    return result;
}

/* ---- the process' side ---- */

static void put_return(esp_status with)
{
    es_put_begin(&process, ES_MSG_RETURN);
    es_put_u32(&process, (uint32_t)with);
    es_put_u64(&process, 0);
    es_put_end(&process);
}

static void put_emit(const char *value)
{
    es_put_begin(&process, ES_MSG_EMIT);
    es_put_u32(&process, ESP_OUT_VALUE);
    es_put_bytes(&process, bytes(""));
    es_put_bytes(&process, bytes(value));
    es_put_end(&process);
}

static void put_kube_read(void)
{
    es_put_begin(&process, ES_MSG_KUBE_READ);
    es_put_u32(&process, ESP_KUBE_SECRET);
    es_put_bytes(&process, bytes(""));
    es_put_bytes(&process, bytes("creds"));
    es_put_bytes(&process, bytes("key"));
    es_put_end(&process);
}

/* Said before it is asked: a test needs no thread for that. */
static void say(void)
{
    assert_int_equal(es_link_flush(&process), ES_LINK_OK);
}

static void assert_condemned(enum es_talk result, const char *what)
{
    assert_string_equal(why, what);
    assert_int_equal(result, ES_TALK_CONDEMN);
}

/* ---- the tests ---- */

static void test_a_call(void **state)
{
    struct es_frame f = {0};
    struct es_wire_call asked;
    (void)state;

    put_emit("value");
    put_return(ESP_OK);
    say();
    assert_int_equal(talk(10000, bytes("{}")), ES_TALK_DONE);
    assert_string_equal(err.text, "");
    assert_int_equal(es_link_next(&process, &f), ES_LINK_FRAME);
    assert_int_equal(f.call, 1);
    assert_true(es_get_call(&f, &asked));
    assert_int_equal(asked.op, ES_OP_GET);
    es_frame_fini(&f);
}

static void test_frames_of_another_call(void **state)
{
    (void)state;
    process.call = 2;
    put_return(ESP_OK);
    say();
    assert_condemned(talk(10000, bytes("{}")), "get was answered with another call's frame");
}

static void test_a_verdict_that_there_is_not(void **state)
{
    static const uint32_t verdicts[] = {ES_EMIT_OK, ES_EMIT_NUL + 1, UINT32_MAX};
    (void)state;

    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        teardown(NULL);
        setup(NULL);
        es_put_begin(&process, ES_MSG_REFUSED_EMIT);
        es_put_u32(&process, verdicts[i]);
        es_put_u32(&process, ESP_OUT_VALUE);
        es_put_end(&process);
        put_return(ESP_OK);
        say();
        assert_condemned(talk(10000, bytes("{}")), "get sent a frame that makes no sense");
    }
}

static void nap(void)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    nanosleep(&ms, NULL);
}

/* A frame that would take an hour. */
static void *send_a_byte_now_and_then(void *arg)
{
    uint8_t header[8] = {0x00, 0x00, 0x40, 0x00, ES_MSG_EMIT, 0, 1, 0};

    if (send(process.fd, header, sizeof header, MSG_NOSIGNAL) < 0)
        return NULL;
    while (send(process.fd, header, 1, MSG_NOSIGNAL) == 1)
        nap();
    return arg;
}

static void test_a_trickle_ends_with_the_time(void **state)
{
    pthread_t sender;
    (void)state;

    assert_int_equal(pthread_create(&sender, NULL, send_a_byte_now_and_then, NULL), 0);
    int64_t start = es_mono_ms();
    enum es_talk result = talk(100, bytes("{}"));
    assert_true(es_mono_ms() - start < 5000);
    assert_condemned(result, "get did not return when its time was over");
    es_link_fini(&lane);
    pthread_join(sender, NULL);
}

/* What nobody reads does not hold the worker beyond a shutdown. */
static void test_a_process_that_does_not_read_when_all_ends(void **state)
{
    char *long_json = malloc((size_t)1 << 20);
    (void)state;

    assert_non_null(long_json);
    memset(long_json, ' ', (size_t)1 << 20);
    cancelled = true;
    int64_t start = es_mono_ms();
    enum es_talk result = talk(60000, (esp_bytes){(const uint8_t *)long_json, (size_t)1 << 20});
    assert_true(es_mono_ms() - start < 10000);
    assert_condemned(result, "get did not take what it asked for");
    free(long_json);
}

static void test_a_request_that_fits_no_frame(void **state)
{
    (void)state;
    assert_int_equal(talk(10000, (esp_bytes){(const uint8_t *)"", ES_FRAME_MAX + 1}), ES_TALK_DONE);
    assert_int_equal(status, ESP_E_INTERNAL);
    assert_string_equal(err.text, "the request of get is larger than 40 MiB, or memory is out");
    process.call = 2; /* the lane is as good as before */
    put_emit("value");
    put_return(ESP_OK);
    say();
    assert_int_equal(talk(10000, bytes("{}")), ES_TALK_DONE);
    assert_string_equal(err.text, "");
}

/* The core is out of memory for an answer: the plugin hears it, and lives. */
static void test_an_answer_without_memory(void **state)
{
    struct es_frame f = {0};
    (void)state;

    put_kube_read();
    put_return(ESP_E_INTERNAL);
    say();
    too_large = 110000; /* the value fits, the packet that grows around it does not */
    assert_int_equal(talk(10000, bytes("{}")), ES_TALK_DONE);
    too_large = SIZE_MAX;
    assert_string_equal(err.text, "out of memory");
    assert_int_equal(es_link_next(&process, &f), ES_LINK_FRAME);
    assert_int_equal(f.type, ES_MSG_CALL);
    es_frame_fini(&f);
    assert_int_equal(es_link_next(&process, &f), ES_LINK_FRAME);
    assert_int_equal(f.type, ES_MSG_REPLY);
    assert_int_equal((esp_status)es_get_u32(&f), ESP_E_INTERNAL);
    assert_true(es_get_done(&f));
    es_frame_fini(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_call),
        TEST(test_frames_of_another_call),
        TEST(test_a_verdict_that_there_is_not),
        TEST(test_a_trickle_ends_with_the_time),
        TEST(test_a_process_that_does_not_read_when_all_ends),
        TEST(test_a_request_that_fits_no_frame),
        TEST(test_an_answer_without_memory),
    };
    es_mem_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
