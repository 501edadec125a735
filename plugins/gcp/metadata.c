#include "metadata.h"

#include "endpoints.h"
#include "http.h"

void gcp_metadata_address(struct esp_call *call, struct esp_text *url)
{
    esp_bytes host = {0};

    if (gcp_endpoint_set(GCP_METADATA).len == 0 &&
        gcp_host->ambient(call, ESP_AMBIENT_ENV, esp_str("GCE_METADATA_HOST"), &host) == ESP_OK && host.len) {
        esp_text_adds(url, "http://");
        esp_text_add(url, host);
        return;
    }
    esp_text_add(url, gcp_endpoint(GCP_METADATA));
}

static bool is_metadata(const struct esp_http_response *answer)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (esp_equal_str(answer->headers[i].name, GCP_METADATA_HEADER))
            return esp_equal_str(answer->headers[i].value, GCP_METADATA_VALUE);
    return false;
}

esp_status gcp_metadata_get(struct esp_call *call, const char *path, struct esp_text *out)
{
    const esp_pair flavor = {esp_str(GCP_METADATA_HEADER), esp_str(GCP_METADATA_VALUE)};
    struct esp_http_response answer;
    struct esp_text url;

    esp_text_init(&url, GCP_MAX_SMALL);
    gcp_metadata_address(call, &url);
    esp_text_addf(&url, "/computeMetadata/v1/%s", path);
    if (esp_text_failed(&url)) {
        esp_text_free(&url);
        return ESP_E_CONFIG;
    }
    esp_status status = gcp_http(call,
                                 &(struct gcp_http){.method = "GET",
                                                    .url = esp_text_bytes(&url),
                                                    .api = "GetMetadata",
                                                    .more = &flavor,
                                                    .more_count = 1,
                                                    .timeout_ms = GCP_METADATA_TIMEOUT_MS},
                                 &answer);
    esp_text_free(&url);
    if (status == ESP_OK && answer.status == 200 && is_metadata(&answer) && answer.body.len) {
        esp_text_add(out, answer.body);
        return esp_text_failed(out) ? ESP_E_CONFIG : ESP_OK;
    }
    return gcp_host->remaining_ms(call) <= 0 ? ESP_E_CANCELLED : ESP_E_CONFIG;
}
