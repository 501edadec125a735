/* plugins/aws/exchange.h: one request to AWS, signed, sent, and sent again while that may help. */
#ifndef AWS_EXCHANGE_H
#define AWS_EXCHANGE_H

#include <esp/sigv4.h>

#include "retry.h"
#include "run.h"
#include "session.h"

/* A request to a service. Borrowed. */
struct aws_post {
    const char *operation; /* for texts and metrics */
    esp_bytes key;         /* for texts; may be empty */
    const char *service;   /* the name that is signed */
    esp_bytes region, url, body;
    const esp_pair *headers;
    size_t header_count; /* at most AWS_MAX_HEADERS */
};

#define AWS_MAX_HEADERS 4

/* Posts it with the signature of these keys; NULL: without one. ESP_OK: there is an answer, 200 or an error
 * of the service that does not pass. Otherwise it is explained, by `run` or by a service. */
esp_status aws_exchange(struct aws_run *run, const struct aws_retry *retry, const struct aws_post *post,
                        const struct esp_sigv4_keys *keys, struct aws_answer *answer);

/* Appends "GetSecretValue of db/password" or "GetSecretValue". */
void aws_add_subject(const char *operation, esp_bytes key, struct esp_text *out);

#endif
