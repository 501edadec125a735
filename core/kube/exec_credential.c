#include "core/kube/exec_credential.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"

#define INFO_NAME "KUBERNETES_EXEC_INFO="
#define SLICE_MS 50

static void free_texts(char **texts)
{
    for (char **t = texts; t && *t; t++)
        es_mem_free(*t);
    es_mem_free(texts);
}

void es_exec_free(struct es_exec *e)
{
    if (!e)
        return;
    es_mem_free(e->origin);
    es_mem_free(e->command);
    free_texts(e->args);
    free_texts(e->env);
    es_mem_free(e->api_version);
    es_mem_free(e->info);
    es_mem_free(e->install_hint);
    es_mem_free(e);
}

void es_exec_status_fini(struct es_exec_status *s)
{
    es_blob_fini(&s->token);
    es_blob_fini(&s->cert);
    es_blob_fini(&s->key);
    *s = (struct es_exec_status){0};
}

static int fail(const struct es_exec *e, struct es_error *err, int code, const char *what)
{
    return es_error_set(err, code, "%s: credential plugin \"%s\" %s", e->origin, e->command, what);
}

static size_t count_texts(char *const *texts)
{
    size_t n = 0;
    while (texts && texts[n])
        n++;
    return n;
}

static bool same_name(const char *a, const char *b)
{
    const char *equals = strchr(b, '=');
    return equals && strncmp(a, b, (size_t)(equals - b) + 1) == 0;
}

static bool overridden(const struct es_exec *e, const char *variable)
{
    if (same_name(variable, INFO_NAME))
        return true;
    for (char *const *own = e->env; own && *own; own++)
        if (same_name(variable, *own))
            return true;
    return false;
}

/* The process's environment, the plugin's own variables, and the question.
 * The array is to be freed, and its last entry; the rest is borrowed. */
static char **build_env(const struct es_exec *e, char **ret_info)
{
    char **env = es_mem_calloc(count_texts(environ) + count_texts(e->env) + 2, sizeof *env);
    char *info = es_strf(INFO_NAME "%s", e->info);
    size_t n = 0;

    if (!env || !info) {
        es_mem_free(env);
        es_mem_free(info);
        return NULL;
    }
    for (char **v = environ; *v; v++)
        if (!overridden(e, *v))
            env[n++] = *v;
    for (char *const *own = e->env; own && *own; own++)
        env[n++] = *own;
    env[n] = info;
    *ret_info = info;
    return env;
}

static char **build_argv(const struct es_exec *e)
{
    size_t count = count_texts(e->args);
    char **argv = es_mem_calloc(count + 2, sizeof *argv);

    if (!argv)
        return NULL;
    argv[0] = e->command;
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = e->args[i];
    return argv;
}

/* The program's path as execvp would find it; NULL with errno when there is
 * none that can be run. Looked up here, so that the reason is known before
 * there is a child. */
static char *find_program(const char *command)
{
    const char *path = getenv("PATH");
    int cause = ENOENT;

    if (strchr(command, '/'))
        return access(command, X_OK) == 0 ? es_mem_strdup(command) : NULL;
    while (path && *path) {
        size_t len = strcspn(path, ":");
        char *file = es_strf("%.*s%s%s", (int)len, path, len ? "/" : "./", command);
        if (!file || access(file, X_OK) == 0)
            return file;
        if (errno == EACCES)
            cause = EACCES;
        es_mem_free(file);
        path += len + (path[len] != '\0');
    }
    errno = cause;
    return NULL;
}

/* Nothing of ours but stderr (and a terminal) reaches the plugin: no open
 * file, no blocked signal. A group of its own, so that a time-out ends also
 * what it started. */
static int prepare_spawn(posix_spawn_file_actions_t *files, posix_spawnattr_t *attr, const struct es_exec *e,
                         int out)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    if ((!e->interactive && posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0) != 0) ||
        posix_spawn_file_actions_adddup2(files, out, 1) != 0 ||
        posix_spawn_file_actions_addclosefrom_np(files, 3) != 0 ||
        posix_spawnattr_setsigmask(attr, &none) != 0 || posix_spawnattr_setsigdefault(attr, &all) != 0 ||
        posix_spawnattr_setpgroup(attr, 0) != 0)
        return -1;
    /* A terminal belongs to one group; an interactive plugin stays in ours. */
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (!e->interactive)
        flags = (short)(flags | POSIX_SPAWN_SETPGROUP);
    return posix_spawnattr_setflags(attr, flags) == 0 ? 0 : -1;
}

