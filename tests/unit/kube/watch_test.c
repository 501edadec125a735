#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/kube/obj.h"
#include "core/kube/watch.h"
#include "tests/unit/kube/fake_api.h"

/* Writes down what the sink is told: "restart +a -b synced". */
struct witness {
    struct fake_api *api;
    struct es_watch *watch;
    pthread_mutex_t lock; /* guards the rest */
    struct es_buf trace;
    struct es_error last;
    int troubles;
    bool troubled;
};

static void note(struct witness *w, const char *sign, const char *text)
{
    pthread_mutex_lock(&w->lock);
    if (w->trace.len)
        es_buf_addc(&w->trace, ' ');
    es_buf_adds(&w->trace, sign);
    es_buf_adds(&w->trace, text);
    pthread_mutex_unlock(&w->lock);
}

static void on_restart(void *ctx)
{
    note(ctx, "", "restart");
}

static void on_event(void *ctx, enum es_watch_event event, json_t *object)
{
    note(ctx, event == ES_WATCH_SET ? "+" : "-", es_obj_name(object));
    /* A sink may take members out. */
    json_object_del(object, "metadata");
}

static void on_synced(void *ctx)
{
    note(ctx, "", "synced");
}

static void on_trouble(void *ctx, const struct es_error *err)
{
    struct witness *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->troubled = err != NULL;
    if (err) {
        w->troubles++;
        w->last = *err;
    }
    pthread_mutex_unlock(&w->lock);
    if (!err)
        note(w, "", "works");
}

static struct witness *observe_as(const char *scenario, const char *user, int64_t window_ms)
{
    struct witness *w = es_mem_calloc(1, sizeof *w);
    const struct es_watch_opts opts = {
        .kind = &es_kind_config_map, .ns = "ns", .label_selector = "app in (a,b)", .window_ms = window_ms};
    const struct es_watch_sink sink = {
        .restart = on_restart, .event = on_event, .synced = on_synced, .trouble = on_trouble, .ctx = w};
    struct es_error err = ES_ERROR_INIT;

