#include "batch.h"

#include "request.h"

/* How long a store does without reading several at once after it was refused: the right may be granted
 * one day, and to ask for it costs a call. */
#define PAUSE_MS (INT64_C(3600) * 1000)

static esp_status read_one(struct aws_store *store, struct esp_call *call, struct aws_item *item,
                           bool *denied)
{
    struct aws_verdict verdict = {0};
    struct esp_text value;

    esp_text_init(&value, AWS_MAX_TEXT);
    esp_status status = store->service->read(store, call, &item->ref, &value, &verdict);
    if (status == ESP_OK) {
        *denied = *denied || verdict.status == ESP_E_DENIED;
        status = aws_settle(call, item, &value, &verdict);
    }
    esp_text_free(&value);
    return status;
}

/* *denied: at least one was. */
static esp_status read_singly(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                              size_t count, bool *denied)
{
    esp_status status = ESP_OK;

    for (size_t i = 0; i < count && status == ESP_OK; i++)
        if (!items[i].done)
            status = read_one(store, call, &items[i], denied);
    return status;
}

/* A refusal may be about one of the secrets. Only when each can be read by itself, it is the right to
 * read several at once that is missing. */
static esp_status read_chunk(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                             size_t count)
{
    bool refused = false, denied = false;

    esp_status status = store->service->read_some(store, call, items, count, &refused);
    if (status == ESP_OK)
        status = read_singly(store, call, items, count, &denied);
    if (status == ESP_OK && refused && !denied)
        atomic_store(&store->no_batch_until_ms, aws_host->now_unix_ms(call) + PAUSE_MS);
    return status;
}

static bool may_batch(struct aws_store *store, struct esp_call *call)
{
    return store->service->batch_size > 1 &&
           aws_host->now_unix_ms(call) >= atomic_load(&store->no_batch_until_ms);
}

/* Brings to the front those that can be read together; returns how many. */
static size_t sort_out(const struct aws_service *service, struct aws_item *items, size_t count)
{
    size_t together = 0;

    for (size_t i = 0; i < count; i++) {
        if (!service->can_batch(&items[i].ref))
            continue;
        struct aws_item item = items[together];
        items[together++] = items[i];
        items[i] = item;
    }
    return together;
}

esp_status aws_batch(struct aws_store *store, struct esp_call *call, struct aws_item *items, size_t count)
{
    size_t together = may_batch(store, call) ? sort_out(store->service, items, count) : 0;
    size_t at = 0;
    bool denied = false;
    esp_status status = ESP_OK;

    while (status == ESP_OK && together - at > 1 && may_batch(store, call)) {
        size_t left = together - at;
        size_t size = left < store->service->batch_size ? left : store->service->batch_size;
        status = read_chunk(store, call, items + at, size);
        at += size;
    }
    return status == ESP_OK ? read_singly(store, call, items + at, count - at, &denied) : status;
}
