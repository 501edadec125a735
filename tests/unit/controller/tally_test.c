/* The numbers of objects, and the series that they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/controller/tally.h"

#define PAGE_MAX ((size_t)64 << 20)

static struct es_metrics *metrics;
static struct es_tally *tally;

static void start(bool labels)
{
    struct es_error err = ES_ERROR_INIT;

    metrics = es_metrics_new();
    assert_int_equal(es_tally_new(&tally, metrics, &es_system_clock, labels, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    start(false);
    return 0;
}

static int set_up_labels(void **state)
{
    (void)state;
    start(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    es_tally_free(tally);
    es_metrics_free(metrics);
    return 0;
}

static void pass(enum es_tally_kind kind, const char *ns, const char *name, enum es_tally_ready ready,
                 bool failed, const json_t *object)
{
    es_tally_count(tally, &(struct es_tally_pass){.kind = kind,
                                                  .ns = ns,
                                                  .name = name,
                                                  .object = object,
                                                  .duration_ns = 1500,
                                                  .failed = failed,
                                                  .ready = ready});
}

static void synced(const char *name)
{
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", name, ES_TALLY_TRUE, false, NULL);
}

static void gone(const char *name)
{
    es_tally_gone(tally, ES_TALLY_EXTERNAL_SECRET, "ns", name, 7);
}

static struct es_buf page(void)
{
    struct es_buf out;

    es_buf_init(&out, PAGE_MAX);
    es_metrics_write(metrics, &out);
    assert_false(es_buf_failed(&out));
    return out;
}

/* The samples of a page, without HELP and TYPE. */
static void assert_samples(const char *want)
{
    struct es_buf out = page(), lines;

    es_buf_init(&lines, PAGE_MAX);
    for (const char *at = es_buf_str(&out); *at;) {
        size_t len = strcspn(at, "\n") + 1;
        if (*at != '#')
            es_buf_add(&lines, at, len);
        at += len;
    }
    assert_string_equal(es_buf_str(&lines), want);
    es_buf_fini(&lines);
    es_buf_fini(&out);
}

static size_t count(const char *text)
{
    struct es_buf out = page();
    size_t n = 0;

    for (const char *at = es_buf_str(&out); (at = strstr(at, text)); at++)
        n++;
    es_buf_fini(&out);
    return n;
}

#define DURATION(who, ns_) "externalsecret_reconcile_duration{" who "} " ns_ "\n"
#define CONDITION(condition, status, name, value)                                                            \
    "externalsecret_status_condition{condition=\"" condition "\",name=\"" name                               \
    "\",namespace=\"ns\",status=\"" status "\"} " value "\n"
#define CALLS(who, n) "externalsecret_sync_calls_total{" who "} " n "\n"
#define ERRORS(who, n) "externalsecret_sync_calls_error{" who "} " n "\n"
#define A "name=\"a\",namespace=\"ns\""

static void test_the_life_of_an_external_secret(void **state)
{
    (void)state;
    assert_samples("");
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "a", ES_TALLY_UNKNOWN, false, NULL);
    assert_samples(DURATION(A, "1500") CALLS(A, "1"));
    synced("a");
    assert_samples(DURATION(A, "1500") CONDITION("Ready", "False", "a", "0")
                       CONDITION("Ready", "True", "a", "1") CALLS(A, "2"));
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "a", ES_TALLY_FALSE, true, NULL);
    /* nothing to do: the condition stays */
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "a", ES_TALLY_UNKNOWN, false, NULL);
    assert_samples(DURATION(A, "1500") CONDITION("Ready", "False", "a", "1")
                       CONDITION("Ready", "True", "a", "0") ERRORS(A, "1") CALLS(A, "4"));
    gone("a");
    assert_samples(DURATION(A, "7") CONDITION("Deleted", "False", "a", "1") ERRORS(A, "1") CALLS(A, "5"));
    synced("a");
    assert_samples(DURATION(A, "1500") CONDITION("Ready", "False", "a", "0")
                       CONDITION("Ready", "True", "a", "1") ERRORS(A, "1") CALLS(A, "6"));
}

/* A pass over `name` that ended so, and named a time this many seconds ago. */
static void due(const char *name, bool failed, int64_t seconds_ago)
{
    es_tally_count(tally, &(struct es_tally_pass){.kind = ES_TALLY_EXTERNAL_SECRET,
                                                  .ns = "ns",
                                                  .name = name,
                                                  .failed = failed,
                                                  .ready = failed ? ES_TALLY_FALSE : ES_TALLY_TRUE,
                                                  .due_ms = es_mono_ms() - seconds_ago * 1000});
}

#define OVERDUE "esod_externalsecret_overdue_seconds{"

