/* The index: terms that one object has and terms that all have. */
#include "cluster_test.h"

#include "core/cluster/index.h"

#define ALLOC_COUNTS_BYTES
#include "tests/unit/failing_alloc.h"

static size_t owners_of(const struct es_index *x, uint64_t term)
{
    size_t n = 0;
    for (const struct es_link *l = es_index_first(x, term); l; l = l->next)
        n++;
    return n;
}

static uint64_t numbered_term(const char *what, size_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s:%zu", what, n);
    return es_term_of(text);
}

static void test_terms_are_told_apart(void **state)
{
    struct es_index x = {0};
    struct es_link a, b, c;
    uint64_t store = es_term_of("store:ns/a"), target = es_term_of("target:ns/a");
    (void)state;

    assert_null(es_index_first(&x, store));
    assert_int_equal(es_index_add(&x, &a, store, 0), 0);
    assert_int_equal(es_index_add(&x, &b, target, 1), 0);
    assert_int_equal(es_index_add(&x, &c, store, 63), 0);
    assert_int_equal(owners_of(&x, store), 2);
    assert_ptr_equal(es_index_first(&x, target), &b);
    assert_int_equal(es_link_ordinal(&a), 0);
    assert_int_equal(es_link_ordinal(&b), 1);
    assert_int_equal(es_link_ordinal(&c), 63);
    es_index_remove(&x, &c);
    assert_ptr_equal(es_index_first(&x, store), &a);
    es_index_remove(&x, &a);
    assert_null(es_index_first(&x, store));
    assert_int_equal(x.count, 1);
    es_index_fini(&x);
}

/* From the head, the middle and the end of what shares a term. */
static void test_a_shared_term_loses_any_of_its_links(void **state)
{
    struct es_index x = {0};
    struct es_link links[3];
    uint64_t term = es_term_of("store");
    (void)state;

    for (size_t first = 0; first < 3; first++) {
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(es_index_add(&x, &links[i], term, 0), 0);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(owners_of(&x, term), 3 - i);
            es_index_remove(&x, &links[(first + i) % 3]);
        }
        assert_null(es_index_first(&x, term));
        assert_int_equal(x.count, 0);
    }
    es_index_fini(&x);
}

/* Of an open table: removing moves neighbours, and none may get lost. */
static void test_a_thousand_terms_come_and_go(void **state)
{
    enum { N = 1000, ROUNDS = 30000 };
    struct es_index x = {0};
    struct es_link links[N];
    bool there[N] = {false};
    unsigned seed = 11;
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        size_t i = (size_t)(rand_r(&seed) % N);
        if (there[i])
            es_index_remove(&x, &links[i]);
        else
            assert_int_equal(es_index_add(&x, &links[i], numbered_term("t", i / 2), 0), 0);
        there[i] = !there[i];
    }
    for (size_t i = 0; i < N; i += 2)
        assert_int_equal(owners_of(&x, numbered_term("t", i / 2)), (size_t)there[i] + there[i + 1]);
    es_index_fini(&x);
}

/* All ExternalSecrets of a cluster read from one store. Were each addition or
 * removal to walk past the others, this would not end in time. */
static void test_a_store_that_everybody_reads_from(void **state)
{
    enum { N = 300000 };
    struct es_index x = {0};
    struct es_link *links = malloc(N * sizeof *links);
    uint64_t store = es_term_of("store");
    (void)state;

    assert_non_null(links);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(es_index_add(&x, &links[i], store, 0), 0);
    assert_int_equal(owners_of(&x, store), N);
    for (size_t i = 0; i < N; i++)
        es_index_remove(&x, &links[(i * 7919) % N]);
    assert_null(es_index_first(&x, store));
    assert_true(x.cap <= 64);
    free(links);
    es_index_fini(&x);
}

static void test_without_memory_nothing_is_half_added(void **state)
{
    enum { N = 200 };
    struct es_index x = {0};
    struct es_link links[N];
    size_t done = 0, failures = 0;
    (void)state;

    while (done < N) {
        until_failure = 0; /* the table's next growth fails once */
        int rc = es_index_add(&x, &links[done], numbered_term("t", done), 0);
        until_failure = SIZE_MAX;
        if (rc < 0) {
            assert_int_equal(rc, ES_E_NOMEM);
            assert_int_equal(x.count, done);
            failures++;
            assert_int_equal(es_index_add(&x, &links[done], numbered_term("t", done), 0), 0);
        }
        done++;
    }
    assert_int_equal(failures, 4); /* at 64, 128, 256 and 512 places */
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(es_index_first(&x, numbered_term("t", i)), &links[i]);
    es_index_fini(&x);
    assert_int_equal(live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms_are_told_apart),
        cmocka_unit_test(test_a_shared_term_loses_any_of_its_links),
        cmocka_unit_test(test_a_thousand_terms_come_and_go),
        cmocka_unit_test(test_a_store_that_everybody_reads_from),
        cmocka_unit_test(test_without_memory_nothing_is_half_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
