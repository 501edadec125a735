/* The rules of a Lease: replicas with clocks of their own against one API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/kube/kind.h"
#include "core/kube/lease.h"
#include "core/kube/obj.h"

#define DURATION_MS 15000
#define RENEW_MS 10000
#define NOON INT64_C(1700000000000)

/* ---- one API server, and one true time ---- */

static int64_t now_ms; /* true time, which nobody sees as it is */
static json_t *stored;
static int64_t version;
static bool down, forgetful; /* no answer at all; the write is done but the answer is lost */
static int64_t slow_ms;      /* how long an answer takes, after the work is done */
static int gets, writes;
static void (*meanwhile)(void); /* runs once, between a look and the write that follows */

/* Boot clocks begin anywhere, wall clocks are wrong. */
struct replica {
    struct es_lease lease;
    int64_t boot_offset_ms, wall_offset_ms;
};

static int unavailable(struct es_error *err)
{
    return es_error_set(err, ES_E_RETRY, "connection refused");
}

static int answer(json_t **ret, struct es_error *err)
{
    now_ms += slow_ms;
    if (forgetful)
        return unavailable(err);
    *ret = json_deep_copy(stored);
    return 0;
}

static void store(const json_t *obj)
{
    json_t *copy = json_deep_copy(obj);
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)++version);
    es_obj_set(copy, json_string(text), "metadata", "resourceVersion");
    json_decref(stored);
    stored = copy;
    writes++;
}

static int api_get(void *ctx, json_t **ret, struct es_error *err)
{
    (void)ctx;
    gets++;
    if (down)
        return unavailable(err);
    int rc = stored ? answer(ret, err) : es_error_set(err, ES_E_NOT_FOUND, "leases \"l\" not found");
    void (*then)(void) = meanwhile;
    meanwhile = NULL;
    if (then)
        then();
    return rc;
}

static int api_create(void *ctx, const json_t *obj, json_t **ret, struct es_error *err)
{
    (void)ctx;
    if (down)
        return unavailable(err);
    if (stored)
        return es_error_set(err, ES_E_EXISTS, "leases \"l\" already exists");
    store(obj);
    return answer(ret, err);
}

static int api_update(void *ctx, const json_t *obj, json_t **ret, struct es_error *err)
{
    (void)ctx;
    if (down)
        return unavailable(err);
    if (!stored)
        return es_error_set(err, ES_E_NOT_FOUND, "leases \"l\" not found");
    if (!es_streq(es_obj_str(obj, "metadata", "resourceVersion"),
                  es_obj_str(stored, "metadata", "resourceVersion")))
        return es_error_set(err, ES_E_CONFLICT, "the object has been modified");
    store(obj);
    return answer(ret, err);
}

static int64_t api_boot_ms(void *ctx)
{
    const struct replica *r = ctx;
    return now_ms + r->boot_offset_ms;
}

static int64_t api_unix_ms(void *ctx)
{
    const struct replica *r = ctx;
    return NOON + now_ms + r->wall_offset_ms;
}

static void join(struct replica *r, const char *identity)
{
    struct es_lease_opts opts = {.ns = "ns",
                                 .name = "l",
                                 .identity = identity,
                                 .duration_ms = DURATION_MS,
                                 .renew_ms = RENEW_MS,
                                 .api = {.get = api_get,
                                         .create = api_create,
                                         .update = api_update,
                                         .boot_ms = api_boot_ms,
                                         .unix_ms = api_unix_ms,
                                         .ctx = r}};
    es_lease_init(&r->lease, &opts);
}

/* What the gate asks. */
static bool may_write(const struct replica *r)
{
    return r->lease.state == ES_LEASE_HELD && now_ms + r->boot_offset_ms < r->lease.safe_until_ms;
}

static enum es_lease_state round_of(struct replica *r)
{
    struct es_error err = ES_ERROR_INIT;
    int rc = es_lease_round(&r->lease, &err);

    if (rc < 0)
        fail_msg("%s: %s", es_code_name(rc), err.text);
    return r->lease.state;
}

