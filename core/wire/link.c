#include "core/wire/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct header {
    uint32_t len;
    uint16_t type, call;
};

_Static_assert(sizeof(struct header) == 8, "the header has no padding");

#define OUT_KEPT ((size_t)16 << 10)  /* what a link keeps between two calls */
#define SEND_MOST ((size_t)64 << 10) /* the kernel may wait for each page of a larger piece anew */

/* ---- time ---- */

/* 0: none, or it cannot be known. The plugin's process may not even ask, and
 * needs none: it has nothing to do but to wait for the core. */
static int64_t time_out_of(int fd)
{
    struct timeval t = {0};
    socklen_t len = sizeof t;

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len) < 0)
        return 0;
    return (int64_t)t.tv_sec * 1000 + t.tv_usec / 1000;
}

/* The socket's time-out begins anew with each byte. Someone who sends or takes one
 * at a time would hold us for as long as they like, so what one call may take is
 * counted too. *since_ms is 0 at first. */
static bool waited_enough(const struct es_link *l, int64_t *since_ms)
{
    struct timespec t;

    if (!l->time_out_ms)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const int64_t now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    if (!*since_ms)
        *since_ms = now_ms;
    return now_ms - *since_ms >= l->time_out_ms;
}

/* ---- from birth to end ---- */

void es_link_init(struct es_link *l, int fd)
{
    /* Not the whole struct: `in` is 4 KiB that need no zeroes. */
    memset(l, 0, offsetof(struct es_link, in));
    memset((char *)l + offsetof(struct es_link, in_at), 0, sizeof *l - offsetof(struct es_link, in_at));
    l->fd = fd;
    l->time_out_ms = time_out_of(fd);
}

static void drop_out(struct es_link *l)
{
    if (l->out)
        explicit_bzero(l->out, l->out_len);
    l->out_len = 0;
    if (l->out_cap > OUT_KEPT) {
        free(l->out);
        l->out = NULL;
        l->out_cap = 0;
    }
}

