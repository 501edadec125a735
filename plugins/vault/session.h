/* plugins/vault/session.h: requests with a token that is good.
 *
 * A store has one token for all its threads. It is made when the store is opened, renewed shortly
 * before its end, made anew when Vault knows it no more, and revoked when the store is closed. */
#ifndef VAULT_SESSION_H
#define VAULT_SESSION_H

#include "request.h"

/* Logs in, unless there is a token already. */
esp_status vault_session_begin(struct vault_store *s, struct esp_call *call);

/* Sends the request with the token, once more with a fresh one when Vault says, or shows when it is asked,
 * that the token has ended. `request->token` is not looked at. */
esp_status vault_ask(struct vault_store *s, struct esp_call *call, struct vault_request request,
                     struct vault_answer *answer);

/* The answer of lookup-self, which any good token may ask for. */
esp_status vault_look_up(struct vault_store *s, struct esp_call *call, struct vault_answer *answer);

/* Revokes a token that a login has brought. What comes of it is nobody's business any more. */
void vault_session_end(struct vault_store *s, struct esp_call *call);

#endif