static void test_what_is_late_says_so(void **state)
{
    (void)state;
    due("late", false, 300);
    due("soon", false, -300);
    due("waits", false, ES_TALLY_OVERDUE_S - 5);
    synced("once");
    assert_int_equal(count(OVERDUE), 1);
    assert_int_equal(count(OVERDUE "name=\"late\",namespace=\"ns\"} 30"), 1);

    /* A pass that fails does not make it less late, nor one late that was in time. */
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "late", ES_TALLY_FALSE, true, NULL);
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "soon", ES_TALLY_FALSE, true, NULL);
    assert_int_equal(count(OVERDUE), 1);
    assert_int_equal(count(OVERDUE "name=\"late\""), 1);

    due("late", false, -300);
    assert_int_equal(count(OVERDUE), 0);
}

static void test_what_is_gone_is_not_late(void **state)
{
    (void)state;
    due("a", false, 300);
    due("never", false, 300);
    gone("a");
    es_tally_count(tally, &(struct es_tally_pass){.kind = ES_TALLY_EXTERNAL_SECRET,
                                                  .ns = "ns",
                                                  .name = "never",
                                                  .ready = ES_TALLY_TRUE,
                                                  .due_ms = -1});
    assert_int_equal(count(OVERDUE), 0);
    synced("a"); /* there again, and nothing is known of it yet */
    assert_int_equal(count(OVERDUE), 0);
}

static void test_stores_go_without_a_trace(void **state)
{
    (void)state;
    pass(ES_TALLY_SECRET_STORE, "ns", "s", ES_TALLY_TRUE, false, NULL);
    pass(ES_TALLY_CLUSTER_SECRET_STORE, "", "c", ES_TALLY_FALSE, true, NULL);
    assert_samples(
        "clustersecretstore_reconcile_duration{name=\"c\",namespace=\"\"} 1500\n"
        "clustersecretstore_status_condition{condition=\"Ready\",name=\"c\",namespace=\"\",status="
        "\"False\"} 1\n"
        "clustersecretstore_status_condition{condition=\"Ready\",name=\"c\",namespace=\"\",status="
        "\"True\"} 0\n"
        "secretstore_reconcile_duration{name=\"s\",namespace=\"ns\"} 1500\n"
        "secretstore_status_condition{condition=\"Ready\",name=\"s\",namespace=\"ns\",status=\"False\"} "
        "0\n"
        "secretstore_status_condition{condition=\"Ready\",name=\"s\",namespace=\"ns\",status=\"True\"} "
        "1\n");
    es_tally_gone(tally, ES_TALLY_SECRET_STORE, "ns", "s", 1);
    es_tally_gone(tally, ES_TALLY_CLUSTER_SECRET_STORE, "", "c", 1);
    es_tally_gone(tally, ES_TALLY_CLUSTER_SECRET_STORE, "", "never-was", 1);
    assert_samples("");
}

static void test_objects_are_sorted(void **state)
{
    static const char *const names[] = {"c", "a", "b", "ab"};
    (void)state;

    for (size_t i = 0; i < 4; i++)
        pass(ES_TALLY_EXTERNAL_SECRET, "ns", names[i], ES_TALLY_UNKNOWN, false, NULL);
    assert_samples(
        DURATION("name=\"a\",namespace=\"ns\"", "1500") DURATION("name=\"ab\",namespace=\"ns\"", "1500")
            DURATION("name=\"b\",namespace=\"ns\"", "1500") DURATION("name=\"c\",namespace=\"ns\"", "1500")
                CALLS("name=\"a\",namespace=\"ns\"", "1") CALLS("name=\"ab\",namespace=\"ns\"", "1")
                    CALLS("name=\"b\",namespace=\"ns\"", "1") CALLS("name=\"c\",namespace=\"ns\"", "1"));
}

#define APP(component, version)                                                                              \
    "app_kubernetes_io_component=\"" component                                                               \
    "\",app_kubernetes_io_instance=\"\",app_kubernetes_io_managed_by=\"\",app_kubernetes_io_name=\"\","      \
    "app_kubernetes_io_part_of=\"\",app_kubernetes_io_version=\"" version "\","

static void test_labels_of_objects(void **state)
{
    json_t *first = json_pack("{s:{s:{s:s,s:s,s:s}}}", "metadata", "labels", "app.kubernetes.io/component",
                              "db", "app.kubernetes.io/version", "1", "team", "x");
    json_t *then = json_pack("{s:{s:{s:s}}}", "metadata", "labels", "app.kubernetes.io/version", "2");
    (void)state;

    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "a", ES_TALLY_UNKNOWN, true, first);
    assert_samples(DURATION(APP("db", "1") A, "1500") ERRORS(APP("db", "1") A, "1")
                       CALLS(APP("db", "1") A, "1"));
    /* The series move to the new labels with all that was counted. */
    pass(ES_TALLY_EXTERNAL_SECRET, "ns", "a", ES_TALLY_UNKNOWN, false, then);
    assert_samples(DURATION(APP("", "2") A, "1500") ERRORS(APP("", "2") A, "1") CALLS(APP("", "2") A, "2"));
    /* Of a gone object the last ones are known; of one that was never seen none. */
    gone("a");
    assert_int_equal(count(APP("", "2") A), 3);
    gone("b");
    assert_int_equal(count(APP("", "") "name=\"b\""), 2);
    json_decref(first);
    json_decref(then);
}

