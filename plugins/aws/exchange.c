#include "exchange.h"

#include "answer.h"

void aws_add_subject(const char *operation, esp_bytes key, struct esp_text *out)
{
    esp_text_adds(out, operation);
    if (key.len)
        esp_text_addf(out, " of %.*s", ESP_ARG(key));
}

/* ---- once ---- */

/* The services as metrics have always named them. */
static const char *metric_of(const char *service)
{
    static const char *const names[][2] = {{"secretsmanager", "SecretsManager"},
                                           {"ssm", "ParameterStore"},
                                           {"acm", "CertificateManager"},
                                           {"tagging", "CertificateManager"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (esp_equal_str(esp_str(service), names[i][0]))
            return names[i][1];
    return "STS";
}

static esp_status post_with(struct esp_call *call, const struct aws_post *post, const esp_pair *headers,
                            size_t count, struct esp_http_response *response)
{
    struct esp_text api;
    esp_text_init(&api, 200);
    esp_text_addf(&api, "%s/%s", metric_of(post->service), post->operation);
    const struct esp_http_request request = {
        .size = sizeof request,
        .method = esp_str("POST"),
        .url = post->url,
        .body = post->body,
        .headers = headers,
        .header_count = count,
        .api = esp_text_bytes(&api),
    };
    *response = (struct esp_http_response){.size = sizeof *response};
    esp_status status = aws_host->http(call, &request, response);
    esp_text_free(&api);
    return status;
}

/* Signed anew for each attempt: the time is part of the signature. */
static esp_status post_signed(struct esp_call *call, const struct aws_post *post,
                              const struct esp_sigv4_keys *keys, struct esp_http_response *response)
{
    esp_pair headers[AWS_MAX_HEADERS + 3];
    struct esp_sigv4_signed made = {0};
    const struct esp_sigv4_request request = {
        .method = esp_str("POST"),
        .url = post->url,
        .body = post->body,
        .headers = post->headers,
        .header_count = post->header_count,
        .region = post->region,
        .service = esp_str(post->service),
        .now_unix_ms = aws_host->now_unix_ms(call),
    };
    if (!esp_sigv4_sign(&request, keys, &made))
        return aws_no_memory(call);
    size_t count = 0;
    while (count < post->header_count) {
        headers[count] = post->headers[count];
        count++;
    }
    headers[count++] = (esp_pair){esp_str("X-Amz-Date"), esp_str(made.date)};
    if (keys->token.len)
        headers[count++] = (esp_pair){esp_str("X-Amz-Security-Token"), keys->token};
    headers[count++] = (esp_pair){esp_str("Authorization"), esp_text_bytes(&made.authorization)};
    esp_status status = post_with(call, post, headers, count, response);
    esp_sigv4_free(&made);
    return status;
}

static esp_status post_once(struct esp_call *call, const struct aws_post *post,
                            const struct esp_sigv4_keys *keys, struct aws_answer *answer)
{
    struct esp_http_response response;
    esp_status status = keys ? post_signed(call, post, keys, &response)
                             : post_with(call, post, post->headers, post->header_count, &response);
    if (status == ESP_OK)
        aws_answer_read(&response, answer);
    return status;
}

/* ---- until it is enough ---- */

static bool settled(const struct aws_answer *answer)
{
    return answer->status == 200 || (answer->code[0] && !aws_retry_passes(answer->status, answer->code));
}

/* The last attempt's trouble. A lost connection has been explained by the transport. */
static esp_status give_up(struct aws_run *run, const struct aws_post *post, const struct aws_answer *answer,
                          unsigned attempts)
{
    struct esp_text subject;
    const char *times = attempts == 1 ? "once" : attempts == 2 ? "twice" : "several times";
    esp_text_init(&subject, 1000);
    aws_add_subject(post->operation, post->key, &subject);
    esp_status status =
        answer->code[0]
            ? aws_because(run, ESP_E_RETRY, "%s: AWS answers %s (status %d), asked %s",
                          esp_text_str(&subject), answer->code, answer->status, times)
            : aws_because(
                  run, ESP_E_RETRY,
                  "%s: status %d without an error code of AWS, asked %s; is the endpoint one of AWS's?",
                  esp_text_str(&subject), answer->status, times);
    run->retry_after_ms = answer->retry_after_ms;
    esp_text_free(&subject);
    return status;
}

esp_status aws_exchange(struct aws_run *run, const struct aws_retry *retry, const struct aws_post *post,
                        const struct esp_sigv4_keys *keys, struct aws_answer *answer)
{
    for (unsigned attempt = 1;; attempt++) {
        *answer = (struct aws_answer){0};
        esp_status sent = post_once(run->call, post, keys, answer);
        if (sent == ESP_OK && settled(answer))
            return ESP_OK;
        if (sent != ESP_OK && sent != ESP_E_RETRY)
            return sent;
        esp_status wait = aws_retry_wait(retry, run->call, attempt, answer->retry_after_ms);
        if (wait == ESP_OK)
            continue;
        if (sent != ESP_OK || wait != ESP_E_RETRY)
            return sent != ESP_OK ? sent : wait;
        return give_up(run, post, answer, attempt);
    }
}
