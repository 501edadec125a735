#include "tests/unit/base/base_test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "core/base/error.h"
#include "core/base/metrics.h"

#define TEXT_MAX ((size_t)64 << 20)
#define VALUES(...) ((const char *const[]){__VA_ARGS__})

static const char *const two_labels[] = {"name", "namespace"};
static const double bounds[] = {0.1, 1, 10};

static void assert_written(struct es_metrics *m, const char *want)
{
    struct es_buf out;
    es_buf_init(&out, TEXT_MAX);
    es_metrics_write(m, &out);
    assert_string_equal(es_buf_str(&out), want);
    es_buf_fini(&out);
}

static void test_text_format(void **state)
{
    struct es_metrics *m = es_metrics_new();
    struct es_metric *z =
        es_metrics_family(m, ES_COUNTER, "z_total", "Last.\nWith \\ and \".", two_labels, 2, NULL, 0);
    struct es_metric *a = es_metrics_family(m, ES_GAUGE, "a", "First.", NULL, 0, NULL, 0);
    struct es_metric *h = es_metrics_family(m, ES_HISTOGRAM, "h_seconds", "Times.", two_labels, 1, bounds, 3);
    (void)state;

    es_metrics_family(m, ES_GAUGE, "unused", "Never seen.", NULL, 0, NULL, 0);
    es_metric_add(z, VALUES("b", "x\"y\\z\n"), 2);
    es_metric_add(z, VALUES("b", "\xFF"), 1e21);
    es_metric_add(z, VALUES("a", "zzz"), 1);
    es_metric_add(z, VALUES("a", "zzz"), 0.5);
    es_metric_add(z, VALUES("a", NULL), 1e15);
    es_metric_set(a, NULL, 5);
    es_metric_set(a, NULL, -INFINITY);
    es_metric_observe(h, VALUES("q"), 0.1);
    es_metric_observe(h, VALUES("q"), 0.25);
    es_metric_observe(h, VALUES("q"), 100);
    assert_written(m, "# HELP a First.\n"
                      "# TYPE a gauge\n"
                      "a -Inf\n"
                      "# HELP h_seconds Times.\n"
                      "# TYPE h_seconds histogram\n"
                      "h_seconds_bucket{name=\"q\",le=\"0.1\"} 1\n"
                      "h_seconds_bucket{name=\"q\",le=\"1\"} 2\n"
                      "h_seconds_bucket{name=\"q\",le=\"10\"} 2\n"
                      "h_seconds_bucket{name=\"q\",le=\"+Inf\"} 3\n"
                      "h_seconds_sum{name=\"q\"} 100.35\n"
                      "h_seconds_count{name=\"q\"} 3\n"
                      "# HELP z_total Last.\\nWith \\\\ and \".\n"
                      "# TYPE z_total counter\n"
                      "z_total{name=\"a\",namespace=\"\"} 1000000000000000\n"
                      "z_total{name=\"a\",namespace=\"zzz\"} 1.5\n"
                      "z_total{name=\"b\",namespace=\"x\\\"y\\\\z\\n\"} 2\n"
                      "z_total{name=\"b\",namespace=\"\xEF\xBF\xBD\"} 1e+21\n");
    es_metrics_free(m);
}

static void test_histogram_without_labels(void **state)
{
    struct es_metrics *m = es_metrics_new();
    struct es_metric *h = es_metrics_family(m, ES_HISTOGRAM, "h", "H.", NULL, 0, bounds, 1);
    (void)state;

    es_metric_observe(h, NULL, NAN);
    es_metric_add(h, NULL, 1); /* not what histograms take */
    es_metric_set(h, NULL, 1);
    assert_written(m, "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 0\nh_bucket{le=\"+Inf\"} 1\n"
                      "h_sum NaN\nh_count 1\n");
    es_metrics_free(m);
}

