#include "data.h"

#include <string.h>

#include <esp/codec.h>
#include <esp/json.h>

#define LABEL "external-secrets.io/type"
#define NEEDED "webhook"

/* ---- Secrets ---- */

/* Who may write a SecretStore could send any Secret of its namespace anywhere. So the owner of a
 * Secret has to agree. */
static esp_status check_label(struct esp_call *call, esp_bytes object)
{
    struct esp_text labels, value;

    esp_text_init(&labels, HOOK_MAX_TEXT);
    esp_text_init(&value, 1024);
    int found = esp_json_get_raw(object, esp_str("metadata.labels"), &labels, NULL);
    if (found == 1)
        found = esp_json_get(esp_text_bytes(&labels), esp_str("external-secrets\\.io/type"), ESP_JSON_PATH,
                             &value);
    bool is_webhook = found == 1 && esp_equal_str(esp_text_bytes(&value), NEEDED);
    esp_text_free(&labels);
    esp_text_free(&value);
    if (found < 0)
        return hook_no_memory(call);
    if (found == 0)
        return esp_failf(hook_host, call, ESP_E_CONFIG,
                         "secret does not contain needed label '" LABEL ": " NEEDED
                         "'. Update secret label to use it with webhook");
    return is_webhook ? ESP_OK : esp_failf(hook_host, call, ESP_E_CONFIG, "secret type is not '" NEEDED "'");
}

esp_status hook_read_secret(const struct hook_store *store, struct esp_call *call, const json_t *ref,
                            esp_bytes *object)
{
    esp_bytes name = esp_tree_text(ref, "name"), ns = esp_tree_text(ref, "namespace");

    if (store->cluster_wide && ns.len == 0)
        return esp_failf(hook_host, call, ESP_E_CONFIG, "no namespace on ClusterScoped webhook secret %.*s",
                         ESP_ARG(name));
    esp_status status = hook_host->kube_read(call, ESP_KUBE_SECRET_OBJECT, ns, name, esp_str(""), object);
    if (status == ESP_E_NOT_FOUND)
        return esp_failf(hook_host, call, ESP_E_CONFIG,
                         "failed to get clustersecretstore webhook secret %.*s: secrets \"%.*s\" not found",
                         ESP_ARG(name), ESP_ARG(name));
    return status == ESP_OK ? check_label(call, *object) : status;
}

/* The values of the Secret as members of a JSON object, each after a comma. */
static bool add_values(struct esp_text *out, esp_bytes object, bool *first)
{
    struct esp_json_iter it;
    struct esp_text data, encoded, plain;
    esp_bytes name, value;

    esp_text_init(&data, HOOK_MAX_TEXT);
    esp_text_init(&encoded, HOOK_MAX_TEXT);
    esp_text_init(&plain, HOOK_MAX_TEXT);
    bool good = esp_json_get_raw(object, esp_str("data"), &data, NULL) >= 0;
    bool any = good && data.len && esp_json_members(&it, esp_text_bytes(&data));
    while (good && any && esp_json_next(&it, &name, &value)) {
        esp_text_cut(&encoded, 0);
        esp_text_cut(&plain, 0);
        esp_json_plain(value, &encoded);
        good = !esp_text_failed(&encoded) && esp_base64_decode(esp_text_bytes(&encoded), &plain);
        if (!*first)
            esp_text_addc(out, ',');
        esp_text_add(out, name);
        esp_text_addc(out, ':');
        esp_json_quote(esp_text_bytes(&plain), out);
        *first = false;
    }
    esp_text_free(&data);
    esp_text_free(&encoded);
    esp_text_free(&plain);
    return good && !esp_text_failed(out);
}

/* Entries of one name are one to templates. */
static bool came_before(const json_t *secrets, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (esp_equal(esp_tree_text(json_array_get(secrets, i), "name"),
                      esp_tree_text(json_array_get(secrets, index), "name")))
            return true;
    return false;
}

