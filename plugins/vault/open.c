#include <stdlib.h>
#include <string.h>

#include <esp/duration.h>

#include "login.h"
#include "session.h"

#define INDEX_MAX 8192
#define SENTENCE_MAX 1000
#define RETRY_MS 1000
#define RETRIES_MAX 100

const struct esp_host *vault_host;

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

esp_bytes vault_trimmed(esp_bytes text)
{
    while (text.len && is_space(text.ptr[text.len - 1]))
        text.len--;
    while (text.len && is_space(text.ptr[0]))
        text = esp_span(text.ptr + 1, text.len - 1);
    return text;
}

esp_status vault_no_memory(struct esp_call *call)
{
    return esp_failf(vault_host, call, ESP_E_INTERNAL, "out of memory");
}

/* ---- closing ---- */

static void store_free(struct vault_store *s)
{
    esp_token_free(s->token);
    esp_dup_free(s->cert_pem);
    esp_dup_free(s->key_pem);
    esp_text_free(&s->index);
    esp_text_free(&s->refusal);
    pthread_mutex_destroy(&s->lock);
    json_decref(s->request);
    free(s);
}

void vault_close(void *instance, struct esp_call *call)
{
    struct vault_store *s = instance;
    vault_session_end(s, call);
    store_free(s);
}

/* ---- opening ---- */

static esp_bytes without_slashes(esp_bytes text)
{
    text = vault_trimmed(text);
    while (text.len && text.ptr[text.len - 1] == '/')
        text.len--;
    while (text.len && text.ptr[0] == '/')
        text = esp_span(text.ptr + 1, text.len - 1);
    return text;
}

static void read_spec(struct vault_store *s)
{
    const json_t *spec = json_object_get(s->request, "spec"), *auth = json_object_get(spec, "auth");
    bool reads_own = json_is_true(json_object_get(spec, "readYourWrites"));
    bool forwards = json_is_true(json_object_get(spec, "forwardInconsistent"));
    s->spec = spec;
    s->server = without_slashes(esp_tree_text(spec, "server"));
    s->mount = without_slashes(esp_tree_text(spec, "path"));
    if (s->is_bao && s->mount.len == 0)
        s->mount = esp_str("kv");
    s->is_v2 = !esp_equal_str(esp_tree_text(spec, "version"), "v1");
    s->needs_cas = json_is_true(json_object_get(json_object_get(spec, "checkAndSet"), "required"));
    s->tracks_index = reads_own || forwards;
    s->forwards = reads_own && forwards;
    s->namespace = esp_tree_text(spec, "namespace");
    s->login_namespace = json_object_get(auth, "namespace") ? esp_tree_text(auth, "namespace") : s->namespace;
    s->ca_pem = esp_tree_text(s->request, "caBundle");
    s->method = vault_method_of(auth, s->is_bao, &s->method_block);
}

/* Without settings, and without a number in them, only the core tries again. */
static void read_retries(struct vault_store *s)
{
    const json_t *settings = json_object_get(s->request, "retrySettings");
    json_int_t retries = json_integer_value(json_object_get(settings, "maxRetries"));
    int64_t interval_ms = RETRY_MS;
    (void)esp_duration_ms(esp_tree_text(settings, "retryInterval"), &interval_ms);
    s->retries = retries < 0 ? 0 : retries > RETRIES_MAX ? RETRIES_MAX : (int)retries;
    s->interval_ms = (uint32_t)interval_ms;
}

static esp_status copy_secret(struct esp_call *call, const json_t *ref, const char *where, const char *key,
                              esp_bytes *ret)
{
    esp_bytes value = {0};
    esp_status status = vault_secret(call, ref, where, key, &value);
    if (status != ESP_OK)
        return status;
    *ret = esp_dup(value);
    return ret->ptr ? ESP_OK : vault_no_memory(call);
}

/* The certificate that the connection is made with: that of the login by certificate, or tls. */
static esp_status read_certificate(struct vault_store *s, struct esp_call *call)
{
    const json_t *tls = json_object_get(s->spec, "tls");
    const json_t *cert = json_object_get(tls, "certSecretRef"), *key = json_object_get(tls, "keySecretRef");
    const char *cert_place = "tls.certSecretRef", *key_place = "tls.keySecretRef";
    if (s->method && strcmp(vault_method_name(s->method), "cert") == 0) {
        cert = json_object_get(s->method_block, "clientCert");
        key = json_object_get(s->method_block, "secretRef");
        cert_place = "auth.cert.clientCert";
        key_place = "auth.cert.secretRef";
    } else if (!cert && !key) {
        return ESP_OK;
    }
    esp_status status = copy_secret(call, cert, cert_place, "tls.crt", &s->cert_pem);
    return status == ESP_OK ? copy_secret(call, key, key_place, "tls.key", &s->key_pem) : status;
}

static esp_status fill(struct vault_store *s, struct esp_call *call, const struct esp_request *req)
{
    s->request = esp_tree_read(req->json);
    s->token = esp_token_new();
    if (!s->request || !s->token)
        return vault_no_memory(call);
    read_spec(s);
    esp_status status = vault_check(call, s->request, s->is_bao);
    read_retries(s);
    if (status == ESP_OK)
        status = read_certificate(s, call);
    return status == ESP_OK ? vault_session_begin(s, call) : status;
}

esp_status vault_open(struct esp_call *call, const struct esp_request *req, bool is_bao, void **instance)
{
    struct vault_store *s = calloc(1, sizeof *s);
    if (!s)
        return vault_no_memory(call);
    s->is_bao = is_bao;
    pthread_mutex_init(&s->lock, NULL);
    esp_text_init(&s->index, INDEX_MAX);
    esp_text_init(&s->refusal, SENTENCE_MAX);
    esp_status status = fill(s, call, req);
    if (status == ESP_OK)
        *instance = s;
    else
        store_free(s);
    return status;
}
