#include "core/cluster/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/map.h"

static uint64_t term_of(const struct es_link *link)
{
    return link->label & ~UINT64_C(0xFF);
}

uint64_t es_term_of(const char *text)
{
    return es_hash64(text, strlen(text)) & ~UINT64_C(0xFF);
}

void es_index_fini(struct es_index *x)
{
    free(x->heads);
    *x = (struct es_index){0};
}

static size_t home_of(const struct es_index *x, uint64_t term)
{
    return (size_t)(term >> 8) & (x->cap - 1);
}

/* Where the term's list begins, or the free place where it would. */
static size_t find(const struct es_index *x, uint64_t term)
{
    size_t i = home_of(x, term);
    while (x->heads[i] && term_of(x->heads[i]) != term)
        i = (i + 1) & (x->cap - 1);
    return i;
}

static int grow(struct es_index *x)
{
    size_t cap = x->cap ? x->cap * 2 : 64;
    struct es_index grown = {.heads = calloc(cap, sizeof(struct es_link *)), .count = x->count, .cap = cap};

    if (!grown.heads)
        return ES_E_NOMEM;
    for (size_t i = 0; i < x->cap; i++)
        if (x->heads[i])
            grown.heads[find(&grown, term_of(x->heads[i]))] = x->heads[i];
    free(x->heads);
    *x = grown;
    return 0;
}

int es_index_add(struct es_index *x, struct es_link *link, uint64_t term, uint8_t ordinal)
{
    if (x->count + 1 > x->cap / 4 * 3 && grow(x) < 0)
        return ES_E_NOMEM;
    size_t i = find(x, term);
    *link = (struct es_link){.label = term | ordinal, .next = x->heads[i]};
    if (link->next)
        link->next->prev = link;
    else
        x->count++;
    x->heads[i] = link;
    return 0;
}

/* Closes the gap, so that probing needs no tombstones. */
static void free_place(struct es_index *x, size_t gap)
{
    size_t mask = x->cap - 1;

    for (size_t i = (gap + 1) & mask; x->heads[i]; i = (i + 1) & mask) {
        size_t home = home_of(x, term_of(x->heads[i]));
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            x->heads[gap] = x->heads[i];
            gap = i;
        }
    }
    x->heads[gap] = NULL;
    x->count--;
}

void es_index_remove(struct es_index *x, struct es_link *link)
{
    if (link->next)
        link->next->prev = link->prev;
    if (link->prev) {
        link->prev->next = link->next;
        return;
    }
    size_t i = find(x, term_of(link));
    if (link->next)
        x->heads[i] = link->next;
    else
        free_place(x, i);
}

const struct es_link *es_index_first(const struct es_index *x, uint64_t term)
{
    return x->cap ? x->heads[find(x, term)] : NULL;
}