static esp_status add_named(const struct hook_store *store, struct esp_call *call, size_t index,
                            struct esp_text *out)
{
    esp_bytes name = esp_tree_text(json_array_get(store->secrets, index), "name"), object = {0};
    esp_status status = ESP_OK;
    bool first = true;

    esp_text_addc(out, ',');
    esp_json_quote(name, out);
    esp_text_adds(out, ":{");
    for (size_t i = index; i < json_array_size(store->secrets) && status == ESP_OK; i++) {
        const json_t *entry = json_array_get(store->secrets, i);
        if (!esp_equal(esp_tree_text(entry, "name"), name))
            continue;
        status = hook_read_secret(store, call, json_object_get(entry, "secretRef"), &object);
        if (status == ESP_OK && !add_values(out, object, &first))
            status = hook_no_memory(call);
    }
    esp_text_addc(out, '}');
    return status;
}

esp_status hook_add_secrets(const struct hook_store *store, struct esp_call *call, struct esp_text *out)
{
    esp_status status = ESP_OK;

    for (size_t i = 0; i < json_array_size(store->secrets) && status == ESP_OK; i++) {
        esp_bytes name = esp_tree_text(json_array_get(store->secrets, i), "name");
        if (esp_equal_str(name, "remoteRef"))
            return esp_failf(
                hook_host, call, ESP_E_CONFIG,
                "secrets[%zu].name is remoteRef, which templates call the reference by: choose another", i);
        if (!came_before(store->secrets, i))
            status = add_named(store, call, i, out);
    }
    return status;
}

bool hook_names_secret(const struct hook_store *store, esp_bytes template)
{
    for (size_t i = 0; i < json_array_size(store->secrets); i++) {
        esp_bytes name = esp_tree_text(json_array_get(store->secrets, i), "name");
        if (name.len == 0 || (template.len && memmem(template.ptr, template.len, name.ptr, name.len)))
            return true;
    }
    return false;
}

/* ---- the data ---- */

static void add_member(struct esp_text *out, esp_bytes name, esp_bytes value, bool query)
{
    struct esp_text encoded;

    if (out->len && out->ptr[out->len - 1] != '{')
        esp_text_addc(out, ',');
    esp_json_quote(name, out);
    esp_text_addc(out, ':');
    if (!query) {
        esp_json_quote(value, out);
        return;
    }
    esp_text_init(&encoded, 3 * HOOK_MAX_TEXT);
    esp_query_add(&encoded, value);
    esp_json_quote(esp_text_bytes(&encoded), out);
    if (esp_text_failed(&encoded))
        out->failed = true;
    esp_text_free(&encoded);
}

/* All names are always there: one URL may serve reads and pushes, and a name that has nothing to
 * say is empty. */
void hook_add_data(struct esp_text *out, const struct hook_ref *ref, bool query, esp_bytes secrets)
{
    esp_text_adds(out, "{\"remoteRef\":{");
    add_member(out, esp_str("key"), ref->key, query);
    add_member(out, esp_str("property"), ref->property, query);
    add_member(out, esp_str("version"), ref->version, query);
    add_member(out, esp_str("namespace"), ref->namespace, query);
    add_member(out, esp_str("remoteKey"), ref->remote_key, query);
    add_member(out, esp_str("secretKey"), ref->secret_key, query);
    if (ref->has_value)
        add_member(out, ref->remote_key, ref->value, query);
    esp_text_addc(out, '}');
    esp_text_add(out, secrets);
    esp_text_addc(out, '}');
}

esp_status hook_render(struct esp_call *call, const char *step, esp_bytes template,
                       const struct esp_text *data, esp_bytes *ret)
{
    if (template.len == 0 || !memmem(template.ptr, template.len, "{{", 2)) {
        *ret = template;
        return ESP_OK;
    }
    if (esp_text_failed(data))
        return hook_no_memory(call);
    esp_status status = hook_host->render(call, template, esp_text_bytes(data), ret);
    return status == ESP_OK ? status : hook_host->fail(call, status, 0, esp_str(step));
}
