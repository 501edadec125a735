#include "core/check/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/plant.h"
#include "core/check/trial.h"
#include "core/template/template.h"

#define MAX_BODY ((size_t)32 << 20)

const struct es_script es_script_refused = {
    .name = "a refused connection", .failure = ESP_E_RETRY, .why = "connection refused"};

/* Names under which backends hand out values, tokens and excuses. */
const struct es_script es_script_plenty = {
    .name = "an answer full of values",
    .status = 200,
    .type = "application/json",
    .body = "{\"value\":\"%BODY%\",\"data\":{\"value\":\"%BODY%\",\"data\":{\"value\":\"%BODY%\"},"
            "\"metadata\":{\"version\":1}},\"SecretString\":\"%BODY%\",\"payload\":{\"data\":\"%BODY%\"},"
            "\"token\":\"%BODY%\",\"access_token\":\"%BODY%\",\"expires_in\":3600,"
            "\"auth\":{\"client_token\":\"%BODY%\",\"lease_duration\":3600},"
            "\"message\":\"%BODY%\",\"errors\":[\"%BODY%\"]}"};

/* ---- HTTP ---- */

/* What stands for what: backends also echo what they were sent. */
static const struct {
    const char *word;
    enum es_plant plant;
} words[] = {{"%BODY%", ES_PLANT_BODY}, {"%SECRET%", ES_PLANT_SECRET}, {"%TOKEN%", ES_PLANT_TOKEN}};

static void expand(struct es_buf *out, const char *text)
{
    while (*text) {
        size_t plain = strcspn(text, "%"), i = 0;
        es_buf_add(out, text, plain);
        text += plain;
        while (i < sizeof words / sizeof *words && !es_str_starts(text, words[i].word))
            i++;
        if (i < sizeof words / sizeof *words) {
            es_buf_adds(out, es_plant(words[i].plant));
            text += strlen(words[i].word);
        } else if (*text) {
            es_buf_addc(out, *text++);
        }
    }
}

static esp_bytes keep_text(struct es_trial *t, const char *text)
{
    return es_trial_keep(t, text, strlen(text));
}

static void add_header(struct es_trial *t, esp_pair *headers, size_t *count, const char *name,
                       const char *value)
{
    if (value)
        headers[(*count)++] = (esp_pair){keep_text(t, name), keep_text(t, value)};
}

static esp_bytes make_body(struct es_trial *t, const struct es_script *script)
{
    struct es_buf text;

    es_buf_init(&text, MAX_BODY);
    if (script->body)
        expand(&text, script->body);
    for (size_t i = 0; i < script->fill; i++)
        es_buf_addc(&text, 'x');
    esp_bytes body = es_trial_keep(t, text.ptr, text.len);
    es_buf_fini(&text);
    return body;
}

esp_status es_script_answer(struct esp_call *call, const struct es_script *script,
                            struct esp_http_response *response)
{
    struct es_trial *t = es_trial_current();
    esp_pair headers[5];
    size_t count = 0;

    if (script->failure != ESP_OK)
        return es_call_service_error(call, script->failure, "http://esp-check: %s", script->why);
    add_header(t, headers, &count, "content-type", script->type ? script->type : "application/json");
    add_header(t, headers, &count, "retry-after", script->retry_after);
    add_header(t, headers, &count, "set-cookie", es_plant(ES_PLANT_HEADER));
    add_header(t, headers, &count, "x-request-id", es_plant(ES_PLANT_HEADER));
    response->status = script->status;
    response->headers = (const void *)es_trial_keep(t, headers, count * sizeof *headers).ptr;
    response->header_count = count;
    response->body = make_body(t, script);
    return ESP_OK;
}

/* ---- the cluster ---- */

static const char *const kinds[] = {[ES_READ_SECRET] = "Secret",
                                    [ES_READ_CONFIG_MAP] = "ConfigMap",
                                    [ES_READ_SERVICE_ACCOUNT] = "ServiceAccount",
                                    [ES_READ_SECRET_OBJECT] = "Secret"};

static int not_given(enum es_kube_read what, const char *name, const char *key, struct es_error *err)
{
    return es_error_set(err, ES_E_NOT_FOUND, "the file of --secrets has no %s \"%s\" with the key \"%s\"",
                        kinds[what], name, key);
}

/* Adds what stands under stringData, as an API server does. */
static int encode_plain(json_t *data, const json_t *plain)
{
    struct es_buf text;
    const char *key;
    json_t *value;
    int rc = 0;

    json_object_foreach ((json_t *)plain, key, value) {
        es_buf_init(&text, MAX_BODY);
        es_base64_encode(&text, json_string_value(value), json_string_length(value));
        rc = es_buf_failed(&text) || json_object_set_new(data, key, json_string(es_buf_str(&text))) < 0 ? -1
                                                                                                        : rc;
        es_buf_fini(&text);
    }
    return rc;
}

