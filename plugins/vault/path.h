/* plugins/vault/path.h: where a key is in Vault's API. */
#ifndef VAULT_PATH_H
#define VAULT_PATH_H

#include "store.h"

/* Append the path below /v1/, percent-encoded. ESP_E_CONFIG, with a sentence, for a key that has none;
 * failure to append shows in `out`.
 *
 *     mount  key           data (v2)            data (v1)      metadata (v2)
 *     kv     a/b           kv/data/a/b          kv/a/b         kv/metadata/a/b
 *     kv     kv/a/b        kv/data/a/b          kv/a/b         kv/metadata/a/b
 *     kv     kv/data/a/b   kv/data/a/b          kv/data/a/b    kv/metadata/a/b
 *            kv/a/b        kv/data/a/b          kv/a/b         (none)
 *            kv/data/a/b   kv/data/a/b          kv/data/a/b    kv/metadata/a/b
 *
 * v1 has no metadata of its own: there it is the same as data. */
esp_status vault_data_path(const struct vault_store *s, struct esp_call *call, esp_bytes key,
                           struct esp_text *out);
esp_status vault_metadata_path(const struct vault_store *s, struct esp_call *call, esp_bytes key,
                               struct esp_text *out);

/* Appends a path as it is sent: segments percent-encoded, empty ones left out. False when one of them is
 * "..", which would leave the place that the rest names. */
bool vault_encode_path(esp_bytes path, struct esp_text *out);

#endif
