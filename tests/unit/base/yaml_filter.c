/* The YAML reader and writer as a filter, for yaml_property_test.py.
 *
 * "write": a JSON array on stdin; each item comes out as one YAML document.
 * "read": texts on stdin, a NUL behind each; each becomes one line: a JSON
 * array of its documents, or "!" and the error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/yaml.h"

#define MAX_INPUT ((size_t)64 << 20)

static int write_documents(const struct es_buf *in)
{
    json_error_t why;
    struct es_buf out;
    json_t *items = json_loadb(in->ptr, in->len, JSON_ALLOW_NUL, &why);

    if (!json_is_array(items)) {
        fprintf(stderr, "%s\n", why.text);
        json_decref(items);
        return 1;
    }
    es_buf_init(&out, MAX_INPUT);
    for (size_t i = 0; i < json_array_size(items); i++) {
        es_buf_adds(&out, "---\n");
        es_yaml_write(&out, json_array_get(items, i), i % 2 == 0);
    }
    json_decref(items);
    bool good = !es_buf_failed(&out) && fwrite(es_buf_str(&out), 1, out.len, stdout) == out.len;
    es_buf_fini(&out);
    return good ? 0 : 1;
}

static void read_text(const char *text, size_t len)
{
    struct es_yaml y = {0};
    struct es_error err = ES_ERROR_INIT;

    if (es_yaml_parse(&y, "in", text, len, &err) < 0) {
        printf("!%s\n", err.text);
        return;
    }
    printf("[");
    for (size_t i = 0; i < y.count; i++) {
        char *json = json_dumps(y.docs[i].root, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("%s%s", i ? "," : "", json ? json : "?");
        free(json);
    }
    printf("]\n");
    es_yaml_fini(&y);
}

int main(int argc, char **argv)
{
    struct es_buf in;
    char chunk[65536];
    size_t n;
    int rc = 0;

    es_buf_init(&in, MAX_INPUT);
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        es_buf_add(&in, chunk, n);
    if (argc == 2 && strcmp(argv[1], "write") == 0) {
        rc = write_documents(&in);
    } else {
        for (size_t i = 0; i < in.len; i += strlen(in.ptr + i) + 1)
            read_text(in.ptr + i, strlen(in.ptr + i));
    }
    es_buf_fini(&in);
    return rc;
}
