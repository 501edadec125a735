#include "tests/unit/secret/secret_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/codec.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"
#include "core/secret/target.h"

/* An ExternalSecret team/db with this spec.target. */
static json_t *es_with(const char *target)
{
    json_t *es = parse("{\"apiVersion\":\"external-secrets.io/v1\",\"kind\":\"ExternalSecret\","
                       "\"metadata\":{\"name\":\"db\",\"namespace\":\"team\",\"uid\":\"u-es\"},\"spec\":{}}");
    assert_int_equal(es_obj_set(es, parse(target), "spec", "target"), 0);
    return es;
}

/* One pass, with everything it needs and everything it gives. */
struct pass {
    json_t *es, *existing;
    struct es_values values;
    struct es_rendered_template *rendered;
    struct es_target_change change;
    enum es_target_fault fault;
    struct es_error err;
    int rc;
};

static void shape(struct pass *p)
{
    json_decref(p->change.object);
    p->change = (struct es_target_change){0};
    p->fault = ES_TARGET_OK;
    p->err = (struct es_error)ES_ERROR_INIT;
    p->rc = es_target_shape(&p->change, p->es, p->existing, &p->values, p->rendered, &p->fault, &p->err);
}

static void shape_well(struct pass *p)
{
    shape(p);
    if (p->rc < 0)
        fail_msg("%s", p->err.text);
    assert_int_equal(p->fault, ES_TARGET_OK);
    assert_int_equal(p->change.create, !p->existing);
    assert_string_equal(es_obj_str(p->change.object, "metadata", "annotations", ES_ANNOTATION_DATA_HASH),
                        p->change.data_hash);
}

static void check_fault(struct pass *p, enum es_target_fault fault, int code, const char *text)
{
    p->change.object = NULL;
    shape(p);
    assert_int_equal(p->rc, code);
    assert_int_equal(p->fault, fault);
    check_error(&p->err, code, text);
    assert_null(p->change.object);
}

static void done(struct pass *p)
{
    json_decref(p->es);
    json_decref(p->existing);
    json_decref(p->change.object);
    es_values_fini(&p->values);
    if (p->rendered) {
        es_values_fini(&p->rendered->data);
        json_decref(p->rendered->labels);
        json_decref(p->rendered->annotations);
    }
}

static struct pass pass_of(const char *target, const char *existing, const char *values)
{
    return (struct pass){
        .es = es_with(target), .existing = existing ? parse(existing) : NULL, .values = values_of(values)};
}

static const char *data_of(const struct pass *p, const char *key)
{
    return es_obj_str(p->change.object, "data", key);
}

/* What the API server would hand back after a write: metadata of its own, and
 * the fields that this manager set. */
static json_t *stored(const json_t *object, const char *manager)
{
    json_t *live = json_deep_copy(object);
    json_t *fields = parse("{\"f:data\":{\".\":{}},\"f:metadata\":{\"f:labels\":{\".\":{}},"
                           "\"f:annotations\":{\".\":{}}},\"f:type\":{}}");
    static const char *const maps[] = {"labels", "annotations"};
    const char *key;
    json_t *value;
    char field[256];

    json_object_foreach (es_obj_at(live, "data"), key, value) {
        snprintf(field, sizeof field, "f:%s", key);
        es_obj_set(fields, json_object(), "f:data", field);
    }
    for (size_t i = 0; i < 2; i++) {
        char map[32];
        snprintf(map, sizeof map, "f:%s", maps[i]);
        json_object_foreach (es_obj_at(live, "metadata", maps[i]), key, value) {
            snprintf(field, sizeof field, "f:%s", key);
            es_obj_set(fields, json_object(), "f:metadata", map, field);
        }
    }
    es_obj_set(live, json_string("u-secret"), "metadata", "uid");
    es_obj_set(live, json_string("42"), "metadata", "resourceVersion");
    es_obj_set(live,
               json_pack("[{s:s, s:s, s:s, s:o}]", "manager", manager, "operation", "Update", "apiVersion",
                         "v1", "fieldsV1", fields),
               "metadata", "managedFields");
    return live;
}

/* The next pass finds what this one wrote. */
static void write_it(struct pass *p)
{
    char manager[ES_FIELD_MANAGER_MAX];
    assert_int_equal(es_field_manager(manager, es_obj_name(p->es), NULL), 0);
    json_t *live = stored(p->change.object, manager);
    json_decref(p->existing);
    p->existing = live;
}

static void fetch(struct pass *p, const char *values)
{
    es_values_fini(&p->values);
    p->values = values_of(values);
}

static void edit(struct pass *p, const char *target)
{
    assert_int_equal(es_obj_set(p->es, parse(target), "spec", "target"), 0);
}

