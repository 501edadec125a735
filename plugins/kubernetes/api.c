#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <esp/codec.h>
#include <esp/json.h>

#define TOKEN_S 3600
#define MAX_PATH ((size_t)8192)

/* ---- tokens of a service account ---- */

/* When the token says that it ends, or after the hour that was asked for. */
static int64_t end_of(struct esp_call *call, esp_bytes token)
{
    struct esp_text claims, end;
    int64_t at_ms = kube_host->now_unix_ms(call) + TOKEN_S * INT64_C(1000);

    esp_text_init(&claims, KUBE_MAX_TOKEN);
    esp_text_init(&end, 32);
    if (esp_jwt_claims(token, &claims) &&
        esp_json_get(esp_text_bytes(&claims), esp_str("exp"), ESP_JSON_PATH, &end) == 1) {
        long long seconds = strtoll(esp_text_str(&end), NULL, 10);
        if (seconds > 0 && seconds < INT64_MAX / 1000)
            at_ms = seconds * 1000;
    }
    esp_text_free(&claims);
    esp_text_free(&end);
    return at_ms;
}

static esp_status ask_for_token(const json_t *account, struct esp_call *call, esp_bytes *ret)
{
    const json_t *list = json_object_get(account, "audiences");
    size_t count = json_array_size(list);
    esp_bytes *audiences = calloc(count ? count : 1, sizeof *audiences);

    if (!audiences)
        return kube_no_memory(call);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        audiences[i] = esp_span(json_string_value(item), json_string_length(item));
    }
    esp_status status = kube_host->sa_token(call, esp_tree_text(account, "namespace"),
                                            esp_tree_text(account, "name"), audiences, count, TOKEN_S, ret);
    free(audiences);
    return status;
}

static esp_status log_in(void *ctx, struct esp_call *call, struct esp_text *token, int64_t *expires_unix_ms,
                         struct esp_text *why)
{
    const json_t *account = ctx;
    esp_bytes name = esp_tree_text(account, "name"), got = {0};
    esp_status status = ask_for_token(account, call, &got);

    if (status == ESP_E_NOT_FOUND) {
        esp_text_addf(why, "cannot create service account token: serviceaccounts \"%.*s\" not found",
                      ESP_ARG(name));
        return ESP_E_CONFIG;
    }
    if (status != ESP_OK)
        return status;
    esp_text_add(token, got);
    *expires_unix_ms = end_of(call, got);
    return ESP_OK;
}

static esp_status add_token(const struct kube_store *store, struct esp_call *call, struct esp_text *token)
{
    if (store->issued)
        return esp_token_get(store->issued, kube_host, call, log_in, store->account, token);
    esp_text_add(token, store->token);
    return esp_text_failed(token) ? kube_no_memory(call) : ESP_OK;
}

esp_status kube_first_token(const struct kube_store *store, struct esp_call *call)
{
    struct esp_text token;

    esp_text_init(&token, KUBE_MAX_TOKEN);
    esp_status status = add_token(store, call, &token);
    esp_text_free(&token);
    return status;
}

/* ---- requests ---- */

static esp_status send(const struct kube_store *store, struct esp_call *call, const struct kube_request *q,
                       const struct esp_text *authorization, struct esp_http_response *ret)
{
    struct esp_text url;
    esp_pair headers[3] = {{esp_str("Accept"), esp_str("application/json")}};
    size_t count = 1;

    if (authorization->len)
        headers[count++] = (esp_pair){esp_str("Authorization"), esp_text_bytes(authorization)};
    if (q->body.len)
        headers[count++] = (esp_pair){esp_str("Content-Type"), esp_str("application/json")};
    esp_text_init(&url, store->url.len + MAX_PATH);
    esp_text_add(&url, esp_text_bytes(&store->url));
    esp_text_add(&url, q->path);
    const struct esp_http_request request = {.size = sizeof request,
                                             .flags = store->insecure ? ESP_HTTP_INSECURE : 0,
                                             .method = esp_str(q->method),
                                             .url = esp_text_bytes(&url),
                                             .body = q->body,
                                             .headers = headers,
                                             .header_count = count,
                                             .ca_pem = store->ca,
                                             .cert_pem = store->cert,
                                             .key_pem = store->key,
                                             .server_name = store->server_name,
                                             .api = esp_str(q->api)};
    *ret = (struct esp_http_response){.size = sizeof *ret};
    esp_status status = esp_text_failed(&url) ? kube_no_memory(call) : kube_host->http(call, &request, ret);
    esp_text_free(&url);
    return status;
}

