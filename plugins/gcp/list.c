/* list: names of secrets. The core filters by regular expression and reads what is left. */
#include "ops.h"

#include <string.h>

#include <esp/codec.h>

#include "page.h"

struct find {
    esp_bytes path;     /* names begin with it */
    const json_t *tags; /* labels that all have to be there; NULL: none */
};

/* What needs no quotes in a filter, and all that names and labels are made of. */
static bool is_plain(esp_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_' || c >= 0x80))
            return false;
    }
    return text.len > 0;
}

/* The server's filter may let through more than is wanted, look_at_secret does not. What is not
 * plain cannot be asked for: no label and no name is like that. */
static void write_filter(const struct find *f, struct esp_text *filter)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)f->tags, key, value) {
        esp_bytes wanted = esp_span(json_string_value(value), json_string_length(value));
        if (is_plain(esp_str(key)) && is_plain(wanted))
            esp_text_addf(filter, "%slabels.%s=%.*s", filter->len ? " " : "", key, ESP_ARG(wanted));
    }
    if (is_plain(f->path))
        esp_text_addf(filter, "%sname:%.*s", filter->len ? " " : "", ESP_ARG(f->path));
}

static bool has_tags(const json_t *secret, const json_t *tags)
{
    const json_t *labels = json_object_get(secret, "labels");
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)tags, key, value)
        if (!json_equal(json_object_get(labels, key), value))
            return false;
    return true;
}

/* "projects/123/secrets/NAME", with a number where the store may have a name. */
static esp_bytes last_segment(esp_bytes name)
{
    const uint8_t *slash = name.len ? memrchr(name.ptr, '/', name.len) : NULL;
    return slash ? esp_span(slash + 1, name.len - (size_t)(slash + 1 - name.ptr)) : name;
}

static esp_status look_at_secret(void *ctx, struct esp_call *call, const json_t *secret)
{
    const struct find *f = ctx;
    esp_bytes name = last_segment(esp_tree_text(secret, "name"));

    if (name.len == 0 || !esp_starts_with(name, f->path) || !has_tags(secret, f->tags))
        return ESP_OK;
    return gcp_host->emit(call, ESP_OUT_NAME, name, esp_str(""));
}

static esp_status find(const struct gcp_store *s, struct esp_call *call, struct find *f)
{
    struct esp_text path, filter;
    struct gcp_verdict v;

    esp_text_init(&path, GCP_MAX_SMALL);
    esp_text_init(&filter, GCP_MAX_SMALL);
    gcp_add_parent(s, &path);
    esp_text_adds(&path, "/secrets?pageSize=1000");
    write_filter(f, &filter);
    if (filter.len) {
        esp_text_adds(&path, "&filter=");
        esp_query_add(&path, esp_text_bytes(&filter));
    }
    const struct gcp_pages pages = {.path = &path,
                                    .api = "ListSecrets",
                                    .about = s->project,
                                    .member = "secrets",
                                    .look = look_at_secret,
                                    .ctx = f};
    /* A filter that was cut would leave out what is wanted. */
    esp_status status = esp_text_failed(&filter) ? gcp_no_memory(call) : gcp_pages(s, call, &pages, &v);
    esp_text_free(&path);
    esp_text_free(&filter);
    if (status == ESP_OK && v.status != ESP_OK) {
        /* A project that is not there is no secret that is not there. */
        if (v.status == ESP_E_NOT_FOUND)
            v.status = ESP_E_CONFIG;
        return gcp_refuse(call, &v, "failed to list secrets: ListSecrets", s->project);
    }
    return status;
}

esp_status gcp_list(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *request = esp_tree_read(req->json);
    esp_status status;

    if (!request)
        return gcp_no_memory(call);
    bool by_name = json_is_object(json_object_get(request, "name"));
    const json_t *tags = json_object_get(request, "tags");
    struct find f = {esp_tree_text(request, "path"), by_name ? NULL : tags};
    if (!by_name && json_object_size(tags) == 0)
        status =
            gcp_fail(call, ESP_E_CONFIG, 0, "unexpected find operator: gcpsm finds by name.regexp or tags");
    else
        status = find(instance, call, &f);
    json_decref(request);
    return status;
}
