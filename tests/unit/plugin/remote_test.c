/* Plugins in processes of their own: what goes wrong in one costs the call that was
 * in it, is named, and is over with the next process. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/sanitized.h"
#include "core/base/text.h"
#include "core/plugin/call.h"
#include "core/plugin/pool.h"
#include "core/plugin/remote.h"
#include "core/wire/fence.h"

#define GRACE_MS 300
#define MEMORY (INT64_C(48) << 20)

static const char *const path[] = {BAD_PLUGINS, BAD_PLUGINS "/when_loaded", NULL};

static struct es_registry *registry;
static struct es_metrics *metrics;
static struct es_authority who;
static int losses; /* told to plugin_lost; atomic */
static char last_loss[ES_ERROR_TEXT_MAX];

static void plugin_lost(void *ctx, const struct es_authority *whose, const char *why)
{
    (void)ctx;
    assert_string_equal(whose->store_name, "store");
    snprintf(last_loss, sizeof last_loss, "%s", why);
    __atomic_add_fetch(&losses, 1, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
    const struct es_isolation_opts isolation = {
        .isolation = ES_ISOLATION_PROCESS, .runner = RUNNER, .memory_bytes = MEMORY, .grace_ms = GRACE_MS};
    metrics = es_metrics_new();
    const struct es_services services = {
        .metrics = metrics, .kube_read = probe_kube_read, .plugin_lost = plugin_lost};
    (void)state;

    losses = 0;
    who = probe_who("{\"auth\":{\"secretRef\":{\"name\":\"ours\",\"key\":\"token\"}}}");
    assert_int_equal(es_registry_new(&registry, &services, NULL), 0);
    es_registry_isolate(registry, &isolation);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_registry_free(registry);
    es_metrics_free(metrics);
    probe_who_free(&who);
    return 0;
}

static void load(const char *name)
{
    const struct es_plugin_entry entry = {.name = name};
    struct es_error err = ES_ERROR_INIT;

    if (es_registry_load(registry, path, &entry, &err) < 0 || es_registry_start(registry, &err) < 0)
        fail_msg("%s", err.text);
}

static const struct es_plugin *loaded(void)
{
    const struct es_plugin *const *plugins;
    assert_int_equal(es_registry_plugins(registry, &plugins), 1);
    return plugins[0];
}

static struct es_instance *open_store(void)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_instance *i = NULL;

    if (es_instance_open(&i, registry, &loaded()->providers[0], &who, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return i;
}

/* One get with a deadline of `ms`. */
static int get_within(struct es_instance *i, int64_t ms, const json_t *ref, struct es_blob *ret,
                      struct es_error *err)
{
    struct es_authority now = who;
    now.deadline_ms = es_mono_ms() + ms;
    return es_instance_get(i, &now, ref, ret, err);
}

static void sleep_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static double metric(const char *name)
{
    struct es_buf page;
    char line[128];
    double value = 0;

    es_buf_init(&page, 1 << 20);
    es_metrics_write(metrics, &page);
    snprintf(line, sizeof line, "\n%s{plugin=\"%s\"} ", name, loaded()->name);
    const char *at = strstr(es_buf_str(&page), line);
    if (at)
        value = strtod(at + strlen(line), NULL);
    es_buf_fini(&page);
    return value;
}

static void wait_for_restarts(double count)
{
    for (int i = 0; i < 1000 && metric("esod_plugin_restarts_total") < count; i++)
        sleep_ms(10);
    assert_true(metric("esod_plugin_restarts_total") >= count);
}

/* ---- each way to fall ---- */

static const struct {
    const char *name, *how;
    bool plain_build_only; /* a sanitizer has its own way to see it, or none */
} falls[] = {
    {"segfaults", "signal 11 (Segmentation fault)", true},
    {"aborts", "signal 6 (Aborted)", false},
    {"exits", "it left with exit code 3", true},
    {"loops", "ended by esod: get did not return when its time was over", false},
    {"oversleeps", "ended by esod: get did not return when its time was over", false},
    {"allocates", "signal 11 (Segmentation fault)", true},
    {"writes_into_sockets", "ended by esod: get sent a frame that makes no sense", false},
    {"declares_a_gigabyte", "ended by esod: get sent a frame that makes no sense", false},
    {"answers_for_others", "ended by esod: get was answered with another call's frame", false},
    {"speaks_unasked", "it spoke without being asked", false},
    {"closes_sockets", "it closed its connection to esod", false},
};

static void assert_falls_and_gets_up(const char *name, const char *how)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    char *want = es_strf("the process of the %s plugin ended during get: %s", name, how);

    load(name);
    struct es_instance *i = open_store();
    int64_t begun = es_mono_ms();
    int rc = get_within(i, 500, NULL, &value, &err);
    assert_error(rc, &err, ES_E_RETRY, want);
    assert_true(es_mono_ms() - begun < 5000);
    assert_null(value.ptr);
    assert_true(es_instance_stale(i));
    es_instance_close(i);
    assert_int_equal(losses, 1);
    assert_string_equal(last_loss, want);
    assert_true(metric("esod_plugin_lost_calls_total") == 1);
    es_mem_free(want);

    /* The next process is there before long, and opens the store again. */
    i = open_store();
    assert_false(es_instance_stale(i));
    es_instance_close(i);
    wait_for_restarts(1);
    assert_true(metric("esod_plugin_resident_memory_bytes") > 100000);
}

static void test_each_fall_is_named_and_survived(void **state)
{
    for (size_t i = 0; i < sizeof falls / sizeof falls[0]; i++) {
        if (ES_SANITIZED && falls[i].plain_build_only)
            continue;
        assert_falls_and_gets_up(falls[i].name, falls[i].how);
        teardown(state);
        setup(state);
    }
}

static void test_memory_has_a_ceiling_and_a_polite_plugin_lives(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    (void)state;

    if (ES_SANITIZED)
        return; /* no ceiling there: a sanitizer reserves more than any machine has */
    load("allocates_politely");
    struct es_instance *i = open_store();
    int pid = es_remote_pid(loaded()->remote);
    int rc = get_within(i, 5000, NULL, &value, &err);
    assert_error(rc, &err, ES_E_INTERNAL, "no memory");
    assert_int_equal(es_remote_pid(loaded()->remote), pid);
    assert_true(es_remote_resident(loaded()->remote) < (size_t)MEMORY + (8 << 20)); /* code comes on top */
    es_instance_close(i);
}

/* ---- what does not load ---- */

static void assert_refused(const char *name, const char *part)
{
    const struct es_plugin_entry entry = {.name = name};
    struct es_error err = ES_ERROR_INIT;

    assert_int_equal(es_registry_load(registry, path, &entry, &err), ES_E_CONFIG);
    if (!strstr(err.text, part))
        fail_msg("%s", err.text);
}

static void test_what_falls_while_it_is_loaded_is_refused(void **state)
{
    (void)state;
    if (!ES_SANITIZED) {
        assert_refused("crashes_when_loaded",
                       "its process ended while it was loaded: signal 11 (Segmentation fault)");
        assert_refused("starts_thread_when_loaded",
                       "it started a thread when it was loaded, which a plugin never does");
    }
    assert_refused("changes_locale", "it set the locale of the process to ");
}

static void test_what_hangs_while_it_is_loaded_is_refused(void **state)
{
    const struct es_isolation_opts isolation = {
        .isolation = ES_ISOLATION_PROCESS, .runner = RUNNER, .start_ms = 500};
    (void)state;

    es_registry_isolate(registry, &isolation);
    assert_refused("hangs_when_loaded", "it was not loaded in time: its process hangs");
}

static void test_a_missing_runner_has_a_remedy(void **state)
{
    const struct es_isolation_opts isolation = {.isolation = ES_ISOLATION_PROCESS,
                                                .runner = "/no/such/esod-plugin-runner"};
    (void)state;

    es_registry_isolate(registry, &isolation);
    assert_refused("plain",
                   "a process of its own needs /no/such/esod-plugin-runner: No such file or directory; "
                   "install it, or set isolation: none");
}

static void test_another_programs_socket_is_no_runner(void **state)
{
    const struct es_isolation_opts isolation = {.isolation = ES_ISOLATION_PROCESS, .runner = "/bin/true"};
    (void)state;

    es_registry_isolate(registry, &isolation);
    assert_refused("plain", "its process ended while it was loaded: it left with exit code 0");
}

/* ---- the fence ---- */

static void knock(struct es_instance *i, const char *door, char *out, size_t max)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    json_t *ref = json_pack("{s:s}", "key", door);

    if (get_within(i, 5000, ref, &value, &err) < 0)
        fail_msg("%s: %s", door, err.text);
    snprintf(out, max, "%.*s", (int)value.len, (const char *)value.ptr);
    es_blob_fini(&value);
    json_decref(ref);
}

