/* plugins/aws/cm.h: what the files about the Certificate Manager share. */
#ifndef AWS_CM_H
#define AWS_CM_H

#include "request.h"

/* Says which imported certificate is which; AWS gives them names that nobody chooses. */
#define AWS_CM_KEY_TAG "external-secrets-remote-key"

/* Begins a request about the certificate. */
void aws_cm_begin(struct aws_request *r, const char *operation, esp_bytes arn);

/* The public side of a certificate, as AWS has it: appends the certificate and its chain, PEM. With an empty
 * `state`, there is no such certificate. */
esp_status aws_cm_state(struct aws_store *store, struct esp_call *call, esp_bytes arn, struct esp_text *state,
                        struct aws_verdict *verdict);

esp_status aws_cm_push(void *store, struct esp_call *call, const struct esp_request *req);
esp_status aws_cm_remove(void *store, struct esp_call *call, const struct esp_request *req);
esp_status aws_cm_exists(void *store, struct esp_call *call, const struct esp_request *req);

#endif
