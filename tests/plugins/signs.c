/* Nothing wrong with it: digests, randomness, keys, signatures, time, what plugins of
 * real backends do. It shows that a fence leaves them that. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <time.h>

#include "esp/plugin.h"

static esp_status sign(struct esp_call *call);
#define GET_BODY return sign(call);
#include "bad.h"

static int make_signature(unsigned char *out, size_t *len)
{
    EVP_PKEY *key = EVP_RSA_gen(1024);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = key && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(ctx, out, len, (const unsigned char *)"text", 4) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}

static esp_status sign(struct esp_call *call)
{
    unsigned char digest[EVP_MAX_MD_SIZE], signature[512];
    size_t len = sizeof signature;
    unsigned digest_len = 0;
    time_t now = time(NULL);
    struct tm parts;
    char text[64];

    if (!HMAC(EVP_sha256(), "key", 3, (const unsigned char *)"text", 4, digest, &digest_len))
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("no HMAC"));
    if (RAND_bytes(digest, 16) != 1)
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("no randomness"));
    if (!make_signature(signature, &len))
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("no signature"));
    if (!gmtime_r(&now, &parts) || parts.tm_year < 120)
        return host->fail(call, ESP_E_INTERNAL, 0, bytes("no time"));
    printf("this goes nowhere\n");
    snprintf(text, sizeof text, "%u bytes of HMAC, %zu of signature", digest_len, len);
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(text));
}
