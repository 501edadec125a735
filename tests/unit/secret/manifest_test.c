/* How the object of a target.manifest looks. */
#include "tests/unit/secret/secret_test.h"

#include <stdio.h>

#include "core/kube/obj.h"
#include "core/secret/hash.h"
#include "core/secret/manifest.h"

#define MANAGER "externalsecrets.external-secrets.io/db"

static const struct es_kind thing = {"example.com", "v1", "things", "Thing", true, ES_HOLDS_PLAIN};

/* One shaping, with all that it needs and gives. */
struct shaping {
    const struct es_kind *kind;
    json_t *es, *existing, *steps;
    struct es_values values;
    struct es_manifest_change change;
    enum es_target_fault fault;
    struct es_error err;
};

static struct shaping s;

static int setup(void **state)
{
    (void)state;
    s = (struct shaping){.kind = &thing};
    s.es = parse("{\"apiVersion\":\"external-secrets.io/v1\",\"kind\":\"ExternalSecret\",\"metadata\":{"
                 "\"name\":\"db\",\"namespace\":\"team\",\"uid\":\"u-es\",\"labels\":{\"l\":\"es\"},"
                 "\"annotations\":{\"a\":\"es\"}},\"spec\":{\"target\":{}}}");
    s.values = values_of("{\"password\":\"hunter2\"}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(s.es);
    json_decref(s.existing);
    json_decref(s.steps);
    json_decref(s.change.object);
    es_values_fini(&s.values);
    return 0;
}

static void target(const char *member, const char *value)
{
    assert_int_equal(es_obj_set(s.es, parse(value), "spec", "target", member), 0);
}

static int shape(void)
{
    json_decref(s.change.object);
    s.change.object = NULL;
    s.err = (struct es_error)ES_ERROR_INIT;
    return es_manifest_shape(&s.change, s.es, s.kind, s.existing, &s.values, s.steps, &s.fault, &s.err);
}

static const json_t *shape_well(void)
{
    if (shape() < 0)
        fail_msg("%s", s.err.text);
    assert_true(es_manifest_is_intact(s.change.object));
    return s.change.object;
}

static void exists(const char *text)
{
    json_decref(s.existing);
    s.existing = parse(text);
}

/* As if what was shaped had been written by `db`, which owns this of it. */
static void written(const char *fields)
{
    json_t *entry = json_pack("[{s:s,s:o}]", "manager", MANAGER, "fieldsV1", parse(fields));

    json_decref(s.existing);
    s.existing = s.change.object;
    s.change.object = NULL;
    es_obj_set(s.existing, json_string("u-1"), "metadata", "uid");
    es_obj_set(s.existing, json_string("7"), "metadata", "resourceVersion");
    es_obj_set(s.existing, entry, "metadata", "managedFields");
}

static struct es_blob blob(const char *text)
{
    struct es_blob b = {0};
    assert_int_equal(es_blob_set(&b, text, strlen(text)), 0);
    return b;
}

static int add(const char *place, const char *key, const char *text)
{
    struct es_blob b = blob(text);
    if (!s.steps)
        s.steps = json_array();
    s.err = (struct es_error)ES_ERROR_INIT;
    int rc = key ? es_manifest_add_value(s.steps, place, key, &b, &s.err)
                 : es_manifest_add_document(s.steps, place, "literal", &b, "", &s.err);
    es_blob_fini(&b);
    return rc;
}

static void add_well(const char *place, const char *key, const char *text)
{
    if (add(place, key, text) < 0)
        fail_msg("%s", s.err.text);
}

static const char *note_of(const json_t *object)
{
    return es_obj_str(object, "metadata", "annotations", ES_ANNOTATION_DATA_HASH);
}

/* ---- without a template ---- */

static void test_a_new_config_map(void **state)
{
    char owner[ES_SHA3_224_HEX_MAX];
    (void)state;

    s.kind = &es_kind_config_map;
    const json_t *o = shape_well();
    assert_true(s.change.differs);
    check_json(json_object_get(o, "data"), "{\"password\":\"hunter2\"}");
    assert_string_equal(es_obj_str(o, "apiVersion"), "v1");
    assert_string_equal(es_obj_str(o, "kind"), "ConfigMap");
    assert_string_equal(es_obj_name(o), "db");
    assert_string_equal(es_obj_namespace(o), "team");
    assert_string_equal(es_obj_str(o, "metadata", "labels", "l"), "es");
    assert_string_equal(es_obj_str(o, "metadata", "annotations", "a"), "es");
    assert_string_equal(es_obj_str(es_obj_controller(o), "uid"), "u-es");
    assert_int_equal(es_owner_hash(owner, "team", "db", NULL), 0);
    assert_string_equal(es_obj_str(o, "metadata", "labels", ES_LABEL_CREATED_BY), owner);
    assert_null(json_object_get(o, "spec"));
}

static void test_other_kinds_have_it_in_spec(void **state)
{
    (void)state;
    const json_t *o = shape_well();
    check_json(json_object_get(o, "spec"), "{\"data\":{\"password\":\"hunter2\"}}");
    assert_null(json_object_get(o, "data"));
    assert_string_equal(note_of(o), "2cb87fd6bd666cf4dc9d145ca274b791381d0a5897e63d4059c55aca");
}

static void test_a_secret_has_it_in_base64(void **state)
{
    (void)state;
    s.kind = &es_kind_secret;
    const json_t *o = shape_well();
    check_json(json_object_get(o, "data"), "{\"password\":\"aHVudGVyMg==\"}");
    assert_string_equal(note_of(o), "5893d3191ca524cee0dfe0ee554b8f9ffc249e979347a915000b6642");
}

static void test_values_have_to_be_text(void **state)
{
    (void)state;
    assert_int_equal(es_values_set(&s.values, "raw", "\xff", 1), 0);
    assert_int_equal(shape(), ES_E_CONFIG);
    assert_string_equal(s.err.text, "the value of key raw is not UTF-8, which only a Secret can hold");
    s.kind = &es_kind_secret;
    shape_well();
}

/* ---- templates ---- */

static void test_named_targets(void **state)
{
    (void)state;
    target("template", "{\"metadata\":{\"labels\":{\"t\":\"1\"}}}");
    add_well("", "k", "v");
    add_well("SPEC", "size", "5");
    add_well("labels", "x", "y");
    add_well("Annotations", NULL, "note: text\n");
    const json_t *o = shape_well();
    check_json(json_object_get(o, "data"), "{\"k\":\"v\"}");
    check_json(json_object_get(o, "spec"), "{\"size\":\"5\"}");
    assert_string_equal(es_obj_str(o, "metadata", "labels", "t"), "1");
    assert_string_equal(es_obj_str(o, "metadata", "labels", "x"), "y");
    assert_string_equal(es_obj_str(o, "metadata", "labels", "l"), ""); /* the template's instead */
    assert_string_equal(es_obj_str(o, "metadata", "annotations", "note"), "text");
}

static void test_documents_and_paths(void **state)
{
    (void)state;
    add_well("spec.source.helm", NULL, "values: 'x: 1'\nlist: [1, 2.5, {x: true}]\n");
    add_well("spec.source.helm", NULL, "values: other\n");
    add_well("spec.parts[1].port", "ignored", "8080");
    add_well("spec.parts[1].name", "ignored", "a: b: c");
    const json_t *o = shape_well();
    check_json(json_object_get(o, "spec"),
               "{\"source\":{\"helm\":{\"values\":\"other\",\"list\":[1,2.5,{\"x\":true}]}},"
               "\"parts\":[null,{\"port\":8080,\"name\":\"a: b: c\"}]}");
    shape_well(); /* the steps are as they were */
    assert_int_equal(json_array_size(es_obj_at(s.change.object, "spec", "source", "helm", "list")), 3);
}

static void test_a_whole_spec(void **state)
{
    (void)state;
    add_well("Spec", NULL, "list: [1, 2.5, {x: true}]\nsize: 1.0e+6\nsmall: 0.00001\ntext: a b\n");
    assert_string_equal(note_of(shape_well()), "e93e5a75822178590d3b982385c11f1c777ebcf7c16160971d4144ac");
}

static void test_documents_that_do_not_fit(void **state)
{
    static const struct {
        const char *place, *text, *why;
    } cases[] = {
        {"Data", "a: [1]",
         "could not unmarshal template to 'map[string][]byte': the value of a is a list, not a text"},
        {"Data", "a: {b: c}",
         "could not unmarshal template to 'map[string][]byte': the value of a is a map, not a text"},
        {"Labels", "[a]", "could not unmarshal template to 'map[string][]byte': it is no map"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(add(cases[i].place, NULL, cases[i].text), ES_E_CONFIG);
        assert_string_equal(s.err.text, cases[i].why);
    }
    assert_int_equal(add("spec.x", NULL, "hunter2: [hunter2"), ES_E_CONFIG);
    assert_non_null(strstr(s.err.text, "could not unmarshal template YAML: literal:"));
    assert_null(strstr(s.err.text, "hunter2"));
}

static void test_scalars_are_texts_and_the_last_of_a_key_counts(void **state)
{
    struct es_blob text = blob("port: 5432\nratio: 5.10\nbig: 123456.75\nok: yes\noff: false\nnone: ~\n"
                               "empty:\noct: 010\nday: 2020-01-02\nk: a\nk: b\n");
    (void)state;

    s.steps = json_array();
    assert_int_equal(es_manifest_add_document(s.steps, "Data", "l", &text, "", &s.err), 0);
    check_json(
        json_object_get(shape_well(), "data"),
        "{\"port\":\"5432\",\"ratio\":\"5.1\",\"big\":\"123456.75\",\"ok\":\"true\",\"false\":\"false\","
        "\"none\":\"\",\"empty\":\"\",\"oct\":\"8\",\"day\":\"2020-01-02\",\"k\":\"b\"}");
    es_blob_fini(&text);
}

static void test_literals_are_decoded(void **state)
{
    struct es_blob text = blob("k: aGk=\n");
    (void)state;

    s.steps = json_array();
    assert_int_equal(es_manifest_add_document(s.steps, "Data", "l", &text, "Base64", &s.err), 0);
    check_json(json_object_get(shape_well(), "data"), "{\"k\":\"hi\"}");
    es_blob_fini(&text);
    text = blob("k: '!'\n");
    assert_int_equal(es_manifest_add_document(s.steps, "Data", "l", &text, "Base64", &s.err), ES_E_CONFIG);
    assert_non_null(strstr(s.err.text, "failed to decode rendered template value for key k: "));
    es_blob_fini(&text);
}

/* A template is a tenant's, the write is the operator's. */
static void test_templates_do_not_change_who_it_is(void **state)
{
    static const char *const places[] = {
        "metadata.namespace", "metadata.name",           "kind", "apiVersion", "metadata.uid",
        "metadata",           "metadata.resourceVersion"};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        json_decref(s.steps);
        s.steps = NULL;
        add_well(places[i], "k", "kube-system");
        assert_int_equal(shape(), ES_E_CONFIG);
        assert_non_null(strstr(s.err.text, "templateFrom must not change the target's"));
    }
}

static void test_steps_that_do_not_fit(void **state)
{
    (void)state;
    add_well("spec", NULL, "text");
    add_well("Spec", "k", "v");
    assert_int_equal(shape(), ES_E_CONFIG);
    assert_string_equal(s.err.text, "failed to set spec field on object: it is no map");
}

static void test_content_is_needed(void **state)
{
    (void)state;
    add_well("spec", NULL, "~");
    assert_int_equal(shape(), ES_E_INVALID);
    assert_string_equal(s.err.text,
                        "failed to hash target \"db\" content: generic target content does not have a "
                        "spec or data field for content hashing");
}

/* ---- what is there already ---- */

static void test_nothing_to_change(void **state)
{
    (void)state;
    shape_well();
    written("{}");
    shape_well();
    assert_false(s.change.differs);
    assert_string_equal(es_obj_str(s.change.object, "metadata", "resourceVersion"), "7");
    assert_null(es_obj_at(s.change.object, "metadata", "managedFields"));
    es_obj_set(s.existing, json_string("edited"), "spec", "data", "password");
    assert_false(es_manifest_is_intact(s.existing));
    shape_well();
    assert_true(s.change.differs);
}

static void test_replacing_keeps_what_is_not_ours(void **state)
{
    (void)state;
    exists("{\"metadata\":{\"name\":\"db\",\"uid\":\"u-1\",\"resourceVersion\":\"3\",\"labels\":{\"theirs\":"
           "\"1\","
           "\"old\":\"1\"},\"finalizers\":[\"f\"],\"managedFields\":[{\"manager\":\"" MANAGER
           "\",\"fieldsV1\":{"
           "\"f:metadata\":{\"f:labels\":{\"f:old\":{}}},\"f:extra\":{\"f:x\":{}}}}]},\"spec\":{\"old\":1},"
           "\"data\":{\"k\":\"v\"},\"extra\":{\"x\":1},\"operation\":{\"sync\":1},\"status\":{\"ok\":true}}");
    const json_t *o = shape_well();
    check_json(json_object_get(o, "spec"), "{\"data\":{\"password\":\"hunter2\"}}");
    check_json(json_object_get(o, "status"), "{\"ok\":true}");
    check_json(json_object_get(o, "operation"), "{\"sync\":1}");
    assert_null(json_object_get(o, "data"));
    assert_null(json_object_get(o, "extra")); /* we put it there, and want it no more */
    assert_string_equal(es_obj_str(o, "metadata", "labels", "theirs"), "1");
    assert_string_equal(es_obj_str(o, "metadata", "labels", "old"), "");
    check_json(es_obj_at(o, "metadata", "finalizers"), "[\"f\"]");
}

static void test_merging_begins_with_what_is_there(void **state)
{
    (void)state;
    s.kind = &es_kind_config_map;
    target("creationPolicy", "\"Merge\"");
    exists("{\"metadata\":{\"name\":\"db\",\"uid\":\"u-1\",\"managedFields\":[{\"manager\":\"" MANAGER
           "\",\"fieldsV1\":{\"f:data\":{\"f:stale\":{}}}}]},\"data\":{\"theirs\":\"x\",\"stale\":\"y\"}}");
    const json_t *o = shape_well();
    check_json(json_object_get(o, "data"), "{\"theirs\":\"x\",\"password\":\"hunter2\"}");
    assert_null(es_obj_controller(o));
    assert_string_equal(es_obj_str(o, "metadata", "labels", ES_LABEL_CREATED_BY), "");
}

static void test_owners(void **state)
{
    (void)state;
    exists("{\"metadata\":{\"name\":\"db\",\"ownerReferences\":[{\"apiVersion\":\"external-secrets.io/"
           "v1\",\"kind\":"
           "\"ExternalSecret\",\"name\":\"other\",\"uid\":\"u\",\"controller\":true}]},\"spec\":{}}");
    assert_int_equal(shape(), ES_E_CONFIG);
    assert_int_equal(s.fault, ES_TARGET_OTHER_OWNER);
    es_obj_set(json_array_get(es_obj_at(s.existing, "metadata", "ownerReferences"), 0),
               json_string("Deployment"), "kind");
    assert_int_equal(shape(), ES_E_CONFIG);
    assert_int_equal(s.fault, ES_TARGET_FOREIGN_OWNER);
    target("creationPolicy", "\"Orphan\"");
    shape_well();
}

/* ---- recognising ---- */

static void test_intact(void **state)
{
    char hash[ES_SHA3_224_HEX_MAX];
    (void)state;

    json_t *o =
        parse("{\"metadata\":{\"labels\":{\"" ES_LABEL_MANAGED
              "\":\"true\"},\"annotations\":{\"" ES_ANNOTATION_DATA_HASH
              "\":\"91bf3dec87055bc57b9c9edafd051023c7314b7c15724a0882143dc6\"}},\"data\":{\"k\":\"v\"}}");
    assert_true(es_manifest_is_intact(o));
    es_obj_set(o, parse("{\"n\":1}"), "status");
    assert_true(es_manifest_is_intact(o));
    es_obj_unset(o, "metadata", "labels");
    assert_false(es_manifest_is_intact(o));
    json_decref(o);
    o = json_object();
    es_manifest_hash(hash, o);
    assert_string_equal(hash, "");
    assert_false(es_manifest_is_intact(o));
    json_decref(o);
}

#define SHAPED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHAPED(test_a_new_config_map),
        SHAPED(test_other_kinds_have_it_in_spec),
        SHAPED(test_a_secret_has_it_in_base64),
        SHAPED(test_values_have_to_be_text),
        SHAPED(test_named_targets),
        SHAPED(test_documents_and_paths),
        SHAPED(test_a_whole_spec),
        SHAPED(test_documents_that_do_not_fit),
        SHAPED(test_scalars_are_texts_and_the_last_of_a_key_counts),
        SHAPED(test_literals_are_decoded),
        SHAPED(test_templates_do_not_change_who_it_is),
        SHAPED(test_steps_that_do_not_fit),
        SHAPED(test_content_is_needed),
        SHAPED(test_nothing_to_change),
        SHAPED(test_replacing_keeps_what_is_not_ours),
        SHAPED(test_merging_begins_with_what_is_there),
        SHAPED(test_owners),
        SHAPED(test_intact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
