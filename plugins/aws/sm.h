/* plugins/aws/sm.h: what the files about Secrets Manager share. */
#ifndef AWS_SM_H
#define AWS_SM_H

#include "request.h"

/* Begins a request about the secret `id`. */
void aws_sm_begin(struct aws_request *r, const char *operation, esp_bytes id);

/* Whether AWS said that there is no such secret, or none any more: it waits for its deletion. */
bool aws_sm_is_gone(const struct aws_request *r);

/* Appends the value of an answer with SecretString or SecretBinary; `id` is for the text. */
void aws_sm_value(esp_bytes object, esp_bytes id, struct esp_text *value, struct aws_verdict *verdict);

/* The verdict on one secret of a BatchGetSecretValue, `entry` being what stands under Errors: what a single
 * read would have said of it. */
void aws_sm_judge_entry(esp_bytes entry, esp_bytes id, struct aws_verdict *verdict);

/* Reads the current value of `id` without a version: for what comes before a write. */
esp_status aws_sm_current(struct aws_store *store, struct esp_call *call, esp_bytes id,
                          struct esp_text *value, struct aws_verdict *verdict);

/* DescribeSecret. *ret is a new reference; NULL when the verdict says why not, or, with a verdict of
 * ESP_OK, that there is no such secret. */
esp_status aws_sm_describe(struct aws_store *store, struct esp_call *call, esp_bytes id, json_t **ret,
                           struct aws_verdict *verdict);

esp_status aws_sm_read(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                       struct esp_text *value, struct aws_verdict *verdict);
bool aws_sm_can_batch(const struct aws_ref *ref);
esp_status aws_sm_read_some(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                            size_t count, bool *refused);
esp_status aws_sm_list(void *store, struct esp_call *call, const struct esp_request *req);
esp_status aws_sm_push(void *store, struct esp_call *call, const struct esp_request *req);
esp_status aws_sm_remove(void *store, struct esp_call *call, const struct esp_request *req);

/* ---- parts of a push ---- */

/* Reads the policy that the metadata's spec names into `policy`, JSON text with sorted members; empty when it
 * names none, or an empty one. Asks the cluster, not AWS. */
esp_status aws_sm_policy_wanted(struct esp_call *call, const json_t *spec, struct esp_text *policy);

/* Makes the secret's resource policy what is wanted, or removes it. Writes nothing when nothing differs. */
esp_status aws_sm_policy_sync(struct aws_store *store, struct esp_call *call, esp_bytes id,
                              const json_t *spec, esp_bytes policy);

/* Adds the regions of the metadata's spec to a CreateSecret. */
void aws_sm_replicas_add(struct aws_request *r, const json_t *spec, esp_bytes kms_key);

/* Makes the secret's replicas those of the metadata's spec, which leaves them alone when it names none.
 * `secret` is what DescribeSecret said. */
esp_status aws_sm_replicas_sync(struct aws_store *store, struct esp_call *call, esp_bytes id,
                                const json_t *secret, const json_t *spec);

/* Before a deletion, which AWS refuses for a secret with replicas. */
esp_status aws_sm_replicas_remove(struct aws_store *store, struct esp_call *call, esp_bytes id,
                                  const json_t *secret);

#endif