static void test_owner_creates(void **state)
{
    struct pass p = pass_of("{}", NULL, "{\"k\":\"x\",\"a\":\"y\"}");
    char owner[ES_SHA3_224_HEX_MAX], hash[ES_SHA3_224_HEX_MAX];
    char want[1024];
    (void)state;

    shape_well(&p);
    assert_true(p.change.differs);
    assert_int_equal(es_owner_hash(owner, "team", "db", NULL), 0);
    assert_int_equal(es_hash_values(hash, &p.values, NULL), 0);
    assert_string_equal(p.change.data_hash, hash);
    snprintf(want, sizeof want,
             "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"Opaque\",\"data\":{\"a\":\"eQ==\",\"k\":"
             "\"eA==\"},"
             "\"metadata\":{\"name\":\"db\",\"namespace\":\"team\","
             "\"labels\":{\"" ES_LABEL_MANAGED "\":\"true\",\"" ES_LABEL_CREATED_BY "\":\"%s\"},"
             "\"annotations\":{\"" ES_ANNOTATION_DATA_HASH "\":\"%s\"},"
             "\"ownerReferences\":[{\"apiVersion\":\"external-secrets.io/v1\",\"kind\":\"ExternalSecret\","
             "\"name\":\"db\",\"uid\":\"u-es\",\"controller\":true,\"blockOwnerDeletion\":true}]}}",
             owner, hash);
    check_json(p.change.object, want);
    done(&p);
}

static void test_a_created_secret_is_valid_and_stays_unwritten(void **state)
{
    static const char *const targets[] = {"{}", "{\"creationPolicy\":\"Owner\"}",
                                          "{\"creationPolicy\":\"Orphan\"}",
                                          "{\"creationPolicy\":\"CreateOrMerge\"}", "{\"immutable\":true}"};
    (void)state;

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct pass p = pass_of(targets[i], NULL, "{\"k\":\"x\"}");
        shape_well(&p);
        write_it(&p);
        assert_true(es_target_is_valid(p.es, p.existing, p.change.data_hash));
        shape_well(&p);
        assert_false(p.change.differs);
        done(&p);
    }
}

static void test_orphan_creates_without_owner(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Orphan\",\"name\":\"other\"}", NULL, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    assert_string_equal(es_obj_name(p.change.object), "other");
    assert_null(es_obj_at(p.change.object, "metadata", "ownerReferences"));
    check_json(es_obj_at(p.change.object, "metadata", "labels"), "{\"" ES_LABEL_MANAGED "\":\"true\"}");
    done(&p);
}

static void test_no_values_make_an_empty_secret(void **state)
{
    struct pass p = pass_of("{}", NULL, "{}");
    (void)state;

    shape_well(&p);
    check_json(es_obj_at(p.change.object, "data"), "{}");
    assert_string_equal(p.change.data_hash, "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");

    /* The API server leaves out what is empty. */
    write_it(&p);
    es_obj_unset(p.existing, "data");
    shape_well(&p);
    assert_false(p.change.differs);
    done(&p);
}

static const char foreign[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"Opaque\",\"data\":{\"old\":\"dg==\",\"k\":"
    "\"b2xk\"},"
    "\"metadata\":{\"name\":\"db\",\"namespace\":\"team\",\"uid\":\"u\",\"resourceVersion\":\"7\","
    "\"creationTimestamp\":\"2024-01-01T00:00:00Z\",\"labels\":{\"mine\":\"1\"},"
    "\"annotations\":{\"note\":\"keep\"},\"managedFields\":[{\"manager\":\"kubectl\",\"operation\":"
    "\"Update\","
    "\"fieldsV1\":{\"f:data\":{\".\":{},\"f:old\":{},\"f:k\":{}}}}]}}";

static void test_owner_adopts_and_drops_foreign_keys(void **state)
{
    struct pass p = pass_of("{}", foreign, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    assert_true(p.change.differs);
    check_json(es_obj_at(p.change.object, "data"), "{\"k\":\"eA==\"}");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "mine"), "1");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "annotations", "note"), "keep");
    assert_string_equal(es_obj_str(es_obj_controller(p.change.object), "uid"), "u-es");
    done(&p);
}

static void test_an_update_is_bound_to_what_was_seen(void **state)
{
    struct pass p = pass_of("{}", foreign, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    assert_string_equal(es_obj_str(p.change.object, "metadata", "resourceVersion"), "7");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "uid"), "u");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "creationTimestamp"), "2024-01-01T00:00:00Z");
    assert_null(es_obj_at(p.change.object, "metadata", "managedFields"));
    done(&p);
}

