#include "aws_keys.h"

#include <string.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "login.h"

#define KEY_MAX 16384
#define FORM_MAX 65536
#define URL_MAX 2048
#define ROLE_ANNOTATION "eks.amazonaws.com/role-arn"
#define AUDIENCE_ANNOTATION "eks.amazonaws.com/audience"
#define AUDIENCE "sts.amazonaws.com"
#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define API_VERSION "&Version=2011-06-15"
#define SESSION "&RoleSessionName=external-secrets-provider-vault"

/* ---- keys ---- */

static void keys_init(struct vault_aws_keys *keys)
{
    esp_text_init(&keys->id, KEY_MAX);
    esp_text_init(&keys->secret, KEY_MAX);
    esp_text_init(&keys->token, KEY_MAX);
}

void vault_aws_keys_free(struct vault_aws_keys *keys)
{
    esp_text_free(&keys->id);
    esp_text_free(&keys->secret);
    esp_text_free(&keys->token);
}

struct esp_sigv4_keys vault_aws_borrow(const struct vault_aws_keys *keys)
{
    return (struct esp_sigv4_keys){esp_text_bytes(&keys->id), esp_text_bytes(&keys->secret),
                                   esp_text_bytes(&keys->token)};
}

static esp_status keys_complete(struct esp_call *call, const struct vault_aws_keys *keys, const char *from)
{
    if (esp_text_failed(&keys->id) || esp_text_failed(&keys->secret) || esp_text_failed(&keys->token))
        return vault_no_memory(call);
    return keys->id.len && keys->secret.len
               ? ESP_OK
               : esp_failf(vault_host, call, ESP_E_RETRY, "%s: the answer holds no credentials", from);
}

/* ---- where STS is ---- */

esp_bytes vault_aws_region(const json_t *iam)
{
    esp_bytes region = esp_tree_text(iam, "region");
    return region.len ? region : esp_str("us-east-1");
}

/* A variable of the process; empty if it is not set, or not granted. */
static esp_bytes variable(struct esp_call *call, const char *name)
{
    esp_bytes value = {0};
    return vault_host->ambient(call, ESP_AMBIENT_ENV, esp_str(name), &value) == ESP_OK ? value : esp_str("");
}

void vault_aws_sts(const json_t *iam, struct esp_call *call, struct esp_text *url)
{
    const esp_bytes region = vault_aws_region(iam), own = variable(call, "AWS_STS_ENDPOINT");
    if (own.len) {
        esp_text_add(url, own);
        if (own.ptr[own.len - 1] != '/')
            esp_text_addc(url, '/');
    } else if (esp_equal_str(region, "us-east-1")) {
        esp_text_adds(url, "https://sts.amazonaws.com/"); /* what Vault expects unless it is told */
    } else {
        esp_text_addf(url, "https://sts.%.*s.amazonaws.com%s/", ESP_ARG(region),
                      esp_starts_with(region, esp_str("cn-")) ? ".cn" : "");
    }
}

/* ---- asking STS ---- */

/* What is between the tags; STS writes nothing there that would have to be decoded. */
static esp_bytes element(esp_bytes xml, const char *open, const char *close)
{
    const uint8_t *begin = xml.len ? memmem(xml.ptr, xml.len, open, strlen(open)) : NULL;
    if (!begin)
        return esp_str("");
    begin += strlen(open);
    size_t left = xml.len - (size_t)(begin - xml.ptr);
    const uint8_t *end = memmem(begin, left, close, strlen(close));
    return end ? esp_span(begin, (size_t)(end - begin)) : esp_str("");
}

/* Codes are words of the API. */
static bool is_code(esp_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') || (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
              text.ptr[i] == '.'))
            return false;
    return text.len && text.len <= 64;
}

static esp_status refused(struct esp_call *call, const char *what, const struct esp_http_response *answer)
{
    esp_bytes code = element(answer->body, "<Code>", "</Code>");
    bool known = is_code(code), passes = answer->status == 429 || answer->status >= 500 ||
                                         esp_equal_str(code, "Throttling") ||
                                         esp_equal_str(code, "IDPCommunicationError");
    return esp_failf(vault_host, call, passes ? ESP_E_RETRY : ESP_E_DENIED, "AWS refuses %s: status %d%s%.*s",
                     what, (int)answer->status, known ? ": " : "", known ? (int)code.len : 0,
                     (const char *)code.ptr);
}

