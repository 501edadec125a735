/** @file esp/sigv4.h
 * Signs HTTP requests for AWS: Signature Version 4.
 *
 * A library of its own (esp::sigv4), since it needs OpenSSL's libcrypto. It signs
 * what it is given and sends nothing. All functions are safe on any thread. */
#ifndef ESP_SIGV4_H
#define ESP_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_sigv4 Toolkit: AWS signatures
 * Requests that AWS believes: esp/sigv4.h.
 * @{ */

/** Credentials of AWS. Borrowed. */
struct esp_sigv4_keys {
    esp_bytes id;     /**< The access key's ID, which is no secret. */
    esp_bytes secret; /**< The secret access key. */
    esp_bytes token;  /**< The session token of temporary credentials; empty: none. */
};

/** The request as it will go out. Borrowed. */
struct esp_sigv4_request {
    esp_bytes method;        /**< "POST". */
    esp_bytes url;           /**< Absolute, http or https, escaped as it goes out. */
    esp_bytes body;          /**< All of it; empty: none. */
    const esp_pair *headers; /**< Headers that are to be signed, without Host, X-Amz-Date and
                                  X-Amz-Security-Token, which always are. */
    size_t header_count;     /**< Of headers; ESP_SIGV4_MAX_HEADERS at most. */
    esp_bytes region;        /**< "eu-central-1". */
    esp_bytes service;       /**< The signing name: "secretsmanager", "sts". */
    int64_t now_unix_ms;     /**< The time of signing; AWS accepts it for five minutes or so. */
};

#define ESP_SIGV4_MAX_HEADERS 32 /**< More of them are refused. */

/** What has to be added to the request. Zeroes before the first use. */
struct esp_sigv4_signed {
    char date[17];                 /**< X-Amz-Date: "20150830T123600Z". */
    struct esp_text authorization; /**< Authorization. Names the key's ID; the signature is of use for this
                                        request alone. */
};

/** Signs. The request then needs the headers X-Amz-Date, Authorization, and X-Amz-Security-Token
 * with keys->token when there is one; Host is what the URL says, without the usual port.
 *
 * Returns false when there is no memory, the URL is none, or there are too many headers; `out` then needs
 * no esp_sigv4_free, but may have it. */
bool esp_sigv4_sign(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                    struct esp_sigv4_signed *out);
void esp_sigv4_free(struct esp_sigv4_signed *out); /**< Wipes and frees; zeroes are fine. */

/** Appends the canonical request, which is what a signature is about: for tests, and for finding out why AWS
 * disagrees. `date` is what X-Amz-Date will be. Failure shows in `out`. */
void esp_sigv4_canonical(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                         const char *date, struct esp_text *out);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
