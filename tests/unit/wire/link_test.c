/* Frames over a socket: whole ones come out however they went in, and nothing of
 * them stays behind. */
#include "wire_test.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECRET "hunter2-correct-horse"

/* ---- who frees a secret ---- */

void __real_free(void *ptr);
void __wrap_free(void *ptr);

static size_t freed_with_secret;

/* The linker sends the program's free here (--wrap). */
void __wrap_free(void *ptr)
{
    if (ptr && memmem(ptr, malloc_usable_size(ptr), SECRET, strlen(SECRET)))
        freed_with_secret++;
    __real_free(ptr);
}

/* ---- two ends ---- */

static struct es_link near, far;

static int setup(void **state)
{
    int pair[2];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    es_link_init(&near, pair[0]);
    es_link_init(&far, pair[1]);
    freed_with_secret = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    es_link_fini(&near);
    es_link_fini(&far);
    assert_int_equal(freed_with_secret, 0);
    return 0;
}

/* Two new ends, in the middle of a test. */
static void renew(void)
{
    teardown(NULL);
    setup(NULL);
}

/* From now on this end waits no longer than that. */
static void set_time_out(struct es_link *l, long ms)
{
    const struct timeval t = {.tv_usec = ms * 1000};
    int fd = l->fd;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
    es_link_init(l, fd);
    assert_true(l->time_out_ms >= ms); /* the kernel rounds up */
}

static void hang_up(struct es_link *l)
{
    es_link_fini(l);
    assert_int_equal(l->fd, -1);
}

static void put_secret(struct es_link *l, uint16_t type)
{
    es_put_begin(l, type);
    es_put_u32(l, 7);
    es_put_bytes(l, text(SECRET));
    es_put_end(l);
}

static void assert_secret(struct es_link *l, uint16_t type)
{
    struct es_frame f = {0};

    assert_int_equal(es_link_next(l, &f), ES_LINK_FRAME);
    assert_int_equal(f.type, type);
    assert_int_equal(es_get_u32(&f), 7);
    assert_bytes(es_get_bytes(&f), SECRET);
    assert_true(es_get_done(&f));
    es_frame_fini(&f);
    assert_null(f.data);
}

/* All that an end would send, which is not sent. */
static size_t stream_of(struct es_link *l, uint8_t *stream, size_t room)
{
    size_t len = l->out_len;

    assert_false(l->failed);
    assert_true(len <= room);
    memcpy(stream, l->out, len);
    es_put_forget(l);
    return len;
}

/* ---- whole, in pieces, many at once ---- */

static void test_a_frame_arrives_as_it_was(void **state)
{
    const esp_pair pairs[] = {{text("a"), text("1")}, {text(""), text("")}};
    struct es_frame f = {0};
    esp_pair got[2];
    (void)state;

    near.call = 0xBEEF;
    es_put_begin(&near, 42);
    es_put_u32(&near, UINT32_MAX);
    es_put_u64(&near, UINT64_MAX - 1);
    es_put_bytes(&near, (esp_bytes){(const uint8_t *)"a\0b", 3});
    es_put_text(&near, NULL);
    es_put_text(&near, "text");
    es_put_pairs(&near, pairs, 2);
    es_put_end(&near);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);

    assert_int_equal(es_link_next(&far, &f), ES_LINK_FRAME);
    assert_int_equal(f.type, 42);
    assert_int_equal(f.call, 0xBEEF);
    assert_int_equal(es_get_u32(&f), UINT32_MAX);
    assert_true(es_get_u64(&f) == UINT64_MAX - 1);
    esp_bytes raw = es_get_bytes(&f);
    assert_int_equal(raw.len, 3);
    assert_memory_equal(raw.ptr, "a\0b", 3);
    assert_int_equal(es_get_bytes(&f).len, 0);
    assert_bytes(es_get_bytes(&f), "text");
    assert_int_equal(es_get_count(&f, 8, 2), 2);
    es_get_pairs(&f, got, 2);
    assert_bytes(got[0].name, "a");
    assert_bytes(got[0].value, "1");
    assert_int_equal(got[1].name.len + got[1].value.len, 0);
    assert_true(es_get_done(&f));
    es_frame_fini(&f);
}

static void test_an_empty_frame(void **state)
{
    struct es_frame f = {0};
    (void)state;

    es_put_begin(&near, 18);
    es_put_end(&near);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    assert_int_equal(es_link_next(&far, &f), ES_LINK_FRAME);
    assert_int_equal(f.len, 0);
    assert_true(es_get_done(&f));
    es_frame_fini(&f);
}

