#include "core/http/pump.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/mem.h"

#define EVENTS_MAX 32
#define NO_TIMER INT64_MAX
#define LOOK_AROUND_MS 20

struct es_pump {
    CURLM *multi;
    int epoll, wake;  /* file descriptors */
    int64_t timer_ms; /* when libcurl wants to run, monotonic */
    bool blind;       /* libcurl could not note a socket: nobody will tell of it */
    struct epoll_event ready[EVENTS_MAX];
    int ready_count;
};

/* libcurl tells the union of what all transfers on this socket wait for. It
 * may have closed the descriptor already when it says REMOVE, or have got the
 * same number again: neither is an error. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct es_pump *p = ctx;
    struct epoll_event event = {.data.fd = fd};
    (void)easy, (void)socket_ctx;

    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events |= what & CURL_POLL_IN ? EPOLLIN : 0;
    event.events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EEXIST)
        epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &event);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct es_pump *p = ctx;
    (void)multi;

    p->timer_ms = ms < 0 ? NO_TIMER : es_mono_ms() + ms;
    return 0;
}

int es_pump_new(struct es_pump **ret, CURLM *multi)
{
    struct es_pump *p = es_mem_calloc(1, sizeof *p);
    struct epoll_event event = {.events = EPOLLIN};

    if (!p)
        return ES_E_NOMEM;
    *p = (struct es_pump){.multi = multi, .timer_ms = NO_TIMER, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = p->wake;
    if (p->epoll < 0 || p->wake < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &event) < 0) {
        es_pump_free(p);
        return ES_E_NOMEM;
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, p);
    *ret = p;
    return 0;
}

void es_pump_free(struct es_pump *p)
{
    if (!p)
        return;
    if (p->epoll >= 0)
        close(p->epoll);
    if (p->wake >= 0)
        close(p->wake);
    es_mem_free(p);
}

static int ready_bits(uint32_t events)
{
    int bits = 0;

    bits |= events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP) ? CURL_CSELECT_IN : 0;
    bits |= events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    bits |= events & EPOLLERR ? CURL_CSELECT_ERR : 0;
    return bits;
}

static void act(struct es_pump *p, curl_socket_t fd, int bits)
{
    int running;
    CURLMcode rc = curl_multi_socket_action(p->multi, fd, bits, &running);

    p->blind = p->blind || (rc != CURLM_OK && rc != CURLM_BAD_SOCKET);
}

/* Without memory for its table of sockets libcurl forgets one. Until all that
 * runs now has ended, everybody is looked at now and then. */
static void look_around(struct es_pump *p)
{
    int running;

    if (!p->blind)
        return;
    curl_multi_perform(p->multi, &running);
    p->blind = running > 0;
}

/* A socket that another one's turn has closed, libcurl does not know any more;
 * one that has got its number since finds nothing to read. Both are harmless. */
static void run_ready(struct es_pump *p)
{
    for (int i = 0; i < p->ready_count; i++)
        act(p, p->ready[i].data.fd, ready_bits(p->ready[i].events));
    p->ready_count = 0;
}

/* The timer is good for one time: libcurl sets it again if it wants to. */
static void run_due(struct es_pump *p)
{
    if (p->timer_ms == NO_TIMER || es_mono_ms() < p->timer_ms)
        return;
    p->timer_ms = NO_TIMER;
    act(p, CURL_SOCKET_TIMEOUT, 0);
}

void es_pump_run(struct es_pump *p)
{
    run_ready(p);
    run_due(p);
    look_around(p);
}

/* Before the caller looks at what it was woken for: a wake-up that comes after
 * that look must end the next sleep. */
static void drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

void es_pump_wait(struct es_pump *p, int nap_ms)
{
    if (p->timer_ms != NO_TIMER) {
        int64_t left = p->timer_ms - es_mono_ms();
        if (left < nap_ms)
            nap_ms = left > 0 ? (int)left : 0;
    }
    if (p->blind && nap_ms > LOOK_AROUND_MS)
        nap_ms = LOOK_AROUND_MS;
    int n = epoll_wait(p->epoll, p->ready, EVENTS_MAX, nap_ms);
    p->ready_count = 0;
    for (int i = 0; i < n; i++) {
        if (p->ready[i].data.fd == p->wake)
            drain(p->wake);
        else
            p->ready[p->ready_count++] = p->ready[i];
    }
}

void es_pump_wake(struct es_pump *p)
{
    uint64_t one = 1;
    while (write(p->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}
