/* What is noted is told, to people and to programs. */
#include "core/preflight/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/kube/obj.h"

static void note_all(struct es_report *r)
{
    es_report_init(r);
    es_report_add(r, "server", ES_FINE, "answered in %d ms", 3);
    es_report_add(r, "rights", ES_FAILED, "may not");
    es_report_remedy(r, "grant %s", "it");
    es_report_add(r, "clock", ES_WARNING, "late");
    es_report_add(r, "clock", ES_WARNING, "later");
    es_report_add(r, "webhooks", ES_UNCHECKED, "unknown");
    assert_true(es_report_complete(r));
}

static void test_for_people(void **state)
{
    struct es_report r;
    struct es_buf out;
    (void)state;

    note_all(&r);
    es_buf_init(&out, 4096);
    es_report_text(&r, &out);
    assert_string_equal(es_buf_str(&out), "ok          server            answered in 3 ms\n"
                                          "FAILED      rights            may not\n"
                                          "                           -> grant it\n"
                                          "warning     clock             late\n"
                                          "warning     clock             later\n"
                                          "not checked webhooks          unknown\n"
                                          "1 FAILED, 2 warnings, 1 not checked\n");
    es_buf_fini(&out);
    es_report_fini(&r);
}

static void test_for_programs(void **state)
{
    struct es_report r;
    (void)state;

    note_all(&r);
    json_t *report = es_report_json(&r);
    assert_int_equal(es_obj_int(report, "failed"), 1);
    assert_int_equal(es_obj_int(report, "warnings"), 2);
    assert_int_equal(es_obj_int(report, "notChecked"), 1);
    const json_t *failed = json_array_get(es_obj_at(report, "checks"), 1);
    assert_string_equal(es_obj_str(failed, "check"), "rights");
    assert_string_equal(es_obj_str(failed, "result"), "failed");
    assert_string_equal(es_obj_str(failed, "remedy"), "grant it");
    assert_true(json_is_null(json_object_get(json_array_get(es_obj_at(report, "checks"), 0), "remedy")));
    json_decref(report);
    es_report_fini(&r);
}

/* A name of a cluster's may be of any length, and of any letters. */
static void test_what_is_cut_stays_text(void **state)
{
    static char name[6001];
    (void)state;

    for (size_t shift = 0; shift < 3; shift++) {
        struct es_report r;
        memset(name, 'a', shift);
        for (size_t i = shift; i + 3 <= sizeof name - 1; i += 3)
            memcpy(name + i, "\xe2\x82\xac", 3);
        es_report_init(&r);
        es_report_add(&r, "objects", ES_WARNING, "%s", name);
        es_report_remedy(&r, "%s", name);
        assert_true(es_report_complete(&r));
        es_report_fini(&r);
    }
}

static void test_nothing_failed(void **state)
{
    struct es_report r;
    struct es_buf out;
    (void)state;

    es_report_init(&r);
    es_buf_init(&out, 4096);
    es_report_text(&r, &out);
    assert_string_equal(es_buf_str(&out), "nothing failed\n");
    es_buf_fini(&out);
    es_report_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_for_people),
        cmocka_unit_test(test_for_programs),
        cmocka_unit_test(test_what_is_cut_stays_text),
        cmocka_unit_test(test_nothing_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