static void test_byte_by_byte(void **state)
{
    uint8_t stream[256];
    struct es_frame f = {0};
    (void)state;

    set_time_out(&far, 1);
    put_secret(&near, 1);
    size_t len = stream_of(&near, stream, sizeof stream);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(es_link_next(&far, &f), ES_LINK_QUIET);
        assert_null(f.data);
        assert_int_equal(send(near.fd, stream + i, 1, 0), 1);
    }
    assert_secret(&far, 1);
    assert_int_equal(es_link_next(&far, &f), ES_LINK_QUIET);
}

/* What came with the first is there when the socket is not. */
static void test_many_in_one_packet(void **state)
{
    struct es_frame f = {0};
    (void)state;

    for (uint16_t i = 0; i < 90; i++)
        put_secret(&near, i);
    assert_true(near.out_len < ES_LINK_IN);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    hang_up(&near);
    for (uint16_t i = 0; i < 90; i++) {
        assert_secret(&far, i);
        assert_true(es_link_pending(&far));
    }
    assert_int_equal(es_link_next(&far, &f), ES_LINK_CLOSED);
}

static uint8_t *pattern(size_t len)
{
    uint8_t *data = malloc(len ? len : 1);

    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
    return data;
}

/* Lengths around that of the buffer, one behind the other. */
static void test_larger_than_the_buffer(void **state)
{
    static const size_t lengths[] = {4083, 4084, 4085, 4087, 4088, 4089, 4096, 8192, 0, 9000, 1, 70000};
    struct es_frame f = {0};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        uint8_t *data = pattern(lengths[i]);
        es_put_begin(&near, 1);
        es_put_bytes(&near, (esp_bytes){data, lengths[i]});
        es_put_end(&near);
        free(data);
    }
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        uint8_t *data = pattern(lengths[i]);
        assert_int_equal(es_link_next(&far, &f), ES_LINK_FRAME);
        esp_bytes got = es_get_bytes(&f);
        assert_int_equal(got.len, lengths[i]);
        assert_true(!got.len || memcmp(got.ptr, data, got.len) == 0);
        assert_true(es_get_done(&f));
        es_frame_fini(&f);
        free(data);
    }
}

/* ---- the ceiling ---- */

static void *flush(void *link)
{
    return es_link_flush(link) == ES_LINK_OK ? link : NULL;
}

static void put_of_length(struct es_link *l, size_t payload)
{
    uint8_t *data = malloc(payload - 4);

    assert_non_null(data);
    memset(data, 'x', payload - 4);
    es_put_begin(l, 1);
    es_put_bytes(l, (esp_bytes){data, payload - 4});
    es_put_end(l);
    free(data);
}

static void test_the_largest_frame(void **state)
{
    struct es_frame f = {0};
    pthread_t writer;
    void *sent;
    (void)state;

    put_of_length(&near, ES_FRAME_MAX);
    assert_false(near.failed);
    assert_int_equal(pthread_create(&writer, NULL, flush, &near), 0);
    assert_int_equal(es_link_next(&far, &f), ES_LINK_FRAME);
    pthread_join(writer, &sent);
    assert_non_null(sent);
    assert_int_equal(f.len, ES_FRAME_MAX);
    esp_bytes got = es_get_bytes(&f);
    assert_int_equal(got.len, ES_FRAME_MAX - 4);
    assert_int_equal(got.ptr[got.len - 1], 'x');
    es_frame_fini(&f);
    assert_null(near.out); /* what a large frame took is given back */
}

static void assert_nothing_left(void)
{
    const uint8_t byte = 1;
    uint8_t got = 0;

    assert_int_equal(near.out_len, 0);
    assert_int_equal(send(near.fd, &byte, 1, 0), 1);
    assert_int_equal(recv(far.fd, &got, 1, 0), 1); /* the first that arrives */
    assert_int_equal(got, 1);
}

static void test_a_put_that_fails_is_remembered(void **state)
{
    (void)state;
    put_secret(&near, 1);
    put_of_length(&near, ES_FRAME_MAX + 1);
    assert_true(near.failed);
    put_secret(&near, 2);
    assert_int_equal(es_link_flush(&near), ES_LINK_NOMEM);
    assert_false(near.failed);
    assert_nothing_left();

    es_put_begin(&near, 1);
    es_put_bytes(&near, (esp_bytes){(const uint8_t *)SECRET, ES_FRAME_MAX + 1}); /* is not looked at */
    es_put_end(&near);
    assert_int_equal(es_link_flush(&near), ES_LINK_NOMEM);
    es_put_begin(&near, 1);
    es_put_pairs(&near, NULL, ES_FRAME_MAX + 1);
    es_put_end(&near);
    assert_int_equal(es_link_flush(&near), ES_LINK_NOMEM);
    assert_nothing_left();

    put_secret(&near, 3);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    assert_secret(&far, 3);
}

