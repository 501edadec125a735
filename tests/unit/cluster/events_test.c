/* Events about objects: counted, limited, cut, and never in anybody's way. */
#include "cluster_test.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/cluster/events.h"
#include "core/cluster/local_house.h"

/* ---- what the recorder sends goes through here (--wrap) ---- */

int __real_es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const json_t *obj, const char *manager, json_t **ret, struct es_error *err);
int __wrap_es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const json_t *obj, const char *manager, json_t **ret, struct es_error *err);

/* Atomically: requests made, those still to fail and how; closed: requests wait. */
static int requests, to_fail, fail_with;
static bool closed;

int __wrap_es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const json_t *obj, const char *manager, json_t **ret, struct es_error *err)
{
    __atomic_add_fetch(&requests, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&closed, __ATOMIC_SEQ_CST))
        usleep(1000);
    if (__atomic_load_n(&to_fail, __ATOMIC_SEQ_CST) > 0) {
        __atomic_sub_fetch(&to_fail, 1, __ATOMIC_SEQ_CST);
        es_error_set(err, fail_with, "not now");
        err->retry_after_ms = 1;
        return fail_with;
    }
    return __real_es_cluster_create(c, kind, ns, obj, manager, ret, err);
}

/* ---- a recorder on a house ---- */

static struct es_cluster *cluster;
static struct es_local *house;
static struct es_metrics *metrics;
static struct es_events *events;
static json_t *about;

