/* Logins with an identity of AWS: a signed request for GetCallerIdentity, which Vault sends to AWS to hear
 * who we are. */
#include <esp/codec.h>
#include <esp/json.h>

#include "aws_keys.h"
#include "login.h"

#define URL_MAX 2048
#define HEADERS_MAX 65536
#define ASK "Action=GetCallerIdentity&Version=2011-06-15"
#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define SERVER_ID "X-Vault-AWS-IAM-Server-ID"

static void add_base64(struct esp_text *body, const char *name, esp_bytes value)
{
    struct esp_text text;
    esp_text_init(&text, value.len * 2 + 8);
    esp_base64_add(&text, value);
    if (esp_text_failed(&text))
        body->failed = true;
    vault_add_member(body, name, esp_text_bytes(&text));
    esp_text_free(&text);
}

/* The headers as Vault wants them: a JSON object, in base64. */
static void add_headers(struct esp_text *body, const struct esp_sigv4_signed *sign,
                        const struct esp_sigv4_keys *keys, const esp_pair *own, size_t count)
{
    struct esp_text headers;
    esp_text_init(&headers, HEADERS_MAX);
    esp_text_addc(&headers, '{');
    for (size_t i = 0; i < count; i++)
        vault_add_member(&headers, (const char *)own[i].name.ptr, own[i].value);
    vault_add_member(&headers, "X-Amz-Date", esp_str(sign->date));
    vault_add_member(&headers, "Authorization", esp_text_bytes(&sign->authorization));
    if (keys->token.len)
        vault_add_member(&headers, "X-Amz-Security-Token", keys->token);
    esp_text_addc(&headers, '}');
    if (esp_text_failed(&headers))
        body->failed = true;
    add_base64(body, "iam_request_headers", esp_text_bytes(&headers));
    esp_text_free(&headers);
}

/* Vault replays the request to its own STS endpoint, with the Host that was signed. */
static esp_status sign_and_add(const json_t *iam, struct esp_call *call, const struct esp_sigv4_keys *keys,
                               struct esp_text *body)
{
    const esp_bytes server_id = esp_tree_text(iam, "vaultAwsIamServerID");
    const esp_pair own[] = {{esp_str("Content-Type"), esp_str(FORM)}, {esp_str(SERVER_ID), server_id}};
    const size_t count = server_id.len ? 2 : 1;
    struct esp_sigv4_signed sign = {0};
    struct esp_text url;
    esp_text_init(&url, URL_MAX);
    vault_aws_sts(iam, call, &url);
    const struct esp_sigv4_request request = {
        esp_str("POST"), esp_text_bytes(&url),  esp_str(ASK),   own,
        count,           vault_aws_region(iam), esp_str("sts"), vault_host->now_unix_ms(call)};
    bool good = !esp_text_failed(&url) && esp_sigv4_sign(&request, keys, &sign);
    if (good) {
        vault_add_member(body, "iam_http_request_method", esp_str("POST"));
        add_base64(body, "iam_request_url", esp_text_bytes(&url));
        add_base64(body, "iam_request_body", esp_str(ASK));
        add_headers(body, &sign, keys, own, count);
    }
    esp_sigv4_free(&sign);
    esp_text_free(&url);
    return good ? ESP_OK : vault_no_memory(call);
}

esp_status vault_iam_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    struct vault_aws_keys keys;
    esp_status status = vault_aws_keys_get(s->method_block, call, &keys);
    if (status == ESP_OK) {
        const struct esp_sigv4_keys borrowed = vault_aws_borrow(&keys);
        vault_add_member(body, "role", esp_tree_text(s->method_block, "vaultRole"));
        status = sign_and_add(s->method_block, call, &borrowed, body);
    }
    vault_aws_keys_free(&keys);
    return status;
}
