/* A plugin's process whose core says what it likes: the input is all that comes over
 * one lane. The process may leave, with a code that says why; it may not fall.
 *
 * The linker sends _exit, threads and allocations here (--wrap): a lane runs to its end
 * within a test, and what it held when it left is freed, as the end of a process does. */
#include <pthread.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/runner/host.h"
#include "core/runner/instances.h"
#include "core/runner/lane.h"
#include "core/wire/exits.h"
#include "tests/fuzz/fuzz.h"

void __wrap__exit(int code);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *ptr);

/* ---- what a process holds ---- */

#define MAX_HELD 4096

static void *held[MAX_HELD];
static size_t held_count;
static bool serving;

static void *hold(void *ptr)
{
    if (serving && ptr) {
        REQUIRE(held_count < MAX_HELD);
        held[held_count++] = ptr;
    }
    return ptr;
}

void *__wrap_malloc(size_t size)
{
    return hold(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return hold(__real_calloc(count, size));
}

void __wrap_free(void *ptr)
{
    for (size_t i = held_count; ptr && i-- > 0;)
        if (held[i] == ptr) {
            held[i] = held[--held_count];
            break;
        }
    __real_free(ptr);
}

/* ---- its end ---- */

static jmp_buf end;

void __wrap__exit(int code)
{
    REQUIRE(serving && (code == ES_EXIT_PROTOCOL || code == ES_EXIT_CORE_GONE || code == ES_EXIT_NO_MEMORY));
    longjmp(end, code);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)thread;
    (void)attr;
    run(arg);
    return 0;
}

/* true: the lane came to its end, and nothing was left behind. */
static bool serve(const struct esp_plugin *plugin, int fd)
{
    serving = true;
    if (setjmp(end) == 0) {
        es_lane_start(plugin, fd);
        serving = false;
        REQUIRE(held_count == 0);
        return true;
    }
    serving = false;
    while (held_count)
        __real_free(held[--held_count]);
    return false;
}

#define MAX_OPENED 512 /* more calls than an input has room for */

/* Nobody takes the answers: when they fit no more, the core counts as gone. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct timeval soon = {.tv_usec = 1000};
    static const struct esp_plugin *plugin;
    int pair[2];

    if (!plugin)
        plugin = esp_plugin_entry_v1(&es_runner_host);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
    if (size)
        REQUIRE(send(pair[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    shutdown(pair[1], SHUT_WR);
    if (!serve(plugin, pair[0]))
        close(pair[0]);
    close(pair[1]);
    for (uint64_t number = 1; number <= MAX_OPENED; number++)
        es_instances_take(number);
    return 0;
}
