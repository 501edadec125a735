#include "kv.h"

#include <esp/json.h>
#include <esp/push.h>

#include "fields.h"
#include "path.h"

#define PATH_MAX_BYTES 60000
#define CANNOT_WRITE "cannot write the secret to Vault: key"
#define CANNOT_DELETE "cannot delete the secret in Vault: key"
#define MARKER "{\"managed-by\":\"external-secrets\"}"

/* What a push or a removal is about, and what Vault has of it. */
struct change {
    struct vault_store *store;
    struct esp_call *call;
    json_t *document;
    esp_bytes key, property; /* in the document */
    struct vault_kv kv;      /* as it was */
    bool is_there, is_managed;
    int64_t version; /* v2: the newest, deleted or not; 0: there was none */
};

/* ---- requests ---- */

typedef esp_status path_fn(const struct vault_store *, struct esp_call *, esp_bytes, struct esp_text *);

static esp_status ask(struct change *c, const char *method, path_fn *path_of, esp_bytes body,
                      const char *what)
{
    struct vault_answer answer = {0};
    struct esp_text path;
    esp_text_init(&path, PATH_MAX_BYTES);
    esp_status status = path_of(c->store, c->call, c->key, &path);
    const struct vault_request request = {.method = method,
                                          .path = esp_text_bytes(&path),
                                          .body = body,
                                          .api = body.len ? "WriteSecretData" : "DeleteSecret"};
    if (status == ESP_OK)
        status = esp_text_failed(&path) ? vault_no_memory(c->call)
                                        : vault_ask(c->store, c->call, request, &answer);
    esp_text_free(&path);
    if (status != ESP_OK || vault_is_good(&answer))
        return status;
    return vault_refused(c->call, &answer, what, c->key);
}

/* ---- what is there ---- */

static int64_t current_version(esp_bytes metadata)
{
    esp_bytes number;
    return vault_fields_find(metadata, "current_version", &number) ? vault_number(number) : 1;
}

/* v1 has no place for a marker but the secret itself. */
static esp_status look_at_metadata(struct change *c)
{
    struct esp_text metadata;
    if (!c->store->is_v2) {
        c->is_managed = vault_kv_is_managed(esp_text_bytes(&c->kv.fields));
        return ESP_OK;
    }
    esp_text_init(&metadata, VAULT_SECRET_MAX);
    esp_status status = vault_kv_metadata(c->store, c->call, c->key, &metadata);
    if (status == ESP_OK) {
        c->is_managed = vault_kv_is_managed(esp_text_bytes(&metadata));
        c->version = current_version(esp_text_bytes(&metadata));
    }
    esp_text_free(&metadata);
    return status;
}

static esp_status look(struct change *c)
{
    esp_status status = vault_kv_read(c->store, c->call, c->key, esp_str(""), &c->kv);
    c->is_there = status == ESP_OK;
    c->version = c->kv.version;
    if (status == ESP_E_NOT_FOUND)
        return ESP_OK;
    return status == ESP_OK ? look_at_metadata(c) : status;
}

/* ---- writing ---- */

/* v2: the marker first, so that nobody's secret is ever without it. */
static esp_status write_marker(struct change *c)
{
    return ask(c, "PUT", vault_metadata_path, esp_str("{\"custom_metadata\":" MARKER "}"), CANNOT_WRITE);
}

static void add_v2_body(const struct change *c, esp_bytes fields, struct esp_text *body)
{
    esp_text_adds(body, "{\"data\":");
    esp_text_add(body, fields);
    if (c->store->needs_cas)
        esp_text_addf(body, ",\"options\":{\"cas\":%lld}", (long long)c->version);
    esp_text_addc(body, '}');
}

static esp_status write_fields(struct change *c, esp_bytes fields)
{
    struct esp_text body;
    esp_status status = ESP_OK;
    esp_text_init(&body, 2 * VAULT_SECRET_MAX);
    if (c->store->is_v2)
        add_v2_body(c, fields, &body);
    else
        vault_fields_set(fields, esp_str("custom_metadata"), esp_str(MARKER), &body);
    if (esp_text_failed(&body))
        status = vault_no_memory(c->call);
    if (status == ESP_OK && c->store->is_v2 && !c->is_managed)
        status = write_marker(c);
    if (status == ESP_OK)
        status = ask(c, "PUT", vault_data_path, esp_text_bytes(&body), CANNOT_WRITE);
    esp_text_free(&body);
    return status;
}

/* ---- push ---- */

/* The fields without the marker that v1 has among them. */
static void own_fields(const struct change *c, struct esp_text *out)
{
    if (c->store->is_v2)
        esp_text_add(out, esp_text_bytes(&c->kv.fields));
    else
        vault_fields_set(esp_text_bytes(&c->kv.fields), esp_str("custom_metadata"), esp_str(""), out);
}

static esp_status push_whole(struct change *c, esp_bytes value, esp_bytes old)
{
    if (!esp_json_check(value, NULL) || esp_json_kind(value) != ESP_JSON_OBJECT)
        return esp_failf(
            vault_host, c->call, ESP_E_CONFIG,
            "error unmarshalling vault secret: invalid JSON format: without a property, the value "
            "pushed to \"%.*s\" must be a JSON object",
            ESP_ARG(c->key));
    int same = c->is_there ? vault_fields_equal(old, value) : 0;
    if (same < 0)
        return vault_no_memory(c->call);
    return same ? ESP_OK : write_fields(c, value);
}

