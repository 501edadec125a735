#include "core/base/locked.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

size_t es_locked_cost(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return size > SIZE_MAX - page ? SIZE_MAX : (size + page - 1) / page * page;
}

/* Why not OpenSSL's secure heap: its size has to be fixed when the process
 * starts, it never gets smaller, and once it is there OpenSSL puts private keys in
 * it, so that a heap full of answers would break TLS. */
void *es_locked_alloc(size_t size)
{
    size_t cost = es_locked_cost(size);
    void *ptr = mmap(NULL, cost, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (ptr == MAP_FAILED)
        return NULL;
    /* Neither can fail the caller: a kernel or a limit may refuse them. */
    (void)madvise(ptr, cost, MADV_DONTDUMP);
    (void)mlock(ptr, cost);
    return ptr;
}

void es_locked_free(void *ptr, size_t size)
{
    if (!ptr)
        return;
    OPENSSL_cleanse(ptr, size);
    munmap(ptr, es_locked_cost(size));
}
