/* Limits, failures and what several threads share. That results are Go's is
 * recorded_test.c's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/template/cache.h"

#define SMALL_STACK ((size_t)128 * 1024) /* the smallest of a thread that may render */

static int run_with(const char *text, const struct es_template_opts *opts, struct es_blob *out,
                    struct es_error *err)
{
    json_t *data = json_pack("{s:s,s:s}", "a", "alpha", "secret", "s3cr3t-value");
    int rc = es_template_run("k", text, strlen(text), data, opts, out, err);
    json_decref(data);
    return rc;
}

static void check_error(const char *text, int code, const char *want)
{
    const struct es_template_opts opts = {.missing_key_fails = true};
    struct es_error err = ES_ERROR_INIT;
    struct es_blob out = {0};

    assert_int_equal(run_with(text, &opts, &out, &err), code);
    if (!strstr(err.text, want))
        fail_msg("%s is not in: %s", want, err.text);
    assert_null(strstr(err.text, "s3cr3t"));
    assert_null(out.ptr);
}

static void check(const char *text, const struct es_template_opts *opts, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob out = {0};

    if (run_with(text, opts, &out, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(out.ptr ? (const char *)out.ptr : "", want);
    es_blob_fini(&out);
}

static void test_output_is_limited(void **state)
{
    (void)state;
    check_error(
        "{{ range 5 }}{{ repeat 1000000 \"x\" }}{{ end }}", ES_E_TOO_LARGE,
        "template: k:1:16: executing \"k\" at <{{repeat 1000000 \"x\"}}>: the result is above 4194304 bytes");
    check_error("{{ repeat 2000000000 \"xx\" }}", ES_E_TOO_LARGE,
                "error calling repeat: the result is above 8388608 bytes");
    check_error("{{ printf "
                "\"%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d\" 1 2 3 "
                "4 5 6 7 8 9 }}",
                ES_E_TOO_LARGE, "error calling printf: the result is above");
}

static void test_steps_are_limited(void **state)
{
    (void)state;
    check_error("{{ range 1000000000 }}{{ end }}", ES_E_TOO_LARGE,
                "the template takes more than 20000000 steps");
    check_error("{{ until 2000000000 }}", ES_E_TOO_LARGE, "the template takes more than 20000000 steps");
}

static void test_memory_is_limited(void **state)
{
    (void)state;
    check_error("{{ range 100 }}{{ $x := repeat 1000000 \"x\" }}{{ end }}", ES_E_TOO_LARGE,
                "the template needs more than 64 MiB of memory");
}

static int64_t slow_ms(void *ctx)
{
    int64_t *now = ctx;
    return *now += 1000;
}

static void test_time_is_limited(void **state)
{
    int64_t now = 0;
    struct es_clock clock = es_system_clock;
    struct es_error err = ES_ERROR_INIT;
    struct es_blob out = {0};
    (void)state;

    clock.mono_ms = slow_ms;
    clock.ctx = &now;
    const struct es_template_opts opts = {.clock = &clock};
    assert_int_equal(run_with("{{ range 1000000 }}{{ end }}", &opts, &out, &err), ES_E_TOO_LARGE);
    assert_non_null(strstr(err.text, "the template takes too long"));
}

/* `open` n times, what is in the middle, `close` n times. */
static char *nested(const char *open, const char *middle, const char *close, size_t n)
{
    size_t cap = n * (strlen(open) + strlen(close)) + strlen(middle) + 1, at = 0;
    char *text = malloc(cap);

    for (size_t i = 0; i < n; i++, at += strlen(open))
        memcpy(text + at, open, strlen(open));
    memcpy(text + at, middle, strlen(middle));
    at += strlen(middle);
    for (size_t i = 0; i < n; i++, at += strlen(close))
        memcpy(text + at, close, strlen(close));
    text[at] = '\0';
    return text;
}

static void try_nested(const char *open, const char *middle, const char *close, size_t n, int code,
                       const char *want)
{
    char *text = nested(open, middle, close, n);

    if (code == 0)
        check(text, &(struct es_template_opts){0}, want);
    else
        check_error(text, code, want);
    free(text);
}

static void *nest(void *arg)
{
    (void)arg;
    try_nested("{{ if 1 }}", "x", "{{ end }}", 40, 0, "x");
    try_nested("{{ if 1 }}", "x", "{{ end }}", 101, ES_E_CONFIG, "template: k:1: nested more than 100 deep");
    try_nested("{{ if 0 }}{{ else if 1 }}", "x", "{{ end }}", 101, ES_E_CONFIG, "nested more than 100 deep");
    check("{{ "
          "((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))"
          "))) }}",
          &(struct es_template_opts){0}, "1");
    try_nested("(", "1", ")", 0, 0, "1");
    check_error("{{ define \"t\" }}{{ if 1 }}{{ template \"t\" . }}{{ end }}{{ end }}{{ template \"t\" . }}",
                ES_E_CONFIG, "exceeded maximum template depth");
    check_error("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}", ES_E_TOO_LARGE, "the result is above");
    check_error("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ mustToJson $d }}", ES_E_CONFIG,
                "nested too deeply");
    check("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d }}", &(struct es_template_opts){0}, "");
    check_error("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}", ES_E_CONFIG,
                "nested more than 64");
    check_error("{{ fromJson (repeat 200 \"[\") }}{{ mustFromJson (repeat 200 \"[\") }}", ES_E_CONFIG,
                "exceeded max depth");
    return NULL;
}

static void test_nesting_is_limited_on_small_stacks(void **state)
{
    pthread_t thread;
    pthread_attr_t attr;
    (void)state;

    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attr, nest, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}

/* Where Go would put a value into an error, here it says of what type that is. */
static void test_errors_hold_no_values(void **state)
{
    (void)state;
    check_error("{{ range .secret }}{{ end }}", ES_E_CONFIG,
                "range can't iterate over a value of type string");
    check_error("{{ .secret | call }}", ES_E_CONFIG, "non-function <string Value> of type string");
    check_error("{{ mustToDate \"2006\" .secret }}", ES_E_CONFIG, "parsing time: a number is missing");
    check_error("{{ urlParse (print \":\" .secret) }}", ES_E_CONFIG,
                "unable to parse url: missing protocol scheme");
    check_error("{{ semver .secret }}", ES_E_CONFIG, "invalid semantic version");
    check_error("{{ index . \"a\" .secret }}", ES_E_CONFIG, "cannot index slice/array with type string");
    check_error("{{ eq (list .secret) (list .secret) }}", ES_E_CONFIG, "non-comparable type []interface {}");
    check_error("{{ mustDateModify .secret now }}", ES_E_CONFIG, "time: invalid duration");
}

/* The reference's library takes bytes for characters here. */
static void test_spaces_go_and_characters_stay_whole(void **state)
{
    const struct es_template_opts opts = {0};
    (void)state;

    check("{{ nospace \"\u00e9 \u00e0\\t\u4e16 x\" }}|{{ nospace \"a\u00a0b\u2003c\" }}", &opts,
          "\u00e9\u00e0\u4e16x|abc");
    check("{{ initials \"\u00e9t\u00e9 \u4e16\u754c x\" }}", &opts, "\u00e9\u4e16x");
}

static void test_delimiters(void **state)
{
    const struct es_template_opts opts = {.left = "<%", .right = "%>"}, empty = {.left = "", .right = ""};
    (void)state;

    check("<% .a %>{{ .a }}<%/* gone */%><%- \"x\" -%> y", &opts, "alpha{{ .a }}xy");
    check("{{ .a }}", &empty, "alpha");
    check("<% .a %>", &empty, "<% .a %>");
}

static void test_a_text_that_is_too_large(void **state)
{
    char *text = calloc(1, ES_TEMPLATE_TEXT_MAX + 2);
    (void)state;

    memset(text, 'x', ES_TEMPLATE_TEXT_MAX + 1);
    check_error(text, ES_E_TOO_LARGE, "template: k: the text is above 1048576 bytes");
    free(text);
}

/* Templates that were read before come back, more of them than are kept. */
static void test_the_cache(void **state)
{
    char text[40], want[16];
    struct es_template *first = NULL, *again = NULL;
    (void)state;

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 400; i++) {
            snprintf(text, sizeof text, "{{ print %d }}", i);
            snprintf(want, sizeof want, "%d", i);
            check(text, &(struct es_template_opts){0}, want);
        }
    const struct es_template_opts opts = {0};
    assert_int_equal(es_template_get(&first, "k", "{{ 1 }}", 7, &opts, NULL), 0);
    assert_int_equal(es_template_get(&again, "other", "{{ 1 }}", 7, &opts, NULL), 0);
    assert_ptr_equal(first, again);
    es_template_cache_clear();
    es_template_free(again);
    es_template_free(first);
}

static void *render_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        check("{{ range $i := until 5 }}{{ $i }}{{ end }}{{ .a | upper }}", &(struct es_template_opts){0},
              "01234ALPHA");
    return NULL;
}

static void test_threads_share_templates(void **state)
{
    pthread_t threads[4];
    (void)state;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static int setup(void **state)
{
    (void)state;
    es_mem_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_is_limited),
        cmocka_unit_test(test_steps_are_limited),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_time_is_limited),
        cmocka_unit_test(test_nesting_is_limited_on_small_stacks),
        cmocka_unit_test(test_errors_hold_no_values),
        cmocka_unit_test(test_spaces_go_and_characters_stay_whole),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_a_text_that_is_too_large),
        cmocka_unit_test(test_the_cache),
        cmocka_unit_test(test_threads_share_templates),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
