/* HTTP on behalf of a plugin: what it asks for is checked, bounded by the
 * call's deadline, counted, and the answer stays with the call. */
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/plugin/api_names.h"
#include "core/plugin/authority.h"
#include "core/plugin/host.h"
#include "core/plugin/registry_own.h"
#include "core/wire/tables.h"

#define MAX_METHOD ((size_t)16)
#define MAX_URL ((size_t)64 << 10)
#define MAX_HEADERS ((size_t)200)
#define MAX_HEADER ((size_t)64 << 10)
#define MAX_PEM ((size_t)1 << 20)
#define MAX_SENT ((size_t)16 << 20)
#define MAX_ANSWER ((size_t)16 << 20)
#define MAX_API ((size_t)64)
#define MAX_NAME ((size_t)253)
#define MAX_LOGIN ((size_t)1 << 10)
#if ESP_ABI_MINOR >= 1
#define KNOWN_FLAGS (ESP_HTTP_FOLLOW | ESP_HTTP_INSECURE | ESP_HTTP_NTLM)
#else
#define KNOWN_FLAGS (ESP_HTTP_FOLLOW | ESP_HTTP_INSECURE)
#endif

static esp_status refuse_request(struct esp_call *c, const struct esp_http_request *q,
                                 const struct esp_http_response *a)
{
    if (q->size < ES_HTTP_REQUEST_V1_SIZE || a->size < ES_HTTP_RESPONSE_V1_SIZE)
        return es_call_service_error(
            c, ES_E_INTERNAL, "the %s plugin passed an HTTP request or response struct that is too short",
            c->plugin->name);
    if (q->flags & ~KNOWN_FLAGS)
        return es_call_service_error(c, ES_E_UNSUPPORTED,
                                     "this esod does not know the HTTP flags %#x of the %s plugin",
                                     q->flags & ~KNOWN_FLAGS, c->plugin->name);
    if (q->header_count > MAX_HEADERS)
        return es_call_service_error(c, ES_E_CONFIG, "an HTTP request with more than %zu headers",
                                     MAX_HEADERS);
    if (q->body.len > MAX_SENT)
        return es_call_service_error(c, ES_E_CONFIG, "an HTTP request of more than %zu MiB", MAX_SENT >> 20);
    if (q->ca_pem.len > MAX_PEM || q->cert_pem.len > MAX_PEM || q->key_pem.len > MAX_PEM)
        return es_call_service_error(c, ES_E_CONFIG, "a certificate or key of more than %zu MiB",
                                     MAX_PEM >> 20);
    if (!q->cert_pem.len != !q->key_pem.len)
        return es_call_service_error(c, ES_E_CONFIG,
                                     "a client certificate needs its key, and a key its certificate");
    if (c->answer_bytes >= ES_CALL_MAX_TAKEN)
        return es_call_service_error(c, ES_E_TOO_LARGE, "%s of the %s provider took in more than %zu MiB",
                                     es_op_name(c->op), es_call_provider(c), ES_CALL_MAX_TAKEN >> 20);
    return ESP_OK;
}

/* RFC 9110, section 5.6.2: names of methods and of headers are tokens. */
static bool is_token(const char *s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (const char *p = s; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr(marks, *p)))
            return false;
    return *s != '\0';
}

static esp_status copy_headers(struct esp_call *c, const struct esp_http_request *q,
                               struct es_http_request *ret)
{
    const char *agent = es_registry_services(c->registry)->user_agent;
    struct es_http_header *list = es_arena_alloc(&c->arena, (q->header_count + 1) * sizeof *list);
    bool has_agent = false;

    if (!list)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    for (size_t i = 0; i < q->header_count; i++) {
        list[i].name = es_host_text(c, q->headers[i].name, MAX_NAME, "an HTTP header's name");
        if (!list[i].name)
            return c->service.code;
        if (!is_token(list[i].name))
            return es_call_service_error(c, ES_E_CONFIG, "an HTTP header has a malformed name");
        list[i].value = es_host_text(c, q->headers[i].value, MAX_HEADER, "an HTTP header's value");
        if (!list[i].value)
            return c->service.code;
        has_agent = has_agent || es_strieq(list[i].name, "User-Agent");
    }
    ret->headers = list;
    ret->header_count = q->header_count;
    if (!has_agent && agent)
        list[ret->header_count++] = (struct es_http_header){.name = "User-Agent", .value = agent};
    return ESP_OK;
}

