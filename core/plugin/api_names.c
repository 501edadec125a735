#include "core/plugin/api_names.h"

#include <pthread.h>

#include "core/base/map.h"
#include "core/base/mem.h"

struct es_api_names {
    pthread_mutex_t lock; /* guards known */
    struct es_map known;  /* name -> itself */
};

struct es_api_names *es_api_names_new(void)
{
    struct es_api_names *n = es_mem_calloc(1, sizeof *n);

    if (n && pthread_mutex_init(&n->lock, NULL) != 0) {
        es_mem_free(n);
        n = NULL;
    }
    return n;
}

void es_api_names_free(struct es_api_names *n)
{
    size_t pos = 0;

    if (!n)
        return;
    for (char *name; (name = es_map_next(&n->known, &pos));)
        es_mem_free(name);
    es_map_fini(&n->known);
    pthread_mutex_destroy(&n->lock);
    es_mem_free(n);
}

const char *es_api_names_bound(struct es_api_names *n, const char *name)
{
    pthread_mutex_lock(&n->lock);
    const char *known = es_map_get(&n->known, name);
    if (!known && n->known.count < ES_API_NAMES_MAX) {
        char *copy = es_mem_strdup(name);
        if (copy && es_map_put(&n->known, copy, copy, NULL) < 0) {
            es_mem_free(copy);
            copy = NULL;
        }
        known = copy;
    }
    pthread_mutex_unlock(&n->lock);
    return known ? known : "other";
}
