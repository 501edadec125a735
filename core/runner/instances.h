/* core/runner/instances.h: the opened stores of this process by number. Numbers
 * cross to the core, addresses do not. Any thread. */
#ifndef ES_RUNNER_INSTANCES_H
#define ES_RUNNER_INSTANCES_H

#include <stdint.h>

/* The number of a new one; 0: no memory. */
uint64_t es_instances_add(void *state);

void *es_instances_get(uint64_t number); /* NULL if there is none */

/* An operation on one of them has returned. That the core closes a store after its
 * last operation is an order made in another process: this is how it holds
 * between our threads too, where the memory model and its tools look for it. */
void es_instances_done(void);

/* Forgets it; after whatever happened before es_instances_done was called. */
void *es_instances_take(uint64_t number);

#endif
