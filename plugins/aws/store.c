#include "store.h"

#include <stdlib.h>

#include "certificates.h"

static const struct aws_service *const services[] = {&aws_secrets_manager, &aws_parameter_store,
                                                     &aws_certificate_manager};

const struct aws_service *aws_service_named(esp_bytes name)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (esp_equal_str(name, services[i]->name))
            return services[i];
    return NULL;
}

static bool fill(struct aws_store *store, const json_t *spec)
{
    const json_t *settings = json_object_get(spec, "secretsManager");
    esp_bytes prefix = esp_tree_text(spec, "prefix");

    store->service = aws_service_named(esp_tree_text(spec, "service"));
    store->force_delete = json_is_true(json_object_get(settings, "forceDeleteWithoutRecovery"));
    store->recovery_days = json_integer_value(json_object_get(settings, "recoveryWindowInDays"));
    store->prefix = esp_dup(prefix);
    if (store->service == &aws_certificate_manager)
        store->certificates = aws_certificates_new();
    return (store->prefix.ptr || prefix.len == 0) &&
           (store->certificates || store->service != &aws_certificate_manager);
}

esp_status aws_store_open(struct esp_call *call, const json_t *document, struct aws_store **ret)
{
    const json_t *spec = json_object_get(document, "spec");
    struct aws_store *store = calloc(1, sizeof *store);

    if (!store)
        return aws_no_memory(call);
    esp_status status = fill(store, spec) ? ESP_OK : aws_no_memory(call);
    if (status == ESP_OK && !store->service)
        status = esp_failf(aws_host, call, ESP_E_CONFIG, "unknown AWS Provider Service: %.*s",
                           ESP_ARG(esp_tree_text(spec, "service")));
    if (status == ESP_OK)
        status = aws_session_open(call, spec, document, &store->session);
    if (status != ESP_OK) {
        aws_store_close(store);
        return status;
    }
    *ret = store;
    return ESP_OK;
}

void aws_store_close(struct aws_store *store)
{
    if (!store)
        return;
    aws_session_close(store->session);
    aws_certificates_free(store->certificates);
    esp_dup_free(store->prefix);
    free(store);
}

void aws_store_id(const struct aws_store *store, esp_bytes key, struct esp_text *id)
{
    esp_text_init(id, AWS_MAX_ID);
    esp_text_add(id, store->prefix);
    esp_text_add(id, key);
}

void aws_ref_id(const struct aws_store *store, const struct aws_ref *ref, struct esp_text *id)
{
    aws_store_id(store, ref->key, id);
    if (!ref->is_id)
        return;
    esp_text_cut(id, 0);
    esp_text_add(id, ref->key);
}
