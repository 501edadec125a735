#include "metadata.h"

#include <string.h>

#include <esp/json.h>

#include "ambient.h"
#include "session.h"
#include "text.h"

#define CONTAINER_MS 5000 /* the platform's agent is on the same machine, but may have to ask AWS */
#define INSTANCE_MS 1000  /* a machine that is none of AWS's must not hold anybody up */
#define MAX_ANSWER ((uint64_t)64 << 10)

/* ---- one small request ---- */

static esp_status fetch(struct aws_run *run, const char *method, esp_bytes url, uint32_t timeout_ms,
                        const esp_pair *header, struct esp_http_response *response)
{
    const struct esp_http_request request = {
        .size = sizeof request,
        .timeout_ms = timeout_ms,
        .max_body = MAX_ANSWER,
        .method = esp_str(method),
        .url = url,
        .headers = header,
        .header_count = header ? 1 : 0,
        .api = esp_str("GetCredentials"),
    };
    *response = (struct esp_http_response){.size = sizeof *response};
    return aws_host->http(run->call, &request, response);
}

/* ---- the document ---- */

static bool member(esp_bytes json, const char *name, struct esp_text *out)
{
    esp_text_init(out, (size_t)16 << 10);
    return esp_json_get(json, esp_str(name), ESP_JSON_PATH, out) == 1;
}

/* {"AccessKeyId": "", "SecretAccessKey": "", "Token": "", "Expiration": "2026-03-01T12:00:00Z"} */
static bool read_creds(esp_bytes json, struct aws_creds *ret)
{
    struct esp_text id, secret, token, expires;
    bool ok = esp_json_check(json, NULL);
    ok = member(json, "AccessKeyId", &id) && ok;
    ok = member(json, "SecretAccessKey", &secret) && ok;
    ok = member(json, "Token", &token) && ok;
    ok = member(json, "Expiration", &expires) && ok;
    ok = ok && aws_creds_set(ret, esp_text_bytes(&id), esp_text_bytes(&secret), esp_text_bytes(&token)) &&
         aws_time(esp_text_bytes(&expires), &ret->expires_unix_ms);
    esp_text_free(&id);
    esp_text_free(&secret);
    esp_text_free(&token);
    esp_text_free(&expires);
    return ok;
}

static esp_status take(struct aws_run *run, const char *who, const struct esp_http_response *response,
                       struct aws_creds *ret)
{
    if (response->status != 200)
        return aws_because(run,
                           response->status == 429 || response->status >= 500 ? ESP_E_RETRY : ESP_E_DENIED,
                           "%s answers with status %d instead of credentials", who, response->status);
    if (!read_creds(response->body, ret))
        return aws_because(run, ESP_E_RETRY, "%s answers with something that holds no credentials", who);
    return ESP_OK;
}

/* ---- containers ---- */

static bool host_is(esp_bytes host, const char *name)
{
    return esp_equal_str(host, name);
}

/* Over plain HTTP a token may go to this machine and to the two addresses that AWS has agents at; anywhere
 * else somebody could read it. */
static bool is_near(esp_bytes url)
{
    if (!esp_starts_with(url, esp_str("http://")))
        return esp_starts_with(url, esp_str("https://"));
    esp_bytes rest = esp_span(url.ptr + 7, url.len - 7);
    bool bracket = rest.len && rest.ptr[0] == '[';
    size_t len = 0;
    while (len < rest.len && !strchr(bracket ? "]/?#" : ":/?#", rest.ptr[len]))
        len++;
    esp_bytes host = esp_span(rest.ptr, len + (bracket && len < rest.len ? 1 : 0));
    return host_is(host, "127.0.0.1") || host_is(host, "localhost") || host_is(host, "[::1]") ||
           host_is(host, "169.254.170.2") || host_is(host, "169.254.170.23") ||
           host_is(host, "[fd00:ec2::23]");
}

