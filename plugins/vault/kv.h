/* plugins/vault/kv.h: the KV engine: what is read from it, and how. */
#ifndef VAULT_KV_H
#define VAULT_KV_H

#include "session.h"

#define VAULT_SECRET_MAX (16u << 20)

/* A secret as the engine has it. Zeroes before the first use; vault_kv_free afterwards. */
struct vault_kv {
    struct esp_text fields; /* a JSON object, as written */
    int64_t version;        /* v2: which it is; on NOT_FOUND the one that is deleted, 0 if there was none */
};
void vault_kv_free(struct vault_kv *kv);

/* Reads a secret; an empty version is the newest. ESP_E_NOT_FOUND: there surely is none, or it is deleted. */
esp_status vault_kv_read(struct vault_store *s, struct esp_call *call, esp_bytes key, esp_bytes version,
                         struct vault_kv *ret);

/* The same for the metadata of a v2 secret: the object that Vault has under `data`. */
esp_status vault_kv_metadata(struct vault_store *s, struct esp_call *call, esp_bytes key,
                             struct esp_text *out);

/* Whether a metadata object, or the fields of a v1 secret, say that it is ours to change. */
bool vault_kv_is_managed(esp_bytes metadata);

/* The operations. */
esp_status vault_get(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status vault_exists(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status vault_list(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status vault_push(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status vault_remove(void *instance, struct esp_call *call, const struct esp_request *req);

#endif
