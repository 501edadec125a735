#include "tests/unit/secret/secret_test.h"

#include <pthread.h>

#include "core/base/buf.h"
#include "core/base/codec.h"
#include "core/secret/gotext.h"
#include "core/secret/hash.h"

/* Every expected value was computed with Go 1.26: sha3.Sum224 over
 * fmt.Sprintf("%+v", x). */

static void *use_everything(void *unused)
{
    char have[ES_SHA3_224_HEX_MAX];
    bool right = true;
    (void)unused;

    for (int i = 0; i < 50; i++) {
        right = right && es_owner_hash(have, "team", "db", NULL) == 0;
        right = right && !strcmp(have, "3f8e77b122b6269e76d99e5235f7957df870c8e5f31926fe41387c8c");
        right = right && es_go_is_letter_or_number(0xe9) == 1;
    }
    return right ? unused : NULL;
}

/* Comes first: what is made at the first use is made by several at once. */
static void test_workers_start_all_at_once(void **state)
{
    pthread_t workers[4];
    void *right;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, use_everything, state), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(workers[i], &right), 0);
        assert_ptr_equal(right, state);
    }
}

static void check_data(const char *data, const char *want)
{
    char have[ES_SHA3_224_HEX_MAX];
    json_t *object = parse(data);

    assert_int_equal(es_hash_secret_data(have, object, NULL), 0);
    assert_string_equal(have, want);
    json_decref(object);
}