static void test_the_existing_secret_is_left_alone(void **state)
{
    static const char *const targets[] = {"{}", "{\"creationPolicy\":\"Merge\"}", "{\"immutable\":true}"};
    (void)state;

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct pass p = pass_of(targets[i], foreign, "{\"k\":\"x\"}");
        shape_well(&p);
        check_json(p.existing, foreign);
        done(&p);
    }
}

/* Items of a list have neither apiVersion nor kind; an update needs them. */
static void test_an_item_of_a_list_becomes_an_object(void **state)
{
    struct pass p = pass_of("{}", NULL, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    write_it(&p);
    json_object_del(p.existing, "apiVersion");
    json_object_del(p.existing, "kind");
    shape_well(&p);
    assert_false(p.change.differs);
    assert_string_equal(es_obj_str(p.change.object, "apiVersion"), "v1");
    assert_string_equal(es_obj_str(p.change.object, "kind"), "Secret");
    done(&p);
}

static void test_merge_and_create_or_merge_keep_foreign_keys(void **state)
{
    static const char *const targets[] = {"{\"creationPolicy\":\"Merge\"}",
                                          "{\"creationPolicy\":\"CreateOrMerge\"}"};
    char hash[ES_SHA3_224_HEX_MAX];
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct pass p = pass_of(targets[i], foreign, "{\"k\":\"x\"}");
        shape_well(&p);
        check_json(es_obj_at(p.change.object, "data"), "{\"old\":\"dg==\",\"k\":\"eA==\"}");
        assert_null(es_obj_at(p.change.object, "metadata", "ownerReferences"));
        assert_null(es_obj_at(p.change.object, "metadata", "labels", ES_LABEL_CREATED_BY));
        /* The hash is that of everything in the Secret. */
        assert_int_equal(es_hash_secret_data(hash, es_obj_at(p.change.object, "data"), NULL), 0);
        assert_string_equal(p.change.data_hash, hash);
        done(&p);
    }
}

static void test_merge_takes_its_stale_keys_away(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Merge\"}", foreign, "{\"k\":\"x\",\"l\":\"y\"}");
    (void)state;

    shape_well(&p);
    json_object_del(es_obj_at(p.change.object, "data"), "old");
    write_it(&p);
    es_obj_set(p.existing, json_string("dg=="), "data", "old");
    fetch(&p, "{\"k\":\"x\"}");
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "data"), "{\"old\":\"dg==\",\"k\":\"eA==\"}");
    assert_true(p.change.differs);
    done(&p);
}

/* An entry for each operation and subresource is ours if the name is. */
static void test_all_entries_of_our_manager_count(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Merge\"}", foreign, "{}");
    (void)state;

    es_obj_set(p.existing, parse("{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"f:d\":\"\"}"), "data");
    es_obj_set(p.existing,
               parse("[{\"manager\":\"externalsecrets.external-secrets.io/db\",\"operation\":\"Update\","
                     "\"fieldsV1\":{\"f:data\":{\".\":{},\"f:a\":{}}}},"
                     "{\"manager\":\"externalsecrets.external-secrets.io/db2\",\"operation\":\"Update\","
                     "\"fieldsV1\":{\"f:data\":{\".\":{},\"f:b\":{}}}},"
                     "{\"manager\":\"externalsecrets.external-secrets.io/db\",\"operation\":\"Apply\","
                     "\"fieldsV1\":{\"f:data\":{\"f:c\":{},\"f:f:d\":{}}}},"
                     "{\"manager\":\"externalsecrets.external-secrets.io/db\",\"operation\":\"Apply\"}]"),
               "metadata", "managedFields");
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "data"), "{\"b\":\"\"}");
    done(&p);
}

static void test_merge_creates_nothing(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Merge\"}", NULL, "{\"k\":\"x\"}");
    (void)state;

    check_fault(&p, ES_TARGET_INTERNAL, ES_E_NOT_FOUND,
                "secret will not be created due to CreationPolicy=Merge");
    done(&p);
}

static void test_none_writes_nothing_and_unknown_words_are_refused(void **state)
{
    struct pass none = pass_of("{\"creationPolicy\":\"None\"}", NULL, "{}");
    struct pass odd = pass_of("{\"creationPolicy\":\"Sometimes\"}", NULL, "{}");
    (void)state;

    check_fault(&none, ES_TARGET_INTERNAL, ES_E_INTERNAL, "creationPolicy None writes no Secret");
    check_fault(&odd, ES_TARGET_INTERNAL, ES_E_CONFIG, "unknown creationPolicy Sometimes");
    assert_false(es_creation_policy_of(none.es)->writes);
    assert_null(es_creation_policy_of(odd.es));
    done(&none);
    done(&odd);
}

