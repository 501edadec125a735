#include "http.h"

#include <stdlib.h>
#include <string.h>

#include <esp/json.h>

static void add(struct esp_http_request *r, esp_pair *headers, const char *name, esp_bytes value)
{
    headers[r->header_count++] = (esp_pair){esp_str(name), value};
}

esp_status gcp_http(struct esp_call *call, const struct gcp_http *q, struct esp_http_response *ret)
{
    esp_pair headers[GCP_MAX_HEADERS + 2];
    struct esp_text bearer;
    struct esp_http_request r = {.size = sizeof r,
                                 .timeout_ms = q->timeout_ms,
                                 .method = esp_str(q->method),
                                 .url = q->url,
                                 .body = q->body,
                                 .headers = headers,
                                 .api = esp_str(q->api)};

    esp_text_init(&bearer, GCP_MAX_SMALL);
    for (size_t i = 0; i < q->more_count; i++)
        headers[r.header_count++] = q->more[i];
    if (q->type)
        add(&r, headers, "content-type", esp_str(q->type));
    if (q->bearer.len) {
        esp_text_adds(&bearer, "Bearer ");
        esp_text_add(&bearer, q->bearer);
        add(&r, headers, "authorization", esp_text_bytes(&bearer));
    }
    *ret = (struct esp_http_response){.size = sizeof *ret};
    esp_status status = esp_text_failed(&bearer) ? gcp_no_memory(call) : gcp_host->http(call, &r, ret);
    esp_text_free(&bearer);
    return status;
}

/* ---- verdicts ---- */

/* google.rpc.Code, and the errors of OAuth (RFC 6749, RFC 8693). What is not among them may be
 * anything. */
static const char *const codes[] = {
    "CANCELLED",           "UNKNOWN",
    "INVALID_ARGUMENT",    "DEADLINE_EXCEEDED",
    "NOT_FOUND",           "ALREADY_EXISTS",
    "PERMISSION_DENIED",   "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",  "ABORTED",
    "OUT_OF_RANGE",        "UNIMPLEMENTED",
    "FAILED_PRECONDITION", "INTERNAL",
    "UNAVAILABLE",         "DATA_LOSS",
    "invalid_request",     "invalid_client",
    "invalid_grant",       "unauthorized_client",
    "invalid_scope",       "invalid_target",
    "access_denied",       "unsupported_grant_type",
    "server_error",        "temporarily_unavailable",
};

static const char *read_code(esp_bytes body, const char *path)
{
    const char *code = "";
    struct esp_text found;

    esp_text_init(&found, GCP_MAX_SMALL);
    esp_json_get(body, esp_str(path), ESP_JSON_PATH, &found);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (esp_equal_str(esp_text_bytes(&found), codes[i]))
            code = codes[i];
    esp_text_free(&found);
    return code;
}

/* ErrorInfo.reason: capitals and underscores. Anything else is none. */
static void read_reason(char *ret, size_t size, esp_bytes body)
{
    struct esp_text found;
    bool clean = true;

    *ret = 0;
    esp_text_init(&found, size - 1);
    esp_json_get(body, esp_str("error.details.#.reason|0"), ESP_JSON_PATH, &found);
    for (size_t i = 0; i < found.len; i++)
        clean = clean && (found.ptr[i] == '_' || (found.ptr[i] >= 'A' && found.ptr[i] <= 'Z'));
    if (clean && found.len)
        memcpy(ret, found.ptr, found.len + 1);
    esp_text_free(&found);
}

/* Whether what was not found is the project rather than a secret in it. */
static bool is_about_project(esp_bytes body)
{
    struct esp_text message;

    esp_text_init(&message, GCP_MAX_SMALL);
    bool unknown = esp_json_get(body, esp_str("error.message"), ESP_JSON_PATH, &message) < 0;
    bool yes = unknown || esp_starts_with(esp_text_bytes(&message), esp_str("Project"));
    esp_text_free(&message);
    return yes;
}

#define MAX_RETRY_MS (UINT64_C(3600) * 1000)