static void round_fails(struct replica *r)
{
    struct es_error err = ES_ERROR_INIT;
    assert_int_equal(es_lease_round(&r->lease, &err), ES_E_RETRY);
}

static json_t *quoted(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *value = json_loads(copy, 0, NULL);
    free(copy);
    assert_non_null(value);
    return value;
}

/* As client-go leaves it, managedFields and all. */
static void store_go_lease(const char *holder, const char *renewed)
{
    json_t *lease = quoted(
        "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'l','namespace':'ns',"
        "'uid':'u','labels':{'team':'a'},'managedFields':[{'manager':'external-secrets'}]},'spec':{"
        "'leaseDurationSeconds':15,'leaseTransitions':4,"
        "'acquireTime':'2026-01-02T03:04:05.123456Z'}}");
    es_obj_set(lease, json_string(holder), "spec", "holderIdentity");
    es_obj_set(lease, json_string(renewed), "spec", "renewTime");
    store(lease);
    json_decref(lease);
}

static struct replica a, b;

static int set_up(void **state)
{
    (void)state;
    now_ms = 0;
    version = slow_ms = 0;
    down = forgetful = false;
    gets = writes = 0;
    meanwhile = NULL;
    a = (struct replica){.boot_offset_ms = 1000};
    b = (struct replica){.boot_offset_ms = 86400000, .wall_offset_ms = -3600000};
    join(&a, "a_1");
    join(&b, "b_2");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    es_lease_fini(&a.lease);
    es_lease_fini(&b.lease);
    json_decref(stored);
    stored = NULL;
    return 0;
}

static void check_spec(const char *want)
{
    json_t *wanted = quoted(want);
    char *have = json_dumps(es_obj_at(stored, "spec"), JSON_SORT_KEYS | JSON_COMPACT);

    if (!json_equal(wanted, es_obj_at(stored, "spec")))
        fail_msg("have %s\nwant %s", have, want);
    free(have);
    json_decref(wanted);
}

/* ---- getting and keeping it ---- */

static void test_the_first_makes_the_lease(void **state)
{
    (void)state;
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    assert_true(may_write(&a));
    assert_string_equal(es_obj_str(stored, "apiVersion"), "coordination.k8s.io/v1");
    assert_string_equal(es_obj_str(stored, "kind"), "Lease");
    assert_string_equal(es_obj_name(stored), "l");
    assert_string_equal(es_obj_namespace(stored), "ns");
    check_spec("{'holderIdentity':'a_1','leaseDurationSeconds':15,'leaseTransitions':0,"
               "'acquireTime':'2023-11-14T22:13:20.000000Z','renewTime':'2023-11-14T22:13:20.000000Z'}");
}

static void test_a_renewal_is_one_request_and_moves_one_time(void **state)
{
    (void)state;
    round_of(&a);
    now_ms += 2000;
    gets = writes = 0;
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    assert_int_equal(gets, 0);
    assert_int_equal(writes, 1);
    check_spec("{'holderIdentity':'a_1','leaseDurationSeconds':15,'leaseTransitions':0,"
               "'acquireTime':'2023-11-14T22:13:20.000000Z','renewTime':'2023-11-14T22:13:22.000000Z'}");
}

static void test_others_wait_while_it_is_renewed(void **state)
{
    (void)state;
    round_of(&a);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(round_of(&b), ES_LEASE_WAITING);
        assert_string_equal(es_lease_holder(&b.lease), "a_1");
        now_ms += 2000;
        assert_int_equal(round_of(&a), ES_LEASE_HELD);
    }
}

static void a_takes_it(void)
{
    round_of(&a);
}

static void test_a_conflict_means_somebody_was_quicker(void **state)
{
    (void)state;
    store_go_lease("", "2026-01-02T03:04:05.123456Z");
    meanwhile = a_takes_it;
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    assert_int_equal(a.lease.state, ES_LEASE_HELD);
    assert_true(may_write(&a) && !may_write(&b));
    assert_string_equal(es_obj_str(stored, "spec", "holderIdentity"), "a_1");
}

static void test_two_make_it_at_the_same_moment(void **state)
{
    (void)state;
    meanwhile = a_takes_it; /* b has found nothing, and so has a */
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    assert_true(may_write(&a) && !may_write(&b));
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    assert_string_equal(es_lease_holder(&b.lease), "a_1");
}

