#include "tests/unit/secret/secret_test.h"

#include <stdio.h>

#include "core/secret/shape.h"

static void check_conversion(const char *strategy, const char *in, const char *want)
{
    struct es_values v = values_of(in);

    assert_int_equal(es_values_convert_keys(&v, strategy, NULL), 0);
    check_values(&v, want);
    es_values_fini(&v);
}

static void test_default_conversion_puts_underscores(void **state)
{
    (void)state;
    check_conversion("", "{\"path/to/user\":\"bob\",\"a b@c\":\"1\"}",
                     "{\"path_to_user\":\"bob\",\"a_b_c\":\"1\"}");
    check_conversion("Default", "{\"a/b\":\"1\",\"x-y.z_0\":\"2\"}", "{\"a_b\":\"1\",\"x-y.z_0\":\"2\"}");
    check_conversion(NULL, "{\"/\":\"1\"}", "{\"_\":\"1\"}");
}

static void test_letters_of_all_scripts_stay(void **state)
{
    (void)state;
    check_conversion("Default",
                     "{\"gr\xc3\xbc\xc3\x9f\xe4\xb8\x96\xd9\xa3\":\"1\",\"\xf0\x9f\x98\x80\":\"2\"}",
                     "{\"gr\xc3\xbc\xc3\x9f\xe4\xb8\x96\xd9\xa3\":\"1\",\"_\":\"2\"}");
}

static void test_unicode_conversion_can_be_read_back(void **state)
{
    (void)state;
    check_conversion("Unicode", "{\"path/to\":\"1\",\"\xf0\x9f\x98\x80\":\"2\",\"\xe2\x82\xac\":\"3\"}",
                     "{\"path_U002f_to\":\"1\",\"_U1f600_\":\"2\",\"_U20ac_\":\"3\"}");
}

static void test_an_unknown_conversion_changes_nothing(void **state)
{
    (void)state;
    check_conversion("None", "{\"a/b\":\"1\"}", "{\"a/b\":\"1\"}");
}

static void test_bytes_that_are_no_text_convert_one_by_one(void **state)
{
    struct es_values v = {0};
    (void)state;

    assert_int_equal(es_values_set(&v, "a\xff\xfe", "1", 1), 0);
    assert_int_equal(es_values_convert_keys(&v, "Default", NULL), 0);
    check_values(&v, "{\"a__\":\"1\"}");
    es_values_fini(&v);

    assert_int_equal(es_values_set(&v, "a\xff", "1", 1), 0);
    assert_int_equal(es_values_convert_keys(&v, "Unicode", NULL), 0);
    check_values(&v, "{\"a_Ufffd_\":\"1\"}");
    es_values_fini(&v);
}

static void test_two_keys_may_not_become_one(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of("{\"a/b\":\"1\",\"a b\":\"2\"}");
    (void)state;

    assert_int_equal(es_values_convert_keys(&v, "Default", &err), ES_E_CONFIG);
    check_error(&err, ES_E_CONFIG, "secret name collision during conversion: a_b");
    es_values_fini(&v);
}

static void test_good_keys_pass_and_the_empty_one_goes(void **state)
{
    struct es_values v = values_of("{\"\":\"x\",\"a.b-c_D9\":\"1\",\"gr\xc3\xbc\xc3\x9f\":\"2\"}");
    (void)state;

    assert_int_equal(es_values_check_keys(&v, NULL), 0);
    check_values(&v, "{\"a.b-c_D9\":\"1\",\"gr\xc3\xbc\xc3\x9f\":\"2\"}");
    es_values_fini(&v);
}

static void check_bad_key(const char *key, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = {0};

    assert_int_equal(es_values_set(&v, key, "1", 1), 0);
    assert_int_equal(es_values_check_keys(&v, &err), ES_E_CONFIG);
    check_error(&err, ES_E_CONFIG, want);
    es_values_fini(&v);
}

#define ALLOWED "only alphanumeric, '-', '.' and '_' are allowed: "

static void test_bad_keys_are_refused(void **state)
{
    (void)state;
    check_bad_key("a/b", "key has invalid character /, " ALLOWED "a/b");
    check_bad_key("x\xe2\x82\xac", "key has invalid character \xe2\x82\xac, " ALLOWED "x\xe2\x82\xac");
    /* The text stays UTF-8 even when the key is not. */
    check_bad_key("k\xff", "key has invalid character \xef\xbf\xbd, " ALLOWED "k\xef\xbf\xbd");
}

