/* The definitions that are printed, and which schemas plugins may bring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/yaml.h"
#include "core/plugin/crd.h"

#define OBJECT(fields) "{\"type\":\"object\",\"properties\":{" fields "}}"
#define TEXT "{\"type\":\"string\"}"

static const struct es_crd_provider two[] = {{"vault", OBJECT("\"server\":" TEXT)},
                                             {"fake", OBJECT("\"data\":" TEXT)}};
static const struct es_crd_provider swapped[] = {{"fake", OBJECT("\"data\":" TEXT)},
                                                 {"vault", OBJECT("\"server\":" TEXT)}};

static char *render(const struct es_crd_provider *providers, size_t count, enum es_crd_format format)
{
    struct es_buf out;
    struct es_error err = ES_ERROR_INIT;

    es_buf_init(&out, (size_t)4 << 20);
    int rc = es_crd_render(&out, providers, count, format, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    char *text = strdup(es_buf_str(&out));
    assert_non_null(text);
    es_buf_fini(&out);
    return text;
}

/* What is printed, read again. */
static struct es_yaml read_again(const struct es_crd_provider *providers, size_t count)
{
    char *text = render(providers, count, ES_CRD_YAML);
    struct es_yaml y = {0};
    struct es_error err = ES_ERROR_INIT;

