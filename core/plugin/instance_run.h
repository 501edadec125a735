/* core/plugin/instance_run.h: an instance from the inside, for the two files that know it:
 * instance.c has its life and how an operation is run, instance_ops.c the operations. */
#ifndef ES_PLUGIN_INSTANCE_RUN_H
#define ES_PLUGIN_INSTANCE_RUN_H

#include <pthread.h>

#include "core/base/buf.h"
#include "core/plugin/call.h"
#include "core/plugin/instance.h"
#include "core/plugin/registry_own.h"

struct es_instance {
    const struct es_registry *registry;
    const struct es_provider *provider;
    void *state; /* the plugin's */
    void *slot;  /* the pool's */
    char *store; /* identity as JSON, ready for documents */
    struct es_reads *reads;
    char *reads_prefix; /* of the keys of what is read through it; begins as its store's */
    bool personal;      /* atomic: the consumer decides about the answers, they are his namespace's alone */

    bool no_batch; /* atomic: the backend refuses get_batch */

    /* The identity again, for what is left to say when nobody asks any more. */
    char *store_kind, *store_namespace, *store_name, *consumer_namespace;

    /* One operation at a time unless the provider is concurrent. The lock is not
     * held while the plugin works: `busy` is. */
    pthread_mutex_t lock; /* guards busy */
    pthread_cond_t turn;
    bool busy;
};

static inline const struct esp_store_ops *es_provider_ops(const struct es_provider *p)
{
    return p->component->store;
}

static inline bool es_instance_can(const struct es_instance *i, uint64_t cap)
{
    return (i->provider->caps & cap) != 0;
}

/* Begins a call of the instance; es_call_end follows, whatever becomes of it. */
void es_instance_begin(struct esp_call *c, const struct es_instance *i, enum es_op op,
                       const struct es_authority *who);

/* Runs `op` (NULL: the plugin has none) with the document, when it is the instance's turn. The outputs stay
 * in the call until it ends. */
int es_instance_run(struct es_instance *i, struct esp_call *c, esp_op op, const struct es_buf *doc,
                    const esp_pair *values, size_t value_count, struct es_error *err);

#endif