/* "12", "12s", "1.5s": seconds; 0 for anything else. */
static uint64_t milliseconds(const char *text)
{
    char *end = NULL;
    double seconds = *text >= '0' && *text <= '9' ? strtod(text, &end) : 0;

    if (!end || (*end && strcmp(end, "s") != 0) || !(seconds > 0))
        return 0;
    return seconds * 1000 > (double)MAX_RETRY_MS ? MAX_RETRY_MS : (uint64_t)(seconds * 1000);
}

/* The header Retry-After, or RetryInfo among the details. */
static uint64_t retry_after(const struct esp_http_response *answer)
{
    struct esp_text text;

    esp_text_init(&text, 64);
    for (size_t i = 0; i < answer->header_count && text.len == 0; i++)
        if (esp_equal_str(answer->headers[i].name, "retry-after"))
            esp_text_add(&text, answer->headers[i].value);
    if (text.len == 0)
        esp_json_get(answer->body, esp_str("error.details.#.retryDelay|0"), ESP_JSON_PATH, &text);
    uint64_t ms = milliseconds(esp_text_str(&text));
    esp_text_free(&text);
    return ms;
}

/* 404 alone is not enough: a proxy says that too. */
static esp_status judge_404(const struct gcp_verdict *v, const struct esp_http_response *answer)
{
    return strcmp(v->code, "NOT_FOUND") == 0 && !is_about_project(answer->body) ? ESP_E_NOT_FOUND
                                                                                : ESP_E_CONFIG;
}

static esp_status judge_status(const struct gcp_verdict *v, const struct esp_http_response *answer)
{
    switch (v->http) {
    case 200:
        return ESP_OK;
    case 401:
    case 403:
        return ESP_E_DENIED;
    case 404:
        return judge_404(v, answer);
    case 408:
    case 409:
    case 429:
        return ESP_E_RETRY;
    default:
        return v->http >= 500 ? ESP_E_RETRY : ESP_E_CONFIG;
    }
}

struct gcp_verdict gcp_judge(const struct esp_http_response *answer)
{
    struct gcp_verdict v = {.http = answer->status, .code = ""};

    if (v.http != 200) {
        v.code = read_code(answer->body, "error.status");
        if (!*v.code)
            v.code = read_code(answer->body, "error");
        read_reason(v.reason, sizeof v.reason, answer->body);
        v.retry_after_ms = retry_after(answer);
    }
    v.status = judge_status(&v, answer);
    return v;
}

bool gcp_is_unfit(const struct gcp_verdict *v)
{
    return strcmp(v->code, "FAILED_PRECONDITION") == 0;
}

/* What somebody can do about a refusal. */
static const char *remedy(const struct gcp_verdict *v)
{
    static const struct {
        const char *code, *text;
    } remedies[] = {
        {"SERVICE_DISABLED", "; enable the API in this project"},
        {"PERMISSION_DENIED", "; grant the account a role for that in this project"},
        {"UNAUTHENTICATED", "; the credential is not accepted"},
        {"RESOURCE_EXHAUSTED", "; the quota is used up"},
        {"FAILED_PRECONDITION", "; is the version disabled or destroyed?"},
        {"invalid_grant", "; the credential was revoked, or is not yet or no longer valid"},
    };
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (strcmp(v->reason, remedies[i].code) == 0 || strcmp(v->code, remedies[i].code) == 0)
            return remedies[i].text;
    return "";
}

void gcp_describe(const struct gcp_verdict *v, const char *what, esp_bytes key, struct esp_text *out)
{
    esp_text_adds(out, what);
    if (key.len)
        esp_text_addf(out, " of %.*s", ESP_ARG(key));
    esp_text_addf(out, ": status %d", v->http);
    if (*v->code)
        esp_text_addf(out, " %s", v->code);
    if (*v->reason)
        esp_text_addf(out, " (%s)", v->reason);
    esp_text_adds(out, remedy(v));
}

esp_status gcp_refuse(struct esp_call *call, const struct gcp_verdict *v, const char *what, esp_bytes key)
{
    struct esp_text why;

    esp_text_init(&why, GCP_MAX_SMALL);
    gcp_describe(v, what, key, &why);
    esp_status status = gcp_host->fail(call, v->status, v->retry_after_ms, esp_text_bytes(&why));
    esp_text_free(&why);
    return status;
}
