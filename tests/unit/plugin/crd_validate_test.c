/* What an API server would say, said without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/yaml.h"
#include "core/plugin/crd_validate.h"

/* A provider with one field for each thing that a schema can say. */
static const char schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"text\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":4},"
    "\"whole\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":1,\"maximum\":5000000000},"
    "\"number\":{\"type\":\"number\",\"minimum\":0,\"exclusiveMinimum\":true,\"maximum\":1,"
    "\"exclusiveMaximum\":true},"
    "\"even\":{\"type\":\"integer\",\"multipleOf\":2,\"enum\":[2,3,4]},"
    "\"flag\":{\"type\":\"boolean\"},"
    "\"time\":{\"type\":\"string\",\"format\":\"date-time\",\"nullable\":true},"
    "\"bytes\":{\"type\":\"string\",\"format\":\"byte\"},"
    "\"either\":{\"x-kubernetes-int-or-string\":true,\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]"
    "},"
    "\"list\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"object\",\"required\":["
    "\"a\"],"
    "\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\",\"default\":\"B\"}}}},"
    "\"map\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\",\"properties\":{\"c\":{"
    "\"type\":\"string\","
    "\"default\":\"C\"}}}},"
    "\"open\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true,\"properties\":{\"d\":{"
    "\"type\":"
    "\"string\"}}},"
    "\"any\":{\"x-kubernetes-preserve-unknown-fields\":true},"
    "\"loose\":{\"type\":\"object\",\"additionalProperties\":true},"
    "\"auth\":{\"type\":\"object\",\"properties\":{\"token\":{\"type\":\"string\"},\"user\":{\"type\":"
    "\"string\"},"
    "\"kind\":{\"type\":\"string\",\"default\":\"k\"}},"
    "\"oneOf\":[{\"required\":[\"token\"]},{\"required\":[\"user\"]}],\"maxProperties\":2},"
    "\"some\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"},\"w\":{\"type\":\"string\"}},"
    "\"anyOf\":[{\"required\":[\"x\"]},{\"properties\":{\"w\":{\"enum\":[\"1\"]}},\"required\":[\"w\"]}],"
    "\"allOf\":[{\"properties\":{\"x\":{\"maxLength\":3}}}],"
    "\"not\":{\"required\":[\"x\",\"w\"]}}"
    "}}";

static struct es_crds *crds;

