/* tests/unit/plugins/nomem.h: a plugin, linked in, while each of its allocations fails in turn.
 *
 * Link with -Wl,--wrap= for malloc, calloc, realloc, reallocarray and json_loadb. */
#ifndef TEST_PLUGIN_NOMEM_H
#define TEST_PLUGIN_NOMEM_H

#include "host.h"

struct nomem_case {
    const struct esp_store_ops *ops;
    struct world *world;
    const char *open; /* the document of open */
    esp_op op;        /* NULL: open itself */
    const char *json; /* the document of op */
    const esp_pair *values;
    size_t value_count;
    esp_status in_the_end; /* when nothing fails */
};

/* Runs the operation until none of its allocations is left to fail. What fails must not pass for a
 * secret that is not there; what succeeds although one has failed, as without a token that is
 * kept, has to do all that it usually does. */
void nomem_torture(const struct nomem_case *c);

#endif
