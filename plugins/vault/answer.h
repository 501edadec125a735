/* plugins/vault/answer.h: what Vault has said, and what that means for us.
 *
 * Nothing of an answer's text is passed on: sentences are made of the status and of
 * phrases that are recognised in it. */
#ifndef VAULT_ANSWER_H
#define VAULT_ANSWER_H

#include "store.h"

struct vault_answer {
    int32_t status;          /* of HTTP */
    uint64_t retry_after_ms; /* what the answer asks for; 0: nothing */
    esp_bytes body;          /* lives as long as the call */
};

/* 200 or 204. */
bool vault_is_good(const struct vault_answer *a);

/* Whether a 404 says that there is surely no such secret: never made, or deleted. A missing mount, a proxy
 * and a login page do not say that. */
bool vault_is_absent(const struct vault_answer *a);

/* Whether a 403 says that the token is none, or no more. Older servers do not say it. */
bool vault_names_token(const struct vault_answer *a);

/* Whether a 403 says no more than that. */
bool vault_says_denied(const struct vault_answer *a);

/* What to do about an answer that is not good, and the sentence for people: "WHAT "SUBJECT": status 403:
 * permission denied". An empty subject is left out. */
esp_status vault_explain(const struct vault_answer *a, const char *what, esp_bytes subject,
                         struct esp_text *sentence);

/* The same, handed to the host. */
esp_status vault_refused(struct esp_call *call, const struct vault_answer *a, const char *what,
                         esp_bytes subject);

#endif
