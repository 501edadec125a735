#include <esp/json.h>
#include <esp/push.h>

#include <stdbool.h>
#include <string.h>

#define API_VERSION "kubernetes.external-secrets.io/v1alpha1"
#define KIND "PushSecretMetadata"
#define NAME_MAX_BYTES (64u << 10)

esp_status esp_push_value(const struct esp_host *host, struct esp_call *call,
                          const struct esp_request *request, struct esp_text *out)
{
    struct esp_text key;
    esp_text_init(&key, NAME_MAX_BYTES);
    /* A key that cannot be read must not be taken for none: that is the whole Secret. */
    bool unknown = esp_json_get(request->json, esp_str("secretKey"), ESP_JSON_PATH, &key) < 0;
    esp_status status = ESP_OK;
    const esp_pair *pair = NULL;
    for (size_t i = 0; key.len && i < request->value_count; i++)
        if (esp_equal(request->values[i].name, esp_text_bytes(&key)))
            pair = &request->values[i];
    if (unknown)
        status = esp_failf(host, call, ESP_E_INTERNAL, "out of memory");
    else if (key.len == 0)
        esp_json_values(request->values, request->value_count, false, out);
    else if (pair)
        esp_text_add(out, pair->value);
    else
        status =
            esp_failf(host, call, ESP_E_CONFIG, "the Secret has no key %.*s", ESP_ARG(esp_text_bytes(&key)));
    if (status == ESP_OK && esp_text_failed(out))
        status = esp_failf(host, call, ESP_E_INTERNAL,
                           "the value to be pushed is too large, or there is no memory");
    esp_text_free(&key);
    return status;
}

static bool is_among(esp_bytes name, const char *const names[])
{
    for (size_t i = 0; names[i]; i++)
        if (esp_equal_str(name, names[i]))
            return true;
    return false;
}

/* One document that is read, and what begins each sentence about it. */
struct reading {
    const struct esp_host *host;
    struct esp_call *call;
    const char *before;
};

static esp_status refuse_member(const struct reading *r, esp_bytes name)
{
    return esp_failf(r->host, r->call, ESP_E_CONFIG,
                     "%sfailed to parse " API_VERSION " " KIND
                     ": error unmarshaling JSON: while decoding JSON: "
                     "json: unknown field \"%.*s\"",
                     r->before, ESP_ARG(name));
}

/* Members of an object other than `known` are refused, as a strict reader in Go does it. */
static esp_status refuse_unknown(const struct reading *r, esp_bytes object, const char *const known[])
{
    struct esp_json_iter it;
    esp_bytes key, value;
    if (!esp_json_members(&it, object))
        return esp_failf(r->host, r->call, ESP_E_CONFIG,
                         "%sfailed to parse " API_VERSION " " KIND ": it is not an object", r->before);
    while (esp_json_next(&it, &key, &value)) {
        struct esp_text name;
        esp_text_init(&name, NAME_MAX_BYTES);
        esp_json_plain(key, &name);
        esp_status status =
            is_among(esp_text_bytes(&name), known) ? ESP_OK : refuse_member(r, esp_text_bytes(&name));
        esp_text_free(&name);
        if (status != ESP_OK)
            return status;
    }
    return ESP_OK;
}

/* Whether the member is the text that it has to be. */
static esp_status expect(const struct reading *r, esp_bytes metadata, const char *member, const char *wanted)
{
    struct esp_text text;
    esp_status status = ESP_OK;
    esp_text_init(&text, NAME_MAX_BYTES);
    esp_json_get(metadata, esp_str(member), ESP_JSON_PATH, &text);
    if (!esp_equal_str(esp_text_bytes(&text), wanted))
        status = esp_failf(r->host, r->call, ESP_E_CONFIG, "%sunexpected %s \"%.*s\", expected \"%s\"",
                           r->before, member, ESP_ARG(esp_text_bytes(&text)), wanted);
    esp_text_free(&text);
    return status;
}

static esp_status no_room(const struct reading *r)
{
    return esp_failf(r->host, r->call, ESP_E_INTERNAL,
                     "the metadata of the push is too large, or there is no memory");
}

static esp_status read_envelope(const struct reading *r, esp_bytes metadata, const char *const known[],
                                struct esp_text *out)
{
    static const char *const members[] = {"apiVersion", "kind", "spec", NULL};
    enum esp_json_kind kind;
    esp_status status = refuse_unknown(r, metadata, members);
    if (status == ESP_OK)
        status = expect(r, metadata, "apiVersion", API_VERSION);
    if (status == ESP_OK)
        status = expect(r, metadata, "kind", KIND);
    if (status != ESP_OK)
        return status;
    size_t before = out->len;
    int found = esp_json_get_raw(metadata, esp_str("spec"), out, &kind);
    if (found == 1 && kind == ESP_JSON_NULL) {
        esp_text_cut(out, before);
        found = 0;
    }
    if (found == 0)
        esp_text_adds(out, "{}");
    if (found < 0 || esp_text_failed(out))
        return no_room(r);
    return refuse_unknown(r, esp_span(out->ptr + before, out->len - before), known);
}

esp_status esp_push_spec_of(const struct esp_host *host, struct esp_call *call,
                            const struct esp_request *request, const char *const known[], const char *before,
                            struct esp_text *out)
{
    const struct reading r = {host, call, before};
    struct esp_text metadata;
    enum esp_json_kind kind = ESP_JSON_NONE;
    esp_text_init(&metadata, out->max);
    int found = esp_json_get_raw(request->json, esp_str("metadata"), &metadata, &kind);
    esp_status status = ESP_OK;
    if (found < 0)
        status = no_room(&r);
    else if (found == 0 || kind == ESP_JSON_NULL)
        esp_text_adds(out, "{}");
    else
        status = read_envelope(&r, esp_text_bytes(&metadata), known, out);
    esp_text_free(&metadata);
    return status;
}

esp_status esp_push_spec(const struct esp_host *host, struct esp_call *call,
                         const struct esp_request *request, const char *const known[], struct esp_text *out)
{
    return esp_push_spec_of(host, call, request, known, "", out);
}