static void test_every_door_is_shut(void **state)
{
    static const struct {
        const char *door, *answer;
    } doors[] = {
        {"file", "EACCES"},      {"token", "EACCES"},    {"self", "EACCES"}, {"parent", "EACCES"},
        {"create", "EACCES"},    {"tcp", "EPERM"},       {"udp", "EPERM"},   {"unix", "EPERM"},
        {"fork", "EPERM"},       {"exec", "EPERM"},      {"kill", "EPERM"},  {"ptrace", "EPERM"},
        {"code", "EPERM"},       {"namespace", "EPERM"}, {"stat", "EPERM"},  {"environment", "ENODATA"},
        {"dumpable", "ENODATA"}, {"outlive", "ENODATA"},
    };
    char answer[64];
    (void)state;

    if (ES_SANITIZED)
        return; /* it says in its hello that there is no fence */
    setenv("ESOD_TEST_ENVIRONMENT", "visible", 1);
    load("looks_around");
    unsetenv("ESOD_TEST_ENVIRONMENT");
    assert_true(loaded()->fences & ES_FENCE_SECCOMP);
    struct es_instance *i = open_store();
    for (size_t n = 0; n < sizeof doors / sizeof doors[0]; n++) {
        knock(i, doors[n].door, answer, sizeof answer);
        if (strcmp(answer, doors[n].answer) != 0)
            fail_msg("%s: %s", doors[n].door, answer);
    }
    /* Its constructors ran while files of libraries could be read; this one could not. */
    if (loaded()->fences & ES_FENCE_LANDLOCK) {
        knock(i, "early", answer, sizeof answer);
        assert_string_equal(answer, "EACCES");
    }
    es_instance_close(i);
}

