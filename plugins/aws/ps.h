/* plugins/aws/ps.h: what the files about Parameter Store share. */
#ifndef AWS_PS_H
#define AWS_PS_H

#include "request.h"

/* Begins a GetParameter. */
void aws_ps_begin_get(struct aws_request *r, esp_bytes id, bool decrypted);

/* Tags of a parameter, as AWS lists them: a new reference; NULL when the verdict says why not. */
esp_status aws_ps_tags(struct aws_store *store, struct esp_call *call, esp_bytes id, json_t **ret,
                       struct aws_verdict *verdict);

/* Appends the Value of a parameter; `raw` is the parameter, JSON text. */
void aws_ps_value(esp_bytes raw, esp_bytes id, struct esp_text *value, struct aws_verdict *verdict);

esp_status aws_ps_read(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                       struct esp_text *value, struct aws_verdict *verdict);
bool aws_ps_can_batch(const struct aws_ref *ref);
esp_status aws_ps_read_some(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                            size_t count, bool *refused);
esp_status aws_ps_list(void *store, struct esp_call *call, const struct esp_request *req);
esp_status aws_ps_push(void *store, struct esp_call *call, const struct esp_request *req);
esp_status aws_ps_remove(void *store, struct esp_call *call, const struct esp_request *req);

#endif
