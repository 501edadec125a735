/** @file esp/jwt.h
 * Signed JSON Web Tokens, for logins with a private key.
 * A library of its own (esp::jwt), since it needs OpenSSL's libcrypto. The functions are safe
 * on any thread and read no file. */
#ifndef ESP_JWT_H
#define ESP_JWT_H

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_jwt Toolkit: signed tokens
 * Logins with a private key: esp/jwt.h.
 * @{ */

/** How a signature went. */
enum esp_jwt_result {
    ESP_JWT_OK = 0,      /**< Signed. */
    ESP_JWT_BAD_KEY = 1, /**< The text is no unencrypted RSA private key in PEM form. */
    ESP_JWT_FAILED = 2   /**< No memory, or OpenSSL refused. */
};

/** Appends header.claims.signature to `out`, signed with RS256 (RFC 7515; RFC 7518, section 3.3) by the RSA
 * key in `key_pem` (PKCS#8 or PKCS#1). `header` and `claims` are JSON text, taken as they
 * are: the header has to say {"alg":"RS256"}. `out` is as before unless ESP_JWT_OK is returned. */
enum esp_jwt_result esp_jwt_rs256(esp_bytes key_pem, esp_bytes header, esp_bytes claims,
                                  struct esp_text *out);

/** Appends the RSA signature with SHA-256 (PKCS#1 v1.5) of `data`, its bytes as they are. */
enum esp_jwt_result esp_rs256_sign(esp_bytes key_pem, esp_bytes data, struct esp_text *out);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
