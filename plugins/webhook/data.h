/* plugins/webhook/data.h: what templates are rendered with. */
#ifndef HOOK_DATA_H
#define HOOK_DATA_H

#include "hook.h"

/* What .remoteRef says. All borrowed. */
struct hook_ref {
    esp_bytes key, property, version; /* of a read */
    esp_bytes namespace;
    esp_bytes remote_key, secret_key; /* of a push */
    bool has_value;
    esp_bytes value; /* of a push: .remoteRef has it under the remote key */
};

/* A Secret of the spec, with the label that says that its owner lets webhooks use it. `name` and
 * namespace are those of `ref`. *object: ESP_KUBE_SECRET_OBJECT. */
esp_status hook_read_secret(const struct hook_store *store, struct esp_call *call, const json_t *ref,
                            esp_bytes *object);

/* Appends `,"NAME":{"KEY":"VALUE",...}` for each name of spec.secrets. */
esp_status hook_add_secrets(const struct hook_store *store, struct esp_call *call, struct esp_text *out);

/* Whether the template speaks of one of the secrets, as far as its text shows. */
bool hook_names_secret(const struct hook_store *store, esp_bytes template);

/* Appends the data as a JSON object: remoteRef, encoded for a query if `query`, and `secrets` as
 * hook_add_secrets wrote them. */
void hook_add_data(struct esp_text *out, const struct hook_ref *ref, bool query, esp_bytes secrets);

/* Renders a template; what holds no template is its own result. `step` says what it was for, as
 * "failed to parse url: ": that begins the sentence of a failure. */
esp_status hook_render(struct esp_call *call, const char *step, esp_bytes template,
                       const struct esp_text *data, esp_bytes *ret);

#endif