static int set_up(void **state)
{
    (void)state;
    const struct es_crd_provider p = {"p", schema};
    struct es_error err = ES_ERROR_INIT;

    if (es_crds_new(&crds, &p, 1, &err) == 0)
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int tear_down(void **state)
{
    (void)state;
    es_crds_free(crds);
    return 0;
}

static json_t *read_yaml(const char *text)
{
    struct es_yaml y = {0};
    struct es_error err = ES_ERROR_INIT;

    if (es_yaml_parse(&y, "test", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(y.count, 1);
    json_t *root = json_incref(y.docs[0].root);
    es_yaml_fini(&y);
    return root;
}

/* Validates, and compares what is said ("" for nothing). */
static json_t *said_of(const char *text, const char *want)
{
    json_t *object = read_yaml(text);
    struct es_error err = ES_ERROR_INIT;
    int rc = es_crd_validate(crds, object, &err);

    assert_string_equal(err.text, want);
    assert_int_equal(rc, *want ? ES_E_INVALID : 0);
    return object;
}

static void check(const char *text, const char *want)
{
    json_decref(said_of(text, want));
}

#define ES_HEAD "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a}\n"
#define STORE_HEAD "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: a}\n"

static const struct {
    const char *spec, *said;
} secrets[] = {
    {"{data: [{secretKey: k, remoteRef: {key: a}}]}", ""},
    {"{data: [{secretKey: k, remoteRef: {key: 5}}]}",
     "spec.data[0].remoteRef.key: expected a string, got a number"},
    {"{data: [{secretKey: k, remoteRef: a}]}", "spec.data[0].remoteRef: expected an object, got a string"},
    {"{data: {k: a}}", "spec.data: expected a list, got an object"},
    {"{data: [[]]}", "spec.data[0]: expected an object, got a list"},
    {"{data: [null]}", "spec.data[0]: expected an object, got nothing"},
    {"{data: [{secretKey: k}]}", "spec.data[0].remoteRef: is required"},
    {"{data: [{secretKey: k, remoteRef: null}]}", "spec.data[0].remoteRef: is required"},
    {"{data: [{remoteRef: {}}]}",
     "spec.data[0].secretKey: is required\nspec.data[0].remoteRef.key: is required"},
    {"{data: [{secretKey: 'a b', remoteRef: {key: a}}]}",
     "spec.data[0].secretKey: does not have the form ^[-._a-zA-Z0-9]+$"},
    {"{data: [{secretKey: '', remoteRef: {key: a}}]}",
     "spec.data[0].secretKey: has 0 characters, at least 1 needed\n"
     "spec.data[0].secretKey: does not have the form ^[-._a-zA-Z0-9]+$"},
    {"{data: [{secretKey: k, remoteRef: {key: a, proprety: b}}]}",
     "spec.data[0].remoteRef.proprety: unknown field"},
    {"{target: {creationPolicy: Sometimes}}",
     "spec.target.creationPolicy: \"Sometimes\" is none of Owner, Orphan, Merge, None, CreateOrMerge"},
    {"{target: {immutable: 'yes'}}", "spec.target.immutable: expected a boolean, got a string"},
    {"{target: {template: {data: {a.b/c: [1]}}}}",
     "spec.target.template.data[a.b/c]: expected a string, got a list"},
    {"{refreshInterval: 5}", "spec.refreshInterval: expected a string, got a number"},
    {"{refreshInterval: true}", "spec.refreshInterval: expected a string, got a boolean"},
    {"{dataFrom: [{sourceRef: {storeRef: {name: a}, generatorRef: {kind: UUID, name: u}}}]}",
     "spec.dataFrom[0].sourceRef: has 2 fields, at most 1 allowed"},
    {"{dataFrom: [{sourceRef: {}}]}", "spec.dataFrom[0].sourceRef: has 0 fields, at least 1 needed"},
    {"{dataFrom: [{find: {tags: {a: b}}, rewrite: [{}]}]}",
     "spec.dataFrom[0].rewrite[0]: has 0 fields, at least 1 needed"},
    {"{syncWindows: {kind: deny, windows: []}}",
     "spec.syncWindows.windows: has 0 entries, at least 1 needed"},
    {"{syncWindows: {kind: deny, windows: [{schedule: '@daily', duration: 1h}]}}", ""},
};

static void test_external_secrets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        char text[1024];
        snprintf(text, sizeof text, ES_HEAD "spec: %s", secrets[i].spec);
        check(text, secrets[i].said);
    }
}

static const struct {
    const char *block, *said;
} blocks[] = {
    {"{}", ""},
    {"{text: abc, whole: 5, number: 0.5, even: 2, flag: false, time: '2026-01-02T03:04:05+01:00', bytes: "
     "YQ==}",
     ""},
    {"{text: äöü1}", ""},
    {"{text: a}", "spec.provider.p.text: has 1 characters, at least 2 needed"},
    {"{text: abcde}", "spec.provider.p.text: has 5 characters, at most 4 allowed"},
    {"{whole: 2.0}", ""},
    {"{whole: 2.5}", "spec.provider.p.whole: expected a whole number, got one with a fraction"},
    {"{whole: '2'}", "spec.provider.p.whole: expected a whole number, got a string"},
    {"{whole: 0}", "spec.provider.p.whole: must be at least 1"},
    {"{whole: 3000000000}", "spec.provider.p.whole: must fit into 32 bits"},
    {"{number: 0}", "spec.provider.p.number: must be above 0"},
    {"{number: 1}", "spec.provider.p.number: must be below 1"},
    {"{number: 1.5}", "spec.provider.p.number: must be below 1"},
    {"{even: 3}", "spec.provider.p.even: must be a multiple of 2"},
    {"{even: 6}", "spec.provider.p.even: is none of 2, 3, 4"},
    {"{time: null}", ""},
    {"{time: yesterday}", "spec.provider.p.time: is no time such as 2006-01-02T15:04:05Z"},
    {"{bytes: 'a b'}", "spec.provider.p.bytes: is no base64"},
    {"{either: 5}", ""},
    {"{either: 5s}", ""},
    {"{either: 5.5}", "spec.provider.p.either: expected a whole number or a string, got a number"},
    {"{either: [5]}", "spec.provider.p.either: expected a whole number or a string, got a list"},
    {"{list: []}", "spec.provider.p.list: has 0 entries, at least 1 needed"},
    {"{list: [{a: x}, {}, {a: x, z: 1}]}", "spec.provider.p.list: has 3 entries, at most 2 allowed\n"
                                           "spec.provider.p.list[1].a: is required\n"
                                           "spec.provider.p.list[2].z: unknown field"},
    {"{open: {d: 5, e: 6}}", "spec.provider.p.open.d: expected a string, got a number"},
    {"{open: {e: 6}, any: [1, {}], loose: {f: 7}}", ""},
    {"{any: text}", ""},
    {"{any: null}", ""},
    {"{auth: {token: t}}", ""},
    {"{auth: {kind: k}}", "spec.provider.p.auth: must fit exactly one of 2 forms, fits 0"},
    {"{auth: {token: t, user: u}}", "spec.provider.p.auth: has 3 fields, at most 2 allowed\n"
                                    "spec.provider.p.auth: must fit exactly one of 2 forms, fits 2"},
    {"{some: {x: '1'}}", ""},
    {"{some: {w: '1'}}", ""},
    {"{some: {w: '2'}}", "spec.provider.p.some: fits none of the allowed forms"},
    {"{some: {x: '1234'}}", "spec.provider.p.some.x: has 4 characters, at most 3 allowed"},
    {"{some: {x: '1', w: '1'}}", "spec.provider.p.some: has a form that is not allowed"},
    {"5", "spec.provider.p: expected an object, got a number"},
};

static void test_blocks_of_providers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        char text[1024];
        snprintf(text, sizeof text, STORE_HEAD "spec: {provider: {p: %s}}", blocks[i].block);
        check(text, blocks[i].said);
    }
}