/* The value of the header Authorization; empty with a client certificate. */
static void add_authorization(const struct kube_store *store, const struct esp_text *token,
                              struct esp_text *out)
{
    if (store->basic.len) {
        esp_text_adds(out, "Basic ");
        esp_text_add(out, store->basic);
    } else if (token->len) {
        esp_text_adds(out, "Bearer ");
        esp_text_add(out, esp_text_bytes(token));
    }
}

static esp_status ask_once(const struct kube_store *store, struct esp_call *call,
                           const struct kube_request *q, struct esp_http_response *ret,
                           struct esp_text *token)
{
    struct esp_text authorization;

    esp_status status = add_token(store, call, token);
    if (status != ESP_OK)
        return status;
    esp_text_init(&authorization, KUBE_MAX_TOKEN + 16);
    add_authorization(store, token, &authorization);
    status =
        esp_text_failed(&authorization) ? kube_no_memory(call) : send(store, call, q, &authorization, ret);
    esp_text_free(&authorization);
    return status;
}

esp_status kube_ask(const struct kube_store *store, struct esp_call *call, const struct kube_request *q,
                    struct esp_http_response *ret)
{
    struct esp_text token;

    esp_text_init(&token, KUBE_MAX_TOKEN);
    esp_status status = ask_once(store, call, q, ret, &token);
    /* Tokens end early when their account is deleted and made again. */
    if (status == ESP_OK && ret->status == 401 && store->issued) {
        esp_token_drop(store->issued, esp_text_bytes(&token));
        esp_text_cut(&token, 0);
        status = ask_once(store, call, q, ret, &token);
    }
    esp_text_free(&token);
    return status;
}

/* ---- refusals ---- */

struct refusal {
    int from, to;
    esp_status status;
    const char *words;
};

/* Our words and not the server's: its messages quote what they refuse. */
static const struct refusal refusals[] = {
    {200, 299, ESP_E_CONFIG, "the answer is no Kubernetes object: is the server's address right?"},
    {300, 399, ESP_E_CONFIG, "the server sends elsewhere, which is not followed: is its address right?"},
    {400, 400, ESP_E_CONFIG, "the API server calls it a bad request"},
    {401, 401, ESP_E_DENIED, "the API server does not accept the credentials: Unauthorized"},
    {403, 403, ESP_E_DENIED, "forbidden: the credentials do not have this right"},
    {404, 404, ESP_E_CONFIG, "not found, and not as a Secret is: is the server's address right?"},
    {409, 409, ESP_E_RETRY, "somebody else changed it meanwhile"},
    {410, 410, ESP_E_RETRY, "the list changed faster than it could be read"},
    {413, 413, ESP_E_CONFIG, "too large"},
    {422, 422, ESP_E_CONFIG, "the API server calls it invalid"},
    {429, 429, ESP_E_RETRY, "the API server has too much to do"},
    {500, 599, ESP_E_RETRY, "the API server failed"},
};

static const struct refusal *refusal_of(int status)
{
    static const struct refusal other = {0, 0, ESP_E_INTERNAL, "an unexpected answer"};

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (status >= refusals[i].from && status <= refusals[i].to)
            return &refusals[i];
    return &other;
}

