/* esod-plugin-runner FILE: the process of one plugin. esod starts it with a socket
 * as descriptor 3, and for a pinned plugin with the checked bytes as 4; it is of
 * no use to anybody else. core/wire/message.h says what is spoken. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/sanitized.h"
#include "core/runner/fence.h"
#include "core/runner/lane.h"
#include "core/runner/load.h"
#include "core/wire/exits.h"
#include "core/wire/message.h"
#include "core/wire/tables.h"

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Nothing but the standard streams, the control link and the plugin's bytes. */
static void close_the_rest(bool has_memory_file)
{
    close_range(has_memory_file ? ES_MEMORY_FD + 1 : ES_MEMORY_FD, ~0u, 0);
}

/* A folder that shows how many threads there are, opened while that is possible. */
static size_t count_threads(DIR *tasks)
{
    size_t count = 0;

    rewinddir(tasks);
    for (struct dirent *e; (e = readdir(tasks));)
        count += e->d_name[0] != '.';
    return count;
}

static void name_process(const char *file)
{
    const char *slash = strrchr(file, '/');
    char name[16] = "esod:";

    strncat(name, slash ? slash + 1 : file, sizeof name - strlen(name) - 1);
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

static void send_or_end(struct es_link *control)
{
    if (es_link_flush(control) != ES_LINK_OK)
        _exit(ES_EXIT_CORE_GONE);
}

static struct es_hello read_hello(struct es_link *control)
{
    struct es_frame frame = {0};
    struct es_hello hello;

    if (es_link_next(control, &frame) != ES_LINK_FRAME)
        _exit(ES_EXIT_CORE_GONE);
    if (frame.type != ES_MSG_HELLO || !es_get_hello(&frame, &hello))
        es_lane_protest();
    es_frame_fini(&frame);
    return hello;
}

/* The highest version that both speak; 0: none. */
static uint32_t choose_version(const struct es_hello *h)
{
    uint32_t most = h->most < ES_FRAMES_MOST ? h->most : ES_FRAMES_MOST;
    return most >= h->least && most >= ES_FRAMES_LEAST ? most : 0;
}

static void put_answer(struct es_link *control, uint32_t version, uint32_t fences)
{
    es_put_begin(control, ES_MSG_HELLO);
    es_put_u32(control, version);
    es_put_u32(control, fences);
    es_put_end(control);
}

_Noreturn static void refuse(struct es_link *control, const struct es_loaded *loaded)
{
    es_put_begin(control, ES_MSG_REFUSED);
    es_put_u32(control, (uint32_t)loaded->why);
    es_put_u32(control, loaded->detail);
    es_put_text(control, loaded->text);
    es_put_end(control);
    send_or_end(control);
    _exit(ES_EXIT_CORE_GONE);
}

/* A lane is a socket that comes beside its frame. */
static int receive_lane(int control)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } extra;
    uint8_t frame[ES_LANE_FRAME_SIZE], expected[ES_LANE_FRAME_SIZE];
    struct iovec part = {.iov_base = frame, .iov_len = sizeof frame};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
    ssize_t n;
    int fd = -1;

    do
        n = recvmsg(control, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        _exit(ES_EXIT_CORE_GONE);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    es_lane_frame(expected);
    if (n != sizeof frame || memcmp(frame, expected, sizeof frame) != 0 || !c ||
        c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
        es_lane_protest();
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* After the fence's first part, because a change of credentials undoes some of it,
 * and before the second, which allows no such calls. */
static void harden(const struct es_hello *hello)
{
    prctl(PR_SET_DUMPABLE, hello->flags & ES_HELLO_DEBUGGABLE ? 1 : 0, 0, 0, 0);
    /* The closed link tells it too; this is for a plugin that has closed it itself.
     * The thread that started us lives as long as the core has a use for us. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (!ES_SANITIZED) {
        /* Memory is counted in kibibytes here. */
        mallopt(M_ARENA_MAX, 1);
        mallopt(M_TRIM_THRESHOLD, 64 * 1024);
        mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    }
}

/* Loads, describes, and from then on only hands out lanes. */
static void serve(struct es_link *control, const char *file)
{
    const struct es_hello hello = read_hello(control);
    bool has_memory_file = hello.flags & ES_HELLO_MEMORY_FILE;
    uint32_t version = choose_version(&hello);

    close_the_rest(has_memory_file);
    DIR *tasks = opendir("/proc/self/task");

    if (!version) {
        put_answer(control, 0, 0);
        send_or_end(control);
        _exit(ES_EXIT_CORE_GONE);
    }
    uint32_t fences =
        es_fence_before_loading(&(struct es_fence_opts){.plugin_file = file, .memory = hello.memory});
    harden(&hello);
    struct es_loaded loaded = es_load(has_memory_file ? ES_MEMORY_PATH : file);
    if (has_memory_file)
        close(ES_MEMORY_FD);
    if (loaded.plugin && tasks && !ES_SANITIZED && count_threads(tasks) > 1)
        loaded = (struct es_loaded){.why = ES_REFUSAL_THREADS};
    if (tasks)
        closedir(tasks);
    fences |= es_fence_after_loading();
    put_answer(control, version, fences);
    if (!loaded.plugin)
        refuse(control, &loaded);
    es_put_plugin(control, loaded.plugin);
    if (control->failed) {
        es_put_forget(control);
        put_answer(control, version, fences);
        loaded =
            (struct es_loaded){.why = ES_REFUSAL_LOADER, .text = "it describes itself in more than 40 MiB"};
        refuse(control, &loaded);
    }
    send_or_end(control);
    for (;;)
        es_lane_start(loaded.plugin, receive_lane(control->fd));
}

int main(int argc, char **argv)
{
    struct es_link control;

    if (argc != 2 || !is_socket(ES_CONTROL_FD)) {
        fputs("esod-plugin-runner: esod starts this program for a plugin; it does nothing by itself\n",
              stderr);
        return ES_EXIT_USAGE_RUNNER;
    }
    name_process(argv[1]);
    es_link_init(&control, ES_CONTROL_FD);
    serve(&control, argv[1]);
    return 0;
}
