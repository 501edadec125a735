/* plugins/kubernetes/push.c: what a PushSecret writes, and what it takes away again. */
#include <esp/codec.h>
#include <esp/json.h>
#include <esp/push.h>

#include "write.h"

#define MAX_SPEC ((size_t)1 << 20)

/* A copy of all that kubectl ever applied, values included: it belongs to the source alone. */
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

enum target_policy { TARGET_MERGE, TARGET_REPLACE, TARGET_IGNORE };

/* One push. Borrows from the request. */
struct push {
    const struct kube_store *store;
    const struct esp_request *request;
    json_t *document;
    esp_bytes name, property, type;
    struct esp_text ns;
    struct kube_pairs labels, annotations; /* what comes with the source */
    enum target_policy target;
};

/* ---- metadata ---- */

static const char *const known[] = {"targetMergePolicy", "sourceMergePolicy", "labels",
                                    "annotations",       "remoteNamespace",   NULL};

/* The text of a member; `out` stays empty without, and has failed without memory. */
static void get(const struct esp_text *spec, const char *path, struct esp_text *out)
{
    esp_text_cut(out, 0);
    if (esp_json_get(esp_text_bytes(spec), esp_str(path), ESP_JSON_PATH, out) < 0)
        out->failed = true;
}

static void read_member(const struct esp_text *spec, const char *name, struct kube_pairs *into)
{
    struct esp_text raw;

    esp_text_init(&raw, MAX_SPEC);
    int found = esp_json_get_raw(esp_text_bytes(spec), esp_str(name), &raw, NULL);
    if (found < 0)
        into->failed = true;
    if (found == 1)
        kube_pairs_read(into, esp_text_bytes(&raw));
    esp_text_free(&raw);
}

static esp_status read_target_policy(struct push *p, struct esp_call *call, esp_bytes policy)
{
    if (policy.len == 0 || esp_equal_str(policy, "Merge"))
        p->target = TARGET_MERGE;
    else if (esp_equal_str(policy, "Replace"))
        p->target = TARGET_REPLACE;
    else if (esp_equal_str(policy, "Ignore"))
        p->target = TARGET_IGNORE;
    else
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "failed to merge target metadata: unexpected target merge policy \"%.*s\": it is "
                         "Merge, Replace or Ignore",
                         ESP_ARG(policy));
    return ESP_OK;
}

static esp_status read_source_policy(struct push *p, struct esp_call *call, esp_bytes policy)
{
    if (esp_equal_str(policy, "Replace")) {
        kube_pairs_free(&p->labels);
        kube_pairs_free(&p->annotations);
    } else if (policy.len && !esp_equal_str(policy, "Merge")) {
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "failed to merge source metadata: unexpected source merge policy \"%.*s\": it is "
                         "Merge or Replace",
                         ESP_ARG(policy));
    }
    return ESP_OK;
}

static esp_status read_namespace(const struct kube_store *store, struct esp_call *call,
                                 const struct esp_text *spec, struct esp_text *ret)
{
    get(spec, "remoteNamespace", ret);
    if (esp_text_failed(ret))
        return kube_no_memory(call);
    if (ret->len && !store->cluster_wide)
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "remoteNamespace override is only supported with ClusterSecretStore");
    if (ret->len == 0)
        esp_text_add(ret, store->remote_namespace);
    return esp_text_failed(ret) ? kube_no_memory(call) : ESP_OK;
}

static esp_status read_spec(struct push *p, struct esp_call *call, const struct esp_text *spec)
{
    struct esp_text word;

    esp_text_init(&word, 1024);
    esp_status status = read_namespace(p->store, call, spec, &p->ns);
    get(spec, "targetMergePolicy", &word);
    if (status == ESP_OK)
        status = read_target_policy(p, call, esp_text_bytes(&word));
    get(spec, "sourceMergePolicy", &word);
    if (status == ESP_OK)
        status = read_source_policy(p, call, esp_text_bytes(&word));
    if (esp_text_failed(&word))
        status = kube_no_memory(call);
    esp_text_free(&word);
    read_member(spec, "labels", &p->labels);
    read_member(spec, "annotations", &p->annotations);
    return status;
}

/* The metadata of the request, and what is read from it. */
static esp_status with_spec(struct esp_call *call, const struct esp_request *request, struct esp_text *spec)
{
    esp_text_init(spec, MAX_SPEC);
    return esp_push_spec_of(kube_host, call, request, known, "unable to parse metadata parameters: ", spec);
}

static void read_object(const json_t *object, struct kube_pairs *into)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value)
        kube_pairs_set(into, esp_str(name), esp_span(json_string_value(value), json_string_length(value)));
}