/* Retry-After in seconds, as API servers send it; 0 without. */
static uint64_t retry_after_ms(const struct esp_http_response *answer)
{
    char text[12];

    for (size_t i = 0; i < answer->header_count; i++) {
        const esp_pair *h = &answer->headers[i];
        if (!esp_equal_str(h->name, "retry-after") || h->value.len >= sizeof text)
            continue;
        memcpy(text, h->value.ptr, h->value.len);
        text[h->value.len] = '\0';
        return strtoull(text, NULL, 10) * 1000;
    }
    return 0;
}

esp_status kube_refused(struct esp_call *call, const struct esp_http_response *answer, const char *what)
{
    const struct refusal *r = refusal_of(answer->status);
    struct esp_text why;

    esp_text_init(&why, 1000);
    esp_text_addf(&why, "cannot %s: %s (status %d)", what, r->words, answer->status);
    esp_status status = kube_host->fail(call, r->status, retry_after_ms(answer), esp_text_bytes(&why));
    esp_text_free(&why);
    return status;
}

bool kube_is_missing(const struct esp_http_response *answer)
{
    struct esp_text kind;

    if (answer->status != 404)
        return false;
    esp_text_init(&kind, 256);
    bool is_status = esp_json_get(answer->body, esp_str("kind"), ESP_JSON_PATH, &kind) == 1 &&
                     esp_equal_str(esp_text_bytes(&kind), "Status");
    esp_text_cut(&kind, 0);
    bool of_secret = esp_json_get(answer->body, esp_str("details.kind"), ESP_JSON_PATH, &kind) == 1 &&
                     esp_equal_str(esp_text_bytes(&kind), "secrets");
    esp_text_free(&kind);
    return is_status && of_secret;
}

/* ---- Secrets ---- */

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool kube_is_name(esp_bytes name)
{
    if (name.len == 0 || name.len > KUBE_MAX_NAME || !is_alnum(name.ptr[0]) ||
        !is_alnum(name.ptr[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
            return false;
    return true;
}

void kube_what(char what[KUBE_WHAT_MAX], const char *verb, esp_bytes name, esp_bytes ns)
{
    snprintf(what, KUBE_WHAT_MAX, "%s secret \"%.*s\" in namespace \"%.*s\"", verb, ESP_ARG(name),
             ESP_ARG(ns));
}

void kube_path(struct esp_text *path, esp_bytes ns, esp_bytes name)
{
    esp_text_adds(path, "/api/v1/namespaces/");
    esp_percent_add(path, ns, NULL);
    esp_text_adds(path, "/secrets");
    if (name.len) {
        esp_text_addc(path, '/');
        esp_percent_add(path, name, NULL);
    }
}

static esp_status take(struct esp_call *call, const struct esp_http_response *answer, const char *what,
                       struct kube_secret *ret)
{
    if (answer->status == 200 && kube_secret_read(ret, answer->body))
        return ESP_OK;
    if (answer->status == 200)
        kube_secret_free(ret);
    return kube_is_missing(answer) ? ESP_E_NOT_FOUND : kube_refused(call, answer, what);
}

esp_status kube_fetch(const struct kube_store *store, struct esp_call *call, esp_bytes ns, esp_bytes name,
                      struct kube_secret *ret)
{
    char what[KUBE_WHAT_MAX];
    struct esp_http_response answer;
    struct esp_text path;

    if (!kube_is_name(name))
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "\"%.*s\" is not the name of a Secret: lower-case letters, digits, - and . make one",
                         ESP_ARG(name));
    esp_text_init(&path, MAX_PATH);
    kube_path(&path, ns, name);
    const struct kube_request request = {"GET", "GetSecret", esp_text_bytes(&path), {0}};
    esp_status status = kube_ask(store, call, &request, &answer);
    esp_text_free(&path);
    if (status != ESP_OK)
        return status;
    kube_what(what, "get", name, ns);
    return take(call, &answer, what, ret);
}
