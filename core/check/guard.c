#include "core/check/guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void es_guard_init(struct es_guard *g, const void *data, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (len + page - 1) / page * page;

    g->map_len = body + page;
    g->map = mmap(NULL, g->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->map == MAP_FAILED || mprotect((char *)g->map + body, page, PROT_NONE) < 0)
        abort();
    g->ptr = (char *)g->map + body - len;
    if (data && len)
        memcpy(g->ptr, data, len);
}

void es_guard_fini(struct es_guard *g)
{
    if (g->map)
        munmap(g->map, g->map_len);
    *g = (struct es_guard){0};
}
