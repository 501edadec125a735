#include "tests/unit/base/base_test.h"

#include <stdio.h>

#include "core/base/map.h"

static void test_put_get_remove(void **state)
{
    struct es_map m = {0};
    int one = 1, two = 2;
    void *old = &m;
    (void)state;

    assert_null(es_map_get(&m, "a"));
    assert_null(es_map_remove(&m, "a"));
    assert_int_equal(es_map_put(&m, "a", &one, &old), 0);
    assert_null(old);
    char again[] = "a";
    assert_int_equal(es_map_put(&m, again, &two, &old), 0);
    assert_ptr_equal(old, &one);
    assert_int_equal(m.count, 1);
    assert_ptr_equal(es_map_get(&m, "a"), &two);
    assert_ptr_equal(es_map_remove(&m, "a"), &two);
    assert_null(es_map_get(&m, "a"));
    assert_int_equal(m.count, 0);
    es_map_fini(&m);
    es_map_fini(&m);
}

/* A long random life beside a plain array of flags. */
static void test_against_a_model(void **state)
{
    enum { KEYS = 3000, ROUNDS = 200000 };
    static char keys[KEYS][16];
    static bool present[KEYS];
    struct es_map m = {0};
    uint32_t random = 1;
    size_t count = 0;
    (void)state;

    for (int i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "ns/%d", i);
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        size_t k = (random >> 8) % KEYS;
        bool put = (random >> 4 & 3) != 0 && (i / 20000) % 2 == 0;
        if (put) {
            void *old = NULL;
            assert_int_equal(es_map_put(&m, keys[k], keys[k], &old), 0);
            assert_int_equal(old != NULL, present[k]);
        } else {
            assert_int_equal(es_map_remove(&m, keys[k]) != NULL, present[k]);
        }
        count = count + (put && !present[k]) - (!put && present[k]);
        present[k] = put;
        assert_int_equal(m.count, count);
    }
    size_t seen = 0;
    size_t pos = 0;
    for (const char *key; (key = es_map_next(&m, &pos)); seen++)
        assert_true(present[(size_t)(key - keys[0]) / sizeof keys[0]]);
    assert_int_equal(seen, count);
    for (int i = 0; i < KEYS; i++)
        assert_ptr_equal(es_map_get(&m, keys[i]), present[i] ? keys[i] : NULL);
    es_map_fini(&m);
}

static void test_hash_spreads(void **state)
{
    char key[64] = {0};
    uint64_t seen[64];
    (void)state;

    /* Each length of zeroes has its own hash, and the same again. */
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        seen[i] = es_hash64(key, i);
        assert_true(seen[i] == es_hash64(key, i));
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