/* Posts a form, signed unless there are no keys, and takes the credentials of the answer. */
static esp_status ask_sts(const json_t *iam, struct esp_call *call, const char *action, esp_bytes form,
                          const struct vault_aws_keys *keys, struct vault_aws_keys *ret)
{
    struct esp_sigv4_signed sign = {0};
    struct esp_http_response answer = {.size = sizeof answer};
    struct esp_text url;
    esp_text_init(&url, URL_MAX);
    vault_aws_sts(iam, call, &url);
    esp_pair headers[4] = {{esp_str("Content-Type"), esp_str(FORM)}};
    size_t count = 1;
    esp_status status = ESP_OK;
    if (keys) {
        const struct esp_sigv4_keys borrowed = vault_aws_borrow(keys);
        const struct esp_sigv4_request q = {
            esp_str("POST"), esp_text_bytes(&url),         form, headers, 1, vault_aws_region(iam),
            esp_str("sts"),  vault_host->now_unix_ms(call)};
        if (!esp_sigv4_sign(&q, &borrowed, &sign))
            status = vault_no_memory(call);
        headers[count++] = (esp_pair){esp_str("X-Amz-Date"), esp_str(sign.date)};
        headers[count++] = (esp_pair){esp_str("Authorization"), esp_text_bytes(&sign.authorization)};
        if (borrowed.token.len)
            headers[count++] = (esp_pair){esp_str("X-Amz-Security-Token"), borrowed.token};
    }
    const struct esp_http_request request = {.size = sizeof request,
                                             .method = esp_str("POST"),
                                             .url = esp_text_bytes(&url),
                                             .body = form,
                                             .headers = headers,
                                             .header_count = count,
                                             .api = esp_str(action)};
    if (status == ESP_OK)
        status = vault_host->http(call, &request, &answer);
    if (status == ESP_OK && answer.status != 200)
        status = refused(call, action, &answer);
    if (status == ESP_OK) {
        esp_text_add(&ret->id, element(answer.body, "<AccessKeyId>", "</AccessKeyId>"));
        esp_text_add(&ret->secret, element(answer.body, "<SecretAccessKey>", "</SecretAccessKey>"));
        esp_text_add(&ret->token, element(answer.body, "<SessionToken>", "</SessionToken>"));
        status = keys_complete(call, ret, action);
    }
    esp_sigv4_free(&sign);
    esp_text_free(&url);
    return status;
}

static void add_field(struct esp_text *form, const char *name, esp_bytes value)
{
    if (value.len == 0)
        return;
    esp_text_adds(form, name);
    esp_query_add(form, value);
}

static esp_status assume(const json_t *iam, struct esp_call *call, const struct vault_aws_keys *keys,
                         struct vault_aws_keys *ret)
{
    struct esp_text form;
    esp_text_init(&form, FORM_MAX);
    esp_text_adds(&form, "Action=AssumeRole" API_VERSION SESSION);
    add_field(&form, "&RoleArn=", esp_tree_text(iam, "role"));
    add_field(&form, "&ExternalId=", esp_tree_text(iam, "externalID"));
    esp_status status = esp_text_failed(&form)
                            ? vault_no_memory(call)
                            : ask_sts(iam, call, "AssumeRole", esp_text_bytes(&form), keys, ret);
    esp_text_free(&form);
    return status;
}

static esp_status web_identity(const json_t *iam, struct esp_call *call, esp_bytes role, esp_bytes token,
                               struct vault_aws_keys *ret)
{
    struct esp_text form;
    esp_text_init(&form, FORM_MAX);
    esp_text_adds(&form, "Action=AssumeRoleWithWebIdentity" API_VERSION SESSION);
    add_field(&form, "&RoleArn=", role);
    add_field(&form, "&WebIdentityToken=", vault_trimmed(token));
    esp_status status = esp_text_failed(&form) ? vault_no_memory(call)
                                               : ask_sts(iam, call, "AssumeRoleWithWebIdentity",
                                                         esp_text_bytes(&form), NULL, ret);
    esp_text_free(&form);
    return status;
}

/* ---- the three sources ---- */

static esp_status add_secret(struct esp_call *call, const json_t *ref, const char *where,
                             struct esp_text *out)
{
    esp_bytes value = {0};
    esp_status status = vault_secret(call, ref, where, NULL, &value);
    esp_text_add(out, vault_trimmed(value));
    return status;
}

static esp_status from_secrets(const json_t *refs, struct esp_call *call, struct vault_aws_keys *ret)
{
    const json_t *token = json_object_get(refs, "sessionTokenSecretRef");
    esp_status status = add_secret(call, json_object_get(refs, "accessKeyIDSecretRef"),
                                   "auth.iam.secretRef.accessKeyIDSecretRef", &ret->id);
    if (status == ESP_OK)
        status = add_secret(call, json_object_get(refs, "secretAccessKeySecretRef"),
                            "auth.iam.secretRef.secretAccessKeySecretRef", &ret->secret);
    if (status == ESP_OK && json_is_object(token))
        status = add_secret(call, token, "auth.iam.secretRef.sessionTokenSecretRef", &ret->token);
    return status == ESP_OK ? keys_complete(call, ret, "auth.iam.secretRef") : status;
}

