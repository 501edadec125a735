#include "core/plugin/remote_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/sanitized.h"
#include "core/base/text.h"
#include "core/plugin/refusal.h"
#include "core/wire/exits.h"
#include "core/wire/message.h"

#define LEAVE_MS (ES_SANITIZED ? 10000 : 1000) /* for a process that closed its link and is not gone yet */
#define CLOSING_MS 200                         /* between the end of a lane and that of the link */
#define DISMISS_MS 2000                        /* for one that was told to go */

/* ---- sockets ---- */

static void tick(int fd)
{
    const struct timeval t = {.tv_usec = ES_LANE_TICK_MS * 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

static int make_pair(int pair[2], struct es_error *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return es_error_set(err, ES_E_RETRY, "no socket for its process: %s", strerror(errno));
    tick(pair[0]);
    return 0;
}

/* ---- starting ---- */

/* What a process is born with. Sanitizers get their options and may speak. */
static void environment(char *list[8], char **ret_path)
{
    static const char *const options[] = {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
    const char *libraries = getenv("LD_LIBRARY_PATH");
    size_t n = 0;

    *ret_path = libraries ? es_strf("LD_LIBRARY_PATH=%s", libraries) : NULL;
    if (*ret_path)
        list[n++] = *ret_path;
    for (size_t i = 0; ES_SANITIZED && i < sizeof options / sizeof *options; i++) {
        const char *value = getenv(options[i]);
        if (value) /* it stands behind its name and '=' */
            list[n++] = (char *)(uintptr_t)(value - strlen(options[i]) - 1);
    }
    list[n] = NULL;
}

static int add_streams(posix_spawn_file_actions_t *actions, int control, int memory_fd)
{
    int rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0 && !ES_SANITIZED)
        rc = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, control, ES_CONTROL_FD);
    if (rc == 0 && memory_fd >= 0)
        rc = posix_spawn_file_actions_adddup2(actions, memory_fd, ES_MEMORY_FD);
    return rc;
}

/* No signal is blocked or ignored in it, and ^C on a terminal is not meant for it. */
static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, pipe;

    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &pipe);
    posix_spawnattr_setpgroup(attr, 0);
    return posix_spawnattr_setflags(attr,
                                    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn(pid_t *ret, const struct es_process_opts *o, int control, struct es_error *err)
{
    char *const argv[] = {(char *)(uintptr_t) "esod-plugin-runner", (char *)(uintptr_t)o->file, NULL};
    char *envp[8], *path = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return es_error_nomem(err);
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return es_error_nomem(err);
    }
    environment(envp, &path);
    int rc = add_streams(&actions, control, o->memory_fd);
    if (rc == 0)
        rc = set_attributes(&attr);
    if (rc == 0)
        rc = posix_spawn(ret, o->runner, &actions, &attr, argv, envp);
    es_mem_free(path);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    if ((rc == ENOENT || rc == EACCES) && access(o->runner, X_OK) == 0)
        return es_error_set(err, ES_E_CONFIG,
                            "a process of its own needs /dev/null: %s; mount /dev, as a container has it, or "
                            "set isolation: none",
                            strerror(rc));
    if (rc == ENOENT || rc == EACCES)
        return es_error_set(err, ES_E_CONFIG,
                            "a process of its own needs %s: %s; install it, or set isolation: none",
                            o->runner, strerror(rc));
    return rc ? es_error_set(err, ES_E_RETRY, "cannot start its process: %s", strerror(rc)) : 0;
}

/* Both descriptors away from the numbers that they will get, so that neither
 * lands on the other. */
