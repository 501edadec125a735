#include "search.h"

#include <stdlib.h>

#include "batch.h"

esp_status aws_search_pages(struct aws_store *store, struct esp_call *call, aws_search_page *page,
                            const void *ctx)
{
    struct aws_pages pages = {0};
    esp_status status = ESP_OK;
    bool more = true;

    while (status == ESP_OK && more) {
        more = false;
        status = page(store, call, ctx, &pages, &more);
    }
    aws_pages_end(&pages);
    return status;
}

esp_status aws_search_each(struct esp_call *call, esp_bytes list,
                           esp_status (*one)(struct esp_call *call, esp_bytes element))
{
    struct esp_json_iter it;
    esp_bytes element;
    esp_status status = ESP_OK;

    if (list.len == 0 || !esp_json_elements(&it, list))
        return ESP_OK;
    while (status == ESP_OK && esp_json_element(&it, &element))
        status = one(call, element);
    return status;
}

esp_status aws_search_emit(struct esp_call *call, esp_bytes element,
                           void (*value_of)(esp_bytes element, esp_bytes id, struct esp_text *value,
                                            struct aws_verdict *verdict))
{
    struct aws_verdict verdict = {0};
    struct esp_text name, value;

    esp_text_init(&name, AWS_MAX_ID);
    esp_text_init(&value, AWS_MAX_TEXT);
    esp_json_plain(aws_json_member(element, "Name"), &name);
    value_of(element, esp_text_bytes(&name), &value, &verdict);
    esp_status status = esp_text_failed(&name) ? aws_no_memory(call) : aws_tell(call, &verdict);
    if (status == ESP_OK)
        status = aws_host->emit(call, ESP_OUT_VALUE, esp_text_bytes(&name), esp_text_bytes(&value));
    esp_text_free(&name);
    esp_text_free(&value);
    return status;
}

esp_status aws_search_names(struct aws_store *store, struct esp_call *call, const json_t *list)
{
    size_t before = store->prefix.len, i;
    esp_status status = ESP_OK;
    json_t *found;

    json_array_foreach (list, i, found) {
        esp_bytes name = esp_tree_text(found, "Name");
        if (status == ESP_OK && name.len > before && esp_starts_with(name, store->prefix))
            status = aws_host->emit(call, ESP_OUT_NAME, esp_span(name.ptr + before, name.len - before),
                                    esp_str(""));
    }
    return status;
}

esp_status aws_search_read(struct aws_store *store, struct esp_call *call, const json_t *list)
{
    struct aws_item *items = calloc(json_array_size(list) + 1, sizeof *items);
    json_t *found;
    size_t i;

    if (!items)
        return aws_no_memory(call);
    json_array_foreach (list, i, found)
        items[i] =
            (struct aws_item){.ref = {.key = esp_tree_text(found, "Name"), .is_id = true}, .is_found = true};
    esp_status status = aws_batch(store, call, items, json_array_size(list));
    free(items);
    return status;
}
