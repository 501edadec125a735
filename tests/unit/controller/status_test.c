/* Conditions, and that a status is patched with no more than what differs. */
#include "tests/unit/cluster/cluster_test.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cluster/local_house.h"
#include "core/controller/status.h"

/* The linker sends the patches here (--wrap). */
int __real_es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                            const char *name, const char *subresource, const json_t *patch,
                            const char *manager, json_t **ret, struct es_error *err);
int __wrap_es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                            const char *name, const char *subresource, const json_t *patch,
                            const char *manager, json_t **ret, struct es_error *err);

static json_t *sent; /* the last patch */
static int sent_count;

int __wrap_es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                            const char *name, const char *subresource, const json_t *patch,
                            const char *manager, json_t **ret, struct es_error *err)
{
    assert_string_equal(subresource, "status");
    json_decref(sent);
    sent = json_deep_copy(patch);
    sent_count++;
    return __real_es_cluster_patch(c, kind, ns, name, subresource, patch, manager, ret, err);
}

int __real_es_cluster_update_status(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                                    struct es_error *err);
int __wrap_es_cluster_update_status(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                                    struct es_error *err);

/* The answer of a house that can replace a status; 1: the house has no such call. */
static int replace_answer = 1;
static json_t *replaced;

int __wrap_es_cluster_update_status(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                                    struct es_error *err)
{
    if (replace_answer == 1)
        return __real_es_cluster_update_status(c, kind, obj, err);
    json_decref(replaced);
    replaced = json_deep_copy(obj);
    return replace_answer < 0 ? es_error_set(err, replace_answer, "no") : 0;
}

/* ---- conditions ---- */

#define T1 INT64_C(1700000000000) /* 2023-11-14T22:13:20Z */
#define T2 (T1 + 60000)

static json_t *with_conditions(const char *conditions)
{
    json_t *o = object(&es_kind_external_secret, "ns", "a", NULL);
    if (conditions)
        es_obj_set(o, quoted(conditions), "status", "conditions");
    return o;
}

static void assert_conditions(const char *before, const struct es_condition *ready, int64_t now_ms,
                              const char *after)
{
    json_t *o = with_conditions(before);
    json_t *have = es_status_conditions(o, ready, now_ms);
    check_json(have, after);
    json_decref(have);
    json_decref(o);
}

static const struct es_condition good = {
    .status = "True", .reason = "SecretSynced", .message = "secret synced"};
static const struct es_condition bad = {
    .status = "False", .reason = "SecretSyncedError", .message = "could not update secret", .cause = "no"};

#define GOOD_T1                                                                                              \
    "{'type':'Ready','status':'True','reason':'SecretSynced','message':'secret synced',"                     \
    "'lastTransitionTime':'2023-11-14T22:13:20Z'}"
#define BAD_T2                                                                                               \
    "{'type':'Ready','status':'False','reason':'SecretSyncedError','message':'could not update secret: no'," \
    "'lastTransitionTime':'2023-11-14T22:14:20Z'}"

static void test_the_first_condition(void **state)
{
    (void)state;
    assert_conditions(NULL, &good, T1, "[" GOOD_T1 "]");
    assert_conditions("[]", &bad, T2, "[" BAD_T2 "]");
    assert_conditions("'odd'", &good, T1, "[" GOOD_T1 "]");
}

static void test_the_same_again_changes_nothing(void **state)
{
    (void)state;
    assert_conditions("[" GOOD_T1 "]", &good, T2, "[" GOOD_T1 "]");
    assert_conditions("[" BAD_T2 "]", &bad, T2 + 5000, "[" BAD_T2 "]");
}

static void test_the_time_moves_with_the_status_only(void **state)
{
    const struct es_condition merged = {
        .status = "True", .reason = "SecretMissing", .message = "secret will not be created"};
    (void)state;

    assert_conditions(
        "[" GOOD_T1 "]", &merged, T2,
        "[{'type':'Ready','status':'True','reason':'SecretMissing','message':'secret will not be "
        "created','lastTransitionTime':'2023-11-14T22:13:20Z'}]");
    assert_conditions("[" GOOD_T1 "]", &bad, T2, "[" BAD_T2 "]");
    assert_conditions("[{'type':'Ready','status':'False'}]", &bad, T2, "[" BAD_T2 "]"); /* had no time */
}

static void test_ready_goes_to_the_end(void **state)
{
    (void)state;
    assert_conditions("[" GOOD_T1 ",{'type':'Deleted','status':'False'}]", &good, T2,
                      "[{'type':'Deleted','status':'False'}," GOOD_T1 "]");
    assert_conditions("[" GOOD_T1 ",{'type':'Deleted','status':'False'}," GOOD_T1 "]", &bad, T2,
                      "[{'type':'Deleted','status':'False'}," BAD_T2 "]");
}

