/* plugins/aws/fail.h: what an error of AWS means to the core, and how it is told. */
#ifndef AWS_FAIL_H
#define AWS_FAIL_H

#include "run.h"
#include "session.h"

/* aws_fail of session.h, with the sentence kept in `run`. */
esp_status aws_because_refused(struct aws_run *run, const char *operation, esp_bytes key,
                               const struct aws_answer *answer);

/* AWS does not believe the credentials: they have expired, or are unknown to it. Other ones may do. */
bool aws_refuses_creds(const struct aws_answer *answer);

#endif
