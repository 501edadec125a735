/* plugins/vault/request.h: one request to Vault, with all that each of them carries. */
#ifndef VAULT_REQUEST_H
#define VAULT_REQUEST_H

#include "answer.h"

struct vault_request {
    const char *method; /* "GET", "PUT", "DELETE" */
    esp_bytes path;     /* below /v1/, encoded, with its query */
    esp_bytes body;     /* JSON; empty: none */
    esp_bytes token;    /* empty: none is sent */
    const char *api;    /* the label in metrics */
    bool is_login;      /* it goes to the namespace of the login */
};

/* ESP_OK with an answer, whatever its status; otherwise the transport failed and has said why. */
esp_status vault_send(struct vault_store *s, struct esp_call *call, const struct vault_request *request,
                      struct vault_answer *answer);

#endif