    if (es_yaml_parse(&y, "crds", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    free(text);
    return y;
}

static json_t *at(json_t *node, const char *path)
{
    char part[128];
    while (node && *path) {
        size_t len = strcspn(path, "/");
        assert_true(len < sizeof part);
        memcpy(part, path, len);
        part[len] = '\0';
        node =
            json_is_array(node) ? json_array_get(node, strtoul(part, NULL, 10)) : json_object_get(node, part);
        path += len + (path[len] == '/');
    }
    return node;
}

static const char *text_at(json_t *node, const char *path)
{
    const char *text = json_string_value(at(node, path));
    return text ? text : "(none)";
}

static void test_all_kinds_in_a_fixed_order(void **state)
{
    (void)state;
    static const char *const names[] = {
        "externalsecrets.external-secrets.io",     "secretstores.external-secrets.io",
        "clustersecretstores.external-secrets.io", "clusterexternalsecrets.external-secrets.io",
        "pushsecrets.external-secrets.io",         "clusterpushsecrets.external-secrets.io"};
    struct es_yaml y = read_again(two, 2);

    assert_int_equal(y.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(text_at(y.docs[i].root, "metadata/name"), names[i]);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(text_at(y.docs[i].root, "spec/versions/0/name"), "v1");
        assert_string_equal(text_at(y.docs[i].root, "spec/versions/1/name"), "v1beta1");
    }
    es_yaml_fini(&y);
}

static void test_the_order_of_the_plugins_does_not_show(void **state)
{
    (void)state;
    char *a = render(two, 2, ES_CRD_YAML), *b = render(swapped, 2, ES_CRD_YAML);

    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void test_json_says_the_same(void **state)
{
    (void)state;
    struct es_yaml y = read_again(two, 2);
    char *text = render(two, 2, ES_CRD_JSON);
    json_t *list = json_loads(text, 0, NULL);

    assert_string_equal(text_at(list, "kind"), "List");
    assert_int_equal(json_array_size(at(list, "items")), y.count);
    for (size_t i = 0; i < y.count; i++)
        assert_true(json_equal(json_array_get(at(list, "items"), i), y.docs[i].root));
    json_decref(list);
    free(text);
    es_yaml_fini(&y);
}

/* Nothing of the documents' own language may reach an API server. */
static void no_leftovers(const json_t *node)
{
    const char *key;
    size_t i;
    json_t *value;

    assert_false(json_is_null(node));
    json_object_foreach ((json_t *)node, key, value) {
        assert_true(key[0] != '$');
        if (strcmp(key, "rule") == 0 && json_is_string(value))
            assert_null(strstr(json_string_value(value), "${"));
        no_leftovers(value);
    }
    json_array_foreach (node, i, value)
        no_leftovers(value);
}

static void test_everything_is_resolved(void **state)
{
    (void)state;
    struct es_yaml y = read_again(two, 2);

    for (size_t i = 0; i < y.count; i++)
        no_leftovers(y.docs[i].root);
    es_yaml_fini(&y);
}

#define SCHEMA_V1 "spec/versions/0/schema/openAPIV3Schema"
#define SCHEMA_OLD "spec/versions/1/schema/openAPIV3Schema"
#define ES_SPEC "/properties/spec/properties"
#define REMOTE "/data/items/properties/remoteRef/properties"

static void test_the_old_version_is_the_new_one_with_changes(void **state)
{
    (void)state;
    struct es_yaml y = read_again(two, 2);
    json_t *es = y.docs[0].root;

    assert_non_null(at(es, SCHEMA_V1 ES_SPEC "/syncWindows"));
    assert_null(at(es, SCHEMA_OLD ES_SPEC "/syncWindows"));
    assert_null(at(es, SCHEMA_V1 ES_SPEC REMOTE "/conversionStrategy/default"));
    assert_string_equal(text_at(es, SCHEMA_OLD ES_SPEC REMOTE "/conversionStrategy/default"), "Default");
    assert_non_null(at(es, SCHEMA_OLD ES_SPEC REMOTE "/conversionStrategy/enum"));
    assert_null(at(es, SCHEMA_OLD ES_SPEC REMOTE "/nullBytePolicy"));
    assert_int_equal(json_array_size(at(es, SCHEMA_V1 ES_SPEC "/target/properties/creationPolicy/enum")), 5);
    assert_int_equal(json_array_size(at(es, SCHEMA_OLD ES_SPEC "/target/properties/creationPolicy/enum")), 4);
    assert_int_equal(json_array_size(at(es, "spec/versions/0/selectableFields")), 4);
    assert_null(at(es, "spec/versions/1/selectableFields"));
    es_yaml_fini(&y);
}

#define PROVIDER ES_SPEC "/provider"
#define STORE_RULE "/x-kubernetes-validations/0"

static void test_providers_stand_in_every_store_and_version(void **state)
{
    (void)state;
    static const char *const schemas[] = {SCHEMA_V1, SCHEMA_OLD};
    struct es_yaml y = read_again(two, 2);

    for (size_t i = 0; i < 4; i++) {
        json_t *schema = at(y.docs[1 + i / 2].root, schemas[i % 2]);
        json_t *node = at(schema, "properties/spec/properties/provider");
        assert_string_equal(text_at(node, "properties/fake/properties/data/type"), "string");
        assert_string_equal(text_at(node, "properties/vault/properties/server/type"), "string");
        assert_int_equal(json_integer_value(at(node, "minProperties")), 1);
        assert_int_equal(json_integer_value(at(node, "maxProperties")), 1);
        assert_true(json_is_true(at(node, "x-kubernetes-preserve-unknown-fields")));
        assert_string_equal(text_at(schema, "x-kubernetes-validations/0/message"),
                            "no plugin here has this provider; there are: fake, vault");
    }
    es_yaml_fini(&y);
}

static void test_without_plugins(void **state)
{
    (void)state;
    struct es_yaml y = read_again(NULL, 0);
    json_t *schema = at(y.docs[1].root, SCHEMA_V1);

    assert_int_equal(json_object_size(at(schema, "properties/spec/properties/provider/properties")), 0);
    assert_string_equal(text_at(schema, "x-kubernetes-validations/0/message"),
                        "no plugin here has this provider; there are none");
    assert_string_equal(text_at(schema, "x-kubernetes-validations/0/rule"),
                        "has(self.status) || !has(self.spec) || !has(self.spec.provider)");
    es_yaml_fini(&y);
}

/* CEL cannot read self.spec.provider.my-cloud or a reserved word. */
static void test_names_that_cel_spells_differently(void **state)
{
    (void)state;
    static const struct es_crd_provider odd[] = {
        {"my-cloud", OBJECT("")}, {"import", OBJECT("")}, {"a_b__c", OBJECT("")}};
    struct es_yaml y = read_again(odd, 3);

    assert_string_equal(
        text_at(y.docs[1].root, SCHEMA_V1 STORE_RULE "/rule"),
        "has(self.status) || !has(self.spec) || !has(self.spec.provider)"
        " || has(self.spec.provider.a_b__underscores__c) || has(self.spec.provider.__import__)"
        " || has(self.spec.provider.my__dash__cloud)");
    es_yaml_fini(&y);
}

static void refused(const struct es_crd_provider *providers, size_t count, const char *said)
{
    struct es_crds *crds = NULL;
    struct es_error err = ES_ERROR_INIT;

    assert_int_equal(es_crds_new(&crds, providers, count, &err), ES_E_CONFIG);
    assert_null(crds);
    assert_string_equal(err.text, said);
}

static void test_names_that_cannot_be(void **state)
{
    (void)state;
    static const char *const names[] = {"", "1password", "a.b", "a b", "-a"};
    char said[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct es_crd_provider p = {names[i], OBJECT("")};
        snprintf(said, sizeof said, "\"%s\" cannot be the name of a provider", names[i]);
        refused(&p, 1, said);
    }
    const struct es_crd_provider none = {NULL, OBJECT("")};
    refused(&none, 1, "\"\" cannot be the name of a provider");
    const struct es_crd_provider twice[] = {{"a", OBJECT("")}, {"b", OBJECT("")}, {"a", OBJECT("")}};
    refused(twice, 3, "two plugins bring a provider \"a\"");
    const struct es_crd_provider bad = {"a", "{}"};
    refused(&bad, 1, "schema of provider \"a\": type must be object");
}

static void test_a_ceiling_is_an_error(void **state)
{
    (void)state;
    struct es_buf out;
    struct es_error err = ES_ERROR_INIT;

    es_buf_init(&out, 1000);
    assert_int_equal(es_crd_render(&out, two, 2, ES_CRD_YAML, &err), ES_E_TOO_LARGE);
    assert_string_equal(err.text, "the definitions do not fit into 1000 bytes");
    es_buf_fini(&out);
}

static void test_schemas_are_found_by_version_and_kind(void **state)
{
    (void)state;
    struct es_crds *crds = NULL;
    assert_int_equal(es_crds_new(&crds, two, 2, NULL), 0);

    assert_non_null(es_crds_schema(crds, "external-secrets.io/v1", "ExternalSecret"));
    assert_non_null(es_crds_schema(crds, "external-secrets.io/v1beta1", "ClusterSecretStore"));
    assert_null(es_crds_schema(crds, "external-secrets.io/v2", "ExternalSecret"));
    assert_null(es_crds_schema(crds, "external-secrets.io.evil/v1", "ExternalSecret"));
    assert_null(es_crds_schema(crds, "v1", "Secret"));
    assert_null(es_crds_schema(crds, NULL, NULL));
    es_crds_free(crds);
    es_crds_free(NULL);
}

/* ---- schemas */

static const char *const good_schemas[] = {
    "{\"type\":\"object\"}",
    "{\"$schema\":\"http://json-schema.org/draft-07/"
    "schema#\",\"$id\":\"x\",\"$comment\":\"y\",\"x-esp-per-namespace\":{\"mode\":[\"own\"]},\"type\":"
    "\"object\"}",
    OBJECT("\"a\":" TEXT ",\"default\":" TEXT ",\"pattern\":" TEXT),
    OBJECT("\"a\":{\"type\":\"object\",\"additionalProperties\":" TEXT "}"),
    OBJECT("\"a\":{\"type\":\"object\",\"additionalProperties\":true}"),
    OBJECT("\"a\":{\"x-kubernetes-preserve-unknown-fields\":true}"),
    OBJECT("\"a\":{\"x-kubernetes-int-or-string\":true,\"pattern\":\"^a\",\"anyOf\":[{\"type\":\"integer\"},{"
           "\"type\":"
           "\"string\"}]}"),
    OBJECT("\"a\":{\"type\":\"array\",\"items\":" TEXT ",\"x-kubernetes-list-type\":\"set\",\"minItems\":1}"),
    OBJECT("\"a\":{\"type\":\"string\",\"enum\":[\"x\",\"y\"],\"default\":\"x\",\"pattern\":\"^[xy]$\","
           "\"maxLength\":3}"),
    OBJECT("\"a\":{\"type\":\"integer\",\"minimum\":1,\"exclusiveMinimum\":true,\"format\":\"int32\","
           "\"default\":5}"),
    OBJECT("\"a\":" TEXT ",\"b\":" TEXT
           "},\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}],\"x-kubernetes-map-"
           "type\":\"atomic\",\"externalDocs\":{\"url\":\"u\""),
    OBJECT("\"a\":" TEXT
           "},\"anyOf\":[{\"properties\":{\"a\":{\"enum\":[\"x\"]}}}],\"not\":{\"required\":[\"z\"]},"
           "\"allOf\":[{\"minProperties\":1}],\"x-kubernetes-validations\":[{\"rule\":\"true\"}],"
           "\"required\":[\"a\"],"
           "\"example\":{\"a\":\"b\""),
};

static void test_schemas_that_are_fine(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_schemas / sizeof *good_schemas; i++) {
        struct es_error err = ES_ERROR_INIT;
        if (es_crd_check_schema("p", good_schemas[i], &err) < 0)
            fail_msg("%s: %s", good_schemas[i], err.text);
    }
}

static void test_what_is_for_editors_is_left_out(void **state)
{
    (void)state;
    const struct es_crd_provider p = {"p", good_schemas[1]};
    struct es_yaml y = read_again(&p, 1);

    assert_int_equal(json_object_size(at(y.docs[1].root, SCHEMA_V1 PROVIDER "/properties/p")), 1);
    es_yaml_fini(&y);
}

static const struct {
    const char *schema, *said;
} bad_schemas[] = {
    {NULL, "there is none"},
    {"", "line 1: '[' or '{' expected near end of file"},
    {"[]", "line 1: must be an object"},
    {"{\"type\":\"object\",\"type\":\"object\"}", "line 1: duplicate object key near '\"type\"'"},
    {"{\"type\":\"string\"}", "type must be object"},
    {"{\"type\":\"object\",\"x-esp-per-namespace\":[\"a\"]}",
     "x-esp-per-namespace must be an object of arrays of strings"},
    {"{\"type\":\"object\",\"x-esp-per-namespace\":{\"a\":\"b\"}}",
     "x-esp-per-namespace must be an object of arrays of strings"},
    {"{\"type\":\"object\",\"x-esp-per-namespace\":{\"a\":[1]}}",
     "x-esp-per-namespace must be an object of arrays of strings"},
    {OBJECT("\"a\":{}"), "properties.a: type is missing"},
    {OBJECT("\"a\":true"), "properties.a: must be a schema"},
    {OBJECT("\"a\":{\"type\":\"text\"}"), "properties.a: there is no type text"},
    {OBJECT("\"a\":{\"type\":[\"string\",\"null\"]}"), "properties.a: type must be a text"},
    {OBJECT("\"a\":{\"type\":\"array\"}"), "properties.a: a list needs items"},
    {OBJECT("\"a\":{\"type\":\"string\",\"items\":" TEXT "}"), "properties.a: items are for a list"},
    {OBJECT("\"a\":{\"type\":\"array\",\"items\":[" TEXT "]}"), "properties.a: items must be a schema"},
    {OBJECT("\"a\":{\"type\":\"array\",\"items\":{}}"), "properties.a.items: type is missing"},
    {OBJECT("\"a\":{\"type\":\"string\",\"properties\":{}}"), "properties.a: properties are for an object"},
    {OBJECT("\"a\":{\"type\":\"object\",\"properties\":{},\"additionalProperties\":" TEXT "}"),
     "properties.a: properties and additionalProperties exclude each other"},
    {OBJECT("\"a\":{\"type\":\"object\",\"additionalProperties\":false}"),
     "properties.a: additionalProperties must be a schema (unknown fields are refused without it)"},
    {OBJECT("\"a\":{\"type\":\"object\",\"additionalProperties\":{}}"),
     "properties.a.additionalProperties: type is missing"},
    {OBJECT("\"a\":{\"$ref\":\"#/x\"}"),
     "properties.a: $ref is not possible: references are not resolved here; write the schema in their place"},
    {OBJECT("\"a\":{\"const\":1}"), "properties.a: const is not possible: use an enum of one value"},
    {OBJECT("\"a\":{\"type\":\"string\",\"colour\":1}"), "properties.a: unknown keyword colour"},
    {OBJECT("\"a\":{\"type\":\"string\",\"minLength\":-1}"),
     "properties.a: minLength must be a number from 0"},
    {OBJECT("\"a\":{\"type\":\"integer\",\"exclusiveMinimum\":3}"),
     "properties.a: exclusiveMinimum must be true or false"},
    {OBJECT("\"a\":{\"type\":\"string\",\"enum\":[]}"),
     "properties.a: enum must be a list with something in it"},
    {OBJECT("\"a\":{\"type\":\"string\",\"pattern\":\"[\"}"),
     "properties.a: pattern: error parsing regexp: missing closing ]: `[`"},
    {OBJECT("\"a\":{\"type\":\"string\",\"default\":5}"),
     "properties.a: default: expected a string, got a number"},
    {OBJECT("\"a\":{\"type\":\"object\",\"properties\":{\"b\":" TEXT "},\"default\":{\"c\":\"d\"}}"),
     "properties.a: default: c: unknown field"},
    {OBJECT("\"a\":{\"type\":\"string\",\"enum\":[\"x\"],\"default\":\"y\"}"),
     "properties.a: default: \"y\" is none of x"},
    {OBJECT("\"a\":" TEXT "},\"required\":[\"a\",\"b\"],\"example\":{"), "required, but no property: b"},
    {OBJECT("\"a\":{\"type\":\"string\",\"x-kubernetes-preserve-unknown-fields\":true}"),
     "properties.a: x-kubernetes-preserve-unknown-fields is for objects"},
    {OBJECT("\"a\":{\"x-kubernetes-preserve-unknown-fields\":false}"),
     "properties.a: x-kubernetes-preserve-unknown-fields must be true or absent"},
    {OBJECT("\"a\":{\"type\":\"integer\",\"x-kubernetes-int-or-string\":true}"),
     "properties.a: x-kubernetes-int-or-string stands instead of a type"},
    {OBJECT("\"a\":{\"type\":\"array\",\"items\":" TEXT ",\"x-kubernetes-list-type\":\"bag\"}"),
     "properties.a: x-kubernetes-list-type or -map-type is none that exists"},
    {OBJECT("\"a\":{\"type\":\"array\",\"items\":" TEXT ",\"x-kubernetes-list-type\":\"map\"}"),
     "properties.a: x-kubernetes-list-type: map and x-kubernetes-list-map-keys belong together"},
    {OBJECT("\"a\":{\"type\":\"string\",\"x-kubernetes-validations\":[{\"message\":\"m\"}]}"),
     "properties.a: x-kubernetes-validations needs a rule in each entry"},
    {OBJECT("\"a\":" TEXT "},\"anyOf\":[{\"properties\":{\"b\":{\"enum\":[1]}}}],\"example\":{"),
     "anyOf.0.properties: a property that only allOf, anyOf, oneOf or not speaks of: b"},
    {OBJECT("\"a\":" TEXT "},\"oneOf\":[{\"required\":[\"a\"]},{\"type\":\"object\"}],\"example\":{"),
     "oneOf.1: type must stand outside allOf, anyOf, oneOf and not"},
    {OBJECT("\"a\":" TEXT "},\"not\":{\"description\":\"d\"},\"example\":{"),
     "not: description must stand outside allOf, anyOf, oneOf and not"},
};

static void test_schemas_that_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_schemas / sizeof *bad_schemas; i++) {
        struct es_error err = ES_ERROR_INIT;
        char said[512];
        snprintf(said, sizeof said, "schema of provider \"p\": %s", bad_schemas[i].said);
        assert_int_equal(es_crd_check_schema("p", bad_schemas[i].schema, &err), ES_E_CONFIG);
        assert_string_equal(err.text, said);
    }
}

