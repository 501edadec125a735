#include "tests/unit/base/base_test.h"

#include "core/base/codec.h"
#include "core/base/error.h"

static void test_encode(void **state)
{
    /* RFC 4648, section 10. */
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xFB\xFF\xFE", "+//+"}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct es_buf b;
        struct es_blob back = {0};
        es_buf_init(&b, 100);
        es_base64_encode(&b, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(es_buf_str(&b), cases[i][1]);
        assert_int_equal(es_base64_decode(&back, ES_BASE64_STD, b.ptr ? b.ptr : "", b.len, NULL), 0);
        assert_int_equal(back.len, strlen(cases[i][0]));
        assert_memory_equal(back.ptr, cases[i][0], back.len + 1);
        es_blob_fini(&back);
        es_buf_fini(&b);
    }
}

static void test_decode_skips_newlines_only(void **state)
{
    static const char text[] = "\nZm\r\n9v\n\nYg=\n=\r\n";
    struct es_blob b = {0};
    (void)state;

    assert_int_equal(es_base64_decode(&b, ES_BASE64_STD, text, sizeof text - 1, NULL), 0);
    assert_string_equal((char *)b.ptr, "foob");
    assert_int_equal(es_base64_decode(&b, ES_BASE64_URL, "-__-", 4, NULL), 0);
    assert_memory_equal(b.ptr, "\xFB\xFF\xFE", 3);
    assert_int_equal(es_base64_decode(&b, ES_BASE64_STD, "Zh==", 4, NULL), 0); /* stray bits are fine in Go */
    assert_string_equal((char *)b.ptr, "f");
    es_blob_fini(&b);
}

static void test_decode_says_where(void **state)
{
    /* As Go's CorruptInputError counts. */
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {{"Zg", 0},     {"Zg=", 3},   {"Z", 0},         {"=", 0},        {"Z===", 1},
                 {"Zg==x", 4},  {"Zg=x", 2},  {"Zm9v!", 4},     {"Zm 9v", 2},    {"-_==", 0},
                 {"Zm9vYg", 4}, {"jzp\n", 1}, {"m3JaM\ntV", 5}, {"Zm8=Zm8=", 4}, {"Zm9vY\xC3\xA9", 5},
                 {"Zg=\n", 4}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct es_blob b = {0};
        size_t bad = 999;
        assert_int_equal(es_base64_decode(&b, ES_BASE64_STD, cases[i].text, strlen(cases[i].text), &bad),
                         ES_E_INVALID);
        if (bad != cases[i].bad)
            fail_msg("\"%s\": %zu instead of %zu", cases[i].text, bad, cases[i].bad);
        assert_null(b.ptr);
    }
    struct es_blob kept = {0};
    assert_int_equal(es_blob_set(&kept, "old", 3), 0);
    assert_int_equal(es_base64_decode(&kept, ES_BASE64_STD, "!", 1, NULL), ES_E_INVALID);
    assert_string_equal((char *)kept.ptr, "old");
    es_blob_fini(&kept);
}

static void test_digests(void **state)
{
    char sha3[ES_SHA3_224_HEX_MAX], sha2[ES_SHA256_HEX_MAX];
    (void)state;

    /* FIPS 202 and FIPS 180-4 examples. */
    assert_int_equal(es_sha3_224_hex(sha3, "", 0), 0);
    assert_string_equal(sha3, "6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7");
    assert_int_equal(es_sha3_224_hex(sha3, "abc", 3), 0);
    assert_string_equal(sha3, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf");
    assert_int_equal(es_sha256_hex(sha2, "abc", 3), 0);
    assert_string_equal(sha2, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode_skips_newlines_only),
        cmocka_unit_test(test_decode_says_where),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
