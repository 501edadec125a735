/* core/template/data.h: JSON trees as values. */
#ifndef ES_TEMPLATE_DATA_H
#define ES_TEMPLATE_DATA_H

#include <jansson.h>

#include "core/template/value.h"

/* The data of a template, see es_template_execute. Texts are borrowed from `data`.
 * False without memory, or more than 128 levels deep. */
bool es_tdata_root(struct es_arena *a, const json_t *data, struct es_tvalue *ret);

/* As encoding/json decodes into an interface{}: numbers are float64. */
bool es_tdata_any(struct es_arena *a, const json_t *data, struct es_tvalue *ret);

#endif