static void test_deep_and_large_schemas_are_refused(void **state)
{
    (void)state;
    struct es_buf deep;
    struct es_error err = ES_ERROR_INIT;

    es_buf_init(&deep, (size_t)1 << 20);
    for (int i = 0; i < 100; i++)
        es_buf_adds(&deep, "{\"type\":\"object\",\"additionalProperties\":");
    es_buf_adds(&deep, TEXT);
    for (int i = 0; i < 100; i++)
        es_buf_addc(&deep, '}');
    assert_int_equal(es_crd_check_schema("p", es_buf_str(&deep), &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "nests too deep"));

    es_buf_reset(&deep);
    es_buf_adds(&deep, "{\"type\":\"object\"}");
    while (deep.len < (size_t)600 * 1024)
        es_buf_adds(&deep, "                                                                ");
    assert_int_equal(es_crd_check_schema("p", es_buf_str(&deep), &err), ES_E_CONFIG);
    assert_string_equal(err.text, "schema of provider \"p\": it is above 512 KiB");
    es_buf_fini(&deep);
}

/* ---- without memory */

static size_t allocations_left = SIZE_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static bool one_more(void)
{
    if (allocations_left == SIZE_MAX)
        return true;
    return allocations_left > 0 && allocations_left--;
}

void *__wrap_malloc(size_t size)
{
    return one_more() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return one_more() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return one_more() ? __real_realloc(ptr, size) : NULL;
}

