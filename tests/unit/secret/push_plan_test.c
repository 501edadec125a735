/* What a PushSecret pushes, entry by entry. */
#include "tests/unit/secret/secret_test.h"

#include <stdio.h>

#include "core/base/buf.h"
#include "core/secret/push_plan.h"

/* Puts the value between brackets; "!" cannot be read, "?" cannot be rendered. */
static int fake_parse(void *ctx, const char *text, struct es_error *err)
{
    (void)ctx;
    return strchr(text, '!') ? es_error_set(err, ES_E_CONFIG, "unexpected !") : 0;
}

static int fake_render(void *ctx, const char *text, const json_t *data, struct es_buf *out,
                       struct es_error *err)
{
    (void)ctx;
    if (strchr(text, '?'))
        return es_error_set(err, ES_E_CONFIG, "wrong ?");
    if (!strchr(text, '-'))
        es_buf_addf(out, "[%s]", json_string_value(json_object_get(data, "value")));
    return 0;
}

static const struct es_renderer renderer = {.render = fake_render, .parse = fake_parse};

/* "id=secretKey(name,name)" for each entry; the names of what is pushed. */
static void describe(struct es_buf *out, const struct es_push_plan *plan, const struct es_values *source)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct es_push_entry *e = &plan->entries[i];
        struct es_values values = {0};
        struct es_error err = ES_ERROR_INIT;
        es_buf_addf(out, "%s%s=%s(", i ? " " : "", e->id, es_push_secret_key(e->data));
        if (es_push_entry_values(e, source, &values, &err) < 0)
            es_buf_adds(out, err.text);
        for (size_t k = 0; k < values.count; k++)
            es_buf_addf(out, "%s%s:%.*s", k ? "," : "", values.items[k].key, (int)values.items[k].blob.len,
                        values.items[k].blob.ptr ? (const char *)values.items[k].blob.ptr : "");
        es_buf_addc(out, ')');
        es_values_fini(&values);
    }
}

/* The description, or the error. */
static void check_with(const struct es_renderer *r, const char *source_text, const char *spec_text,
                       const char *want)
{
    static const bool applies[] = {true, true, true, false};
    struct es_values source = values_of(source_text);
    struct es_push_plan plan = {0};
    struct es_error err = ES_ERROR_INIT;
    json_t *spec = parse(spec_text);
    struct es_buf have;

    es_buf_init(&have, 16384);
    if (es_push_plan_make(&plan, spec, applies, &source, r, &err) < 0) {
        assert_int_equal(plan.count, 0);
        es_buf_adds(&have, err.text);
    } else {
        describe(&have, &plan, &source);
    }
    assert_string_equal(es_buf_str(&have), want);
    es_buf_fini(&have);
    es_push_plan_fini(&plan);
    es_values_fini(&source);
    json_decref(spec);
}

static void check(const char *source, const char *spec, const char *want)
{
    check_with(&renderer, source, spec, want);
}

#define DATA(entries) "{\"data\":[" entries "]}"
#define TO(entries) "{\"dataTo\":[" entries "]}"
#define ENTRY(key, remote)                                                                                   \
    "{\"match\":{\"secretKey\":\"" key "\",\"remoteRef\":{\"remoteKey\":\"" remote "\"}}}"
#define PROPERTY(key, remote, property)                                                                      \
    "{\"match\":{\"secretKey\":\"" key "\",\"remoteRef\":{\"remoteKey\":\"" remote                           \
    "\",\"property\":\"" property "\"}}}"
#define WHOLE(remote) "{\"match\":{\"remoteRef\":{\"remoteKey\":\"" remote "\"}}}"
#define REVERSED(key, remote)                                                                                \
    "{\"conversionStrategy\":\"ReverseUnicode\",\"match\":{\"secretKey\":\"" key                             \
    "\",\"remoteRef\":{\"remoteKey\":\"" remote "\"}}}"

#define AB "{\"a\":\"1\",\"b\":\"2\"}"

static void test_entries_of_data(void **state)
{
    (void)state;
    check(AB, "{}", "");
    check(AB, DATA(ENTRY("a", "r") "," PROPERTY("b", "r", "p")), "r=a(a:1) r/p=b(b:2)");
    check(AB, DATA(WHOLE("all")), "all=(a:1,b:2)");
    check("{}", DATA(WHOLE("all")), "all=()");
    check(AB, DATA(ENTRY("c", "r")), "r=c(secret key c does not exist)");
    check("{\"a_U002f_b\":\"1\"}", DATA(REVERSED("a/b", "r")), "r=a/b(a/b:1)");
    check("{\"a_U002f_b\":\"1\"}", DATA(REVERSED("a_U002f_b", "r")),
          "r=a_U002f_b(secret key a_U002f_b does not exist)");
    check("{\"A\":\"1\",\"_U0041_\":\"2\"}", DATA(REVERSED("A", "r")),
          "r=A(could not apply conversion strategy to keys: secret name collision during conversion: A)");
}

