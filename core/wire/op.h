/* core/wire/op.h: the operations of a plugin, and what each may hand out.
 *
 * The core holds every call to these rules. A plugin's process applies them
 * too, so that a plugin hears at once that an emit was refused; what it then
 * says is not believed but judged again. */
#ifndef ES_WIRE_OP_H
#define ES_WIRE_OP_H

#include <stddef.h>

#include "esp/plugin.h"

/* Ceilings of one call. */
#define ES_CALL_MAX_OUTPUTS ((size_t)10000)
#define ES_CALL_MAX_BYTES ((size_t)16 << 20) /* emitted: keys and values */
#define ES_CALL_MAX_LOG_LINES 200

/* Those about the store before those about a secret. The values cross to the
 * plugin's process: new ones come at the end. */
enum es_op {
    ES_OP_CONFIGURE,
    ES_OP_CHECK,
    ES_OP_OPEN,
    ES_OP_CLOSE,
    ES_OP_VALIDATE,
    ES_OP_GET,
    ES_OP_GET_MAP,
    ES_OP_GET_BATCH,
    ES_OP_LIST,
    ES_OP_EXISTS,
    ES_OP_PUSH,
    ES_OP_REMOVE,
    ES_OPS
};

const char *es_op_name(enum es_op op);

/* The plugin's function for an operation on an opened store, and for `check`; NULL: it has none. */
esp_op es_op_of(const struct esp_store_ops *ops, enum es_op op);

/* How many results an operation may hand out. */
size_t es_op_max_outputs(enum es_op op);

enum es_emit_verdict {
    ES_EMIT_OK,
    ES_EMIT_CHANNEL, /* the operation has no such channel */
    ES_EMIT_ADDRESS, /* a length and no address */
    ES_EMIT_COUNT,   /* too many */
    ES_EMIT_BYTES,   /* too much */
    ES_EMIT_NUL      /* a NUL byte in a name */
};

/* May this be handed out by an operation that has handed out `count` results of
 * `bytes` bytes? */
enum es_emit_verdict es_emit_judge(enum es_op op, int32_t channel, esp_bytes key, esp_bytes value,
                                   size_t count, size_t bytes);

#endif
