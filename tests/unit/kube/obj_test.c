#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/kube/kind.h"
#include "core/kube/obj.h"

static json_t *parse(const char *text)
{
    json_error_t where;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    if (!value)
        fail_msg("%s in %s", where.text, text);
    return value;
}

static const char object_text[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\","
    "\"metadata\":{\"name\":\"db\",\"namespace\":\"team\",\"generation\":7,\"deletionTimestamp\":null,"
    "\"finalizers\":[\"a/one\",\"b/two\"],"
    "\"ownerReferences\":[{\"name\":\"x\"},{\"name\":\"y\",\"controller\":true}]},"
    "\"immutable\":true,\"n\":null,"
    "\"status\":{\"conditions\":[{\"type\":\"Other\"},{\"type\":\"Ready\",\"status\":\"True\"}]}}";

static void test_paths(void **state)
{
    json_t *obj = parse(object_text);
    (void)state;

    assert_string_equal(es_obj_name(obj), "db");
    assert_string_equal(es_obj_namespace(obj), "team");
    assert_string_equal(es_obj_str(obj, "metadata", "nothing", "deeper"), "");
    assert_string_equal(es_obj_str(obj, "metadata", "name", "deeper"), "");
    assert_string_equal(es_obj_str(obj, "metadata", "generation"), "");
    assert_int_equal(es_obj_int(obj, "metadata", "generation"), 7);
    assert_int_equal(es_obj_int(obj, "metadata", "name"), 0);
    assert_true(es_obj_bool(obj, "immutable"));
    assert_false(es_obj_bool(obj, "metadata"));
    assert_null(es_obj_at(obj, "n"));
    assert_null(es_obj_at(NULL, "n"));
    assert_null(es_obj_at(obj, "n", "m"));
    assert_true(json_is_object(es_obj_at(obj, "metadata")));
    json_decref(obj);
}

static void test_metadata_helpers(void **state)
{
    json_t *obj = parse(object_text);
    (void)state;

    assert_string_equal(es_obj_str(es_obj_condition(obj, "Ready"), "status"), "True");
    assert_null(es_obj_condition(obj, "Missing"));
    assert_string_equal(es_obj_str(es_obj_controller(obj), "name"), "y");
    assert_true(es_obj_has_finalizer(obj, "b/two"));
    assert_false(es_obj_has_finalizer(obj, "b/tw"));
    assert_false(es_obj_deleting(obj));
    assert_int_equal(es_obj_set(obj, json_string("2024-01-01T00:00:00Z"), "metadata", "deletionTimestamp"),
                     0);
    assert_true(es_obj_deleting(obj));
    json_decref(obj);
    assert_null(es_obj_controller(NULL));
}

static void test_keys(void **state)
{
    json_t *obj = parse(object_text);
    char *key = es_obj_key(obj);
    char ns[256];
    (void)state;

    assert_string_equal(key, "team/db");
    assert_string_equal(es_key_split(key, ns), "db");
    assert_string_equal(ns, "team");
    es_mem_free(key);
    json_decref(obj);

    key = es_key_of("", "cluster-wide");
    assert_string_equal(key, "cluster-wide");
    assert_string_equal(es_key_split(key, ns), "cluster-wide");
    assert_string_equal(ns, "");
    es_mem_free(key);
    key = es_key_of(NULL, "x");
    assert_string_equal(key, "x");
    es_mem_free(key);
}

static void test_key_with_an_endless_namespace_is_cut(void **state)
{
    char key[600], ns[256];
    (void)state;

    memset(key, 'a', sizeof key);
    memcpy(key + 500, "/b", 3);
    assert_string_equal(es_key_split(key, ns), "b");
    assert_int_equal(strlen(ns), 255);
}

static void check_text(const json_t *value, const char *want)
{
    size_t len = 0;
    char *text = es_json_text(value, &len);
    assert_non_null(text);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
    es_mem_free(text);
}

static void test_set_makes_the_way(void **state)
{
    json_t *obj = parse("{\"spec\":\"a string gives way\"}");
    (void)state;

    assert_int_equal(es_obj_set(obj, json_integer(1), "spec", "a", "b"), 0);
    assert_int_equal(es_obj_set(obj, json_integer(2), "spec", "a", "c"), 0);
    assert_int_equal(es_obj_set(obj, json_true(), "top"), 0);
    check_text(obj, "{\"spec\":{\"a\":{\"b\":1,\"c\":2}},\"top\":true}");
    assert_int_equal(es_obj_set(obj, NULL, "x"), ES_E_NOMEM);
    assert_int_equal(es_obj_unset(obj, "spec", "a", "b"), 0);
    assert_int_equal(es_obj_unset(obj, "spec", "nothing", "b"), 0);
    assert_int_equal(es_obj_unset(obj, "top"), 0);
    check_text(obj, "{\"spec\":{\"a\":{\"c\":2}}}");
    json_decref(obj);
}

static int match(const char *selector, const char *labels)
{
    json_t *s = selector ? parse(selector) : NULL;
    json_t *l = labels ? parse(labels) : NULL;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_label_selector_match(s, l, &err);
    json_decref(s);
    json_decref(l);
    assert_int_equal(err.code, rc < 0 ? rc : 0);
    return rc;
}

#define EXPR(key, op, values)                                                                                \
    "{\"matchExpressions\":[{\"key\":\"" key "\",\"operator\":\"" op "\",\"values\":" values "}]}"

static void test_selector(void **state)
{
    static const struct {
        const char *selector, *labels;
        int want;
    } cases[] = {
        {NULL, "{\"a\":\"1\"}", 0},
        {"null", "{\"a\":\"1\"}", 0},
        {"{}", "{\"a\":\"1\"}", 1},
        {"{}", NULL, 1},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{\"a\":\"1\",\"b\":\"2\"}", 1},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{\"a\":\"2\"}", 0},
        {"{\"matchLabels\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"a\":\"1\"}", 0},
        {"{\"matchLabels\":{\"a\":\"\"}}", "{}", 0},
        {"{\"matchLabels\":{\"a\":\"1\"}}", NULL, 0},
        {EXPR("a", "In", "[\"1\",\"2\"]"), "{\"a\":\"2\"}", 1},
        {EXPR("a", "In", "[\"1\",\"2\"]"), "{\"a\":\"3\"}", 0},
        {EXPR("a", "In", "[\"1\"]"), "{}", 0},
        {EXPR("a", "NotIn", "[\"1\"]"), "{\"a\":\"1\"}", 0},
        {EXPR("a", "NotIn", "[\"1\"]"), "{\"a\":\"2\"}", 1},
        {EXPR("a", "NotIn", "[\"1\"]"), "{}", 1},
        {EXPR("a", "Exists", "[]"), "{\"a\":\"\"}", 1},
        {EXPR("a", "Exists", "null"), "{\"b\":\"\"}", 0},
        {EXPR("a", "DoesNotExist", "[]"), "{\"b\":\"\"}", 1},
        {EXPR("a", "DoesNotExist", "[]"), "{\"a\":\"\"}", 0},
        {EXPR("a", "Has", "[]"), "{\"a\":\"\"}", ES_E_CONFIG},
        {EXPR("a", "in", "[\"1\"]"), "{\"a\":\"1\"}", ES_E_CONFIG},
        {EXPR("a", "In", "[]"), "{\"a\":\"1\"}", ES_E_CONFIG},
        {EXPR("a", "Exists", "[\"1\"]"), "{\"a\":\"1\"}", ES_E_CONFIG},
        {"{\"matchLabels\":{\"z\":\"1\"},\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"?\"}]}", "{}",
         ES_E_CONFIG},
        {"{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":[{\"key\":\"b\",\"operator\":\"Exists\"}]}",
         "{\"a\":\"1\"}", 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (match(cases[i].selector, cases[i].labels) != cases[i].want)
            fail_msg("case %zu: %s", i, cases[i].selector);
}

/* The table of RFC 7396, appendix A, where target and patch are objects. */
static void test_merge_patch_rfc7396(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"{\"a\":\"foo\"}", "{\"a\":{\"b\":{\"c\":1,\"d\":null}}}", "{\"a\":{\"b\":{\"c\":1}}}"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *target = parse(cases[i][0]);
        json_t *patch = parse(cases[i][1]);
        assert_int_equal(es_json_merge_patch(target, patch), 0);
        check_text(target, cases[i][2]);
        json_decref(target);
        json_decref(patch);
    }
}

static void test_merge_patch_shares_nothing(void **state)
{
    json_t *target = json_object();
    json_t *patch = parse("{\"a\":[1]}");
    (void)state;

    assert_int_equal(es_json_merge_patch(target, patch), 0);
    json_array_append_new(json_object_get(target, "a"), json_integer(2));
    check_text(patch, "{\"a\":[1]}");
    json_t *array = json_array();
    assert_int_equal(es_json_merge_patch(array, patch), ES_E_INVALID);
    assert_int_equal(es_json_merge_patch(target, array), ES_E_INVALID);
    json_decref(array);
    json_decref(target);
    json_decref(patch);
}

static json_t *nest(int levels)
{
    json_t *value = json_object();
    for (int i = 0; i < levels; i++)
        value = json_pack("{s:o}", "x", value);
    return value;
}

static void test_depth_has_a_ceiling(void **state)
{
    json_t *fine = nest(500), *deep = nest(600);
    (void)state;

    char *text = es_json_text(fine, NULL);
    assert_non_null(text);
    es_mem_free(text);
    assert_null(es_json_text(deep, NULL));
    json_t *target = json_object();
    assert_int_equal(es_json_merge_patch(target, deep), ES_E_TOO_LARGE);
    json_decref(target);
    json_decref(fine);
    json_decref(deep);
}

static void test_text_round_trip(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-9223372036854775808",
        "1.5",
        "0.1",
        "2.0",
        "3.141592653589793",
        "-0.0",
        "1e300",
        "\"\"",
        "{\"a\":{},\"b\":[],\"c\":[1,[2,{\"d\":null}]],\"z\":1,\"y\":2}",
        "\"q\\\"b\\\\s/\\b\\f\\n\\r\\t\\u0001\\u001F\\u0000 \xC3\xA4 \xF0\x9F\x94\x91\"",
        "{\"k\\n\\\"\":\"v\"}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *value = parse(texts[i]);
        size_t len;
        char *text = es_json_text(value, &len);
        assert_string_equal(text, texts[i]);
        assert_int_equal(len, strlen(texts[i]));
        es_mem_free(text);
        json_decref(value);
    }
    assert_null(es_json_text(NULL, NULL));
}

static void test_kinds(void **state)
{
    char version[128];
    (void)state;

    assert_string_equal(es_kind_api_version(&es_kind_secret, version), "v1");
    assert_string_equal(es_kind_api_version(&es_kind_secret_store, version), "external-secrets.io/v1");
    assert_ptr_equal(es_kind_find("v1", "Secret"), &es_kind_secret);
    assert_ptr_equal(es_kind_find("external-secrets.io/v1beta1", "ExternalSecret"), &es_kind_external_secret);
    assert_ptr_equal(es_kind_find("external-secrets.io/v1", "ClusterSecretStore"),
                     &es_kind_cluster_secret_store);
    assert_null(es_kind_find("external-secrets.io/v1", "Secret"));
    assert_null(es_kind_find("v1", "ExternalSecret"));
    assert_null(es_kind_find("external-secrets.iox/v1", "ExternalSecret"));
    assert_null(es_kind_find(NULL, "Secret"));
    assert_false(es_kind_namespace.namespaced);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_metadata_helpers),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_key_with_an_endless_namespace_is_cut),
        cmocka_unit_test(test_set_makes_the_way),
        cmocka_unit_test(test_selector),
        cmocka_unit_test(test_merge_patch_rfc7396),
        cmocka_unit_test(test_merge_patch_shares_nothing),
        cmocka_unit_test(test_depth_has_a_ceiling),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