static void list_hosts(struct es_buf *out, const char *const *hosts)
{
    es_buf_init(out, ES_ERROR_TEXT_MAX / 2);
    for (size_t i = 0; hosts[i]; i++)
        es_buf_addf(out, "%s%s", i ? ", " : "", hosts[i]);
    if (!*hosts)
        es_buf_adds(out, "none");
    if (es_buf_failed(out))
        es_buf_fini(out);
}

/* The transport asks, with the host that it will connect to. */
static int allow_host(void *ctx, const char *host, int port, struct es_error *err)
{
    const struct esp_call *c = ctx;
    const char *const *hosts = c->plugin->hosts;
    bool usual = port == 443 || port == 80;
    char at[16];
    struct es_buf list;

    if (es_authority_host(c->who->spec, hosts, host, port))
        return 0;
    list_hosts(&list, hosts);
    snprintf(at, sizeof at, ":%d", port);
    es_error_set(err, ES_E_DENIED,
                 "the %s plugin may not talk to %s%s: its hosts are %s; add it to hosts: of this plugin in "
                 "the configuration",
                 c->plugin->name, host, usual ? "" : at, list.len ? es_buf_str(&list) : "others");
    es_buf_fini(&list);
    return ES_E_DENIED;
}

static const char *pem_text(esp_bytes pem)
{
    return pem.len ? (const char *)pem.ptr : NULL;
}

#if ESP_ABI_MINOR >= 1
static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

/* UTF-8 as Latin-1, in place; false: it has characters that are not in there, or NUL. */
static bool to_latin1(char *text, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len;) {
        uint32_t rune;
        size_t n = es_utf8_decode(text + i, len - i, &rune);
        if (n == 0 || rune == 0 || rune > 0xFF)
            return false;
        text[out++] = (char)rune;
        i += n;
    }
    text[out] = '\0';
    return true;
}

/* libcurl makes each byte a character of the UTF-16 that is hashed. Unlike other texts
 * a password may hold control characters. */
static const char *copy_password(struct esp_call *c, esp_bytes password)
{
    const char *why = password.len > MAX_LOGIN ? "is longer than 1 KiB" : NULL;
    char *copy = why ? NULL : es_arena_dup(&c->arena, password.ptr, password.len);

    if (copy && !to_latin1(copy, password.len))
        why = "holds a character that is not in Latin-1";
    if (why) {
        es_call_service_error(c, ES_E_CONFIG, "a password for NTLM %s", why);
        return NULL;
    }
    const uint8_t *known = copy ? es_arena_dup(&c->arena, password.ptr, password.len) : NULL;
    if (!known || es_call_trust(c, (esp_bytes){known, password.len}) < 0) {
        es_call_service_error(c, ES_E_NOMEM, "out of memory");
        return NULL;
    }
    return copy;
}

static esp_status copy_login(struct esp_call *c, const struct esp_http_request *q,
                             struct es_http_request *ret)
{
    const bool has = ESP_HAS(struct esp_http_request, q, password);
    const esp_bytes username = has ? q->username : (esp_bytes){0};
    const esp_bytes password = has ? q->password : (esp_bytes){0};

    if (!(q->flags & ESP_HTTP_NTLM))
        return username.len || password.len
                   ? es_call_service_error(c, ES_E_INTERNAL,
                                           "the %s plugin passed a login without saying which one it is",
                                           c->plugin->name)
                   : ESP_OK;
    if (!username.len)
        return es_call_service_error(c, ES_E_CONFIG, "a login with NTLM needs a user name");
    if (!es_http_speaks_ntlm())
        return es_call_service_error(c, ES_E_UNSUPPORTED, "the libcurl of this esod has no NTLM");
    ret->ntlm_user = es_host_text(c, username, MAX_LOGIN, "a user name");
    if (ret->ntlm_user && !is_ascii(ret->ntlm_user))
        return es_call_service_error(c, ES_E_CONFIG,
                                     "a user name for NTLM holds a character that is not ASCII");
    ret->ntlm_password = ret->ntlm_user ? copy_password(c, password) : NULL;
    return ret->ntlm_password ? ESP_OK : c->service.code;
}
#endif

static esp_status copy_request(struct esp_call *c, const struct esp_http_request *q,
                               struct es_http_request *ret)
{
    int64_t left = es_call_remaining_ms(c);
    size_t room = ES_CALL_MAX_TAKEN - c->answer_bytes;
    char api[MAX_API + 1];

