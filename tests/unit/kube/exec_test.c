#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/exec_credential.h"

#define V1 "client.authentication.k8s.io/v1"

static char dir[64];

/* A plugin in /bin/sh. */
static struct es_exec *plugin(const char *script)
{
    char path[96];
    struct es_exec *e = es_mem_calloc(1, sizeof *e);

    snprintf(path, sizeof path, "%s/plugin", dir);
    unlink(path);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fchmod(fileno(f), 0700), 0);
    fclose(f);
    e->origin = es_mem_strdup("/etc/kubeconfig: user \"u\"");
    e->command = es_mem_strdup(path);
    e->api_version = es_mem_strdup(V1);
    e->info = es_mem_strdup("{\"kind\":\"ExecCredential\"}");
    return e;
}

static int run_limited(struct es_exec *take_e, const struct es_exec_limits *limits,
                       struct es_exec_status *ret, struct es_error *err)
{
    *ret = (struct es_exec_status){0};
    *err = (struct es_error)ES_ERROR_INIT;
    int rc = es_exec_run(take_e, limits, ret, err);
    assert_int_equal(err->code, rc);
    es_exec_free(take_e);
    return rc;
}

static int run(struct es_exec *take_e, struct es_exec_status *ret, struct es_error *err)
{
    return run_limited(take_e, &(struct es_exec_limits){.timeout_ms = 20000}, ret, err);
}

#define ANSWER(status)                                                                                       \
    "printf %s '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":" status "}'"

static void test_token(void **state)
{
    struct es_exec_status status;
    struct es_error err;
    (void)state;

    int rc = run(plugin(ANSWER("{\"token\":\"t1\",\"expirationTimestamp\":\"2030-01-02T03:04:05Z\"}")),
                 &status, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(status.token.len, 2);
    assert_memory_equal(status.token.ptr, "t1", 2);
    assert_true(status.expires_unix_ms == 1893553445000);
    es_exec_status_fini(&status);
}

static void test_certificate(void **state)
{
    struct es_exec_status status;
    struct es_error err;
    (void)state;

    int rc =
        run(plugin(ANSWER("{\"clientCertificateData\":\"C\\nC\",\"clientKeyData\":\"K\"}")), &status, &err);
    if (rc != 0)
        fail_msg("%s", err.text);
    assert_int_equal(status.cert.len, 3);
    assert_int_equal(status.key.len, 1);
    assert_int_equal(status.expires_unix_ms, 0);
    es_exec_status_fini(&status);
}

static char **texts(const char *a, const char *b)
{
    char **list = es_mem_calloc(3, sizeof *list);
    list[0] = es_mem_strdup(a);
    list[1] = b ? es_mem_strdup(b) : NULL;
    return list;
}

/* Arguments are not words of a shell, the environment is the process's with
 * the plugin's own first, stdin is empty, and no file of ours is open. */
static void test_what_the_plugin_gets(void **state)
{
    static const char script[] =
        "test \"$1\" = 'a b;$(x)' || exit 11\n"
        "test \"$2\" = '' || exit 12\n"
        "test \"$#\" = 2 || exit 13\n"
        "test \"$OWN\" = own || exit 14\n"
        "test \"$ESOD_TEST_KEPT\" = kept || exit 15\n"
        "test \"$ESOD_TEST_OVER\" = new || exit 16\n"
        "test \"$KUBERNETES_EXEC_INFO\" = '{\"kind\":\"ExecCredential\"}' || exit 17\n"
        "read line && exit 18\n"
        "test -e /proc/$$/fd/9 && exit 19\n" ANSWER("{\"token\":\"t\"}");
    struct es_exec_status status;
    struct es_error err;
    (void)state;

    setenv("ESOD_TEST_KEPT", "kept", 1);
    setenv("ESOD_TEST_OVER", "old", 1);
    setenv("KUBERNETES_EXEC_INFO", "inherited", 1);
    int open_file = fcntl(2, F_DUPFD, 9);
    struct es_exec *e = plugin(script);
    e->args = texts("a b;$(x)", "");
    e->env = texts("OWN=own", "ESOD_TEST_OVER=new");
    int rc = run(e, &status, &err);
    close(open_file);
    if (rc != 0)
        fail_msg("%s", err.text);
    es_exec_status_fini(&status);
}

static void test_answers_that_are_none(void **state)
{
    static const struct {
        const char *script, *text;
        int code;
    } cases[] = {
        {"exit 3", "failed with exit status 3", ES_E_DENIED},
        {"kill -9 $$", "was ended by signal 9", ES_E_DENIED},
        {"echo hunter2", "did not print JSON", ES_E_CONFIG},
        {"true", "did not print JSON", ES_E_CONFIG},
        {"echo '[\"hunter2\"]'", "did not print an ExecCredential", ES_E_CONFIG},
        {"echo '{\"kind\":\"Secret\"}'", "did not print an ExecCredential", ES_E_CONFIG},
        {"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"v0\",\"status\":{\"token\":\"hunter2\"}}'",
         "answered in another version", ES_E_CONFIG},
        {ANSWER("{}"), "gave neither a token nor a client certificate", ES_E_CONFIG},
        {ANSWER("{\"token\":{\"a\":\"hunter2\"}}"), "gave neither a token nor a client certificate",
         ES_E_CONFIG},
        {ANSWER("{\"token\":\"hunter2\",\"clientKeyData\":\"hunter2\"}"), "without the other", ES_E_CONFIG},
        {ANSWER("{\"token\":\"hunter2\",\"expirationTimestamp\":\"tomorrow\"}"), "is no RFC 3339 time",
         ES_E_CONFIG},
        {ANSWER("{\"token\":\"hunter2\"}") "\nexit 1", "failed with exit status 1", ES_E_DENIED},
        {"yes hunter2", "answers above 1 MiB", ES_E_CONFIG},
    };
    struct es_exec_status status;
    struct es_error err;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = run(plugin(cases[i].script), &status, &err);
        if (rc != cases[i].code || !strstr(err.text, cases[i].text))
            fail_msg("%s: %d %s", cases[i].script, rc, err.text);
        assert_non_null(strstr(err.text, "/etc/kubeconfig: user \"u\": credential plugin"));
        assert_non_null(strstr(err.text, "/plugin\""));
        assert_null(strstr(err.text, "hunter2"));
    }
}

