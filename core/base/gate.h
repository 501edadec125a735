/* core/base/gate.h: a question that is asked before something is written.
 *
 * Of several replicas one may write. Whether this one still is that one can
 * change between the moment at which a request is made and the moment at which
 * it leaves, so the question travels with the request and is asked where the
 * bytes go out. */
#ifndef ES_BASE_GATE_H
#define ES_BASE_GATE_H

#include <stddef.h>

struct es_gate {
    /* NULL: go ahead. Otherwise why not, as a constant sentence without a full
     * stop. Any thread, often; must not block. */
    const char *(*barred)(void *ctx);
    void *ctx;
};

/* A missing gate is open. */
static inline const char *es_gate_barred(const struct es_gate *gate)
{
    return gate ? gate->barred(gate->ctx) : NULL;
}

#endif