static int above(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static int start(struct es_process *p, const struct es_process_opts *o, struct es_error *err)
{
    struct es_process_opts moved = *o;
    int pair[2];

    int rc = make_pair(pair, err);
    if (rc < 0)
        return rc;
    int theirs = above(pair[1]);
    moved.memory_fd = o->memory_fd >= 0 ? above(o->memory_fd) : -1;
    if (theirs < 0 || (o->memory_fd >= 0 && moved.memory_fd < 0))
        rc = es_error_set(err, ES_E_RETRY, "no descriptor for its process: %s", strerror(errno));
    else
        rc = spawn(&p->pid, &moved, theirs, err);
    if (theirs >= 0)
        close(theirs);
    if (moved.memory_fd >= 0)
        close(moved.memory_fd);
    close(pair[1]);
    if (rc < 0)
        close(pair[0]);
    else
        es_link_init(&p->control, pair[0]);
    return rc;
}

/* ---- the first words ---- */

static int hello(struct es_process *p, const struct es_process_opts *o, struct es_error *err)
{
    const struct es_hello h = {
        .least = ES_FRAMES_LEAST,
        .most = ES_FRAMES_MOST,
        .memory = o->memory > 0 ? (uint64_t)o->memory : 0,
        .flags = (getenv("ESOD_DEBUGGABLE") ? ES_HELLO_DEBUGGABLE : 0) |
                 (o->memory_fd >= 0 ? ES_HELLO_MEMORY_FILE : 0),
    };

    es_put_hello(&p->control, &h);
    return es_link_flush(&p->control) == ES_LINK_NOMEM ? es_error_nomem(err) : 0;
}

static bool is_cancelled(const struct es_process_opts *o)
{
    return o->cancelled && __atomic_load_n(o->cancelled, __ATOMIC_ACQUIRE);
}

static int read_frame(struct es_process *p, const struct es_process_opts *o, struct es_frame *ret,
                      int64_t until_ms, struct es_error *err)
{
    char why[ES_PROCESS_WHY_MAX];

    for (;;) {
        switch (es_link_next(&p->control, ret)) {
        case ES_LINK_FRAME:
            return 0;
        case ES_LINK_QUIET:
            if (is_cancelled(o))
                return es_error_set(err, ES_E_CANCELLED, "esod is stopping");
            if (es_mono_ms() < until_ms)
                continue;
            return es_error_set(err, ES_E_CONFIG, "it was not loaded in time: its process hangs");
        case ES_LINK_NOMEM:
            return es_error_nomem(err);
        case ES_LINK_CLOSED:
            es_process_end(p, why);
            p->pid = 0;
            return es_error_set(err, ES_E_CONFIG, "its process ended while it was loaded: %s", why);
        default:
            return es_error_set(err, ES_E_CONFIG, "its process said what makes no sense");
        }
    }
}

static int read_version(struct es_process *p, struct es_frame *f, const char *runner, struct es_error *err)
{
    if (f->type != ES_MSG_HELLO)
        return es_error_set(err, ES_E_CONFIG, "its process said what makes no sense");
    uint32_t version = es_get_u32(f);
    p->fences = es_get_u32(f);
    if (!es_get_done(f) || version < ES_FRAMES_LEAST || version > ES_FRAMES_MOST)
        return es_error_set(
            err, ES_E_CONFIG,
            "%s is of another build: it does not speak frame version %u to %u; install the one that "
            "came with this esod",
            runner, ES_FRAMES_LEAST, ES_FRAMES_MOST);
    return 0;
}

static int refused(struct es_frame *f, struct es_error *err)
{
    uint32_t why = es_get_u32(f), detail = es_get_u32(f);
    esp_bytes text = es_get_bytes(f);

    es_get_done(f);
    return es_refusal_say(err, (enum es_refusal)why, detail, text);
}

static int describe(struct es_process *p, const struct es_process_opts *o, struct es_tables **ret,
                    int64_t until_ms, const struct esp_store_ops *store,
                    const struct esp_generator_ops *generator,
                    esp_status (*configure)(struct esp_call *, const struct esp_request *),
                    struct es_error *err)
{
    struct es_frame frame = {0};
    bool bad = false;

    int rc = read_frame(p, o, &frame, until_ms, err);
    if (rc < 0)
        return rc;
    if (frame.type == ES_MSG_PLUGIN) {
        *ret = es_get_plugin(&frame, store, generator, configure, &bad);
        return *ret  ? 0
               : bad ? es_error_set(err, ES_E_CONFIG, "its process described it in a way that makes no sense")
                     : es_error_nomem(err);
    }
    rc = frame.type == ES_MSG_REFUSED
             ? refused(&frame, err)
             : es_error_set(err, ES_E_CONFIG, "its process said what makes no sense");
    es_frame_fini(&frame);
    return rc;
}

int es_process_start(struct es_process *ret, struct es_tables **ret_tables,
                     const struct es_process_opts *opts, const struct esp_store_ops *store,
                     const struct esp_generator_ops *generator,
                     esp_status (*configure)(struct esp_call *, const struct esp_request *),
                     struct es_error *err)
{
    int64_t until = es_mono_ms() + opts->start_ms;
    struct es_frame frame = {0};
    struct es_process p = {0};

    int rc = start(&p, opts, err);
    if (rc < 0)
        return rc;
    rc = hello(&p, opts, err);
    if (rc == 0)
        rc = read_frame(&p, opts, &frame, until, err);
    if (rc == 0)
        rc = read_version(&p, &frame, opts->runner, err);
    es_frame_fini(&frame);
    if (rc == 0)
        rc = describe(&p, opts, ret_tables, until, store, generator, configure, err);
    if (rc == 0) {
        *ret = p;
        return 0;
    }
    if (p.pid > 0)
        kill(p.pid, SIGKILL);
    es_process_fini(&p);
    return rc;
}

/* ---- lanes ---- */

int es_process_lane(struct es_process *p, struct es_error *err)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } extra = {0};
    uint8_t frame[ES_LANE_FRAME_SIZE];
    struct iovec part = {.iov_base = frame, .iov_len = sizeof frame};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
    int pair[2];

    if (make_pair(pair, err) < 0)
        return -1;
    es_lane_frame(frame);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &pair[1], sizeof(int));
    ssize_t n = sendmsg(p->control.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(pair[1]);
    if (n == (ssize_t)sizeof frame)
        return pair[0];
    close(pair[0]);
    es_error_set(err, ES_E_RETRY, "its process takes no call");
    return -1;
}

