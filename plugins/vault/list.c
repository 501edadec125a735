#include "kv.h"

#include <esp/json.h>

#include "fields.h"
#include "path.h"

#define PATH_MAX_BYTES 60000
#define NAME_MAX_BYTES 16384
#define FOLDERS_MAX 64 /* in one another */

/* A walk through folders. Names hold all folders on the way, from the mount on. */
struct walk {
    struct vault_store *store;
    struct esp_call *call;
    esp_bytes prefix;   /* what is asked for begins with it */
    const json_t *tags; /* or NULL */
    int depth;
};

static esp_status walk_folder(struct walk *w, esp_bytes folder);

/* ---- one folder ---- */

static esp_status list_folder(struct walk *w, esp_bytes folder, struct vault_answer *answer)
{
    struct esp_text path;
    esp_text_init(&path, PATH_MAX_BYTES);
    esp_status status = vault_metadata_path(w->store, w->call, folder, &path);
    esp_text_adds(&path, "?list=true");
    if (status == ESP_OK && esp_text_failed(&path))
        status = vault_no_memory(w->call);
    if (status == ESP_OK)
        status = vault_ask(
            w->store, w->call,
            (struct vault_request){.method = "GET", .path = esp_text_bytes(&path), .api = "ListSecrets"},
            answer);
    esp_text_free(&path);
    if (status != ESP_OK || vault_is_good(answer))
        return status;
    if (vault_is_absent(answer))
        return ESP_E_NOT_FOUND;
    return vault_refused(w->call, answer, "cannot read secret data from Vault: listing", folder);
}

/* ---- what is in it ---- */

/* 1: all of them; 0; -1: without memory. */
static int has_tags(const struct walk *w, esp_bytes metadata)
{
    esp_bytes custom = {0};
    const char *name;
    json_t *value;
    int same = 1;
    if (!vault_fields_find(metadata, "custom_metadata", &custom))
        return json_object_size(w->tags) == 0;
    json_object_foreach ((json_t *)w->tags, name, value) {
        same = vault_fields_is(custom, esp_str(name), esp_str(json_string_value(value)));
        if (same != 1)
            break;
    }
    return same;
}

/* One that is gone when its metadata is read matches nothing. */
static esp_status emit_tagged(struct walk *w, esp_bytes name)
{
    struct esp_text metadata;
    esp_text_init(&metadata, VAULT_SECRET_MAX);
    esp_status status = vault_kv_metadata(w->store, w->call, name, &metadata);
    int matches = status == ESP_OK ? has_tags(w, esp_text_bytes(&metadata)) : 0;
    if (matches < 0)
        status = vault_no_memory(w->call);
    else if (matches == 1)
        status = vault_host->emit(w->call, ESP_OUT_NAME, name, esp_str(""));
    esp_text_free(&metadata);
    return status == ESP_E_NOT_FOUND ? ESP_OK : status;
}

static esp_status visit_secret(struct walk *w, esp_bytes name)
{
    if (!esp_starts_with(name, w->prefix))
        return ESP_OK;
    return w->tags ? emit_tagged(w, name) : vault_host->emit(w->call, ESP_OUT_NAME, name, esp_str(""));
}

/* OpenBao's lists have one level. A folder that vanishes meanwhile is empty. */
static esp_status visit_folder(struct walk *w, esp_bytes name)
{
    if (w->store->is_bao || !(esp_starts_with(name, w->prefix) || esp_starts_with(w->prefix, name)))
        return ESP_OK;
    if (w->depth == FOLDERS_MAX)
        return esp_failf(vault_host, w->call, ESP_E_CONFIG,
                         "cannot read secret data from Vault: more than %d folders in one another",
                         FOLDERS_MAX);
    w->depth++;
    esp_status status = walk_folder(w, name);
    w->depth--;
    return status == ESP_E_NOT_FOUND ? ESP_OK : status;
}

static esp_status visit(struct walk *w, esp_bytes folder, esp_bytes entry)
{
    struct esp_text name;
    esp_text_init(&name, NAME_MAX_BYTES);
    esp_text_add(&name, folder);
    esp_json_plain(entry, &name);
    esp_status status;
    if (esp_text_failed(&name))
        status = vault_no_memory(w->call);
    else if (name.len && name.ptr[name.len - 1] == '/')
        status = visit_folder(w, esp_text_bytes(&name));
    else
        status = visit_secret(w, esp_text_bytes(&name));
    esp_text_free(&name);
    return status;
}

static esp_status walk_folder(struct walk *w, esp_bytes folder)
{
    struct vault_answer answer = {0};
    struct esp_json_iter elements;
    esp_bytes data, keys, entry;
    esp_status status = list_folder(w, folder, &answer);
    if (status != ESP_OK)
        return status;
    if (!vault_fields_find(answer.body, "data", &data) || !vault_fields_find(data, "keys", &keys) ||
        !esp_json_elements(&elements, keys))
        return esp_failf(
            vault_host, w->call, ESP_E_RETRY,
            "cannot read secret data from Vault: listing: the answer is not Vault's: it has no list of keys");
    while (status == ESP_OK && esp_json_element(&elements, &entry))
        status = visit(w, folder, entry);
    return status;
}

/* ---- the operation ---- */

/* The sentences are the reference's: OpenBao's provider finds by name and path only. */
static esp_status refuse_tags(const struct vault_store *s, struct esp_call *call)
{
    return esp_failf(vault_host, call, ESP_E_CONFIG, "%s",
                     s->is_bao ? "tag based search is not implemented"
                               : "cannot perform find by tag operations with kv version v1");
}

static esp_status list(struct vault_store *s, struct esp_call *call, const json_t *find)
{
    const json_t *tags = json_object_get(find, "tags");
    esp_bytes path = esp_tree_text(find, "path");
    struct walk w = {.store = s, .call = call, .prefix = esp_tree_text(find, "prefix")};
    struct esp_text folder;
    if (json_is_object(tags) && (s->is_bao || !s->is_v2))
        return refuse_tags(s, call);
    /* As in the reference, a name decides alone. */
    if (json_is_object(tags) && !json_is_object(json_object_get(find, "name")))
        w.tags = tags;
    esp_text_init(&folder, NAME_MAX_BYTES);
    esp_text_add(&folder, path);
    if (path.len && path.ptr[path.len - 1] != '/')
        esp_text_addc(&folder, '/');
    esp_status status =
        esp_text_failed(&folder) ? vault_no_memory(call) : walk_folder(&w, esp_text_bytes(&folder));
    esp_text_free(&folder);
    return status;
}

esp_status vault_list(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *find = esp_tree_read(req->json);
    if (!find)
        return vault_no_memory(call);
    esp_status status = list(instance, call, find);
    json_decref(find);
    return status;
}
