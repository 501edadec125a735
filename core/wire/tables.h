/* core/wire/tables.h: a plugin's own description, carried from its process to
 * the core. What arrives looks as if the plugin had been loaded here, except
 * that its operations are the core's stand-ins. */
#ifndef ES_WIRE_TABLES_H
#define ES_WIRE_TABLES_H

#include "core/wire/link.h"

/* How much of each struct ABI 1.0 had. Written with the last field of 1.0, so
 * that they stay what they are when fields are appended. */
#define ES_PLUGIN_V1_SIZE (offsetof(struct esp_plugin, ambient) + sizeof(void *))
#define ES_COMPONENT_V1_SIZE (offsetof(struct esp_component, generator) + sizeof(void *))
#define ES_STORE_V1_SIZE (offsetof(struct esp_store_ops, remove) + sizeof(esp_op))
#define ES_GENERATOR_V1_SIZE (offsetof(struct esp_generator_ops, cleanup) + sizeof(esp_op))
#define ES_HTTP_REQUEST_V1_SIZE (offsetof(struct esp_http_request, api) + sizeof(esp_bytes))
#define ES_HTTP_RESPONSE_V1_SIZE (offsetof(struct esp_http_response, body) + sizeof(esp_bytes))

#define ES_MAX_COMPONENTS 256
#define ES_MAX_AMBIENT 256
#define ES_MAX_SCHEMA ((size_t)1 << 20)

/* Reads sizes first and nothing beyond them, as core/plugin/vet.c does; what is
 * too short is said to be, and that is all that is said of it. */
void es_put_plugin(struct es_link *l, const struct esp_plugin *p);

struct es_tables;

/* Makes tables of a frame, which is consumed in any case. Each operation that the
 * plugin has is the one of that name in the stand-ins. NULL with *ret_bad: the
 * frame makes no sense; without: no memory. */
struct es_tables *es_get_plugin(struct es_frame *take_frame, const struct esp_store_ops *store,
                                const struct esp_generator_ops *generator,
                                esp_status (*configure)(struct esp_call *, const struct esp_request *),
                                bool *ret_bad);
void es_tables_free(struct es_tables *t); /* NULL is fine */

const struct esp_plugin *es_tables_plugin(const struct es_tables *t);

/* Do both describe the same plugin? A file that was replaced may not. */
bool es_tables_equal(const struct es_tables *a, const struct es_tables *b);

#endif