static void test_same_name_is_the_same_family(void **state)
{
    struct es_metrics *m = es_metrics_new();
    struct es_metric *a = es_metrics_family(m, ES_GAUGE, "a", "A.", NULL, 0, NULL, 0);
    (void)state;

    assert_ptr_equal(es_metrics_family(m, ES_COUNTER, "a", "B.", two_labels, 2, NULL, 0), a);
    assert_null(es_metrics_family(m, ES_GAUGE, "b", "B.", two_labels, ES_METRIC_LABELS_MAX + 1, NULL, 0));
    es_metric_observe(a, NULL, 1);
    assert_written(m, "");
    es_metrics_free(m);
}

static void test_null_is_accepted(void **state)
{
    struct es_buf out;
    (void)state;

    assert_null(es_metrics_family(NULL, ES_GAUGE, "a", "A.", NULL, 0, NULL, 0));
    es_metric_add(NULL, NULL, 1);
    es_metric_set(NULL, NULL, 1);
    es_metric_observe(NULL, NULL, 1);
    es_metric_forget(NULL, NULL, 0);
    es_buf_init(&out, 10);
    es_metrics_write(NULL, &out);
    assert_int_equal(out.len, 0);
    es_metrics_free(NULL);
}

static void test_forget(void **state)
{
    struct es_metrics *m = es_metrics_new();
    struct es_metric *g = es_metrics_family(m, ES_GAUGE, "g", "G.", two_labels, 2, NULL, 0);
    (void)state;

    es_metric_forget(g, VALUES("a", "b"), 2);
    es_metric_set(g, VALUES("a", "1"), 1);
    es_metric_set(g, VALUES("a", "2"), 1);
    es_metric_set(g, VALUES("b", "1"), 1);
    es_metric_set(g, VALUES("ab", ""), 1);
    es_metric_forget(g, VALUES("a", "3"), 2);
    es_metric_forget(g, VALUES("a", "2"), 2);
    es_metric_forget(g, VALUES("a", "b", "c"), 3);
    assert_written(m, "# HELP g G.\n# TYPE g gauge\ng{name=\"a\",namespace=\"1\"} 1\n"
                      "g{name=\"ab\",namespace=\"\"} 1\ng{name=\"b\",namespace=\"1\"} 1\n");
    es_metric_set(g, VALUES("a", "2"), 1);
    es_metric_forget(g, VALUES("a"), 1);
    assert_written(
        m, "# HELP g G.\n# TYPE g gauge\ng{name=\"ab\",namespace=\"\"} 1\ng{name=\"b\",namespace=\"1\"} 1\n");
    es_metric_forget(g, NULL, 0);
    assert_written(m, "");
    es_metrics_free(m);
}

static size_t count_lines(struct es_metrics *m)
{
    struct es_buf out;
    size_t lines = 0;

    es_buf_init(&out, TEXT_MAX);
    es_metrics_write(m, &out);
    assert_false(es_buf_failed(&out));
    for (size_t i = 0; i < out.len; i++)
        lines += out.ptr[i] == '\n';
    es_buf_fini(&out);
    return lines;
}

static void test_a_hundred_thousand_label_sets(void **state)
{
    enum { MANY = 100000 };
    struct es_metrics *m = es_metrics_new();
    struct es_metric *g = es_metrics_family(m, ES_GAUGE, "g", "G.", two_labels, 2, NULL, 0);
    char name[32], ns[32];
    (void)state;

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "secret-%d", i / 100);
            snprintf(ns, sizeof ns, "namespace-%d", i % 100);
            es_metric_add(g, VALUES(name, ns), 1);
        }
    assert_int_equal(count_lines(m), MANY + 2);
    for (int i = 0; i < MANY; i += 2) {
        snprintf(name, sizeof name, "secret-%d", i / 100);
        snprintf(ns, sizeof ns, "namespace-%d", i % 100);
        es_metric_forget(g, VALUES(name, ns), 2);
    }
    assert_int_equal(count_lines(m), MANY / 2 + 2);
    for (int i = 0; i < 100; i += 2) { /* by walk; 50 of each are left */
        snprintf(name, sizeof name, "secret-%d", i);
        es_metric_forget(g, VALUES(name), 1);
    }
    assert_int_equal(count_lines(m), MANY / 2 - 50 * 50 + 2);
    es_metrics_free(m);
}

