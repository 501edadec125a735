#include "path.h"

#include <string.h>

#include <esp/codec.h>

#define PATH_MAX_BYTES 16384
#define KEY_MAX_BYTES 8192

static esp_bytes after(esp_bytes text, size_t count)
{
    return esp_span(text.ptr + count, text.len - count);
}

/* The key without the mount before it, and on v2 without the "data/" behind that. */
static esp_bytes without_mount(const struct vault_store *s, esp_bytes key)
{
    const esp_bytes mount = s->mount;
    if (!esp_starts_with(key, mount) || key.len <= mount.len || key.ptr[mount.len] != '/')
        return key;
    key = after(key, mount.len + 1);
    return s->is_v2 && esp_starts_with(key, esp_str("data/")) ? after(key, 5) : key;
}

static void join(struct esp_text *out, esp_bytes mount, const char *between, esp_bytes key)
{
    esp_text_add(out, mount);
    esp_text_adds(out, between);
    esp_text_add(out, key);
}

/* The offset of "/data/", or the key's length. */
static size_t find_data(esp_bytes key)
{
    const uint8_t *at = key.len ? memmem(key.ptr, key.len, "/data/", 6) : NULL;
    return at ? (size_t)(at - key.ptr) : key.len;
}

/* Without a mount in the store, the first segment of the key is it. */
static void data_of_whole_key(const struct vault_store *s, esp_bytes key, struct esp_text *out)
{
    const uint8_t *slash = key.len ? memchr(key.ptr, '/', key.len) : NULL;
    if (!s->is_v2 || find_data(key) < key.len) {
        esp_text_add(out, key);
        return;
    }
    size_t first = slash ? (size_t)(slash - key.ptr) : key.len;
    join(out, esp_span(key.ptr, first), "/data/", after(key, first));
}

bool vault_encode_path(esp_bytes path, struct esp_text *out)
{
    bool first = true;
    while (path.len) {
        const uint8_t *slash = memchr(path.ptr, '/', path.len);
        size_t len = slash ? (size_t)(slash - path.ptr) : path.len;
        const esp_bytes segment = esp_span(path.ptr, len);
        path = after(path, slash ? len + 1 : len);
        if (esp_equal_str(segment, ".."))
            return false;
        if (len == 0 || esp_equal_str(segment, "."))
            continue;
        if (!first)
            esp_text_addc(out, '/');
        esp_percent_add(out, segment, NULL);
        first = false;
    }
    return true;
}

static esp_status finish(struct esp_call *call, esp_bytes key, struct esp_text *plain, struct esp_text *out)
{
    esp_status status = ESP_OK;
    if (key.len > KEY_MAX_BYTES)
        status = esp_failf(vault_host, call, ESP_E_CONFIG, "the key is longer than %d bytes", KEY_MAX_BYTES);
    else if (esp_text_failed(plain))
        status = vault_no_memory(call);
    else if (!vault_encode_path(esp_text_bytes(plain), out))
        status = esp_failf(vault_host, call, ESP_E_CONFIG,
                           "the key \"%.*s\" has a part \"..\": a key names a place below the mount",
                           ESP_ARG(key));
    esp_text_free(plain);
    return status;
}

esp_status vault_data_path(const struct vault_store *s, struct esp_call *call, esp_bytes key,
                           struct esp_text *out)
{
    struct esp_text plain;
    esp_text_init(&plain, PATH_MAX_BYTES);
    if (s->mount.len)
        join(&plain, s->mount, s->is_v2 ? "/data/" : "/", without_mount(s, key));
    else
        data_of_whole_key(s, key, &plain);
    return finish(call, key, &plain, out);
}

esp_status vault_metadata_path(const struct vault_store *s, struct esp_call *call, esp_bytes key,
                               struct esp_text *out)
{
    struct esp_text plain;
    if (!s->is_v2)
        return vault_data_path(s, call, key, out);
    esp_text_init(&plain, PATH_MAX_BYTES);
    size_t data = find_data(key);
    if (s->mount.len)
        join(&plain, s->mount, "/metadata/", without_mount(s, key));
    else if (data < key.len)
        join(&plain, esp_span(key.ptr, data), "/metadata/", after(key, data + 6));
    else
        return esp_failf(vault_host, call, ESP_E_CONFIG,
                         "provided Path isn't a valid kv v2 path: the key \"%.*s\" has no part \"data\"; set "
                         "path in the store",
                         ESP_ARG(key));
    return finish(call, key, &plain, out);
}
