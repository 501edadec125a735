/* plugins/fake/fake.c: a store whose entries stand in its own spec.
 *
 * The smallest complete plugin: it reads, lists and takes what is pushed.
 * docs/writing-a-plugin.md walks through it. */
#include <stdlib.h>

#include <esp/plugin.h>
#include <esp/push.h>
#include <esp/text.h>
#include <esp/tree.h>

#include "entries.h"
#include "memory.h"

extern const char fake_schema[]; /* schema.json, compiled in */

static const struct esp_host *host;

/* An opened store. Nothing in it changes until it is closed, so any number of
 * threads may read it; the shelf has its own lock. */
struct store {
    json_t *request; /* the document it was opened with: the entries point into it */
    struct fake_entries entries;
    struct fake_shelf *shelf;
    json_int_t validation_result;
};

static esp_status no_memory(struct esp_call *call)
{
    return esp_failf(host, call, ESP_E_INTERNAL, "out of memory");
}

static esp_status warn_of_nothing(struct esp_call *call, size_t index)
{
    struct esp_text warning;
    esp_text_init(&warning, 100);
    esp_text_addf(&warning, "at least one value must be set in data %zu", index);
    esp_status status = host->emit(call, ESP_OUT_WARNING, esp_str(""), esp_text_bytes(&warning));
    esp_text_free(&warning);
    return status;
}

/* What an admission webhook would refuse. An empty value is told of and served all the
 * same: where no webhook stands before the reference, it serves it as well. */
static esp_status check_entry(struct esp_call *call, const json_t *entry, size_t index)
{
    if (esp_tree_text(entry, "key").len == 0)
        return esp_failf(host, call, ESP_E_CONFIG, "key must be set in data %zu", index);
    return esp_tree_text(entry, "value").len ? ESP_OK : warn_of_nothing(call, index);
}

static esp_status fake_check(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    esp_status status = ESP_OK;
    size_t index;
    json_t *entry;
    json_t *request = esp_tree_read(req->json);
    if (!request)
        return no_memory(call);
    json_array_foreach (json_object_get(json_object_get(request, "spec"), "data"), index, entry) {
        status = check_entry(call, entry, index);
        if (status != ESP_OK)
            break;
    }
    json_decref(request);
    return status;
}

static void fake_close(void *instance, struct esp_call *call)
{
    struct store *store = instance;
    (void)call;
    fake_entries_free(&store->entries);
    json_decref(store->request);
    free(store);
}

static bool fill(struct store *store)
{
    const json_t *spec = json_object_get(store->request, "spec");
    const json_t *id = json_object_get(store->request, "store");
    size_t index;
    json_t *entry;
    json_array_foreach (json_object_get(spec, "data"), index, entry) {
        if (!fake_entries_add(&store->entries, esp_tree_text(entry, "key"), esp_tree_text(entry, "version"),
                              esp_tree_text(entry, "value")))
            return false;
    }
    fake_entries_sort(&store->entries);
    store->validation_result = json_integer_value(json_object_get(spec, "validationResult"));
    store->shelf = fake_memory_shelf(esp_tree_text(id, "kind"), esp_tree_text(id, "namespace"),
                                     esp_tree_text(id, "name"));
    return store->shelf != NULL;
}

static esp_status fake_open(struct esp_call *call, const struct esp_request *req, void **instance)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return no_memory(call);
    store->request = esp_tree_read(req->json);
    if (!store->request || !fill(store)) {
        fake_close(store, call);
        return no_memory(call);
    }
    *instance = store;
    return ESP_OK;
}

static esp_status fake_validate(void *instance, struct esp_call *call, const struct esp_request *req)
{
    const struct store *store = instance;
    (void)req;
    if (store->validation_result == 0)
        return ESP_OK;
    esp_status status = store->validation_result == 1 ? ESP_E_UNDECIDED : ESP_E_CONFIG;
    return esp_failf(host, call, status, "unable to validate");
}

/* Pushed values are copied before they are emitted: no lock is held while the core runs. */
static esp_status emit_pushed(const struct store *store, struct esp_call *call, esp_bytes key)
{
    struct esp_text value;
    esp_status status = ESP_E_NOT_FOUND;
    esp_text_init(&value, FAKE_MEMORY_MAX);
    if (fake_memory_get(store->shelf, key, &value))
        status = esp_text_failed(&value)
                     ? no_memory(call)
                     : host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_text_bytes(&value));
    esp_text_free(&value);
    return status;
}

