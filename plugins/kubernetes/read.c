/* plugins/kubernetes/read.c: one Secret, or a part of it. */
#include <esp/json.h>

#include "api.h"

/* What a reference asks for. Borrowed from its document. */
struct ref {
    esp_bytes key, property;
    bool metadata; /* metadataPolicy: Fetch */
};

static struct ref ref_of(const json_t *document)
{
    return (struct ref){.key = esp_tree_text(document, "key"),
                        .property = esp_tree_text(document, "property"),
                        .metadata = esp_equal_str(esp_tree_text(document, "metadataPolicy"), "Fetch")};
}

static esp_status emit(struct esp_call *call, esp_bytes key, const struct esp_text *value)
{
    if (esp_text_failed(value))
        return kube_no_memory(call);
    return kube_host->emit(call, ESP_OUT_VALUE, key, esp_text_bytes(value));
}

/* Labels or annotations as JSON, null where the Secret has none. */
static void add_map(struct esp_text *out, const struct kube_pairs *pairs, bool there)
{
    if (there)
        esp_json_values(pairs->items, pairs->count, false, out);
    else
        esp_text_adds(out, "null");
}

/* ---- properties ---- */

/* `property` is a name, or a name, a dot and a path into the JSON that is its value. Names may
 * hold dots (tls.crt, app.kubernetes.io/name), so the whole comes first and then each
 * way to part it. 1, 0, or -1 without memory. */
static int look_up(const struct kube_pairs *values, esp_bytes property, struct esp_text *out)
{
    const esp_bytes *whole = kube_pairs_get(values, property);

    if (whole) {
        esp_text_add(out, *whole);
        return esp_text_failed(out) ? -1 : 1;
    }
    for (size_t dot = 1; dot + 1 < property.len; dot++) {
        if (property.ptr[dot] != '.')
            continue;
        const esp_bytes *value = kube_pairs_get(values, esp_span(property.ptr, dot));
        esp_bytes path = esp_span(property.ptr + dot + 1, property.len - dot - 1);
        int found = value ? esp_json_get(*value, path, ESP_JSON_PATH, out) : 0;
        if (found)
            return found;
    }
    return 0;
}

/* labels, annotations, or one of them by name. As look_up. */
static int look_up_metadata(const struct kube_secret *s, esp_bytes property, struct esp_text *out)
{
    static const char *const names[] = {"labels", "annotations"};

    for (size_t i = 0; i < 2; i++) {
        const struct kube_pairs *pairs = i ? &s->annotations : &s->labels;
        esp_bytes name = esp_str(names[i]);
        if (!esp_starts_with(property, name))
            continue;
        if (property.len == name.len) {
            add_map(out, pairs, i ? s->has_annotations : s->has_labels);
            return esp_text_failed(out) ? -1 : 1;
        }
        if (property.ptr[name.len] == '.')
            return look_up(pairs, esp_span(property.ptr + name.len + 1, property.len - name.len - 1), out);
    }
    return 0;
}

static int look_up_data(const struct kube_secret *s, esp_bytes property, struct esp_text *out)
{
    struct kube_pairs plain = {0};

    kube_pairs_decode(&plain, &s->data);
    int found = plain.failed ? -1 : look_up(&plain, property, out);
    kube_pairs_free(&plain);
    return found;
}

static esp_status get_property(struct esp_call *call, const struct kube_secret *s, const struct ref *ref,
                               struct esp_text *out)
{
    int found = ref->metadata ? look_up_metadata(s, ref->property, out) : look_up_data(s, ref->property, out);

    if (found < 0)
        return kube_no_memory(call);
    if (found == 0)
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "property %.*s does not exist in %s of secret \"%.*s\"", ESP_ARG(ref->property),
                         ref->metadata ? "metadata" : "data", ESP_ARG(ref->key));
    return emit(call, esp_str(""), out);
}

/* ---- whole Secrets ---- */

static esp_status get_whole(struct esp_call *call, const struct kube_secret *s, const struct ref *ref,
                            struct esp_text *out)
{
    if (!ref->metadata) {
        if (!kube_secret_values(s, out))
            return kube_no_memory(call);
        return emit(call, esp_str(""), out);
    }
    esp_text_adds(out, "{\"annotations\":");
    add_map(out, &s->annotations, s->has_annotations);
    esp_text_adds(out, ",\"labels\":");
    add_map(out, &s->labels, s->has_labels);
    esp_text_addc(out, '}');
    return emit(call, esp_str(""), out);
}

static esp_status emit_data(struct esp_call *call, const struct kube_secret *s)
{
    struct kube_pairs plain = {0};

    kube_pairs_decode(&plain, &s->data);
    esp_status status = plain.failed ? kube_no_memory(call) : ESP_OK;
    for (size_t i = 0; i < plain.count && status == ESP_OK; i++)
        status = kube_host->emit(call, ESP_OUT_VALUE, plain.items[i].name, plain.items[i].value);
    kube_pairs_free(&plain);
    return status;
}

