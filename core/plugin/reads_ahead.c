/* Several reads at once, before the pass that wants them asks for the first. */
#include <stdlib.h>

#include "core/plugin/reads_own.h"

struct claim {
    struct es_read *read;
    struct es_read_item *item;
};

/* Claims what is to be read; what somebody else has or reads is held for the pass. */
static size_t claim_all(struct es_reading *g, const struct es_read_ahead *ahead, struct claim *mine)
{
    size_t count = 0;

    for (size_t i = 0; i < ahead->count; i++) {
        struct es_read_item *item = &ahead->items[i];
        bool is_mine;
        pthread_mutex_lock(&g->reads->lock);
        struct es_read *e = es_reads_claim_locked(g->reads, item->key, g->since_ms, item->others, &is_mine);
        const char *how = e && e->state == ES_READ_READING ? "in_flight" : "window";
        pthread_mutex_unlock(&g->reads->lock);
        if (is_mine)
            mine[count++] = (struct claim){e, item};
        else if (e && !es_reading_hold(g, e, how))
            es_reads_leave(g->reads, e);
    }
    return count;
}

static void publish(struct es_reading *g, const struct es_read_ahead *ahead, const struct claim *c)
{
    const struct es_read_item *item = c->item;
    bool unfit = ahead->unfit && __atomic_load_n(ahead->unfit, __ATOMIC_ACQUIRE);
    bool late =
        item->rc < 0 && item->rc != ES_E_NOT_FOUND && es_read_is_over(ahead->deadline_ms, ahead->cancelled);

    if (item->rc == 1) {
        es_reads_abandon(g->reads, c->read);
        return;
    }
    es_reads_publish(g->reads, c->read, item->rc, &item->values, &item->why, unfit || late);
    if (!es_reading_hold(g, c->read, NULL))
        es_reads_leave(g->reads, c->read);
}

void es_reads_ahead(struct es_reading *g, const struct es_read_ahead *ahead)
{
    struct claim *mine = calloc(ahead->count + 1, sizeof *mine);
    struct es_read_item **items = calloc(ahead->count + 1, sizeof *items);
    size_t count = mine && items ? claim_all(g, ahead, mine) : 0;

    for (size_t i = 0; i < count; i++) {
        items[i] = mine[i].item;
        items[i]->rc = 1;
    }
    if (count >= 2)
        ahead->read(ahead->ctx, items, count);
    for (size_t i = 0; i < count; i++) {
        publish(g, ahead, &mine[i]);
        es_values_fini(&mine[i].item->values);
    }
    free(mine);
    free((void *)items);
}
