/* target.template of a Secret, from the manifest to the object. The language has its own
 * tests (tests/unit/template). */
#include "tests/unit/controller/externalsecret_test.h"

#define TEMPLATE(text) SPEC("'target':{'template':{" text "}},")
#define FAILED "could not apply template: "

static void test_values_are_rendered(void **state)
{
    (void)state;
    start_synced(
        TEMPLATE("'data':{'dsn':'bob:{{ .password | upper }}@db','plain':'text'},"
                 "'metadata':{'labels':{'size':'{{ len .password }}'},'annotations':{'a':'{{ .password | "
                 "trunc 3 }}'}}"));
    assert_string_equal(world_value("es", "dsn"), "bob:HUNTER2@db");
    assert_string_equal(world_value("es", "plain"), "text");
    assert_string_equal(world_value("es", "password"), "(none)");
    json_t *secret = world_get(SECRET, "ns", "es");
    assert_string_equal(es_obj_str(secret, "metadata", "labels", "size"), "7");
    assert_string_equal(es_obj_str(secret, "metadata", "annotations", "a"), "hun");
    json_decref(secret);
}

static void test_template_from(void **state)
{
    (void)state;
    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'texts','namespace':'ns'},'data':{"
                "'one':'<{{ .password }}>','more':'two: {{ .password }}2\\nthree: dHJlcw==\\n'}}");
    world_apply("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'hidden','namespace':'ns'},"
                "'data':{'four':'e3sgbGVuIC5wYXNzd29yZCB9fQ=='}}");
    start_synced(TEMPLATE(
        "'mergePolicy':'Merge','data':{'five':'last {{ .password }}'},'templateFrom':["
        "{'configMap':{'name':'texts','items':[{'key':'one'},{'key':'more','templateAs':'KeysAndValues'}]}},"
        "{'secret':{'name':'hidden','items':[{'key':'four','templateAs':'Values'}]}},"
        "{'literal':'five: first','target':'Data'},"
        "{'literal':'six: /wD/','valuesDecodingStrategy':'Base64'},"
        "{'literal':'note: {{ .password }}','target':'annotations'},"
        "{'literal':'team: a{{ len .password }}','target':'Labels'}]"));
    assert_string_equal(world_value("es", "one"), "<hunter2>");
    assert_string_equal(world_value("es", "two"), "hunter22");
    assert_string_equal(world_value("es", "three"), "dHJlcw==");
    assert_string_equal(world_value("es", "four"), "7");
    assert_string_equal(world_value("es", "five"), "last hunter2");
    assert_string_equal(world_value("es", "password"), "hunter2");
    json_t *secret = world_get(SECRET, "ns", "es");
    assert_string_equal(es_obj_str(secret, "data", "six"), "/wD/");
    assert_string_equal(es_obj_str(secret, "metadata", "annotations", "note"), "hunter2");
    assert_string_equal(es_obj_str(secret, "metadata", "labels", "team"), "a7");
    json_decref(secret);
}

/* The sentence is the event's; no value is in it. */
static void test_what_cannot_be_rendered(void **state)
{
    static const struct {
        const char *spec, *why;
    } cases[] = {
        {TEMPLATE("'data':{'k':'{{ .passwort }}'}"), FAILED
         "could not execute template: unable to execute template at key k: template: k:1:3: executing \"k\" "
         "at <.passwort>: map has no entry for key \"passwort\""},
        {TEMPLATE("'data':{'k':'{{ .password'}"), FAILED
         "could not execute template: unable to parse template at key k: template: k:1: unclosed action"},
        {TEMPLATE("'data':{'k':'{{ fail (print .password .password) }}'}"), FAILED
         "could not execute template: unable to execute template at key k: template: k:1:3: executing \"k\" "
         "at <fail (print .password .password)>: error calling fail: ******"},
        {TEMPLATE("'metadata':{'labels':{'l':'{{ b64dec `/w==` }}'}}"),
         FAILED "target.template.metadata.labels.l is not UTF-8 once rendered"},
        {TEMPLATE("'templateFrom':[{'configMap':{'name':'absent','items':[{'key':'k'}]}}]"),
         FAILED "error fetching templateFrom data: configmaps \"absent\" not found"},
        {TEMPLATE("'templateFrom':[{'configMap':{'name':'texts','items':[{'key':'k'}]}}]"),
         FAILED "error fetching templateFrom data: error in configmap texts: missing key k"},
        {TEMPLATE(
             "'templateFrom':[{'configMap':{'name':'texts','items':[{'key':'a','templateAs':'Both'}]}}]"),
         FAILED
         "error fetching templateFrom data: unknown scope 'Both': expected 'Values' or 'KeysAndValues'"},
        {TEMPLATE("'templateFrom':[{'literal':'[1]'}]"), FAILED
         "error fetching templateFrom data: could not unmarshal template to 'map[string][]byte': it is no "
         "map"},
        {TEMPLATE("'templateFrom':[{'literal':'a: [1]'}]"), FAILED
         "error fetching templateFrom data: could not unmarshal template to 'map[string][]byte': the value "
         "of a is a list, not a text"},
        {TEMPLATE("'templateFrom':[{'literal':'a: no!','valuesDecodingStrategy':'Base64'}]"), FAILED
         "error fetching templateFrom data: failed to decode rendered template value for key a: illegal "
         "base64 data at input byte 2"},
    };
    (void)state;

    world_apply("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'texts','namespace':'ns'},'data':{'"
                "a':'b'}}");
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[8];
        snprintf(name, sizeof name, "es%zu", i);
        world_external_secret(name, cases[i].spec);
        world_expect_event("Warning", "UpdateFailed", cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_values_are_rendered),
        IN_WORLD(test_template_from),
        IN_WORLD(test_what_cannot_be_rendered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
