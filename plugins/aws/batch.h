/* plugins/aws/batch.h: many references, few calls. */
#ifndef AWS_BATCH_H
#define AWS_BATCH_H

#include "store.h"

/* Reads all items, several in one call where the service can, and settles each. Other than ESP_OK: none of
 * it counts, for a reason that has been recorded. */
esp_status aws_batch(struct aws_store *store, struct esp_call *call, struct aws_item *items, size_t count);

#endif