static void test_cryptography_works_behind_the_fence(void **state)
{
    char answer[64];
    (void)state;

    load("signs");
    struct es_instance *i = open_store();
    knock(i, "anything", answer, sizeof answer);
    assert_string_equal(answer, "32 bytes of HMAC, 128 of signature");
    es_instance_close(i);
}

/* ---- secrets ---- */

static char *read_all(int fd)
{
    static char text[8192];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_what_it_was_trusted_with_is_taken_out_of_what_it_says(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    FILE *log = tmpfile();
    (void)state;

    assert_non_null(log);
    es_log_init(&(struct es_log_opts){.level = ES_INFO, .format = ES_LOG_JSON, .fd = fileno(log)});
    load("tells_secrets");
    struct es_instance *i = open_store();
    int rc = get_within(i, 5000, NULL, &value, &err);
    assert_error(rc, &err, ES_E_DENIED, "the backend does not like ***");
    assert_non_null(strstr(read_all(fileno(log)), "the backend does not like ***"));
    assert_null(strstr(read_all(fileno(log)), "s3cr3t"));
    es_instance_close(i);
    es_log_init(&(struct es_log_opts){.level = ES_WARN, .format = ES_LOG_JSON, .fd = STDERR_FILENO});
    fclose(log);
}

/* ---- living on ---- */

struct load {
    struct es_pool *pool;
    int rounds, good, lost, other;
    char text[ES_ERROR_TEXT_MAX];
};

static int open_one(void *ctx, struct es_instance **ret, struct es_error *err)
{
    (void)ctx;
    struct es_authority now = who;
    now.deadline_ms = es_mono_ms() + 20000;
    return es_instance_open(ret, registry, &loaded()->providers[0], &now, NULL, err);
}

static void *keep_getting(void *arg)
{
    struct load *l = arg;

    for (int n = 0; n < l->rounds; n++) {
        struct es_error err = ES_ERROR_INIT;
        struct es_instance *i = NULL;
        struct es_blob value = {0};
        int rc = es_pool_borrow(l->pool, "store", 1, open_one, NULL, &i, &err);
        if (rc == 0) {
            rc = get_within(i, 20000, NULL, &value, &err);
            es_pool_return(l->pool, i);
        }
        if (rc == 0 && value.len == 5 && memcmp(value.ptr, "value", 5) == 0) {
            l->good++;
        } else if (rc == ES_E_RETRY) {
            l->lost++;
        } else {
            l->other++;
            memcpy(l->text, err.text, sizeof l->text);
        }
        es_blob_fini(&value);
    }
    return NULL;
}

/* Whoever has a call in it gets an error to try again with, and nobody anything else. */
static void test_killing_it_again_and_again_loses_nothing(void **state)
{
    enum { THREADS = 8, KILLS = 8 };
    struct load loads[THREADS] = {0};
    pthread_t threads[THREADS];
    struct es_pool *pool = NULL;
    int good = 0, lost = 0;
    (void)state;

    load("plain");
    assert_int_equal(es_pool_new(&pool, NULL), 0);
    for (int n = 0; n < THREADS; n++) {
        loads[n] = (struct load){.pool = pool, .rounds = ES_SANITIZED ? 300 : 3000};
        assert_int_equal(pthread_create(&threads[n], NULL, keep_getting, &loads[n]), 0);
    }
    for (int n = 0; n < KILLS; n++) {
        int pid = es_remote_pid(loaded()->remote);
        if (pid > 0)
            kill(pid, SIGKILL);
        sleep_ms(30);
    }
    for (int n = 0; n < THREADS; n++) {
        pthread_join(threads[n], NULL);
        if (loads[n].other)
            fail_msg("%s", loads[n].text);
        good += loads[n].good;
        lost += loads[n].lost;
    }
    assert_true(good > lost);
    assert_true(metric("esod_plugin_lost_calls_total") <= lost);
    wait_for_restarts(1);
    es_pool_free(pool);
}

/* A process that dies while nobody is in it costs nobody anything. */
static void test_an_idle_death_costs_no_call(void **state)
{
    struct load one = {.rounds = 1};
    (void)state;

    load("plain");
    assert_int_equal(es_pool_new(&one.pool, NULL), 0);
    for (int n = 0; n < 3; n++) {
        keep_getting(&one);
        kill(es_remote_pid(loaded()->remote), SIGKILL);
        sleep_ms(20);
    }
    keep_getting(&one);
    assert_int_equal(one.good, 4);
    assert_int_equal(losses, 0);
    es_pool_free(one.pool);
}

/* Whoever held a store of that process learns why it is of no use any more. */
static void test_a_store_of_the_process_before_says_what_happened(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};
    (void)state;

    load("plain");
    struct es_instance *i = open_store();
    kill(es_remote_pid(loaded()->remote), SIGKILL);
    wait_for_restarts(1);
    int rc = get_within(i, 5000, NULL, &value, &err);
    assert_error(
        rc, &err, ES_E_RETRY,
        "the process of the plain plugin was started again, and so will the store be (signal 9 (Killed))");
    es_instance_close(i);
}