static esp_status container_url(struct aws_run *run, struct esp_text *url)
{
    esp_bytes value;
    esp_text_init(url, 4096);
    if (aws_env(run->call, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", &value)) {
        esp_text_adds(url, "http://169.254.170.2");
        esp_text_add(url, value);
        return ESP_OK;
    }
    if (!aws_env(run->call, "AWS_CONTAINER_CREDENTIALS_FULL_URI", &value))
        return ESP_E_NOT_FOUND;
    if (!is_near(value))
        return aws_because(
            run, ESP_E_CONFIG,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither an https URL nor one of this machine");
    esp_text_add(url, value);
    return ESP_OK;
}

/* The file counts more, since its token is renewed. Neither is fine: ECS has no token. */
static esp_status container_token(struct aws_run *run, esp_bytes *token)
{
    *token = esp_str("");
    esp_status status = aws_env_file(run->call, "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
    if (status == ESP_E_NOT_FOUND) {
        (void)aws_env(run->call, "AWS_CONTAINER_AUTHORIZATION_TOKEN", token);
        status = ESP_OK;
    }
    *token = aws_trim(*token);
    return status;
}

esp_status aws_container(struct aws_run *run, struct aws_creds *ret)
{
    struct esp_http_response response;
    struct esp_text url;
    esp_bytes token;
    esp_status status = container_url(run, &url);
    if (status == ESP_OK && esp_text_failed(&url))
        status = aws_because(run, ESP_E_INTERNAL, "out of memory");
    if (status == ESP_OK)
        status = container_token(run, &token);
    if (status == ESP_OK) {
        const esp_pair authorization = {esp_str("Authorization"), token};
        status = fetch(run, "GET", esp_text_bytes(&url), CONTAINER_MS, token.len ? &authorization : NULL,
                       &response);
    }
    if (status == ESP_OK)
        status = take(run, "the container's credentials endpoint", &response, ret);
    esp_text_free(&url);
    return status;
}

/* ---- instances ---- */

static void instance_base(struct aws_run *run, struct esp_text *url)
{
    esp_bytes value;
    esp_text_init(url, 4096);
    if (aws_env(run->call, "AWS_EC2_METADATA_SERVICE_ENDPOINT", &value)) {
        esp_text_add(url, value);
        if (value.ptr[value.len - 1] == '/')
            esp_text_cut(url, url->len - 1);
        return;
    }
    bool ipv6 =
        aws_env(run->call, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", &value) && esp_equal_str(value, "IPv6");
    esp_text_adds(url, ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
}

/* A service that is not there is the end of the chain, and no trouble of its own. */
static esp_status ask_instance(struct aws_run *run, const char *method, struct esp_text *url, size_t base,
                               const char *path, esp_bytes name, const esp_pair *header,
                               struct esp_http_response *response)
{
    esp_text_cut(url, base);
    esp_text_adds(url, path);
    esp_text_add(url, name);
    if (esp_text_failed(url))
        return aws_because(run, ESP_E_INTERNAL, "out of memory");
    esp_status status = fetch(run, method, esp_text_bytes(url), INSTANCE_MS, header, response);
    bool absent =
        status == ESP_OK ? response->status == 404 : status == ESP_E_RETRY || status == ESP_E_CANCELLED;
    return absent && aws_host->remaining_ms(run->call) > 0 ? ESP_E_NOT_FOUND : status;
}

static esp_status role_of_instance(struct aws_run *run, struct esp_text *url, struct aws_creds *ret)
{
    static const char where[] = "/latest/meta-data/iam/security-credentials/";
    static const char who[] = "the instance metadata service";
    const esp_pair life = {esp_str("X-aws-ec2-metadata-token-ttl-seconds"), esp_str("300")};
    struct esp_http_response token, role, creds;
    size_t base = url->len;
    esp_status status = ask_instance(run, "PUT", url, base, "/latest/api/token", esp_str(""), &life, &token);
    if (status == ESP_OK && token.status != 200)
        return take(run, who, &token, ret);
    if (status != ESP_OK)
        return status;
    const esp_pair session = {esp_str("X-aws-ec2-metadata-token"), aws_trim(token.body)};
    status = ask_instance(run, "GET", url, base, where, esp_str(""), &session, &role);
    if (status == ESP_OK && role.status != 200)
        return take(run, who, &role, ret);
    if (status == ESP_OK)
        status = ask_instance(run, "GET", url, base, where, aws_trim(role.body), &session, &creds);
    return status == ESP_OK ? take(run, who, &creds, ret) : status;
}

esp_status aws_instance(struct aws_run *run, struct aws_creds *ret)
{
    struct esp_text url;
    if (aws_env_true(run->call, "AWS_EC2_METADATA_DISABLED"))
        return ESP_E_NOT_FOUND;
    instance_base(run, &url);
    esp_status status = role_of_instance(run, &url, ret);
    esp_text_free(&url);
    return status;
}