/* A Secret in the form of ESP_KUBE_SECRET_OBJECT. `take_data` is base64. */
static int put_object(struct es_blob *ret, const char *ns, const char *name, const char *type,
                      json_t *take_data, struct es_error *err)
{
    json_t *object = json_pack("{s:{s:s,s:s,s:{},s:{}},s:s,s:o}", "metadata", "name", name, "namespace", ns,
                               "labels", "annotations", "type", type, "data", take_data);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    int rc = text && es_blob_set(ret, text, strlen(text)) == 0 ? 0 : es_error_nomem(err);

    es_mem_free(text);
    json_decref(object);
    return rc;
}

static int give_object(const json_t *secret, const char *ns, struct es_blob *ret, struct es_error *err)
{
    const char *type = json_string_value(json_object_get(secret, "type"));
    json_t *given = json_object_get(secret, "data");
    json_t *data = json_is_object(given) ? json_copy(given) : json_object();

    if (!data || encode_plain(data, json_object_get(secret, "stringData")) < 0) {
        json_decref(data);
        return es_error_nomem(err);
    }
    return put_object(ret, ns,
                      json_string_value(json_object_get(json_object_get(secret, "metadata"), "name")),
                      type ? type : "Opaque", data, err);
}

/* From the manifests of --secrets; namespaces there do not matter. */
static int read_given(const json_t *objects, enum es_kube_read what, const char *ns, const char *name,
                      const char *key, struct es_blob *ret, struct es_error *err)
{
    size_t i;
    json_t *object;

    json_array_foreach (objects, i, object) {
        const json_t *meta = json_object_get(object, "metadata");
        if (!es_streq(json_string_value(json_object_get(object, "kind")), kinds[what]) ||
            !es_streq(json_string_value(json_object_get(meta, "name")), name))
            continue;
        if (what == ES_READ_SECRET_OBJECT)
            return give_object(object, ns, ret, err);
        const json_t *plain = json_object_get(json_object_get(object, "stringData"), key);
        const json_t *data = json_object_get(json_object_get(object, "data"), key);
        if (what == ES_READ_CONFIG_MAP)
            plain = data;
        if (json_is_string(plain))
            return es_blob_set(ret, json_string_value(plain), json_string_length(plain));
        if (!json_is_string(data))
            break;
        return es_base64_decode(ret, ES_BASE64_STD, json_string_value(data), json_string_length(data), NULL);
    }
    return not_given(what, name, key, err);
}

/* Whatever key the plugin looks for is not known here. */
static int planted_object(const char *ns, const char *name, struct es_blob *ret, struct es_error *err)
{
    json_t *plain = json_pack("{s:s}", "value", es_plant(ES_PLANT_SECRET)), *data = json_object();

    if (!plain || !data || encode_plain(data, plain) < 0) {
        json_decref(plain);
        json_decref(data);
        return es_error_nomem(err);
    }
    json_decref(plain);
    return put_object(ret, ns, name, "Opaque", data, err);
}

static int kube_read(void *ctx, const struct es_authority *who, enum es_kube_read what, const char *ns,
                     const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    char account[700];
    (void)who;

    if (ctx && what != ES_READ_SERVICE_ACCOUNT)
        return read_given(ctx, what, ns, name, key, ret, err);
    if (what == ES_READ_SECRET_OBJECT)
        return planted_object(ns, name, ret, err);
    if (what == ES_READ_SECRET)
        return es_blob_set(ret, es_plant(ES_PLANT_SECRET), strlen(es_plant(ES_PLANT_SECRET)));
    if (what == ES_READ_CONFIG_MAP)
        return es_blob_set(ret, "esp-check", strlen("esp-check"));
    int len = snprintf(account, sizeof account,
                       "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"%s\","
                       "\"namespace\":\"%s\"}}",
                       name, ns);
    return es_blob_set(ret, account, (size_t)len);
}

static int sa_token(void *ctx, const struct es_authority *who, const char *ns, const char *name,
                    const char *const *audiences, size_t count, int64_t ttl_s, struct es_blob *ret,
                    struct es_error *err)
{
    (void)ctx;
    (void)who;
    (void)ns;
    (void)name;
    (void)audiences;
    (void)count;
    (void)ttl_s;
    (void)err;
    return es_blob_set(ret, es_plant(ES_PLANT_TOKEN), strlen(es_plant(ES_PLANT_TOKEN)));
}

/* As the daemon does it for plugins. */
static int render(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                  struct es_blob *ret, struct es_error *err)
{
    const struct es_template_opts opts = {0};

    (void)ctx;
    return es_template_run(name, text, len, data, &opts, ret, err);
}

void es_script_services(struct es_services *services, const json_t *objects)
{
    *services = (struct es_services){.user_agent = "esp-check",
                                     .kube_read = kube_read,
                                     .sa_token = sa_token,
                                     .render = render,
                                     .ctx = (void *)(uintptr_t)objects};
}