static void test_policies(void **state)
{
    static const struct {
        const char *target, *name;
        bool creates, owns, keeps_others, writes;
    } rows[] = {
        {"{}", "Owner", true, true, false, true},
        {"{\"creationPolicy\":\"Owner\"}", "Owner", true, true, false, true},
        {"{\"creationPolicy\":\"Orphan\"}", "Orphan", true, false, false, true},
        {"{\"creationPolicy\":\"CreateOrMerge\"}", "CreateOrMerge", true, false, true, true},
        {"{\"creationPolicy\":\"Merge\"}", "Merge", false, false, true, true},
        {"{\"creationPolicy\":\"None\"}", "None", false, false, false, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *es = es_with(rows[i].target);
        const struct es_creation_policy *have = es_creation_policy_of(es);
        assert_string_equal(have->name, rows[i].name);
        assert_int_equal(have->creates, rows[i].creates);
        assert_int_equal(have->owns, rows[i].owns);
        assert_int_equal(have->keeps_others, rows[i].keeps_others);
        assert_int_equal(have->writes, rows[i].writes);
        json_decref(es);
    }
}

static void test_without_template_all_labels_and_annotations_are_copied(void **state)
{
    struct pass p = pass_of("{}", NULL, "{}");
    (void)state;

    es_obj_set(p.es, parse("{\"app\":\"x\"}"), "metadata", "labels");
    es_obj_set(p.es, parse("{\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\",\"n\":\"1\"}"),
               "metadata", "annotations");
    shape_well(&p);
    assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "app"), "x");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "annotations", "n"), "1");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "annotations",
                                   "kubectl.kubernetes.io/last-applied-configuration"),
                        "{}");

    /* And go with the ExternalSecret's; those of others stay. */
    write_it(&p);
    es_obj_set(p.existing, json_string("1"), "metadata", "labels", "mine");
    es_obj_set(p.es, parse("{\"app\":\"y\"}"), "metadata", "labels");
    es_obj_set(p.es, parse("{}"), "metadata", "annotations");
    shape_well(&p);
    assert_true(p.change.differs);
    assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "app"), "y");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "mine"), "1");
    assert_int_equal(json_object_size(es_obj_at(p.change.object, "metadata", "annotations")), 1);
    done(&p);
}

/* The bookkeeping of one ExternalSecret is not passed on as a label of another. */
static void test_copied_marks_do_not_win(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Orphan\"}", NULL, "{}");
    (void)state;

    es_obj_set(p.es, parse("{\"" ES_LABEL_MANAGED "\":\"false\",\"" ES_LABEL_CREATED_BY "\":\"me\"}"),
               "metadata", "labels");
    es_obj_set(p.es, parse("{\"" ES_ANNOTATION_DATA_HASH "\":\"0\"}"), "metadata", "annotations");
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "metadata", "labels"), "{\"" ES_LABEL_MANAGED "\":\"true\"}");
    assert_string_not_equal(p.change.data_hash, "0");
    done(&p);
}

static void test_a_template_replaces_the_values(void **state)
{
    struct es_rendered_template t = {.data = values_of("{\"dsn\":\"bob:pw\"}"),
                                     .labels = parse("{\"l\":\"1\"}"),
                                     .annotations = parse("{\"a\":\"2\"}")};
    struct pass p = pass_of("{\"template\":{\"type\":\"example.com/dsn\","
                            "\"metadata\":{\"finalizers\":[\"example.com/one\",\"example.com/two\"]}}}",
                            NULL, "{\"u\":\"bob\",\"p\":\"pw\"}");
    (void)state;

    p.rendered = &t;
    es_obj_set(p.es, parse("{\"not\":\"this\"}"), "metadata", "labels");
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "data"), "{\"dsn\":\"Ym9iOnB3\"}");
    assert_string_equal(es_obj_str(p.change.object, "type"), "example.com/dsn");
    check_json(es_obj_at(p.change.object, "metadata", "finalizers"),
               "[\"example.com/one\",\"example.com/two\"]");
    assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "l"), "1");
    assert_null(es_obj_at(p.change.object, "metadata", "labels", "not"));
    assert_string_equal(es_obj_str(p.change.object, "metadata", "annotations", "a"), "2");
    done(&p);
}

static void test_a_template_may_include_the_values(void **state)
{
    struct es_rendered_template t = {.data = values_of("{\"u\":\"BOB\"}"), .includes_values = true};
    struct pass p =
        pass_of("{\"template\":{\"mergePolicy\":\"Merge\"}}", NULL, "{\"u\":\"bob\",\"p\":\"pw\"}");
    (void)state;

    p.rendered = &t;
    shape_well(&p);
    assert_string_equal(data_of(&p, "u"), "Qk9C");
    assert_string_equal(data_of(&p, "p"), "cHc=");
    assert_string_equal(es_obj_str(p.change.object, "type"), "Opaque");
    done(&p);
}