    ret->method = es_host_text(c, q->method, MAX_METHOD, "an HTTP method");
    ret->url = es_host_text(c, q->url, MAX_URL, "a URL");
    const char *server_name = es_host_text(c, q->server_name, MAX_NAME, "a server's name");
    if (!ret->method || !ret->url || !server_name)
        return c->service.code;
    if (!is_token(ret->method))
        return es_call_service_error(c, ES_E_CONFIG, "an HTTP request without a proper method");
    es_call_clean_text(api, sizeof api, q->api);
    ret->secret = true; /* what comes back may be one, and credentials go out */
    ret->api = es_arena_dup(&c->arena, api, strlen(api));
    if (!ret->api)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    ret->body = q->body.ptr;
    ret->body_len = q->body.len;
    ret->tls = (struct es_http_tls){
        .ca_pem = pem_text(q->ca_pem),
        .ca_len = q->ca_pem.len,
        .cert_pem = pem_text(q->cert_pem),
        .cert_len = q->cert_pem.len,
        .key_pem = pem_text(q->key_pem),
        .key_len = q->key_pem.len,
        .server_name = *server_name ? server_name : NULL,
        .insecure = q->flags & ESP_HTTP_INSECURE,
    };
    ret->timeout_ms = q->timeout_ms && q->timeout_ms < left ? q->timeout_ms : left;
    ret->max_body = q->max_body && q->max_body < MAX_ANSWER ? (size_t)q->max_body : MAX_ANSWER;
    if (ret->max_body > room)
        ret->max_body = room;
    ret->accept_gzip = true;
    ret->follow_redirects =
        (q->flags & ESP_HTTP_FOLLOW) && (es_streq(ret->method, "GET") || es_streq(ret->method, "HEAD"));
    ret->cancelled = c->who->cancelled;
    if (c->plugin->hosts) {
        ret->allow = allow_host;
        ret->allow_ctx = c;
    }
#if ESP_ABI_MINOR >= 1
    esp_status status = copy_login(c, q, ret);
    if (status != ESP_OK)
        return status;
#endif
    return copy_headers(c, q, ret);
}

static esp_status fill_response(struct esp_call *c, const struct es_http_response *got,
                                struct esp_http_response *out)
{
    esp_pair *headers = es_arena_alloc(&c->arena, (got->header_count + 1) * sizeof *headers);

    if (!headers)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    for (size_t i = 0; i < got->header_count; i++) {
        const struct es_http_header *h = &got->headers[i];
        headers[i].name = (esp_bytes){(const uint8_t *)h->name, strlen(h->name)};
        headers[i].value = (esp_bytes){(const uint8_t *)h->value, strlen(h->value)};
    }
    out->status = got->status;
    out->headers = headers;
    out->header_count = got->header_count;
    out->body = (esp_bytes){(const uint8_t *)got->body.ptr, got->body.len};
    return ESP_OK;
}

/* A provider that speaks to several services counts each by itself: "SecretsManager/GetSecretValue" of AWS is
 * the call GetSecretValue of the provider AWS/SecretsManager. */
static void count_call(const struct esp_call *c, const char *api, bool success)
{
    const char *label = c->component && c->component->label ? c->component->label : es_call_provider(c);
    const char *name = es_api_names_bound(c->plugin->api_names, api), *slash = strchr(name, '/');
    char of_service[MAX_NAME + MAX_API + 2];

    if (slash) {
        snprintf(of_service, sizeof of_service, "%s/%.*s", label, (int)(slash - name), name);
        label = of_service;
        name = slash + 1;
    }
    es_metric_add(es_registry_api_calls(c->registry),
                  (const char *const[]){label, name, success ? "success" : "error"}, 1);
}

esp_status es_host_http(struct esp_call *c, const struct esp_http_request *request,
                        struct esp_http_response *response)
{
    struct es_http *transport = es_registry_services(c->registry)->http;
    struct es_http_request own = {0};
    struct es_error err = ES_ERROR_INIT;

    esp_status status = es_host_may_talk(c, "http");
    if (status == ESP_OK)
        status = refuse_request(c, request, response);
    if (status == ESP_OK)
        status = copy_request(c, request, &own);
    if (status != ESP_OK)
        return status;
    if (!transport)
        return es_call_service_error(c, ES_E_UNSUPPORTED, "there is no network here");
    struct es_answer *answer = es_arena_alloc(&c->arena, sizeof *answer);
    if (!answer)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    answer->next = c->answers;
    c->answers = answer;
    int rc = es_http_call(transport, &own, &answer->response, &err);
    count_call(c, own.api, rc == 0 && answer->response.status < 400);
    if (rc < 0)
        return es_call_service_failed(c, &err);
    c->answer_bytes += answer->response.body.len;
    return fill_response(c, &answer->response, response);
}
