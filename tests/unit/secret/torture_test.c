#include "tests/unit/secret/secret_test.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/kube/obj.h"
#include "core/secret/gotext.h"
#include "core/secret/hash.h"
#include "core/secret/manifest.h"
#include "core/secret/push_plan.h"
#include "core/secret/target.h"

/* Linked with --wrap: every allocation of our rooms, of jansson (through
 * es_mem_init) and of OpenSSL (through CRYPTO_set_mem_functions) comes by
 * here. While armed, the n-th one fails, alone or with all that follow. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static long left = -1; /* allocations that still succeed; < 0: not armed */
static bool for_good, failed;

static bool fails(void)
{
    if (left < 0)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    failed = true;
    if (!for_good)
        left = -1;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __real_realloc(ptr, size);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *openssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(ptr, size);
}

static void openssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

/* Returns 0 or an error code; leaves nothing behind in either case. */
typedef int act_fn(void *ctx);

/* What fails says so, what gets by without does its work as always, which the
 * act checks; leaks and wild pointers are the sanitizer's to find. */
static void torture(act_fn *act, void *ctx)
{
    enum { TOO_MANY = 20000 };

    assert_int_equal(act(ctx), 0);
    for (int mode = 0; mode < 2; mode++) {
        long n = 0;
        for (; n < TOO_MANY; n++) {
            failed = false;
            for_good = mode == 1;
            left = n;
            int rc = act(ctx);
            left = -1;
            if (!failed) {
                assert_int_equal(rc, 0);
                break;
            }
            /* OpenSSL does not say what it lacked, nor does a buffer, and to
             * jansson's parser it is an invalid token (ES_E_CONFIG). */
            if (rc != 0 && rc != ES_E_NOMEM && rc != ES_E_INTERNAL && rc != ES_E_TOO_LARGE &&
                rc != ES_E_CONFIG)
                fail_msg("allocation %ld (mode %d): %d", n, mode, rc);
        }
        assert_in_range(n, 1, TOO_MANY - 1);
    }
    assert_int_equal(act(ctx), 0);
}

struct scene {
    json_t *es, *existing, *ops;
    json_t *want; /* what the first, undisturbed act made */
    struct es_values values;
    struct es_rendered_template rendered;
    bool with_template;
};

static void check_sameness(struct scene *s, json_t *take_made)
{
    if (!s->want) {
        s->want = take_made;
        return;
    }
    assert_true(json_equal(take_made, s->want));
    json_decref(take_made);
}

static int shape_target(void *ctx)
{
    struct scene *s = ctx;
    struct es_target_change change = {0};
    enum es_target_fault fault = ES_TARGET_OK;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_target_shape(&change, s->es, s->existing, &s->values, s->with_template ? &s->rendered : NULL,
                             &fault, &err);

    assert_int_equal(fault, rc < 0 ? ES_TARGET_INTERNAL : ES_TARGET_OK);
    assert_int_equal(err.code, rc);
    if (rc < 0) {
        assert_null(change.object);
        return rc;
    }
    check_sameness(s, change.object);
    return 0;
}

static const char es_text[] =
    "{\"metadata\":{\"name\":\"db\",\"namespace\":\"team\",\"uid\":\"u-es\",\"generation\":3,\"labels\":{"
    "\"a\":\"1\"},"
    "\"annotations\":{\"b\":\"2\"}},\"spec\":{\"target\":{\"template\":{\"type\":\"x/y\",\"metadata\":"
    "{\"finalizers\":[\"a/a\",\"b/b\"]}}}}}";

