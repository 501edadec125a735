/* Signed tokens, checked with the public key, and keys that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <esp/codec.h>
#include <esp/jwt.h>

/* A fresh key as PEM text, PKCS#8. */
static EVP_PKEY *make_key(char *pem, size_t size, const EVP_CIPHER *cipher, const char *type)
{
    EVP_PKEY *key = strcmp(type, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    assert_non_null(key);
    assert_true(
        PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, cipher ? "pw" : NULL, cipher ? 2 : 0, NULL, NULL));
    int len = BIO_read(bio, pem, (int)size - 1);
    assert_true(len > 0);
    pem[len] = 0;
    BIO_free(bio);
    return key;
}

static bool verifies(EVP_PKEY *key, esp_bytes data, esp_bytes signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, signature.ptr, signature.len, data.ptr, data.len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static void test_a_token_verifies(void **state)
{
    (void)state;
    char pem[4096];
    struct esp_text out, signature;
    esp_text_init(&out, 10000);
    esp_text_init(&signature, 10000);
    EVP_PKEY *key = make_key(pem, sizeof pem, NULL, "RSA");
    esp_text_adds(&out, "x");
    assert_int_equal(
        esp_jwt_rs256(esp_str(pem), esp_str("{\"alg\":\"RS256\"}"), esp_str("{\"iss\":\"a\"}"), &out),
        ESP_JWT_OK);
    const char *token = esp_text_str(&out) + 1;
    static const char start[] = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.";
    assert_memory_equal(token, start, sizeof start - 1);
    assert_true(esp_base64_decode(esp_str(token + sizeof start - 1), &signature));
    assert_true(verifies(key, esp_span(token, sizeof start - 2), esp_text_bytes(&signature)));
    esp_text_free(&out);
    esp_text_free(&signature);
    EVP_PKEY_free(key);
}

static void test_keys_that_are_none(void **state)
{
    (void)state;
    char encrypted[4096], elliptic[4096];
    EVP_PKEY_free(make_key(encrypted, sizeof encrypted, EVP_aes_256_cbc(), "RSA"));
    EVP_PKEY_free(make_key(elliptic, sizeof elliptic, NULL, "EC"));
    const char *const bad[] = {"", "no key", encrypted, elliptic,
                               "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct esp_text out;
        esp_text_init(&out, 10000);
        assert_int_equal(esp_jwt_rs256(esp_str(bad[i]), esp_str("{}"), esp_str("{}"), &out), ESP_JWT_BAD_KEY);
        assert_int_equal(out.len, 0);
        esp_text_free(&out);
    }
}

static void test_what_does_not_fit_is_said(void **state)
{
    (void)state;
    char pem[4096];
    struct esp_text out;
    EVP_PKEY_free(make_key(pem, sizeof pem, NULL, "RSA"));
    esp_text_init(&out, 100);
    assert_int_equal(esp_jwt_rs256(esp_str(pem), esp_str("{}"), esp_str("{}"), &out), ESP_JWT_FAILED);
    assert_int_equal(out.len, 0);
    esp_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_verifies),
        cmocka_unit_test(test_keys_that_are_none),
        cmocka_unit_test(test_what_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
