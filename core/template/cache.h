/* core/template/cache.h: templates that were read before.
 *
 * Refreshes render the same texts again and again. Keeps the last ones, by their content
 * and delimiters, up to 2 MiB of text; wiped when they go. Any thread. */
#ifndef ES_TEMPLATE_CACHE_H
#define ES_TEMPLATE_CACHE_H

#include "core/template/template.h"

/* As es_template_new; to be given back with es_template_free as well. */
int es_template_get(struct es_template **ret, const char *name, const char *text, size_t len,
                    const struct es_template_opts *opts, struct es_error *err);

/* Forgets all; those in use live on. For tests. */
void es_template_cache_clear(void);

#endif