static void test_data_of_a_secret(void **state)
{
    (void)state;
    check_data("{\"a\":\"aGk=\"}", "4ff142fdfbffa99a208cef0e7968b5e48868cbd34ac0c9be3b668e0f");
    check_data("{\"m\":\"eXo=\",\"k\":\"eA==\"}", "2fc3d416d19fc4cec585f475269bff29e2008647412e38da9c402578");
    check_data("{\"b\":\"\",\"a.b\":\"AAkKY2T/\",\"a-b\":null,\"Z\":\"w6k=\"}",
               "e92511db65ff938c80fe1aba42ebbdc4d177e4bbb5816ef79e3c9958");
    check_data("{}", "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
    check_data("null", "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
}

static void test_no_data_is_empty_data(void **state)
{
    char have[ES_SHA3_224_HEX_MAX];
    struct es_values none = {0};
    (void)state;

    assert_int_equal(es_hash_secret_data(have, NULL, NULL), 0);
    assert_string_equal(have, "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
    assert_int_equal(es_hash_values(have, &none, NULL), 0);
    assert_string_equal(have, "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
}

static void test_values_hash_as_their_secret_does(void **state)
{
    char have[ES_SHA3_224_HEX_MAX];
    struct es_values v = values_of("{\"m\":\"yz\",\"k\":\"x\"}");
    (void)state;

    assert_int_equal(es_hash_values(have, &v, NULL), 0);
    assert_string_equal(have, "2fc3d416d19fc4cec585f475269bff29e2008647412e38da9c402578");
    es_values_fini(&v);
}

/* Through the buffer many times over, from both sides. */
static void test_a_large_value(void **state)
{
    enum { SIZE = 100000 };
    static const char want[] = "71c945d464dff68843184cb0270463187b447d447fa907a6f21d9d43";
    char have[ES_SHA3_224_HEX_MAX];
    static unsigned char bytes[SIZE];
    struct es_values v = {0};
    struct es_buf text;
    (void)state;

    for (int i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 7);
    assert_int_equal(es_values_set(&v, "big", bytes, SIZE), 0);
    assert_int_equal(es_hash_values(have, &v, NULL), 0);
    assert_string_equal(have, want);
    es_values_fini(&v);

    es_buf_init(&text, 2 * SIZE);
    es_base64_encode(&text, bytes, SIZE);
    json_t *data = json_pack("{s:s}", "big", es_buf_str(&text));
    assert_int_equal(es_hash_secret_data(have, data, NULL), 0);
    assert_string_equal(have, want);
    json_decref(data);
    es_buf_fini(&text);
}

static void test_what_is_no_data_is_refused_without_quoting_it(void **state)
{
    static const char *const rows[] = {"{\"k\":\"hunter2!\"}", "{\"k\":7}", "{\"k\":{}}", "[]", "\"aGk=\""};
    char have[ES_SHA3_224_HEX_MAX] = "untouched";
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct es_error err = ES_ERROR_INIT;
        json_t *data = parse(rows[i]);
        assert_int_equal(es_hash_secret_data(have, data, &err), ES_E_INVALID);
        check_error(&err, ES_E_INVALID, "secret data is not an object of base64 strings");
        assert_string_equal(have, "untouched");
        json_decref(data);
    }
}

static void test_synced_version(void **state)
{
    char have[ES_SYNCED_VERSION_MAX];
    json_t *plain = parse("{\"metadata\":{\"generation\":1}}");
    json_t *marked = parse("{\"metadata\":{\"generation\":12,\"labels\":{\"b\":\"2\",\"a\":\"1\"},"
                           "\"annotations\":{\"x/y\":\"some text\"}}}");
    json_t *huge = parse("{\"metadata\":{\"generation\":-9223372036854775808}}");
    (void)state;

    assert_int_equal(es_synced_version(have, plain, NULL), 0);
    assert_string_equal(have, "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2");
    assert_int_equal(es_synced_version(have, marked, NULL), 0);
    assert_string_equal(have, "12-0d83c6d54d8c58fbe04125e7513d3322f7ab36f5677228567d8136b8");
    assert_int_equal(es_synced_version(have, huge, NULL), 0);
    assert_string_equal(have,
                        "-9223372036854775808-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2");
    json_decref(plain);
    json_decref(marked);
    json_decref(huge);
}

static void test_owner(void **state)
{
    char have[ES_SHA3_224_HEX_MAX];
    (void)state;

    assert_int_equal(es_owner_hash(have, "team", "db", NULL), 0);
    assert_string_equal(have, "3f8e77b122b6269e76d99e5235f7957df870c8e5f31926fe41387c8c");
}

static void test_field_manager(void **state)
{
    static const char longest[] = "a-name-of-exactly-27-letter";
    static const char longer[] = "a-name-of-exactly-28-letters";
    char have[ES_FIELD_MANAGER_MAX];
    (void)state;

    assert_int_equal(es_field_manager(have, "db", NULL), 0);
    assert_string_equal(have, "externalsecrets.external-secrets.io/db");
    assert_int_equal(es_field_manager(have, longest, NULL), 0);
    assert_string_equal(have, "externalsecrets.external-secrets.io/a-name-of-exactly-27-letter");
    assert_int_equal(strlen(have), 63);
    assert_int_equal(es_field_manager(have, longer, NULL), 0);
    assert_string_equal(have, "externalsecrets.external-secrets.io/sha3/"
                              "9520bff51b039364eddab2fcc39126abe4fa4f43d211e4ba047cf121");
}

static void check_object(const char *text, const char *want)
{
    char have[ES_SHA3_224_HEX_MAX];
    json_t *object = parse(text);

    assert_int_equal(es_hash_object(have, object, NULL), 0);
    assert_string_equal(have, want);
    json_decref(object);
}

#define EVERYTHING                                                                                           \
    "{\"s\":\"text with space\",\"i\":7,\"neg\":-3,\"f\":1.5,\"one\":1.0,\"mil\":1e6,\"big\":1e21,"          \
    "\"b2\":123456789.0,\"small\":0.00001,\"t\":true,\"n\":null,\"l\":[\"a\",1,null,{\"z\":false,\"y\":[]}]" \
    ","                                                                                                      \
    "\"m\":{}}"

static void test_generic_targets(void **state)
{
    static const char want[] = "e96494b60c5383901a9624a2cb8c43d5cbc6c40fb6dc49126ba4e936";
    (void)state;

    check_object("{\"spec\":" EVERYTHING ",\"data\":{\"not\":\"this\"}}", want);
    check_object("{\"spec\":null,\"data\":" EVERYTHING "}", want);
    check_object("{\"data\":{}}", "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
}

static void test_generic_targets_without_content(void **state)
{
    char have[ES_SHA3_224_HEX_MAX];
    struct es_error err = ES_ERROR_INIT;
    json_t *object = parse("{\"metadata\":{}}");
    (void)state;

    assert_int_equal(es_hash_object(have, object, &err), ES_E_INVALID);
    check_error(&err, ES_E_INVALID,
                "generic target content does not have a spec or data field for content hashing");
    json_decref(object);
}

static void test_bottomless_objects_are_refused(void **state)
{
    char have[ES_SHA3_224_HEX_MAX];
    json_t *object = json_object(), *at = object;
    (void)state;

    for (int i = 0; i < 600; i++) {
        json_t *inner = json_object();
        json_object_set_new(at, "spec", inner);
        at = inner;
    }
    assert_int_equal(es_hash_object(have, object, NULL), ES_E_TOO_LARGE);
    json_decref(object);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_start_all_at_once),
        cmocka_unit_test(test_data_of_a_secret),
        cmocka_unit_test(test_no_data_is_empty_data),
        cmocka_unit_test(test_values_hash_as_their_secret_does),
        cmocka_unit_test(test_a_large_value),
        cmocka_unit_test(test_what_is_no_data_is_refused_without_quoting_it),
        cmocka_unit_test(test_synced_version),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_field_manager),
        cmocka_unit_test(test_generic_targets),
        cmocka_unit_test(test_generic_targets_without_content),
        cmocka_unit_test(test_bottomless_objects_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
