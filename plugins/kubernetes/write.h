/* plugins/kubernetes/write.h: creates, replaces and deletes a Secret. */
#ifndef KUBE_WRITE_H
#define KUBE_WRITE_H

#include "api.h"

/* How often a write starts over when somebody else was faster. */
#define KUBE_MAX_WRITES 4

/* What a Secret is to be. Borrowed. */
struct kube_draft {
    esp_bytes ns, name, type;
    const struct kube_pairs *data; /* base64 */
    const struct kube_pairs *labels, *annotations;
};

/* Makes a Secret, or replaces `old` at the version in which it was read, and leaves alone
 * what the draft says nothing about. *raced: somebody else made, changed or deleted it
 * meanwhile: look again; nothing has been recorded with `fail`. */
esp_status kube_create(const struct kube_store *store, struct esp_call *call, const struct kube_draft *draft,
                       bool *raced);
esp_status kube_replace(const struct kube_store *store, struct esp_call *call, const struct kube_draft *draft,
                        const struct kube_secret *old, bool *raced);

/* Deletes it in the version in which it was read; *raced likewise. */
esp_status kube_delete(const struct kube_store *store, struct esp_call *call, esp_bytes ns,
                       const struct kube_secret *old, bool *raced);

/* Fails: somebody else was always faster. */
esp_status kube_outraced(struct esp_call *call, const char *verb, esp_bytes name, esp_bytes ns);

#endif
