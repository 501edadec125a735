/* Definitions as they stand in a cluster, compared with ours. */
#include "core/preflight/definitions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define OURS                                                                                                 \
    "{'spec':{'names':{'kind':'A','shortNames':['a']},'conversion':{'strategy':'None'},'versions':["         \
    "{'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':'object','maximum':5,"    \
    "'properties':{'p':{'type':'string','required':[]}}}}},"                                                 \
    "{'name':'v0','served':true,'storage':false}]}}"

static json_t *read(const char *text)
{
    char with_quotes[2048];

    snprintf(with_quotes, sizeof with_quotes, "%s", text);
    for (char *at = with_quotes; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    json_t *value = json_loads(with_quotes, 0, NULL);
    assert_non_null(value);
    return value;
}

static bool same_as_ours(const char *text)
{
    json_t *ours = read(OURS), *theirs = read(text);
    bool same = es_definition_same(ours, theirs);

    json_decref(ours);
    json_decref(theirs);
    return same;
}

/* What the API server adds, leaves out and writes otherwise makes no difference. */
static void test_what_an_api_server_does_to_it(void **state)
{
    (void)state;
    assert_true(same_as_ours(OURS));
    assert_true(same_as_ours(
        "{'metadata':{'uid':'1'},'spec':{'names':{'kind':'A','shortNames':['a'],'listKind':'AList'},"
        "'conversion':{'strategy':'None'},'versions':["
        "{'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{'type':'object','maximum':5."
        "0,"
        "'properties':{'p':{'type':'string'}}}}},"
        "{'name':'v0','served':true}]},'status':{'storedVersions':['v1']}}"));
}

static void test_what_makes_a_difference(void **state)
{
    static const struct {
        const char *what, *instead;
    } edits[] = {
        {"'type':'string'", "'type':'integer'"},
        {"'maximum':5", "'maximum':6"},
        {"'p':{", "'q':{'type':'string'},'p':{"},
        {"'served':true,'storage':false", "'served':false,'storage':false"},
        {"'strategy':'None'", "'strategy':'Webhook'"},
        {"['a']", "['b']"},
        {"['a']", "['a','b']"},
        {",{'name':'v0','served':true,'storage':false}", ""},
        {"'name':'v0'", "'name':'v2'"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const char *at = strstr(OURS, edits[i].what);
        char text[2048];
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - OURS), OURS, edits[i].instead,
                 at + strlen(edits[i].what));
        assert_false(same_as_ours(text));
    }
}

/* A schema that nests deep is walked once: both ways at each level would take longer than anybody
 * waits. */
static void test_deep_schemas_are_compared_in_no_time(void **state)
{
    const int depth = 60;
    json_t *leaf = json_object(), *ours;
    (void)state;

    for (int i = 0; i < depth; i++)
        leaf = json_pack("{s:o}", "properties", leaf);
    ours = json_pack("{s:{s:{},s:[{s:s,s:o}]}}", "spec", "names", "versions", "name", "v1", "schema", leaf);
    json_t *theirs = json_deep_copy(ours);
    assert_true(es_definition_same(ours, theirs));
    json_decref(ours);
    json_decref(theirs);
}

static void test_versions_are_numbers(void **state)
{
    (void)state;
    assert_int_equal(es_definition_compare_versions("1.2.3", "1.2.3"), 0);
    assert_int_equal(es_definition_compare_versions("1.2", "1.2.0"), 0);
    assert_true(es_definition_compare_versions("1.10.0", "1.9.9") > 0);
    assert_true(es_definition_compare_versions("0.9.9", "1.0.0") < 0);
    assert_true(es_definition_compare_versions("", "0.1.0") < 0);
    assert_true(es_definition_compare_versions("no version", "0.1.0") < 0);
}

static void test_whose_it_is(void **state)
{
    static const struct {
        const char *definition, *said;
        bool release;
    } cases[] = {
        {"{}", "of somebody else", false},
        {"{'metadata':{'labels':{'external-secrets.io/component':'controller'}}}",
         "of the reference operator", false},
        {"{'metadata':{'annotations':{'external-secrets.io/esod-version':'1.2.3'}}}", "of esod 1.2.3", false},
        {"{'metadata':{'labels':{'external-secrets.io/component':'controller'},'annotations':{"
         "'meta.helm.sh/release-name':'eso','meta.helm.sh/release-namespace':'es'}}}",
         "of the reference operator, Helm release eso in namespace es", true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *definition = read(cases[i].definition);
        struct es_buf said, release;
        es_buf_init(&said, 1024);
        es_buf_init(&release, 1024);
        es_definition_describe(definition, &said);
        assert_string_equal(es_buf_str(&said), cases[i].said);
        assert_int_equal(es_definition_release(definition, &release), cases[i].release);
        es_buf_fini(&said);
        es_buf_fini(&release);
        json_decref(definition);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_api_server_does_to_it),
        cmocka_unit_test(test_what_makes_a_difference),
        cmocka_unit_test(test_deep_schemas_are_compared_in_no_time),
        cmocka_unit_test(test_versions_are_numbers),
        cmocka_unit_test(test_whose_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