static int setup(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    requests = to_fail = 0;
    closed = false;
    metrics = es_metrics_new();
    check_ok(es_cluster_new_local(&cluster, &house, &err), &err);
    struct es_events_opts opts = {.cluster = cluster, .metrics = metrics};
    check_ok(es_events_new(&events, &opts, &err), &err);
    about = object(&es_kind_external_secret, "ns", "a", "{'metadata':{'uid':'u1','resourceVersion':'7'}}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    __atomic_store_n(&closed, false, __ATOMIC_SEQ_CST);
    es_events_free(events, 0);
    events = NULL;
    es_cluster_free(cluster);
    es_metrics_free(metrics);
    json_decref(about);
    return 0;
}

static void say(const char *reason, const char *message)
{
    es_event_record(events, &es_kind_external_secret, about, ES_EVENT_NORMAL, reason, "tests", message);
}

/* Everything that waits is sent; the recorder is gone then. */
static void flush(void)
{
    es_events_free(events, 20000);
    events = NULL;
}

static bool keep_one(void *ctx, const json_t *o)
{
    json_array_append_new(ctx, json_deep_copy(o));
    return true;
}

static json_t *sent(void)
{
    json_t *list = json_array();
    es_local_each(house, &es_kind_event, keep_one, list);
    return list;
}

static size_t sent_count(void)
{
    json_t *list = sent();
    size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

static double dropped(void)
{
    struct es_buf out;
    double value = 0;

    es_buf_init(&out, 1 << 16);
    es_metrics_write(metrics, &out);
    const char *line = strstr(es_buf_str(&out), "\nesod_events_dropped_total ");
    if (line)
        value = strtod(line + strlen("\nesod_events_dropped_total "), NULL);
    es_buf_fini(&out);
    return value;
}

/* ---- one event ---- */

static void test_what_an_event_says(void **state)
{
    (void)state;
    es_event_record(events, &es_kind_external_secret, about, ES_EVENT_WARNING, "UpdateFailed",
                    "external-secrets", "it broke");
    flush();
    json_t *list = sent();
    assert_int_equal(json_array_size(list), 1);
    json_t *e = json_array_get(list, 0);
    check_json(json_object_get(e, "involvedObject"), "{'kind':'ExternalSecret','apiVersion':'external-"
                                                     "secrets.io/v1','namespace':'ns','name':'a','uid':'u1',"
                                                     "'resourceVersion':'7'}");
    assert_string_equal(es_obj_str(e, "apiVersion"), "v1");
    assert_string_equal(es_obj_namespace(e), "ns");
    assert_true(es_str_starts(es_obj_name(e), "a."));
    assert_string_equal(es_obj_str(e, "type"), "Warning");
    assert_string_equal(es_obj_str(e, "reason"), "UpdateFailed");
    assert_string_equal(es_obj_str(e, "message"), "it broke");
    assert_string_equal(es_obj_str(e, "source", "component"), "external-secrets");
    assert_string_equal(es_obj_str(e, "reportingComponent"), "external-secrets");
    assert_int_equal(es_obj_int(e, "count"), 1);
    int64_t when_ms;
    assert_int_equal(es_time_parse(es_obj_str(e, "lastTimestamp"), &when_ms), 0);
    assert_true(llabs(es_unix_ms() - when_ms) < 60000);
    json_decref(list);
}

static void test_the_same_again_raises_a_count(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        say("Updated", "secret updated");
    say("Updated", "something else");
    es_event_record(events, &es_kind_external_secret, about, ES_EVENT_WARNING, "Updated", "tests",
                    "secret updated");
    flush();
    json_t *list = sent(), *e;
    size_t i;
    int fives = 0;
    assert_int_equal(json_array_size(list), 3);
    json_array_foreach (list, i, e)
        fives += es_obj_int(e, "count") == 5;
    assert_int_equal(fives, 1);
    json_decref(list);
}

static void wait_until_sent(size_t count)
{
    for (int i = 0; i < 5000 && sent_count() < count; i++)
        usleep(1000);
    assert_int_equal(sent_count(), count);
}

static void test_an_expired_event_is_said_anew(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    say("Updated", "secret updated");
    wait_until_sent(1);
    json_t *list = sent();
    check_ok(es_local_delete(house, &es_kind_event, "ns", es_obj_name(json_array_get(list, 0)), &err), &err);
    json_decref(list);
    say("Updated", "secret updated");
    say("Updated", "secret updated");
    flush();
    list = sent();
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(es_obj_int(json_array_get(list, 0), "count"), 2);
    json_decref(list);
}

static void test_cluster_scoped_objects_are_talked_about_in_default(void **state)
{
    json_t *store = object(&es_kind_cluster_secret_store, "", "vault", "{'metadata':{'uid':'u2'}}");
    (void)state;

    for (int i = 0; i < 2; i++)
        es_event_record(events, &es_kind_cluster_secret_store, store, ES_EVENT_NORMAL, "Valid", "stores",
                        "ok");
    flush();
    json_t *list = sent();
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(es_obj_namespace(json_array_get(list, 0)), "default");
    assert_null(es_obj_at(json_array_get(list, 0), "involvedObject", "namespace"));
    assert_int_equal(es_obj_int(json_array_get(list, 0), "count"), 2);
    json_decref(list);
    json_decref(store);
}

/* ---- limits ---- */

static void test_one_object_cannot_flood(void **state)
{
    json_t *b = object(&es_kind_external_secret, "ns", "b", NULL);
    char message[32];
    (void)state;

    for (int i = 0; i < 100; i++) {
        snprintf(message, sizeof message, "number %d", i);
        say("Updated", message);
    }
    /* Neither other objects nor other sources suffer. */
    es_event_record(events, &es_kind_external_secret, b, ES_EVENT_NORMAL, "Updated", "tests", "b");
    es_event_record(events, &es_kind_external_secret, about, ES_EVENT_NORMAL, "Updated", "others", "c");
    flush();
    json_t *list = sent(), *e;
    size_t i;
    int64_t said = 0;
    json_array_foreach (list, i, e)
        said += es_obj_int(e, "count");
    assert_int_equal(said, 25 + 2);
    json_decref(list);
    json_decref(b);
}

/* Causes carry time stamps and request ids: they are not an Event object each. */
static void test_what_differs_in_its_text_only_is_combined(void **state)
{
    char message[64];
    (void)state;

    for (int i = 0; i < 20; i++) {
        snprintf(message, sizeof message, "request %d failed", i);
        say("UpdateFailed", message);
    }
    say("UpdateFailed", "request 3 failed"); /* known: still its own */
    say("Updated", "another reason");
    flush();
    json_t *list = sent(), *e;
    size_t i;
    int singles = 0, combined = 0;
    json_array_foreach (list, i, e) {
        const char *text = es_obj_str(e, "message");
        bool is_combined = es_str_starts(text, "(combined from similar events): ");
        singles += !is_combined;
        combined += is_combined;
        if (is_combined) {
            assert_int_equal(es_obj_int(e, "count"), 11);
            assert_string_equal(text, "(combined from similar events): request 19 failed");
        } else if (es_streq(text, "request 3 failed")) {
            assert_int_equal(es_obj_int(e, "count"), 2);
        }
    }
    assert_int_equal(singles, 9 + 1);
    assert_int_equal(combined, 1);
    json_decref(list);
}

static void test_counting_spends_the_budget_too(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        say("Updated", "secret updated");
    flush();
    json_t *list = sent();
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(es_obj_int(json_array_get(list, 0), "count"), 25);
    json_decref(list);
}

static void test_the_queue_has_an_end(void **state)
{
    enum { MAX = 8192, MORE = 100 };
    (void)state;

    __atomic_store_n(&closed, true, __ATOMIC_SEQ_CST);
    say("Updated", "the first");
    while (__atomic_load_n(&requests, __ATOMIC_SEQ_CST) == 0)
        usleep(1000); /* it is being sent: no longer in the queue */
    int64_t start = es_mono_ms();
    for (int i = 0; i < MAX + MORE; i++)
        say("Updated", "and so on");
    assert_true(es_mono_ms() - start < 10000); /* nobody waited */
    assert_true(dropped() == MORE);
    __atomic_store_n(&closed, false, __ATOMIC_SEQ_CST);
    flush();
}

static void assert_message(const char *message, const char *want, size_t len)
{
    say("Updated", message);
    wait_until_sent(1);
    json_t *list = sent();
    const char *have = es_obj_str(json_array_get(list, 0), "message");
    assert_int_equal(strlen(have), len);
    assert_memory_equal(have, want, len);
    assert_true(es_utf8_valid(have, len));
    json_decref(list);
}

static void test_messages_end_at_1024_bytes(void **state)
{
    char text[2000];
    (void)state;
    memset(text, 'x', sizeof text);
    text[1025] = '\0';
    assert_message(text, text, 1024);
}

static void test_a_message_of_1024_bytes_is_whole(void **state)
{
    char text[2000];
    (void)state;
    memset(text, 'x', sizeof text);
    text[1024] = '\0';
    assert_message(text, text, 1024);
}

static void test_no_character_is_cut_in_two(void **state)
{
    char text[2000];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + 1021, "\xf0\x9f\x94\x91", 4); /* needs 1025 */
    text[1400] = '\0';
    assert_message(text, text, 1021);
}

/* ---- trouble ---- */

static void test_what_may_pass_is_tried_again(void **state)
{
    (void)state;
    fail_with = ES_E_RETRY;
    __atomic_store_n(&to_fail, 3, __ATOMIC_SEQ_CST);
    say("Updated", "secret updated");
    wait_until_sent(1);
    assert_int_equal(requests, 4);
    assert_true(dropped() == 0);
}

static void test_not_for_ever(void **state)
{
    (void)state;
    fail_with = ES_E_RETRY;
    __atomic_store_n(&to_fail, 4, __ATOMIC_SEQ_CST);
    say("Updated", "lost");
    say("Updated", "sent");
    wait_until_sent(1);
    assert_true(dropped() == 1);
    json_t *list = sent();
    assert_string_equal(es_obj_str(json_array_get(list, 0), "message"), "sent");
    json_decref(list);
}

static void test_a_refusal_is_final(void **state)
{
    (void)state;
    fail_with = ES_E_DENIED;
    __atomic_store_n(&to_fail, 1, __ATOMIC_SEQ_CST);
    say("Updated", "refused");
    say("Updated", "sent");
    wait_until_sent(1);
    assert_int_equal(requests, 2);
}

/* ---- the end ---- */

static void test_the_end_waits_for_what_is_under_way(void **state)
{
    json_t *objects[50];
    (void)state;

    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%d", i);
        objects[i] = object(&es_kind_external_secret, "ns", name, NULL);
        es_event_record(events, &es_kind_external_secret, objects[i], ES_EVENT_NORMAL, "R", "tests", "m");
    }
    flush();
    assert_int_equal(sent_count(), 50);
    for (int i = 0; i < 50; i++)
        json_decref(objects[i]);
}

