#include "fail.h"

#include <string.h>

#include "exchange.h"
#include "text.h"

/* ---- meaning ---- */

/* Codes with what becomes of them; what is not here is judged by the HTTP status. */
static const struct meaning {
    const char *code;
    esp_status status;
    bool creds;       /* it is the credentials themselves */
    const char *hint; /* what to do, or NULL */
} meanings[] = {
    {"AccessDenied", ESP_E_DENIED, false, NULL},
    {"AccessDeniedException", ESP_E_DENIED, false, NULL},
    {"DecryptionFailure", ESP_E_DENIED, false, "may these credentials use the KMS key?"},
    {"EncryptionFailure", ESP_E_DENIED, false, "may these credentials use the KMS key?"},
    {"ExpiredToken", ESP_E_DENIED, true, "the credentials have expired"},
    {"ExpiredTokenException", ESP_E_DENIED, true, "the credentials have expired"},
    {"IncompleteSignature", ESP_E_DENIED, false, "something between esod and AWS changes requests"},
    {"InvalidAccessKeyId", ESP_E_DENIED, true, "AWS does not know this access key"},
    {"InvalidClientTokenId", ESP_E_DENIED, true, "AWS does not know this access key or session token"},
    {"InvalidIdentityToken", ESP_E_DENIED, false,
     "does IAM have an identity provider for the cluster's issuer, with this audience?"},
    {"InvalidKeyId", ESP_E_CONFIG, false, "is there such a KMS key in this region?"},
    {"InvalidParameterException", ESP_E_CONFIG, false, NULL},
    {"InvalidParameterValue", ESP_E_CONFIG, false, NULL},
    {"InvalidSignatureException", ESP_E_DENIED, false,
     "the secret access key does not belong to the access key, or the clocks differ"},
    {"MissingAuthenticationToken", ESP_E_DENIED, false, NULL},
    {"OptInRequired", ESP_E_DENIED, false, "the account has not enabled this service or region"},
    {"PackedPolicyTooLarge", ESP_E_CONFIG, false, "there are too many session tags"},
    {"RegionDisabledException", ESP_E_DENIED, false, "the account has STS switched off in this region"},
    {"RequestExpired", ESP_E_DENIED, false, "is the clock of esod's machine right?"},
    {"SignatureDoesNotMatch", ESP_E_DENIED, false,
     "the secret access key does not belong to the access key, or the clocks differ"},
    {"UnrecognizedClientException", ESP_E_DENIED, true, "AWS does not know this access key or session token"},
    {"ValidationError", ESP_E_CONFIG, false, NULL},
    {"ValidationException", ESP_E_CONFIG, false, NULL},
};

static const struct meaning *meaning_of(const char *code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(meanings[i].code, code) == 0)
            return &meanings[i];
    return NULL;
}

bool aws_refuses_creds(const struct aws_answer *answer)
{
    const struct meaning *m = meaning_of(answer->code);
    return m && m->creds;
}

/* An error that we have no meaning for may be gone tomorrow without an edit: the secret was changed, a quota
 * raised. */
static esp_status status_of(const struct meaning *m, const struct aws_answer *answer)
{
    if (m)
        return m->status;
    return answer->status == 401 || answer->status == 403 ? ESP_E_DENIED : ESP_E_RETRY;
}

/* ---- who lacks which right ---- */

static bool plain(char c, const char *marks)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(marks, c));
}

/* The word behind `before`, as far as it has the letters of a name. */
static esp_bytes word_after(const char *message, const char *before, const char *marks)
{
    const char *at = strstr(message, before);
    size_t len = 0;
    if (!at)
        return esp_str("");
    at += strlen(before);
    while (plain(at[len], marks))
        len++;
    return esp_span(at, len);
}

/* AWS tells it in a sentence: "User: arn:... is not authorized to perform: ssm:GetParameter on resource:
 * ...". The two names in it are what an administrator needs; the sentence may quote more, so it is not passed
 * on. */
static void add_lacking(const struct aws_answer *answer, struct esp_text *out)
{
    esp_bytes who = word_after(answer->message, "User: ", ":/_+=,.@-");
    esp_bytes what = word_after(answer->message, "to perform: ", ":-*");
    if (esp_starts_with(who, esp_str("arn:")) && what.len)
        esp_text_addf(out, ": %.*s may not %.*s", ESP_ARG(who), ESP_ARG(what));
}

esp_status aws_because_refused(struct aws_run *run, const char *operation, esp_bytes key,
                               const struct aws_answer *answer)
{
    const struct meaning *m = meaning_of(answer->code);
    struct esp_text text;
    esp_text_init(&text, 1000);
    aws_add_subject(operation, key, &text);
    esp_text_addf(&text, ": AWS answers %s (status %d)", answer->code, answer->status);
    if (m && m->hint)
        esp_text_addf(&text, ": %s", m->hint);
    else
        add_lacking(answer, &text);
    run->retry_after_ms = answer->retry_after_ms;
    esp_status status = aws_because(run, status_of(m, answer), "%s", esp_text_str(&text));
    esp_text_free(&text);
    return status;
}

esp_status aws_fail(struct esp_call *call, const struct aws_ask *ask, const struct aws_answer *answer)
{
    struct aws_run run;
    aws_run_init(&run, call);
    return aws_run_end(&run, aws_because_refused(&run, ask->operation, ask->key, answer));
}
