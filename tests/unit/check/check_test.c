/* esp-check as its users run it: good plugins pass, and each mistake is caught by the
 * check that is meant for it, in words that say what is wrong. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/base/sanitized.h"
#include "core/base/text.h"

#define MAX_ARGS 16

/* Where one run leaves what it has to say. */
static char report[64], output[64];

/* ---- running it ---- */

/* Its exit code; the JSON report is in *ret_report, or NULL when there is none. */
static int run(json_t **ret_report, const char *const *args)
{
    char *argv[MAX_ARGS] = {(char *)(uintptr_t)ESP_CHECK};
    int status, count = 1;

    for (; args[count - 1]; count++)
        argv[count] = (char *)(uintptr_t)args[count - 1];
    argv[count++] = (char *)(uintptr_t) "--json";
    argv[count++] = report;
    unlink(report);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen(output, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
            _exit(99);
        execv(ESP_CHECK, argv);
        _exit(99);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    *ret_report = json_load_file(report, 0, NULL);
    return WEXITSTATUS(status);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static const json_t *result_of(const json_t *all, const char *id)
{
    const json_t *check;
    size_t i;

    json_array_foreach (json_object_get(all, "checks"), i, check)
        if (es_streq(text_of(check, "id"), id))
            return check;
    return NULL;
}

static int has_sentence(const json_t *check, const char *level, const char *part)
{
    const json_t *finding;
    size_t i;

    json_array_foreach (json_object_get(check, "findings"), i, finding)
        if (es_streq(text_of(finding, "level"), level) && strstr(text_of(finding, "text"), part))
            return 1;
    return 0;
}

static void print_output(void)
{
    char line[500];
    FILE *f = fopen(output, "r");

    while (f && fgets(line, sizeof line, f))
        print_message("%s", line);
    if (f)
        fclose(f);
}

/* ---- each mistake ---- */

/* Crashes have other words under a sanitizer. */
#define CRASH(signal, sentence)                                                                              \
    (ES_SANITIZED ? "a sanitizer stopped it in " sentence : "crashed with " signal " in " sentence)

#if defined(__SANITIZE_THREAD__)
#define RACE "a sanitizer stopped it in get and list of component races"
#else
#define RACE "get of component races gives another result when several threads share the instance"
#endif

enum where { ANYWHERE, NO_SANITIZER, NO_ASAN };

struct mistake {
    const char *plugin, *check, *level, *text;
    const char *spec, *key;
    enum where where;
};

#define LOGIN SPECS "/login.json"

static const struct mistake mistakes[] = {
    {"check/exports_two", "exports", "failure", "exports more than esp_plugin_entry_v1: esod_helper", 0, 0,
     0},
    {"check/entry_calls_service", "handshake", "failure",
     "now_unix_ms was called on a thread, or at a time, that has no call", 0, 0, 0},
    {"check/reads_beyond_host", "handshake", "failure", CRASH("SIGSEGV", "its entry"), 0, 0, NO_ASAN},
    {"check/another_table", "handshake", "failure", "its entry returns another table each time", 0, 0, 0},
    {"check/vetoes_newer", "handshake", "failure", "its entry refuses a core of ABI 1.2", 0, 0, 0},
    {"check/entry_opens_file", "handshake", "failure", "its entry left a file descriptor open: /dev/null", 0,
     0, 0},
    {"check/claims_more", "sizes", "failure",
     "its esp_store_ops says that it is 104 bytes long; that of ABI 1.1 has 96", 0, 0, 0},
    {"check/depends_on_size", "sizes", "failure",
     "get of component depends_on_size comes to something else (ESP_E_INTERNAL, not ESP_OK)", 0, 0, 0},
    {"check/claims_larger_response", "sizes", "failure",
     "passed an esp_http_response that says it is 104 bytes long", 0, 0, 0},
    {"check/reads_beyond_document", "sizes", "failure",
     CRASH("SIGSEGV", "get of component reads_beyond_document with a request of today's size"), 0, 0, 0},
    {"plain", "schema", "warning", "the schema of plain does not say what it is", 0, 0, 0},
    {"check/idle_list", "capabilities", "warning",
     "component idle_list has list and does not promise ESP_CAP_LIST, so it is never called", 0, 0, 0},
    {"check/segfault_on_garbage", "documents", "failure",
     CRASH("SIGSEGV", "get of component segfault_on_garbage with an empty document"), 0, 0, 0},
    {"unknown_status", "documents", "failure",
     "the unknown_status plugin returned the unknown status 42 from get (of a store", 0, 0, 0},
    {"check/configure_crashes", "documents", "failure",
     CRASH("SIGSEGV", "configure of component configure_crashes with an empty document"), 0, 0, 0},
    {"check/check_talks", "emit-after-fail", "failure",
     "http is not to be used by check, which needs no network", 0, 0, 0},
    {"check/touches_instance", "documents", "failure",
     "open of component touches_instance failed and set *instance all the same", 0, 0, 0},
    {"check/never_stops", "deadline", "failure",
     "did not come back within 5 s from get of component never_stops with a deadline that has passed", 0, 0,
     0},
    {"check/ok_after_cancel", "deadline", "failure",
     "get of component ok_after_cancel returned ESP_OK although a service said ESP_E_CANCELLED", 0, 0, 0},
    {"check/ignores_cancel", "cancel", "failure",
     "get of component ignores_cancel goes on: it called http 20 times after it had been told", 0, 0, 0},
    {"check/ok_after_cancel", "cancel", "failure",
     "get of component ok_after_cancel returned ESP_OK although a service said ESP_E_CANCELLED", 0, 0, 0},
    {"check/crashes_without_memory", "memory", "warning",
     "crashed with SIGSEGV in get of component crashes_without_memory when its allocation 1 failed", 0, 0,
     NO_SANITIZER},
    {"check/half_value", "memory", "failure",
     "get of component half_value reported success with another result when its allocation 1 failed", 0, 0,
     NO_SANITIZER},
    {"check/not_found_without_memory", "memory", "failure",
     "returned ESP_E_NOT_FOUND when its allocation 1 failed: that may delete Secrets", 0, 0, NO_SANITIZER},
    {"check/eats_memory", "memory-limit", "warning",
     "get of component eats_memory asked for more memory than the 256 MiB", 0, 0, NO_SANITIZER},
    {"emits_after_fail", "emit-after-fail", "failure", "emitted after it had called fail", 0, 0, 0},
    {"ok_after_fail", "emit-after-fail", "failure", "the plugin reported success after a failure", 0, 0, 0},
    {"no_value", "emit-after-fail", "failure",
     "the no_value plugin returned success from get without a value", 0, 0, 0},
    {"emits_twice", "emit-after-fail", "failure",
     "the emits_twice plugin emitted more than 1 result from get", 0, 0, 0},
    {"emits_state", "emit-after-fail", "failure", "emitted on channel 3, which get does not have", 0, 0, 0},
    {"unlisted_variable", "emit-after-fail", "failure", "the unlisted_variable plugin does not list env:PATH",
     0, 0, 0},
    {"foreign_name", "emit-after-fail", "failure", "does not name the Secret \"somebody-elses\"", 0, 0, 0},
    {"silent_failure", "emit-after-fail", "warning",
     "failed without a reason (denied); call fail and say why", 0, 0, 0},
    {"check/ignores_full_emit", "emit-after-fail", "failure",
     "list of component ignores_full_emit reported success although emit had refused a result", 0, 0, 0},
    {"check/ignores_full_emit", "emit-after-fail", "failure",
     "went on after emit had refused a result, 2 more times", 0, 0, 0},
    {"check/calls_from_thread", "emit-after-fail", "failure",
     "log was called on a thread, or at a time, that has no call", 0, 0, 0},
    {"exits", "emit-after-fail", "failure",
     "ended the process with exit code 3 in get of component exits after a refused connection", 0, 0, 0},
    {"check/secret_in_fail", "secrets", "failure",
     "get of component secret_in_fail put the value of a Kubernetes Secret, as it is, into the text of fail",
     LOGIN, 0, 0},
    {"segfaults", "emit-after-fail", "failure",
     CRASH("SIGSEGV", "get of component segfaults after a refused connection"), 0, 0, 0},
    {"check/secret_in_log", "secrets", "failure",
     "get of component secret_in_log put the value of a Kubernetes Secret, in hexadecimal, into a log line",
     LOGIN, 0, 0},
    {"check/secret_on_stderr", "secrets", "failure",
     "printed the value of a Kubernetes Secret, as it is, on standard output or standard error", LOGIN, 0, 0},
    {"check/quotes_answer", "secrets", "failure",
     "put a part of the backend's answer, as it is, into the text of fail", 0, 0, 0},
    {"check/not_found_on_500", "http-answers", "failure",
     "get of component not_found_on_500 returned ESP_E_NOT_FOUND after a 500 answer", 0, 0, 0},
    {"check/value_on_403", "http-answers", "failure",
     "get of component value_on_403 returned ESP_OK after a 403 answer", 0, 0, 0},
    {"check/quotes_answer", "http-answers", "warning", "does not hand on Retry-After", 0, 0, 0},
    {"check/absent_is_config", "values", "failure",
     "get of component absent_is_config returned ESP_E_CONFIG for a key that does not exist", 0, "a", 0},
    {"check/absent_is_config", "values", "failure", "failed for the key \"b\": no such key", 0, "b", 0},
    {"check/lists_ghosts", "values", "failure",
     "list of component lists_ghosts names \"ghost\", and get fails for it: Secret does not exist", 0, "a",
     0},
    {"check/races", "concurrency", "failure", RACE, 0, 0, 0},
    {"check/leaks_memory", "leaks", "failure", "component leaks_memory leaks: 1", 0, 0, 0},
    {"check/leaks_fd", "leaks", "failure", "component leaks_fd leaks file descriptors: 100 in 100 rounds", 0,
     0, 0},
    {"check/leaks_fd", "residue", "failure",
     "open of component leaks_fd left a file descriptor open: /dev/null", 0, 0, 0},
    {"check/starts_thread", "residue", "failure", "get of component starts_thread left 1 more thread running",
     0, 0, 0},
    {"check/sets_locale", "residue", "failure", "get of component sets_locale changed the locale", 0, 0, 0},
    {"check/changes_environment", "residue", "failure",
     "get of component changes_environment changed the environment", 0, 0, 0},
    {"check/changes_directory", "residue", "failure",
     "get of component changes_directory changed the working directory", 0, 0, 0},
    {"check/changes_signals", "residue", "failure", "changed what happens on signal 10", 0, 0, 0},
    {"check/leaves_child", "residue", "failure", "get of component leaves_child left a child process behind",
     0, 0, 0},
};

static int runs_here(enum where where)
{
#if defined(__SANITIZE_ADDRESS__)
    return where == ANYWHERE;
#else
    return where != NO_SANITIZER || !ES_SANITIZED;
#endif
}

/* Says what is wrong, and 0, when it was not caught. */
static int is_caught(const struct mistake *m)
{
    json_t *all;
    char *file = es_strf("%s/%s.so", BAD_PLUGINS, m->plugin);
    const char *args[MAX_ARGS] = {file, "--quick", "--only", m->check};
    int count = 4, failure = es_streq(m->level, "failure");

    if (m->spec) {
        args[count++] = "--spec";
        args[count++] = m->spec;
    }
    if (m->key) {
        args[count++] = "--key";
        args[count++] = m->key;
    }
    int code = run(&all, args);
    const json_t *check = result_of(all, m->check);
    int good = code == failure && has_sentence(check, m->level, m->text) &&
               es_streq(text_of(check, "result"), failure ? "fail" : "warn");
    if (!good) {
        print_output();
        print_error("%s: %s: exit code %d, and no %s \"%s\"\n", m->plugin, m->check, code, m->level, m->text);
    }
    json_decref(all);
    free(file);
    return good;
}

static void test_each_mistake_is_caught(void **state)
{
    int missed = 0;
    (void)state;

    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        if (runs_here(mistakes[i].where))
            missed += !is_caught(&mistakes[i]);
    assert_int_equal(missed, 0);
}

/* ---- the good ones ---- */

static void assert_passes(const char *const *args, const char *may_warn)
{
    const json_t *check;
    json_t *all;
    size_t i;

    int code = run(&all, args);
    if (code != 0)
        print_output();
    assert_int_equal(code, 0);
    assert_true(json_array_size(json_object_get(all, "checks")) > 10);
    json_array_foreach (json_object_get(all, "checks"), i, check) {
        const char *id = text_of(check, "id"), *result = text_of(check, "result");
        if (es_streq(result, "warn") && es_streq(id, may_warn))
            continue;
        if (!es_streq(result, es_streq(id, "http-answers") ? "skip" : "pass") &&
            !(ES_SANITIZED && es_str_starts(id, "memory"))) {
            print_output();
            fail_msg("%s: %s", id, result);
        }
    }
    json_decref(all);
}

static void test_good_plugins_pass(void **state)
{
    (void)state;
    /* The parser that fake uses does not survive each allocation that fails. */
    assert_passes((const char *const[]){FAKE, "--quick", "--spec", SPECS "/fake.yaml", "--key", "a", "--key",
                                        "b", NULL},
                  "memory");
    assert_passes((const char *const[]){HELLO, "--quick", "--spec", SPECS "/hello.yaml", "--key", "Jo", NULL},
                  "memory");
}

/* A plugin that does everything right with HTTP; only its values are behind a network. */
static void test_a_good_backend_passes(void **state)
{
    json_t *all;
    (void)state;

    /* Sanitized builds are bound lazily, which is worth a warning. */
    const char *const args[] = {BAD_PLUGINS "/check/reads_http.so",
                                "--quick",
                                "--strict",
                                "--skip",
                                "symbols",
                                "--spec",
                                SPECS "/http.yaml",
                                "--key",
                                "a",
                                NULL};
    int code = run(&all, args);
    if (code != 0)
        print_output();
    assert_int_equal(code, 0);
    assert_string_equal(text_of(result_of(all, "http-answers"), "result"), "pass");
    assert_string_equal(text_of(result_of(all, "secrets"), "result"), "pass");
    assert_string_equal(text_of(result_of(all, "values"), "result"), "skip");
    assert_true(has_sentence(result_of(all, "values"), "skip",
                             "component reads_http asks a backend; reach it with --live"));
    json_decref(all);
}

/* ---- a real backend ---- */

/* Knows one key and one token. */
static const char *answer_to(const char *request)
{
    if (!strstr(request, "authorization: Bearer s3cr3t"))
        return "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
    return strstr(request, "GET /a ") ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nvalue"
                                      : "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
}

/* A connection for each request; ends with the test, or after a minute. */
static _Noreturn void serve(int listener)
{
    char request[4000];

    alarm(60);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        size_t len = 0;
        ssize_t n = 1;
        request[0] = '\0';
        while (peer >= 0 && n > 0 && len < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
            n = read(peer, request + len, sizeof request - 1 - len);
            len += n > 0 ? (size_t)n : 0;
            request[len] = '\0';
        }
        const char *answer = answer_to(request);
        if (write(peer, answer, strlen(answer)) < 0)
            _exit(1);
        close(peer);
    }
}

static pid_t start_server(const char *spec)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    FILE *f = fopen(spec, "w");
    assert_non_null(f);
    fprintf(f, "url: http://127.0.0.1:%u/\nsecret: login\n", ntohs(at.sin_port));
    fclose(f);
    pid_t pid = fork();
    if (pid == 0)
        serve(listener);
    close(listener);
    return pid;
}

