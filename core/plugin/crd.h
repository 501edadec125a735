/* core/plugin/crd.h: the CustomResourceDefinitions, made of the documents in
 * crds/ and the schemas of the providers that are loaded.
 *
 * A provider's schema goes below spec.provider.NAME of the two store kinds, in
 * every version. Exactly one provider may be set. A new store with a provider
 * that no loaded plugin has is refused. One that is there already keeps its
 * block: it is never pruned, so a plugin may be installed later, or again. */
#ifndef ES_PLUGIN_CRD_H
#define ES_PLUGIN_CRD_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/error.h"

struct es_crds; /* constant once made and stamped: any thread may use it */

struct es_crd_provider {
    const char *name;   /* key under spec.provider */
    const char *schema; /* JSON Schema text of its block */
};

enum es_crd_format {
    ES_CRD_YAML, /* documents, each begun by "---" */
    ES_CRD_JSON, /* one v1 List */
};

/* Assembles the definitions. `providers` is read during the call only; their
 * order does not matter. ES_E_CONFIG, naming the provider, for a schema that
 * es_crd_check_schema refuses, a name that is no word ([A-Za-z][A-Za-z0-9_-]*,
 * 63 bytes) or is there twice. */
int es_crds_new(struct es_crds **ret, const struct es_crd_provider *providers, size_t count,
                struct es_error *err);
void es_crds_free(struct es_crds *crds);

/* Appends all definitions, in a fixed order: the same providers give the same
 * bytes. ES_E_TOO_LARGE above `out`'s ceiling. */
int es_crds_write(struct es_buf *out, const struct es_crds *crds, enum es_crd_format format,
                  struct es_error *err);

/* The three in one: what `esod crds` prints. */
int es_crd_render(struct es_buf *out, const struct es_crd_provider *providers, size_t count,
                  enum es_crd_format format, struct es_error *err);

/* Notes in each definition which version of esod made it, as an annotation: whoever
 * applies other ones later knows which are newer. ES_E_NOMEM. */
#define ES_CRD_ANNOTATION_VERSION "external-secrets.io/esod-version"
int es_crds_stamp(struct es_crds *crds, const char *version, struct es_error *err);

/* All definitions, as an array in the order in which they are written; borrowed. */
const json_t *es_crds_documents(const struct es_crds *crds);

/* The openAPIV3Schema of a kind, borrowed; NULL when there is none. */
const json_t *es_crds_schema(const struct es_crds *crds, const char *api_version, const char *kind);

/* Whether a provider's schema can stand in a CustomResourceDefinition, which
 * takes structural schemas only:
 *   - it is an object schema, and every part below it has one type (or is
 *     x-kubernetes-int-or-string, or x-kubernetes-preserve-unknown-fields);
 *   - no references, no properties beside additionalProperties, no keyword
 *     that an API server does not know or refuses;
 *   - patterns compile, defaults fit.
 * $schema, $id and $comment at the top are for editors and are left out, and so is
 * x-esp-per-namespace (per_namespace.h), which is for the core.
 * ES_E_CONFIG: 'schema of provider "fake": properties.data.items: type is
 * missing'. CEL rules are not evaluated here.
 * Source: kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
 * custom-resource-definitions, "Specifying a structural schema". */
int es_crd_check_schema(const char *name, const char *schema, struct es_error *err);

#endif