static const char existing_text[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"Opaque\",\"data\":{\"old\":\"dg==\",\"k\":"
    "\"b2xk\"},"
    "\"metadata\":{\"name\":\"db\",\"namespace\":\"team\",\"uid\":\"u\",\"resourceVersion\":\"7\","
    "\"labels\":{\"mine\":\"1\"},\"annotations\":{\"note\":\"keep\"},"
    "\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"by\",\"uid\":\"u2\"}],"
    "\"managedFields\":[{\"manager\":\"externalsecrets.external-secrets.io/db\",\"operation\":\"Update\","
    "\"fieldsV1\":{\"f:data\":{\".\":{},\"f:k\":{}}}}]}}";

static struct scene scene_of(const char *policy, bool exists, bool with_template)
{
    struct scene s = {.es = parse(es_text),
                      .existing = exists ? parse(existing_text) : NULL,
                      .values = values_of("{\"k\":\"x\",\"l\":\"yy\",\"m\":\"\"}"),
                      .rendered = {.data = values_of("{\"k\":\"rendered\"}"),
                                   .labels = parse("{\"one\":\"1\"}"),
                                   .annotations = parse("{\"two\":\"2\"}"),
                                   .includes_values = true},
                      .with_template = with_template};

    es_obj_set(s.es, json_string(policy), "spec", "target", "creationPolicy");
    if (!with_template)
        es_obj_unset(s.es, "spec", "target", "template");
    return s;
}

static void end(struct scene *s)
{
    json_decref(s->es);
    json_decref(s->existing);
    json_decref(s->ops);
    json_decref(s->want);
    es_values_fini(&s->values);
    es_values_fini(&s->rendered.data);
    json_decref(s->rendered.labels);
    json_decref(s->rendered.annotations);
}

static void test_shaping_a_target(void **state)
{
    static const char *const policies[] = {"Owner", "Orphan", "CreateOrMerge", "Merge"};
    (void)state;

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        for (int variant = 0; variant < 4; variant++) {
            bool exists = variant & 1;
            if (i == 3 && !exists)
                continue;
            struct scene s = scene_of(policies[i], exists, variant & 2);
            torture(shape_target, &s);
            end(&s);
        }
    }
}

static void test_shaping_a_frozen_target(void **state)
{
    struct scene s = scene_of("Owner", true, false);
    (void)state;

    es_obj_set(s.es, json_true(), "spec", "target", "immutable");
    torture(shape_target, &s);
    end(&s);
}

/* Steps and object of a target of any kind. */
static int shape_manifest(void *ctx)
{
    static const struct es_kind thing = {"example.com", "v1", "things", "Thing", true, ES_HOLDS_PLAIN};
    static const char literal[] = "list: [1, {x: y}]\nsize: 2\n";
    struct scene *s = ctx;
    struct es_blob text = {(unsigned char *)(uintptr_t)literal, sizeof literal - 1};
    struct es_manifest_change change = {0};
    enum es_target_fault fault;
    struct es_error err = ES_ERROR_INIT;
    json_t *steps = json_array();
    int rc = steps ? 0 : ES_E_NOMEM;

    if (rc == 0)
        rc = es_manifest_add_document(steps, "spec.deep[1].place", "literal", &text, "", &err);
    if (rc == 0)
        rc = es_manifest_add_value(steps, "Labels", "x", &(struct es_blob){(unsigned char *)"y", 1}, &err);
    if (rc == 0)
        rc = es_manifest_add_value(steps, "spec.port", "", &(struct es_blob){(unsigned char *)"8080", 4},
                                   &err);
    if (rc == 0)
        rc = es_manifest_shape(&change, s->es, &thing, s->existing, &s->values,
                               s->with_template ? steps : NULL, &fault, &err);
    json_decref(steps);
    if (rc < 0) {
        assert_null(change.object);
        return rc;
    }
    check_sameness(s, change.object);
    return 0;
}

static void test_shaping_a_manifest(void **state)
{
    static const char *const policies[] = {"Owner", "CreateOrMerge"};
    (void)state;

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        for (int variant = 0; variant < 4; variant++) {
            struct scene s = scene_of(policies[i], variant & 1, variant & 2);
            torture(shape_manifest, &s);
            end(&s);
        }
    }
}

static int render_upper(void *ctx, const char *text, const json_t *data, struct es_buf *out,
                        struct es_error *err)
{
    (void)ctx;
    (void)text;
    (void)err;
    es_buf_adds(out, "x_");
    es_buf_adds(out, json_string_value(json_object_get(data, "value")));
    return 0;
}

/* fetched -> rewritten -> converted -> checked -> decoded, on a fresh copy. */
static int shape_values(void *ctx)
{
    static const struct es_renderer renderer = {.render = render_upper};
    struct scene *s = ctx;
    struct es_values v = {0};
    struct es_error err = ES_ERROR_INIT;
    int rc = 0;

    for (size_t i = 0; i < s->values.count && rc == 0; i++)
        rc = es_values_set(&v, s->values.items[i].key, s->values.items[i].blob.ptr,
                           s->values.items[i].blob.len);
    if (rc == 0)
        rc = es_values_rewrite(&v, s->ops, &renderer, &err);
    if (rc == 0)
        rc = es_values_convert_keys(&v, "Unicode", &err);
    if (rc == 0)
        rc = es_values_check_keys(&v, &err);
    if (rc == 0)
        rc = es_values_decode(&v, "Auto", &err);
    if (rc == 0) {
        left = -1; /* what follows is not under test */
        check_sameness(s, object_of(&v));
    }
    es_values_fini(&v);
    return rc;
}