static esp_status emit_metadata(struct esp_call *call, const struct kube_secret *s, struct esp_text *out)
{
    add_map(out, &s->labels, s->has_labels);
    esp_status status = emit(call, esp_str("labels"), out);
    esp_text_cut(out, 0);
    add_map(out, &s->annotations, s->has_annotations);
    return status == ESP_OK ? emit(call, esp_str("annotations"), out) : status;
}

/* ---- maps of a property ---- */

/* Each member as JSON, strings with their quotes: what the reference makes of them, and what
 * ExternalSecrets out there are written for. */
static esp_status emit_members(struct esp_call *call, const struct ref *ref, esp_bytes json)
{
    struct esp_json_iter it;
    struct esp_text name, value;
    esp_bytes raw_name, raw_value;
    esp_status status = ESP_OK;

    if (!esp_json_members(&it, json))
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "failed to unmarshal secret: invalid JSON format: property %.*s of secret \"%.*s\" "
                         "is not a JSON object",
                         ESP_ARG(ref->property), ESP_ARG(ref->key));
    esp_text_init(&name, KUBE_MAX_TEXT);
    esp_text_init(&value, KUBE_MAX_TEXT);
    while (status == ESP_OK && esp_json_next(&it, &raw_name, &raw_value)) {
        esp_text_cut(&name, 0);
        esp_text_cut(&value, 0);
        esp_json_plain(raw_name, &name);
        status = esp_text_failed(&name) || !esp_json_sorted(raw_value, &value)
                     ? kube_no_memory(call)
                     : emit(call, esp_text_bytes(&name), &value);
    }
    esp_text_free(&name);
    esp_text_free(&value);
    return status;
}

/* A property of the map is one of its keys: there is no path to follow. */
static bool take_key(const struct kube_secret *s, const struct ref *ref, struct esp_text *out)
{
    struct kube_pairs plain = {0};

    if (ref->metadata)
        return (esp_equal_str(ref->property, "labels") || esp_equal_str(ref->property, "annotations")) &&
               look_up_metadata(s, ref->property, out) == 1;
    kube_pairs_decode(&plain, &s->data);
    const esp_bytes *value = kube_pairs_get(&plain, ref->property);
    if (value)
        esp_text_add(out, *value);
    bool found = value != NULL;
    kube_pairs_free(&plain);
    return found && !esp_text_failed(out);
}

static esp_status map_of_property(struct esp_call *call, const struct kube_secret *s, const struct ref *ref,
                                  struct esp_text *out)
{
    if (!take_key(s, ref, out))
        return esp_failf(kube_host, call, ESP_E_CONFIG, "property %.*s does not exist in key %.*s",
                         ESP_ARG(ref->property), ESP_ARG(ref->key));
    return emit_members(call, ref, esp_text_bytes(out));
}

static esp_status map_of(struct esp_call *call, const struct kube_secret *s, const struct ref *ref,
                         struct esp_text *out)
{
    if (ref->property.len)
        return map_of_property(call, s, ref, out);
    return ref->metadata ? emit_metadata(call, s, out) : emit_data(call, s);
}

static esp_status value_of(struct esp_call *call, const struct kube_secret *s, const struct ref *ref,
                           struct esp_text *out)
{
    return ref->property.len ? get_property(call, s, ref, out) : get_whole(call, s, ref, out);
}

/* ---- operations ---- */

typedef esp_status answer_fn(struct esp_call *call, const struct kube_secret *s, const struct ref *ref,
                             struct esp_text *out);

static esp_status read_with(void *instance, struct esp_call *call, const struct esp_request *request,
                            answer_fn *answer)
{
    const struct kube_store *store = instance;
    struct kube_secret secret;
    struct esp_text out;
    json_t *document = esp_tree_read(request->json);

    if (!document)
        return kube_no_memory(call);
    const struct ref ref = ref_of(document);
    esp_status status = kube_fetch(store, call, store->remote_namespace, ref.key, &secret);
    if (status == ESP_OK) {
        esp_text_init(&out, KUBE_MAX_TEXT);
        status = answer(call, &secret, &ref, &out);
        esp_text_free(&out);
        kube_secret_free(&secret);
    }
    json_decref(document);
    return status;
}

esp_status kube_get(void *instance, struct esp_call *call, const struct esp_request *request)
{
    return read_with(instance, call, request, value_of);
}

esp_status kube_get_map(void *instance, struct esp_call *call, const struct esp_request *request)
{
    return read_with(instance, call, request, map_of);
}