static void test_the_end_waits_no_longer_than_said(void **state)
{
    (void)state;
    fail_with = ES_E_RETRY;
    __atomic_store_n(&to_fail, 1000000, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 25; i++) {
        char message[16];
        snprintf(message, sizeof message, "m%d", i);
        say("Updated", message);
    }
    int64_t start = es_mono_ms();
    es_events_free(events, 50);
    events = NULL;
    assert_true(es_mono_ms() - start < 3000);
    assert_int_equal(sent_count(), 0);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

/* Busy slows down, it does not stop; and the end is not slowed. */
static void test_busy(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    es_events_free(events, 0);
    struct es_events_opts opts = {.cluster = cluster, .busy = always};
    check_ok(es_events_new(&events, &opts, &err), &err);
    int64_t start = es_mono_ms();
    for (int i = 0; i < 5; i++) {
        char message[16];
        snprintf(message, sizeof message, "m%d", i);
        say("Updated", message);
    }
    wait_until_sent(5);
    assert_true(es_mono_ms() - start >= 80);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    es_event_record(NULL, &es_kind_external_secret, about, ES_EVENT_NORMAL, "R", "tests", "m");
    es_events_free(NULL, 100);
    assert_int_equal(sent_count(), 0);
}

#define WITH_EVENTS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_EVENTS(test_what_an_event_says),
        WITH_EVENTS(test_the_same_again_raises_a_count),
        WITH_EVENTS(test_an_expired_event_is_said_anew),
        WITH_EVENTS(test_cluster_scoped_objects_are_talked_about_in_default),
        WITH_EVENTS(test_one_object_cannot_flood),
        WITH_EVENTS(test_what_differs_in_its_text_only_is_combined),
        WITH_EVENTS(test_counting_spends_the_budget_too),
        WITH_EVENTS(test_the_queue_has_an_end),
        WITH_EVENTS(test_messages_end_at_1024_bytes),
        WITH_EVENTS(test_a_message_of_1024_bytes_is_whole),
        WITH_EVENTS(test_no_character_is_cut_in_two),
        WITH_EVENTS(test_what_may_pass_is_tried_again),
        WITH_EVENTS(test_not_for_ever),
        WITH_EVENTS(test_a_refusal_is_final),
        WITH_EVENTS(test_the_end_waits_for_what_is_under_way),
        WITH_EVENTS(test_the_end_waits_no_longer_than_said),
        WITH_EVENTS(test_busy),
        WITH_EVENTS(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
