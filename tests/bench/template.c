/* What rendering costs: a template of 30 lines that calls ten different functions, as people write them for a
 * configuration file, read once and then rendered again and again; and the same through the
 * cache of templates, as each refresh does it.
 *
 *   template_bench [RENDERS] */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/template/template.h"

static const char text[] =
    "# {{ .name | upper }}\n"
    "# made from the values of a store\n"
    "server:\n"
    "  host: {{ .host | trim | quote }}\n"
    "  port: {{ .port | default \"5432\" }}\n"
    "  tls: {{ eq .mode \"strict\" }}\n"
    "{{- if .password }}\n"
    "auth:\n"
    "  user: {{ .user | quote }}\n"
    "  password: {{ .password | b64enc }}\n"
    "  digest: {{ printf \"%s:%s\" .user .password | sha256sum }}\n"
    "{{- else }}\n"
    "auth: none\n"
    "{{- end }}\n"
    "url: {{ printf \"postgres://%s:%s@%s:%s/%s\" .user (.password | urlquery) .host .port .name }}\n"
    "replicas:\n"
    "{{- range $i, $host := splitList \",\" .replicas }}\n"
    "  - index: {{ $i }}\n"
    "    host: {{ $host | trim }}\n"
    "    primary: {{ if eq $i 0 }}yes{{ else }}no{{ end }}\n"
    "{{- end }}\n"
    "{{- $settings := .settings | fromJson }}\n"
    "limits:\n"
    "  connections: {{ $settings.connections }}\n"
    "  timeout: {{ get $settings \"timeout\" | default \"30s\" }}\n"
    "labels: {{ $settings.labels | toJson }}\n"
    "tags: {{ $settings.tags | join \",\" }}\n"
    "{{- with .note }}\n"
    "note: |\n"
    "{{ . | indent 2 }}\n"
    "{{- end }}\n";

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static json_t *values(void)
{
    return json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "name", "orders", "host", " db.example.com ", "port", "5432",
        "mode", "strict", "user", "orders", "password", "s3cret/with+signs", "replicas",
        "a.example.com, b.example.com, c.example.com", "settings",
        "{\"connections\":50,\"labels\":{\"team\":\"blue\",\"env\":\"prod\"},\"tags\":[\"a\",\"b\"]}", "note",
        "first line\nsecond line");
}

static void check(int rc, const struct es_error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "template_bench: %s\n", err->text);
    exit(1);
}

static double execute(const struct es_template *t, const json_t *data, long renders, size_t *len)
{
    struct es_template_opts opts = {.missing_key_fails = true};
    struct es_error err = ES_ERROR_INIT;
    double begun = seconds();
    for (long i = 0; i < renders; i++) {
        struct es_blob out = {0};
        check(es_template_execute(t, "k", data, &opts, &out, &err), &err);
        *len = out.len;
        es_blob_fini(&out);
    }
    return seconds() - begun;
}

static double run(const json_t *data, long renders)
{
    struct es_template_opts opts = {.missing_key_fails = true};
    struct es_error err = ES_ERROR_INIT;
    double begun = seconds();
    for (long i = 0; i < renders; i++) {
        struct es_blob out = {0};
        check(es_template_run("k", text, sizeof text - 1, data, &opts, &out, &err), &err);
        es_blob_fini(&out);
    }
    return seconds() - begun;
}

int main(int argc, char **argv)
{
    long renders = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    struct es_template_opts opts = {.missing_key_fails = true};
    struct es_error err = ES_ERROR_INIT;
    struct es_template *t = NULL;
    size_t len = 0;
    es_mem_init();
    json_t *data = values();
    check(renders > 0 && data ? 0 : -1, &err);
    double begun = seconds();
    check(es_template_new(&t, "k", text, sizeof text - 1, &opts, &err), &err);
    double parsed = seconds() - begun;
    double executed = execute(t, data, renders, &len), cached = run(data, renders);
    printf("a template of 30 lines: %zu bytes of text, %zu of result\n", sizeof text - 1, len);
    printf("reading it      %7.1f us\n", parsed * 1e6);
    printf("rendering       %7.1f us\n", executed / (double)renders * 1e6);
    printf("through cache   %7.1f us\n", cached / (double)renders * 1e6);
    es_template_free(t);
    json_decref(data);
    return 0;
}
