#include "tests/unit/secret/secret_test.h"

#include "core/secret/rules.h"

#define DATA "'data':[{'secretKey':'k','remoteRef':{'key':'a'}}]"
#define TWICE "'data':[{'secretKey':'k'},{'secretKey':'j'},{'secretKey':'k'}]"
#define NOT_OWNED                                                                                            \
    "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set "         \
    "creationPolicy=Owner"
#define NONE                                                                                                 \
    "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with"
#define TOO_MANY "extract, find, or generatorRef cannot be set at the same time"

static void check(const char *quoted_spec, const char *said)
{
    struct es_error err = ES_ERROR_INIT;
    char text[1024];

    assert_true(snprintf(text, sizeof text, "{'spec':{%s}}", quoted_spec) < (int)sizeof text);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *es = parse(text);
    int rc = es_external_secret_check(es, &err);
    json_decref(es);
    assert_string_equal(err.text, said ? said : "");
    assert_int_equal(rc, said ? ES_E_CONFIG : 0);
}

static void test_policies(void **state)
{
    (void)state;
    check(DATA, NULL);
    check("'target':{'creationPolicy':'Owner','deletionPolicy':'Delete'}," DATA, NULL);
    check("'target':{'creationPolicy':'Orphan','deletionPolicy':'Delete'}," DATA, NULL);
    check("'target':{'deletionPolicy':'Delete'}," DATA, NULL);
    check("'target':{'creationPolicy':'Merge','deletionPolicy':'Delete'}," DATA, NOT_OWNED);
    check("'target':{'creationPolicy':'CreateOrMerge','deletionPolicy':'Delete'}," DATA, NOT_OWNED);
    check("'target':{'creationPolicy':'None','deletionPolicy':'Delete'}," DATA, NOT_OWNED);
    check("'target':{'creationPolicy':'None','deletionPolicy':'Merge'}," DATA, NONE);
    check("'target':{'creationPolicy':'Merge','deletionPolicy':'Merge'}," DATA, NULL);
}

static void test_data_from(void **state)
{
    (void)state;
    check("", "either data or dataFrom should be specified");
    check("'data':[],'dataFrom':[]", "either data or dataFrom should be specified");
    check("'dataFrom':[{'extract':{'key':'a'}}]", NULL);
    check("'dataFrom':[{'find':{}}]", NULL);
    check("'dataFrom':[{'sourceRef':{'generatorRef':{}}}]", NULL);
    check("'dataFrom':[{'sourceRef':{'storeRef':{}}}]", NULL);
    check("'dataFrom':[{'extract':{},'sourceRef':{'storeRef':{}}}]", NULL);
    check("'dataFrom':[{'extract':{},'find':{}}]", TOO_MANY);
    check("'dataFrom':[{'find':{},'sourceRef':{'generatorRef':{}}}]", TOO_MANY);
    check("'dataFrom':[{'rewrite':[]}]", "either extract, find, or sourceRef must be set to dataFrom");
    check("'dataFrom':[{'sourceRef':{}}]",
          "generatorRef or storeRef must be set when using sourceRef in dataFrom");
}

/* Only where both values are sure to be there, as the reference has it. */
static void test_duplicates(void **state)
{
    (void)state;
    check(TWICE, "duplicate secretKey found: k");
    check("'target':{'deletionPolicy':'Retain'}," TWICE, "duplicate secretKey found: k");
    check("'target':{'deletionPolicy':'Delete'}," TWICE, NULL);
    check("'target':{'deletionPolicy':'Merge'}," TWICE, NULL);
}

static void test_all_is_told_at_once(void **state)
{
    (void)state;
    check("'target':{'creationPolicy':'None','deletionPolicy':'Merge'},'dataFrom':[{},{'extract':{},'find':{}"
          "}]",
          NONE "; either extract, find, or sourceRef must be set to dataFrom; " TOO_MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_data_from),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_all_is_told_at_once),
    };
    es_mem_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
