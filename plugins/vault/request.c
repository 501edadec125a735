#include "request.h"

#include <string.h>
#include <strings.h>

#include <esp/codec.h>

#include "fields.h"

#define URL_MAX 60000
#define HEADERS_MAX 64
#define INDEX_MAX 4096

/* ---- the state of the replication, as the X-Vault-Index header carries it ---- */

struct state {
    esp_bytes cluster;
    int64_t local, replicated;
};

/* Takes the text up to the next colon off. */
static esp_bytes next_part(esp_bytes *rest)
{
    const uint8_t *colon = rest->len ? memchr(rest->ptr, ':', rest->len) : NULL;
    size_t len = colon ? (size_t)(colon - rest->ptr) : rest->len;
    esp_bytes part = esp_span(rest->ptr, len);
    *rest = esp_span(rest->ptr + (colon ? len + 1 : len), rest->len - (colon ? len + 1 : len));
    return part;
}

/* "v1:cluster:local:replicated:mac", in base64. The text keeps what the state points to. */
static bool decode_state(esp_bytes header, struct esp_text *text, struct state *ret)
{
    esp_text_init(text, INDEX_MAX);
    if (!esp_base64_decode(header, text))
        return false;
    esp_bytes rest = esp_text_bytes(text);
    bool known = esp_equal_str(next_part(&rest), "v1");
    ret->cluster = next_part(&rest);
    ret->local = vault_number(next_part(&rest));
    ret->replicated = vault_number(next_part(&rest));
    return known && ret->cluster.len;
}

/* Answers overtake each other: one of the same cluster that knows less is from before. */
static bool is_older(esp_bytes header, esp_bytes than)
{
    struct esp_text a, b;
    struct state one = {0}, other = {0};
    bool known = decode_state(header, &a, &one);
    known = decode_state(than, &b, &other) && known;
    bool older = known && esp_equal(one.cluster, other.cluster) &&
                 (one.local < other.local || one.replicated < other.replicated);
    esp_text_free(&a);
    esp_text_free(&b);
    return older;
}

static void remember_index(struct vault_store *s, esp_bytes header)
{
    if (!s->tracks_index || header.len == 0 || header.len > INDEX_MAX)
        return;
    pthread_mutex_lock(&s->lock);
    if (!is_older(header, esp_text_bytes(&s->index))) {
        esp_text_cut(&s->index, 0);
        esp_text_add(&s->index, header);
    }
    pthread_mutex_unlock(&s->lock);
}

static void copy_index(struct vault_store *s, struct esp_text *out)
{
    pthread_mutex_lock(&s->lock);
    esp_text_add(out, esp_text_bytes(&s->index));
    pthread_mutex_unlock(&s->lock);
}

/* ---- headers ---- */

struct headers {
    esp_pair items[HEADERS_MAX];
    size_t count;
};

static void add(struct headers *h, const char *name, esp_bytes value)
{
    if (value.len && h->count < HEADERS_MAX)
        h->items[h->count++] = (esp_pair){esp_str(name), value};
}

/* Those of the spec, except for a token beside the one of the login. */
static void add_own(struct headers *h, const json_t *own, bool has_token)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)own, name, value)
        if (!has_token || strcasecmp(name, "X-Vault-Token") != 0)
            add(h, name, esp_span(json_string_value(value), json_string_length(value)));
}

static void fill_headers(struct headers *h, const struct vault_store *s, const struct vault_request *request,
                         esp_bytes index)
{
    h->count = 0;
    add(h, "X-Vault-Request", esp_str("true")); /* agents may insist on it */
    add(h, "X-Vault-Token", request->token);
    add(h, "X-Vault-Namespace", request->is_login ? s->login_namespace : s->namespace);
    add(h, "X-Vault-Index", index);
    if (s->forwards)
        add(h, "X-Vault-Inconsistent", esp_str("forward-active-node"));
    if (request->body.len)
        add(h, "Content-Type", esp_str("application/json"));
    add_own(h, json_object_get(s->spec, "headers"), request->token.len > 0);
}

/* ---- sending ---- */

static esp_bytes header_of(const struct esp_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (esp_equal_str(response->headers[i].name, name))
            return response->headers[i].value;
    return esp_str("");
}

/* Seconds; a date is left to the core's own backoff. */
static uint64_t retry_after_ms(const struct esp_http_response *response)
{
    return (uint64_t)vault_number(header_of(response, "retry-after")) % 3600 * 1000;
}

static esp_status exchange(const struct vault_store *s, struct esp_call *call,
                           const struct vault_request *request, const struct headers *headers, esp_bytes url,
                           struct esp_http_response *response)
{
    const struct esp_http_request q = {.size = sizeof q,
                                       .method = esp_str(request->method),
                                       .url = url,
                                       .body = request->body,
                                       .headers = headers->items,
                                       .header_count = headers->count,
                                       .ca_pem = s->ca_pem,
                                       .cert_pem = s->cert_pem,
                                       .key_pem = s->key_pem,
                                       .api = esp_str(request->api)};
    /* No ESP_HTTP_FOLLOW: a redirect would take the token to another host. */
    return vault_host->http(call, &q, response);
}

static esp_status send_once(struct vault_store *s, struct esp_call *call, const struct vault_request *request,
                            esp_bytes url, struct vault_answer *answer)
{
    struct esp_http_response response = {.size = sizeof response};
    struct headers headers;
    struct esp_text index;
    esp_text_init(&index, INDEX_MAX);
    copy_index(s, &index);
    fill_headers(&headers, s, request, esp_text_bytes(&index));
    esp_status status = exchange(s, call, request, &headers, url, &response);
    if (status == ESP_OK) {
        remember_index(s, header_of(&response, "x-vault-index"));
        *answer = (struct vault_answer){response.status, retry_after_ms(&response), response.body};
    }
    esp_text_free(&index);
    return status;
}

/* No connection, a node that is behind, too much to do, out of order: another try may do. */
static bool may_pass(esp_status status, const struct vault_answer *answer)
{
    if (status != ESP_OK)
        return status == ESP_E_RETRY;
    return answer->status == 412 || answer->status == 429 || (answer->status >= 500 && answer->status != 501);
}

esp_status vault_send(struct vault_store *s, struct esp_call *call, const struct vault_request *request,
                      struct vault_answer *answer)
{
    struct esp_text url;
    esp_status status = ESP_OK;
    esp_text_init(&url, URL_MAX);
    esp_text_add(&url, s->server);
    esp_text_adds(&url, "/v1/");
    esp_text_add(&url, request->path);
    if (esp_text_failed(&url))
        status = vault_no_memory(call);
    for (int left = s->retries; status == ESP_OK; left--) {
        status = send_once(s, call, request, esp_text_bytes(&url), answer);
        if (left == 0 || !may_pass(status, answer) || vault_host->remaining_ms(call) <= s->interval_ms)
            break;
        status = vault_host->wait(call, s->interval_ms);
    }
    esp_text_free(&url);
    return status;
}
