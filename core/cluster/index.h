/* core/cluster/index.h: which objects have a term.
 *
 * A term is a hash of some text. One object may have it, or thousands (all that
 * read from one store): adding, removing and finding the first cost the same.
 * Links are part of whatever is indexed, so that the index itself is a table of
 * 8 bytes for each different term. Not locked. */
#ifndef ES_CLUSTER_INDEX_H
#define ES_CLUSTER_INDEX_H

#include <stddef.h>
#include <stdint.h>

/* One object's place among those that share a term. */
struct es_link {
    uint64_t label; /* the term, and in the lowest byte which of its owner's links this is */
    struct es_link *prev, *next;
};

struct es_index {
    struct es_link **heads; /* an open table; NULL: free */
    size_t count, cap;
};

/* The term of a text; its lowest byte is 0. */
uint64_t es_term_of(const char *text);

void es_index_fini(struct es_index *x); /* frees the table, not the links */

/* The link must not move until it is removed. 0 or ES_E_NOMEM. */
int es_index_add(struct es_index *x, struct es_link *link, uint64_t term, uint8_t ordinal);
void es_index_remove(struct es_index *x, struct es_link *link); /* one that was added */

/* The first link with this term, NULL: none. The others follow by `next`. */
const struct es_link *es_index_first(const struct es_index *x, uint64_t term);

static inline uint8_t es_link_ordinal(const struct es_link *link)
{
    return (uint8_t)(link->label & 0xFF);
}

#endif
