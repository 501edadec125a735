#include "core/controller/push_claims.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"

struct es_push_claims {
    pthread_mutex_t lock;  /* guards `claimed` */
    struct es_map claimed; /* "provider|remote key", each pointing to itself */
};

struct es_push_claims *es_push_claims_new(void)
{
    struct es_push_claims *c = calloc(1, sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void es_push_claims_free(struct es_push_claims *c)
{
    if (!c)
        return;
    es_map_fini(&c->claimed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

char *es_push_claim(struct es_push_claims *c, const char *provider, const char *remote_key)
{
    char *claim = es_strf("%s|%s", provider, remote_key);

    if (!claim)
        return NULL;
    pthread_mutex_lock(&c->lock);
    bool mine = !es_map_get(&c->claimed, claim) && es_map_put(&c->claimed, claim, claim, NULL) == 0;
    pthread_mutex_unlock(&c->lock);
    if (mine)
        return claim;
    es_mem_free(claim);
    return NULL;
}

void es_push_unclaim(struct es_push_claims *c, char *take_claim)
{
    if (!take_claim)
        return;
    pthread_mutex_lock(&c->lock);
    es_map_remove(&c->claimed, take_claim);
    pthread_mutex_unlock(&c->lock);
    es_mem_free(take_claim);
}
