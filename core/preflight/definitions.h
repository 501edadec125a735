/* core/preflight/definitions.h: a CustomResourceDefinition as it stands in a cluster,
 * compared with the one that this esod would install. Pure functions. */
#ifndef ES_PREFLIGHT_DEFINITIONS_H
#define ES_PREFLIGHT_DEFINITIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/buf.h"
#include "core/kube/kind.h"

extern const struct es_kind es_kind_definition;

/* Whether the API server would work in the same way with either. */
bool es_definition_same(const json_t *ours, const json_t *theirs);

/* The version of esod that made it; "" when none did. */
const char *es_definition_esod(const json_t *theirs);

/* <0, 0, >0: versions as in 1.10.2; what is no version comes first. */
int es_definition_compare_versions(const char *a, const char *b);

/* "Helm release eso in namespace external-secrets", or nothing. */
bool es_definition_release(const json_t *theirs, struct es_buf *out);

/* Whose it is, in words, for people. */
void es_definition_describe(const json_t *theirs, struct es_buf *out);

/* A version that is served; NULL: there is none of that name, or it is not served. */
const json_t *es_definition_served(const json_t *definition, const char *version);

/* The providers that it has fields for in a version, as members of an object; NULL: it is
 * no definition of a store. */
const json_t *es_definition_providers(const json_t *definition, const char *version);

/* Whether the API server has taken it up, and goes on with it. */
bool es_definition_established(const json_t *theirs);

#endif