static esp_status fake_get(void *instance, struct esp_call *call, const struct esp_request *req)
{
    const struct store *store = instance;
    json_t *ref = esp_tree_read(req->json);
    if (!ref)
        return no_memory(call);
    esp_bytes key = esp_tree_text(ref, "key"), version = esp_tree_text(ref, "version");
    const struct fake_entry *entry = fake_entries_find(&store->entries, key, version);
    esp_status status = ESP_E_NOT_FOUND;
    if (entry)
        status = host->emit(call, ESP_OUT_VALUE, esp_str(""), entry->value);
    else if (version.len == 0)
        status = emit_pushed(store, call, key);
    json_decref(ref);
    return status;
}

/* Entries are sorted by version within a key: the last one of a key is the latest. */
static esp_status emit_latest(struct esp_call *call, const struct fake_entries *entries)
{
    esp_status status = ESP_OK;
    for (size_t i = 0; i < entries->count && status == ESP_OK; i++) {
        const struct fake_entry *entry = &entries->items[i];
        if (i + 1 == entries->count || !esp_equal(entry->key, entry[1].key))
            status = host->emit(call, ESP_OUT_VALUE, entry->key, entry->value);
    }
    return status;
}

/* All names with their values, so that no get has to follow. What was pushed comes
 * first: an entry of the spec replaces it. */
static esp_status list_all(const struct store *store, struct esp_call *call)
{
    struct fake_entries pushed, all = {0};
    esp_status status = ESP_OK;
    if (!fake_memory_copy(store->shelf, &pushed))
        return no_memory(call);
    for (size_t i = 0; i < pushed.count && status == ESP_OK; i++)
        if (!fake_entries_add(&all, pushed.items[i].key, pushed.items[i].version, pushed.items[i].value))
            status = no_memory(call);
    for (size_t i = 0; i < store->entries.count && status == ESP_OK; i++) {
        const struct fake_entry *entry = &store->entries.items[i];
        if (!fake_entries_add(&all, entry->key, entry->version, entry->value))
            status = no_memory(call);
    }
    fake_entries_sort(&all);
    if (status == ESP_OK)
        status = emit_latest(call, &all);
    fake_entries_free(&all);
    fake_memory_free_copy(&pushed);
    return status;
}

static esp_status fake_list(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *find = esp_tree_read(req->json);
    if (!find)
        return no_memory(call);
    bool by_name = json_is_object(json_object_get(find, "name"));
    json_decref(find);
    if (!by_name)
        return esp_failf(host, call, ESP_E_CONFIG,
                         "unsupported find operator: the fake store finds by name.regexp");
    return list_all(instance, call);
}

static esp_status fake_exists(void *instance, struct esp_call *call, const struct esp_request *req)
{
    const struct store *store = instance;
    json_t *ref = esp_tree_read(req->json);
    if (!ref)
        return no_memory(call);
    esp_bytes key = esp_tree_text(ref, "remoteKey");
    bool found = fake_entries_find(&store->entries, key, esp_str("")) || fake_memory_has(store->shelf, key);
    json_decref(ref);
    return host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(found ? "true" : "false"));
}

static esp_status keep(const struct store *store, struct esp_call *call, const struct esp_request *req,
                       const json_t *data)
{
    esp_bytes key = esp_tree_text(data, "remoteKey");
    struct esp_text value;
    if (fake_entries_find(&store->entries, key, esp_str("")))
        return esp_failf(host, call, ESP_E_CONFIG, "key already exists");
    esp_text_init(&value, FAKE_MEMORY_MAX);
    esp_status status = esp_push_value(host, call, req, &value);
    if (status == ESP_OK && !fake_memory_put(store->shelf, key, esp_text_bytes(&value)))
        status = esp_failf(host, call, ESP_E_INTERNAL, "no room for more pushed values");
    esp_text_free(&value);
    return status;
}

static esp_status fake_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *data = esp_tree_read(req->json);
    if (!data)
        return no_memory(call);
    esp_status status = keep(instance, call, req, data);
    json_decref(data);
    return status;
}

/* As the reference has it, what was pushed stays. */
static esp_status fake_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    (void)call;
    (void)req;
    return ESP_OK;
}

static const struct esp_store_ops fake_ops = {
    .size = sizeof fake_ops,
    .check = fake_check,
    .open = fake_open,
    .close = fake_close,
    .validate = fake_validate,
    .get = fake_get,
    .list = fake_list,
    .exists = fake_exists,
    .push = fake_push,
    .remove = fake_remove,
};

static const struct esp_component fake_store = {
    .size = sizeof fake_store,
    .kind = ESP_KIND_STORE,
    .caps = ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES,
    .maintenance = ESP_NOT_MAINTAINED,
    .name = "fake",
    .label = "Fake",
    .schema = fake_schema,
    .store = &fake_ops,
};

static const struct esp_component *const components[] = {&fake_store, NULL};

static const struct esp_plugin fake_plugin = {
    .size = sizeof fake_plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .name = "fake",
    .version = "1.0.0",
    .components = components,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    host = services;
    return &fake_plugin;
}
