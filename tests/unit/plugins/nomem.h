/* tests/unit/plugins/nomem.h: a plugin, linked in, while each of its allocations fails in turn.
 *
 * Tests link test_plugin_nomem, which has the linker send here what the program allocates, and tells jansson
 * to come here as well. Other libraries keep their own. */
#ifndef TEST_PLUGIN_NOMEM_H
#define TEST_PLUGIN_NOMEM_H

#include "host.h"

#include <stdint.h>

/* Runs an operation like test_run, in which one allocation fails after `at` others; the host's do not count.
 */
#define NOMEM_NEVER SIZE_MAX
esp_status nomem_run(struct esp_call *call, esp_op op, void *instance, const char *json,
                     const esp_pair *values, size_t value_count, size_t at);

/* Whether one has failed in the last nomem_run. */
bool nomem_failed(void);

struct nomem_case {
    const struct esp_store_ops *ops;
    struct world *world;
    const char *open;      /* the document of open */
    esp_op op;             /* NULL: open itself */
    const char *json;      /* the document of op; its secret side is k=v */
    esp_status in_the_end; /* when nothing fails */
};

/* Runs the operation until none of its allocations is left to fail. What fails must not pass for a
 * secret that is not there; what succeeds although one has failed, as without a token that is
 * kept, has to do all that it usually does. */
void nomem_torture(const struct nomem_case *c);

#endif
