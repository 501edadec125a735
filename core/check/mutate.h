/* core/check/mutate.h: documents that no core writes. */
#ifndef ES_CHECK_MUTATE_H
#define ES_CHECK_MUTATE_H

#include <jansson.h>

#include "esp/plugin.h"

/* `what` ends the sentence "get of component x with ...". Both are borrowed for the call. */
typedef void es_mutate_fn(void *ctx, const char *what, esp_bytes document);

/* Documents that have nothing to do with the right one: empty, of another type, cut
 * off, garbage, deeply nested, with a name of 8 MiB. `right` is the right one. */
void es_mutate_text(esp_bytes right, es_mutate_fn *fn, void *ctx);

/* The right one with one change each, anywhere inside: a member removed, emptied, of
 * another type. At most `max` of them. */
void es_mutate_tree(json_t *right, size_t max, es_mutate_fn *fn, void *ctx);

#endif