static void test_a_template_merges_into_foreign_keys(void **state)
{
    struct es_rendered_template t = {.data = values_of("{\"dsn\":\"x\"}")};
    struct pass p = pass_of("{\"creationPolicy\":\"Merge\",\"template\":{}}", foreign, "{\"u\":\"bob\"}");
    (void)state;

    p.rendered = &t;
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "data"), "{\"old\":\"dg==\",\"k\":\"b2xk\",\"dsn\":\"eA==\"}");
    done(&p);
}

static void test_stale_template_labels_go_even_for_long_names(void **state)
{
    static const char *const names[] = {
        "db", "a-name-between-28-and-63-letters",
        "a-name-that-is-longer-than-63-letters-and-is-thus-hashed-all-the-same"};
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct es_rendered_template t = {.labels = parse("{\"one\":\"1\",\"two\":\"2\"}"),
                                         .annotations = parse("{\"three\":\"3\"}")};
        struct pass p = pass_of("{\"template\":{}}", NULL, "{}");
        p.rendered = &t;
        es_obj_set(p.es, json_string(names[i]), "metadata", "name");
        shape_well(&p);
        write_it(&p);
        json_object_del(t.labels, "one");
        json_object_clear(t.annotations);
        shape_well(&p);
        assert_null(es_obj_at(p.change.object, "metadata", "labels", "one"));
        assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "two"), "2");
        assert_null(es_obj_at(p.change.object, "metadata", "annotations", "three"));
        done(&p);
    }
}

static void test_finalizers_are_added_once_and_not_to_the_dying(void **state)
{
    struct es_rendered_template t = {0};
    struct pass p =
        pass_of("{\"template\":{\"metadata\":{\"finalizers\":[\"a/a\",\"b/b\",\"a/a\",7]}}}", foreign, "{}");
    (void)state;

    p.rendered = &t;
    es_obj_set(p.existing, parse("[\"b/b\"]"), "metadata", "finalizers");
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "metadata", "finalizers"), "[\"b/b\",\"a/a\"]");
    es_obj_set(p.existing, json_string("2024-01-01T00:00:00Z"), "metadata", "deletionTimestamp");
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "metadata", "finalizers"), "[\"b/b\"]");
    done(&p);
}

static void test_type_is_kept_unless_the_template_says_otherwise(void **state)
{
    struct es_rendered_template t = {.includes_values = true};
    struct pass p = pass_of("{\"template\":{}}", foreign, "{}");
    (void)state;

    p.rendered = &t;
    es_obj_set(p.existing, json_string("example.com/x"), "type");
    shape_well(&p);
    assert_string_equal(es_obj_str(p.change.object, "type"), "example.com/x");
    edit(&p, "{\"template\":{\"type\":\"example.com/y\"}}");
    shape_well(&p);
    assert_string_equal(es_obj_str(p.change.object, "type"), "example.com/y");
    assert_true(p.change.differs);
    done(&p);
}

static void test_a_template_has_to_be_rendered_first(void **state)
{
    struct pass p = pass_of("{\"template\":{}}", NULL, "{}");
    (void)state;

    check_fault(&p, ES_TARGET_INTERNAL, ES_E_INTERNAL, "target.template was not rendered");
    done(&p);
}

static void test_rendered_keys_that_are_no_text(void **state)
{
    struct es_rendered_template t = {0};
    struct pass p = pass_of("{\"template\":{}}", NULL, "{}");
    (void)state;

    p.rendered = &t;
    assert_int_equal(es_values_set(&t.data, "k\xff", "x", 1), 0);
    check_fault(&p, ES_TARGET_TEMPLATE, ES_E_CONFIG, "a key of the secret is not UTF-8");
    done(&p);
}

static void test_bytes_are_kept_as_they_are(void **state)
{
    static const unsigned char bytes[] = {0, 255, 0, 10};
    struct pass p = pass_of("{}", NULL, "{}");
    (void)state;

    assert_int_equal(es_values_set(&p.values, "bin", bytes, sizeof bytes), 0);
    assert_int_equal(es_values_set(&p.values, "empty", "", 0), 0);
    shape_well(&p);
    check_json(es_obj_at(p.change.object, "data"), "{\"bin\":\"AP8ACg==\",\"empty\":\"\"}");
    done(&p);
}