static int open_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 512; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_nothing_is_left_behind(void **state)
{
    load("plain");
    int pid = es_remote_pid(loaded()->remote);
    struct es_instance *i = open_store();
    struct es_blob value = {0};
    assert_int_equal(get_within(i, 5000, NULL, &value, NULL), 0);
    es_blob_fini(&value);
    es_instance_close(i);
    es_registry_free(registry);
    registry = NULL;
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    int before = open_fds();
    teardown(state);
    for (int n = 0; n < 3; n++) {
        setup(state);
        load("plain");
        i = open_store();
        kill(es_remote_pid(loaded()->remote), SIGKILL);
        wait_for_restarts(1);
        es_instance_close(i);
        es_registry_free(registry);
        registry = NULL;
        assert_int_equal(open_fds(), before);
        teardown(state);
    }
    setup(state);
}

/* While one plugin falls all the time, another one does not notice. */
static void test_others_go_on(void **state)
{
    const struct es_plugin_entry other = {.name = "plain"};
    struct es_error err = ES_ERROR_INIT;
    struct es_instance *good = NULL, *bad = NULL;
    struct es_blob value = {0};
    (void)state;

    assert_int_equal(es_registry_load(registry, path, &other, &err), 0);
    const struct es_plugin_entry entry = {.name = "aborts"};
    assert_int_equal(es_registry_load(registry, path, &entry, &err), 0);
    assert_int_equal(es_registry_start(registry, &err), 0);
    assert_int_equal(
        es_instance_open(&good, registry, es_registry_provider(registry, "plain"), &who, NULL, &err), 0);
    for (int n = 0; n < 4; n++) {
        if (es_instance_open(&bad, registry, es_registry_provider(registry, "aborts"), &who, NULL, &err) ==
            0) {
            assert_int_equal(get_within(bad, 5000, NULL, &value, &err), ES_E_RETRY);
            es_instance_close(bad);
        }
        assert_int_equal(get_within(good, 5000, NULL, &value, &err), 0);
        es_blob_fini(&value);
        assert_false(es_instance_stale(good));
    }
    es_instance_close(good);
}

