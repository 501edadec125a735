/* core/controller/fetch_ahead.h: what an ExternalSecret reads from one store, in one go. */
#ifndef ES_CONTROLLER_FETCH_AHEAD_H
#define ES_CONTROLLER_FETCH_AHEAD_H

#include <jansson.h>
#include <stdbool.h>

#include "core/controller/controller.h"
#include "core/controller/store_table.h"

/* Reads all entries of spec.data, and the extracts of spec.dataFrom, that this store serves, as far as
 * its provider takes several at once. Each of them is then asked for as ever, with
 * store->authority.reading, and finds its answer or its failure there. */
void es_fetch_ahead(struct es_env *env, const json_t *external_secret, const struct es_open_store *store);

#endif
