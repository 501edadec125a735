#include "tests/unit/base/base_test.h"

#include "core/base/error.h"
#include "core/base/values.h"

static void check(const struct es_values *v, const char *const *keys, size_t count)
{
    assert_int_equal(v->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(v->items[i].key, keys[i]);
}

static void test_blobs(void **state)
{
    struct es_blob a = {0}, b = {0}, none = {0};
    (void)state;

    assert_int_equal(es_blob_set(&a, "x\0y", 3), 0);
    assert_int_equal(a.ptr[3], 0);
    assert_int_equal(es_blob_set(&b, "x\0y", 3), 0);
    assert_true(es_blob_equal(&a, &b));
    assert_int_equal(es_blob_set(&b, "x\0z", 3), 0);
    assert_false(es_blob_equal(&a, &b));
    assert_int_equal(es_blob_set(&b, NULL, 0), 0);
    assert_true(es_blob_equal(&b, &none));
    assert_false(es_blob_equal(&a, &none));
    es_blob_fini(&a);
    es_blob_fini(&a);
    es_blob_fini(&b);
}

static void test_kept_sorted_and_unique(void **state)
{
    static const char *const in[] = {"m", "b", "z", "", "b", "B", "ba", "a"};
    static const char *const want[] = {"", "B", "a", "b", "ba", "m", "z"};
    struct es_values v = {0};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(in); i++)
        assert_int_equal(es_values_set(&v, in[i], &i, sizeof i), 0);
    check(&v, want, COUNT_OF(want));
    size_t at = 0;
    memcpy(&at, es_values_get(&v, "b")->ptr, sizeof at);
    assert_int_equal(at, 4); /* the later one */
    assert_null(es_values_get(&v, "c"));
    es_values_remove(&v, "");
    es_values_remove(&v, "m");
    es_values_remove(&v, "nothing");
    static const char *const left[] = {"B", "a", "b", "ba", "z"};
    check(&v, left, COUNT_OF(left));
    es_values_fini(&v);
    es_values_fini(&v);
}

static void test_many(void **state)
{
    struct es_values v = {0};
    char key[2] = {0};
    (void)state;

    for (int i = 255; i > 0; i--) {
        key[0] = (char)i;
        assert_int_equal(es_values_set(&v, key, key, 1), 0);
    }
    for (int i = 1; i < 256; i++)
        assert_int_equal((unsigned char)v.items[i - 1].key[0], i); /* bytes are unsigned */
    es_values_fini(&v);
}

static void test_move_empties(void **state)
{
    struct es_values v = {0};
    struct es_blob b = {0};
    (void)state;

    assert_int_equal(es_blob_set(&b, "abc", 3), 0);
    const unsigned char *place = b.ptr;
    assert_int_equal(es_values_move(&v, "k", &b), 0);
    assert_null(b.ptr);
    assert_int_equal(b.len, 0);
    assert_ptr_equal(es_values_get(&v, "k")->ptr, place);
    es_values_fini(&v);
}

static void test_merge_overwrites(void **state)
{
    static const char *const want[] = {"a", "b", "c"};
    struct es_values into = {0}, from = {0};
    (void)state;

    es_values_set(&into, "a", "1", 1);
    es_values_set(&into, "b", "2", 1);
    es_values_set(&from, "b", "3", 1);
    es_values_set(&from, "c", "4", 1);
    assert_int_equal(es_values_merge(&into, &from), 0);
    check(&into, want, 3);
    assert_string_equal((char *)es_values_get(&into, "b")->ptr, "3");
    assert_int_equal(from.count, 0);
    assert_int_equal(es_values_merge(&into, &from), 0);
    check(&into, want, 3);
    es_values_fini(&into);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_kept_sorted_and_unique),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_move_empties),
        cmocka_unit_test(test_merge_overwrites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
