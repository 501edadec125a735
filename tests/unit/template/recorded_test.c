/* What Go's text/template made of thousands of templates, and what is made of them here.
 * The recordings come from tests/template; see its README.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/template/template.h"

#define SHOWN_MAX 25

static json_t *data_sets;

struct score {
    size_t cases, wrong;
};

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *value = json_load_file(path, 0, &why);
    if (!value)
        fail_msg("%s: %s", path, why.text);
    return value;
}

/* A member's text; base64 in cases that are no UTF-8. */
static struct es_blob text_of(const json_t *c, const char *member)
{
    struct es_blob b = {0};
    const json_t *text = json_object_get(c, member);

    if (!text)
        return b;
    if (json_is_true(json_object_get(c, "b64")))
        assert_int_equal(
            es_base64_decode(&b, ES_BASE64_STD, json_string_value(text), json_string_length(text), NULL), 0);
    else
        assert_int_equal(es_blob_set(&b, json_string_value(text), json_string_length(text)), 0);
    return b;
}

static const char *str(const struct es_blob *b)
{
    return b->ptr ? (const char *)b->ptr : "";
}

static void show(struct score *s, const char *file, const struct es_blob *template, const char *want,
                 const char *got)
{
    s->wrong++;
    if (s->wrong <= SHOWN_MAX)
        fprintf(stderr, "%s: %s\n   Go: %s\n here: %s\n", file, str(template), want, got);
}

static void compare(struct score *s, const char *file, const json_t *c, const struct es_blob *template,
                    int rc, const struct es_blob *out, const char *error)
{
    struct es_blob want_error = text_of(c, "err"), want = text_of(c, "out");
    bool fails = want_error.len > 0, prefix = json_is_true(json_object_get(c, "prefix"));

    if (fails && rc == 0)
        show(s, file, template, str(&want_error), str(out));
    else if (fails && (prefix ? strncmp(error, str(&want_error), want_error.len)
                              : strcmp(error, str(&want_error))) != 0)
        show(s, file, template, str(&want_error), error);
    else if (!fails && rc < 0)
        show(s, file, template, str(&want), error);
    else if (!fails && !es_blob_equal(&want, out))
        show(s, file, template, str(&want), str(out));
    es_blob_fini(&want_error);
    es_blob_fini(&want);
}

static void try_case(struct score *s, const char *file, const json_t *c)
{
    struct es_template_opts opts = {.missing_key_fails = json_is_true(json_object_get(c, "strict"))};
    struct es_blob template = text_of(c, "t"), out = {0};
    struct es_error err = ES_ERROR_INIT;
    const json_t *data = json_object_get(data_sets, json_string_value(json_object_get(c, "d")));

    s->cases++;
    int rc = es_template_run("k", str(&template), template.len, data, &opts, &out, &err);
    compare(s, file, c, &template, rc, &out, err.text);
    es_blob_fini(&template);
    es_blob_fini(&out);
}

/* A case a line. */
static void play(const char *file, size_t at_least)
{
    char path[600], *line = NULL;
    size_t cap = 0;
    struct score s = {0};

    snprintf(path, sizeof path, "%s/%s.jsonl", RECORDED, file);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s: cannot be read", path);
    while (getline(&line, &cap, f) > 0) {
        json_t *c = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(c);
        try_case(&s, file, c);
        json_decref(c);
    }
    free(line);
    fclose(f);
    assert_true(s.cases >= at_least);
    if (s.wrong)
        fail_msg("%s: %zu of %zu differ", file, s.wrong, s.cases);
}

static void test_language(void **state)
{
    (void)state;
    play("language", 1000);
}

static void test_printf(void **state)
{
    (void)state;
    play("printf", 800);
}

static void test_strings(void **state)
{
    (void)state;
    play("strings", 600);
}

static void test_lists_and_dicts(void **state)
{
    (void)state;
    play("lists", 600);
}

static void test_math(void **state)
{
    (void)state;
    play("math", 600);
}

static void test_encoding(void **state)
{
    (void)state;
    play("encode", 500);
}

static void test_regular_expressions_and_paths(void **state)
{
    (void)state;
    play("regex", 400);
}

static void test_urls_versions_and_chance(void **state)
{
    (void)state;
    play("misc", 20);
}

static void test_dates(void **state)
{
    (void)state;
    play("date", 15);
}

static int setup(void **state)
{
    (void)state;
    es_mem_init();
    data_sets = load(DATA_SETS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(data_sets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_lists_and_dicts),
        cmocka_unit_test(test_math),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_regular_expressions_and_paths),
        cmocka_unit_test(test_urls_versions_and_chance),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