static esp_status begin(struct push *p, struct esp_call *call, const struct esp_request *request)
{
    struct esp_text spec;

    p->request = request;
    p->name = esp_tree_text(p->document, "remoteKey");
    p->property = esp_tree_text(p->document, "property");
    p->type = esp_tree_text(p->document, "type");
    if (p->type.len == 0)
        p->type = esp_str("Opaque");
    if (p->property.len == 0 && esp_tree_text(p->document, "secretKey").len)
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "requires property in RemoteRef to push secret value if secret key is defined");
    read_object(json_object_get(p->document, "labels"), &p->labels);
    read_object(json_object_get(p->document, "annotations"), &p->annotations);
    kube_pairs_remove(&p->annotations, esp_str(LAST_APPLIED));
    esp_status status = with_spec(call, request, &spec);
    if (status == ESP_OK)
        status = read_spec(p, call, &spec);
    esp_text_free(&spec);
    if (status == ESP_OK && (p->labels.failed || p->annotations.failed || esp_text_failed(&p->ns)))
        status = kube_no_memory(call);
    return status;
}

/* ---- what the Secret is to be ---- */

static void set_base64(struct kube_pairs *data, esp_bytes name, esp_bytes value)
{
    struct esp_text encoded;

    esp_text_init(&encoded, 2 * KUBE_MAX_TEXT);
    esp_base64_add(&encoded, value);
    if (esp_text_failed(&encoded))
        data->failed = true;
    else
        kube_pairs_set(data, name, esp_text_bytes(&encoded));
    esp_text_free(&encoded);
}

/* Without a property all of the data is replaced, with one that key alone. */
static esp_status draft_data(const struct push *p, struct esp_call *call, const struct kube_secret *old,
                             struct kube_pairs *ret)
{
    struct esp_text value;

    for (size_t i = 0; p->property.len == 0 && i < p->request->value_count; i++)
        set_base64(ret, p->request->values[i].name, p->request->values[i].value);
    if (p->property.len == 0)
        return ESP_OK;
    if (old)
        kube_pairs_merge(ret, &old->data);
    esp_text_init(&value, KUBE_MAX_TEXT);
    esp_status status = esp_push_value(kube_host, call, p->request, &value);
    if (status == ESP_OK)
        set_base64(ret, p->property, esp_text_bytes(&value));
    esp_text_free(&value);
    return status;
}

static void draft_pairs(const struct push *p, const struct kube_pairs *old, const struct kube_pairs *source,
                        struct kube_pairs *ret)
{
    if (old && p->target != TARGET_REPLACE)
        kube_pairs_merge(ret, old);
    if (p->target != TARGET_IGNORE)
        kube_pairs_merge(ret, source);
}

/* Empty and absent are the same to the API server, and to this. */
static bool is_unchanged(const struct kube_draft *draft, const struct kube_secret *old)
{
    return esp_equal(draft->type, esp_text_bytes(&old->type)) && kube_pairs_equal(draft->data, &old->data) &&
           kube_pairs_equal(draft->labels, &old->labels) &&
           kube_pairs_equal(draft->annotations, &old->annotations);
}

static esp_status write_draft(const struct push *p, struct esp_call *call, const struct kube_draft *draft,
                              const struct kube_secret *old, bool *raced)
{
    if (!old)
        return kube_create(p->store, call, draft, raced);
    if (is_unchanged(draft, old))
        return ESP_OK;
    if (!esp_equal(draft->type, esp_text_bytes(&old->type)))
        return esp_failf(
            kube_host, call, ESP_E_CONFIG,
            "cannot update secret \"%.*s\" in namespace \"%.*s\": it is of type %s, the pushed one of "
            "type %.*s, and the type of a Secret cannot change: delete it, or push another type",
            ESP_ARG(draft->name), ESP_ARG(draft->ns), esp_text_str(&old->type), ESP_ARG(draft->type));
    return kube_replace(p->store, call, draft, old, raced);
}

/* `old` is NULL when there is no such Secret. */
static esp_status write_over(const struct push *p, struct esp_call *call, const struct kube_secret *old,
                             bool *raced)
{
    struct kube_pairs data = {0}, labels = {0}, annotations = {0};
    const struct kube_draft draft = {esp_text_bytes(&p->ns), p->name, p->type, &data, &labels, &annotations};

    draft_pairs(p, old ? &old->labels : NULL, &p->labels, &labels);
    draft_pairs(p, old ? &old->annotations : NULL, &p->annotations, &annotations);
    esp_status status = draft_data(p, call, old, &data);
    if (status == ESP_OK && (data.failed || labels.failed || annotations.failed))
        status = kube_no_memory(call);
    if (status == ESP_OK)
        status = write_draft(p, call, &draft, old, raced);
    kube_pairs_free(&data);
    kube_pairs_free(&labels);
    kube_pairs_free(&annotations);
    return status;
}

