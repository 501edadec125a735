/* tests/unit/failing_alloc.h: lets the n-th allocation of the program fail. Included by
 * one source of a test that is linked with
 *   -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
 * so that the linker sends the program's own calls here; libraries keep theirs. */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static size_t until_failure = SIZE_MAX; /* so many more succeed; SIZE_MAX: all */
static bool failed_one;                 /* the test resets it */

/* One fails, and then all succeed again. */
static bool fails(void)
{
    if (until_failure == SIZE_MAX || until_failure-- > 0)
        return false;
    until_failure = SIZE_MAX;
    failed_one = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __real_realloc(ptr, size);
}

#endif
