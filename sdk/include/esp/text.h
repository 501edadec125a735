/** @file esp/text.h
 * Bytes with a length, and a text that grows up to a ceiling.
 *
 * Part of the toolkit (esp::toolkit), a static library that plugins link and
 * that the core uses as well. Nothing here knows the host except esp_failf.
 * All functions are safe on any thread as long as two threads do not share one
 * esp_text. */
#ifndef ESP_TEXT_H
#define ESP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <esp/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_text Toolkit: bytes and text
 * What esp_bytes lacks in C: esp/text.h.
 * @{ */

/** The bytes of a C string, borrowed from it. NULL is an empty text. */
esp_bytes esp_str(const char *text);

/** `len` bytes at `ptr`, borrowed. */
esp_bytes esp_span(const void *ptr, size_t len);

/** Whether both hold the same bytes. Takes longer the more they share, so it is not for
 * comparing what somebody sent with a secret. */
bool esp_equal(esp_bytes a, esp_bytes b);

/** The same for a C string; NULL is an empty text. */
bool esp_equal_str(esp_bytes a, const char *text);

/** <0, 0, >0: order of unsigned bytes, a prefix before what it begins. */
int esp_compare(esp_bytes a, esp_bytes b);

/** Whether `text` begins with `prefix`; with an empty one it always does. */
bool esp_starts_with(esp_bytes text, esp_bytes prefix);

/** A copy to be freed with esp_dup_free, which wipes it; a NUL that is
 * not counted follows the bytes. ptr is NULL when there is no memory. */
esp_bytes esp_dup(esp_bytes bytes);
void esp_dup_free(esp_bytes copy); /**< Wipes and frees a copy of esp_dup; an empty one is fine. */

/** Overwrites memory in a way that the compiler keeps. NULL is fine. */
void esp_wipe(void *ptr, size_t len);

/** A text that is built piece by piece. It has a ceiling from birth and remembers
 * a failed append (ceiling, memory), so that a series of appends is checked once.
 * Memory is wiped when it is given up, also when the text moves as it grows.
 * The fields are to be read, the functions change them. */
struct esp_text {
    uint8_t *ptr; /**< NUL-terminated when not NULL. */
    size_t len;   /**< Bytes so far, without the NUL. */
    size_t cap;   /**< Bytes allocated. */
    size_t max;   /**< The ceiling of len. */
    bool failed;  /**< An append did not fit; the ones after it did nothing. */
};

void esp_text_init(struct esp_text *t, size_t max); /**< An empty text. Allocates nothing. */
void esp_text_free(struct esp_text *t);             /**< Wipes and frees; zeroes are fine. */
void esp_text_cut(struct esp_text *t, size_t len);  /**< Back to `len` bytes, the rest wiped. */
bool esp_text_failed(const struct esp_text *t);     /**< Whether an append failed: ask once, at the end. */

void esp_text_add(struct esp_text *t, esp_bytes bytes);   /**< Appends bytes. */
void esp_text_addc(struct esp_text *t, char c);           /**< Appends one byte. */
void esp_text_adds(struct esp_text *t, const char *text); /**< Appends a C string. */

/** Appends what printf would print. */
void esp_text_addf(struct esp_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** What is there so far, borrowed until the next call on `t`. */
esp_bytes esp_text_bytes(const struct esp_text *t);
const char *esp_text_str(const struct esp_text *t); /**< The same as a C string: "" when empty. */

/** host->fail with a formatted sentence, at most 1000 bytes of it. Returns
 * `status`. No secret may be among the arguments: the text is shown to people.
 *
 *     return esp_failf(host, call, ESP_E_NOT_FOUND, "no parameter %.*s", ESP_ARG(key)); */
esp_status esp_failf(const struct esp_host *host, struct esp_call *call, esp_status status,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/** The two arguments of %.*s. */
#define ESP_ARG(bytes) ((int)((bytes).len < 1000 ? (bytes).len : 1000)), ((const char *)(bytes).ptr)

/** @} */

#ifdef __cplusplus
}
#endif
#endif
