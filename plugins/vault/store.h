/* plugins/vault/store.h: an opened store: where Vault is, how to log in, and what it
 * knows of the replication. */
#ifndef VAULT_STORE_H
#define VAULT_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <esp/plugin.h>
#include <esp/text.h>
#include <esp/token.h>
#include <esp/tree.h>

struct vault_method;

#define VAULT_INTERVAL_MAX_MS 3600000 /* of retrySettings */

/* The services, set when the plugin is loaded. */
extern const struct esp_host *vault_host;

/* What a login has said about the token it brought. */
struct vault_lease {
    int64_t since_ms; /* when Vault last gave it time, on the host's clock */
    int64_t end_ms;   /* when that is over; 0: never */
    int64_t life_s;   /* how much it got at the login; 0: it lives for ever */
    bool renewable;   /* renew-self gives it more */
    bool is_own;      /* this store has made it, and can revoke it */
};

/* Constant once it is open, but for what says otherwise; any number of threads may use it. */
struct vault_store {
    json_t *request; /* the document it was opened with; texts and blocks below are its */
    const json_t *spec;
    const json_t *method_block;        /* of the login method */
    const struct vault_method *method; /* NULL: no token is sent */
    bool is_bao, is_v2, needs_cas;
    bool tracks_index;    /* readYourWrites, forwardInconsistent */
    bool forwards;        /* both of them */
    int retries;          /* of what may pass, by the plugin itself; otherwise the core backs off */
    uint32_t interval_ms; /* before each */
    esp_bytes server;     /* without slashes at its end */
    esp_bytes mount;      /* empty: keys begin with it */
    esp_bytes namespace, login_namespace, ca_pem;
    esp_bytes cert_pem, key_pem; /* the client certificate; copies to be freed with esp_dup_free */
    struct esp_token *token;     /* has a lock of its own */

    pthread_mutex_t lock;     /* guards what follows */
    struct vault_lease lease; /* of the token */
    uint64_t retry_after_ms;  /* what Vault asked for when it last refused a login */
    struct esp_text refusal;  /* the sentence for that */
    struct esp_text index;    /* X-Vault-Index of the newest answer */
};

/* Opens and logs in; the statuses are those of esp_store_ops.open. */
esp_status vault_open(struct esp_call *call, const struct esp_request *req, bool is_bao, void **instance);
void vault_close(void *instance, struct esp_call *call);

/* What an admission webhook would refuse: ESP_OK, or ESP_E_CONFIG with a sentence. */
esp_status vault_check(struct esp_call *call, const json_t *request, bool is_bao);

/* Without the white space around it. */
esp_bytes vault_trimmed(esp_bytes text);

esp_status vault_no_memory(struct esp_call *call);

#endif