static void assert_message(const char *text, const char *cause, const char *want)
{
    const struct es_condition c = {.status = "False", .reason = "R", .message = text, .cause = cause};
    json_t *o = with_conditions(NULL), *list = es_status_conditions(o, &c, T1);
    assert_non_null(list);
    assert_string_equal(es_obj_str(json_array_get(list, 0), "message"), want);
    json_decref(list);
    json_decref(o);
}

static void test_causes(void **state)
{
    (void)state;
    assert_message("could not update secret", "conflict", "could not update secret: conflict");
    assert_message("could not update secret", NULL, "could not update secret");
    assert_message("could not update secret", "", "could not update secret");
}

static void test_messages_end_at_one_kibibyte(void **state)
{
    char cause[1400], want[1100];
    (void)state;

    memset(cause, 'x', sizeof cause);
    cause[sizeof cause - 1] = '\0';
    snprintf(want, sizeof want, "m: %.1021s", cause);
    assert_message("m", cause, want);

    /* Characters of two, three and four bytes across the cut, at every place. */
    static const char *const runes[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\x91"};
    for (size_t r = 0; r < 3; r++)
        for (int shift = 0; shift < 4; shift++) {
            const struct es_condition c = {.status = "False", .reason = "R", .message = "m", .cause = cause};
            size_t len = strlen(runes[r]);
            memset(cause, 'x', (size_t)shift);
            for (size_t at = (size_t)shift; at + len < sizeof cause; at += len)
                memcpy(cause + at, runes[r], len + 1);
            json_t *o = with_conditions(NULL), *list = es_status_conditions(o, &c, T1);
            assert_non_null(list);
            const char *message = es_obj_str(json_array_get(list, 0), "message");
            assert_true(strlen(message) <= 1024 && strlen(message) > 1024 - len);
            assert_true(es_utf8_valid(message, strlen(message)));
            json_decref(list);
            json_decref(o);
        }
}

/* ---- patches ---- */

static struct es_env env;
static struct es_local *house;
static json_t *have;

static int setup(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    env = (struct es_env){0};
    sent_count = 0;
    replace_answer = 1;
    check_ok(es_cluster_new_local(&env.cluster, &house, &err), &err);
    json_t *o =
        object(&es_kind_external_secret, "ns", "a",
               "{'spec':{'x':1},'status':{'refreshTime':'t1','binding':{'name':'b'},'conditions':[1]}}");
    check_ok(es_local_apply(house, o, &err), &err);
    json_decref(o);
    check_ok(es_cluster_get(env.cluster, &es_kind_external_secret, "ns", "a", &have, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(have);
    json_decref(sent);
    json_decref(replaced);
    sent = replaced = NULL;
    es_cluster_free(env.cluster);
    return 0;
}

static int patch(const char *status)
{
    struct es_error err = ES_ERROR_INIT;
    return es_status_patch(&env, &es_kind_external_secret, have, quoted(status), &err);
}

static void assert_status(const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *now = NULL;
    check_ok(es_cluster_get(env.cluster, &es_kind_external_secret, "ns", "a", &now, &err), &err);
    check_json(json_object_get(now, "status"), want);
    check_json(json_object_get(now, "spec"), "{'x':1}");
    json_decref(now);
}

static void test_only_what_differs_is_sent(void **state)
{
    (void)state;
    assert_int_equal(patch("{'refreshTime':'t2','binding':{'name':'b'},'conditions':[1]}"), 0);
    assert_int_equal(sent_count, 1);
    check_json(json_object_get(sent, "status"), "{'refreshTime':'t2'}");
    assert_int_equal(json_object_size(sent), 2);
    check_json(json_object_get(sent, "metadata"), "{'uid':'00000000-0000-4000-8000-000000000001'}");
    assert_status("{'refreshTime':'t2','binding':{'name':'b'},'conditions':[1]}");
}

static void test_nothing_is_sent_when_nothing_differs(void **state)
{
    (void)state;
    assert_int_equal(patch("{'refreshTime':'t1','binding':{'name':'b'}}"), 0);
    assert_int_equal(patch("{}"), 0);
    assert_int_equal(patch("{'absent':null}"), 0);
    assert_int_equal(sent_count, 0);
}

static void test_null_removes(void **state)
{
    (void)state;
    assert_int_equal(patch("{'binding':null,'absent':null}"), 0);
    check_json(json_object_get(sent, "status"), "{'binding':null}");
    assert_status("{'refreshTime':'t1','conditions':[1]}");
}

static void test_a_vanished_object_is_no_error(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;
    check_ok(es_local_delete(house, &es_kind_external_secret, "ns", "a", &err), &err);
    assert_int_equal(patch("{'refreshTime':'t2'}"), 0);
}

static void test_a_successor_is_left_alone(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    check_ok(es_local_delete(house, &es_kind_external_secret, "ns", "a", &err), &err);
    json_t *o =
        object(&es_kind_external_secret, "ns", "a", "{'spec':{'x':1},'status':{'refreshTime':'new'}}");
    check_ok(es_local_apply(house, o, &err), &err);
    json_decref(o);
    assert_int_equal(patch("{'refreshTime':'t2'}"), ES_E_CONFLICT);
    assert_status("{'refreshTime':'new'}");
}

/* ---- houses that can replace a status ---- */

static void test_a_status_is_replaced_whole(void **state)
{
    json_t *before = json_deep_copy(have);
    (void)state;

    replace_answer = 0;
    assert_int_equal(patch("{'refreshTime':'t2','binding':null,'conditions':[1]}"), 0);
    assert_int_equal(sent_count, 0);
    check_json(json_object_get(replaced, "status"), "{'refreshTime':'t2','conditions':[1]}");
    assert_true(json_equal(json_object_get(replaced, "metadata"), json_object_get(have, "metadata")));
    assert_true(json_equal(json_object_get(replaced, "spec"), json_object_get(have, "spec")));
    assert_true(json_equal(have, before)); /* it was borrowed */
    json_decref(before);
}

static void test_nothing_to_replace(void **state)
{
    (void)state;
    replace_answer = 0;
    assert_int_equal(patch("{'refreshTime':'t1'}"), 0);
    assert_null(replaced);
}

static void test_a_newer_version_is_patched(void **state)
{
    (void)state;
    replace_answer = ES_E_CONFLICT;
    assert_int_equal(patch("{'refreshTime':'t2'}"), 0);
    assert_int_equal(sent_count, 1);
    assert_status("{'refreshTime':'t2','binding':{'name':'b'},'conditions':[1]}");
}

static void test_other_failures_are_told(void **state)
{
    (void)state;
    replace_answer = ES_E_RETRY;
    assert_int_equal(patch("{'refreshTime':'t2'}"), ES_E_RETRY);
    replace_answer = ES_E_NOT_FOUND;
    assert_int_equal(patch("{'refreshTime':'t2'}"), 0);
    assert_int_equal(sent_count, 0);
}

static void test_no_memory(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;
    assert_int_equal(es_status_patch(&env, &es_kind_external_secret, have, NULL, &err), ES_E_NOMEM);
    assert_int_equal(sent_count, 0);
}

/* ---- differences ---- */

static void check_difference(const char *before, const char *after, const char *difference)
{
    json_t *old = quoted(before), *new = quoted(after), *expected = quoted(difference);
    json_t *diff = es_status_diff(old, new);

    assert_true(json_equal(diff, expected));
    assert_int_equal(es_json_merge_patch(old, diff), 0);
    assert_true(json_equal(old, new));
    json_decref(old);
    json_decref(new);
    json_decref(expected);
    json_decref(diff);
}

static void test_a_difference_is_what_a_patch_needs(void **state)
{
    (void)state;
    check_difference("{}", "{}", "{}");
    check_difference("{'a':{'b':1}}", "{'a':{'b':1}}", "{}");
    check_difference("{}", "{'a':{'b':[1]}}", "{'a':{'b':[1]}}");
    check_difference("{'a':{'b':1,'c':2},'d':{}}", "{'a':{'c':3,'e':4}}",
                     "{'a':{'b':null,'c':3,'e':4},'d':null}");
    check_difference("{'a':{'b':1}}", "{'a':'text'}", "{'a':'text'}");
    check_difference("{'a':[{'b':1}]}", "{'a':[{'b':2}]}", "{'a':[{'b':2}]}");
    json_t *diff = es_status_diff(NULL, json_object_get(NULL, "a"));
    assert_int_equal(json_object_size(diff), 0);
    json_decref(diff);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_condition),
        cmocka_unit_test(test_the_same_again_changes_nothing),
        cmocka_unit_test(test_the_time_moves_with_the_status_only),
        cmocka_unit_test(test_ready_goes_to_the_end),
        cmocka_unit_test(test_causes),
        cmocka_unit_test(test_messages_end_at_one_kibibyte),
        cmocka_unit_test(test_a_difference_is_what_a_patch_needs),
        WITH_HOUSE(test_only_what_differs_is_sent),
        WITH_HOUSE(test_nothing_is_sent_when_nothing_differs),
        WITH_HOUSE(test_null_removes),
        WITH_HOUSE(test_a_vanished_object_is_no_error),
        WITH_HOUSE(test_a_successor_is_left_alone),
        WITH_HOUSE(test_a_status_is_replaced_whole),
        WITH_HOUSE(test_nothing_to_replace),
        WITH_HOUSE(test_a_newer_version_is_patched),
        WITH_HOUSE(test_other_failures_are_told),
        WITH_HOUSE(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