/* ---- taking over ---- */

static void test_a_dead_leader_is_replaced_by_the_own_clock(void **state)
{
    (void)state;
    round_of(&a);
    now_ms += 700;
    round_of(&b); /* sees it here for the first time */
    now_ms += DURATION_MS - 1;
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    now_ms += 1;
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
    assert_int_equal(es_obj_int(stored, "spec", "leaseTransitions"), 1);
    assert_string_equal(es_obj_str(stored, "spec", "acquireTime"), es_obj_str(stored, "spec", "renewTime"));
    /* What a knows by itself: long over. */
    assert_false(may_write(&a));
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
}

static void test_times_in_the_record_decide_nothing(void **state)
{
    static const char *const stamps[] = {"1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z",
                                         "nonsense"};
    (void)state;

    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
        store_go_lease("go_pod", stamps[i]);
        assert_int_equal(round_of(&b), ES_LEASE_WAITING);
        now_ms += DURATION_MS - 1;
        assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    }
}

static void test_a_holder_in_go_is_respected_and_followed(void **state)
{
    (void)state;
    store_go_lease("external-secrets-7d9_0f1e", "2026-01-02T03:04:05.123456Z");
    assert_int_equal(round_of(&a), ES_LEASE_WAITING);
    now_ms += 10000;
    store_go_lease("external-secrets-7d9_0f1e", "2026-01-02T03:04:15.123456Z");
    assert_int_equal(round_of(&a), ES_LEASE_WAITING);
    now_ms += 14999;
    assert_int_equal(round_of(&a), ES_LEASE_WAITING);
    /* It ends as client-go does with ReleaseOnCancel. */
    store_go_lease("", "2026-01-02T03:04:20.000000Z");
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    assert_string_equal(es_obj_str(stored, "metadata", "labels", "team"), "a");
    assert_string_equal(es_obj_str(stored, "metadata", "uid"), "u");
    assert_int_equal(es_obj_int(stored, "spec", "leaseTransitions"), 5);
}

static void test_the_holder_says_how_long_to_wait(void **state)
{
    (void)state;
    store_go_lease("go_pod", "2026-01-02T03:04:05.123456Z");
    es_obj_set(stored, json_integer(60), "spec", "leaseDurationSeconds");
    round_of(&b);
    now_ms += 59999;
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    now_ms += 1;
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
}

static void test_a_record_without_a_duration_has_ours(void **state)
{
    (void)state;
    store_go_lease("go_pod", "2026-01-02T03:04:05.123456Z");
    es_obj_unset(stored, "spec", "leaseDurationSeconds");
    round_of(&b);
    now_ms += DURATION_MS - 1;
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    now_ms += 1;
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
}

static void test_a_label_is_no_sign_of_life(void **state)
{
    (void)state;
    round_of(&a);
    round_of(&b);
    now_ms += DURATION_MS;
    es_obj_set(stored, json_string("x"), "metadata", "labels", "touched");
    es_obj_set(stored, json_string("99"), "metadata", "resourceVersion");
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
}

static void test_the_watch_counts_as_looking(void **state)
{
    (void)state;
    round_of(&a);
    round_of(&b);
    now_ms += 5000;
    round_of(&a);
    es_lease_see(&b.lease, stored);
    assert_int_equal(es_lease_free_at(&b.lease), now_ms + b.boot_offset_ms + DURATION_MS);
    now_ms += 10000;
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
}

/* ---- never two ---- */

static void test_nobody_writes_before_the_next_one_may(void **state)
{
    (void)state;
    round_of(&a);
    round_of(&b);
    bool b_leads = false;
    int gap = 0;
    for (int i = 0; i < 40000 && !b_leads; i++) {
        now_ms++;
        b_leads = now_ms % 10 == 0 && round_of(&b) == ES_LEASE_HELD;
        assert_false(may_write(&a) && b_leads);
        gap += !may_write(&a) && !b_leads;
    }
    assert_true(b_leads);
    assert_int_equal(gap, DURATION_MS - RENEW_MS);
}