static esp_status push_property(struct change *c, esp_bytes value, esp_bytes old)
{
    struct esp_text quoted, fields;
    esp_bytes before;
    int exists = c->is_there ? vault_fields_has(old, c->property, &before) : 0;
    if (exists == 1 && esp_json_kind(before) != ESP_JSON_STRING)
        return esp_failf(vault_host, c->call, ESP_E_CONFIG, "error converting %.*s to string",
                         ESP_ARG(c->property));
    esp_text_init(&quoted, 2 * VAULT_SECRET_MAX);
    esp_text_init(&fields, 2 * VAULT_SECRET_MAX);
    esp_json_quote(value, &quoted);
    vault_fields_set(c->is_there ? old : esp_str("{}"), c->property, esp_text_bytes(&quoted), &fields);
    int same = exists == 1 ? vault_fields_equal(before, esp_text_bytes(&quoted)) : exists;
    esp_status status = ESP_OK;
    if (same < 0 || esp_text_failed(&quoted) || esp_text_failed(&fields))
        status = vault_no_memory(c->call);
    else if (!same)
        status = write_fields(c, esp_text_bytes(&fields));
    esp_text_free(&quoted);
    esp_text_free(&fields);
    return status;
}

static esp_status push_value(struct change *c, esp_bytes value)
{
    struct esp_text old;
    esp_text_init(&old, VAULT_SECRET_MAX);
    own_fields(c, &old);
    esp_status status;
    if (esp_text_failed(&old))
        status = vault_no_memory(c->call);
    else
        status = c->property.len ? push_property(c, value, esp_text_bytes(&old))
                                 : push_whole(c, value, esp_text_bytes(&old));
    esp_text_free(&old);
    return status;
}

static esp_status push(struct change *c, const struct esp_request *req)
{
    struct esp_text value;
    esp_text_init(&value, VAULT_SECRET_MAX);
    esp_status status = esp_push_value(vault_host, c->call, req, &value);
    if (status == ESP_OK)
        status = look(c);
    if (status == ESP_OK && c->is_there && !c->is_managed)
        status =
            esp_failf(vault_host, c->call, ESP_E_CONFIG,
                      "secret not managed by external-secrets: \"%.*s\" has no custom metadata managed-by: "
                      "external-secrets",
                      ESP_ARG(c->key));
    if (status == ESP_OK)
        status = push_value(c, esp_text_bytes(&value));
    esp_text_free(&value);
    return status;
}

/* Reads the document; ESP_OK: change_end() follows. What has been read points into it. */
static esp_status change_begin(struct change *c, void *instance, struct esp_call *call,
                               const struct esp_request *req)
{
    json_t *document = esp_tree_read(req->json);
    if (!document)
        return vault_no_memory(call);
    *c = (struct change){.store = instance,
                         .call = call,
                         .document = document,
                         .key = esp_tree_text(document, "remoteKey"),
                         .property = esp_tree_text(document, "property")};
    return ESP_OK;
}

static void change_end(struct change *c)
{
    vault_kv_free(&c->kv);
    json_decref(c->document);
}

esp_status vault_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct change c;
    esp_status status = change_begin(&c, instance, call, req);
    if (status != ESP_OK)
        return status;
    status = push(&c, req);
    change_end(&c);
    return status;
}

/* ---- remove ---- */

static esp_status delete_all(struct change *c)
{
    esp_status status = ask(c, "DELETE", vault_data_path, esp_str(""), CANNOT_DELETE);
    return status == ESP_OK && c->store->is_v2
               ? ask(c, "DELETE", vault_metadata_path, esp_str(""), CANNOT_DELETE)
               : status;
}

/* Takes one property away; with the last one, the secret. */
static esp_status remove_property(struct change *c)
{
    struct esp_text own, rest;
    esp_status status;
    esp_bytes before;
    esp_text_init(&own, VAULT_SECRET_MAX);
    esp_text_init(&rest, VAULT_SECRET_MAX);
    own_fields(c, &own);
    size_t left = vault_fields_set(esp_text_bytes(&own), c->property, esp_str(""), &rest);
    int exists = vault_fields_has(esp_text_bytes(&own), c->property, &before);
    if (exists < 0 || esp_text_failed(&own) || esp_text_failed(&rest))
        status = vault_no_memory(c->call);
    else if (left == 0)
        status = delete_all(c);
    else if (!exists)
        status = ESP_OK; /* it is not there */
    else
        status = write_fields(c, esp_text_bytes(&rest));
    esp_text_free(&own);
    esp_text_free(&rest);
    return status;
}

esp_status vault_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct change c;
    esp_status status = change_begin(&c, instance, call, req);
    if (status != ESP_OK)
        return status;
    status = look(&c);
    if (status == ESP_OK && c.is_there && c.is_managed)
        status = c.property.len ? remove_property(&c) : delete_all(&c);
    change_end(&c);
    return status;
}
