#include "core/plugin/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/authority.h"
#include "esp/json.h"
#include "esp/text.h"

#define MAX_NAME ((size_t)253)
#define MAX_AUDIENCE ((size_t)1024)
#define MAX_AUDIENCES ((size_t)16)
#define MAX_LOG_LINE ((size_t)4096)
#define MAX_TEMPLATE ((size_t)1 << 20)
#define LOOK_MS 50 /* how soon one who waits notices that he is cancelled */

/* TokenRequest refuses anything shorter than ten minutes. */
#define MIN_TOKEN_S 600
#define DEFAULT_TOKEN_S 3600
#define MAX_TOKEN_S 86400

/* ---- shared by the services ---- */

const char *es_host_text(struct esp_call *c, esp_bytes bytes, size_t max, const char *what)
{
    if (bytes.len > max) {
        es_call_service_error(c, ES_E_CONFIG, "%s is longer than %zu bytes", what, max);
        return NULL;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] < 0x20 || bytes.ptr[i] == 0x7F) {
            es_call_service_error(c, ES_E_CONFIG, "%s holds a control character", what);
            return NULL;
        }
    }
    const char *text = es_arena_dup(&c->arena, bytes.ptr, bytes.len);
    if (!text)
        es_call_service_error(c, ES_E_NOMEM, "out of memory");
    return text;
}

esp_status es_host_may_talk(struct esp_call *c, const char *service)
{
    c->service.code = 0;
    if (c->op == ES_OP_CHECK || c->op == ES_OP_CONFIGURE)
        return es_call_service_error(c, ES_E_DENIED, "%s is not to be used by %s, which needs no network",
                                     service, es_op_name(c->op));
    if (es_call_remaining_ms(c) <= 0)
        return es_call_service_error(c, ES_E_CANCELLED, "the time for %s of the %s provider is over",
                                     es_op_name(c->op), es_call_provider(c));
    return ESP_OK;
}

static esp_status hand_out_plain(struct esp_call *c, const void *data, size_t len, esp_bytes *out)
{
    uint8_t *copy = es_arena_dup(&c->arena, data, len);
    if (!copy)
        return es_call_service_error(c, ES_E_TOO_LARGE, "%s of the %s provider took in more than %zu MiB",
                                     es_op_name(c->op), es_call_provider(c), ES_CALL_MAX_TAKEN >> 20);
    *out = (esp_bytes){copy, len};
    return ESP_OK;
}

esp_status es_host_hand_out(struct esp_call *c, const void *data, size_t len, esp_bytes *out)
{
    esp_status status = hand_out_plain(c, data, len, out);
    if (status == ESP_OK && es_call_trust(c, *out) < 0)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    return status;
}

esp_status es_host_hand_out_blob(struct esp_call *c, int rc, struct es_blob *take_blob,
                                 const struct es_error *err, esp_bytes *out)
{
    esp_status status =
        rc < 0 ? es_call_service_failed(c, err) : es_host_hand_out(c, take_blob->ptr, take_blob->len, out);
    es_blob_fini(take_blob);
    return status;
}

/* ---- log, time, chance ---- */

static void host_log(struct esp_call *c, int32_t level, esp_bytes line)
{
    static const enum es_log_level levels[] = {[ESP_LOG_ERROR] = ES_ERROR,
                                               [ESP_LOG_WARN] = ES_WARN,
                                               [ESP_LOG_INFO] = ES_INFO,
                                               [ESP_LOG_DEBUG] = ES_DEBUG};
    enum es_log_level at = level >= ESP_LOG_ERROR && level <= ESP_LOG_DEBUG ? levels[level] : ES_INFO;
    char text[MAX_LOG_LINE + 1];

    if (!es_log_enabled(at) || c->log_lines > ES_CALL_MAX_LOG_LINES)
        return;
    es_call_hear(c, text, sizeof text, line);
    if (c->log_lines++ == ES_CALL_MAX_LOG_LINES)
        es_call_clean_text(text, sizeof text,
                           (esp_bytes){(const uint8_t *)"more lines of this call are dropped", 35});
    es_log(at, "plugins", text, ES_F_STR("plugin", c->plugin->name), ES_F_STR("operation", es_op_name(c->op)),
           ES_F_STR("kind", c->who->store_kind), ES_F_STR("namespace", c->who->store_namespace),
           ES_F_STR("name", c->who->store_name));
}