static void test_long_label_values(void **state)
{
    struct es_metrics *m = es_metrics_new();
    struct es_metric *g = es_metrics_family(m, ES_GAUGE, "g", "G.", two_labels, 2, NULL, 0);
    char *text = malloc(5001);
    (void)state;

    memset(text, 'x', 5000);
    text[5000] = '\0';
    es_metric_set(g, VALUES(text, "a"), 1);
    es_metric_add(g, VALUES(text, "a"), 1);
    es_metric_set(g, VALUES(text, "b"), 7);
    es_metric_forget(g, VALUES(text, "b"), 2);
    assert_int_equal(count_lines(m), 3);
    free(text);
    es_metrics_free(m);
}

/* ---- samples that stand elsewhere ---- */

struct elsewhere {
    int opened, closed, pieces;
    size_t samples; /* of family 0; family 1 has none */
    size_t silent;  /* so many of its first ones are left out */
};

static void *open_elsewhere(void *ctx)
{
    struct elsewhere *e = ctx;
    e->opened++;
    return e;
}

static void close_elsewhere(void *ctx, void *view)
{
    struct elsewhere *e = ctx;
    assert_ptr_equal(view, e);
    e->closed++;
}

/* Three at a time. */
static bool write_elsewhere(void *ctx, void *view, int which, size_t *pos, const struct es_metric *f,
                            struct es_buf *out)
{
    struct elsewhere *e = ctx;
    char name[32];

    assert_ptr_equal(view, e);
    e->pieces++;
    for (int i = 0; i < 3 && which == 0 && *pos < e->samples; i++, ++*pos) {
        snprintf(name, sizeof name, "n%zu\"", *pos);
        if (*pos >= e->silent)
            es_metric_sample(f, out, VALUES(name, "ns"), (double)*pos);
    }
    return which == 0 && *pos < e->samples;
}

static void test_samples_from_elsewhere(void **state)
{
    struct elsewhere e = {.samples = 4};
    struct es_metric_source source = {
        .open = open_elsewhere, .write = write_elsewhere, .close = close_elsewhere, .ctx = &e};
    struct es_metrics *m = es_metrics_new();
    (void)state;

    assert_int_equal(es_metrics_source_family(m, &source, 0, ES_GAUGE, "b", "B.", two_labels, 2), 0);
    assert_int_equal(es_metrics_source_family(m, &source, 1, ES_COUNTER, "empty", "E.", two_labels, 2), 0);
    es_metric_set(es_metrics_family(m, ES_GAUGE, "a", "A.", NULL, 0, NULL, 0), NULL, 1);
    es_metric_set(es_metrics_family(m, ES_GAUGE, "c", "C.", NULL, 0, NULL, 0), NULL, 3);
    assert_written(m, "# HELP a A.\n# TYPE a gauge\na 1\n"
                      "# HELP b B.\n# TYPE b gauge\n"
                      "b{name=\"n0\\\"\",namespace=\"ns\"} 0\nb{name=\"n1\\\"\",namespace=\"ns\"} 1\n"
                      "b{name=\"n2\\\"\",namespace=\"ns\"} 2\nb{name=\"n3\\\"\",namespace=\"ns\"} 3\n"
                      "# HELP c C.\n# TYPE c gauge\nc 3\n");
    assert_int_equal(e.opened, 1);
    assert_int_equal(e.closed, 1);
    assert_int_equal(e.pieces, 3);
    e.silent = 3; /* the whole first piece */
    assert_written(m, "# HELP a A.\n# TYPE a gauge\na 1\n"
                      "# HELP b B.\n# TYPE b gauge\nb{name=\"n3\\\"\",namespace=\"ns\"} 3\n"
                      "# HELP c C.\n# TYPE c gauge\nc 3\n");
    e.samples = 0;
    assert_written(m, "# HELP a A.\n# TYPE a gauge\na 1\n# HELP c C.\n# TYPE c gauge\nc 3\n");
    es_metrics_free(m);
}

