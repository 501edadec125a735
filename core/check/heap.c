#include "core/check/heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/sanitized.h"

static _Thread_local struct {
    bool armed;
    size_t count, fail_at, refused;
} heap;

void es_heap_arm(size_t fail_at)
{
    heap.count = heap.refused = 0;
    heap.fail_at = fail_at;
    heap.armed = true;
}

size_t es_heap_disarm(size_t *ret_refused)
{
    heap.armed = false;
    if (ret_refused)
        *ret_refused = heap.refused;
    return heap.count;
}

bool es_heap_pause(void)
{
    bool was = heap.armed;
    heap.armed = false;
    return was;
}

void es_heap_resume(bool was_armed)
{
    heap.armed = was_armed;
}

/* A sanitizer's allocator, compiled in or preloaded, knows better than the C
 * library, which it has replaced. */
static size_t (*sanitizer_in_use(void))(void)
{
    size_t (*fn)(void);
    void *symbol = dlsym(RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes");
    memcpy(&fn, &symbol, sizeof fn);
    return fn;
}

bool es_heap_is_sanitized(void)
{
    return sanitizer_in_use() != NULL;
}

size_t es_heap_in_use(void)
{
    size_t (*in_use)(void) = sanitizer_in_use();

    if (in_use)
        return in_use();
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

#if ES_SANITIZED

bool es_heap_watched(void)
{
    return false;
}

#else

bool es_heap_watched(void)
{
    return true;
}

/* The allocator that would have been used without us: the C library's, or that
 * of a preloaded library. The library's own names serve while it is looked for. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_aligned)(size_t, size_t);

static _Thread_local bool looking;

/* Any thread may be the first; all of them find the same. */
static void look(void)
{
    static const char *const names[] = {"malloc", "calloc", "realloc", "aligned_alloc"};
    void *found[4];

    looking = true;
    for (int i = 0; i < 4; i++)
        found[i] = dlsym(RTLD_NEXT, names[i]);
    looking = false;
    __atomic_store_n((void **)&next_aligned, found[3], __ATOMIC_RELEASE);
    __atomic_store_n((void **)&next_realloc, found[2], __ATOMIC_RELEASE);
    __atomic_store_n((void **)&next_calloc, found[1], __ATOMIC_RELEASE);
    __atomic_store_n((void **)&next_malloc, found[0], __ATOMIC_RELEASE);
}

static bool found(void)
{
    if (looking)
        return false;
    if (!__atomic_load_n((void **)&next_malloc, __ATOMIC_ACQUIRE))
        look();
    return __atomic_load_n((void **)&next_malloc, __ATOMIC_ACQUIRE) != NULL;
}

static bool is_refused(void)
{
    if (!heap.armed || ++heap.count != heap.fail_at)
        return false;
    errno = ENOMEM;
    return true;
}

static void *given(void *ptr)
{
    if (!ptr && heap.armed)
        heap.refused++;
    return ptr;
}

#define OURS __attribute__((visibility("default")))

OURS void *malloc(size_t size)
{
    if (is_refused())
        return NULL;
    return given(found() ? next_malloc(size) : __libc_malloc(size));
}

OURS void *calloc(size_t count, size_t size)
{
    if (is_refused())
        return NULL;
    return given(found() ? next_calloc(count, size) : __libc_calloc(count, size));
}

OURS void *realloc(void *ptr, size_t size)
{
    if (is_refused())
        return NULL;
    void *moved = found() ? next_realloc(ptr, size) : __libc_realloc(ptr, size);
    return size ? given(moved) : moved;
}

OURS void *aligned_alloc(size_t alignment, size_t size)
{
    if (is_refused())
        return NULL;
    return given(found() ? next_aligned(alignment, size) : __libc_memalign(alignment, size));
}

OURS int posix_memalign(void **ret, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) || !alignment || (alignment & (alignment - 1)))
        return EINVAL;
    void *ptr = aligned_alloc(alignment, size);
    if (!ptr)
        return ENOMEM;
    *ret = ptr;
    return 0;
}

#endif