static void test_live(void **state)
{
    const char *plugin = BAD_PLUGINS "/check/reads_http.so";
    char spec[80];
    json_t *all;
    (void)state;

    snprintf(spec, sizeof spec, "%s.yaml", report);
    pid_t server = start_server(spec);
    int code = run(&all, (const char *const[]){plugin, "--only", "values", "--live", "--secrets",
                                               SPECS "/secrets.yaml", "--spec", spec, "--key", "a", NULL});
    if (code != 0)
        print_output();
    assert_int_equal(code, 0);
    assert_string_equal(text_of(result_of(all, "values"), "result"), "pass");
    json_decref(all);
    code = run(&all, (const char *const[]){plugin, "--only", "values", "--live", "--secrets",
                                           SPECS "/secrets.yaml", "--spec", spec, "--key", "b", NULL});
    assert_int_equal(code, 1);
    assert_true(has_sentence(result_of(all, "values"), "failure",
                             "get of component reads_http says that the key \"b\" does not exist"));
    json_decref(all);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(spec);
}

/* ---- the command line ---- */

static void assert_exit(int expected, const char *word, const char *const *args)
{
    json_t *all;
    char text[4000] = "";

    int code = run(&all, args);
    FILE *f = fopen(output, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    if (code != expected || !strstr(text, word))
        fail_msg("exit code %d, not %d; no \"%s\" in\n%s", code, expected, word, text);
    json_decref(all);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_wrong_use_has_its_sentence(void **state)
{
    (void)state;
    assert_exit(2, "esp-check: unknown flag --fast; see esp-check --help", ARGS(FAKE, "--fast"));
    assert_exit(2, "esp-check: --only speed: there is no such check; see esp-check --list",
                ARGS(FAKE, "--only", "speed"));
    assert_exit(2, "esp-check: --spec no-such.yaml: there is no such file",
                ARGS(FAKE, "--spec", "no-such.yaml"));
    assert_exit(2, "esp-check: one plugin at a time", ARGS(FAKE, HELLO));
    assert_exit(2, "no component \"vault\" (--component); its stores: fake",
                ARGS(FAKE, "--component", "vault"));
    const char *two = BAD_PLUGINS "/check/two_stores.so", *spec = SPECS "/login.json";
    assert_exit(2, "--spec is the block of one store, and there are 2: name it with --component",
                ARGS(two, "--spec", spec));
    assert_exit(2, "login.json does not fit the schema of other_store: secretRef: unknown field",
                ARGS(two, "--spec", spec, "--component", "other_store"));
    assert_exit(0, "0 failed", ARGS(two, "--quick", "--component", "other_store"));
    assert_exit(2, "hello.yaml does not fit the schema of fake: ", ARGS(FAKE, "--spec", SPECS "/hello.yaml"));
    assert_exit(2, "plugin ./no-such.so: no such file", ARGS("no-such.so"));
    assert_exit(2, ES_SANITIZED ? "a sanitizer stopped it in" : "crashed with SIGSEGV in loading it",
                ARGS(BAD_PLUGINS "/when_loaded/crashes_when_loaded.so"));
    assert_exit(2, "changes_locale.so: it set the locale of the process to C.UTF-8",
                ARGS(BAD_PLUGINS "/changes_locale.so"));
    assert_exit(2, "it started a thread when it was loaded, which a plugin never does",
                ARGS(BAD_PLUGINS "/when_loaded/starts_thread_when_loaded.so"));
    assert_exit(2, "invalid ELF header", ARGS(BAD_PLUGINS "/not_a_shared_object.so"));
    assert_exit(2, "it was built for plugin ABI 2.0 and this esod has 1.1",
                ARGS(BAD_PLUGINS "/abi_major_2.so"));
    assert_exit(0, "residue          the plugin leaves the process as it was", ARGS("--list"));
    assert_exit(1, "A warning is a failure", ARGS(BAD_PLUGINS "/plain.so", "--only", "schema", "--strict"));
    assert_exit(0, "1 with warnings", ARGS(BAD_PLUGINS "/plain.so", "--only", "schema"));
}

/* The loader's words differ; that it is no plugin any more does not. */
static void test_half_a_file(void **state)
{
    static char bytes[1 << 20];
    char file[80];
    (void)state;

    snprintf(file, sizeof file, "%s.so", report);
    FILE *from = fopen(BAD_PLUGINS "/plain.so", "rb"), *to = fopen(file, "wb");
    assert_true(from && to);
    size_t len = fread(bytes, 1, sizeof bytes, from);
    assert_int_equal(fwrite(bytes, 1, len / 2, to), len / 2);
    fclose(from);
    fclose(to);
    assert_exit(2, "FAIL  load ", ARGS(file));
    unlink(file);
}

static void test_junit(void **state)
{
    char file[80], text[8000] = "";
    (void)state;

    snprintf(file, sizeof file, "%s.xml", report);
    assert_exit(
        1, "1 failed",
        ARGS(BAD_PLUGINS "/no_value.so", "--only", "emit-after-fail", "--only", "symbols", "--junit", file));
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    unlink(file);
    assert_non_null(strstr(text, "tests=\"3\" failures=\"1\" skipped=\"0\">"));
    assert_non_null(strstr(text, "<testcase classname=\"esp-check\" name=\"emit-after-fail\""));
    assert_non_null(strstr(text, "<failure>the no_value plugin returned success from get without a value"));
    assert_non_null(strstr(text, "</testsuite>\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_mistake_is_caught),
        cmocka_unit_test(test_good_plugins_pass),
        cmocka_unit_test(test_a_good_backend_passes),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_wrong_use_has_its_sentence),
        cmocka_unit_test(test_half_a_file),
        cmocka_unit_test(test_junit),
    };

    setenv("NO_PROXY", "127.0.0.1", 1);
    snprintf(report, sizeof report, "check_test.%d.json", (int)getpid());
    snprintf(output, sizeof output, "check_test.%d.txt", (int)getpid());
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(report);
    unlink(output);
    return rc;
}