static int64_t host_remaining_ms(struct esp_call *c)
{
    return es_call_remaining_ms(c);
}

static int64_t host_now_unix_ms(struct esp_call *c)
{
    (void)c;
    return es_unix_ms();
}

#if ESP_ABI_MINOR >= 1
static void nap(int64_t ms)
{
    const struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* Looks around now and then, as the transport does. What would not be over before the
 * deadline is not begun: the worker has better things to do. */
static esp_status host_wait(struct esp_call *c, uint32_t ms)
{
    int64_t until = es_mono_ms() + ms, left;

    c->service.code = 0;
    while (es_call_remaining_ms(c) > (left = until - es_mono_ms())) {
        if (left <= 0)
            return ESP_OK;
        nap(left < LOOK_MS ? left : LOOK_MS);
    }
    return es_call_service_error(c, ES_E_CANCELLED, "the time for %s of the %s provider is over",
                                 es_op_name(c->op), es_call_provider(c));
}
#endif

static esp_status host_random(struct esp_call *c, uint8_t *out, size_t len)
{
    c->service.code = 0;
    while (len) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return es_call_service_error(c, ES_E_INTERNAL, "the system gives no random bytes");
        out += n;
        len -= (size_t)n;
    }
    return ESP_OK;
}

/* ---- the cluster ---- */

static int deny_name(struct esp_call *c, const char *what, const char *name)
{
    return es_call_service_error(c, ES_E_DENIED, "the spec of %s %s does not name the %s \"%s\"",
                                 c->who->store_kind, c->who->store_name, what, name);
}

/* es_authority_namespace; notes whether another consumer might get something else. */
static int namespace_for(struct esp_call *c, const char *ns, const char **ret, struct es_error *err)
{
    if (es_streq(c->who->store_kind, "ClusterSecretStore") && !es_authority_names(c->who->spec, ns))
        c->for_consumer = true;
    return es_authority_namespace(c->who, ns, ret, err);
}

/* What the metadata of a push names lies beside the PushSecret, whose author could push it as well. */
static bool push_names(const struct esp_call *c, const char *ns, const char *name)
{
    return !*ns && c->metadata && es_authority_names(c->metadata, name);
}

static const struct {
    const char *kind;
    enum es_kube_read read;
} readable[] = {
    [ESP_KUBE_SECRET] = {"Secret", ES_READ_SECRET},
    [ESP_KUBE_CONFIGMAP] = {"ConfigMap", ES_READ_CONFIG_MAP},
    [ESP_KUBE_SERVICE_ACCOUNT] = {"ServiceAccount", ES_READ_SERVICE_ACCOUNT},
#if ESP_ABI_MINOR >= 1
    [ESP_KUBE_SECRET_OBJECT] = {"Secret", ES_READ_SECRET_OBJECT},
#endif
};

/* One value of a whole Secret, in both of its forms. */
static int trust_value(struct esp_call *c, esp_bytes quoted)
{
    struct es_blob plain = {0};
    int rc = 0;

    if (quoted.len < 2 || *quoted.ptr != '"')
        return 0;
    const esp_bytes text = {quoted.ptr + 1, quoted.len - 2};
    if (es_base64_decode(&plain, ES_BASE64_STD, (const char *)text.ptr, text.len, NULL) == 0) {
        const uint8_t *copy = es_arena_dup(&c->arena, plain.ptr, plain.len);
        rc = copy ? es_call_trust(c, (esp_bytes){copy, plain.len}) : ES_E_NOMEM;
    }
    es_blob_fini(&plain);
    return rc < 0 ? rc : es_call_trust(c, text);
}

