#include "page.h"

#include <esp/codec.h>

static esp_status get_page(const struct gcp_store *s, struct esp_call *call, const struct gcp_pages *pages,
                           const char *token, struct esp_http_response *answer)
{
    struct esp_text path;

    esp_text_init(&path, GCP_MAX_SMALL);
    esp_text_add(&path, esp_text_bytes(pages->path));
    if (*token) {
        esp_text_adds(&path, "&pageToken=");
        esp_query_add(&path, esp_str(token));
    }
    esp_status status =
        esp_text_failed(pages->path)
            ? gcp_no_memory(call)
            : gcp_ask(s, call, &(struct gcp_ask){.method = "GET", .api = pages->api, .path = &path}, answer);
    esp_text_free(&path);
    return status;
}

static esp_status look_at_all(struct esp_call *call, const struct gcp_pages *pages, const json_t *page)
{
    esp_status status = ESP_OK;
    const json_t *element;
    size_t i;

    json_array_foreach (json_object_get(page, pages->member), i, element) {
        status = pages->look(pages->ctx, call, element);
        if (status != ESP_OK)
            break;
    }
    return status;
}

/* Takes the token of the page after this one; empty: there is none. */
static esp_status next_token(struct esp_call *call, const struct gcp_pages *pages, const json_t *page,
                             json_t *seen, const char **token)
{
    const char *next = json_string_value(json_object_get(page, "nextPageToken"));

    *token = "";
    if (!next || !*next)
        return ESP_OK;
    if (json_object_get(seen, next))
        return gcp_fail(call, ESP_E_RETRY, 0, "%s of %.*s: the pages go round in a circle", pages->api,
                        ESP_ARG(pages->about));
    if (json_object_set_new(seen, next, json_true()) < 0)
        return gcp_no_memory(call);
    *token = json_object_iter_key(json_object_iter_at(seen, next)); /* lives as long as `seen` */
    return ESP_OK;
}

/* One page; *token is that of the next. */
static esp_status do_page(const struct gcp_store *s, struct esp_call *call, const struct gcp_pages *pages,
                          json_t *seen, const char **token, struct gcp_verdict *verdict)
{
    struct esp_http_response answer;

    esp_status status = get_page(s, call, pages, *token, &answer);
    if (status != ESP_OK)
        return status;
    *verdict = gcp_judge(&answer);
    *token = "";
    if (verdict->status != ESP_OK)
        return ESP_OK;
    json_t *page = gcp_parse_answer(call, &answer, pages->api, pages->about);
    if (!page)
        return ESP_E_RETRY;
    status = look_at_all(call, pages, page);
    if (status == ESP_OK)
        status = next_token(call, pages, page, seen, token);
    json_decref(page);
    return status;
}

esp_status gcp_pages(const struct gcp_store *s, struct esp_call *call, const struct gcp_pages *pages,
                     struct gcp_verdict *verdict)
{
    json_t *seen = json_object();
    const char *token = "";
    esp_status status;

    *verdict = (struct gcp_verdict){0};
    if (!seen)
        return gcp_no_memory(call);
    do {
        status = gcp_host->remaining_ms(call) > 0 ? do_page(s, call, pages, seen, &token, verdict)
                                                  : ESP_E_CANCELLED;
    } while (status == ESP_OK && *token);
    json_decref(seen);
    return status;
}
