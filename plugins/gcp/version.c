#include "version.h"

#include <stdlib.h>
#include <string.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "crc32c.h"
#include "page.h"

/* ---- one version ---- */

/* Whether the value is what was stored, as far as the answer tells. */
static bool is_intact(esp_bytes body, esp_bytes value)
{
    struct esp_text crc;

    esp_text_init(&crc, 64);
    int found = esp_json_get(body, esp_str("payload.dataCrc32c"), ESP_JSON_PATH, &crc);
    bool intact = found == 0 || strtoull(esp_text_str(&crc), NULL, 10) == gcp_crc32c(value);
    esp_text_free(&crc);
    return intact;
}

/* Appends payload.data, decoded. 1: done; 0: there is none; -1: it is no base64. */
static int take_data(esp_bytes body, struct esp_text *value)
{
    struct esp_text data;
    int result = 0;

    esp_text_init(&data, GCP_MAX_LARGE);
    if (esp_json_get(body, esp_str("payload.data"), ESP_JSON_PATH, &data) == 1 && data.len)
        result = esp_base64_decode(esp_text_bytes(&data), value) ? 1 : -1;
    esp_text_free(&data);
    return result;
}

static esp_status take_value(struct esp_call *call, esp_bytes key, esp_bytes body, struct esp_text *value)
{
    size_t before = value->len;
    int got = esp_json_check(body, NULL) ? take_data(body, value) : -1;

    if (got < 0)
        return gcp_fail(call, ESP_E_RETRY, 0, GCP_UNABLE GCP_ACCESS " of %.*s: the answer makes no sense",
                        ESP_ARG(key));
    if (got == 0)
        return gcp_fail(call, ESP_E_CONFIG, 0, "invalid secret received. no secret string for key: %.*s",
                        ESP_ARG(key));
    if (is_intact(body, esp_span(value->ptr + before, value->len - before)))
        return ESP_OK;
    esp_text_cut(value, before);
    return gcp_fail(call, ESP_E_RETRY, 0,
                    GCP_UNABLE GCP_ACCESS
                    " of %.*s: the value was damaged on its way (its CRC32C is another)",
                    ESP_ARG(key));
}

esp_status gcp_access(const struct gcp_store *s, struct esp_call *call, esp_bytes key, esp_bytes version,
                      struct esp_text *value, struct gcp_verdict *verdict)
{
    struct esp_http_response answer;
    struct esp_text more;

    esp_text_init(&more, GCP_MAX_SMALL);
    esp_text_adds(&more, "/versions/");
    esp_percent_add(&more, version, NULL);
    esp_text_adds(&more, ":access");
    esp_status status = esp_text_failed(&more)
                            ? gcp_no_memory(call)
                            : gcp_read(s, call, key, esp_text_str(&more), GCP_ACCESS, &answer, verdict);
    esp_text_free(&more);
    if (status != ESP_OK || verdict->status != ESP_OK)
        return status;
    return take_value(call, key, answer.body, value);
}

/* ---- the newest enabled version ---- */

/* Times of RFC 3339 in UTC have any number of digits behind the seconds: as text without
 * the Z, the later one is the greater. */
struct newest {
    char time[40]; /* 2026-01-02T03:04:05.678901 */
    char version[24];
};

static esp_status look_at_version(void *ctx, struct esp_call *call, const json_t *version)
{
    struct newest *n = ctx;
    esp_bytes name = esp_tree_text(version, "name"), created = esp_tree_text(version, "createTime");
    char time[sizeof n->time];
    (void)call;

    if (created.len && created.ptr[created.len - 1] == 'Z')
        created.len--;
    const uint8_t *slash = name.len ? memrchr(name.ptr, '/', name.len) : NULL;
    size_t len = slash ? name.len - (size_t)(slash + 1 - name.ptr) : 0;
    if (created.len == 0 || created.len >= sizeof time || len == 0 || len >= sizeof n->version)
        return ESP_OK;
    memcpy(time, created.ptr, created.len);
    time[created.len] = 0;
    if (strcmp(time, n->time) <= 0)
        return ESP_OK;
    memcpy(n->time, time, sizeof time);
    memcpy(n->version, slash + 1, len);
    n->version[len] = 0;
    return ESP_OK;
}

esp_status gcp_access_enabled(const struct gcp_store *s, struct esp_call *call, esp_bytes key,
                              struct esp_text *value, struct gcp_verdict *verdict)
{
    struct newest n = {.version = "latest"};
    struct esp_text path;

    esp_text_init(&path, GCP_MAX_SMALL);
    gcp_add_secret(s, key, &path);
    esp_text_adds(&path, "/versions?pageSize=1000&filter=state%3AENABLED");
    const struct gcp_pages pages = {.path = &path,
                                    .api = "ListSecretVersions",
                                    .about = key,
                                    .member = "versions",
                                    .look = look_at_version,
                                    .ctx = &n};
    esp_status status = gcp_pages(s, call, &pages, verdict);
    esp_text_free(&path);
    if (status != ESP_OK || verdict->status != ESP_OK)
        return status;
    return gcp_access(s, call, key, esp_str(n.version), value, verdict);
}
