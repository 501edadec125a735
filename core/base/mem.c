#include "core/base/mem.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void es_mem_init(void)
{
    /* Arenas per thread would multiply the resident size by the number of
     * workers. One is enough for two dozen threads that mostly wait: what they
     * free goes to their own small caches first. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    json_set_alloc_funcs(es_mem_alloc, es_mem_free);
}

void *es_mem_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *es_mem_calloc(size_t count, size_t size)
{
    return calloc(count ? count : 1, size ? size : 1);
}

void es_mem_free(void *ptr)
{
    if (!ptr)
        return;
    /* The C library's way to wipe, for most pieces are a JSON node of a few words:
     * OpenSSL's takes four times as long for those. */
    explicit_bzero(ptr, malloc_usable_size(ptr));
    free(ptr);
}

void *es_mem_realloc(void *ptr, size_t size)
{
    if (!ptr)
        return es_mem_alloc(size);
    size_t have = malloc_usable_size(ptr);
    if (size <= have && size >= have / 2)
        return ptr;
    void *moved = es_mem_alloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, ptr, have < size ? have : size);
    es_mem_free(ptr);
    return moved;
}

char *es_mem_strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = es_mem_alloc(len);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

int es_size_mul(size_t *ret, size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return -1;
    *ret = product;
    return 0;
}
