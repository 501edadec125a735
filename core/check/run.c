#include "core/check/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/check/heap.h"
#include "core/check/plant.h"
#include "core/check/report.h"
#include "core/check/subject.h"

#define STEP_S 20
#define ALL_S 600
#define MAX_OUTPUT ((size_t)64 << 10)
#define MAX_REPORT ((size_t)1 << 20)

/* Beyond what plugins use, so that one which closes what is not its own is still heard. */
#define REPORT_FD 200

/* esod's workers have the small one; what a sanitizer has instrumented needs the other. */
#define STACK ((size_t)256 << 10)
#define SANITIZED_STACK ((size_t)8 << 20)

/* ---- the child ---- */

struct job {
    const struct es_check *check;
    const struct es_check_opts *opts;
};

static void *work(void *arg)
{
    const struct job *job = arg;
    struct es_subject subject;

    es_subject_init(&subject, job->opts);
    subject.live = job->check->live && job->opts->live;
    if (job->check->bare || es_subject_load(&subject))
        job->check->run(&subject);
    es_check_done();
}

/* On a thread with the stack that a worker of esod has. */
static _Noreturn void child(const struct es_check *check, const struct es_check_opts *opts)
{
    size_t size = es_heap_is_sanitized() ? SANITIZED_STACK : STACK;
    struct job job = {check, opts};
    pthread_attr_t attr;
    pthread_t thread;

    if (pthread_attr_init(&attr) != 0 || pthread_attr_setstacksize(&attr, size) != 0 ||
        pthread_create(&thread, &attr, work, &job) != 0)
        _exit(ENOMEM);
    pthread_join(thread, NULL);
    _exit(ENOMEM);
}

static void prepare_child(int report, int output, struct es_report_place *place)
{
    const struct rlimit none = {0, 0};

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (dup2(report, REPORT_FD) != REPORT_FD)
        _exit(EBADF);
    fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
    close(report);
    close(output);
    es_report_init(REPORT_FD, place);
}

/* ---- findings ---- */

static void add_finding(struct es_result *r, char level, const char *text, size_t len)
{
    if (r->finding_count == r->finding_cap) {
        size_t cap = r->finding_cap ? 2 * r->finding_cap : 8;
        struct es_finding *more = es_mem_realloc(r->findings, cap * sizeof *more);
        if (!more)
            return;
        r->findings = more;
        r->finding_cap = cap;
    }
    char *copy = es_strf("%.*s", (int)len, text);
    if (copy)
        r->findings[r->finding_count++] = (struct es_finding){level, copy};
}

static void found(struct es_result *r, char level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void found(struct es_result *r, char level, const char *fmt, ...)
{
    char text[ES_REPORT_MAX_LINE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add_finding(r, level, text, strlen(text));
}

static bool has_level(const struct es_result *r, char level)
{
    for (size_t i = 0; i < r->finding_count; i++)
        if (r->findings[i].level == level)
            return true;
    return false;
}

/* ---- the parent waits ---- */

struct watch {
    pid_t pid;
    int report, output; /* -1 when at its end */
    struct es_buf lines;
    struct es_report_place *place;
    int64_t started_ms, step_ms, step_limit_ms;
    unsigned step;
    bool hung;
    int status;
};

/* What is above the ceiling is read all the same, or the child would block. */
static void drain(int *fd, struct es_buf *into)
{
    char part[8192];

    while (*fd >= 0) {
        ssize_t n = read(*fd, part, sizeof part);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            close(*fd);
            *fd = -1;
            return;
        }
        size_t room = into->max - into->len;
        es_buf_add(into, part, (size_t)n < room ? (size_t)n : room);
    }
}

static bool is_late(struct watch *w)
{
    int64_t now = es_mono_ms();
    unsigned step = __atomic_load_n(&w->place->step, __ATOMIC_RELAXED);

    if (step != w->step) {
        w->step = step;
        w->step_ms = now;
    }
    return now - w->step_ms > w->step_limit_ms || now - w->started_ms > ALL_S * INT64_C(1000);
}

/* Polls, because a process that the plugin started may keep the pipes open after
 * the child is gone, and because steps have a limit. */
static void wait_for_child(struct watch *w, struct es_buf *output)
{
    for (;;) {
        struct pollfd fds[] = {{w->report, POLLIN, 0}, {w->output, POLLIN, 0}};
        poll(fds, 2, w->report < 0 && w->output < 0 ? 1 : 20);
        drain(&w->report, &w->lines);
        drain(&w->output, output);
        if (waitpid(w->pid, &w->status, WNOHANG) == w->pid)
            break;
        if (!w->hung && is_late(w)) {
            w->hung = true;
            kill(-w->pid, SIGKILL);
            kill(w->pid, SIGKILL);
        }
    }
    kill(-w->pid, SIGKILL); /* what it left behind */
    drain(&w->report, &w->lines);
    drain(&w->output, output);
}

/* ---- from lines to a verdict ---- */

static void read_lines(struct es_result *r, const struct es_buf *lines, bool *ret_ran, bool *ret_done)
{
    const char *at = es_buf_str(lines), *end = at + lines->len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            break;
        if (*at == ES_REPORT_RAN)
            *ret_ran = true;
        else if (*at == ES_REPORT_DONE)
            *ret_done = true;
        else if (stop - at > 2)
            add_finding(r, *at, at + 2, (size_t)(stop - at - 2));
        at = stop + 1;
    }
}

