/* core/runner/instances.h: the opened stores of this process by number. Numbers
 * cross to the core, addresses do not. Any thread. */
#ifndef ES_RUNNER_INSTANCES_H
#define ES_RUNNER_INSTANCES_H

#include <stdint.h>

/* The number of a new one; 0: no memory. */
uint64_t es_instances_add(void *state);

void *es_instances_get(uint64_t number); /* NULL if there is none */
void *es_instances_take(uint64_t number); /* and forgets it */

#endif
