/* plugins/aws/metadata.h: credentials from the machine around esod: the endpoint of a container's platform,
 * and the metadata service of an EC2 instance. */
#ifndef AWS_METADATA_H
#define AWS_METADATA_H

#include "creds.h"
#include "run.h"

/* What AWS_CONTAINER_CREDENTIALS_FULL_URI or ..._RELATIVE_URI names (EKS Pod Identity, ECS). ESP_E_NOT_FOUND:
 * neither is set. ESP_E_CONFIG: a URL that a token must not be sent to. */
esp_status aws_container(struct aws_run *run, struct aws_creds *ret);

/* The instance's role, by version 2 of the metadata service. ESP_E_NOT_FOUND: switched off, or nobody
 * answers, or the instance has no role. */
esp_status aws_instance(struct aws_run *run, struct aws_creds *ret);

#endif
