#include "kv.h"

#include <stdio.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "fields.h"
#include "path.h"

#define PATH_MAX_BYTES 60000
#define CANNOT_READ "cannot read secret data from Vault: key"

void vault_kv_free(struct vault_kv *kv)
{
    esp_text_free(&kv->fields);
}

/* ---- requests ---- */

static esp_status fetch(struct vault_store *s, struct esp_call *call, const struct esp_text *path,
                        esp_bytes key, struct vault_answer *answer)
{
    if (esp_text_failed(path))
        return vault_no_memory(call);
    const struct vault_request request = {
        .method = "GET", .path = esp_text_bytes(path), .api = "ReadSecretData"};
    esp_status status = vault_ask(s, call, request, answer);
    if (status != ESP_OK || vault_is_good(answer))
        return status;
    return vault_is_absent(answer) ? ESP_E_NOT_FOUND : vault_refused(call, answer, CANNOT_READ, key);
}

static esp_status not_an_answer(struct esp_call *call, esp_bytes key)
{
    return esp_failf(vault_host, call, ESP_E_RETRY,
                     CANNOT_READ " \"%.*s\": the answer is not Vault's: it is no JSON object with data",
                     ESP_ARG(key));
}

/* The object under `data` of an answer, within its body. */
static bool data_of(const struct vault_answer *answer, esp_bytes *data)
{
    return vault_fields_find(answer->body, "data", data) && esp_json_kind(*data) == ESP_JSON_OBJECT;
}

/* ---- secrets ---- */

/* The number of the version that a v2 answer is about. */
static int64_t version_of(esp_bytes data)
{
    esp_bytes metadata, version;
    bool known =
        vault_fields_find(data, "metadata", &metadata) && vault_fields_find(metadata, "version", &version);
    return known ? vault_number(version) : 0;
}

static esp_status take_v2(struct esp_call *call, esp_bytes key, esp_bytes data, struct vault_kv *ret)
{
    esp_bytes fields;
    ret->version = version_of(data);
    if (!vault_fields_find(data, "data", &fields))
        return esp_failf(vault_host, call, ESP_E_CONFIG,
                         CANNOT_READ " \"%.*s\": failed to find data field: is the engine KV v1?",
                         ESP_ARG(key));
    if (esp_json_kind(fields) == ESP_JSON_NULL)
        return ESP_E_NOT_FOUND;
    if (esp_json_kind(fields) != ESP_JSON_OBJECT)
        return esp_failf(vault_host, call, ESP_E_CONFIG, CANNOT_READ " \"%.*s\": failed to unmarshall JSON",
                         ESP_ARG(key));
    esp_text_add(&ret->fields, fields);
    return ESP_OK;
}

static esp_status take(struct vault_store *s, struct esp_call *call, esp_bytes key,
                       const struct vault_answer *answer, struct vault_kv *ret)
{
    esp_bytes data;
    esp_status status = ESP_OK;
    if (!data_of(answer, &data))
        return not_an_answer(call, key);
    if (s->is_v2)
        status = take_v2(call, key, data, ret);
    else
        esp_text_add(&ret->fields, data);
    return status == ESP_OK && esp_text_failed(&ret->fields) ? vault_no_memory(call) : status;
}

esp_status vault_kv_read(struct vault_store *s, struct esp_call *call, esp_bytes key, esp_bytes version,
                         struct vault_kv *ret)
{
    struct vault_answer answer = {0};
    struct esp_text path;
    esp_bytes data;
    *ret = (struct vault_kv){0};
    esp_text_init(&ret->fields, VAULT_SECRET_MAX);
    esp_text_init(&path, PATH_MAX_BYTES);
    esp_status status = vault_data_path(s, call, key, &path);
    if (version.len) {
        esp_text_adds(&path, "?version=");
        esp_query_add(&path, version);
    }
    if (status == ESP_OK)
        status = fetch(s, call, &path, key, &answer);
    if (status == ESP_OK)
        status = take(s, call, key, &answer, ret);
    else if (status == ESP_E_NOT_FOUND && data_of(&answer, &data))
        ret->version = version_of(data);
    esp_text_free(&path);
    return status;
}

esp_status vault_kv_metadata(struct vault_store *s, struct esp_call *call, esp_bytes key,
                             struct esp_text *out)
{
    struct vault_answer answer = {0};
    struct esp_text path;
    esp_bytes data;
    esp_text_init(&path, PATH_MAX_BYTES);
    esp_status status = vault_metadata_path(s, call, key, &path);
    if (status == ESP_OK)
        status = fetch(s, call, &path, key, &answer);
    if (status == ESP_OK && !data_of(&answer, &data))
        status = not_an_answer(call, key);
    if (status == ESP_OK)
        esp_text_add(out, data);
    esp_text_free(&path);
    return status == ESP_OK && esp_text_failed(out) ? vault_no_memory(call) : status;
}

bool vault_kv_is_managed(esp_bytes metadata)
{
    esp_bytes custom;
    return vault_fields_find(metadata, "custom_metadata", &custom) &&
           vault_fields_is(custom, esp_str("managed-by"), esp_str("external-secrets")) == 1;
}

/* ---- get ---- */