/* The object as a whole is trusted already; a text would quote a part. */
static esp_status trust_values(struct esp_call *c, esp_bytes object)
{
    struct esp_json_iter members, values;
    esp_bytes key, value;
    int rc = 0;

    if (!esp_json_members(&members, object))
        return ESP_OK;
    while (rc == 0 && esp_json_next(&members, &key, &value)) {
        if (!esp_equal_str(key, "\"data\"") || !esp_json_members(&values, value))
            continue;
        while (rc == 0 && esp_json_next(&values, &key, &value))
            rc = trust_value(c, value);
    }
    return rc < 0 ? es_call_service_error(c, ES_E_NOMEM, "out of memory") : ESP_OK;
}

/* A service account holds no secret, and its words, "namespace" among them, are needed to say what is wrong
 * with it. */
static esp_status give(struct esp_call *c, enum es_kube_read read, int rc, struct es_blob *take_blob,
                       const struct es_error *err, esp_bytes *out)
{
    if (rc == 0 && read == ES_READ_SERVICE_ACCOUNT) {
        esp_status status = hand_out_plain(c, take_blob->ptr, take_blob->len, out);
        es_blob_fini(take_blob);
        return status;
    }
    esp_status status = es_host_hand_out_blob(c, rc, take_blob, err, out);
    return status == ESP_OK && read == ES_READ_SECRET_OBJECT ? trust_values(c, *out) : status;
}

static esp_status host_kube_read(struct esp_call *c, int32_t what, esp_bytes ns, esp_bytes name,
                                 esp_bytes key, esp_bytes *out)
{
    const struct es_services *services = es_registry_services(c->registry);
    struct es_error err = ES_ERROR_INIT;
    struct es_blob blob = {0};
    const char *from = NULL;

    esp_status status = es_host_may_talk(c, "kube_read");
    if (status != ESP_OK)
        return status;
    if (what < ESP_KUBE_SECRET || (size_t)what >= sizeof readable / sizeof *readable)
        return es_call_service_error(c, ES_E_UNSUPPORTED, "kube_read knows no object kind %d", (int)what);
    const char *ns_text = es_host_text(c, ns, MAX_NAME, "a namespace");
    const char *name_text = es_host_text(c, name, MAX_NAME, "an object's name");
    const char *key_text = es_host_text(c, key, MAX_NAME, "an object's key");
    if (!ns_text || !name_text || !key_text)
        return c->service.code;
    if (!es_authority_names(c->who->spec, name_text) && !push_names(c, ns_text, name_text))
        return deny_name(c, readable[what].kind, name_text);
    int rc = namespace_for(c, ns_text, &from, &err);
    if (rc < 0)
        return es_call_service_failed(c, &err);
    if (!services->kube_read)
        return es_call_service_error(c, ES_E_UNSUPPORTED, "there is no cluster to read %s \"%s\" from",
                                     readable[what].kind, name_text);
    rc = services->kube_read(services->ctx, c->who, readable[what].read, from, name_text, key_text, &blob,
                             &err);
    return give(c, readable[what].read, rc, &blob, &err, out);
}