static void test_around_the_spec(void **state)
{
    (void)state;
    check(STORE_HEAD "spec: {}", "spec.provider: is required");
    check(STORE_HEAD "spec: {provider: {}}", "spec.provider: has 0 fields, at least 1 needed");
    check(STORE_HEAD "spec: {provider: {p: {}, q: {}}}", "spec.provider: has 2 fields, at most 1 allowed");
    /* Which providers there are is the controller's to say. */
    check(STORE_HEAD "spec: {provider: {q: {}}}", "");
    check(STORE_HEAD "spec: null", "");
    check(STORE_HEAD "specs: {}", "specs: unknown field");
    check(STORE_HEAD "spec: []", "spec: expected an object, got a list");
    check(STORE_HEAD "status: {conditions: [{type: Ready}]}", "status.conditions[0].status: is required");
    check("apiVersion: external-secrets.io/v1\nkind: SecretStore", "metadata: is required");
    check("apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {}",
          "metadata.name: is required");
    check("apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: a",
          "metadata: expected an object, got a string");
    check("apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: null",
          "metadata: expected an object, got nothing");
    check("apiVersion: external-secrets.io/v1\nkind: SecretStore\n"
          "metadata: {name: A b, labels: {a: 1}, uid: x, generation: 3, finalizers: [5]}",
          "metadata.name: does not have the form "
          "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$\n"
          "metadata.labels.a: expected a string, got a number\n"
          "metadata.finalizers[0]: expected a string, got a number");
}

static void test_kinds_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } others[] = {
        {"{apiVersion: v1, kind: Secret}", "there is no kind \"Secret\" in \"v1\""},
        {"{apiVersion: external-secrets.io/v9, kind: SecretStore}",
         "there is no kind \"SecretStore\" in \"external-secrets.io/v9\""},
        {"{kind: 5}", "there is no kind \"\" in \"\""},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        json_t *object = read_yaml(others[i].text);
        struct es_error err = ES_ERROR_INIT;
        assert_int_equal(es_crd_check(crds, object, NULL, NULL, &err), ES_E_NOT_FOUND);
        assert_string_equal(err.text, others[i].said);
        assert_int_equal(es_crd_default(crds, object, NULL), ES_E_NOT_FOUND);
        assert_int_equal(es_crd_validate(crds, object, NULL), ES_E_NOT_FOUND);
        json_decref(object);
    }
}

/* ---- defaults */

static void becomes(const char *before, const char *after)
{
    json_t *got = said_of(before, ""), *want = read_yaml(after);
    char *text = json_dumps(got, JSON_INDENT(1));

    if (!json_equal(got, want))
        fail_msg("got %s", text);
    free(text);
    json_decref(want);
    json_decref(got);
}