static void test_reversed_names(void **state)
{
    static const struct {
        const char *key, *name;
    } cases[] = {
        {"plain", "plain"},
        {"_U0041_", "A"},
        {"x_U002F_y_U002f_z", "x/y/z"},
        {"_U1f511_", "\xf0\x9f\x94\x91"},
        {"_U041_", "_U041_"},               /* too few digits */
        {"_U000041_", "_U000041_"},         /* too many */
        {"_U00zz_", "_U00zz_"},             /* no digits */
        {"_U0041", "_U0041"},               /* open */
        {"_U0041_U0042_", "AU0042_"},       /* the line between them is used up */
        {"_U0041__U0042_", "AB"},           /* and here are two */
        {"_U0000_", "_U0000_"},             /* no name has a null character */
        {"_Ud800_", "\xef\xbf\xbd"},        /* half a character */
        {"u_U0041_\xc3\xa9", "uA\xc3\xa9"}, /* others stay */
        {"__U0041__", "_A_"},               /* as they are */
        {"_U_U0041_", "_UA"},               /* begins again */
        {"_UABCD_", "\xea\xaf\x8d"},        /* capitals */
        {"_U10FFFF_", "_U10FFFF_"},         /* six digits */
        {"_U0041_-_U0042_.c", "A-B.c"},     /* in between */
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct es_values values = {0};
        struct es_push_keys keys = {0};
        assert_int_equal(es_values_set(&values, cases[i].key, "v", 1), 0);
        assert_int_equal(es_push_keys_convert(&keys, &values, "ReverseUnicode", NULL), 0);
        assert_string_equal(keys.items[0].name, cases[i].name);
        assert_string_equal(keys.items[0].source, cases[i].key);
        es_push_keys_fini(&keys);
        assert_int_equal(es_push_keys_convert(&keys, &values, "None", NULL), 0);
        assert_string_equal(keys.items[0].name, cases[i].key);
        es_push_keys_fini(&keys);
        es_values_fini(&values);
    }
}

static void test_keys_of_data_to(void **state)
{
    (void)state;
    check(AB, TO("{}"), "a=a(a:1) b=b(b:2)");
    check(AB, TO("{\"match\":{\"regexp\":\"^b\"}}"), "b=b(b:2)");
    check(AB, TO("{\"match\":{\"regexp\":\"c\"}}"), "");
    check(AB,
          TO("{\"rewrite\":[{\"regexp\":{\"source\":\"^\",\"target\":\"x/\"}},{\"transform\":{"
             "\"template\":\"t\"}},{}]}"),
          "[x/a]=a(a:1) [x/b]=b(b:2)");
    check("{\"a_U002f_b\":\"1\"}", TO("{\"conversionStrategy\":\"ReverseUnicode\"}"),
          "a/b=a_U002f_b(a_U002f_b:1)");
    check(AB, TO("{\"remoteKey\":\"all\"}"), "all=(a:1,b:2)");
    check(AB, TO("{\"remoteKey\":\"all\",\"match\":{\"regexp\":\"a\"}}"), "all=(a:1)");
    check(AB, TO("{\"remoteKey\":\"all\",\"match\":{\"regexp\":\"x\"}}"), "");
    check("{\"a_U002f_b\":\"1\"}", TO("{\"remoteKey\":\"all\",\"conversionStrategy\":\"ReverseUnicode\"}"),
          "all=(a/b:1)");
    check(AB, TO("{\"remoteKey\":\"x\"},{\"remoteKey\":\"y\"},{\"remoteKey\":\"z\"},{\"remoteKey\":\"no\"}"),
          "x=(a:1,b:2) y=(a:1,b:2) z=(a:1,b:2)"); /* the fourth is for another store */
}

#define BOTH(to, entries) "{\"dataTo\":[" to "],\"data\":[" entries "]}"

static void test_data_takes_its_keys_away_from_data_to(void **state)
{
    (void)state;
    check(AB, BOTH("{}", ENTRY("a", "mine")), "b=b(b:2) mine=a(a:1)");
    check(AB, BOTH("{},{\"remoteKey\":\"all\"}", WHOLE("whole")), "a=a(a:1) b=b(b:2) whole=(a:1,b:2)");
    check("{\"a_U002f_b\":\"1\",\"c\":\"2\"}", BOTH("{}", REVERSED("a/b", "mine")),
          "c=c(c:2) mine=a/b(a/b:1)");
}

