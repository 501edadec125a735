#include "core/kube/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/mem.h"

/* The text, or the error's. */
static void check(const char *selector, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *parsed = json_loads(selector, 0, NULL);
    char *text = NULL;

    assert_non_null(parsed);
    int rc = es_label_selector_text(parsed, &text, &err);
    assert_string_equal(rc == 0 ? text : err.text, want);
    if (rc < 0)
        assert_int_equal(rc, ES_E_CONFIG);
    es_mem_free(text);
    json_decref(parsed);
}

static void test_texts(void **state)
{
    (void)state;
    check("{}", "");
    check("{\"matchLabels\":{\"app.kubernetes.io/name\":\"web\",\"empty\":\"\"}}",
          "app.kubernetes.io/name=web,empty=");
    check("{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":["
          "{\"key\":\"t\",\"operator\":\"In\",\"values\":[\"x\",\"y\"]},"
          "{\"key\":\"u\",\"operator\":\"NotIn\",\"values\":[\"z\"]},"
          "{\"key\":\"v\",\"operator\":\"Exists\"},{\"key\":\"w\",\"operator\":\"DoesNotExist\"}]}",
          "a=1,t in (x,y),u notin (z),v,!w");
}

static void test_refusals(void **state)
{
    (void)state;
    check("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Like\"}]}",
          "\"Like\" is not a valid label selector operator");
    check("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}",
          "label selector: operator In for \"a\" needs values");
    check("{\"matchLabels\":{\"a\":\"1,b=2\"}}", "label selector: \"1,b=2\" cannot stand in a label");
    check("{\"matchLabels\":{\"a b\":\"1\"}}", "label selector: \"a b\" cannot stand in a label");
    check("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"x)\"]}]}",
          "label selector: \"x)\" cannot stand in a label");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