static esp_status push_once(const struct push *p, struct esp_call *call, bool *raced)
{
    struct kube_secret old;

    esp_status status = kube_fetch(p->store, call, esp_text_bytes(&p->ns), p->name, &old);
    if (status == ESP_E_NOT_FOUND)
        return write_over(p, call, NULL, raced);
    if (status != ESP_OK)
        return status;
    status = write_over(p, call, &old, raced);
    kube_secret_free(&old);
    return status;
}

/* Several PushSecrets may push properties into one Secret at the same time. Each reads, changes
 * and writes the version that it has read, so nobody's property is lost. */
static esp_status push(const struct push *p, struct esp_call *call)
{
    for (int i = 0; i < KUBE_MAX_WRITES; i++) {
        bool raced = false;
        esp_status status = push_once(p, call, &raced);
        if (status != ESP_OK || !raced)
            return status;
    }
    return kube_outraced(call, "update", p->name, esp_text_bytes(&p->ns));
}

esp_status kube_push(void *instance, struct esp_call *call, const struct esp_request *request)
{
    struct push p = {.store = instance, .document = esp_tree_read(request->json)};

    if (!p.document)
        return kube_no_memory(call);
    esp_text_init(&p.ns, KUBE_MAX_NAME);
    esp_status status = begin(&p, call, request);
    if (status == ESP_OK)
        status = push(&p, call);
    esp_text_free(&p.ns);
    kube_pairs_free(&p.labels);
    kube_pairs_free(&p.annotations);
    json_decref(p.document);
    return status;
}

/* ---- remove ---- */

/* One key of several goes alone; the last one, or no key in particular, takes the Secret along. */
static esp_status remove_from(const struct kube_store *store, struct esp_call *call, esp_bytes ns,
                              esp_bytes property, struct kube_secret *old, bool *raced)
{
    if (property.len && !kube_pairs_get(&old->data, property))
        return ESP_OK;
    if (property.len == 0 || old->data.count == 1)
        return kube_delete(store, call, ns, old, raced);
    kube_pairs_remove(&old->data, property);
    const struct kube_draft draft = {
        ns,           esp_text_bytes(&old->name), esp_text_bytes(&old->type), &old->data,
        &old->labels, &old->annotations};
    return kube_replace(store, call, &draft, old, raced);
}

static esp_status remove_once(const struct kube_store *store, struct esp_call *call, const json_t *document,
                              esp_bytes ns, bool *raced)
{
    struct kube_secret old;

    esp_status status = kube_fetch(store, call, ns, esp_tree_text(document, "remoteKey"), &old);
    if (status == ESP_E_NOT_FOUND)
        return ESP_OK;
    if (status != ESP_OK)
        return status;
    status = remove_from(store, call, ns, esp_tree_text(document, "property"), &old, raced);
    kube_secret_free(&old);
    return status;
}

static esp_status remove_all(const struct kube_store *store, struct esp_call *call, const json_t *document,
                             esp_bytes ns)
{
    for (int i = 0; i < KUBE_MAX_WRITES; i++) {
        bool raced = false;
        esp_status status = remove_once(store, call, document, ns, &raced);
        if (status != ESP_OK || !raced)
            return status;
    }
    return kube_outraced(call, "delete", esp_tree_text(document, "remoteKey"), ns);
}

/* What was pushed into another namespace is removed there. */
esp_status kube_remove(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const struct kube_store *store = instance;
    struct esp_text spec, ns;
    json_t *document = esp_tree_read(request->json);

    if (!document)
        return kube_no_memory(call);
    esp_text_init(&ns, KUBE_MAX_NAME);
    esp_status status = with_spec(call, request, &spec);
    if (status == ESP_OK)
        status = read_namespace(store, call, &spec, &ns);
    if (status == ESP_OK)
        status = remove_all(store, call, document, esp_text_bytes(&ns));
    esp_text_free(&spec);
    esp_text_free(&ns);
    json_decref(document);
    return status;
}

/* ---- exists ---- */

esp_status kube_exists(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const struct kube_store *store = instance;
    struct kube_secret secret;
    json_t *document = esp_tree_read(request->json);
    bool found = false;

    if (!document)
        return kube_no_memory(call);
    esp_bytes property = esp_tree_text(document, "property");
    esp_status status =
        kube_fetch(store, call, store->remote_namespace, esp_tree_text(document, "remoteKey"), &secret);
    if (status == ESP_OK) {
        found = property.len == 0 || kube_pairs_get(&secret.data, property);
        kube_secret_free(&secret);
    }
    json_decref(document);
    if (status != ESP_OK && status != ESP_E_NOT_FOUND)
        return status;
    return kube_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(found ? "true" : "false"));
}