static void test_long_keys_are_refused(void **state)
{
    char key[300], want[512];
    struct es_values v = {0};
    (void)state;

    memset(key, 'k', sizeof key);
    key[253] = '\0';
    assert_int_equal(es_values_set(&v, key, "1", 1), 0);
    assert_int_equal(es_values_check_keys(&v, NULL), 0);
    es_values_fini(&v);

    snprintf(want, sizeof want, "key has length 254 but max is 253: (following is truncated): %s", key);
    key[253] = 'k';
    key[254] = '\0';
    check_bad_key(key, want);
}

static void check_decoding(const char *strategy, const char *in, const char *want)
{
    struct es_values v = values_of(in);

    assert_int_equal(es_values_decode(&v, strategy, NULL), 0);
    check_values(&v, want);
    es_values_fini(&v);
}

static void test_decoding(void **state)
{
    (void)state;
    check_decoding("", "{\"k\":\"aGVsbG8=\"}", "{\"k\":\"aGVsbG8=\"}");
    check_decoding("None", "{\"k\":\"aGVsbG8=\"}", "{\"k\":\"aGVsbG8=\"}");
    check_decoding("Base64", "{\"k\":\"aGVsbG8=\",\"e\":\"\",\"w\":\"aGVs\\nbG8=\"}",
                   "{\"k\":\"hello\",\"e\":\"\",\"w\":\"hello\"}");
    check_decoding("Base64URL", "{\"k\":\"Pz8_\"}", "{\"k\":\"???\"}");
    check_decoding("Auto", "{\"std\":\"Pz8/\",\"url\":\"Pz8_\",\"not\":\"a-b!\",\"unpadded\":\"aGVsbG8\"}",
                   "{\"std\":\"???\",\"url\":\"???\",\"not\":\"a-b!\",\"unpadded\":\"aGVsbG8\"}");
}

static void check_bad_decoding(const char *strategy, const char *in, const char *want)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of(in);

    assert_int_equal(es_values_decode(&v, strategy, &err), ES_E_CONFIG);
    check_error(&err, ES_E_CONFIG, want);
    es_values_fini(&v);
}

static void test_what_does_not_decode(void **state)
{
    (void)state;
    check_bad_decoding("Base64", "{\"k\":\"not-base64!\"}",
                       "failure decoding key k: illegal base64 data at input byte 3");
    check_bad_decoding("Base64", "{\"k\":\"Pz8_\"}",
                       "failure decoding key k: illegal base64 data at input byte 3");
    check_bad_decoding("Base64URL", "{\"k\":\"Pz8/\"}",
                       "failure decoding key k: illegal base64 data at input byte 3");
    check_bad_decoding("Base64", "{\"k\":\"aGVsbG8\"}",
                       "failure decoding key k: illegal base64 data at input byte 4");
    check_bad_decoding("ROT13", "{\"k\":\"x\"}",
                       "failure decoding key k: decoding strategy ROT13 is not supported");
}

static void test_a_blob_that_does_not_decode_stays(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob b = {0};
    (void)state;

    assert_int_equal(es_blob_set(&b, "a!", 2), 0);
    assert_int_equal(es_blob_decode(&b, "Base64", &err), ES_E_CONFIG);
    check_error(&err, ES_E_CONFIG, "illegal base64 data at input byte 1");
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.ptr, "a!", 2);
    es_blob_fini(&b);
}

static void test_null_bytes(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_values v = values_of("{\"bin\":\"a\\u0000b\",\"text\":\"ab\",\"none\":\"\"}");
    (void)state;

    assert_int_equal(es_values_check_nulls(&v, "", &err), 0);
    assert_int_equal(es_values_check_nulls(&v, "Ignore", &err), 0);
    assert_int_equal(es_blob_check_nulls("text", es_values_get(&v, "text"), "Fail", &err), 0);
    assert_int_equal(es_values_check_nulls(&v, "Fail", &err), ES_E_CONFIG);
    check_error(
        &err, ES_E_CONFIG,
        "fetched secret value for key \"bin\" contains null bytes; use a text-safe format such as PEM/base64 "
        "or leave nullBytePolicy unset for intentional binary data");
    es_values_fini(&v);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_conversion_puts_underscores),
        cmocka_unit_test(test_letters_of_all_scripts_stay),
        cmocka_unit_test(test_unicode_conversion_can_be_read_back),
        cmocka_unit_test(test_an_unknown_conversion_changes_nothing),
        cmocka_unit_test(test_bytes_that_are_no_text_convert_one_by_one),
        cmocka_unit_test(test_two_keys_may_not_become_one),
        cmocka_unit_test(test_good_keys_pass_and_the_empty_one_goes),
        cmocka_unit_test(test_bad_keys_are_refused),
        cmocka_unit_test(test_long_keys_are_refused),
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_what_does_not_decode),
        cmocka_unit_test(test_a_blob_that_does_not_decode_stays),
        cmocka_unit_test(test_null_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
