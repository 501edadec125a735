/* plugins/aws/answer.h: what an HTTP answer of AWS says. */
#ifndef AWS_ANSWER_H
#define AWS_ANSWER_H

#include "session.h"

/* Reads status and body, and the code and message of an error, whether it is JSON or XML. An error without a
 * code is not AWS's own: a proxy or a load balancer made it. */
void aws_answer_read(const struct esp_http_response *response, struct aws_answer *ret);

#endif
