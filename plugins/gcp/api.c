#include "api.h"

#include <esp/codec.h>

#include "endpoints.h"

void gcp_add_parent(const struct gcp_store *s, struct esp_text *path)
{
    esp_text_adds(path, "projects/");
    esp_percent_add(path, s->project, ":");
    if (s->location.len) {
        esp_text_adds(path, "/locations/");
        esp_percent_add(path, s->location, NULL);
    }
}

void gcp_add_secret(const struct gcp_store *s, esp_bytes key, struct esp_text *path)
{
    gcp_add_parent(s, path);
    esp_text_adds(path, "/secrets/");
    esp_percent_add(path, key, NULL);
}

/* One request with this token. */
static esp_status send(const struct gcp_store *s, struct esp_call *call, const struct gcp_ask *q,
                       esp_bytes url, esp_bytes token, struct esp_http_response *answer)
{
    const esp_pair quota = {esp_str("x-goog-user-project"), s->identity.facts[GCP_QUOTA_PROJECT]};
    return gcp_http(call,
                    &(struct gcp_http){.method = q->method,
                                       .url = url,
                                       .api = q->api,
                                       .bearer = token,
                                       .type = q->body.len ? GCP_JSON : NULL,
                                       .body = q->body,
                                       .more = &quota,
                                       .more_count = quota.value.len ? 1 : 0},
                    answer);
}

static esp_status send_with_token(const struct gcp_store *s, struct esp_call *call, const struct gcp_ask *q,
                                  esp_bytes url, bool *refused, struct esp_http_response *answer)
{
    struct esp_text token;

    esp_text_init(&token, GCP_MAX_SMALL);
    esp_status status = esp_token_get(s->token, gcp_host, call, gcp_login, (void *)(uintptr_t)s, &token);
    if (status == ESP_OK)
        status = send(s, call, q, url, esp_text_bytes(&token), answer);
    *refused = status == ESP_OK && answer->status == 401;
    if (*refused)
        esp_token_drop(s->token, esp_text_bytes(&token));
    esp_text_free(&token);
    return status;
}

esp_status gcp_ask(const struct gcp_store *s, struct esp_call *call, const struct gcp_ask *q,
                   struct esp_http_response *answer)
{
    struct esp_text url;
    bool refused = false;

    esp_text_init(&url, GCP_MAX_SMALL);
    gcp_endpoint_secretmanager(s->location, &url);
    esp_text_adds(&url, "/v1/");
    esp_text_add(&url, esp_text_bytes(q->path));
    esp_status status =
        esp_text_failed(&url) || esp_text_failed(q->path)
            ? gcp_fail(call, ESP_E_INTERNAL, 0, "%s: out of memory, or a name of more than 64 KiB", q->api)
            : send_with_token(s, call, q, esp_text_bytes(&url), &refused, answer);
    if (refused)
        status = send_with_token(s, call, q, esp_text_bytes(&url), &refused, answer);
    esp_text_free(&url);
    return status;
}

esp_status gcp_read(const struct gcp_store *s, struct esp_call *call, esp_bytes key, const char *more,
                    const char *api, struct esp_http_response *answer, struct gcp_verdict *verdict)
{
    struct esp_text path;

    esp_text_init(&path, GCP_MAX_SMALL);
    gcp_add_secret(s, key, &path);
    esp_text_adds(&path, more);
    esp_status status =
        gcp_ask(s, call, &(struct gcp_ask){.method = "GET", .api = api, .path = &path}, answer);
    esp_text_free(&path);
    if (status == ESP_OK)
        *verdict = gcp_judge(answer);
    return status;
}

json_t *gcp_parse_answer(struct esp_call *call, const struct esp_http_response *answer, const char *api,
                         esp_bytes key)
{
    json_t *found = esp_tree_read(answer->body);

    if (json_is_object(found))
        return found;
    json_decref(found);
    gcp_fail(call, ESP_E_RETRY, 0, "%s of %.*s: the answer makes no sense", api, ESP_ARG(key));
    return NULL;
}

esp_status gcp_get_secret(const struct gcp_store *s, struct esp_call *call, esp_bytes key, json_t **secret,
                          struct gcp_verdict *verdict)
{
    struct esp_http_response answer;

    *secret = NULL;
    esp_status status = gcp_read(s, call, key, "", "GetSecret", &answer, verdict);
    if (status != ESP_OK || verdict->status != ESP_OK)
        return status;
    *secret = gcp_parse_answer(call, &answer, "GetSecret", key);
    return *secret ? ESP_OK : ESP_E_RETRY;
}

esp_status gcp_unread(struct esp_call *call, const struct gcp_verdict *v, const char *api, esp_bytes key)
{
    struct esp_text what;

    if (v->status == ESP_E_NOT_FOUND)
        return gcp_fail(call, ESP_E_NOT_FOUND, 0, GCP_UNABLE "Secret does not exist");
    esp_text_init(&what, GCP_MAX_SMALL);
    esp_text_addf(&what, GCP_UNABLE "%s", api);
    esp_status status = gcp_refuse(call, v, esp_text_str(&what), key);
    esp_text_free(&what);
    return status;
}
