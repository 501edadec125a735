/* plugins/aws/batch.h: many references, few calls. */
#ifndef AWS_BATCH_H
#define AWS_BATCH_H

#include "store.h"

/* Reads all items, several in one call where the service can, and settles each. Other than ESP_OK: none of
 * it counts, for a reason that has been recorded. */
esp_status aws_batch(struct aws_store *store, struct esp_call *call, struct aws_item *items, size_t count);

/* Names at AWS that a search has found; zeroes are none. */
struct aws_names {
    struct aws_item *items;
    size_t count;
};

/* Copies the name. False without memory. */
bool aws_names_add(struct aws_names *names, esp_bytes name);

/* Emits each name with its value. One that may not be read fails the search: without it, a Secret would lose
 * keys in silence. One that has gone in the meantime is left out. */
esp_status aws_names_read(struct aws_store *store, struct esp_call *call, struct aws_names *names);
void aws_names_free(struct aws_names *names);

#endif