static void test_the_term_begins_when_the_request_was_made(void **state)
{
    (void)state;
    round_of(&a);
    now_ms += 2000;
    slow_ms = 4000;
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    slow_ms = 0;
    now_ms += RENEW_MS - 4000 - 1;
    assert_true(may_write(&a));
    now_ms += 1;
    assert_false(may_write(&a));
}

static void test_an_answer_that_comes_too_late_is_none(void **state)
{
    (void)state;
    round_of(&a);
    slow_ms = RENEW_MS;
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
    assert_false(may_write(&a));
}

static void test_a_leader_that_slept_too_long_does_not_ask_again(void **state)
{
    (void)state;
    round_of(&a);
    now_ms += RENEW_MS;
    gets = writes = 0;
    assert_false(may_write(&a));
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
    assert_int_equal(gets + writes, 0);
    now_ms += 1;
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
    assert_int_equal(gets + writes, 0);
}

static void test_an_api_server_that_is_away_for_less(void **state)
{
    (void)state;
    round_of(&a);
    down = true;
    for (now_ms = 2000; now_ms < RENEW_MS; now_ms += 2000) {
        round_fails(&a);
        assert_true(may_write(&a));
    }
    down = false;
    now_ms = RENEW_MS - 1;
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    assert_true(may_write(&a));
    assert_int_equal(a.lease.safe_until_ms, now_ms + a.boot_offset_ms + RENEW_MS);
}

static void test_an_api_server_that_is_away_for_more(void **state)
{
    (void)state;
    round_of(&a);
    down = true;
    for (now_ms = 2000; now_ms < RENEW_MS; now_ms += 2000)
        round_fails(&a);
    assert_false(may_write(&a));
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
    /* Back again, and nobody has come: still, what is lost is lost. */
    down = false;
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
    assert_string_equal(es_obj_str(stored, "spec", "holderIdentity"), "a_1");
}

static void test_a_standby_has_patience_with_the_api_server(void **state)
{
    (void)state;
    round_of(&a);
    round_of(&b);
    down = true;
    now_ms += DURATION_MS;
    round_fails(&b);
    assert_int_equal(b.lease.state, ES_LEASE_WAITING);
    down = false;
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
}

static void test_a_renewal_whose_answer_is_lost(void **state)
{
    (void)state;
    round_of(&a);
    int64_t before = a.lease.safe_until_ms;
    now_ms += 2000;
    forgetful = true;
    round_fails(&a);
    assert_int_equal(a.lease.safe_until_ms, before);
    forgetful = false;
    now_ms += 2000;
    assert_int_equal(round_of(&a), ES_LEASE_HELD); /* its own conflict */
    assert_int_equal(es_obj_int(stored, "spec", "leaseTransitions"), 0);
}

static void test_a_first_claim_whose_answer_is_lost(void **state)
{
    (void)state;
    forgetful = true;
    round_fails(&a);
    assert_false(may_write(&a));
    forgetful = false;
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    assert_int_equal(es_obj_int(stored, "spec", "leaseTransitions"), 0);
}

static void test_somebody_else_in_the_record_is_the_end(void **state)
{
    (void)state;
    round_of(&a);
    store_go_lease("go_pod", "2026-01-02T03:04:05.123456Z");
    now_ms += 10;
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
    assert_false(may_write(&a));
    assert_string_equal(es_obj_str(stored, "spec", "holderIdentity"), "go_pod");
}

/* ---- deleted by hand ---- */

static void delete_it(void)
{
    json_decref(stored);
    stored = NULL;
}

static void test_the_leader_makes_a_deleted_lease_again(void **state)
{
    (void)state;
    round_of(&a);
    delete_it();
    now_ms += 2000;
    assert_int_equal(round_of(&a), ES_LEASE_HELD);
    assert_string_equal(es_obj_str(stored, "spec", "holderIdentity"), "a_1");
}

