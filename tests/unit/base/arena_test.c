#include "tests/unit/base/base_test.h"

#include "core/base/arena.h"

static void test_places_are_zeroed_aligned_and_apart(void **state)
{
    struct es_arena a;
    unsigned char *places[200];
    (void)state;

    es_arena_init(&a, 0);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        size_t size = i * 7 % 97 + 1;
        places[i] = es_arena_alloc(&a, size);
        assert_non_null(places[i]);
        assert_int_equal((uintptr_t)places[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(places[i][k], 0);
        memset(places[i], (int)i, size);
    }
    for (size_t i = 0; i < COUNT_OF(places); i++)
        assert_int_equal(places[i][i * 7 % 97], (unsigned char)i);
    es_arena_fini(&a);
}

static void test_large_ones_get_a_block_of_their_own(void **state)
{
    struct es_arena a;
    (void)state;

    es_arena_init(&a, 1 << 20);
    char *small = es_arena_dup(&a, "small", 5);
    char *large = es_arena_alloc(&a, 100000);
    assert_non_null(large);
    memset(large, 'x', 100000);
    assert_string_equal(small, "small");
    assert_string_equal(es_arena_dup(&a, "a\0b", 3), "a");
    es_arena_fini(&a);
}

static void test_ceiling_counts_what_was_asked_for(void **state)
{
    struct es_arena a;
    (void)state;

    es_arena_init(&a, 100);
    assert_null(es_arena_alloc(&a, 101));
    assert_non_null(es_arena_alloc(&a, 60));
    assert_null(es_arena_alloc(&a, 41));
    assert_non_null(es_arena_alloc(&a, 40));
    assert_int_equal(a.used, 100);
    assert_null(es_arena_dup(&a, "", 0));
    assert_null(es_arena_dup(&a, "", SIZE_MAX));
    es_arena_fini(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(es_arena_alloc(&a, 100)); /* usable again, ceiling kept */
    es_arena_fini(&a);
}

static void test_zeroes_are_an_empty_arena(void **state)
{
    struct es_arena a = {0};
    (void)state;

    es_arena_fini(&a);
    assert_non_null(es_arena_alloc(&a, 1));
    assert_null(es_arena_alloc(&a, SIZE_MAX));
    es_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_large_ones_get_a_block_of_their_own),
        cmocka_unit_test(test_ceiling_counts_what_was_asked_for),
        cmocka_unit_test(test_zeroes_are_an_empty_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