/* What ends because it was told to is no news. */
static void test_a_clean_end_is_silent(void **state)
{
    FILE *log = tmpfile();

    assert_non_null(log);
    es_log_init(&(struct es_log_opts){.level = ES_INFO, .format = ES_LOG_JSON, .fd = fileno(log)});
    for (int n = 0; n < 20; n++) {
        load("plain");
        es_instance_close(open_store());
        teardown(state);
        setup(state);
    }
    es_log_init(&(struct es_log_opts){.level = ES_WARN, .format = ES_LOG_JSON, .fd = STDERR_FILENO});
    assert_string_equal(read_all(fileno(log)), "");
    fclose(log);
}

/* After some falls in a row its restart is some way off, and nobody stands and waits. */
static void test_a_falling_plugin_holds_no_worker(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_instance *i = NULL;
    struct es_blob value = {0};
    int rc = 0, falls_seen = 0;
    (void)state;

    load("aborts");
    while (falls_seen < 20 && (rc = open_one(NULL, &i, &err)) == 0) {
        assert_int_equal(get_within(i, 20000, NULL, &value, &err), ES_E_RETRY);
        es_instance_close(i);
        falls_seen++;
    }
    assert_true(falls_seen < 20);
    assert_int_equal(rc, ES_E_RETRY);
    assert_non_null(strstr(
        err.text, "the process of the aborts plugin is not there, it will be started again (signal 6"));
    assert_true(err.retry_after_ms > 0);
    int64_t begun = es_mono_ms();
    for (int n = 0; n < 10; n++)
        assert_int_equal(open_one(NULL, &i, &err), ES_E_RETRY);
    assert_true(es_mono_ms() - begun < 100);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_each_fall_is_named_and_survived),
        CASE(test_memory_has_a_ceiling_and_a_polite_plugin_lives),
        CASE(test_what_falls_while_it_is_loaded_is_refused),
        CASE(test_what_hangs_while_it_is_loaded_is_refused),
        CASE(test_a_missing_runner_has_a_remedy),
        CASE(test_another_programs_socket_is_no_runner),
        CASE(test_every_door_is_shut),
        CASE(test_cryptography_works_behind_the_fence),
        CASE(test_what_it_was_trusted_with_is_taken_out_of_what_it_says),
        CASE(test_killing_it_again_and_again_loses_nothing),
        CASE(test_an_idle_death_costs_no_call),
        CASE(test_a_store_of_the_process_before_says_what_happened),
        CASE(test_nothing_is_left_behind),
        CASE(test_others_go_on),
        CASE(test_a_clean_end_is_silent),
        CASE(test_a_falling_plugin_holds_no_worker),
    };
    es_log_init(&(struct es_log_opts){.level = ES_WARN, .format = ES_LOG_JSON, .fd = STDERR_FILENO});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
