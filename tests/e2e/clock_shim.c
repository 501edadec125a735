/* Preloaded into esod: shifts the wall clock by as many milliseconds as stand in the
 * file that ESOD_TEST_CLOCK names, from one moment to the next, as an administrator
 * or a time server does. The monotonic clock goes on. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t *offset_ms;

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("ESOD_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        offset_ms = at;
    close(fd);
}

static void shift(struct timespec *ts)
{
    int64_t ms = offset_ms ? __atomic_load_n(offset_ms, __ATOMIC_RELAXED) : 0;
    int64_t ns = ts->tv_nsec + ms % 1000 * 1000000;

    ts->tv_sec += (time_t)(ms / 1000 + (ns < 0 ? -1 : ns / 1000000000));
    ts->tv_nsec = (long)(ns < 0 ? ns + 1000000000 : ns % 1000000000);
}

/* Not through the C library, which a sanitizer may have taken the name from. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ts);

    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(ts);
    return rc;
}

time_t time(time_t *ret)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_REALTIME, &ts);
    if (ret)
        *ret = ts.tv_sec;
    return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts = {0};
    (void)zone;

    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
