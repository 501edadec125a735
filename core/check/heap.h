/* core/check/heap.h: allocations of the plugin, counted and made to fail.
 *
 * The executable's own malloc comes first in the order of symbols, so the
 * plugin and its libraries use it. It only passes on to the next one, unless the
 * thread is armed: from es_heap_arm to es_heap_disarm, except while a service of
 * the host is at work. Sanitizers bring their own allocator, and then nothing is
 * counted. All state belongs to the thread. */
#ifndef ES_CHECK_HEAP_H
#define ES_CHECK_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Is there anything to arm? */
bool es_heap_watched(void);

/* The fail_at-th allocation from now on fails; 0: none does. */
void es_heap_arm(size_t fail_at);

/* How many there were. ret_refused (or NULL): how many got nothing from the system. */
size_t es_heap_disarm(size_t *ret_refused);

/* Around code that is not the plugin's. Returns what es_heap_resume wants back. */
bool es_heap_pause(void);
void es_heap_resume(bool was_armed);

/* Bytes in use in the process. */
size_t es_heap_in_use(void);

/* Is there a sanitizer, compiled in or preloaded? It keeps what is freed for a while, so the
 * process grows. */
bool es_heap_is_sanitized(void);

#endif
