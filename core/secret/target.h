/* core/secret/target.h: the Secret that an ExternalSecret wants.
 *
 * Pure: given the ExternalSecret, the Secret as it is (or NULL) and the fetched
 * values, builds the Secret as it should be. Spec: externalsecret, section 7. */
#ifndef ES_SECRET_TARGET_H
#define ES_SECRET_TARGET_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/secret/shape.h"

#define ES_LABEL_MANAGED "reconcile.external-secrets.io/managed"
#define ES_LABEL_CREATED_BY "reconcile.external-secrets.io/created-by"
#define ES_ANNOTATION_DATA_HASH "reconcile.external-secrets.io/data-hash"
#define ES_FINALIZER "externalsecrets.external-secrets.io/externalsecret-cleanup"

/* Why shaping failed, for the condition (spec section 10). */
enum es_target_fault {
    ES_TARGET_OK,
    ES_TARGET_TEMPLATE,      /* "could not update secret" */
    ES_TARGET_OTHER_OWNER,   /* "target is owned by another ExternalSecret" */
    ES_TARGET_FOREIGN_OWNER, /* "failed to take ownership of target secret" */
    ES_TARGET_IMMUTABLE,     /* "could not update secret, target is immutable" */
    ES_TARGET_INTERNAL,
};

/* Creation policies as data (absent or "" is Owner). */
struct es_creation_policy {
    const char *name;
    bool creates;      /* when the target is missing */
    bool owns;         /* sets ownerReference and created-by */
    bool keeps_others; /* keys that somebody else wrote stay */
    bool writes;       /* None does not */
};

/* NULL: spec.target.creationPolicy is no word we know. */
const struct es_creation_policy *es_creation_policy_of(const json_t *external_secret);

const char *es_target_name(const json_t *external_secret); /* target.name or the object's own */

/* Rendering target.template reads ConfigMaps and Secrets, so the caller does
 * it and hands the result in; NULL means there is no template. `labels` and
 * `annotations` are complete: the pairs of templateFrom, then those of
 * template.metadata, rendered. Type and finalizers are not rendered, they are
 * read from the ExternalSecret. */
struct es_rendered_template {
    struct es_values data;        /* the rendered pairs */
    json_t *labels, *annotations; /* objects of strings, or NULL */
    bool includes_values;         /* mergePolicy Merge, or no data at all: fetched data goes in first */
};

struct es_target_change {
    json_t *object; /* the Secret to create or to update with; owned by the caller */
    bool create;    /* there was none */
    bool differs;   /* from `existing`; a create always does */
    char data_hash[57];
};

/* `existing` is the full live Secret with managedFields, or NULL. On success
 * *ret is filled. The object of an update carries what the existing one has,
 * resourceVersion included, so that a Secret that changed meanwhile is a
 * conflict; but no managedFields, which the API server keeps by itself.
 *
 * On failure *ret is untouched, *fault says which condition it is and err the
 * event's text. What goes in front is the caller's: nothing for a create, for
 * an update "unable to update secret %s: " with ES_TARGET_IMMUTABLE and
 * "unable to mutate secret %s: " with all others. Codes: ES_E_CONFIG,
 * ES_E_NOT_FOUND (no Secret and the policy creates none), ES_E_TOO_LARGE,
 * ES_E_INVALID (existing is no Secret), ES_E_NOMEM, ES_E_INTERNAL. */
int es_target_shape(struct es_target_change *ret, const json_t *external_secret, const json_t *existing,
                    const struct es_values *values, const struct es_rendered_template *rendered,
                    enum es_target_fault *fault, struct es_error *err);

/* With target.immutable an existing Secret keeps its content as it is: neither
 * values nor template are looked at (both may then be NULL), and fetching aside
 * nothing has to be rendered. */
bool es_target_is_frozen(const json_t *external_secret, const json_t *existing);

/* The refusals of section 7.3 step 1; 0 when there is no template. All are
 * told, one a line, without "could not apply template: " in front. */
int es_target_check_template(const json_t *external_secret, struct es_error *err);

/* Is this Secret what the last sync left (spec section 4, isSecretValid)?
 * `secret_meta` is NULL when there is none; `data_hash` is the hash of its
 * present data. */
bool es_target_is_valid(const json_t *external_secret, const json_t *secret_meta, const char *data_hash);

#endif
