/* What held a value is wiped before it is given back: whatever the program frees is
 * looked through for a planted one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/template/template.h"

#define PLANTED "Pl4ntedV4lue"

static volatile size_t found; /* volatile: the compiler believes that free() sees no variable */
static volatile bool looking;

void __real_free(void *ptr);
void __wrap_free(void *ptr);

void __wrap_free(void *ptr)
{
    if (ptr && looking && memmem(ptr, malloc_usable_size(ptr), PLANTED + 1, sizeof PLANTED - 3))
        found++;
    __real_free(ptr);
}

/* The result, if there is one, is the caller's to wipe, and he does. */
static void render(const char *template)
{
    char text[] = "\"" PLANTED "\"";
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    json_t *data = json_pack("{s:o}", "v", value);
    const struct es_template_opts opts = {.missing_key_fails = true};
    struct es_error err = ES_ERROR_INIT;
    struct es_blob out = {0};

    found = 0;
    looking = true;
    es_template_run("k", template, strlen(template), data, &opts, &out, &err);
    es_blob_fini(&out);
    json_decref(data);
    looking = false;
    if (found)
        fail_msg("%zu places kept a value: %s", (size_t)found, template);
}

static void test_values_are_wiped(void **state)
{
    static const char *const templates[] = {
        "{{ .v }}",
        "{{ printf \"%s %q %v %10s\" .v .v .v .v }}{{ print .v 1 }}{{ println .v }}",
        "{{ .v | upper | lower | title | quote | squote | indent 4 | trim | nospace | snakecase | wrap 3 }}",
        "{{ .v | b64enc | b64dec | b32enc | b32dec }}{{ .v | sha256sum }}",
        "{{ dict \"a\" (list .v) | toJson | fromJson | toPrettyJson }}{{ dict .v .v | toYaml | fromYaml | "
        "toYaml }}",
        "{{ splitList \"4\" .v | join \"-\" }}{{ regexReplaceAll \"n\" .v \"$0\" }}{{ regexFindAll \".\" .v "
        "-1 }}",
        "{{ html .v }}{{ js .v }}{{ urlquery .v }}{{ repeat 300 .v }}{{ replace \"x\" .v \"axb\" }}",
        "{{ range $i, $e := list .v .v }}{{ $x := cat $i $e }}{{ $x }}{{ end }}{{ with .v }}{{ . }}{{ end }}",
        "{{ urlParse (print \"http://u:\" .v \"@h/\") | urlJoin }}{{ encryptAES .v .v | decryptAES .v }}",
        "{{ derivePassword 1 \"long\" .v \"u\" \"s\" }}{{ htpasswd \"u\" .v \"sha\" }}{{ bcrypt .v }}",
        "{{ .v | mustFromJson }}",
        "{{ range 10 }}{{ repeat 900000 $.v }}{{ end }}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
        render(templates[i]);
}

/* The look-out sees what is not wiped. */
static void test_the_test(void **state)
{
    char *copy = strdup(PLANTED);
    volatile char *seen = copy; /* or the compiler spares itself the copy */
    (void)state;

    assert_int_equal(seen[0], 'P');
    found = 0;
    looking = true;
    free(copy);
    looking = false;
    assert_int_equal(found, 1);
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
        cmocka_unit_test(test_the_test),
        cmocka_unit_test(test_values_are_wiped),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