/* A member whose value is a string, whatever it was. */
static void add_as_text(esp_bytes key, esp_bytes value, struct esp_text *out)
{
    struct esp_text plain;
    esp_text_init(&plain, value.len);
    esp_json_plain(value, &plain);
    if (esp_text_failed(&plain))
        out->failed = true;
    if (out->len > 1)
        esp_text_addc(out, ',');
    esp_text_add(out, key);
    esp_text_addc(out, ':');
    esp_json_quote(esp_text_bytes(&plain), out);
    esp_text_free(&plain);
}

/* What Fetch hands out: three facts of the engine, and what somebody has noted with the secret, which wins.
 */
static void flatten(esp_bytes metadata, struct esp_text *out)
{
    static const char *const facts[] = {"created_time", "current_version", "delete_version_after"};
    struct esp_json_iter members;
    esp_bytes key, value, custom = {0};
    esp_text_addc(out, '{');
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        char quoted[32];
        if (!vault_fields_find(metadata, facts[i], &value) || esp_json_kind(value) == ESP_JSON_NULL)
            continue;
        snprintf(quoted, sizeof quoted, "\"%s\"", facts[i]);
        add_as_text(esp_str(quoted), value, out);
    }
    vault_fields_find(metadata, "custom_metadata", &custom);
    if (custom.len && esp_json_members(&members, custom))
        while (esp_json_next(&members, &key, &value))
            add_as_text(key, value, out);
    esp_text_addc(out, '}');
}

static esp_status emit_fields(struct esp_call *call, esp_bytes object)
{
    struct esp_text value;
    esp_text_init(&value, VAULT_SECRET_MAX);
    esp_status status = vault_fields_value(object, &value)
                            ? vault_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&value))
                            : vault_no_memory(call);
    esp_text_free(&value);
    return status;
}

static esp_status get_metadata(struct vault_store *s, struct esp_call *call, esp_bytes key)
{
    struct esp_text metadata, flat;
    if (!s->is_v2)
        return esp_failf(vault_host, call, ESP_E_CONFIG,
                         "cannot perform metadata fetch operations with kv version v1");
    esp_text_init(&metadata, VAULT_SECRET_MAX);
    esp_text_init(&flat, VAULT_SECRET_MAX);
    esp_status status = vault_kv_metadata(s, call, key, &metadata);
    if (status == ESP_OK) {
        flatten(esp_text_bytes(&metadata), &flat);
        status = esp_text_failed(&flat) ? vault_no_memory(call) : emit_fields(call, esp_text_bytes(&flat));
    }
    esp_text_free(&metadata);
    esp_text_free(&flat);
    return status;
}

static esp_status get_data(struct vault_store *s, struct esp_call *call, esp_bytes key, esp_bytes version)
{
    struct vault_kv kv;
    esp_status status = vault_kv_read(s, call, key, version, &kv);
    if (status == ESP_OK)
        status = emit_fields(call, esp_text_bytes(&kv.fields));
    vault_kv_free(&kv);
    return status;
}

/* OpenBao's own client takes numbers only; Vault's passes on what it is given. */
static esp_status check_version(const struct vault_store *s, struct esp_call *call, esp_bytes version)
{
    if (!s->is_bao || version.len == 0)
        return ESP_OK;
    if (!s->is_v2)
        return esp_failf(vault_host, call, ESP_E_CONFIG,
                         "OpenBao KVv1 secrets do not support versioning (use KVv2)");
    for (size_t i = 0; i < version.len; i++)
        if (version.ptr[i] < '0' || version.ptr[i] > '9')
            return esp_failf(vault_host, call, ESP_E_CONFIG, "invalid Ref.Version: \"%.*s\" is no number",
                             ESP_ARG(version));
    return ESP_OK;
}

esp_status vault_get(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct vault_store *s = instance;
    json_t *ref = esp_tree_read(req->json);
    if (!ref)
        return vault_no_memory(call);
    esp_bytes key = esp_tree_text(ref, "key"), version = esp_tree_text(ref, "version");
    esp_status status = check_version(s, call, version);
    if (status == ESP_OK)
        status = esp_equal_str(esp_tree_text(ref, "metadataPolicy"), "Fetch")
                     ? get_metadata(s, call, key)
                     : get_data(s, call, key, version);
    json_decref(ref);
    return status;
}

/* ---- exists ---- */

/* A field of that name, or something at that path; nothing is not it: 1, 0, or -1 without memory. */
static int has_property(esp_bytes fields, esp_bytes property)
{
    struct esp_text found;
    esp_bytes value;
    int there = vault_fields_has(fields, property, &value);
    if (there == 1)
        return esp_json_kind(value) != ESP_JSON_NULL;
    esp_text_init(&found, VAULT_SECRET_MAX);
    if (there == 0)
        there = esp_json_get(fields, property, ESP_JSON_PATH, &found);
    esp_text_free(&found);
    return there;
}

esp_status vault_exists(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct vault_kv kv;
    json_t *ref = esp_tree_read(req->json);
    if (!ref)
        return vault_no_memory(call);
    esp_bytes property = esp_tree_text(ref, "property");
    esp_status status = vault_kv_read(instance, call, esp_tree_text(ref, "remoteKey"), esp_str(""), &kv);
    bool there =
        status == ESP_OK && (property.len == 0 || has_property(esp_text_bytes(&kv.fields), property));
    if (status == ESP_OK || status == ESP_E_NOT_FOUND)
        status = vault_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(there ? "true" : "false"));
    vault_kv_free(&kv);
    json_decref(ref);
    return status;
}
