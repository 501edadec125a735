/* plugins/aws/session.h: an opened store's way to AWS.
 *
 * Below this header: where the region's endpoints are, whose credentials sign, how a
 * request is signed, sent and tried again. Above it: what the services mean.
 *
 *     struct aws_answer answer;
 *     esp_status status = aws_ask(session, call, &ask, &answer);
 *     if (status != ESP_OK)
 *         return status;
 *     if (aws_code_is(&answer, "ResourceNotFoundException"))
 *         return ESP_E_NOT_FOUND;
 *     if (answer.status != 200)
 *         return aws_fail(call, &ask, &answer);
 *
 * All functions are safe on many threads in one session. */
#ifndef AWS_SESSION_H
#define AWS_SESSION_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>
#include <esp/tree.h>

/* The services of the core; the plugin's entry sets it. */
extern const struct esp_host *aws_host;

/* What esp_plugin.ambient lists: all that the default chain and the endpoints may ask for. NULL at the end.
 */
extern const char *const aws_ambient[];

/* Region, endpoints, credentials, retries of one store. */
struct aws_session;

/* The part of `check` that is about all services: the region, the references of auth. `spec` is the block
 * under spec.provider.aws, `document` the whole document. ESP_E_CONFIG with a sentence. No network. */
esp_status aws_session_check(struct esp_call *call, const json_t *spec, const json_t *document);

/* Makes a session; nothing of the documents is kept. Reads the Secrets (or the service account) that auth
 * names, so that the core opens the store again when they change, and talks to nobody else.
 * ESP_E_UNDECIDED: nobody uses the ClusterSecretStore yet. */
esp_status aws_session_open(struct esp_call *call, const json_t *spec, const json_t *document,
                            struct aws_session **ret);
void aws_session_close(struct aws_session *session); /* wipes; NULL is fine */

/* Credentials can be had: for `validate`. Asks AWS nothing that the credentials do not need. */
esp_status aws_session_ready(struct aws_session *session, struct esp_call *call);

/* "eu-central-1", as the spec has it. Lives as long as the session. */
esp_bytes aws_session_region(const struct aws_session *session);

/* One call of a service that speaks JSON 1.1. Borrowed until aws_ask returns. */
struct aws_ask {
    const char *service;   /* "secretsmanager", "ssm", "acm", "tagging" */
    const char *target;    /* X-Amz-Target: "secretsmanager.GetSecretValue" */
    const char *operation; /* for texts and metrics: "GetSecretValue" */
    esp_bytes key;         /* for texts: what the user wrote; empty: about nothing in particular */
    esp_bytes body;        /* JSON; may hold secrets */
};

/* What AWS said. */
struct aws_answer {
    int32_t status;    /* 200, or of an error: 400, 403 */
    char code[128];    /* of an error: "ResourceNotFoundException"; "" when it is 200 */
    char message[512]; /* of an error, cut where it is longer: for deciding, never for showing, since it may
                          quote what was sent */
    uint64_t retry_after_ms; /* of an error that says when to come back; else 0 */
    esp_bytes body;          /* JSON of a 200; lives as long as the call, which wipes it */
};

/* ESP_OK: AWS answered with 200, or with an error of the service that the caller has to judge. Everything
 * else is dealt with and explained: throttling, 5xx and lost connections are tried again as the store's
 * retrySettings say, then ESP_E_RETRY; credentials that AWS calls expired or invalid are fetched once
 * more, then ESP_E_DENIED. An answer that is no JSON object is ESP_E_RETRY. */
esp_status aws_ask(struct aws_session *session, struct esp_call *call, const struct aws_ask *ask,
                   struct aws_answer *answer);

bool aws_code_is(const struct aws_answer *answer, const char *code);

/* What becomes of an error that the caller has no meaning of its own for: missing rights are ESP_E_DENIED,
 * requests that AWS finds malformed ESP_E_CONFIG, what passes ESP_E_RETRY. Never ESP_E_NOT_FOUND. The
 * sentence names operation, key, code and status, and for a missing right who lacks which. */
esp_status aws_fail(struct esp_call *call, const struct aws_ask *ask, const struct aws_answer *answer);

/* The document of a request, to be released with json_decref. NULL, and the core has been told, without
 * memory. */
json_t *aws_document(struct esp_call *call, const struct esp_request *req);

/* "out of memory", ESP_E_INTERNAL. */
esp_status aws_no_memory(struct esp_call *call);

#endif
