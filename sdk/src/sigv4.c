/* Signature Version 4: keys derived from the secret sign a digest of the canonical request. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <esp/codec.h>
#include <esp/sigv4.h>

#include "sigv4_own.h"

#define DIGEST 32
#define MAX_CANONICAL ((size_t)1 << 20)
#define MAX_SECRET 256

void sigv4_hash(esp_bytes bytes, struct esp_text *out)
{
    uint8_t digest[DIGEST];
    if (EVP_Digest(bytes.len ? bytes.ptr : (const uint8_t *)"", bytes.len, digest, NULL, EVP_sha256(),
                   NULL) != 1)
        out->failed = true;
    else
        esp_hex_add(out, esp_span(digest, sizeof digest));
}

static bool hmac(esp_bytes key, esp_bytes data, uint8_t digest[DIGEST])
{
    unsigned int len = DIGEST;
    return HMAC(EVP_sha256(), key.ptr, (int)key.len, data.ptr, data.len, digest, &len) != NULL;
}

/* A key that is good for a day, a region and a service. */
static bool derive(const struct esp_sigv4_request *request, esp_bytes secret, const char *date,
                   uint8_t key[DIGEST])
{
    char first[4 + MAX_SECRET] = "AWS4";
    if (secret.len > MAX_SECRET)
        return false;
    if (secret.len)
        memcpy(first + 4, secret.ptr, secret.len);
    bool ok = hmac(esp_span(first, 4 + secret.len), esp_span(date, 8), key) &&
              hmac(esp_span(key, DIGEST), request->region, key) &&
              hmac(esp_span(key, DIGEST), request->service, key) &&
              hmac(esp_span(key, DIGEST), esp_str("aws4_request"), key);
    esp_wipe(first, sizeof first);
    return ok;
}

static void add_scope(const struct esp_sigv4_request *request, const char *date, struct esp_text *out)
{
    esp_text_add(out, esp_span(date, 8));
    esp_text_addc(out, '/');
    esp_text_add(out, request->region);
    esp_text_addc(out, '/');
    esp_text_add(out, request->service);
    esp_text_adds(out, "/aws4_request");
}

static bool string_to_sign(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                           const char *date, struct esp_text *out)
{
    struct esp_text canonical;
    esp_text_init(&canonical, MAX_CANONICAL);
    esp_sigv4_canonical(request, keys, date, &canonical);
    esp_text_adds(out, "AWS4-HMAC-SHA256\n");
    esp_text_adds(out, date);
    esp_text_addc(out, '\n');
    add_scope(request, date, out);
    esp_text_addc(out, '\n');
    sigv4_hash(esp_text_bytes(&canonical), out);
    bool ok = !esp_text_failed(&canonical) && !esp_text_failed(out);
    esp_text_free(&canonical); /* the session token is among its headers */
    return ok;
}

static bool signature(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                      const char *date, uint8_t digest[DIGEST])
{
    uint8_t key[DIGEST];
    struct esp_text text;
    esp_text_init(&text, 1024);
    bool ok = string_to_sign(request, keys, date, &text) && derive(request, keys->secret, date, key) &&
              hmac(esp_span(key, DIGEST), esp_text_bytes(&text), digest);
    esp_text_free(&text);
    esp_wipe(key, sizeof key);
    return ok;
}

static bool print_date(int64_t now_unix_ms, char date[17])
{
    time_t seconds = (time_t)(now_unix_ms / 1000);
    struct tm utc;
    return gmtime_r(&seconds, &utc) && strftime(date, 17, "%Y%m%dT%H%M%SZ", &utc) == 16;
}

static void add_authorization(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                              const char *date, const uint8_t digest[DIGEST], struct esp_text *out)
{
    struct sigv4_url url;
    struct sigv4_headers headers;
    if (!sigv4_url(request->url, &url) || !sigv4_headers(request, &url, keys, date, &headers)) {
        out->failed = true;
        return;
    }
    esp_text_adds(out, "AWS4-HMAC-SHA256 Credential=");
    esp_text_add(out, keys->id);
    esp_text_addc(out, '/');
    add_scope(request, date, out);
    esp_text_adds(out, ", SignedHeaders=");
    sigv4_signed_names(&headers, out);
    esp_text_adds(out, ", Signature=");
    esp_hex_add(out, esp_span(digest, DIGEST));
}

bool esp_sigv4_sign(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                    struct esp_sigv4_signed *out)
{
    uint8_t digest[DIGEST];
    esp_text_init(&out->authorization, 4096);
    if (!print_date(request->now_unix_ms, out->date) || !signature(request, keys, out->date, digest))
        return false;
    add_authorization(request, keys, out->date, digest, &out->authorization);
    if (!esp_text_failed(&out->authorization))
        return true;
    esp_text_free(&out->authorization);
    return false;
}

void esp_sigv4_free(struct esp_sigv4_signed *out)
{
    esp_text_free(&out->authorization);
}
