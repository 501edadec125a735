#include "session.h"

#include <stdlib.h>
#include <string.h>

#include <esp/token.h>

#include "endpoint.h"
#include "exchange.h"
#include "fail.h"
#include "login.h"

#define SERVICES 4
#define MAX_PACKED ((size_t)64 << 10)
#define MAX_URL ((size_t)2048)

const struct esp_host *aws_host;

static const char *const services[SERVICES] = {"secretsmanager", "ssm", "acm", "tagging"};

struct aws_session {
    esp_bytes region;
    esp_bytes urls[SERVICES], sts_url; /* of services[i] */
    struct aws_retry retry;
    struct aws_login login;
    struct esp_token *token; /* the credentials, packed; has a lock of its own */
};

esp_status aws_no_memory(struct esp_call *call)
{
    return esp_failf(aws_host, call, ESP_E_INTERNAL, "out of memory");
}

json_t *aws_document(struct esp_call *call, const struct esp_request *req)
{
    json_t *document = esp_tree_read(req->json);
    if (!document)
        aws_no_memory(call);
    return document;
}

bool aws_code_is(const struct aws_answer *answer, const char *code)
{
    return strcmp(answer->code, code) == 0;
}

esp_bytes aws_session_region(const struct aws_session *session)
{
    return session->region;
}

/* ---- opening ---- */

static esp_status find_endpoint(struct esp_call *call, const char *name, esp_bytes region, esp_bytes *ret)
{
    struct esp_text url;
    esp_text_init(&url, MAX_URL);
    esp_status status = aws_endpoint(call, aws_service(name), region, &url);
    if (status == ESP_OK) {
        *ret = esp_dup(esp_text_bytes(&url));
        if (esp_text_failed(&url) || !ret->ptr)
            status = aws_no_memory(call);
    }
    esp_text_free(&url);
    return status;
}

static esp_status find_endpoints(struct aws_session *session, struct esp_call *call)
{
    esp_status status = find_endpoint(call, "sts", session->region, &session->sts_url);
    for (size_t i = 0; i < SERVICES && status == ESP_OK; i++)
        status = find_endpoint(call, services[i], session->region, &session->urls[i]);
    return status;
}

static esp_status fill(struct aws_session *session, struct esp_call *call, const json_t *spec,
                       const json_t *document)
{
    session->region = esp_dup(esp_tree_text(spec, "region"));
    session->token = esp_token_new();
    if (!session->region.ptr || !session->token)
        return aws_no_memory(call);
    esp_status status = aws_session_check(call, spec, document);
    if (status == ESP_OK)
        status = aws_retry_read(call, json_object_get(document, "retrySettings"), &session->retry);
    if (status == ESP_OK)
        status = find_endpoints(session, call);
    return status == ESP_OK ? aws_login_init(&session->login, call, spec, document) : status;
}

esp_status aws_session_open(struct esp_call *call, const json_t *spec, const json_t *document,
                            struct aws_session **ret)
{
    struct aws_session *session = calloc(1, sizeof *session);
    if (!session)
        return aws_no_memory(call);
    esp_status status = fill(session, call, spec, document);
    if (status == ESP_OK)
        *ret = session;
    else
        aws_session_close(session);
    return status;
}

void aws_session_close(struct aws_session *session)
{
    if (!session)
        return;
    for (size_t i = 0; i < SERVICES; i++)
        esp_dup_free(session->urls[i]);
    esp_dup_free(session->sts_url);
    esp_dup_free(session->region);
    aws_login_free(&session->login);
    esp_token_free(session->token);
    free(session);
}

/* ---- credentials ---- */

/* Who asks for credentials, and for what run. */
struct login {
    const struct aws_session *session;
    struct aws_run *run;
};

static esp_status log_in(void *ctx, struct esp_call *call, struct esp_text *token, int64_t *expires_unix_ms,
                         struct esp_text *why)
{
    const struct login *login = ctx;
    const struct aws_session *session = login->session;
    const struct aws_sts sts = {session->sts_url, session->region, session->retry};
    struct aws_creds creds;
    (void)call; /* the run's own */
    aws_creds_init(&creds);
    esp_status status = aws_login_run(&session->login, login->run, &sts, &creds);
    if (status == ESP_OK) {
        aws_creds_pack(&creds, token);
        *expires_unix_ms = creds.expires_unix_ms;
    } else {
        esp_text_add(why, esp_text_bytes(&login->run->why));
    }
    aws_creds_free(&creds);
    return status;
}