void es_link_fini(struct es_link *l)
{
    drop_out(l);
    free(l->out);
    l->out = NULL;
    l->out_cap = 0;
    l->half.len = l->half_len; /* no more of it was touched */
    es_frame_fini(&l->half);
    l->half_len = l->head_len = 0;
    explicit_bzero(l->in, sizeof l->in);
    l->in_at = l->in_len = 0;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* ---- writing ---- */

static bool reserve(struct es_link *l, size_t more)
{
    if (l->failed)
        return false;
    if (more <= l->out_cap - l->out_len)
        return true;
    size_t cap = l->out_cap ? l->out_cap : 1024;
    while (cap - l->out_len < more)
        cap *= 2;
    uint8_t *moved = malloc(cap);
    if (!moved) {
        l->failed = true;
        return false;
    }
    if (l->out_len) {
        memcpy(moved, l->out, l->out_len);
        explicit_bzero(l->out, l->out_len);
    }
    free(l->out);
    l->out = moved;
    l->out_cap = cap;
    return true;
}

static void put(struct es_link *l, const void *data, size_t len)
{
    if (len > ES_FRAME_MAX || l->out_len - l->frame_at > ES_FRAME_MAX)
        l->failed = true;
    if (!reserve(l, len) || !len)
        return;
    memcpy(l->out + l->out_len, data, len);
    l->out_len += len;
}

void es_put_begin(struct es_link *l, uint16_t type)
{
    const struct header h = {.type = type, .call = l->call};

    l->frame_at = l->out_len;
    put(l, &h, sizeof h);
}

void es_put_u32(struct es_link *l, uint32_t value)
{
    put(l, &value, sizeof value);
}

void es_put_u64(struct es_link *l, uint64_t value)
{
    put(l, &value, sizeof value);
}

void es_put_bytes(struct es_link *l, esp_bytes bytes)
{
    if (bytes.len > ES_FRAME_MAX) {
        l->failed = true;
        return;
    }
    es_put_u32(l, (uint32_t)bytes.len);
    put(l, bytes.ptr, bytes.len);
}

void es_put_text(struct es_link *l, const char *text)
{
    es_put_bytes(l, (esp_bytes){(const uint8_t *)text, text ? strlen(text) : 0});
}

void es_put_pairs(struct es_link *l, const esp_pair *pairs, size_t count)
{
    if (count > ES_FRAME_MAX) {
        l->failed = true;
        return;
    }
    es_put_u32(l, (uint32_t)count);
    for (size_t i = 0; i < count && !l->failed; i++) {
        es_put_bytes(l, pairs[i].name);
        es_put_bytes(l, pairs[i].value);
    }
}

void es_put_end(struct es_link *l)
{
    size_t len = l->out_len - l->frame_at;

    if (l->failed)
        return;
    if (len - sizeof(struct header) > ES_FRAME_MAX) {
        l->failed = true;
        return;
    }
    const uint32_t payload = (uint32_t)(len - sizeof(struct header));
    memcpy(l->out + l->frame_at, &payload, sizeof payload);
}

void es_put_forget(struct es_link *l)
{
    drop_out(l);
    l->failed = false;
}

enum es_link_result es_link_flush(struct es_link *l)
{
    if (l->failed) {
        es_put_forget(l);
        return ES_LINK_NOMEM;
    }
    size_t sent = 0;
    int64_t since_ms = 0;
    enum es_link_result result = ES_LINK_OK;
    while (sent < l->out_len && result == ES_LINK_OK) {
        const size_t rest = l->out_len - sent;
        ssize_t n = send(l->fd, l->out + sent, rest < SEND_MOST ? rest : SEND_MOST, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            result = errno == EAGAIN || errno == EWOULDBLOCK ? ES_LINK_QUIET : ES_LINK_CLOSED;
            break;
        }
        sent += (size_t)n;
        if (sent < l->out_len && waited_enough(l, &since_ms))
            result = ES_LINK_QUIET;
    }
    if (result != ES_LINK_QUIET) {
        drop_out(l);
        return result;
    }
    /* What went out is not needed any more; the rest moves to the front. */
    size_t rest = l->out_len - sent;
    memmove(l->out, l->out + sent, rest);
    explicit_bzero(l->out + rest, sent);
    l->out_len = rest;
    return ES_LINK_QUIET;
}

/* ---- reading ---- */

/* As recv: what came, or how it ended. */
static enum es_link_result read_some(int fd, void *into, size_t room, size_t *ret_got)
{
    ssize_t n;

    do
        n = recv(fd, into, room, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        *ret_got = (size_t)n;
        return ES_LINK_OK;
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? ES_LINK_QUIET : ES_LINK_CLOSED;
}

/* Some bytes of the stream: what is buffered first. Large pieces go where they
 * are wanted without a detour. */
static enum es_link_result receive(struct es_link *l, void *into, size_t want, size_t *ret_got)
{
    enum es_link_result result;

    if (l->in_at == l->in_len) {
        if (want >= sizeof l->in)
            return read_some(l->fd, into, want, ret_got);
        result = read_some(l->fd, l->in, sizeof l->in, &l->in_len);
        l->in_at = 0;
        if (result != ES_LINK_OK) {
            l->in_len = 0;
            return result;
        }
    }
    size_t have = l->in_len - l->in_at;
    *ret_got = want < have ? want : have;
    memcpy(into, l->in + l->in_at, *ret_got);
    explicit_bzero(l->in + l->in_at, *ret_got);
    l->in_at += *ret_got;
    return ES_LINK_OK;
}

/* A piece of the header, and behind it room for the payload. */
static enum es_link_result read_header(struct es_link *l)
{
    struct header h;
    size_t got = 0;

    if (l->head_len < sizeof l->head) {
        enum es_link_result result = receive(l, l->head + l->head_len, sizeof l->head - l->head_len, &got);
        if (result != ES_LINK_OK)
            return result;
        l->head_len += got;
        if (l->head_len < sizeof l->head)
            return ES_LINK_OK;
    }
    memcpy(&h, l->head, sizeof h);
    if (h.len > ES_FRAME_MAX)
        return ES_LINK_BROKEN;
    uint8_t *data = malloc(h.len ? h.len : 1);
    if (!data)
        return ES_LINK_NOMEM;
    l->half = (struct es_frame){.type = h.type, .call = h.call, .data = data, .len = h.len};
    return ES_LINK_OK;
}

static enum es_link_result read_payload(struct es_link *l)
{
    size_t got = 0;
    enum es_link_result result = receive(l, l->half.data + l->half_len, l->half.len - l->half_len, &got);

    if (result == ES_LINK_OK)
        l->half_len += got;
    return result;
}

static bool is_whole(const struct es_link *l)
{
    return l->half.data && l->half_len == l->half.len;
}

enum es_link_result es_link_next(struct es_link *l, struct es_frame *ret)
{
    enum es_link_result result = ES_LINK_OK;
    int64_t since_ms = 0;

    while (result == ES_LINK_OK && !is_whole(l)) {
        result = l->half.data ? read_payload(l) : read_header(l);
        bool asks_socket = l->in_at == l->in_len && !is_whole(l);
        if (result == ES_LINK_OK && asks_socket && waited_enough(l, &since_ms))
            result = ES_LINK_QUIET;
    }
    if (result != ES_LINK_OK)
        return result;
    *ret = l->half;
    l->half = (struct es_frame){0};
    l->half_len = l->head_len = 0;
    return ES_LINK_FRAME;
}

bool es_link_pending(const struct es_link *l)
{
    char byte;

    if (l->in_at < l->in_len || l->head_len)
        return true;
    if (recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
        return true;
    return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

void es_frame_fini(struct es_frame *f)
{
    if (f->data)
        explicit_bzero(f->data, f->len);
    free(f->data);
    *f = (struct es_frame){0};
}

/* ---- fields ---- */

static const uint8_t *take(struct es_frame *f, size_t len)
{
    if (f->bad || len > f->len - f->at) {
        f->bad = true;
        return NULL;
    }
    const uint8_t *at = f->data + f->at;
    f->at += len;
    return at;
}

uint32_t es_get_u32(struct es_frame *f)
{
    uint32_t value = 0;
    const uint8_t *at = take(f, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

uint64_t es_get_u64(struct es_frame *f)
{
    uint64_t value = 0;
    const uint8_t *at = take(f, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

esp_bytes es_get_bytes(struct es_frame *f)
{
    size_t len = es_get_u32(f);
    const uint8_t *at = take(f, len);
    return at ? (esp_bytes){at, len} : (esp_bytes){NULL, 0};
}

size_t es_get_count(struct es_frame *f, size_t each, size_t max)
{
    size_t count = es_get_u32(f);

    if (f->bad || count > max || count > (f->len - f->at) / each) {
        f->bad = true;
        return 0;
    }
    return count;
}

void es_get_pairs(struct es_frame *f, esp_pair *ret, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ret[i].name = es_get_bytes(f);
        ret[i].value = es_get_bytes(f);
    }
}

bool es_get_done(struct es_frame *f)
{
    if (f->at != f->len)
        f->bad = true;
    return !f->bad;
}