static void test_shaping_values(void **state)
{
    static const char *const rewrites[] = {
        "[{\"transform\":{\"template\":\"x\"}}]",
        "[{\"merge\":{\"conflictPolicy\":\"Ignore\",\"priority\":[\"m1\"]}}]",
        "[{\"merge\":{\"conflictPolicy\":\"Ignore\",\"strategy\":\"JSON\",\"into\":\"all\"}}]",
        "[]",
    };
    (void)state;

    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        struct scene s = {.ops = parse(rewrites[i]),
                          .values = values_of("{\"m1\":\"{\\\"a/b\\\":1,\\\"c\\\":[{\\\"d\\\":\\\"e\\\"}]}\","
                                              "\"m2\":\"{\\\"c\\\":true,\\\"s\\\":\\\"aGVsbG8=\\\"}\"}")};
        torture(shape_values, &s);
        end(&s);
    }
}

/* A plan, and what is pushed for each of its entries. */
static int plan_push(void *ctx)
{
    static const struct es_renderer renderer = {.render = render_upper};
    static const bool applies[] = {true, true};
    struct scene *s = ctx;
    struct es_push_plan plan = {0};
    struct es_error err = ES_ERROR_INIT;
    json_t *made = NULL;
    int rc = es_push_plan_make(&plan, s->ops, applies, &s->values, &renderer, &err);

    for (size_t i = 0; i < plan.count && rc == 0; i++) {
        struct es_values values = {0};
        rc = es_push_entry_values(&plan.entries[i], &s->values, &values, &err);
        es_values_fini(&values);
    }
    if (rc == 0) {
        left = -1; /* what follows is not under test */
        made = json_array();
        for (size_t i = 0; i < plan.count; i++)
            json_array_append(made, plan.entries[i].data);
        check_sameness(s, made);
    }
    es_push_plan_fini(&plan);
    return rc;
}

static void test_planning_a_push(void **state)
{
    struct scene s = {
        .ops = parse("{\"dataTo\":[{\"conversionStrategy\":\"ReverseUnicode\",\"match\":{\"regexp\":\"k\"},"
                     "\"metadata\":{\"m\":1},\"rewrite\":[{\"regexp\":{\"source\":\"k\",\"target\":\"r\"}},"
                     "{\"transform\":{\"template\":\"t\"}}]},{\"remoteKey\":\"all\"}],\"data\":[{\"match\":{"
                     "\"secretKey\":\"k1\",\"remoteRef\":{\"remoteKey\":\"x\",\"property\":\"p\"}}}]}"),
        .values = values_of("{\"k1\":\"1\",\"k2_U002f_\":\"2\",\"n\":\"3\"}")};
    (void)state;

    torture(plan_push, &s);
    end(&s);
}

static int hash_all(void *ctx)
{
    const struct scene *s = ctx;
    char hash[ES_SHA3_224_HEX_MAX], version[ES_SYNCED_VERSION_MAX];
    int rc = es_hash_values(hash, &s->values, NULL);

    if (rc == 0)
        rc = es_hash_secret_data(hash, es_obj_at(s->existing, "data"), NULL);
    if (rc == 0)
        rc = es_synced_version(version, s->es, NULL);
    if (rc == 0)
        rc = es_hash_object(hash, s->es, NULL);
    return rc;
}

static void test_hashing(void **state)
{
    struct scene s = scene_of("Owner", true, true);
    (void)state;

    torture(hash_all, &s);
    end(&s);
}

int main(void)
{
    /* Before OpenSSL's first allocation. */
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return 1;
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shaping_a_target),   cmocka_unit_test(test_shaping_a_frozen_target),
        cmocka_unit_test(test_shaping_a_manifest), cmocka_unit_test(test_shaping_values),
        cmocka_unit_test(test_planning_a_push),    cmocka_unit_test(test_hashing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