static esp_status get_creds(struct aws_session *session, struct aws_run *run, struct esp_text *packed)
{
    struct login login = {session, run};
    esp_text_init(packed, MAX_PACKED);
    return esp_token_get(session->token, aws_host, run->call, log_in, &login, packed);
}

esp_status aws_session_ready(struct aws_session *session, struct esp_call *call)
{
    struct esp_text packed;
    struct aws_run run;
    aws_run_init(&run, call);
    esp_status status = get_creds(session, &run, &packed);
    esp_text_free(&packed);
    return aws_run_end(&run, status);
}

/* ---- asking ---- */

static size_t service_index(const char *name)
{
    size_t i = 0;
    while (i < SERVICES && strcmp(services[i], name) != 0)
        i++;
    return i;
}

static bool is_object(esp_bytes json)
{
    return json.len && json.ptr[0] == '{' && json.ptr[json.len - 1] == '}';
}

static esp_status ask_with(struct aws_session *session, struct aws_run *run, const struct aws_ask *ask,
                           esp_bytes packed, struct aws_answer *answer)
{
    const struct esp_sigv4_keys keys = aws_creds_unpack(packed);
    const esp_pair headers[] = {{esp_str("Content-Type"), esp_str("application/x-amz-json-1.1")},
                                {esp_str("X-Amz-Target"), esp_str(ask->target)}};
    size_t service = service_index(ask->service);
    if (service == SERVICES)
        return aws_because(run, ESP_E_INTERNAL, "the aws plugin has no service \"%s\"", ask->service);
    const struct aws_post post = {.operation = ask->operation,
                                  .key = ask->key,
                                  .service = ask->service,
                                  .region = session->region,
                                  .url = session->urls[service],
                                  .body = ask->body,
                                  .headers = headers,
                                  .header_count = 2};
    esp_status status = aws_exchange(run, &session->retry, &post, &keys, answer);
    if (status == ESP_OK && answer->status == 200 && !is_object(answer->body))
        return aws_because(run, ESP_E_RETRY,
                           "%s: an answer that is no JSON object; is the endpoint one of AWS's?",
                           ask->operation);
    return status;
}

/* With credentials that AWS does not believe any more: they are dropped, for all, and fetched once more. */
static esp_status ask_again(struct aws_session *session, struct aws_run *run, const struct aws_ask *ask,
                            struct aws_answer *answer)
{
    struct esp_text packed;
    esp_status status = get_creds(session, run, &packed);
    if (status == ESP_OK)
        status = ask_with(session, run, ask, esp_text_bytes(&packed), answer);
    esp_text_free(&packed);
    if (status == ESP_OK && aws_refuses_creds(answer))
        return aws_because_refused(run, ask->operation, ask->key, answer);
    return status;
}

static esp_status ask_once(struct aws_session *session, struct aws_run *run, const struct aws_ask *ask,
                           struct aws_answer *answer, bool *refused)
{
    struct esp_text packed;
    esp_status status = get_creds(session, run, &packed);
    if (status == ESP_OK)
        status = ask_with(session, run, ask, esp_text_bytes(&packed), answer);
    *refused = status == ESP_OK && aws_refuses_creds(answer);
    if (*refused)
        esp_token_drop(session->token, esp_text_bytes(&packed));
    esp_text_free(&packed);
    return status;
}

esp_status aws_ask(struct aws_session *session, struct esp_call *call, const struct aws_ask *ask,
                   struct aws_answer *answer)
{
    struct aws_run run;
    bool refused;
    aws_run_init(&run, call);
    esp_status status = ask_once(session, &run, ask, answer, &refused);
    if (refused && aws_login_is_fixed(&session->login))
        status = aws_because_refused(&run, ask->operation, ask->key, answer);
    else if (refused)
        status = ask_again(session, &run, ask, answer);
    return aws_run_end(&run, status);
}
