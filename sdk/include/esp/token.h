/** @file esp/token.h
 * A login token that all threads of an instance share.
 * Part of the toolkit (esp::toolkit). Logins cost backends dearly and accounts are
 * locked after too many, so there is one login for however many calls need one. */
#ifndef ESP_TOKEN_H
#define ESP_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_token Toolkit: tokens
 * One login for all threads: esp/token.h.
 * @{ */

/** A token and when it ends. Opaque; all functions may be called on any thread. */
struct esp_token;

/** Logs in, on the thread of one of those who wait, with no lock held: services may be called.
 * Appends the token to `token` (64 KiB at most) and sets *expires_unix_ms, milliseconds since 1970 UTC as
 * esp_host.now_unix_ms counts them; left at 0, the token never ends. On failure, appends a
 * sentence for people to `why` (the rules of esp_host.fail hold), or leaves it empty when a
 * service has recorded the reason. `ctx` is what esp_token_get was given. */
typedef esp_status (*esp_token_login)(void *ctx, struct esp_call *call, struct esp_text *token,
                                      int64_t *expires_unix_ms, struct esp_text *why);

/** Without a token yet; NULL when there is no memory. */
struct esp_token *esp_token_new(void);

/** Wipes and frees; nobody may be using it any more. NULL is fine. */
void esp_token_free(struct esp_token *token);

/** Appends the token to `out`, after a login if there is none that lasts. A token counts as ended
 * a tenth of its life before its end, a minute at most. Of those who come while a login runs
 * all wait for it, each as long as its call has time (ESP_E_CANCELLED), and share how it
 * ends: its token, or its status with its sentence. Only where it ended because its own caller
 * had no time or no memory left, the next one tries. A failed login is forgotten.
 * A login that ends with ESP_E_NOT_FOUND, because a credential is missing, is an ESP_E_CONFIG:
 * it says nothing about the remote secret. */
esp_status esp_token_get(struct esp_token *token, const struct esp_host *host, struct esp_call *call,
                         esp_token_login login, void *ctx, struct esp_text *out);

/** Forgets the token if it is still `value`, after a backend has refused it: the next
 * esp_token_get logs in, once, however many have met the refusal. */
void esp_token_drop(struct esp_token *token, esp_bytes value);

/** Appends the token as it is, for one that has to be renewed or revoked. False when there is none. */
bool esp_token_peek(struct esp_token *token, struct esp_text *out);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
