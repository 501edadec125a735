#include <esp/codec.h>
#include <esp/jwt.h>

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdlib.h>

/* A key that asks for a passphrase has none here, and nobody is asked on a terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return -1;
}

static EVP_PKEY *read_key(esp_bytes pem)
{
    if (pem.len == 0 || pem.len > INT_MAX)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static bool sign(EVP_PKEY *key, esp_bytes data, struct esp_text *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 0;
    uint8_t *signature = NULL;
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, NULL, &len, data.ptr, data.len) == 1 && (signature = malloc(len)) != NULL &&
              EVP_DigestSign(ctx, signature, &len, data.ptr, data.len) == 1;
    if (ok)
        esp_text_add(out, esp_span(signature, len));
    free(signature);
    EVP_MD_CTX_free(ctx);
    return ok && !esp_text_failed(out);
}

enum esp_jwt_result esp_rs256_sign(esp_bytes key_pem, esp_bytes data, struct esp_text *out)
{
    size_t before = out->len;
    EVP_PKEY *key = read_key(key_pem);
    if (!key)
        return ESP_JWT_BAD_KEY;
    bool ok = sign(key, data, out);
    EVP_PKEY_free(key);
    if (ok)
        return ESP_JWT_OK;
    esp_text_cut(out, before);
    return ESP_JWT_FAILED;
}

enum esp_jwt_result esp_jwt_rs256(esp_bytes key_pem, esp_bytes header, esp_bytes claims, struct esp_text *out)
{
    size_t before = out->len;
    struct esp_text signature;
    esp_text_init(&signature, 64u << 10);
    esp_base64url_add(out, header);
    esp_text_addc(out, '.');
    esp_base64url_add(out, claims);
    enum esp_jwt_result rc = ESP_JWT_FAILED;
    if (!esp_text_failed(out))
        rc = esp_rs256_sign(key_pem, esp_span(out->ptr + before, out->len - before), &signature);
    if (rc == ESP_JWT_OK) {
        esp_text_addc(out, '.');
        esp_base64url_add(out, esp_text_bytes(&signature));
        rc = esp_text_failed(out) ? ESP_JWT_FAILED : ESP_JWT_OK;
    }
    if (rc != ESP_JWT_OK)
        esp_text_cut(out, before);
    esp_text_free(&signature);
    return rc;
}
