/* Who wrote which member of data, labels and annotations. */
#include "cluster_test.h"

#include "core/cluster/managed_fields.h"

/* The object after `manager` has written `now` over `before` (or NULL). */
static json_t *write_as(const char *manager, json_t *before, const char *now)
{
    json_t *o = object(&es_kind_secret, "ns", "a", now);
    json_t *fields = es_obj_at(before, "metadata", "managedFields");
    if (fields) /* the server keeps them, whatever the caller sends */
        es_obj_set(o, json_deep_copy(fields), "metadata", "managedFields");
    assert_int_equal(es_managed_fields_update(o, before, manager), 0);
    json_decref(before);
    return o;
}

static const json_t *fields_of(const json_t *o, const char *manager)
{
    json_t *entry;
    size_t i;
    json_array_foreach (es_obj_at(o, "metadata", "managedFields"), i, entry)
        if (es_streq(es_obj_str(entry, "manager"), manager))
            return json_object_get(entry, "fieldsV1");
    return NULL;
}

static void test_a_new_object_is_its_makers(void **state)
{
    json_t *o = write_as(
        "m", NULL, "{'data':{'a':'1','b':'2'},'metadata':{'labels':{'l':'x'},'annotations':{'n':'y'}}}");
    (void)state;
    check_json(es_obj_at(o, "metadata", "managedFields"),
               "[{'manager':'m','operation':'Update','fieldsType':'FieldsV1','fieldsV1':{'f:data':{'f:a':{},'"
               "f:b':{}},"
               "'f:metadata':{'f:labels':{'f:l':{}},'f:annotations':{'f:n':{}}}}}]");
    json_decref(o);
}

static void test_a_change_moves_ownership(void **state)
{
    json_t *o = write_as("m", NULL, "{'data':{'a':'1','b':'2'}}");
    (void)state;
    o = write_as("n", o, "{'data':{'a':'9','b':'2','c':'3'}}");
    check_json(fields_of(o, "m"), "{'f:data':{'f:b':{}}}");
    check_json(fields_of(o, "n"), "{'f:data':{'f:a':{},'f:c':{}}}");
    json_decref(o);
}

static void test_the_same_value_changes_no_owner(void **state)
{
    json_t *o = write_as("m", NULL, "{'data':{'a':'1'}}");
    (void)state;
    o = write_as("n", o, "{'data':{'a':'1'}}");
    check_json(fields_of(o, "m"), "{'f:data':{'f:a':{}}}");
    check_json(fields_of(o, "n"), "{}");
    json_decref(o);
}

static void test_what_is_gone_is_nobodys(void **state)
{
    json_t *o = write_as("m", NULL, "{'data':{'a':'1','b':'2'},'metadata':{'labels':{'l':'x'}}}");
    (void)state;
    o = write_as("n", o, "{'data':{'b':'2'}}");
    check_json(fields_of(o, "m"), "{'f:data':{'f:b':{}},'f:metadata':{'f:labels':{}}}");
    json_decref(o);
}

static void test_nobody_in_particular(void **state)
{
    json_t *o = write_as("m", NULL, "{'data':{'a':'1'}}");
    (void)state;
    o = write_as(NULL, o, "{'data':{'a':'2'}}");
    check_json(fields_of(o, "m"), "{'f:data':{'f:a':{}}}");
    json_decref(o);
    o = write_as(NULL, NULL, "{'data':{'a':'2'}}");
    assert_null(es_obj_at(o, "metadata", "managedFields"));
    json_decref(o);
}

/* A label's name may have 253 bytes of prefix, a slash and 63 more. */
static void test_the_longest_names(void **state)
{
    char key[253 + 1 + 63 + 1];
    json_t *o = object(&es_kind_secret, "ns", "a", NULL), *before;
    (void)state;

    memset(key, 'p', sizeof key - 1);
    key[253] = '/';
    key[sizeof key - 1] = '\0';
    es_obj_set(o, json_string("x"), "metadata", "labels", key);
    assert_int_equal(es_managed_fields_update(o, NULL, "m"), 0);
    before = json_deep_copy(o);
    assert_int_equal(es_managed_fields_update(o, before, "m"), 0);
    const json_t *labels = es_obj_at(fields_of(o, "m"), "f:metadata", "f:labels");
    assert_int_equal(json_object_size(labels), 1);
    assert_string_equal(json_object_iter_key(json_object_iter((json_t *)(uintptr_t)labels)) + 2, key);
    json_decref(before);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_object_is_its_makers),
        cmocka_unit_test(test_a_change_moves_ownership),
        cmocka_unit_test(test_the_same_value_changes_no_owner),
        cmocka_unit_test(test_what_is_gone_is_nobodys),
        cmocka_unit_test(test_nobody_in_particular),
        cmocka_unit_test(test_the_longest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