static void test_defaults(void **state)
{
    (void)state;
    becomes(ES_HEAD "spec: {data: [{secretKey: k, remoteRef: {key: a}}]}",
            ES_HEAD "spec: {data: [{secretKey: k, remoteRef: {key: a}}], refreshInterval: 1h0m0s,"
                    " target: {creationPolicy: Owner, deletionPolicy: Retain}}");
    becomes(
        ES_HEAD "spec: {refreshInterval: 5m, target: {name: t, deletionPolicy: null,"
                " template: {templateFrom: [{literal: x}]}}}",
        ES_HEAD
        "spec: {refreshInterval: 5m, target: {name: t, creationPolicy: Owner, deletionPolicy: Retain,"
        " template: {engineVersion: v2, mergePolicy: Replace, templateFrom: [{literal: x, target: Data}]}}}");
    becomes("apiVersion: external-secrets.io/v1beta1\nkind: ExternalSecret\nmetadata: {name: a}\n"
            "spec: {refreshInterval: 1h, target: {}, data: [{secretKey: k, remoteRef: {key: a}}]}",
            "apiVersion: external-secrets.io/v1beta1\nkind: ExternalSecret\nmetadata: {name: a}\n"
            "spec: {refreshInterval: 1h, target: {creationPolicy: Owner, deletionPolicy: Retain},"
            " data: [{secretKey: k, remoteRef: {key: a, conversionStrategy: Default, decodingStrategy: None,"
            " metadataPolicy: None}}]}");
}

static void test_defaults_in_lists_and_maps(void **state)
{
    (void)state;
    becomes(
        STORE_HEAD "spec: {provider: {p: {list: [{a: x}, {a: v, b: z}], map: {m: {}, n: {c: d}}, time: null,"
                   " text: null, open: {q: null}}}}",
        STORE_HEAD "spec: {provider: {p: {list: [{a: x, b: B}, {a: v, b: z}], map: {m: {c: C}, n: {c: d}},"
                   " time: null, open: {q: null}}}}");
}

static void test_a_default_does_not_touch_the_definitions(void **state)
{
    (void)state;
    json_t *first = said_of(ES_HEAD "spec: {data: []}", "");
    json_object_set_new(json_object_get(json_object_get(first, "spec"), "target"), "name",
                        json_string("mine"));
    becomes(ES_HEAD "spec: {data: []}", ES_HEAD "spec: {data: [], refreshInterval: 1h0m0s,"
                                                " target: {creationPolicy: Owner, deletionPolicy: Retain}}");
    json_decref(first);
}

static void test_the_other_kinds_of_the_group(void **state)
{
    (void)state;
    becomes(
        "apiVersion: external-secrets.io/v1alpha1\nkind: PushSecret\nmetadata: {name: a}\n"
        "spec: {secretStoreRefs: [{name: s}], selector: {secret: {name: t}}, data: [{match: {remoteRef: "
        "{remoteKey: "
        "r}}, metadata: [5]}], template: {type: t}}",
        "apiVersion: external-secrets.io/v1alpha1\nkind: PushSecret\nmetadata: {name: a}\n"
        "spec: {secretStoreRefs: [{name: s, kind: SecretStore}], selector: {secret: {name: t}}, data: "
        "[{match: "
        "{remoteRef: {remoteKey: r}}, metadata: [5], conversionStrategy: None}], template: {type: t, "
        "engineVersion: "
        "v2, mergePolicy: Replace}, refreshInterval: 1h0m0s, updatePolicy: Replace, deletionPolicy: None}");
    check("apiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: a}\n"
          "spec: {namespaces: [A], externalSecretSpec: {data: [{secretKey: k}]}}",
          "spec.namespaces[0]: does not have the form ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$\n"
          "spec.externalSecretSpec.data[0].remoteRef: is required");
    check("apiVersion: external-secrets.io/v1beta1\nkind: ClusterExternalSecret\nmetadata: {name: a}\n"
          "spec: {externalSecretSpec: {target: {creationPolicy: CreateOrMerge}}}",
          "spec.externalSecretSpec.target.creationPolicy: \"CreateOrMerge\" is none of Owner, Orphan, Merge, "
          "None");
    check("apiVersion: external-secrets.io/v1alpha1\nkind: ClusterPushSecret\nmetadata: {name: a}\nspec: {}",
          "spec.pushSecretSpec: is required");
}

