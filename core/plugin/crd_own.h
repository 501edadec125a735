/* core/plugin/crd_own.h: what the sources of crd.h share, and what esp-check asks of them. */
#ifndef ES_PLUGIN_CRD_OWN_H
#define ES_PLUGIN_CRD_OWN_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/map.h"
#include "core/plugin/crd.h"

/* Schemas nest as deep as people write them; recursion ends here. */
#define ES_CRD_MAX_DEPTH 64

struct es_crds {
    json_t *fragments;      /* name -> schema, resolved where they are used */
    json_t *documents;      /* every definition, printed or not */
    json_t *meta;           /* schema of metadata, for checks */
    struct es_map patterns; /* pattern text inside `documents` -> struct es_regex */
};

/* crd_schema.c: parses and checks; *ret is a new reference without what is
 * meant for editors. */
int es_crd_parse_schema(json_t **ret, const char *name, const char *schema, struct es_error *err);

/* crd_resolve.c: a copy of `node` in which each $ref is replaced by what
 * `fragments` or `computed` has under that name. ES_E_INTERNAL for a base
 * document that makes no sense. */
int es_crd_resolve(json_t **ret, const json_t *node, const json_t *fragments, const json_t *computed,
                   struct es_error *err);

/* crd_check.c: the first problem of `value` with `schema`, as a sentence; 0 if
 * there is none. For defaults inside schemas. */
int es_crd_check_value(const json_t *schema, const json_t *value, struct es_error *err);

#endif