static void test_what_was_put_is_taken_back(void **state)
{
    (void)state;
    put_secret(&near, 1);
    put_secret(&near, 2);
    es_put_forget(&near);
    assert_null(memmem(near.out, near.out_cap, SECRET, strlen(SECRET)));
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    assert_nothing_left();
    put_secret(&near, 3);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    assert_secret(&far, 3);
}

/* It promises more than there may be: nothing is allocated, nothing is read. */
static void test_above_the_ceiling_is_no_frame(void **state)
{
    static const uint32_t lengths[] = {ES_FRAME_MAX + 1, INT32_MAX, UINT32_MAX};
    struct es_frame f = {0};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        uint8_t header[8] = {0};
        renew();
        memcpy(header, &lengths[i], sizeof lengths[i]);
        assert_int_equal(send(near.fd, header, sizeof header, 0), sizeof header);
        assert_int_equal(es_link_next(&far, &f), ES_LINK_BROKEN);
        assert_int_equal(es_link_next(&far, &f), ES_LINK_BROKEN);
        assert_null(far.half.data);
    }
}

/* ---- the other side goes away ---- */

static void test_closed_at_every_point(void **state)
{
    uint8_t stream[256];
    (void)state;

    put_secret(&near, 0);
    put_secret(&near, 1);
    size_t len = stream_of(&near, stream, sizeof stream);
    for (size_t cut = 0; cut <= len; cut++) {
        struct es_frame f = {0};
        renew();
        assert_int_equal(send(near.fd, stream, cut, 0), cut);
        hang_up(&near);
        for (uint16_t i = 0; i < cut / (len / 2); i++)
            assert_secret(&far, i);
        assert_int_equal(es_link_next(&far, &f), ES_LINK_CLOSED);
        assert_int_equal(es_link_next(&far, &f), ES_LINK_CLOSED);
        assert_null(f.data);
    }
}

static void test_writing_to_nobody(void **state)
{
    (void)state;
    hang_up(&far);
    put_secret(&near, 1);
    assert_int_equal(es_link_flush(&near), ES_LINK_CLOSED); /* and no signal */
    assert_int_equal(near.out_len, 0);
    assert_null(memmem(near.out, near.out_cap, SECRET, strlen(SECRET)));
}

static void test_fini(void **state)
{
    struct es_link none;
    int fd = near.fd;
    (void)state;

    es_link_init(&none, -1);
    put_secret(&none, 1);
    es_link_fini(&none);
    es_link_fini(&near);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
    es_link_fini(&near); /* twice is fine */
}

/* ---- time ---- */

static void nap(void)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    nanosleep(&ms, NULL);
}

static void *read_all(void *ret_frame)
{
    return es_link_next(&far, ret_frame) == ES_LINK_FRAME ? ret_frame : NULL;
}

/* Nobody reads for a while, then somebody does: all arrives, in order. */
static void test_writing_goes_on_after_quiet(void **state)
{
    const size_t len = (size_t)2 << 20;
    uint8_t *data = pattern(len);
    struct es_frame f = {0};
    enum es_link_result result;
    pthread_t reader;
    void *got;
    (void)state;

    set_time_out(&near, 2);
    es_put_begin(&near, 1);
    es_put_bytes(&near, (esp_bytes){data, len});
    es_put_end(&near);
    assert_int_equal(es_link_flush(&near), ES_LINK_QUIET);
    assert_true(near.out_len < len); /* what went out is not kept */
    assert_int_equal(es_link_flush(&near), ES_LINK_QUIET);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &f), 0);
    while ((result = es_link_flush(&near)) == ES_LINK_QUIET)
        ;
    assert_int_equal(result, ES_LINK_OK);
    pthread_join(reader, &got);
    assert_non_null(got);
    esp_bytes arrived = es_get_bytes(&f);
    assert_int_equal(arrived.len, len);
    assert_memory_equal(arrived.ptr, data, len);
    es_frame_fini(&f);
    free(data);
}

struct trickle {
    const uint8_t *data;
    size_t len;
};

static void *send_slowly(void *trickle)
{
    const struct trickle *t = trickle;

    for (size_t i = 0; i < t->len; i++, nap())
        if (send(near.fd, t->data + i, 1, 0) != 1)
            return NULL;
    return trickle;
}

/* Bytes that keep coming, one at a time, hold nobody: there is a look at the clock
 * between them. */