static esp_status from_account(const json_t *iam, struct esp_call *call, const json_t *ref,
                               struct vault_aws_keys *ret)
{
    esp_bytes object = {0}, token = {0};
    esp_status status = vault_host->kube_read(call, ESP_KUBE_SERVICE_ACCOUNT, esp_tree_text(ref, "namespace"),
                                              esp_tree_text(ref, "name"), esp_str(""), &object);
    if (status != ESP_OK)
        return status;
    json_t *account = esp_tree_read(object);
    if (!account)
        return vault_no_memory(call);
    const json_t *notes = json_object_get(json_object_get(account, "metadata"), "annotations");
    esp_bytes role = esp_tree_text(notes, ROLE_ANNOTATION),
              audience = esp_tree_text(notes, AUDIENCE_ANNOTATION);
    if (role.len == 0)
        status = esp_failf(
            vault_host, call, ESP_E_CONFIG,
            "an IAM role must be associated with service account %.*s: it has no annotation " ROLE_ANNOTATION,
            ESP_ARG(esp_tree_text(ref, "name")));
    if (status == ESP_OK)
        status = vault_account_token(call, ref, audience.len ? audience : esp_str(AUDIENCE), NULL, 0, &token);
    if (status == ESP_OK)
        status = web_identity(iam, call, role, token, ret);
    json_decref(account);
    return status;
}

/* EKS Pod Identity: an agent on the node has the keys. */
static esp_status from_agent(struct esp_call *call, esp_bytes url, struct vault_aws_keys *ret)
{
    esp_bytes token = {0};
    esp_status status = vault_host->ambient(call, ESP_AMBIENT_FILE,
                                            esp_str("$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), &token);
    if (status != ESP_OK)
        return status;
    const esp_pair headers[] = {{esp_str("Authorization"), vault_trimmed(token)}};
    const struct esp_http_request request = {.size = sizeof request,
                                             .method = esp_str("GET"),
                                             .url = url,
                                             .headers = headers,
                                             .header_count = 1,
                                             .api = esp_str("PodIdentity")};
    struct esp_http_response answer = {.size = sizeof answer};
    status = vault_host->http(call, &request, &answer);
    if (status == ESP_OK && answer.status != 200)
        return esp_failf(vault_host, call, answer.status >= 500 ? ESP_E_RETRY : ESP_E_DENIED,
                         "the agent of EKS Pod Identity refuses credentials: status %d", (int)answer.status);
    if (status != ESP_OK)
        return status;
    esp_json_get(answer.body, esp_str("AccessKeyId"), ESP_JSON_PATH, &ret->id);
    esp_json_get(answer.body, esp_str("SecretAccessKey"), ESP_JSON_PATH, &ret->secret);
    esp_json_get(answer.body, esp_str("Token"), ESP_JSON_PATH, &ret->token);
    return keys_complete(call, ret, "the agent of EKS Pod Identity");
}

/* What EKS has put into esod's own pod. */
static esp_status from_pod(const json_t *iam, struct esp_call *call, struct vault_aws_keys *ret)
{
    esp_bytes token = {0}, role = {0}, url = {0};
    esp_status status =
        vault_host->ambient(call, ESP_AMBIENT_FILE, esp_str("$AWS_WEB_IDENTITY_TOKEN_FILE"), &token);
    if (status == ESP_OK)
        status = vault_host->ambient(call, ESP_AMBIENT_ENV, esp_str("AWS_ROLE_ARN"), &role);
    if (status == ESP_OK)
        return web_identity(iam, call, role, token, ret);
    if (status != ESP_E_NOT_FOUND)
        return status;
    status = vault_host->ambient(call, ESP_AMBIENT_ENV, esp_str("AWS_CONTAINER_CREDENTIALS_FULL_URI"), &url);
    if (status == ESP_E_NOT_FOUND)
        return esp_failf(vault_host, call, ESP_E_CONFIG,
                         "no AWS authentication method found: expected either IRSA or Pod Identity");
    return status == ESP_OK ? from_agent(call, url, ret) : status;
}

esp_status vault_aws_keys_get(const json_t *iam, struct esp_call *call, struct vault_aws_keys *ret)
{
    const json_t *jwt = json_object_get(iam, "jwt"), *secrets = json_object_get(iam, "secretRef");
    struct vault_aws_keys first;
    esp_status status;
    keys_init(ret);
    keys_init(&first);
    bool assumes = esp_tree_text(iam, "role").len > 0;
    struct vault_aws_keys *own = assumes ? &first : ret;
    if (json_is_object(jwt))
        status = from_account(iam, call, json_object_get(jwt, "serviceAccountRef"), own);
    else if (json_is_object(secrets))
        status = from_secrets(secrets, call, own);
    else
        status = from_pod(iam, call, own);
    if (status == ESP_OK && assumes)
        status = assume(iam, call, &first, ret);
    vault_aws_keys_free(&first);
    return status;
}
