/** @file esp/codec.h
 * Base64, hexadecimal digits, percent-encoding: how backends want bytes written.
 * Part of the toolkit (esp::toolkit). All functions are safe on any thread; what
 * does not fit shows in the text that is written to. */
#ifndef ESP_CODEC_H
#define ESP_CODEC_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_codec Toolkit: codecs
 * Bytes as text and back: esp/codec.h.
 * @{ */

void esp_base64_add(struct esp_text *out,
                    esp_bytes bytes); /**< Standard alphabet, padded (RFC 4648, section 4). */
void esp_base64url_add(struct esp_text *out,
                       esp_bytes bytes); /**< URL alphabet, no padding (RFC 7515, section 2). */

/** Appends the bytes that `text` stands for, in either alphabet, padded or not, with
 * line breaks or without. False, and `out` as it was, when it is no base64 or does
 * not fit. */
bool esp_base64_decode(esp_bytes text, struct esp_text *out);

void esp_hex_add(struct esp_text *out, esp_bytes bytes); /**< Two lower-case digits for each byte. */

/** Appends `bytes` percent-encoded (RFC 3986, section 2.1, upper-case digits): unreserved
 * characters stay, and so do those of `also_plain` ("/" for a path; NULL: none). */
void esp_percent_add(struct esp_text *out, esp_bytes bytes, const char *also_plain);

/** The same for a name or a value of a query or a form (application/x-www-form-urlencoded):
 * a space becomes +, as with Go's url.QueryEscape. */
void esp_query_add(struct esp_text *out, esp_bytes bytes);

/** Appends the claims of a JSON Web Token (RFC 7519), a JSON document. The signature is
 * not checked: this is for reading a token of one's own. False when it is none. */
bool esp_jwt_claims(esp_bytes token, struct esp_text *out);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