/* An errno, 0 when it runs. */
static int spawn_with(const struct es_exec *e, int out, const char *program, char **argv, char **env,
                      pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int rc = ENOMEM;

    if (posix_spawn_file_actions_init(&files) != 0)
        return rc;
    if (posix_spawnattr_init(&attr) == 0) {
        if (prepare_spawn(&files, &attr, e, out) == 0)
            rc = posix_spawn(ret_pid, program, &files, &attr, argv, env);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static int spawn(const struct es_exec *e, int out, pid_t *ret_pid)
{
    char *info = NULL;
    char **env = build_env(e, &info);
    char **argv = build_argv(e);
    char *program = find_program(e->command);
    int rc = program ? ENOMEM : errno;

    if (env && argv && program)
        rc = spawn_with(e, out, program, argv, env, ret_pid);
    es_mem_free(program);
    es_mem_free(info);
    es_mem_free(env);
    es_mem_free(argv);
    return rc;
}

static int explain_spawn(const struct es_exec *e, int cause, struct es_error *err)
{
    if (cause == ENOMEM || cause == EAGAIN)
        return fail(e, err, ES_E_RETRY, "cannot be started: no memory or no process left");
    fail(e, err, ES_E_CONFIG, cause == ENOENT ? "is not installed" : "cannot be started");
    if (err && cause != ENOENT)
        es_error_set(err, ES_E_CONFIG, "%s: %s", err->text, strerrorname_np(cause));
    if (err && e->install_hint)
        es_error_set(err, ES_E_CONFIG, "%s; %s", err->text, e->install_hint);
    return ES_E_CONFIG;
}

/* A plugin that runs. */
struct running {
    const struct es_exec *e;
    const struct es_exec_limits *limits;
    int64_t deadline_ms;
    pid_t pid;
    int out;
    bool exited;
    int status;
};

static bool flag_set(const bool *flag)
{
    return flag && __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static int check_limits(const struct running *r, struct es_error *err)
{
    if (flag_set(r->limits->cancelled) || flag_set(r->limits->stopped))
        return es_error_set(err, ES_E_CANCELLED, "stopped");
    if (es_mono_ms() >= r->deadline_ms)
        return fail(r->e, err, ES_E_RETRY, "did not answer in time");
    return 0;
}

static void reap(struct running *r)
{
    if (!r->exited && waitpid(r->pid, &r->status, WNOHANG) == r->pid)
        r->exited = true;
}

/* Reads what is there. 1 there may be more, 0 the end, or an error. */
static int read_some(struct running *r, struct es_buf *out, struct es_error *err)
{
    char chunk[4096];
    ssize_t n = read(r->out, chunk, sizeof chunk);

    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 1 : fail(r->e, err, ES_E_RETRY, "cannot be read from");
    es_buf_add(out, chunk, (size_t)n);
    explicit_bzero(chunk, sizeof chunk);
    if (es_buf_failed(out))
        return fail(r->e, err, ES_E_CONFIG, "answers above 1 MiB");
    return n > 0;
}

/* Until the plugin ended or closed its stdout. What it left running in the
 * background may keep the pipe open; that is not waited for. */
static int read_output(struct running *r, struct es_buf *out, struct es_error *err)
{
    int rc = 1;

    while (rc > 0) {
        struct pollfd pfd = {.fd = r->out, .events = POLLIN};
        bool ended = r->exited;
        int ready = poll(&pfd, 1, ended ? 0 : SLICE_MS);
        if (ready > 0)
            rc = read_some(r, out, err);
        else if (ended)
            rc = 0;
        int limit = check_limits(r, err);
        if (limit < 0)
            return limit;
        reap(r);
    }
    return rc;
}

static int wait_end(struct running *r, struct es_error *err)
{
    long nap_ns = 500000;

    for (reap(r); !r->exited; reap(r)) {
        int rc = check_limits(r, err);
        if (rc < 0)
            return rc;
        nanosleep(&(struct timespec){0, nap_ns}, NULL);
        nap_ns = nap_ns < 20000000 ? nap_ns * 2 : nap_ns;
    }
    return 0;
}

static void kill_all(struct running *r)
{
    if (r->exited)
        return;
    if (!r->e->interactive)
        kill(-r->pid, SIGKILL);
    kill(r->pid, SIGKILL);
    while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
        ;
    r->exited = true;
}

static int judge_exit(const struct running *r, struct es_error *err)
{
    char what[64];

    if (WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0)
        return 0;
    if (WIFEXITED(r->status))
        snprintf(what, sizeof what, "failed with exit status %d", WEXITSTATUS(r->status));
    else
        snprintf(what, sizeof what, "was ended by signal %d", WTERMSIG(r->status));
    return fail(r->e, err, ES_E_DENIED, what);
}

static int collect(const struct es_exec *e, const struct es_exec_limits *limits, struct es_buf *out,
                   struct es_error *err)
{
    struct running r = {.e = e, .limits = limits, .deadline_ms = es_mono_ms() + limits->timeout_ms};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail(e, err, ES_E_RETRY, "cannot be started: no file descriptor left");
    int cause = spawn(e, ends[1], &r.pid);
    close(ends[1]);
    r.out = ends[0];
    int rc = cause ? explain_spawn(e, cause, err) : 0;
    if (rc == 0) {
        rc = read_output(&r, out, err);
        if (rc == 0)
            rc = wait_end(&r, err);
        kill_all(&r);
        if (rc == 0)
            rc = judge_exit(&r, err);
    }
    close(r.out);
    return rc;
}

static int take_text(struct es_blob *to, const json_t *status, const char *name)
{
    const json_t *value = json_object_get(status, name);
    return json_string_length(value) ? es_blob_set(to, json_string_value(value), json_string_length(value))
                                     : 0;
}

static int check_answer(const struct es_exec *e, const json_t *answer, struct es_error *err)
{
    if (!es_streq(es_obj_str(answer, "kind"), "ExecCredential"))
        return fail(e, err, ES_E_CONFIG, "did not print an ExecCredential");
    if (!es_streq(es_obj_str(answer, "apiVersion"), e->api_version))
        return es_error_set(err, ES_E_CONFIG,
                            "%s: credential plugin \"%s\" was asked in %s and answered in another version",
                            e->origin, e->command, e->api_version);
    return 0;
}

static int take_status(const struct es_exec *e, const json_t *answer, struct es_exec_status *ret,
                       struct es_error *err)
{
    const json_t *status = es_obj_at(answer, "status");
    const char *expires = es_obj_str(status, "expirationTimestamp");
    int rc = check_answer(e, answer, err);

    if (rc < 0)
        return rc;
    if (*expires && es_time_parse(expires, &ret->expires_unix_ms) < 0)
        return fail(e, err, ES_E_CONFIG, "gave an expirationTimestamp that is no RFC 3339 time");
    if (take_text(&ret->token, status, "token") < 0 ||
        take_text(&ret->cert, status, "clientCertificateData") < 0 ||
        take_text(&ret->key, status, "clientKeyData") < 0)
        return es_error_nomem(err);
    if (!ret->cert.len != !ret->key.len)
        return fail(e, err, ES_E_CONFIG,
                    "gave one of clientCertificateData and clientKeyData without the other");
    if (!ret->token.len && !ret->cert.len)
        return fail(e, err, ES_E_CONFIG, "gave neither a token nor a client certificate");
    return 0;
}

int es_exec_run(const struct es_exec *e, const struct es_exec_limits *limits, struct es_exec_status *ret,
                struct es_error *err)
{
    struct es_exec_status status = {0};
    struct es_buf out;
    json_t *answer = NULL;

    es_buf_init(&out, ES_EXEC_OUTPUT_MAX);
    int rc = collect(e, limits, &out, err);
    if (rc == 0 && es_kube_parse(&answer, es_buf_str(&out), out.len, NULL) < 0)
        rc = fail(e, err, ES_E_CONFIG, "did not print JSON");
    if (rc == 0)
        rc = take_status(e, answer, &status, err);
    if (rc == 0) {
        *ret = status;
        status = (struct es_exec_status){0};
    }
    json_decref(answer);
    es_exec_status_fini(&status);
    es_buf_fini(&out);
    return rc;
}
