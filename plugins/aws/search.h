/* plugins/aws/search.h: what searches of all services do with what AWS lists. */
#ifndef AWS_SEARCH_H
#define AWS_SEARCH_H

#include "request.h"

/* Asks for one page, follows its token with aws_pages_turn. */
typedef esp_status aws_search_page(struct aws_store *store, struct esp_call *call, const void *ctx,
                                   struct aws_pages *pages, bool *more);

/* Asks for page after page until there is no more. */
esp_status aws_search_pages(struct aws_store *store, struct esp_call *call, aws_search_page *page,
                            const void *ctx);

/* Runs `one` on each element of a JSON list until one fails. An empty text is an empty list. */
esp_status aws_search_each(struct esp_call *call, esp_bytes list,
                           esp_status (*one)(struct esp_call *call, esp_bytes element));

/* What has a Name and a value that came along; `value_of` as aws_sm_value. Emits both. */
esp_status aws_search_emit(struct esp_call *call, esp_bytes element,
                           void (*value_of)(esp_bytes element, esp_bytes id, struct esp_text *value,
                                            struct aws_verdict *verdict));

/* Of a list of objects with a Name: emits the names as `get` takes them, without the prefix. What lies
 * outside of it is not this store's. */
esp_status aws_search_names(struct aws_store *store, struct esp_call *call, const json_t *list);

/* Of the same list: reads the values, many in one call, and emits them under their whole names. One that may
 * not be read fails the search: without it, a Secret would lose keys in silence. One that has gone in the
 * meantime is left out. */
esp_status aws_search_read(struct aws_store *store, struct esp_call *call, const json_t *list);

#endif
