/* Whose token is it, and may he read? The API server is this test (--wrap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/ops/reviewer.h"

/* ---- the API server ---- */

static int token_reviews, access_reviews, fail_with;
static char *asked; /* the last SubjectAccessReview's spec */

int __wrap_es_kube_create(struct es_kube *k, const struct es_kind *kind, const char *ns, const json_t *obj,
                          const char *manager, json_t **ret, struct es_error *err);
void __wrap_es_kube_free(struct es_kube *k);
void __wrap_es_kube_stop(struct es_kube *k);

/* A token is its user's name; nobody's begins with "bad". */
static json_t *review_token(const json_t *obj)
{
    const char *token = es_obj_str(obj, "spec", "token");

    token_reviews++;
    assert_string_equal(es_obj_str(obj, "apiVersion"), "authentication.k8s.io/v1");
    if (es_str_starts(token, "bad"))
        return json_pack("{s:{s:b,s:s}}", "status", "authenticated", 0, "error", "no such token");
    return json_pack("{s:{s:b,s:{s:s,s:s,s:[s],s:{s:[s]}}}}", "status", "authenticated", 1, "user",
                     "username", token, "uid", "u1", "groups", "system:authenticated", "extra", "pod", "p1");
}

static json_t *review_access(const json_t *obj)
{
    const char *user = es_obj_str(obj, "spec", "user");

    access_reviews++;
    assert_string_equal(es_obj_str(obj, "apiVersion"), "authorization.k8s.io/v1");
    es_mem_free(asked);
    asked = es_json_text(json_object_get(obj, "spec"), NULL);
    return json_pack("{s:{s:b,s:b}}", "status", "allowed", !es_str_starts(user, "weak"), "denied",
                     es_str_starts(user, "denied"));
}

int __wrap_es_kube_create(struct es_kube *k, const struct es_kind *kind, const char *ns, const json_t *obj,
                          const char *manager, json_t **ret, struct es_error *err)
{
    (void)k;
    assert_null(ns);
    assert_null(manager);
    if (fail_with)
        return es_error_set(err, fail_with, "the API server is away");
    *ret = es_streq(kind->plural, "tokenreviews") ? review_token(obj) : review_access(obj);
    return *ret ? 0 : es_error_nomem(err);
}

static int stopped, freed;

void __wrap_es_kube_free(struct es_kube *k)
{
    freed += k != NULL;
}

void __wrap_es_kube_stop(struct es_kube *k)
{
    stopped += k != NULL;
}

/* ---- the rest of the world ---- */

static int64_t now;

static int64_t tell_time(void *ctx)
{
    (void)ctx;
    return now;
}

static const struct es_clock test_clock = {.mono_ms = tell_time};
static struct es_reviewer *reviewer;

static int set_up(void **state)
{
    static int client;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    token_reviews = access_reviews = fail_with = stopped = freed = 0;
    now = 1000000;
    return es_reviewer_new(&reviewer, (struct es_kube *)&client, &test_clock, &err);
}

static int tear_down(void **state)
{
    (void)state;
    es_reviewer_stop(reviewer);
    es_reviewer_free(reviewer);
    es_mem_free(asked);
    asked = NULL;
    return stopped == 1 && freed == 1 ? 0 : -1;
}

/* ---- tests ---- */

static void test_answers(void **state)
{
    (void)state;
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 200);
    assert_string_equal(asked,
                        "{\"nonResourceAttributes\":{\"path\":\"/metrics\",\"verb\":\"get\"},\"user\":"
                        "\"good\",\"uid\":\"u1\",\"groups\":[\"system:authenticated\"],\"extra\":{\"pod\":"
                        "[\"p1\"]}}");
    assert_int_equal(es_reviewer_ask(reviewer, "weak"), 403);
    assert_int_equal(es_reviewer_ask(reviewer, "denied"), 403);
    assert_int_equal(access_reviews, 3);
    assert_int_equal(es_reviewer_ask(reviewer, "bad"), 401);
    assert_int_equal(access_reviews, 3);
}

static void test_what_is_no_token_is_not_asked_about(void **state)
{
    char *endless = malloc(40000);
    (void)state;

    memset(endless, 'x', 39999);
    endless[39999] = '\0';
    assert_int_equal(es_reviewer_ask(reviewer, ""), 401);
    assert_int_equal(es_reviewer_ask(reviewer, "\xff\xfe"), 401);
    assert_int_equal(es_reviewer_ask(reviewer, endless), 401);
    assert_int_equal(token_reviews, 0);
    free(endless);
}

static void test_an_answer_counts_for_ten_seconds(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(es_reviewer_ask(reviewer, "good"), 200);
        assert_int_equal(es_reviewer_ask(reviewer, "weak"), 403);
        assert_int_equal(es_reviewer_ask(reviewer, "bad"), 401);
        now += 1999;
    }
    assert_int_equal(token_reviews, 3);
    now += 10;
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 200);
    assert_int_equal(token_reviews, 4);
}

static void test_without_an_answer_nobody_reads(void **state)
{
    (void)state;
    fail_with = ES_E_RETRY;
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 503);
    fail_with = 0;
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 200); /* that was not remembered */
    fail_with = ES_E_RETRY;
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 200); /* this is, for a while */
    now += 10001;
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 503);
}

/* Whoever tries one token after the other does not push out who may read. */
static void test_a_flood_of_tokens(void **state)
{
    char token[32];
    (void)state;

    assert_int_equal(es_reviewer_ask(reviewer, "good"), 200);
    for (int i = 0; i < 500; i++) {
        snprintf(token, sizeof token, "bad%d", i);
        assert_int_equal(es_reviewer_ask(reviewer, token), 401);
    }
    assert_int_equal(token_reviews, 501);
    assert_int_equal(es_reviewer_ask(reviewer, "good"), 200);
    assert_int_equal(token_reviews, 501);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_answers),
        WITH(test_what_is_no_token_is_not_asked_about),
        WITH(test_an_answer_counts_for_ten_seconds),
        WITH(test_without_an_answer_nobody_reads),
        WITH(test_a_flood_of_tokens),
    };
    es_mem_init();
    es_log_init(&(struct es_log_opts){.level = ES_ERROR, .fd = 2}); /* warnings are expected here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