/* ---- where */

struct seen {
    size_t count;
    const json_t *parent;
    char key[64];
    size_t index;
};

static void on_problem(void *ctx, const struct es_crd_problem *p)
{
    struct seen *s = ctx;
    s->count++;
    s->parent = p->parent;
    snprintf(s->key, sizeof s->key, "%s", p->key ? p->key : "");
    s->index = p->index;
}

static void test_a_problem_knows_its_place(void **state)
{
    (void)state;
    static const char text[] =
        ES_HEAD "spec:\n  data:\n  - secretKey: k\n    remoteRef:\n      key: 5\n  dataFrom:\n"
                "  - find: {}\n  - 7\n";
    struct es_yaml y = {0};
    struct seen seen = {0};
    assert_int_equal(es_yaml_parse(&y, "f", text, strlen(text), NULL), 0);
    const json_t *root = y.docs[0].root;

    assert_int_equal(es_crd_check(crds, root, on_problem, &seen, NULL), 2);
    assert_int_equal(seen.count, 2);
    assert_ptr_equal(seen.parent, json_object_get(json_object_get(root, "spec"), "dataFrom"));
    assert_int_equal(seen.index, 1);
    assert_int_equal(es_yaml_line_of_index(&y.docs[0], seen.parent, seen.index), 11);

    json_array_clear(json_object_get(json_object_get(root, "spec"), "dataFrom"));
    assert_int_equal(es_crd_check(crds, root, on_problem, &seen, NULL), 1);
    assert_string_equal(seen.key, "key");
    es_yaml_fini(&y);
}

static void test_many_problems_are_counted_but_not_all_told(void **state)
{
    (void)state;
    json_t *object = read_yaml(ES_HEAD "spec: {}");
    json_t *data = json_array();
    for (int i = 0; i < 500; i++)
        json_array_append_new(data, json_integer(i));
    json_object_set_new(json_object_get(object, "spec"), "data", data);

    struct seen seen = {0};
    assert_int_equal(es_crd_check(crds, object, on_problem, &seen, NULL), 500);
    assert_int_equal(seen.count, 100);

    struct es_error err = ES_ERROR_INIT;
    assert_int_equal(es_crd_validate(crds, object, &err), ES_E_INVALID);
    assert_ptr_equal(strstr(err.text, "spec.data[0]: expected an object, got a number\nspec.data[1]: "),
                     err.text);
    json_decref(object);
}

static void test_paths_longer_than_their_room(void **state)
{
    (void)state;
    char key[400];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    json_t *inner = json_pack("{s:{s:{s:i}}}", "map", key, key, 1);
    json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:o}}}", "apiVersion", "external-secrets.io/v1", "kind",
                  "SecretStore", "metadata", "name", "a", "spec", "provider", "p", inner);

    assert_non_null(object);
    assert_int_equal(es_crd_check(crds, object, NULL, NULL, NULL), 1);
    json_decref(object);
}

/* Objects that the schema leaves open may be as deep as the parser lets them. */
static void test_depth_costs_nothing_where_nothing_is_said(void **state)
{
    (void)state;
    json_t *deep = json_object();
    for (int i = 0; i < 5000; i++) {
        json_t *outer = json_object();
        json_object_set_new(outer, "d", deep);
        deep = outer;
    }
    json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:{s:o}}}}", "apiVersion", "external-secrets.io/v1", "kind",
                  "SecretStore", "metadata", "name", "a", "spec", "provider", "p", "any", deep);

    assert_non_null(object);
    assert_int_equal(es_crd_validate(crds, object, NULL), 0);
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_external_secrets),
        cmocka_unit_test(test_blocks_of_providers),
        cmocka_unit_test(test_around_the_spec),
        cmocka_unit_test(test_kinds_of_others),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_defaults_in_lists_and_maps),
        cmocka_unit_test(test_a_default_does_not_touch_the_definitions),
        cmocka_unit_test(test_the_other_kinds_of_the_group),
        cmocka_unit_test(test_a_problem_knows_its_place),
        cmocka_unit_test(test_many_problems_are_counted_but_not_all_told),
        cmocka_unit_test(test_paths_longer_than_their_room),
        cmocka_unit_test(test_depth_costs_nothing_where_nothing_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
