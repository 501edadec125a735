/* core/base/locked.h: pages for secrets that are kept between two uses.
 *
 * They are left out of core dumps and are not swapped, as far as the limit on
 * locked memory (ulimit -l) allows; nobody else's data shares them. They go back to
 * the system, wiped, when freed: nothing is kept for later. */
#ifndef ES_BASE_LOCKED_H
#define ES_BASE_LOCKED_H

#include <stddef.h>

/* Zeroes; NULL without memory. `size` is not 0. */
void *es_locked_alloc(size_t size);
void es_locked_free(void *ptr, size_t size); /* wipes; `size` as it was asked for; NULL is fine */

/* What an allocation of this size takes: whole pages. */
size_t es_locked_cost(size_t size);

#endif
