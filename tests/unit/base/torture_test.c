#include "tests/unit/base/base_test.h"

#include <jansson.h>

#include "core/base/arena.h"
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/metrics.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/base/yaml.h"

/* Linked with --wrap: every allocation of this room, and through es_mem_init
 * of jansson, comes by here. While armed, the n-th fails, alone or with all
 * that follow. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static long left = -1; /* allocations that still succeed; < 0: not armed */
static bool for_good, failed;

static bool fails(void)
{
    if (left < 0 || left-- > 0)
        return false;
    failed = true;
    left = for_good ? 0 : -1;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __real_realloc(ptr, size);
}

/* Runs `story` with each of its allocations failing in turn until none does.
 * The story returns whether it came through; if it did not, it must say so. */
static void torture(bool (*story)(void))
{
    assert_true(story());
    for (int mode = 0; mode < 2; mode++) {
        long n = 0;
        for (failed = true; failed; n++) {
            for_good = mode;
            failed = false;
            left = n;
            bool good = story();
            left = -1;
            if (failed && good && mode)
                fail_msg("came through without its allocation %ld", n);
            assert_true(good || failed);
        }
        assert_true(n > 2);
    }
}

static bool buf_story(void)
{
    struct es_buf b;

    es_buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        es_buf_addf(&b, "%d", i);
    bool good = !es_buf_failed(&b);
    char *text = es_buf_take(&b);
    assert_int_equal(good, text != NULL);
    es_mem_free(text);
    return good;
}

static bool values_story(void)
{
    static const char *const keys[] = {"a", "c", "b", "d", "e", "f", "h", "g", "i", "j"};
    struct es_values v = {0}, w = {0};
    bool good = true;

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        good &= es_values_set(i % 2 ? &v : &w, keys[i], "value", 5) == 0;
    good &= es_values_merge(&v, &w) == 0;
    for (size_t i = 1; i < v.count; i++)
        assert_true(strcmp(v.items[i - 1].key, v.items[i].key) < 0);
    good &= v.count == COUNT_OF(keys);
    es_values_fini(&v);
    es_values_fini(&w);
    return good;
}

static bool codec_story(void)
{
    struct es_blob b = {0};
    char *text = es_strf("%s", "Zm9vYmFy");
    int rc = text ? es_base64_decode(&b, ES_BASE64_STD, text, 8, NULL) : ES_E_NOMEM;
    char *copy = es_mem_strdup("x");
    bool good = rc == 0 && copy;

    assert_true(rc == 0 || rc == ES_E_NOMEM);
    es_mem_free(text);
    es_mem_free(copy);
    es_blob_fini(&b);
    return good;
}

static bool arena_story(void)
{
    struct es_arena a;
    bool good = true;

    es_arena_init(&a, 0);
    for (size_t i = 0; i < 10; i++)
        good &= es_arena_alloc(&a, 1000) != NULL;
    es_arena_fini(&a);
    return good;
}

static bool yaml_story(void)
{
    static const char text[] =
        "a: &x {k: [1, 2.5, yes, ~]}\nb: *x\nc: {<<: *x, <<: [*x, {z: 1}], d: !!binary aGk=}\n"
        "---\n- &y k\n- *y : [[[]]]\n- |\n  text\n";
    struct es_error err = ES_ERROR_INIT;
    struct es_yaml y = {0};
    struct es_buf out;
    int rc = es_yaml_parse(&y, "in", text, sizeof text - 1, &err);

    if (rc < 0) {
        assert_int_equal(rc, ES_E_NOMEM);
        assert_int_equal(y.count, 0);
        return false;
    }
    es_buf_init(&out, 10000);
    for (size_t i = 0; i < y.count; i++)
        es_yaml_write(&out, y.docs[i].root, true);
    bool good = !es_buf_failed(&out);
    es_buf_fini(&out);
    es_yaml_fini(&y);
    return good;
}

static bool regex_story(void)
{
    struct es_regex *re = NULL;
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;
    int rc = es_regex_new(&re, "(?i)(?P<n>[\\W\\dk]+)|(b|c{2,3})*?(\\pL)(1)(2)(3)(4)(5)", &err);

    if (rc < 0) {
        assert_null(re);
        assert_int_equal(rc, ES_E_NOMEM);
        return false;
    }
    es_buf_init(&out, 10000);
    rc = es_regex_replace_all(re, "kK1 \xFF\xFF b", 8, "<$n>", &out, &err);
    assert_true(rc == 0 || rc == ES_E_NOMEM || rc == ES_E_TOO_LARGE);
    es_buf_fini(&out);
    es_regex_free(re);
    return rc == 0;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static bool metrics_story(void)
{
    static const char *const labels[] = {"a"};
    static const double bounds[] = {1};
    struct es_metrics *m = es_metrics_new();
    struct es_metric *g = es_metrics_family(m, ES_GAUGE, "g", "G.", labels, 1, NULL, 0);
    struct es_metric *h = es_metrics_family(m, ES_HISTOGRAM, "h", "H.", labels, 1, bounds, 1);
    bool good = es_metrics_on_collect(m, nothing, NULL) == 0;
    char value[400];
    struct es_buf out;

    memset(value, 'x', sizeof value);
    for (size_t i = 0; i < 20; i++) {
        value[sizeof value - 1 - i] = '\0';
        es_metric_set(g, (const char *const[]){value}, 1);
        es_metric_observe(h, (const char *const[]){value + 300}, 1);
    }
    es_metric_forget(g, (const char *const[]){value}, 1);
    es_buf_init(&out, 100000);
    es_metrics_write(m, &out);
    size_t lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.ptr[i] == '\n';
    good &= !es_buf_failed(&out) && lines == 2 + 19 + 2 + 20 * 4;
    es_buf_fini(&out);
    es_metrics_free(m);
    return good;
}

static void test_each_allocation_fails_in_turn(void **state)
{
    static bool (*const stories[])(void) = {buf_story,  values_story, codec_story,  arena_story,
                                            yaml_story, regex_story,  metrics_story};
    (void)state;

    es_mem_init();
    for (size_t i = 0; i < COUNT_OF(stories); i++)
        torture(stories[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_in_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