static void test_a_trickle_holds_no_reader(void **state)
{
    uint8_t stream[256];
    struct es_frame f = {0};
    enum es_link_result result;
    size_t quiet = 0;
    pthread_t writer;
    void *sent;
    (void)state;

    set_time_out(&far, 20);
    put_of_length(&near, 204);
    struct trickle t = {stream, stream_of(&near, stream, sizeof stream)};
    assert_int_equal(pthread_create(&writer, NULL, send_slowly, &t), 0);
    while ((result = es_link_next(&far, &f)) == ES_LINK_QUIET)
        quiet++;
    assert_int_equal(result, ES_LINK_FRAME);
    pthread_join(writer, &sent);
    assert_non_null(sent);
    assert_true(quiet >= 3); /* in more than 200 ms */
    assert_int_equal(f.len, 204);
    es_frame_fini(&f);
}

static void *read_slowly(void *total)
{
    uint8_t some[8192];
    size_t left = *(size_t *)total;

    while (left) {
        ssize_t n = recv(far.fd, some, sizeof some, 0);
        if (n <= 0)
            return NULL;
        left -= (size_t)n;
        nap();
    }
    return total;
}

static void test_a_trickle_holds_no_writer(void **state)
{
    size_t len = (size_t)2 << 20, quiet = 0, total;
    enum es_link_result result;
    pthread_t reader;
    void *got;
    (void)state;

    set_time_out(&near, 20);
    put_of_length(&near, len);
    total = near.out_len;
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &total), 0);
    while ((result = es_link_flush(&near)) == ES_LINK_QUIET)
        quiet++;
    assert_int_equal(result, ES_LINK_OK);
    pthread_join(reader, &got);
    assert_non_null(got);
    assert_true(quiet >= 3); /* in more than 200 ms */
}

static void test_pending(void **state)
{
    (void)state;
    assert_false(es_link_pending(&far));
    put_secret(&near, 1);
    put_secret(&near, 2);
    uint8_t stream[256];
    size_t len = stream_of(&near, stream, sizeof stream);
    struct es_frame f = {0};
    set_time_out(&far, 1);
    assert_int_equal(send(near.fd, stream, len / 2 + 3, 0), len / 2 + 3);
    assert_true(es_link_pending(&far)); /* in the socket */
    assert_secret(&far, 1);
    assert_true(es_link_pending(&far)); /* in the buffer */
    assert_int_equal(es_link_next(&far, &f), ES_LINK_QUIET);
    assert_true(es_link_pending(&far)); /* half a header */
    assert_int_equal(send(near.fd, stream + len / 2 + 3, len - len / 2 - 3, 0), len - len / 2 - 3);
    assert_secret(&far, 2);
    assert_false(es_link_pending(&far));
    hang_up(&near);
    assert_true(es_link_pending(&far)); /* an end is news, too */
}

/* ---- nothing stays behind ---- */

static bool holds_secret(const void *data, size_t len)
{
    return len && memmem(data, len, SECRET, strlen(SECRET));
}

static void test_reading_wipes(void **state)
{
    struct es_frame f = {0};
    (void)state;

    memset(far.in, 0, sizeof far.in);
    put_secret(&near, 1);
    put_secret(&near, 2);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    assert_int_equal(es_link_next(&far, &f), ES_LINK_FRAME);
    assert_true(holds_secret(f.data, f.len));
    assert_true(holds_secret(far.in, sizeof far.in)); /* the second one */
    assert_secret(&far, 2);
    assert_false(holds_secret(far.in, sizeof far.in));
    es_frame_fini(&f);
    assert_int_equal(freed_with_secret, 0);
}

/* A link that ends with bytes in its buffer, half a frame and something to send. */
static void test_ending_wipes(void **state)
{
    uint8_t stream[256];
    struct es_frame f = {0};
    (void)state;

    memset(far.in, 0, sizeof far.in);
    set_time_out(&far, 1);
    put_secret(&near, 1);
    size_t len = stream_of(&near, stream, sizeof stream);
    stream[0]++; /* a byte more is promised than comes */
    assert_int_equal(send(near.fd, stream, len, 0), len);
    assert_int_equal(es_link_next(&far, &f), ES_LINK_QUIET);
    assert_true(holds_secret(far.half.data, far.half_len));
    put_secret(&far, 1);
    memcpy(far.in, SECRET, strlen(SECRET));
    es_link_fini(&far);
    assert_false(holds_secret(far.in, sizeof far.in));
    assert_int_equal(freed_with_secret, 0);
}