static void test_what_is_gone_is_forgotten_some_day(void **state)
{
    char name[16];
    (void)state;

    synced("stays");
    for (int i = 0; i < 5 * ES_TALLY_GONE_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        synced(name);
        gone(name);
    }
    size_t left = count("condition=\"Deleted\"");
    assert_true(left >= ES_TALLY_GONE_MAX / 2 && left <= ES_TALLY_GONE_MAX);
    assert_int_equal(count("condition=\"Deleted\",name=\"n4999\""), 1);
    assert_int_equal(count("condition=\"Ready\",name=\"stays\""), 2);
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Ten thousand objects: what they cost, how long a page takes. */
static void test_ten_thousand(void **state)
{
    enum { MANY = 10000 };
    char name[32], ns[32];
    size_t before = in_use();
    (void)state;

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "secret-%d", i);
        snprintf(ns, sizeof ns, "team-%d", i % 100);
        pass(ES_TALLY_EXTERNAL_SECRET, ns, name, ES_TALLY_TRUE, false, NULL);
    }
    size_t each = (in_use() - before) / MANY;
    int64_t started_ms = es_mono_ms();
    struct es_buf out = page();
    int64_t took_ms = es_mono_ms() - started_ms;
    print_message("%zu bytes an object; a page of %zu KiB in %lld ms\n", each, out.len >> 10,
                  (long long)took_ms);
    es_buf_fini(&out);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(each > 0 && each <= 120);
    assert_true(took_ms < 1000);
#endif
    assert_int_equal(count("status=\"True\"} 1\n"), MANY);
}

/* ---- pages while the world goes on ---- */

static void test_a_page_outlives_what_it_shows(void **state)
{
    struct es_buf out;
    char name[16];
    (void)state;

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "n%d", i);
        pass(ES_TALLY_SECRET_STORE, "ns", name, ES_TALLY_TRUE, false, NULL);
    }
    struct es_metrics_page *p = es_metrics_page_open(metrics);
    es_buf_init(&out, PAGE_MAX);
    while (!out.len)
        assert_true(es_metrics_page_next(p, &out));
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "n%d", i);
        es_tally_gone(tally, ES_TALLY_SECRET_STORE, "ns", name, 1);
    }
    while (es_metrics_page_next(p, &out))
        ;
    es_metrics_page_close(p);
    assert_non_null(strstr(es_buf_str(&out), "name=\"n499\""));
    es_buf_fini(&out);
    assert_samples("");
}

static void *churn(void *arg)
{
    json_t *objects[2] = {json_pack("{}"),
                          json_pack("{s:{s:{s:s}}}", "metadata", "labels", "app.kubernetes.io/version", "2")};
    char name[16];
    (void)arg;

    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "n%d", i % 70);
        pass(ES_TALLY_EXTERNAL_SECRET, "ns", name, ES_TALLY_TRUE, i % 3 == 0, objects[i % 2]);
        if (i % 7 == 0)
            gone(name);
        if (i % 500 == 0) {
            struct es_buf out = page();
            assert_non_null(strstr(es_buf_str(&out), "name=\"n0\""));
            es_buf_fini(&out);
        }
    }
    json_decref(objects[0]);
    json_decref(objects[1]);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    (void)state;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count("externalsecret_sync_calls_total{"), 70);
}

static void test_null_is_fine(void **state)
{
    (void)state;
    es_tally_count(NULL, NULL);
    es_tally_gone(NULL, ES_TALLY_SECRET_STORE, "", "", 0);
    es_tally_free(NULL);
    assert_samples("");
}

#define WITH(setup, test) cmocka_unit_test_setup_teardown(test, setup, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(set_up, test_the_life_of_an_external_secret),
        WITH(set_up, test_what_is_late_says_so),
        WITH(set_up, test_what_is_gone_is_not_late),
        WITH(set_up, test_stores_go_without_a_trace),
        WITH(set_up, test_objects_are_sorted),
        WITH(set_up_labels, test_labels_of_objects),
        WITH(set_up, test_what_is_gone_is_forgotten_some_day),
        WITH(set_up, test_ten_thousand),
        WITH(set_up, test_a_page_outlives_what_it_shows),
        WITH(set_up_labels, test_threads),
        WITH(set_up, test_null_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