static void set_zeroes(struct pass *p, const char *key, size_t size)
{
    char *big = calloc(1, size);

    assert_non_null(big);
    assert_int_equal(es_values_set(&p->values, key, big, size), 0);
    free(big);
}

static void test_a_secret_has_a_ceiling(void **state)
{
    enum { HALF = 512 * 1024 };
    struct pass p = pass_of("{}", NULL, "{}");
    (void)state;

    set_zeroes(&p, "a", HALF);
    set_zeroes(&p, "b", HALF);
    shape_well(&p);
    json_decref(p.change.object);
    set_zeroes(&p, "b", HALF + 1);
    check_fault(
        &p, ES_TARGET_TEMPLATE, ES_E_TOO_LARGE,
        "secret db would hold 1048577 bytes, and Kubernetes takes 1048576 at most: ask for fewer keys, "
        "or spread them over several ExternalSecrets (largest: b with 524289 bytes)");
    set_zeroes(&p, "a", 10 * HALF);
    check_fault(
        &p, ES_TARGET_TEMPLATE, ES_E_TOO_LARGE,
        "secret db would hold 5242880 bytes, and Kubernetes takes 1048576 at most: ask for fewer keys, "
        "or spread them over several ExternalSecrets (largest: a with 5242880 bytes)");
    done(&p);
}

