#include "tests/unit/base/base_test.h"

#include <stdio.h>
#include <unistd.h>

#include "core/base/yaml.h"

static struct es_yaml parsed(const char *text)
{
    struct es_yaml y = {0};
    struct es_error err = ES_ERROR_INIT;
    if (es_yaml_parse(&y, "in.yaml", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    return y;
}

static void assert_reads(const char *text, const char *want)
{
    struct es_yaml y = parsed(text);
    assert_int_equal(y.count, 1);
    char *json = json_dumps(y.docs[0].root, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(json, want);
    free(json);
    es_yaml_fini(&y);
}

static void assert_fails(const char *text, const char *want)
{
    struct es_yaml y = {.count = 77};
    struct es_error err = ES_ERROR_INIT;
    if (es_yaml_parse(&y, "in.yaml", text, strlen(text), &err) == 0)
        fail_msg("\"%s\" was accepted", text);
    assert_int_equal(err.code, ES_E_CONFIG);
    assert_string_equal(err.text, want);
    assert_int_equal(y.count, 77);
}

/* For what libyaml finds wrong: its words differ from version to version. */
static void assert_fails_at(const char *text, const char *place)
{
    struct es_yaml y;
    struct es_error err = ES_ERROR_INIT;
    assert_int_equal(es_yaml_parse(&y, "in.yaml", text, strlen(text), &err), ES_E_CONFIG);
    if (strncmp(err.text, place, strlen(place)) != 0)
        fail_msg("\"%s\" is not at %s", err.text, place);
}

static void test_scalars_as_kubernetes_reads_them(void **state)
{
    /* Results of sigs.k8s.io/yaml v1.4.0. */
    static const char *const cases[][2] = {
        {"yes", "true"},
        {"'yes'", "\"yes\""},
        {"\"no\"", "\"no\""},
        {"Off", "false"},
        {"y", "true"},
        {"yEs", "\"yEs\""},
        {"!!bool 'on'", "true"},
        {"!!str yes", "\"yes\""},
        {"017", "15"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"0b101", "5"},
        {"-0x1f", "-31"},
        {"08", "8"},
        {"1_000", "1000"},
        {"+5", "5"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "9.2233720368547758e18"},
        {"99999999999999999999", "1e20"},
        {"1.5", "1.5"},
        {"3.0", "3"},
        {"1e3", "1000"},
        {".5", "0.5"},
        {"1e999", "\"1e999\""},
        {"1.2.3", "\"1.2.3\""},
        {"10.0.0.1", "\"10.0.0.1\""},
        {"1:30", "\"1:30\""},
        {"2001-01-01", "\"2001-01-01\""},
        {"2001-12-14t21:59:43.10-05:00", "\"2001-12-14t21:59:43.10-05:00\""},
        {"!!float 1", "1"},
        {"!!int '5'", "5"},
        {"!!str 5", "\"5\""},
        {"! 12", "\"12\""},
        {"!mine 12", "\"12\""},
        {"!!binary aGk=", "\"hi\""},
        {"0x", "\"0x\""},
        {"1e", "\"1e\""},
        {"-", "[null]"},
        {"{a: , b: ~}", "{\"a\":null,\"b\":null}"},
        {"\"a\\0b\"", "\"a\\u0000b\""},
        {"|\n  a\n   b\n", "\"a\\n b\\n\""},
        {">-\n  a\n  b\n", "\"a b\""},
        {"!!set {a, b}", "{\"a\":null,\"b\":null}"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_reads(cases[i][0], cases[i][1]);
}

static void test_keys_become_text(void **state)
{
    (void)state;

    assert_reads("1: a\nyes: b\n1.5: c\n0x10: d\n1e6: e\n.inf: f\n2001-01-01: g\n",
                 "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"16\":\"d\",\"1e+06\":\"e\",\".inf\":\"f\","
                 "\"2001-01-01\":\"g\"}");
    assert_fails("~: a", "in.yaml:1: a mapping key is null, binary or too large a number");
    assert_fails("? [a]\n: b", "in.yaml:1: a mapping key is not a scalar");
    assert_fails("\n\"a\\0b\": 1", "in.yaml:2: a mapping key holds a NUL");
}

static void test_duplicate_keys(void **state)
{
    (void)state;

    assert_fails("a: 1\nb: 2\na: 3\n", "in.yaml:3: key \"a\" is already defined at line 1");
    assert_fails("1: x\n\"1\": y\n", "in.yaml:2: key \"1\" is already defined at line 1");
    assert_fails("{\"a\": 1, \"a\": 2}", "in.yaml:1: key \"a\" is already defined at line 1");
}

static void test_anchors(void **state)
{
    (void)state;

    assert_reads("a: &x {k: [1]}\nb: *x\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]}}");
    assert_reads("- &a 1\n- &a 2\n- *a\n", "[1,2,2]");
    assert_reads("&k key: 1\nb: *k\n", "{\"key\":1,\"b\":\"key\"}");
    assert_reads("- &k 7\n- *k : x\n", "[7,{\"7\":\"x\"}]");
    assert_fails("a: *x", "in.yaml:1: an alias refers to an anchor that does not exist");
    assert_fails("a: &x\n  b: *x", "in.yaml:2: an anchored value contains itself");
    assert_fails("&x 1\n--- \n*x", "in.yaml:3: an alias refers to an anchor that does not exist");
}

static void test_alias_copies_are_apart(void **state)
{
    struct es_yaml y = parsed("a: &x {k: 1}\nb: *x\n");
    json_t *a = json_object_get(y.docs[0].root, "a");
    (void)state;

    json_object_set_new(a, "k", json_integer(2));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(y.docs[0].root, "b"), "k")), 1);
    es_yaml_fini(&y);
}

static void test_merge_keys(void **state)
{
    static const char base[] = "x: &a {q: 1, w: 2}\nz: &b {q: 3, e: 4}\n";
    static const struct {
        const char *member, *want;
    } cases[] = {
        {"<<: *a\n  k: 1", "{\"k\":1,\"q\":1,\"w\":2}"},
        {"<<: [*a, *b]", "{\"q\":1,\"e\":4,\"w\":2}"},
        {"<<: *a\n  q: 9", "{\"q\":9,\"w\":2}"},
        {"q: 9\n  <<: *a", "{\"q\":9,\"w\":2}"},
        {"<<: {i: 5}", "{\"i\":5}"},
        {"'<<': *a", "{\"<<\":{\"q\":1,\"w\":2}}"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[200];
        snprintf(text, sizeof text, "%sv:\n  %s\n", base, cases[i].member);
        struct es_yaml y = parsed(text);
        char *json = json_dumps(json_object_get(y.docs[0].root, "v"), JSON_COMPACT);
        assert_string_equal(json, cases[i].want);
        free(json);
        es_yaml_fini(&y);
    }
    assert_fails("<<: 5", "in.yaml:1: a merge key needs a mapping or a sequence of mappings");
    assert_fails("<<: [{a: 1}, 5]", "in.yaml:1: a merge key needs a mapping or a sequence of mappings");
}

static void test_errors_quote_no_value(void **state)
{
    (void)state;

    assert_fails("a: .inf", "in.yaml:1: JSON has no infinity and no not-a-number");
    assert_fails("a: !!int planted", "in.yaml:1: a value tagged !!int is not an integer");
    assert_fails("a: !!float planted", "in.yaml:1: a value tagged !!float is not a number");
    assert_fails("a: !!bool planted", "in.yaml:1: a value tagged !!bool is not a boolean");
    assert_fails("a: !!null planted", "in.yaml:1: a value tagged !!null is not null");
    assert_fails("a: !!binary '*'", "in.yaml:1: a !!binary value is not base64");
    assert_fails("a: !!binary /w==",
                 "in.yaml:1: a !!binary value is not UTF-8 text, which JSON cannot carry");
    assert_fails_at("a: b\n\tc: d\n", "in.yaml:2: found a");
    assert_fails_at("\na: b: c", "in.yaml:2: mapping values");
    assert_fails_at("a: \xFF", "in.yaml:1: invalid ");
    assert_fails_at("[", "in.yaml:");
}

static void test_documents(void **state)
{
    struct es_yaml y = parsed("# only a comment\n---\n---\na: 1\n--- null\n...\n---\n- b\n");
    (void)state;

    assert_int_equal(y.count, 2);
    assert_int_equal(y.docs[0].line, 4);
    assert_true(json_is_object(y.docs[0].root));
    assert_int_equal(y.docs[1].line, 8);
    es_yaml_fini(&y);
    y = parsed("");
    assert_int_equal(y.count, 0);
    es_yaml_fini(&y);
    es_yaml_fini(&y);
}

static void test_lines(void **state)
{
    struct es_yaml y = parsed("a: &x\n"      /* 1 */
                              "  on: true\n" /* 2: the key "true" */
                              "  list:\n"    /* 3 */
                              "  - null\n"   /* 4 */
                              "  - |\n"      /* 5 */
                              "    text\n"
                              "b: *x\n" /* 7 */
                              "c:\n"    /* 8 */
                              "  <<: *x\n"
                              "  own: 5\n"); /* 10 */
    const struct es_yaml_doc *doc = &y.docs[0];
    const json_t *a = json_object_get(doc->root, "a"), *b = json_object_get(doc->root, "b");
    const json_t *c = json_object_get(doc->root, "c"), *list = json_object_get(a, "list");
    (void)state;

    assert_int_equal(es_yaml_line(doc, doc->root), 1);
    assert_int_equal(es_yaml_line_of_key(doc, doc->root, "b"), 7);
    assert_int_equal(es_yaml_line_of_key(doc, a, "true"), 2);
    assert_int_equal(es_yaml_line_of_key(doc, a, "list"), 3);
    assert_int_equal(es_yaml_line_of_index(doc, list, 0), 4);
    assert_int_equal(es_yaml_line_of_index(doc, list, 1), 5);
    assert_int_equal(es_yaml_line(doc, json_array_get(list, 1)), 5);
    assert_int_equal(es_yaml_line(doc, json_array_get(list, 0)), 0);
    assert_int_equal(es_yaml_line_of_key(doc, b, "list"), 3); /* where it is written */
    assert_int_equal(es_yaml_line_of_index(doc, json_object_get(b, "list"), 1), 5);
    assert_int_equal(es_yaml_line_of_key(doc, c, "list"), 3);
    assert_int_equal(es_yaml_line_of_key(doc, c, "own"), 10);
    assert_int_equal(es_yaml_line(doc, json_object_get(c, "own")), 10);
    assert_int_equal(es_yaml_line_of_key(doc, c, "none"), 0);
    assert_int_equal(es_yaml_line(doc, NULL), 0);
    es_yaml_fini(&y);
}

static void test_json_that_yaml_cannot(void **state)
{
    (void)state;

    assert_reads("{\"a\": \"\\ud83d\\ude00\"}", "{\"a\":\"\xF0\x9F\x98\x80\"}");
    assert_reads(" [\"\\ud83d\\ude00\", \"\\u0000\"]\n", "[\"\xF0\x9F\x98\x80\",\"\\u0000\"]");
    assert_reads("[\"\\ud83d\\ude00\", 1e3, {\"b\": 2.0, \"c\": 0.5}]",
                 "[\"\xF0\x9F\x98\x80\",1000,{\"b\":2,\"c\":0.5}]");
    assert_reads("{\"a\":\"b\\/c\",\"d\":[1,2],\n\t\"e\":{}}", "{\"a\":\"b/c\",\"d\":[1,2],\"e\":{}}");
    assert_fails_at("{\"a\": \"\\ud83d\"}", "in.yaml:1: found invalid");
}

static char *repeat(const char *piece, size_t count, const char *end)
{
    size_t n = strlen(piece);
    char *text = malloc(n * count + strlen(end) + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * n, piece, n);
    memcpy(text + n * count, end, strlen(end) + 1);
    return text;
}

static void test_limits(void **state)
{
    char *deep = repeat("[", 65, ""), *fine = repeat("- ", 63, "x"),
         *json = repeat("[", 100, "\"\\ud83d\\ude00\"");
    char *large = repeat("a: b # some text\n", 600000, "");
    (void)state;

    assert_fails(deep, "in.yaml:1: nested too deeply");
    struct es_yaml y = parsed(fine);
    assert_int_equal(y.count, 1);
    es_yaml_fini(&y);
    assert_fails_at(json, "in.yaml:1: ");
    assert_fails(large, "in.yaml:1: above 8388608 bytes");
    /* A billion laughs. */
    assert_fails("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                 "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                 "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: *f\n",
                 "in.yaml:6: too many values (aliases included)");
    free(deep);
    free(fine);
    free(json);
    free(large);
}

static void test_load(void **state)
{
    char path[] = "/tmp/esod-yaml-test-XXXXXX", want[100];
    struct es_error err = ES_ERROR_INIT;
    struct es_yaml y = {0};
    int fd = mkstemp(path);
    (void)state;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\na: 2\n", 10), 10);
    close(fd);
    assert_int_equal(es_yaml_load(&y, path, &err), ES_E_CONFIG);
    snprintf(want, sizeof want, "%s:2: key \"a\" is already defined at line 1", path);
    assert_string_equal(err.text, want);
    assert_int_equal(truncate(path, 5), 0);
    assert_int_equal(es_yaml_load(&y, path, &err), 0);
    assert_int_equal(y.count, 1);
    es_yaml_fini(&y);
    assert_int_equal(truncate(path, 9 << 20), 0);
    assert_int_equal(es_yaml_load(&y, path, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, ":1: above 8388608 bytes"));
    unlink(path);
    assert_int_equal(es_yaml_load(&y, path, &err), ES_E_NOT_FOUND);
    assert_int_equal(es_yaml_load(&y, "/", &err), ES_E_CONFIG);
}

static void assert_writes(const char *json, bool sorted, const char *want)
{
    struct es_buf out;
    json_t *root = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    es_buf_init(&out, 1 << 20);
    es_yaml_write(&out, root, sorted);
    assert_string_equal(es_buf_str(&out), want);
    struct es_yaml y = parsed(es_buf_str(&out));
    assert_int_equal(y.count, !json_is_null(root));
    if (y.count)
        assert_true(json_equal(y.docs[0].root, root));
    es_yaml_fini(&y);
    es_buf_fini(&out);
    json_decref(root);
}

static void test_write(void **state)
{
    (void)state;

    assert_writes(
        "{\"b\":1,\"a\":{\"y\":[],\"x\":{}},\"c\":[1,[2,3],{\"k\":\"v\",\"l\":null},[{\"m\":true}]]}", true,
        "a:\n  x: {}\n  \"y\": []\nb: 1\nc:\n- 1\n- - 2\n  - 3\n- k: v\n  l: null\n- - m: true\n");
    assert_writes("{\"b\":1,\"a\":2}", false, "b: 1\na: 2\n");
    assert_writes("{\"text\":\"a\\n b\\n\",\"keep\":\"a\\n\\n\",\"strip\":\"a\\n\\nb\"}", false,
                  "text: |\n  a\n   b\nkeep: |+\n  a\n\nstrip: |-\n  a\n\n  b\n");
    assert_writes("[{\"a\":\"x\\ny\"},\"x\\ny\"]", false, "- a: |-\n    x\n    y\n- |-\n  x\n  y\n");
    assert_writes("\"x\\ny\"", false, "|-\n  x\n  y\n");
    assert_writes("null", false, "null\n");
    assert_writes("[]", false, "[]\n");
    assert_writes("[1.5,1e300,-1e-7,9223372036854775807]", false,
                  "- 1.5\n- 1.0e+300\n- -1.0e-07\n- 9223372036854775807\n");
}

static void test_write_quotes_where_needed(void **state)
{
    /* Words that are plain, and how the others come out. */
    static const char *const plain[] = {"a",    "a b",      "a:b",       "10.0.0.1", "1.2.3",
                                        "-a",   "v1",       "a#b",       "a'b",      "http://x/y?z=1#f",
                                        ".go",  "~x",       "\xC3\xA9",  "0z",       "1h30m",
                                        "x=y",  "3 apples", "1.2.3.4/5", "e5",       "(a)",
                                        "${x}", "<a>",      ";",         "^a$"};
    static const char *const quoted[][2] = {
        {"", "\"\""},
        {"yes", "\"yes\""},
        {"N", "\"N\""},
        {"nuLL", "\"nuLL\""},
        {"~", "\"~\""},
        {"1", "\"1\""},
        {"0x1f", "\"0x1f\""},
        {"1e3", "\"1e3\""},
        {".5", "\".5\""},
        {"1_0", "\"1_0\""},
        {"1:30", "\"1:30\""},
        {".inf", "\".inf\""},
        {"2001-01-01", "\"2001-01-01\""},
        {"<<", "\"<<\""},
        {"=", "\"=\""},
        {"- a", "\"- a\""},
        {"-", "\"-\""},
        {"a: b", "\"a: b\""},
        {"a:", "\"a:\""},
        {"a #b", "\"a #b\""},
        {" a", "\" a\""},
        {"a ", "\"a \""},
        {"*a", "\"*a\""},
        {"&a", "\"&a\""},
        {"!a", "\"!a\""},
        {"%a", "\"%a\""},
        {"@a", "\"@a\""},
        {"`a", "\"`a\""},
        {"[a", "\"[a\""},
        {"{a", "\"{a\""},
        {"'a", "\"'a\""},
        {"\"a\"", "'\"a\"'"},
        {"{\"a\": 'b'}", "'{\"a\": ''b''}'"},
        {"---", "\"---\""},
        {"... ", "\"... \""},
        {"a\tb", "\"a\\tb\""},
        {"\r", "\"\\r\""},
        {"\n", "\"\\n\""},
        {" a\nb", "\" a\\nb\""},
        {"a\nb\x1B", "\"a\\nb\\x1B\""},
        {"\xC2\x85", "\"\\x85\""},
        {"\xE2\x80\xA8", "\"\\u2028\""},
        {"\xEF\xBB\xBF", "\"\\uFEFF\""},
    };
    struct es_buf out;
    (void)state;

    es_buf_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(plain) + COUNT_OF(quoted); i++) {
        const char *text = i < COUNT_OF(plain) ? plain[i] : quoted[i - COUNT_OF(plain)][0];
        const char *want = i < COUNT_OF(plain) ? plain[i] : quoted[i - COUNT_OF(plain)][1];
        json_t *node = json_string(text);
        es_buf_reset(&out);
        es_yaml_write(&out, node, false);
        out.ptr[out.len - 1] = '\0';
        assert_string_equal(es_buf_str(&out), want);
        json_decref(node);
    }
    es_buf_fini(&out);
}

static void test_write_long_keys(void **state)
{
    char *key = repeat("k", 1500, ""), *want = malloc(1600);
    json_t *root = json_pack("{s:{s:i}}", "a", key, 1);
    struct es_buf out;
    (void)state;

    snprintf(want, 1600, "a:\n  ? %s\n  : 1\n", key);
    es_buf_init(&out, 10000);
    es_yaml_write(&out, root, true);
    assert_string_equal(es_buf_str(&out), want);
    es_buf_fini(&out);
    es_buf_init(&out, 100);
    es_yaml_write(&out, root, true);
    assert_true(es_buf_failed(&out));
    es_buf_fini(&out);
    json_decref(root);
    free(key);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_as_kubernetes_reads_them),
        cmocka_unit_test(test_keys_become_text),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_alias_copies_are_apart),
        cmocka_unit_test(test_merge_keys),
        cmocka_unit_test(test_errors_quote_no_value),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_json_that_yaml_cannot),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_quotes_where_needed),
        cmocka_unit_test(test_write_long_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