/* While `out` grows it moves; what was sent is wiped, also the part that was sent. */
static void test_writing_wipes(void **state)
{
    (void)state;
    set_time_out(&near, 2);
    for (int i = 0; i < 20000; i++)
        put_secret(&near, 1);
    assert_int_equal(freed_with_secret, 0);
    size_t before = near.out_len;
    assert_int_equal(es_link_flush(&near), ES_LINK_QUIET);
    assert_true(near.out_len < before);
    assert_true(holds_secret(near.out, near.out_len));
    assert_false(holds_secret(near.out + near.out_len, before - near.out_len));
    hang_up(&far);
    assert_int_equal(es_link_flush(&near), ES_LINK_CLOSED);
    assert_int_equal(freed_with_secret, 0);
}

static void test_small_writes_keep_their_buffer_clean(void **state)
{
    (void)state;
    put_secret(&near, 1);
    assert_int_equal(es_link_flush(&near), ES_LINK_OK);
    assert_non_null(near.out);
    assert_false(holds_secret(near.out, near.out_cap));
    assert_secret(&far, 1);
}

/* ---- fields ---- */

static void test_a_missing_field_is_zero_and_so_are_all_behind_it(void **state)
{
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7};
    struct es_frame f = exact_frame(1, data, sizeof data);
    (void)state;

    assert_int_not_equal(es_get_u32(&f), 0);
    assert_false(f.bad);
    assert_int_equal(es_get_u64(&f), 0);
    assert_true(f.bad);
    assert_int_equal(es_get_u32(&f), 0); /* though three bytes are left, and ... */
    f.at = 0;
    assert_int_equal(es_get_u32(&f), 0); /* ... though four are */
    assert_null(es_get_bytes(&f).ptr);
    assert_int_equal(es_get_count(&f, 1, 10), 0);
    f.at = f.len;
    assert_false(es_get_done(&f));
    es_frame_fini(&f);
}

static void test_lengths_are_held_against_the_frame(void **state)
{
    static const uint32_t lengths[] = {4, 5, INT32_MAX, UINT32_MAX};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        uint8_t data[8] = {0};
        memcpy(data, &lengths[i], 4);
        struct es_frame f = exact_frame(1, data, sizeof data);
        assert_int_equal(es_get_bytes(&f).len, lengths[i] == 4 ? 4 : 0);
        assert_int_equal(es_get_done(&f), lengths[i] == 4);
        es_frame_fini(&f);
    }
}

static void test_counts_are_held_against_the_frame(void **state)
{
    static const struct {
        uint32_t count;
        size_t each, max, want;
    } cases[] = {{2, 4, 2, 2},
                 {2, 4, 1, 0},
                 {2, 5, 9, 0},
                 {3, 4, 9, 0},
                 {0, 4, 0, 0},
                 {UINT32_MAX, 1, SIZE_MAX, 0},
                 {UINT32_MAX, SIZE_MAX, SIZE_MAX, 0},
                 {8, 1, 8, 8}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t data[12] = {0};
        memcpy(data, &cases[i].count, 4);
        struct es_frame f = exact_frame(1, data, sizeof data);
        assert_int_equal(es_get_count(&f, cases[i].each, cases[i].max), cases[i].want);
        assert_int_equal(f.bad, cases[i].want != cases[i].count);
        es_frame_fini(&f);
    }
}

static void test_nothing_may_stand_behind_the_last_field(void **state)
{
    const uint8_t data[5] = {0};
    struct es_frame f = exact_frame(1, data, sizeof data);
    (void)state;

    es_get_u32(&f);
    assert_false(f.bad);
    assert_false(es_get_done(&f));
    assert_true(f.bad);
    es_frame_fini(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_frame_arrives_as_it_was),
        TEST(test_an_empty_frame),
        TEST(test_byte_by_byte),
        TEST(test_many_in_one_packet),
        TEST(test_larger_than_the_buffer),
        TEST(test_the_largest_frame),
        TEST(test_a_put_that_fails_is_remembered),
        TEST(test_what_was_put_is_taken_back),
        TEST(test_above_the_ceiling_is_no_frame),
        TEST(test_closed_at_every_point),
        TEST(test_writing_to_nobody),
        TEST(test_fini),
        TEST(test_writing_goes_on_after_quiet),
        TEST(test_a_trickle_holds_no_reader),
        TEST(test_a_trickle_holds_no_writer),
        TEST(test_pending),
        TEST(test_reading_wipes),
        TEST(test_ending_wipes),
        TEST(test_writing_wipes),
        TEST(test_small_writes_keep_their_buffer_clean),
        TEST(test_a_missing_field_is_zero_and_so_are_all_behind_it),
        TEST(test_lengths_are_held_against_the_frame),
        TEST(test_counts_are_held_against_the_frame),
        TEST(test_nothing_may_stand_behind_the_last_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
