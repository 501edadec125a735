/* tests/unit/failing_alloc.h: lets the n-th allocation of the program fail. Included by
 * one source of a test that is linked with
 *   -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
 * so that the linker sends the program's own calls here; libraries keep theirs.
 *
 * With ALLOC_COUNTS_BYTES defined before, and --wrap=free as well, live_bytes is what
 * the program has allocated and not freed. With ALLOC_ARRAYS, and --wrap=reallocarray,
 * that function fails too. ALLOC_SPARES is an expression: while it is true, nothing
 * fails and nothing is counted down. */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ALLOC_SPARES
#define ALLOC_SPARES false
#endif

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
    if (until_failure == SIZE_MAX || ALLOC_SPARES || until_failure-- > 0)
        return false;
    until_failure = SIZE_MAX;
    failed_one = true;
    return true;
}

#ifdef ALLOC_COUNTS_BYTES
#include <malloc.h>

void __real_free(void *ptr);
void __wrap_free(void *ptr);

static size_t live_bytes;

static void *count_in(void *p)
{
    if (p)
        __atomic_add_fetch(&live_bytes, malloc_usable_size(p), __ATOMIC_RELAXED);
    return p;
}

static void count_out(void *p)
{
    if (p)
        __atomic_sub_fetch(&live_bytes, malloc_usable_size(p), __ATOMIC_RELAXED);
}

void __wrap_free(void *ptr)
{
    count_out(ptr);
    __real_free(ptr);
}
#else
static void *count_in(void *p)
{
    return p;
}

static void count_out(void *p)
{
    (void)p;
}
#endif

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : count_in(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : count_in(__real_calloc(count, size));
}

void *__wrap_realloc(void *ptr, size_t size)
{
    if (fails())
        return NULL;
    count_out(ptr);
    void *moved = __real_realloc(ptr, size);
    count_in(moved ? moved : ptr); /* what cannot be moved is still there */
    return moved;
}

#ifdef ALLOC_ARRAYS
void *__real_reallocarray(void *ptr, size_t count, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size);

void *__wrap_reallocarray(void *ptr, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(ptr, count, size);
}
#endif

#endif