/* Whoever goes away in the middle of a page leaves nothing behind. */
static void test_a_page_that_is_not_read_to_its_end(void **state)
{
    struct elsewhere e = {.samples = 100};
    struct es_metric_source source = {
        .open = open_elsewhere, .write = write_elsewhere, .close = close_elsewhere, .ctx = &e};
    struct es_metrics *m = es_metrics_new();
    struct es_buf out;
    (void)state;

    assert_int_equal(es_metrics_source_family(m, &source, 0, ES_GAUGE, "b", "B.", two_labels, 2), 0);
    struct es_metrics_page *p = es_metrics_page_open(m);
    es_buf_init(&out, TEXT_MAX);
    assert_true(es_metrics_page_next(p, &out));
    es_metrics_page_close(p);
    assert_int_equal(e.pieces, 1);
    assert_int_equal(e.closed, 1);
    es_metrics_page_close(es_metrics_page_open(m));
    assert_int_equal(e.opened, 1); /* nothing was asked for */
    es_metrics_page_close(NULL);
    assert_null(es_metrics_page_open(NULL));
    es_buf_fini(&out);
    es_metrics_free(m);
}

struct shared {
    struct es_metrics *metrics;
    struct es_metric *total, *time, *depth;
};

static void refresh_depth(void *ctx)
{
    struct shared *s = ctx;
    es_metric_set(s->depth, NULL, 42);
}

static void *work(void *arg)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct shared *s = arg;
    struct es_buf out;

    for (int i = 0; i < 4000; i++) {
        es_metric_add(s->total, VALUES(names[i % 4], "ns"), 1);
        es_metric_observe(s->time, VALUES(names[i % 4]), i);
        es_metric_set(s->depth, NULL, i);
        if (i % 10 == 0)
            es_metric_forget(s->time, VALUES(names[i % 4]), 1);
        if (i % 500 == 0) {
            es_buf_init(&out, TEXT_MAX);
            es_metrics_write(s->metrics, &out);
            es_buf_fini(&out);
            es_metrics_family(s->metrics, ES_GAUGE, names[i / 500 % 4], "Late.", NULL, 0, NULL, 0);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct es_metrics *m = es_metrics_new();
    struct shared s = {
        .metrics = m,
        .total = es_metrics_family(m, ES_COUNTER, "total", "T.", two_labels, 2, NULL, 0),
        .time = es_metrics_family(m, ES_HISTOGRAM, "time", "T.", two_labels, 1, bounds, 3),
        .depth = es_metrics_family(m, ES_GAUGE, "depth", "D.", NULL, 0, NULL, 0),
    };
    pthread_t threads[6];
    (void)state;

    assert_int_equal(es_metrics_on_collect(m, refresh_depth, &s), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &s), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    es_metric_forget(s.time, NULL, 0);
    assert_written(m, "# HELP depth D.\n# TYPE depth gauge\ndepth 42\n"
                      "# HELP total T.\n# TYPE total counter\n"
                      "total{name=\"a\",namespace=\"ns\"} 6000\ntotal{name=\"b\",namespace=\"ns\"} 6000\n"
                      "total{name=\"c\",namespace=\"ns\"} 6000\ntotal{name=\"d\",namespace=\"ns\"} 6000\n");
    es_metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_format),
        cmocka_unit_test(test_histogram_without_labels),
        cmocka_unit_test(test_same_name_is_the_same_family),
        cmocka_unit_test(test_null_is_accepted),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_a_hundred_thousand_label_sets),
        cmocka_unit_test(test_long_label_values),
        cmocka_unit_test(test_samples_from_elsewhere),
        cmocka_unit_test(test_a_page_that_is_not_read_to_its_end),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