    assert_non_null(w);
    pthread_mutex_init(&w->lock, NULL);
    es_buf_init(&w->trace, 1 << 20);
    w->api = fake_api_new(scenario, user, NULL);
    if (es_watch_new(&w->watch, w->api->kube, &opts, &sink, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static struct witness *observe(const char *scenario)
{
    return observe_as(scenario, NULL, 0);
}

static void finish(struct witness *w)
{
    es_watch_free(w->watch);
    fake_api_free(w->api);
    es_buf_fini(&w->trace);
    pthread_mutex_destroy(&w->lock);
    es_mem_free(w);
}

static void nap_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static bool trace_is(struct witness *w, const char *want)
{
    pthread_mutex_lock(&w->lock);
    bool equal = strcmp(es_buf_str(&w->trace), want) == 0;
    pthread_mutex_unlock(&w->lock);
    return equal;
}

static void expect(struct witness *w, const char *want)
{
    int64_t until = es_mono_ms() + 20000;

    while (!trace_is(w, want)) {
        if (es_mono_ms() > until)
            fail_msg("saw: %s\nlast trouble: %s", es_buf_str(&w->trace), w->last.text);
        nap_ms(5);
    }
    /* And nothing more. */
    nap_ms(50);
    assert_true(trace_is(w, want));
}

static int troubles(struct witness *w)
{
    pthread_mutex_lock(&w->lock);
    int count = w->troubles;
    pthread_mutex_unlock(&w->lock);
    return count;
}

static void wait_troubles(struct witness *w, int count)
{
    int64_t until = es_mono_ms() + 20000;

    while (troubles(w) < count) {
        assert_true(es_mono_ms() < until);
        nap_ms(5);
    }
}

static const char *query_of(const json_t *log, size_t request, const char *name)
{
    return es_obj_str(json_array_get(log, request), "query", name);
}

static void test_streamed_list_then_changes_then_resume(void **state)
{
    struct witness *w = observe("streamed");
    (void)state;

    expect(w, "restart +a +b synced +a -b +c");
    json_t *log = fake_api_log(w->api);
    assert_string_equal(es_obj_str(json_array_get(log, 0), "path"), "/api/v1/namespaces/ns/configmaps");
    assert_string_equal(query_of(log, 0, "watch"), "true");
    assert_string_equal(query_of(log, 0, "allowWatchBookmarks"), "true");
    assert_string_equal(query_of(log, 0, "sendInitialEvents"), "true");
    assert_string_equal(query_of(log, 0, "resourceVersionMatch"), "NotOlderThan");
    assert_string_equal(query_of(log, 0, "resourceVersion"), "");
    assert_string_equal(query_of(log, 0, "labelSelector"), "app in (a,b)");
    /* The bookmark's version, not the last event's. */
    assert_string_equal(query_of(log, 1, "resourceVersion"), "20");
    assert_string_equal(query_of(log, 1, "sendInitialEvents"), "");
    assert_int_equal(troubles(w), 0);
    json_decref(log);
    finish(w);
}

static void check_seconds(const char *text, long low, long high)
{
    long seconds = strtol(text, NULL, 10);
    assert_true(seconds >= low && seconds <= high);
}

static void test_window(void **state)
{
    struct witness *w = observe("empty");
    (void)state;

    expect(w, "restart synced");
    json_t *log = fake_api_log(w->api);
    check_seconds(query_of(log, 0, "timeoutSeconds"), 300, 600);
    json_decref(log);
    finish(w);

    w = observe_as("empty", NULL, 42000);
    expect(w, "restart synced");
    log = fake_api_log(w->api);
    check_seconds(query_of(log, 0, "timeoutSeconds"), 42, 42);
    json_decref(log);
    finish(w);
}

static void test_lines_in_pieces(void **state)
{
    struct witness *w = observe("small_pieces");
    (void)state;

    expect(w, "restart +a synced +big +b");
    finish(w);
}

static void test_object_nested_too_deep_is_left_out(void **state)
{
    struct witness *w = observe("too_deep");
    (void)state;

    expect(w, "restart +a +fine synced");
    assert_int_equal(troubles(w), 0);
    finish(w);
}

static void test_relists_after_410_event(void **state)
{
    struct witness *w = observe("gone_event");
    (void)state;

    expect(w, "restart +a +b synced restart +b synced");
    assert_int_equal(troubles(w), 0);
    finish(w);
}

static void test_relists_after_410_answer(void **state)
{
    struct witness *w = observe("gone_answer");
    (void)state;

    expect(w, "restart +a synced restart +a synced");
    finish(w);
}

static void test_410_over_and_over_backs_off(void **state)
{
    struct witness *w = observe("always_gone");
    (void)state;

    wait_troubles(w, 2);
    nap_ms(500);
    json_t *log = fake_api_log(w->api);
    assert_true(json_array_size(log) < 12);
    json_decref(log);
    finish(w);
}

static void test_error_event_is_trouble_then_resumes(void **state)
{
    struct witness *w = observe("error_event");
    (void)state;

    expect(w, "restart +a synced works +b");
    assert_int_equal(troubles(w), 1);
    assert_string_equal(w->last.text, "watching configmaps: etcd is unwell");
    assert_int_equal(w->last.code, ES_E_RETRY);
    finish(w);
}

static void test_cut_in_a_line_resumes_at_the_last_whole_one(void **state)
{
    struct witness *w = observe("cut_line");
    (void)state;

    expect(w, "restart +a synced +b +c");
    json_t *log = fake_api_log(w->api);
    assert_string_equal(query_of(log, 1, "resourceVersion"), "11");
    json_decref(log);
    finish(w);
}

static void test_list_that_breaks_off_begins_anew(void **state)
{
    struct witness *w = observe("cut_list");
    (void)state;

    expect(w, "restart +a works restart +a works restart +b synced");
    assert_int_equal(troubles(w), 2);
    finish(w);
}

static void test_bookmarks_advance(void **state)
{
    struct witness *w = observe("bookmarks_only");
    (void)state;

    expect(w, "restart synced +late");
    json_t *log = fake_api_log(w->api);
    assert_string_equal(query_of(log, 1, "resourceVersion"), "33");
    json_decref(log);
    finish(w);
}

static void test_pages_where_lists_do_not_stream(void **state)
{
    struct witness *w = observe("paged");
    (void)state;

    expect(w, "restart +a +b restart +b +c synced +new");
    json_t *log = fake_api_log(w->api);
    assert_string_equal(query_of(log, 1, "limit"), "500");
    assert_string_equal(query_of(log, 1, "labelSelector"), "app in (a,b)");
    assert_string_equal(query_of(log, 2, "continue"), "token-1");
    assert_string_equal(query_of(log, 3, "continue"), "");
    assert_string_equal(query_of(log, 5, "resourceVersion"), "100");
    assert_int_equal(troubles(w), 0);
    json_decref(log);
    finish(w);
}

static void test_empty_page_is_a_list(void **state)
{
    struct witness *w = observe("paged_empty");
    (void)state;

    expect(w, "restart synced");
    finish(w);
}

static void test_forbidden_says_so_and_goes_on(void **state)
{
    struct witness *w = observe("forbidden");
    (void)state;

    expect(w, "works restart synced");
    assert_int_equal(troubles(w), 2);
    assert_int_equal(w->last.code, ES_E_DENIED);
    assert_string_equal(w->last.text,
                        "watching configmaps: configmaps is forbidden: User \"u\" cannot watch resource "
                        "\"configmaps\"");
    finish(w);
}

static void test_retry_after_is_obeyed(void **state)
{
    int64_t begun = es_mono_ms();
    struct witness *w = observe("too_many");
    (void)state;

    expect(w, "works restart synced");
    assert_true(es_mono_ms() - begun >= 1000);
    finish(w);
}

static void test_new_token_after_401(void **state)
{
    struct witness *w = observe_as("tokens", "{tokenFile: $DIR/token}", 0);
    (void)state;

    expect(w, "restart synced");
    es_watch_free(w->watch);
    w->watch = NULL;
    /* "one" was good once; the next watch is refused with it, reads the file
     * again and is let in. */
    fake_api_write(w->api, "token", "two\n", 0600);
    const struct es_watch_opts opts = {.kind = &es_kind_config_map};
    const struct es_watch_sink sink = {
        .restart = on_restart, .event = on_event, .synced = on_synced, .trouble = on_trouble, .ctx = w};
    assert_int_equal(es_watch_new(&w->watch, w->api->kube, &opts, &sink, NULL), 0);
    expect(w, "restart synced restart synced");
    assert_int_equal(troubles(w), 0);
    finish(w);
}

static void test_watches_that_end_at_once_are_paced(void **state)
{
    struct witness *w = observe("ends_at_once");
    (void)state;

    expect(w, "restart synced");
    nap_ms(1000);
    json_t *log = fake_api_log(w->api);
    assert_true(json_array_size(log) < 8);
    json_decref(log);
    finish(w);
}

/* Whatever the thread waits for, es_watch_free does not. */
static void check_quick_end_as(const char *scenario, const char *user, int64_t wait_ms, bool by_client)
{
    struct witness *w = observe_as(scenario, user, 0);

    nap_ms(wait_ms);
    if (by_client)
        es_kube_stop(w->api->kube);
    int64_t begun = es_mono_ms();
    es_watch_free(w->watch);
    int64_t took = es_mono_ms() - begun;
    w->watch = NULL;
    if (took > 400)
        fail_msg("%s: %lld ms", scenario, (long long)took);
    finish(w);
}

static void check_quick_end(const char *scenario, int64_t wait_ms, bool by_client)
{
    check_quick_end_as(scenario, NULL, wait_ms, by_client);
}

static void test_ends_quickly(void **state)
{
    static const char plugin[] =
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['30'], "
        "interactiveMode: Never}}";
    (void)state;
    check_quick_end_as("empty", plugin, 300, false); /* waiting for a login */
    check_quick_end_as("empty", plugin, 300, true);
    check_quick_end("silent", 300, false);         /* no headers yet */
    check_quick_end("silent_stream", 300, false);  /* waiting for events */
    check_quick_end("silent_refusal", 300, false); /* waiting for the reason */
    check_quick_end("unavailable", 1500, false);   /* in a backoff */
    check_quick_end("silent_stream", 0, false);    /* perhaps not even begun */
    check_quick_end("silent_stream", 300, true);
    check_quick_end("unavailable", 1500, true);
}

static void test_stop_ends_the_thread_by_itself(void **state)
{
    struct witness *w = observe("silent_stream");
    struct es_error err = ES_ERROR_INIT;
    json_t *answer = NULL;
    (void)state;

    expect(w, "restart synced");
    es_kube_stop(w->api->kube);
    assert_int_equal(es_kube_get_path(w->api->kube, "/log", &answer, &err), ES_E_CANCELLED);
    /* A watch that comes after the stop ends too. */
    struct es_watch *late = NULL;
    const struct es_watch_opts opts = {.kind = &es_kind_config_map};
    const struct es_watch_sink sink = {
        .restart = on_restart, .event = on_event, .synced = on_synced, .trouble = on_trouble, .ctx = w};
    assert_int_equal(es_watch_new(&late, w->api->kube, &opts, &sink, &err), 0);
    es_watch_free(late);
    assert_true(trace_is(w, "restart synced"));
    finish(w);
}

static void test_unreachable_server_is_trouble(void **state)
{
    struct witness *w = observe("silent_stream");
    (void)state;

    expect(w, "restart synced");
    /* The fake server ends; the watch does not. */
    close(w->api->in);
    w->api->in = -1;
    wait_troubles(w, 2);
    assert_int_equal(w->last.code, ES_E_RETRY);
    assert_true(trace_is(w, "restart synced"));
    finish(w);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streamed_list_then_changes_then_resume),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_lines_in_pieces),
        cmocka_unit_test(test_object_nested_too_deep_is_left_out),
        cmocka_unit_test(test_relists_after_410_event),
        cmocka_unit_test(test_relists_after_410_answer),
        cmocka_unit_test(test_410_over_and_over_backs_off),
        cmocka_unit_test(test_error_event_is_trouble_then_resumes),
        cmocka_unit_test(test_cut_in_a_line_resumes_at_the_last_whole_one),
        cmocka_unit_test(test_list_that_breaks_off_begins_anew),
        cmocka_unit_test(test_bookmarks_advance),
        cmocka_unit_test(test_pages_where_lists_do_not_stream),
        cmocka_unit_test(test_empty_page_is_a_list),
        cmocka_unit_test(test_forbidden_says_so_and_goes_on),
        cmocka_unit_test(test_retry_after_is_obeyed),
        cmocka_unit_test(test_new_token_after_401),
        cmocka_unit_test(test_watches_that_end_at_once_are_paced),
        cmocka_unit_test(test_ends_quickly),
        cmocka_unit_test(test_stop_ends_the_thread_by_itself),
        cmocka_unit_test(test_unreachable_server_is_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