static void test_missing_command_shows_the_hint(void **state)
{
    struct es_exec *e = plugin("");
    struct es_exec_status status;
    struct es_error err;
    (void)state;

    es_mem_free(e->command);
    e->command = es_mem_strdup("esod-no-such-plugin");
    e->install_hint = es_mem_strdup("get it from example.com");
    assert_int_equal(run(e, &status, &err), ES_E_CONFIG);
    assert_string_equal(err.text,
                        "/etc/kubeconfig: user \"u\": credential plugin \"esod-no-such-plugin\" is not "
                        "installed; get it from example.com");

    e = plugin("");
    chmod(e->command, 0600);
    assert_int_equal(run(e, &status, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "cannot be started: EACCES"));
}

static void test_time_out_kills_the_whole_group(void **state)
{
    struct es_exec_status status;
    struct es_error err;
    char path[96], text[32] = "";
    int64_t child = 0;
    (void)state;

    snprintf(path, sizeof path, "%s/child", dir);
    struct es_exec *e = plugin("sleep 30 & echo $! >$(dirname $0)/child; wait");
    int64_t begun = es_mono_ms();
    assert_int_equal(run_limited(e, &(struct es_exec_limits){.timeout_ms = 500}, &status, &err), ES_E_RETRY);
    assert_non_null(strstr(err.text, "did not answer in time"));
    assert_true(es_mono_ms() - begun < 5000);

    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(es_parse_i64(text, &child), 0);
    /* Gone, or a zombie of whoever adopts orphans here. */
    for (int i = 0; i < 100 && kill((pid_t)child, 0) == 0; i++) {
        char stat_path[64], stat_text[256] = "";
        snprintf(stat_path, sizeof stat_path, "/proc/%lld/stat", (long long)child);
        f = fopen(stat_path, "re");
        bool zombie = f && fgets(stat_text, sizeof stat_text, f) && strstr(stat_text, ") Z ");
        if (f)
            fclose(f);
        if (zombie)
            return;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    assert_int_not_equal(kill((pid_t)child, 0), 0);
}

/* What a plugin leaves running keeps its stdout open; nobody waits for that. */
static void test_background_process_is_not_waited_for(void **state)
{
    struct es_exec_status status;
    struct es_error err;
    (void)state;

    int64_t begun = es_mono_ms();
    int rc = run(plugin("sleep 5 &\n" ANSWER("{\"token\":\"t\"}")), &status, &err);
    if (rc != 0)
        fail_msg("%s", err.text);
    assert_true(es_mono_ms() - begun < 4000);
    es_exec_status_fini(&status);
}

static void *set_soon(void *ctx)
{
    nanosleep(&(struct timespec){0, 150000000}, NULL);
    __atomic_store_n((bool *)ctx, true, __ATOMIC_RELEASE);
    return NULL;
}

static void check_cancelled(bool *flag, const struct es_exec_limits *limits)
{
    struct es_exec_status status;
    struct es_error err;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, set_soon, flag), 0);
    int64_t begun = es_mono_ms();
    assert_int_equal(run_limited(plugin("sleep 30"), limits, &status, &err), ES_E_CANCELLED);
    assert_true(es_mono_ms() - begun < 2000);
    pthread_join(thread, NULL);
}

static void test_cancelled(void **state)
{
    bool flag = false, other = false;
    (void)state;

    check_cancelled(&flag, &(struct es_exec_limits){20000, &flag, NULL});
    check_cancelled(&other, &(struct es_exec_limits){20000, NULL, &other});
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/esod-exec-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char path[96];
    (void)state;
    snprintf(path, sizeof path, "%s/plugin", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/child", dir);
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_what_the_plugin_gets),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_missing_command_shows_the_hint),
        cmocka_unit_test(test_time_out_kills_the_whole_group),
        cmocka_unit_test(test_background_process_is_not_waited_for),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
