/* core/plugin/document.h: the JSON documents of esp_request, as esp/plugin.h
 * lists them. Private to the room and to esp-check.
 *
 * Each starts a buffer that the caller ends with es_buf_fini, also when building
 * failed (es_buf_failed). `store` is the text of es_doc_store: made once per
 * instance, because it is the same for every request. */
#ifndef ES_PLUGIN_DOCUMENT_H
#define ES_PLUGIN_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/buf.h"
#include "core/plugin/instance.h"
#include "core/plugin/services.h"

/* `{"kind":...,"namespace":...,"name":...,"generation":...}`; es_mem_free it.
 * NULL without memory. */
char *es_doc_store(const struct es_authority *who);

void es_doc_open(struct es_buf *doc, const struct es_authority *who, const struct es_open_opts *opts);
void es_doc_empty(struct es_buf *doc, const char *store, const struct es_authority *who);
void es_doc_get(struct es_buf *doc, const json_t *ref, bool with_property, const char *store,
                const struct es_authority *who);
void es_doc_batch(struct es_buf *doc, const char *const *keys, size_t count, const char *store,
                  const struct es_authority *who);
/* The same for any references; with their properties only where `with_property`. */
void es_doc_refs(struct es_buf *doc, const json_t *const *refs, size_t count, bool with_property,
                 const char *store, const struct es_authority *who);
void es_doc_list(struct es_buf *doc, const json_t *find, const char *prefix, const char *store,
                 const struct es_authority *who);
void es_doc_push(struct es_buf *doc, const json_t *request, const char *store,
                 const struct es_authority *who);
void es_doc_remove(struct es_buf *doc, const json_t *request, const char *store,
                   const struct es_authority *who);
void es_doc_exists(struct es_buf *doc, const json_t *request, const char *store,
                   const struct es_authority *who);

#endif
