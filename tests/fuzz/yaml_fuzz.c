/* Whatever is read must be written so that it is read again as the same. */
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "tests/fuzz/fuzz.h"

static void check_lines(const struct es_yaml_doc *doc, const json_t *node, int last)
{
    const char *key;
    size_t i;
    json_t *child;

    REQUIRE(es_yaml_line(doc, node) <= last);
    json_object_foreach ((json_t *)node, key, child) {
        int line = es_yaml_line_of_key(doc, node, key);
        REQUIRE(line >= 0 && line <= last);
        check_lines(doc, child, last);
    }
    json_array_foreach (node, i, child) {
        int line = es_yaml_line_of_index(doc, node, i);
        REQUIRE(line >= 0 && line <= last);
        check_lines(doc, child, last);
    }
}

static void check_document(const struct es_yaml_doc *doc, int last)
{
    struct es_buf out;
    struct es_yaml back = {0};
    struct es_error err = ES_ERROR_INIT;

    check_lines(doc, doc->root, last);
    es_buf_init(&out, 64 << 20);
    es_yaml_write(&out, doc->root, true);
    REQUIRE(!es_buf_failed(&out));
    if (es_yaml_parse(&back, "out", es_buf_str(&out), out.len, &err) == 0) {
        REQUIRE(back.count == 1);
        REQUIRE(json_equal(back.docs[0].root, doc->root));
        es_yaml_fini(&back);
    } else {
        /* Written in block style it may be larger than what is read. */
        REQUIRE(out.len > (8 << 20));
    }
    es_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct es_yaml y = {0};
    struct es_error err = ES_ERROR_INIT;
    int lines = 2;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80 || data[i] == 0;
    int rc = es_yaml_parse(&y, "in", (const char *)data, size, &err);
    if (rc < 0) {
        REQUIRE(rc == ES_E_CONFIG && strncmp(err.text, "in:", 3) == 0);
        REQUIRE(es_utf8_valid(err.text, strlen(err.text)));
        return 0;
    }
    for (size_t i = 0; i < y.count; i++)
        check_document(&y.docs[i], lines);
    es_yaml_fini(&y);
    return 0;
}