static void test_a_standby_leaves_a_deleted_lease_to_its_holder(void **state)
{
    (void)state;
    round_of(&a);
    round_of(&b);
    delete_it();
    es_lease_see(&b.lease, NULL);
    now_ms += 1;
    assert_int_equal(round_of(&b), ES_LEASE_WAITING);
    assert_null(stored);
    now_ms += DURATION_MS;
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
    assert_int_equal(es_obj_int(stored, "spec", "leaseTransitions"), 1);
    assert_false(may_write(&a));
}

static void test_a_leader_whose_deleted_lease_was_taken_ends(void **state)
{
    (void)state;
    round_of(&a);
    delete_it();
    assert_int_equal(round_of(&b), ES_LEASE_HELD); /* it never saw a's */
    now_ms += 1;
    assert_int_equal(round_of(&a), ES_LEASE_LOST);
}

/* ---- giving it back ---- */

static void test_what_is_given_back_is_taken_at_once(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;
    round_of(&a);
    round_of(&b);
    now_ms += 500;
    assert_int_equal(es_lease_release(&a.lease, &err), 0);
    assert_false(may_write(&a));
    check_spec("{'holderIdentity':'','leaseDurationSeconds':1,'leaseTransitions':0,"
               "'acquireTime':'2023-11-14T22:13:20.500000Z','renewTime':'2023-11-14T22:13:20.500000Z'}");
    assert_int_equal(round_of(&b), ES_LEASE_HELD);
    assert_int_equal(es_obj_int(stored, "spec", "leaseDurationSeconds"), 15);
    assert_int_equal(es_obj_int(stored, "spec", "leaseTransitions"), 1);
}

static void test_what_is_not_ours_is_not_given_back(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;
    round_of(&a);
    round_of(&b);
    writes = 0;
    assert_int_equal(es_lease_release(&b.lease, &err), 0);
    assert_int_equal(writes, 0);
    /* Taken by another one meanwhile. */
    store_go_lease("go_pod", "2026-01-02T03:04:05.123456Z");
    assert_int_equal(es_lease_release(&a.lease, &err), 0);
    assert_string_equal(es_obj_str(stored, "spec", "holderIdentity"), "go_pod");
}

static void test_giving_back_may_fail(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;
    round_of(&a);
    down = true;
    assert_int_equal(es_lease_release(&a.lease, &err), ES_E_RETRY);
    assert_false(may_write(&a));
}

static void test_parts_of_a_second_are_rounded_up(void **state)
{
    (void)state;
    a.lease.opts.duration_ms = 2500;
    round_of(&a);
    assert_int_equal(es_obj_int(stored, "spec", "leaseDurationSeconds"), 3);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_the_first_makes_the_lease),
        T(test_a_renewal_is_one_request_and_moves_one_time),
        T(test_others_wait_while_it_is_renewed),
        T(test_a_conflict_means_somebody_was_quicker),
        T(test_two_make_it_at_the_same_moment),
        T(test_a_dead_leader_is_replaced_by_the_own_clock),
        T(test_times_in_the_record_decide_nothing),
        T(test_a_holder_in_go_is_respected_and_followed),
        T(test_the_holder_says_how_long_to_wait),
        T(test_a_record_without_a_duration_has_ours),
        T(test_a_label_is_no_sign_of_life),
        T(test_the_watch_counts_as_looking),
        T(test_nobody_writes_before_the_next_one_may),
        T(test_the_term_begins_when_the_request_was_made),
        T(test_an_answer_that_comes_too_late_is_none),
        T(test_a_leader_that_slept_too_long_does_not_ask_again),
        T(test_an_api_server_that_is_away_for_less),
        T(test_an_api_server_that_is_away_for_more),
        T(test_a_standby_has_patience_with_the_api_server),
        T(test_a_renewal_whose_answer_is_lost),
        T(test_a_first_claim_whose_answer_is_lost),
        T(test_somebody_else_in_the_record_is_the_end),
        T(test_the_leader_makes_a_deleted_lease_again),
        T(test_a_standby_leaves_a_deleted_lease_to_its_holder),
        T(test_a_leader_whose_deleted_lease_was_taken_ends),
        T(test_what_is_given_back_is_taken_at_once),
        T(test_what_is_not_ours_is_not_given_back),
        T(test_giving_back_may_fail),
        T(test_parts_of_a_second_are_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
