#include "endpoints.h"

#include <string.h>

#include "gcp.h"

/* Written by gcp_configure before any thread reads it, and kept until the process ends. */
static esp_bytes configured[GCP_SERVICES];

static const char *const names[GCP_SERVICES] = {"secretmanager", "iamcredentials", "sts",
                                                "token",         "metadata",       "securetoken"};

static const char *const defaults[GCP_SERVICES] = {
    [GCP_SECRETMANAGER] = "https://secretmanager.googleapis.com",
    [GCP_IAMCREDENTIALS] = "https://iamcredentials.googleapis.com",
    [GCP_STS] = "https://sts.googleapis.com",
    [GCP_TOKEN] = "https://oauth2.googleapis.com/token",
    [GCP_METADATA] = "http://169.254.169.254",
    [GCP_SECURETOKEN] = "https://securetoken.googleapis.com",
};

/* ---- configuration ---- */

static bool is_url(esp_bytes url)
{
    return esp_starts_with(url, esp_str("https://")) || esp_starts_with(url, esp_str("http://"));
}

static esp_bytes without_slash(esp_bytes url)
{
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    return url;
}

static esp_status set(struct esp_call *call, enum gcp_service service, esp_bytes url)
{
    if (url.len == 0)
        return ESP_OK;
    if (!is_url(url))
        return esp_failf(gcp_host, call, ESP_E_CONFIG,
                         "endpoints.%s: \"%.*s\" is no URL; it begins with https:// or http://",
                         names[service], ESP_ARG(url));
    esp_dup_free(configured[service]);
    configured[service] = esp_dup(without_slash(url));
    return configured[service].ptr ? ESP_OK : gcp_no_memory(call);
}

esp_status gcp_configure(struct esp_call *call, const struct esp_request *request)
{
    json_t *block = esp_tree_read(request->json);
    const json_t *endpoints = json_object_get(block, "endpoints");
    esp_status status = block ? ESP_OK : gcp_no_memory(call);

    for (int i = 0; i < GCP_SERVICES && status == ESP_OK; i++)
        status = set(call, (enum gcp_service)i, esp_tree_text(endpoints, names[i]));
    json_decref(block);
    return status;
}

/* ---- where they are ---- */

esp_bytes gcp_endpoint_set(enum gcp_service service)
{
    return configured[service];
}

esp_bytes gcp_endpoint(enum gcp_service service)
{
    return configured[service].len ? configured[service] : esp_str(defaults[service]);
}

void gcp_endpoint_secretmanager(esp_bytes location, struct esp_text *url)
{
    if (location.len == 0 || configured[GCP_SECRETMANAGER].len)
        esp_text_add(url, gcp_endpoint(GCP_SECRETMANAGER));
    else
        esp_text_addf(url, "https://secretmanager.%.*s.rep.googleapis.com", ESP_ARG(location));
}

void gcp_endpoint_rebase(enum gcp_service service, esp_bytes url, struct esp_text *out)
{
    size_t slashes = 0, path = 0;

    while (path < url.len && slashes < 3)
        slashes += url.ptr[path++] == '/';
    if (configured[service].len && slashes == 3 && !esp_starts_with(url, configured[service])) {
        esp_text_add(out, configured[service]);
        url = esp_span(url.ptr + path - 1, url.len - path + 1);
    }
    esp_text_add(out, url);
}

/* ---- what credential files may name ----
 *
 * Such a file is a tenant's, and esod sends what the tenant could not: a request from
 * inside the network, and tokens of service accounts that the tenant may use but not
 * see. So its URLs are Google's, or what the operator configured. */

static bool is_host_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* The host of "https://HOST/..." if that is all there is to the authority: no port, no user. */
static esp_bytes https_host(esp_bytes url, esp_bytes *path)
{
    static const char scheme[] = "https://";
    size_t start = sizeof scheme - 1, end = start;

    if (!esp_starts_with(url, esp_str(scheme)))
        return esp_str("");
    while (end < url.len && is_host_char(url.ptr[end]))
        end++;
    if (end == url.len || url.ptr[end] != '/')
        return esp_str("");
    *path = esp_span(url.ptr + end, url.len - end);
    return esp_span(url.ptr + start, end - start);
}

static bool ends_with(esp_bytes text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

/* "NAME.googleapis.com", or a place of it: "NAME.europe-west3.rep.googleapis.com". */
static bool is_google(esp_bytes host, const char *name)
{
    size_t len = strlen(name);
    return esp_starts_with(host, esp_str(name)) && host.len > len && host.ptr[len] == '.' &&
           ends_with(host, ".googleapis.com");
}

bool gcp_endpoint_is_token(esp_bytes url)
{
    static const char *const known[] = {
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com/oauth2/v4/token",
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (esp_equal_str(url, known[i]))
            return true;
    return configured[GCP_TOKEN].len && esp_equal(url, configured[GCP_TOKEN]);
}

static bool below(enum gcp_service service, esp_bytes url, esp_bytes *path)
{
    esp_bytes base = configured[service];

    if (base.len == 0 || url.len <= base.len || !esp_starts_with(url, base) || url.ptr[base.len] != '/')
        return false;
    *path = esp_span(url.ptr + base.len, url.len - base.len);
    return true;
}

bool gcp_endpoint_is_sts(esp_bytes url)
{
    esp_bytes path = {0};
    return (below(GCP_STS, url, &path) || is_google(https_host(url, &path), "sts")) &&
           esp_equal_str(path, "/v1/token");
}

bool gcp_endpoint_is_impersonation(esp_bytes url)
{
    esp_bytes path = {0};
    if (!below(GCP_IAMCREDENTIALS, url, &path) && !is_google(https_host(url, &path), "iamcredentials"))
        return false;
    return esp_starts_with(path, esp_str("/v1/projects/")) && ends_with(path, ":generateAccessToken") &&
           !memchr(path.ptr, '?', path.len) && !memchr(path.ptr, '#', path.len);
}
