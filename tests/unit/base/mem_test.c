#include "tests/unit/base/base_test.h"

#include <jansson.h>

#include "core/base/mem.h"

/* Linked with --wrap=free, to look at what is given back. */
void __real_free(void *ptr);
void __wrap_free(void *ptr);

static const unsigned char *watched;
static size_t watched_len;
static bool gone, wiped;

void __wrap_free(void *ptr)
{
    if (ptr && ptr == watched) {
        gone = wiped = true;
        for (size_t i = 0; i < watched_len; i++)
            wiped &= watched[i] == 0;
        watched = NULL;
    }
    __real_free(ptr);
}

static void watch(const void *ptr, size_t len)
{
    watched = ptr;
    watched_len = len;
    gone = wiped = false;
}

static void test_free_wipes(void **state)
{
    char *text = es_mem_strdup("planted-value");
    (void)state;

    assert_string_equal(text, "planted-value");
    watch(text, 13);
    es_mem_free(text);
    assert_true(gone && wiped);
    es_mem_free(NULL);
}

static void test_realloc_wipes_the_old_place(void **state)
{
    char *text = es_mem_alloc(16);
    (void)state;

    memcpy(text, "planted-value", 14);
    watch(text, 13);
    text = es_mem_realloc(text, 100000);
    assert_true(gone && wiped);
    assert_string_equal(text, "planted-value");
    char *same = es_mem_realloc(text, 99999);
    assert_ptr_equal(same, text);
    watch(text, 13);
    text = es_mem_realloc(text, 14); /* shrinking a lot gives memory back */
    assert_true(gone && wiped);
    assert_string_equal(text, "planted-value");
    es_mem_free(text);
    char *fresh = es_mem_realloc(NULL, 10);
    assert_non_null(fresh);
    es_mem_free(fresh);
}

static void test_calloc_zeroes_and_checks(void **state)
{
    unsigned char *p = es_mem_calloc(10, 10);
    (void)state;

    for (size_t i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    es_mem_free(p);
    p = es_mem_calloc(0, 0);
    assert_non_null(p);
    es_mem_free(p);
    p = es_mem_alloc(0);
    assert_non_null(p);
    es_mem_free(p);
}

static void test_jansson_wipes_too(void **state)
{
    (void)state;

    es_mem_init();
    json_t *secret = json_string("planted-value");
    watch(json_string_value(secret), 13);
    json_decref(secret);
    assert_true(gone && wiped);
}

static void test_products_are_checked(void **state)
{
    size_t r = 7;
    (void)state;

    assert_int_equal(es_size_mul(&r, 3, 4), 0);
    assert_int_equal(r, 12);
    assert_int_equal(es_size_mul(&r, SIZE_MAX, 2), -1);
    assert_int_equal(r, 12);
    assert_int_equal(es_size_mul(&r, SIZE_MAX, 0), 0);
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_wipes),
        cmocka_unit_test(test_realloc_wipes_the_old_place),
        cmocka_unit_test(test_calloc_zeroes_and_checks),
        cmocka_unit_test(test_jansson_wipes_too),
        cmocka_unit_test(test_products_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