static void test_what_is_recorded(void **state)
{
    static const bool applies[] = {true, true};
    struct es_values source = values_of("{\"a\":\"1\"}");
    struct es_push_plan plan = {0};
    json_t *spec = parse("{\"dataTo\":[{\"metadata\":{\"x\":[1]}},{\"remoteKey\":\"all\"}],\"data\":["
                         "{\"match\":{\"remoteRef\":{\"remoteKey\":\"w\"}},\"metadata\":{\"y\":2},"
                         "\"conversionStrategy\":\"None\"}]}");
    (void)state;

    assert_int_equal(es_push_plan_make(&plan, spec, applies, &source, NULL, NULL), 0);
    assert_int_equal(plan.count, 2);
    check_json(
        plan.entries[0].data,
        "{\"match\":{\"secretKey\":\"a\",\"remoteRef\":{\"remoteKey\":\"a\"}},\"metadata\":{\"x\":[1]},"
        "\"conversionStrategy\":\"None\"}");
    check_json(plan.entries[1].data,
               "{\"match\":{\"remoteRef\":{\"remoteKey\":\"w\"}},\"metadata\":{\"y\":2},"
               "\"conversionStrategy\":\"None\"}");
    es_push_plan_fini(&plan);
    es_values_fini(&source);
    json_decref(spec);
}

#define EXPAND "failed to expand dataTo: dataTo[0]: "
#define MERGE "failed to merge data entries: "

static void test_refusals(void **state)
{
    (void)state;
    check(AB, TO("{\"remoteKey\":\"x\",\"rewrite\":[{\"regexp\":{\"source\":\"a\",\"target\":\"b\"}}]}"),
          EXPAND "remoteKey and rewrite are mutually exclusive: rewrite is only supported in per-key mode "
                 "(without remoteKey)");
    check("{\"A\":\"1\",\"_U0041_\":\"2\"}", TO("{\"conversionStrategy\":\"ReverseUnicode\"}"),
          EXPAND "conversion failed: secret name collision during conversion: A");
    check(AB, TO("{\"match\":{\"regexp\":\"[\"}}"),
          EXPAND "match failed: failed to compile regexp pattern \"[\": error parsing regexp: missing "
                 "closing ]: `[`");
    check(AB, TO("{\"rewrite\":[{\"regexp\":{\"source\":\"(\",\"target\":\"\"}}]}"),
          EXPAND "rewrite failed: rewrite[0]: invalid regexp \"(\": error parsing regexp: missing closing ): "
                 "`(`");
    check(AB, TO("{\"rewrite\":[{},{\"transform\":{\"template\":\"!\"}}]}"),
          EXPAND "rewrite failed: rewrite[1]: invalid template: unexpected !");
    check(AB, TO("{\"rewrite\":[{\"transform\":{\"template\":\"?\"}}]}"),
          EXPAND "rewrite failed: rewrite[0] on key \"a\": template exec: wrong ?");
    check_with(NULL, AB, TO("{\"rewrite\":[{\"transform\":{\"template\":\"t\"}}]}"),
               EXPAND "rewrite failed: rewrite[0]: invalid template: no template engine in this build");
    check(AB, TO("{\"rewrite\":[{\"transform\":{\"template\":\"-\"}}]}"),
          EXPAND "empty remote key produced for source key \"a\"");
    check(AB, TO("{\"rewrite\":[{\"regexp\":{\"source\":\".*\",\"target\":\"x\"}}]}"),
          EXPAND "duplicate remote key \"x\" from source key \"b\" (conflicts with dataTo[0]:a)");
    check(AB, TO("{\"remoteKey\":\"a\"},{}"),
          "failed to expand dataTo: dataTo[1]: duplicate remote key \"a\" from source key \"a\" (conflicts "
          "with dataTo[0]:(bundle))");
    check(AB, DATA(ENTRY("a", "r") "," ENTRY("b", "r")),
          MERGE "duplicate remote key \"r\": source keys \"a\" and \"b\" both map to the same destination");
    check(AB, DATA(PROPERTY("a", "r", "p") "," PROPERTY("b", "r", "p")),
          MERGE "duplicate remote key \"r\" with property \"p\": source keys \"a\" and \"b\" both map to the "
                "same destination");
    check(AB, BOTH("{}", ENTRY("a", "b")),
          MERGE "duplicate remote key \"b\": source keys \"b\" and \"a\" both map to the same destination");
    check(AB, DATA(ENTRY("a", "r/p") "," PROPERTY("b", "r", "p")), "r/p=a(a:1) r/p=b(b:2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_of_data),  cmocka_unit_test(test_reversed_names),
        cmocka_unit_test(test_keys_of_data_to),  cmocka_unit_test(test_data_takes_its_keys_away_from_data_to),
        cmocka_unit_test(test_what_is_recorded), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
