/* Base64, percent-encoding, tokens' claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <esp/codec.h>

typedef void (*encoder)(struct esp_text *, esp_bytes);

static void assert_encodes(encoder encode, esp_bytes bytes, const char *wanted)
{
    struct esp_text t;
    esp_text_init(&t, 1000);
    encode(&t, bytes);
    assert_string_equal(esp_text_str(&t), wanted);
    esp_text_free(&t);
}

/* RFC 4648, section 10. */
static void test_base64_of_the_rfc(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_encodes(esp_base64_add, esp_str(pairs[i][0]), pairs[i][1]);
    assert_encodes(esp_base64_add, esp_span("\xfb\xff\xfe", 3), "+//+");
    assert_encodes(esp_base64url_add, esp_span("\xfb\xff\xfe", 3), "-__-");
    assert_encodes(esp_base64url_add, esp_str("f"), "Zg");
    assert_encodes(esp_hex_add, esp_span("\x00\xff\x1a", 3), "00ff1a");
}

static void assert_decodes(const char *text, const char *wanted)
{
    struct esp_text t;
    esp_text_init(&t, 1000);
    esp_text_adds(&t, "<");
    bool ok = esp_base64_decode(esp_str(text), &t);
    assert_int_equal(ok, wanted != NULL);
    assert_string_equal(esp_text_str(&t) + 1, wanted ? wanted : "");
    esp_text_free(&t);
}

static void test_base64_is_read_in_every_spelling(void **state)
{
    (void)state;
    assert_decodes("", "");
    assert_decodes("Zm9vYg==", "foob");
    assert_decodes("Zm9vYg", "foob");
    assert_decodes("Zm9v\r\nYmE=\n", "fooba");
    assert_decodes("aT8_aT8/", "i??i??");
    assert_decodes("Zm9vY", NULL);
    assert_decodes("Zm9vYg=", NULL);
    assert_decodes("Zm9v=", NULL);
    assert_decodes("Zg==Zg==", NULL);
    assert_decodes("Zm 9v", NULL);
    assert_decodes("=", NULL);
}

static void test_all_bytes_come_back(void **state)
{
    (void)state;
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct esp_text text, back;
        esp_text_init(&text, 1000);
        esp_text_init(&back, 1000);
        if (len % 2)
            esp_base64_add(&text, esp_span(bytes, len));
        else
            esp_base64url_add(&text, esp_span(bytes, len));
        assert_true(esp_base64_decode(esp_text_bytes(&text), &back));
        assert_true(esp_equal(esp_text_bytes(&back), esp_span(bytes, len)));
        esp_text_free(&text);
        esp_text_free(&back);
    }
}

static void test_what_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct esp_text t;
    esp_text_init(&t, 4);
    assert_false(esp_base64_decode(esp_str("Zm9vYmE="), &t));
    assert_int_equal(t.len, 0);
    esp_text_free(&t);
}

static void percent_path(struct esp_text *out, esp_bytes bytes)
{
    esp_percent_add(out, bytes, "/");
}

static void percent(struct esp_text *out, esp_bytes bytes)
{
    esp_percent_add(out, bytes, NULL);
}

static void test_percent_encoding(void **state)
{
    (void)state;
    assert_encodes(percent, esp_str("aZ09-._~"), "aZ09-._~");
    assert_encodes(percent, esp_str("a b/c?d&e=%"), "a%20b%2Fc%3Fd%26e%3D%25");
    assert_encodes(percent, esp_span("\0\xc3\xa4", 3), "%00%C3%A4");
    assert_encodes(percent_path, esp_str("a/b c"), "a/b%20c");
    assert_encodes(percent_path, esp_span("\0", 1), "%00");
    assert_encodes(esp_query_add, esp_str(" a/b  c+d "), "+a%2Fb++c%2Bd+");
}

static void test_claims_are_read(void **state)
{
    (void)state;
    struct esp_text t;
    esp_text_init(&t, 100);
    assert_true(esp_jwt_claims(esp_str("e30.eyJhIjoxfQ.x"), &t));
    assert_string_equal(esp_text_str(&t), "{\"a\":1}");
    static const char *const bad[] = {"", "e30", "e30.eyJhIjoxfQ", "e30.WzFd.x", "e30.!.x", "e30.e3.x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(esp_jwt_claims(esp_str(bad[i]), &t));
    assert_string_equal(esp_text_str(&t), "{\"a\":1}");
    esp_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_of_the_rfc),   cmocka_unit_test(test_base64_is_read_in_every_spelling),
        cmocka_unit_test(test_all_bytes_come_back), cmocka_unit_test(test_what_does_not_fit_leaves_nothing),
        cmocka_unit_test(test_percent_encoding),    cmocka_unit_test(test_claims_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
