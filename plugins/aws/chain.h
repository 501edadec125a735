/* plugins/aws/chain.h: credentials of a store that names none: those of esod itself. */
#ifndef AWS_CHAIN_H
#define AWS_CHAIN_H

#include "creds.h"
#include "run.h"
#include "sts.h"

/* The first that there is of: variables of the environment, a web identity's token file (IRSA), a profile of
 * the shared files, a container's endpoint (EKS Pod Identity, ECS), the instance's role. One that is there
 * and fails is the answer: nobody wants to be somebody else by accident. ESP_E_DENIED: there is none. */
esp_status aws_chain(struct aws_run *run, const struct aws_sts *sts, struct aws_creds *ret);

#endif
