/* plugins/gcp/aws.h: AWS credentials as the token of somebody else's. */
#ifndef GCP_AWS_H
#define GCP_AWS_H

#include "grant.h"

/* Reads the Secret that auth.workloadIdentityFederation.awsSecurityCredentials names. */
esp_status gcp_aws_read(struct esp_call *call, const json_t *block, struct gcp_identity *id);

/* Appends the subject token: a GetCallerIdentity request, signed but not sent, which the
 * token service sends to AWS to see who signed it. */
esp_status gcp_aws_subject(const struct gcp_identity *id, struct esp_call *call, struct gcp_got *got,
                           struct esp_text *subject);

#endif
