/* core/base/mem.h: memory that secrets pass through is wiped when freed.
 *
 * Bodies and parsed JSON hold secret bytes in buffers of libcurl and jansson
 * that we never see. Both let the program bring its own allocator; ours wipes
 * what it gives back, so that a core dump taken between two passes holds no
 * secret. */
#ifndef ES_BASE_MEM_H
#define ES_BASE_MEM_H

#include <stddef.h>

/* Tunes the C allocator for a small daemon with many threads and makes
 * jansson use the wiping functions. Once, in main, before the first thread
 * and before jansson's first use. */
void es_mem_init(void);

void *es_mem_alloc(size_t size);
void *es_mem_calloc(size_t count, size_t size);
void *es_mem_realloc(void *ptr, size_t size); /* wipes the old place when it moves */
char *es_mem_strdup(const char *text);
void es_mem_free(void *ptr); /* wipes, then frees; NULL is fine */

/* Overflow-checked product. Returns 0, or -1 and leaves *ret alone. */
int es_size_mul(size_t *ret, size_t a, size_t b);

#endif