static const char *const *audience_texts(struct esp_call *c, const esp_bytes *audiences, size_t count)
{
    if (count > MAX_AUDIENCES) {
        es_call_service_error(c, ES_E_CONFIG, "a token for more than %zu audiences", MAX_AUDIENCES);
        return NULL;
    }
    const char **texts = es_arena_alloc(&c->arena, (count + 1) * sizeof *texts);
    if (!texts) {
        es_call_service_error(c, ES_E_NOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = es_host_text(c, audiences[i], MAX_AUDIENCE, "an audience");
        if (!texts[i])
            return NULL;
    }
    return texts;
}

static esp_status host_sa_token(struct esp_call *c, esp_bytes ns, esp_bytes account,
                                const esp_bytes *audiences, size_t count, uint32_t ttl_s, esp_bytes *out)
{
    const struct es_services *services = es_registry_services(c->registry);
    struct es_error err = ES_ERROR_INIT;
    struct es_blob blob = {0};
    const char *from = NULL;
    int64_t ttl = ttl_s ? ttl_s : DEFAULT_TOKEN_S;

    esp_status status = es_host_may_talk(c, "sa_token");
    if (status != ESP_OK)
        return status;
    const char *ns_text = es_host_text(c, ns, MAX_NAME, "a namespace");
    const char *name = es_host_text(c, account, MAX_NAME, "a service account's name");
    const char *const *texts = ns_text && name ? audience_texts(c, audiences, count) : NULL;
    if (!texts)
        return c->service.code;
    if (!es_authority_names(c->who->spec, name))
        return deny_name(c, "service account", name);
    if (count == 0 && !es_authority_api_token(c->who->spec, name))
        return es_call_service_error(
            c, ES_E_DENIED,
            "a token of service account \"%s\" without an audience opens the API server, "
            "and the spec gives audiences for it",
            name);
    int rc = namespace_for(c, ns_text, &from, &err);
    if (rc < 0)
        return es_call_service_failed(c, &err);
    if (!services->sa_token)
        return es_call_service_error(c, ES_E_UNSUPPORTED, "there is no cluster to ask for a token of \"%s\"",
                                     name);
    ttl = ttl < MIN_TOKEN_S ? MIN_TOKEN_S : ttl > MAX_TOKEN_S ? MAX_TOKEN_S : ttl;
    rc = services->sa_token(services->ctx, c->who, from, name, texts, count, ttl, &blob, &err);
    return es_host_hand_out_blob(c, rc, &blob, &err, out);
}

/* ---- templates ---- */

static esp_status host_render(struct esp_call *c, esp_bytes text, esp_bytes data, esp_bytes *out)
{
    const struct es_services *services = es_registry_services(c->registry);
    struct es_error err = ES_ERROR_INIT;
    struct es_blob blob = {0};
    char name[ES_CALL_MAX_TEXT];

    c->service.code = 0;
    if (!services->render)
        return es_call_service_error(c, ES_E_UNSUPPORTED, "this esod renders no templates for plugins");
    if (text.len > MAX_TEMPLATE || data.len > ES_CALL_MAX_BYTES)
        return es_call_service_error(c, ES_E_CONFIG, "a template or its data is too large");
    json_t *object = json_loadb(data.len ? (const char *)data.ptr : "", data.len, 0, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return es_call_service_error(c, ES_E_INTERNAL, "the data for a template is no JSON object");
    }
    snprintf(name, sizeof name, "%stemplate", es_call_provider(c));
    int rc = services->render(services->ctx, name, text.len ? (const char *)text.ptr : "", text.len, object,
                              &blob, &err);
    json_decref(object);
    if (rc < 0 || c->trusted || c->value_count)
        return es_host_hand_out_blob(c, rc, &blob, &err, out);
    /* Made of what people wrote: an error may name the path that a template of a JSONPath gave. */
    esp_status status = hand_out_plain(c, blob.ptr, blob.len, out);
    es_blob_fini(&blob);
    return status;
}

const struct esp_host es_host_table = {
    .size = sizeof es_host_table,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .emit = es_call_emit,
    .fail = es_call_fail,
    .fail_at = es_call_fail_at,
    .log = host_log,
    .remaining_ms = host_remaining_ms,
    .now_unix_ms = host_now_unix_ms,
    .random = host_random,
    .http = es_host_http,
    .kube_read = host_kube_read,
    .sa_token = host_sa_token,
    .ambient = es_host_ambient,
    .render = host_render,
#if ESP_ABI_MINOR >= 1
    .wait = host_wait,
#endif
};