static void test_everything_a_tamperer_can_do_is_seen(void **state)
{
    static const struct {
        const char *name, *value;
    } metadata[] = {{"labels", "{}"}, {"annotations", "{}"}, {"ownerReferences", "[]"}};
    struct pass p = pass_of("{}", NULL, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    write_it(&p);
    json_t *clean = json_deep_copy(p.existing);
    es_obj_set(p.existing, json_string("MQ=="), "data", "extra");
    shape_well(&p);
    assert_true(p.change.differs);
    check_json(es_obj_at(p.change.object, "data"), "{\"k\":\"eA==\"}");

    for (size_t i = 0; i < 3; i++) {
        json_decref(p.existing);
        p.existing = json_deep_copy(clean);
        es_obj_set(p.existing, parse(metadata[i].value), "metadata", metadata[i].name);
        shape_well(&p);
        assert_true(p.change.differs);
        assert_true(json_equal(es_obj_at(p.change.object, "metadata", metadata[i].name),
                               es_obj_at(clean, "metadata", metadata[i].name)));
    }
    json_decref(clean);
    done(&p);
}

static void test_immutable_marks_a_new_secret(void **state)
{
    struct pass p = pass_of("{\"immutable\":true}", NULL, "{\"k\":\"x\"}");
    (void)state;

    assert_false(es_target_is_frozen(p.es, NULL));
    shape_well(&p);
    assert_true(es_obj_bool(p.change.object, "immutable"));
    assert_string_equal(data_of(&p, "k"), "eA==");

    /* Changed values are dropped without a word. */
    write_it(&p);
    fetch(&p, "{\"k\":\"changed\"}");
    assert_true(es_target_is_frozen(p.es, p.existing));
    shape_well(&p);
    assert_false(p.change.differs);
    done(&p);
}

static void test_immutable_freezes_an_existing_secret_as_it_is(void **state)
{
    struct pass p = pass_of("{\"immutable\":true,\"template\":{}}", foreign, "{\"k\":\"changed\"}");
    char hash[ES_SHA3_224_HEX_MAX];
    (void)state;

    shape_well(&p);
    assert_true(p.change.differs);
    assert_true(es_obj_bool(p.change.object, "immutable"));
    check_json(es_obj_at(p.change.object, "data"), "{\"old\":\"dg==\",\"k\":\"b2xk\"}");
    assert_int_equal(es_hash_secret_data(hash, es_obj_at(p.existing, "data"), NULL), 0);
    assert_string_equal(p.change.data_hash, hash);
    done(&p);
}

static void test_immutable_switched_off_is_too_late(void **state)
{
    struct pass p = pass_of("{\"immutable\":true}", NULL, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    write_it(&p);
    json_decref(p.change.object);
    edit(&p, "{}");
    fetch(&p, "{\"k\":\"x\",\"l\":\"x\"}");
    check_fault(&p, ES_TARGET_IMMUTABLE, ES_E_CONFIG, "secret is immutable");
    done(&p);
}

static void test_the_type_of_an_immutable_secret_is_fixed_too(void **state)
{
    struct es_rendered_template t = {.includes_values = true};
    struct pass p = pass_of("{\"immutable\":true}", NULL, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    write_it(&p);
    json_decref(p.change.object);
    edit(&p, "{\"template\":{\"type\":\"example.com/y\"}}");
    p.rendered = &t;
    check_fault(&p, ES_TARGET_IMMUTABLE, ES_E_CONFIG, "secret is immutable");
    done(&p);
}

static void test_metadata_of_an_immutable_secret_can_change(void **state)
{
    struct pass p = pass_of("{\"immutable\":true}", NULL, "{\"k\":\"x\"}");
    (void)state;

    shape_well(&p);
    write_it(&p);
    edit(&p, "{}");
    es_obj_set(p.es, parse("{\"new\":\"label\"}"), "metadata", "labels");
    shape_well(&p);
    assert_true(p.change.differs);
    assert_true(es_obj_bool(p.change.object, "immutable"));
    assert_string_equal(es_obj_str(p.change.object, "metadata", "labels", "new"), "label");
    done(&p);
}

static void test_owned_by_another(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Merge\"}", foreign, "{}");
    (void)state;

    es_obj_set(
        p.existing,
        parse("[{\"apiVersion\":\"external-secrets.io/v1\",\"kind\":\"ExternalSecret\",\"name\":\"first\","
              "\"uid\":\"u1\",\"controller\":true}]"),
        "metadata", "ownerReferences");
    check_fault(&p, ES_TARGET_OTHER_OWNER, ES_E_CONFIG, "secret is owned by another ExternalSecret: first");
    done(&p);
}

static void test_existing_data_that_cannot_be_read(void **state)
{
    struct pass p = pass_of("{\"creationPolicy\":\"Merge\"}", foreign, "{}");
    struct pass q = pass_of("{}", "{}", "{}");
    (void)state;

    es_obj_set(p.existing, json_string("%%%"), "data", "broken");
    check_fault(&p, ES_TARGET_INTERNAL, ES_E_INVALID, "secret data is not an object of base64 strings");
    check_fault(&q, ES_TARGET_INTERNAL, ES_E_INVALID, "the existing object is no Secret");
    done(&p);
    done(&q);
}

static void test_target_name(void **state)
{
    json_t *named = es_with("{\"name\":\"other\"}"), *plain = es_with("{\"name\":\"\"}");
    (void)state;

    assert_string_equal(es_target_name(named), "other");
    assert_string_equal(es_target_name(plain), "db");
    json_decref(named);
    json_decref(plain);
}

static void test_validity(void **state)
{
    json_t *owner = es_with("{}"), *orphan = es_with("{\"creationPolicy\":\"Orphan\"}");
    json_t *good = parse("{\"metadata\":{\"labels\":{\"" ES_LABEL_MANAGED "\":\"true\"},"
                         "\"annotations\":{\"" ES_ANNOTATION_DATA_HASH "\":\"abc\"}}}");
    json_t *unlabelled = parse("{\"metadata\":{\"annotations\":{\"" ES_ANNOTATION_DATA_HASH "\":\"abc\"}}}");
    json_t *mislabelled = parse("{\"metadata\":{\"labels\":{\"" ES_LABEL_MANAGED "\":\"yes\"},"
                                "\"annotations\":{\"" ES_ANNOTATION_DATA_HASH "\":\"abc\"}}}");
    json_t *unhashed = parse("{\"metadata\":{\"labels\":{\"" ES_LABEL_MANAGED "\":\"true\"}}}");
    (void)state;

    assert_true(es_target_is_valid(owner, good, "abc"));
    assert_false(es_target_is_valid(owner, good, "abd"));
    assert_false(es_target_is_valid(owner, unlabelled, "abc"));
    assert_false(es_target_is_valid(owner, mislabelled, "abc"));
    assert_false(es_target_is_valid(owner, unhashed, "abc"));
    assert_false(es_target_is_valid(owner, unhashed, ""));
    assert_false(es_target_is_valid(owner, NULL, "abc"));
    assert_true(es_target_is_valid(orphan, NULL, NULL));
    assert_true(es_target_is_valid(orphan, unhashed, "abc"));
    json_decref(owner);
    json_decref(orphan);
    json_decref(good);
    json_decref(unlabelled);
    json_decref(mislabelled);
    json_decref(unhashed);
}

static void check_refusal(const char *template, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *es = es_with("{}");

    es_obj_set(es, parse(template), "spec", "target", "template");
    if (!want) {
        assert_int_equal(es_target_check_template(es, &err), 0);
    } else {
        assert_int_equal(es_target_check_template(es, &err), ES_E_CONFIG);
        check_error(&err, ES_E_CONFIG, want);
    }
    json_decref(es);
}

#define TOKEN "kubernetes.io/service-account-token"
#define ONLY " is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\""

static void test_templates_that_are_fine(void **state)
{
    json_t *es = es_with("{}");
    (void)state;

    assert_int_equal(es_target_check_template(es, NULL), 0);
    json_decref(es);
    check_refusal("{}", NULL);
    check_refusal("{\"type\":\"" TOKEN "\",\"metadata\":{\"annotations\":{\"other\":\"x\"}},"
                  "\"templateFrom\":[{\"target\":\"labels\"}]}",
                  NULL);
    check_refusal("{\"metadata\":{\"annotations\":{\"kubernetes.io/service-account.name\":\"x\"}}}", NULL);
    check_refusal("{\"templateFrom\":[{},{\"target\":\"\"},{\"target\":\"data\"},{\"target\":\"LABELS\"},"
                  "{\"target\":\"Annotations\"}]}",
                  NULL);
}

static void test_templates_that_are_refused(void **state)
{
    (void)state;
    check_refusal("{\"type\":\"" TOKEN
                  "\",\"metadata\":{\"annotations\":{\"kubernetes.io/service-account.name\":\"d\"}},"
                  "\"templateFrom\":[{\"target\":\"Annotations\"}]}",
                  "template.type=\"" TOKEN
                  "\" with annotation \"kubernetes.io/service-account.name\" is not allowed");
    check_refusal("{\"type\":\"" TOKEN "\",\"templateFrom\":[{\"target\":\"annotations\"}]}",
                  "template.type=\"" TOKEN "\" with templateFrom target=\"Annotations\" is not allowed");
    check_refusal("{\"type\":\"bootstrap.kubernetes.io/token\"}",
                  "template.type=\"bootstrap.kubernetes.io/token\" is not allowed");
    check_refusal("{\"templateFrom\":[{\"target\":\"metadata.ownerReferences\",\"literal\":\"a: b\"}]}",
                  "templateFrom target=\"metadata.ownerReferences\"" ONLY);
    check_refusal("{\"type\":\"bootstrap.kubernetes.io/token\",\"templateFrom\":[{\"target\":\"Spec\"},"
                  "{\"target\":\"a\\\"b\"}]}",
                  "template.type=\"bootstrap.kubernetes.io/token\" is not allowed\n"
                  "templateFrom target=\"Spec\"" ONLY "\ntemplateFrom target=\"a\\\"b\"" ONLY);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_creates),
        cmocka_unit_test(test_a_created_secret_is_valid_and_stays_unwritten),
        cmocka_unit_test(test_orphan_creates_without_owner),
        cmocka_unit_test(test_no_values_make_an_empty_secret),
        cmocka_unit_test(test_owner_adopts_and_drops_foreign_keys),
        cmocka_unit_test(test_an_update_is_bound_to_what_was_seen),
        cmocka_unit_test(test_the_existing_secret_is_left_alone),
        cmocka_unit_test(test_an_item_of_a_list_becomes_an_object),
        cmocka_unit_test(test_merge_and_create_or_merge_keep_foreign_keys),
        cmocka_unit_test(test_merge_takes_its_stale_keys_away),
        cmocka_unit_test(test_all_entries_of_our_manager_count),
        cmocka_unit_test(test_merge_creates_nothing),
        cmocka_unit_test(test_none_writes_nothing_and_unknown_words_are_refused),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_without_template_all_labels_and_annotations_are_copied),
        cmocka_unit_test(test_copied_marks_do_not_win),
        cmocka_unit_test(test_a_template_replaces_the_values),
        cmocka_unit_test(test_a_template_may_include_the_values),
        cmocka_unit_test(test_a_template_merges_into_foreign_keys),
        cmocka_unit_test(test_stale_template_labels_go_even_for_long_names),
        cmocka_unit_test(test_finalizers_are_added_once_and_not_to_the_dying),
        cmocka_unit_test(test_type_is_kept_unless_the_template_says_otherwise),
        cmocka_unit_test(test_a_template_has_to_be_rendered_first),
        cmocka_unit_test(test_rendered_keys_that_are_no_text),
        cmocka_unit_test(test_bytes_are_kept_as_they_are),
        cmocka_unit_test(test_a_secret_has_a_ceiling),
        cmocka_unit_test(test_everything_a_tamperer_can_do_is_seen),
        cmocka_unit_test(test_immutable_marks_a_new_secret),
        cmocka_unit_test(test_immutable_freezes_an_existing_secret_as_it_is),
        cmocka_unit_test(test_immutable_switched_off_is_too_late),
        cmocka_unit_test(test_the_type_of_an_immutable_secret_is_fixed_too),
        cmocka_unit_test(test_metadata_of_an_immutable_secret_can_change),
        cmocka_unit_test(test_owned_by_another),
        cmocka_unit_test(test_existing_data_that_cannot_be_read),
        cmocka_unit_test(test_target_name),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_templates_that_are_fine),
        cmocka_unit_test(test_templates_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
