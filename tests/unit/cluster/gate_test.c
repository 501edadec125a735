/* The write gate: everything that writes passes it, nothing that reads does. */
#include "cluster_test.h"

#include "core/cluster/cluster.h"
#include "core/cluster/local_house.h"

#define CM (&es_kind_config_map)

static bool closed;

static const char *barred(void *ctx)
{
    (void)ctx;
    return closed ? "not the leader" : NULL;
}

static const struct es_gate gate = {barred, NULL};

static void refused(int rc, struct es_error *err)
{
    assert_int_equal(rc, ES_E_CANCELLED);
    assert_string_equal(err->text, "not the leader");
    *err = (struct es_error)ES_ERROR_INIT;
}

static void test_no_write_passes_a_closed_gate(void **state)
{
    struct es_cluster *c = NULL;
    struct es_local *house = NULL;
    struct es_error err = ES_ERROR_INIT;
    json_t *one = object(CM, "ns", "one", "{'data':{'k':'v'}}"), *two = object(CM, "ns", "two", NULL);
    json_t *patch = quoted("{'data':{'k':'w'}}"), *stored = NULL;
    (void)state;

    closed = false;
    check_ok(es_cluster_new_local(&c, &house, &err), &err);
    es_cluster_set_gate(c, &gate);
    check_ok(es_cluster_create(c, CM, "ns", one, "m", &stored, &err), &err);
    check_ok(es_cluster_may_write(c, &err), &err);

    closed = true;
    refused(es_cluster_may_write(c, &err), &err);
    refused(es_cluster_create(c, CM, "ns", two, "m", NULL, &err), &err);
    refused(es_cluster_update(c, CM, "ns", "one", stored, "m", NULL, &err), &err);
    refused(es_cluster_patch(c, CM, "ns", "one", NULL, patch, "m", NULL, &err), &err);
    refused(es_cluster_patch(c, CM, "ns", "one", "status", patch, "m", NULL, &err), &err);
    refused(es_cluster_remove(c, CM, "ns", "one", NULL, &err), &err);
    json_t *now = NULL;
    check_ok(es_cluster_get(c, CM, "ns", "one", &now, &err), &err);
    assert_true(json_equal(now, stored));
    json_decref(now);
    assert_int_equal(es_cluster_get(c, CM, "ns", "two", &now, &err), ES_E_NOT_FOUND);

    closed = false;
    check_ok(es_cluster_remove(c, CM, "ns", "one", NULL, &err), &err);
    es_cluster_free(c);
    json_decref(one);
    json_decref(two);
    json_decref(patch);
    json_decref(stored);
}

/* A house that has the call of its own for statuses. */
static int statuses;

static int update_status(void *self, const struct es_kind *kind, const char *ns, const char *name,
                         const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err)
{
    static const char text[] = "{\"metadata\":{\"resourceVersion\":\"7\"}}";
    (void)self, (void)kind, (void)ns, (void)name, (void)obj, (void)err;
    statuses++;
    *ret_text = es_mem_strdup(text);
    *ret_len = sizeof text - 1;
    return 0;
}

static void let_go(void *self)
{
    (void)self;
}

static void test_neither_does_a_status(void **state)
{
    static const struct es_house house = {.update_status = update_status, .free = let_go};
    struct es_cluster *c = NULL;
    struct es_error err = ES_ERROR_INIT;
    json_t *one = object(CM, "ns", "one", NULL);
    (void)state;

    statuses = 0;
    closed = true;
    check_ok(es_cluster_new(&c, &house, NULL, &err), &err);
    es_cluster_set_gate(c, &gate);
    refused(es_cluster_update_status(c, CM, one, &err), &err);
    assert_int_equal(statuses, 0);
    closed = false;
    check_ok(es_cluster_update_status(c, CM, one, &err), &err);
    assert_int_equal(statuses, 1);
    assert_string_equal(es_obj_str(one, "metadata", "resourceVersion"), "7");
    es_cluster_free(c);
    json_decref(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_write_passes_a_closed_gate),
        cmocka_unit_test(test_neither_does_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
