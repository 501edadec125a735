/* plugins/aws/aws.c: the tables of the plugin, and what all services answer in the same way. */
#include <stdlib.h>

#include "batch.h"
#include "request.h"
extern const char aws_schema[]; /* schema.json, compiled in */

/* ---- the store ---- */

/* In the words of the service, which would refuse a deletion otherwise. */
static esp_status check_deletion(struct esp_call *call, const json_t *spec)
{
    const json_t *settings = json_object_get(spec, "secretsManager");
    json_int_t days = json_integer_value(json_object_get(settings, "recoveryWindowInDays"));

    if (days != 0 && (days < 7 || days > 30))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "invalid DeleteSecretInput: RecoveryWindowInDays must be between 7 and 30 days");
    if (days != 0 && json_is_true(json_object_get(settings, "forceDeleteWithoutRecovery")))
        return esp_failf(
            aws_host, call, ESP_E_CONFIG,
            "invalid DeleteSecretInput: ForceDeleteWithoutRecovery conflicts with RecoveryWindowInDays");
    return ESP_OK;
}

static esp_status aws_check(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    json_t *document = aws_document(call, req);
    if (!document)
        return ESP_E_INTERNAL;
    const json_t *spec = json_object_get(document, "spec");
    esp_bytes service = esp_tree_text(spec, "service");
    esp_status status = ESP_OK;
    if (!aws_service_named(service))
        status =
            esp_failf(aws_host, call, ESP_E_CONFIG, "unknown AWS Provider Service: %.*s", ESP_ARG(service));
    if (status == ESP_OK)
        status = check_deletion(call, spec);
    if (status == ESP_OK)
        status = aws_session_check(call, spec, document);
    json_decref(document);
    return status;
}

static esp_status aws_open(struct esp_call *call, const struct esp_request *req, void **instance)
{
    struct aws_store *store = NULL;
    json_t *document = aws_document(call, req);
    if (!document)
        return ESP_E_INTERNAL;
    esp_status status = aws_store_open(call, document, &store);
    json_decref(document);
    if (status == ESP_OK)
        *instance = store;
    return status;
}

static void aws_close(void *instance, struct esp_call *call)
{
    (void)call;
    aws_store_close(instance);
}

static esp_status aws_validate(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct aws_store *store = instance;
    (void)req;
    return aws_session_ready(store->session, call);
}

/* ---- reading ---- */

static struct aws_ref ref_of(const json_t *ref)
{
    return (struct aws_ref){.key = esp_tree_text(ref, "key"),
                            .version = esp_tree_text(ref, "version"),
                            .wants_tags = esp_equal_str(esp_tree_text(ref, "metadataPolicy"), "Fetch")};
}

static esp_status aws_get(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct aws_store *store = instance;
    struct aws_verdict verdict = {0};
    struct esp_text value;
    json_t *document = aws_document(call, req);
    if (!document)
        return ESP_E_INTERNAL;
    const struct aws_ref ref = ref_of(document);

    esp_text_init(&value, AWS_MAX_TEXT);
    esp_status status = store->service->read(store, call, &ref, &value, &verdict);
    if (status == ESP_OK)
        status = aws_tell(call, &verdict);
    if (status == ESP_OK)
        status = aws_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&value));
    esp_text_free(&value);
    json_decref(document);
    return status;
}

static esp_status read_all(struct aws_store *store, struct esp_call *call, const json_t *refs)
{
    size_t count = json_array_size(refs), i;
    struct aws_item *items = calloc(count ? count : 1, sizeof *items);
    json_t *ref;

    if (!items)
        return aws_no_memory(call);
    json_array_foreach (refs, i, ref)
        items[i] = (struct aws_item){.ref = ref_of(ref), .index = i};
    esp_status status = aws_batch(store, call, items, count);
    free(items);
    return status;
}

static esp_status aws_get_batch(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *document = aws_document(call, req);
    if (!document)
        return ESP_E_INTERNAL;
    esp_status status = read_all(instance, call, json_object_get(document, "refs"));
    json_decref(document);
    return status;
}

/* ---- what each service does in its own way ---- */

static esp_status aws_list(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return ((struct aws_store *)instance)->service->list(instance, call, req);
}

static esp_status emit_found(struct esp_call *call, bool found)
{
    return aws_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(found ? "true" : "false"));
}

static esp_status emit_exists(struct esp_call *call, esp_bytes property, const struct esp_text *value,
                              const struct aws_verdict *verdict)
{
    struct esp_text found;

    if (verdict->status == ESP_E_NOT_FOUND)
        return emit_found(call, false);
    if (verdict->status != ESP_OK)
        return aws_tell(call, verdict);
    if (property.len == 0)
        return emit_found(call, true);
    esp_text_init(&found, AWS_MAX_TEXT);
    int rc = esp_json_get(esp_text_bytes(value), property, ESP_JSON_ESCAPED_FIRST, &found);
    esp_text_free(&found);
    return rc < 0 ? aws_no_memory(call) : emit_found(call, rc == 1);
}

static esp_status exists_to_read(struct aws_store *store, struct esp_call *call, const json_t *document)
{
    const struct aws_ref ref = {.key = esp_tree_text(document, "remoteKey")};
    struct aws_verdict verdict = {0};
    struct esp_text value;

    esp_text_init(&value, AWS_MAX_TEXT);
    esp_status status = store->service->read(store, call, &ref, &value, &verdict);
    if (status == ESP_OK)
        status = emit_exists(call,
                             store->service->pushes_whole ? esp_str("") : esp_tree_text(document, "property"),
                             &value, &verdict);
    esp_text_free(&value);
    return status;
}

static esp_status aws_exists(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct aws_store *store = instance;
    if (store->service->exists)
        return store->service->exists(store, call, req);
    json_t *document = aws_document(call, req);
    if (!document)
        return ESP_E_INTERNAL;
    esp_status status = exists_to_read(store, call, document);
    json_decref(document);
    return status;
}

static esp_status aws_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return ((struct aws_store *)instance)->service->push(instance, call, req);
}

static esp_status aws_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return ((struct aws_store *)instance)->service->remove(instance, call, req);
}

/* ---- tables ---- */

static const struct esp_store_ops aws_ops = {
    .size = sizeof aws_ops,
    .check = aws_check,
    .open = aws_open,
    .close = aws_close,
    .validate = aws_validate,
    .get = aws_get,
    .get_batch = aws_get_batch,
    .list = aws_list,
    .exists = aws_exists,
    .push = aws_push,
    .remove = aws_remove,
};

static const struct esp_component aws_component = {
    .size = sizeof aws_component,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES |
            ESP_CAP_STRICT_PROPERTIES,
    .maintenance = ESP_MAINTAINED,
    .name = "aws",
    .label = "AWS",
    .schema = aws_schema,
    .store = &aws_ops,
};

static const struct esp_component *const components[] = {&aws_component, NULL};

static const struct esp_plugin aws_plugin = {
    .size = sizeof aws_plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .needs_minor = 1, /* host->wait */
    .name = "aws",
    .version = "1.0.0",
    .components = components,
    .ambient = aws_ambient,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    aws_host = services;
    return &aws_plugin;
}