static const char *signal_name(int number)
{
    static char other[32];
    const char *name = sigabbrev_np(number);

    snprintf(other, sizeof other, "%s%s", name ? "SIG" : "signal ", name ? name : "");
    if (!name)
        snprintf(other, sizeof other, "signal %d", number);
    return other;
}

/* How the child ended, when it did not end as a check does. */
static void explain_end(struct es_result *r, const struct watch *w)
{
    char level = r->check->crash_is_warning ? ES_REPORT_WARN : ES_REPORT_FAIL;
    const char *in = *w->place->text ? w->place->text : "loading it";

    if (w->hung)
        found(r, ES_REPORT_FAIL, "did not come back within %d s from %s", (int)(w->step_limit_ms / 1000), in);
    else if (WIFSIGNALED(w->status))
        found(r, level, "crashed with %s in %s", signal_name(WTERMSIG(w->status)), in);
    else if (r->output.len && strstr(es_buf_str(&r->output), "Sanitizer"))
        found(r, level, "a sanitizer stopped it in %s; its report follows", in);
    else
        found(r, level, "ended the process with exit code %d in %s", WEXITSTATUS(w->status), in);
}

static void look_for_plants(struct es_result *r)
{
    const char *form,
        *what = es_plant_found((esp_bytes){(const uint8_t *)es_buf_str(&r->output), r->output.len}, 0, &form);
    if (what)
        found(r, ES_REPORT_FAIL, "printed %s, %s, on standard output or standard error", what, form);
}

static void conclude(struct es_result *r, const struct watch *w, const struct es_check_opts *opts)
{
    bool ran = false, done = false;

    read_lines(r, &w->lines, &ran, &done);
    if (!done || w->hung || !WIFEXITED(w->status) || WEXITSTATUS(w->status) != 0)
        explain_end(r, w);
    look_for_plants(r);
    r->refused = has_level(r, ES_REPORT_REFUSE);
    if (has_level(r, ES_REPORT_FAIL) || r->refused)
        r->verdict = ES_FAIL;
    else if (has_level(r, ES_REPORT_WARN))
        r->verdict = ES_WARN;
    else if (has_level(r, ES_REPORT_SKIP) && !ran)
        r->verdict = ES_SKIP;
    /* What a real backend said must not end up in a log of the CI. */
    if (opts->live)
        es_buf_reset(&r->output);
}

static bool make_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC) == 0 && fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

static struct es_report_place *new_place(void)
{
    void *p =
        mmap(NULL, sizeof(struct es_report_place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void es_check_run(struct es_result *ret, const struct es_check *check, const struct es_check_opts *opts)
{
    int report[2], output[2];
    struct watch w = {.place = new_place(), .started_ms = es_mono_ms()};

    *ret = (struct es_result){.check = check};
    es_buf_init(&ret->output, MAX_OUTPUT);
    es_buf_init(&w.lines, MAX_REPORT);
    fflush(NULL);
    if (!w.place || !make_pipe(report) || !make_pipe(output) || (w.pid = fork()) < 0) {
        found(ret, ES_REPORT_FAIL, "the check could not be started: %s", strerror(errno));
        ret->verdict = ES_FAIL;
        return;
    }
    if (w.pid == 0) {
        prepare_child(report[1], output[1], w.place);
        child(check, opts);
    }
    close(report[1]);
    close(output[1]);
    w.report = report[0];
    w.output = output[0];
    w.step_ms = w.started_ms;
    w.step_limit_ms = (check->step_s ? check->step_s : STEP_S) * INT64_C(1000);
    wait_for_child(&w, &ret->output);
    conclude(ret, &w, opts);
    if (w.report >= 0)
        close(w.report);
    if (w.output >= 0)
        close(w.output);
    es_buf_fini(&w.lines);
    munmap(w.place, sizeof *w.place);
    ret->took_ms = es_mono_ms() - w.started_ms;
}

void es_result_fini(struct es_result *r)
{
    for (size_t i = 0; i < r->finding_count; i++)
        es_mem_free(r->findings[i].text);
    es_mem_free(r->findings);
    es_buf_fini(&r->output);
    *r = (struct es_result){0};
}