/* It has nothing to say any more: whatever shows on its control link is its end. */
static bool holds_link(const struct es_process *p, int wait_ms)
{
    struct pollfd control = {.fd = p->control.fd, .events = POLLIN};
    return poll(&control, 1, wait_ms) <= 0; /* a failure of poll says nothing about it */
}

bool es_process_alive(const struct es_process *p)
{
    return holds_link(p, 0);
}

/* ---- ending ---- */

static void sleep_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};
    nanosleep(&t, NULL);
}

static bool gone_within(pid_t pid, int *ret_status, int64_t ms)
{
    for (int64_t until = es_mono_ms() + ms;;) {
        pid_t got = waitpid(pid, ret_status, WNOHANG);
        if (got == pid || (got < 0 && errno == ECHILD))
            return true;
        if (es_mono_ms() >= until)
            return false;
        sleep_ms(1);
    }
}

static void kill_and_wait(pid_t pid, int *ret_status)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
}

static void describe_end(int status, char why[ES_PROCESS_WHY_MAX])
{
    if (WIFSIGNALED(status))
        snprintf(why, ES_PROCESS_WHY_MAX, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WIFEXITED(status) && WEXITSTATUS(status) == ES_EXIT_NO_MEMORY)
        snprintf(why, ES_PROCESS_WHY_MAX, "out of memory; its entry's memory: may be raised");
    else if (WIFEXITED(status) && WEXITSTATUS(status) == ES_EXIT_PROTOCOL)
        snprintf(why, ES_PROCESS_WHY_MAX, "it did not understand esod");
    else if (WIFEXITED(status) && WEXITSTATUS(status) == ES_EXIT_CORE_GONE)
        snprintf(why, ES_PROCESS_WHY_MAX, "it closed its connection to esod");
    else if (WIFEXITED(status))
        snprintf(why, ES_PROCESS_WHY_MAX, "it left with exit code %d", WEXITSTATUS(status));
    else
        snprintf(why, ES_PROCESS_WHY_MAX, "nobody knows how");
}

void es_process_end(const struct es_process *p, char why[ES_PROCESS_WHY_MAX])
{
    char byte;
    int status = 0;
    /* A process that dies closes its descriptors in an order of the kernel's own, so
     * a lane may be gone before the control link is. */
    bool holds = holds_link(p, CLOSING_MS);
    bool speaks = recv(p->control.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;

    if (!speaks && !holds && gone_within(p->pid, &status, LEAVE_MS)) {
        describe_end(status, why);
        return;
    }
    kill_and_wait(p->pid, &status);
    snprintf(why, ES_PROCESS_WHY_MAX,
             speaks ? "it spoke without being asked" : "it closed its connection to esod");
}

void es_process_leave(const struct es_process *p)
{
    shutdown(p->control.fd, SHUT_RDWR);
}

void es_process_fini(struct es_process *p)
{
    int status = 0;

    es_link_fini(&p->control);
    if (p->pid > 0 && !gone_within(p->pid, &status, DISMISS_MS))
        kill_and_wait(p->pid, &status);
    p->pid = 0;
}