/* The n-th allocation fails, for every n up to the first success. Steps grow
 * with n: the interesting places are early and repeat. jansson's parser takes a
 * failure inside itself for a syntax error, so the code is not always "no
 * memory"; but it is an error, with a sentence, and nothing leaks. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    bool done = false;

    json_set_alloc_funcs(malloc, free);
    for (size_t n = 0; !done; n += 1 + n / 16) {
        struct es_buf out;
        struct es_error err = ES_ERROR_INIT;
        es_buf_init(&out, (size_t)1 << 20);
        allocations_left = n;
        int rc = es_crd_render(&out, two, 2, n % 2 ? ES_CRD_YAML : ES_CRD_JSON, &err);
        allocations_left = SIZE_MAX;
        done = rc == 0;
        if (!done && !*err.text)
            fail_msg("after %zu allocations: %d without a word", n, rc);
        es_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds_in_a_fixed_order),
        cmocka_unit_test(test_the_order_of_the_plugins_does_not_show),
        cmocka_unit_test(test_json_says_the_same),
        cmocka_unit_test(test_everything_is_resolved),
        cmocka_unit_test(test_the_old_version_is_the_new_one_with_changes),
        cmocka_unit_test(test_providers_stand_in_every_store_and_version),
        cmocka_unit_test(test_without_plugins),
        cmocka_unit_test(test_names_that_cel_spells_differently),
        cmocka_unit_test(test_names_that_cannot_be),
        cmocka_unit_test(test_a_ceiling_is_an_error),
        cmocka_unit_test(test_schemas_are_found_by_version_and_kind),
        cmocka_unit_test(test_schemas_that_are_fine),
        cmocka_unit_test(test_what_is_for_editors_is_left_out),
        cmocka_unit_test(test_schemas_that_are_refused),
        cmocka_unit_test(test_deep_and_large_schemas_are_refused),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
