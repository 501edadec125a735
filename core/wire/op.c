#include "core/wire/op.h"

#include <string.h>

#define CHANNEL(c) (1u << (c))

/* What an operation may emit. The ABI's table in esp/plugin.h, as data. */
struct op_rule {
    const char *name;
    unsigned channels;
    size_t max_outputs; /* 0: the ceiling of all calls */
};

static const struct op_rule rules[ES_OPS] = {
    [ES_OP_CONFIGURE] = {.name = "configure"},
    [ES_OP_CHECK] = {.name = "check", .channels = CHANNEL(ESP_OUT_WARNING)},
    [ES_OP_OPEN] = {.name = "open"},
    [ES_OP_CLOSE] = {.name = "close"},
    [ES_OP_VALIDATE] = {.name = "validate"},
    [ES_OP_GET] = {.name = "get", .channels = CHANNEL(ESP_OUT_VALUE), .max_outputs = 1},
    [ES_OP_GET_MAP] = {.name = "get_map", .channels = CHANNEL(ESP_OUT_VALUE)},
    [ES_OP_GET_BATCH] = {.name = "get_batch", .channels = CHANNEL(ESP_OUT_VALUE)},
    [ES_OP_LIST] = {.name = "list", .channels = CHANNEL(ESP_OUT_VALUE) | CHANNEL(ESP_OUT_NAME)},
    [ES_OP_EXISTS] = {.name = "exists", .channels = CHANNEL(ESP_OUT_VALUE), .max_outputs = 1},
    [ES_OP_PUSH] = {.name = "push"},
    [ES_OP_REMOVE] = {.name = "remove"},
};

const char *es_op_name(enum es_op op)
{
    return rules[op].name;
}

esp_op es_op_of(const struct esp_store_ops *ops, enum es_op op)
{
    switch (op) {
    case ES_OP_CHECK:
        return ops->check;
    case ES_OP_VALIDATE:
        return ops->validate;
    case ES_OP_GET:
        return ops->get;
    case ES_OP_GET_MAP:
        return ops->get_map;
    case ES_OP_GET_BATCH:
        return ops->get_batch;
    case ES_OP_LIST:
        return ops->list;
    case ES_OP_EXISTS:
        return ops->exists;
    case ES_OP_PUSH:
        return ops->push;
    case ES_OP_REMOVE:
        return ops->remove;
    default:
        return NULL;
    }
}

size_t es_op_max_outputs(enum es_op op)
{
    return rules[op].max_outputs ? rules[op].max_outputs : ES_CALL_MAX_OUTPUTS;
}

enum es_emit_verdict es_emit_judge(enum es_op op, int32_t channel, esp_bytes key, esp_bytes value,
                                   size_t count, size_t bytes)
{
    size_t room = ES_CALL_MAX_BYTES - bytes;

    if (channel < ESP_OUT_VALUE || channel > ESP_OUT_WARNING || !(rules[op].channels & CHANNEL(channel)))
        return ES_EMIT_CHANNEL;
    if ((key.len && !key.ptr) || (value.len && !value.ptr))
        return ES_EMIT_ADDRESS;
    if (count >= es_op_max_outputs(op))
        return ES_EMIT_COUNT;
    if (key.len > room || value.len > room - key.len)
        return ES_EMIT_BYTES;
    if (key.len && memchr(key.ptr, '\0', key.len))
        return ES_EMIT_NUL;
    return ES_EMIT_OK;
}
