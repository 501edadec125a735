/* Texts that look alike, packed: each comes back by itself, whatever was learned
 * before and after it, and takes little. */
#include "cluster_test.h"

#include <pthread.h>

#include "core/cluster/pack.h"
#include "usual.h"

static void assert_comes_back(struct es_pack *p, const char *packed, size_t packed_len, const char *text,
                              size_t len)
{
    char *have = malloc(len);

    assert_non_null(have);
    assert_int_equal(es_pack_out(p, packed, packed_len, have, len), 0);
    assert_memory_equal(have, text, len);
    free(have);
}

static void test_a_usual_object_takes_a_tenth(void **state)
{
    enum { COUNT = 1000 };
    struct es_pack *p = es_pack_new();
    char text[2048], packed[2048];
    size_t all = 0, all_packed = 0;
    (void)state;

    assert_non_null(p);
    for (unsigned n = 0; n < COUNT; n++) {
        size_t len = usual(text, sizeof text, n);
        size_t got = es_pack_in(p, text, len, packed);
        assert_in_range(got, 1, len - 1);
        assert_comes_back(p, packed, got, text, len);
        all += len;
        all_packed += got;
    }
    if (all_packed * 10 > all)
        fail_msg("%zu of %zu bytes", all_packed / COUNT, all / COUNT);
    es_pack_free(p);
}

struct kept {
    char *text, *packed;
    size_t len, packed_len;
};

/* Members in any number, so that no sample fits well. */
static void make_odd(struct kept *k, unsigned n, unsigned *seed)
{
    size_t size = 60 + (size_t)(rand_r(seed) % 3000);

    k->text = malloc(size + 64);
    k->packed = malloc(size + 64);
    assert_true(k->text && k->packed);
    while (k->len < size)
        k->len += (size_t)snprintf(k->text + k->len, 64, "{\"n%u\":%d,\"%c\":\"%08x\"}", n,
                                   rand_r(seed) % 100, 'a' + rand_r(seed) % 26, (unsigned)rand_r(seed));
}

/* What is learned later must not change how earlier ones are read. */
static void test_the_sample_grows_and_all_stay_readable(void **state)
{
    enum { COUNT = 400 };
    struct es_pack *p = es_pack_new();
    struct kept kept[COUNT] = {0};
    unsigned seed = 5;
    (void)state;

    assert_non_null(p);
    for (unsigned n = 0; n < COUNT; n++) {
        make_odd(&kept[n], n, &seed);
        kept[n].packed_len = es_pack_in(p, kept[n].text, kept[n].len, kept[n].packed);
    }
    for (unsigned n = 0; n < COUNT; n++) {
        if (kept[n].packed_len)
            assert_comes_back(p, kept[n].packed, kept[n].packed_len, kept[n].text, kept[n].len);
        free(kept[n].text);
        free(kept[n].packed);
    }
    es_pack_free(p);
}

/* The first ones of a cluster have no status yet. It is learned as well. */
static void test_a_new_form_is_learned(void **state)
{
    struct es_pack *p = es_pack_new();
    char text[2048], packed[2048];
    size_t len = 0, got = 0;
    (void)state;

    assert_non_null(p);
    for (unsigned n = 0; n < 100; n++) {
        len = (size_t)snprintf(text, sizeof text,
                               "{\"metadata\":{\"name\":\"app-%u\"},\"spec\":{\"a\":\"%u\"}}", n, n);
        es_pack_in(p, text, len, packed);
    }
    for (unsigned n = 0; n < 100; n++) {
        len = usual(text, sizeof text, n);
        got = es_pack_in(p, text, len, packed);
        assert_comes_back(p, packed, got, text, len);
    }
    assert_in_range(got, 1, len / 8);
    es_pack_free(p);
}

static void test_sizes_from_nothing_to_a_mebibyte(void **state)
{
    struct es_pack *p = es_pack_new();
    (void)state;

    assert_non_null(p);
    for (size_t len = 0; len <= 1 << 20; len = len < 70 ? len + 1 : len * 3 / 2) {
        char *text = malloc(len + 1), *packed = malloc(len + 1);
        assert_true(text && packed);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + (i * i / 7 + i / 300) % 23);
        size_t got = es_pack_in(p, text, len, packed);
        assert_true(got < len || (!got && !len));
        if (got)
            assert_comes_back(p, packed, got, text, len);
        free(text);
        free(packed);
    }
    es_pack_free(p);
}

static void test_what_does_not_get_smaller_is_left_alone(void **state)
{
    struct es_pack *p = es_pack_new();
    char text[64], packed[64];
    unsigned seed = 3;
    (void)state;

    assert_non_null(p);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)rand_r(&seed);
    assert_int_equal(es_pack_in(p, text, 20, packed), 0);
    assert_int_equal(es_pack_in(p, "{}", 2, packed), 0);
    es_pack_free(p);
}

static void test_what_is_no_pack_is_refused(void **state)
{
    struct es_pack *p = es_pack_new();
    char text[2048], packed[2048], out[2048];
    (void)state;

    assert_non_null(p);
    size_t len = usual(text, sizeof text, 1), got = es_pack_in(p, text, len, packed);
    assert_int_equal(es_pack_out(p, packed, got, out, len - 1), ES_E_INVALID);
    assert_int_equal(es_pack_out(p, packed, got, out, len + 1), ES_E_INVALID);
    assert_int_equal(es_pack_out(p, packed, got - 1, out, len), ES_E_INVALID);
    assert_int_equal(es_pack_out(p, "nonsense", 8, out, len), ES_E_INVALID);
    assert_comes_back(p, packed, got, text, len);
    es_pack_free(p);
    es_pack_free(NULL);
}

static void *pack_much(void *ctx)
{
    char text[2048], packed[2048], back[2048];

    for (unsigned n = 0; n < 500; n++) {
        size_t len = usual(text, sizeof text, n), got = es_pack_in(ctx, text, len, packed);
        if (!got || es_pack_out(ctx, packed, got, back, len) < 0 || memcmp(text, back, len) != 0)
            return ctx;
    }
    return NULL;
}

static void test_threads_share_a_pack(void **state)
{
    struct es_pack *p = es_pack_new();
    pthread_t threads[4];
    void *bad = NULL;
    (void)state;

    assert_non_null(p);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pack_much, p), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    es_pack_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_usual_object_takes_a_tenth),
        cmocka_unit_test(test_the_sample_grows_and_all_stay_readable),
        cmocka_unit_test(test_a_new_form_is_learned),
        cmocka_unit_test(test_sizes_from_nothing_to_a_mebibyte),
        cmocka_unit_test(test_what_does_not_get_smaller_is_left_alone),
        cmocka_unit_test(test_what_is_no_pack_is_refused),
        cmocka_unit_test(test_threads_share_a_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
