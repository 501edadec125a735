/* core/secret/push_plan.h: what of a Secret goes to one store, and under which names.
 *
 * Pure: from spec.data and spec.dataTo of a PushSecret and the values to push, it makes
 * the list of what is to be pushed. Spec: push-and-cluster, sections 1.3 and 1.4. */
#ifndef ES_SECRET_PUSH_PLAN_H
#define ES_SECRET_PUSH_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/secret/push_keys.h"

/* One secret at the provider. */
struct es_push_entry {
    json_t *data;             /* a PushSecretData, as status.syncedPushSecrets has it */
    char *id;                 /* its key there: the remote key, or "<remote key>/<property>" */
    bool bundle;              /* of dataTo with remoteKey: it has the keys below, and no others */
    struct es_push_keys keys; /* valid as long as the values that the plan was made for */
};

/* In the order in which they are pushed. Zeroes are an empty plan. */
struct es_push_plan {
    struct es_push_entry *entries;
    size_t count, cap;
};

/* Of a PushSecretData, "" where there is none. Borrowed. */
const char *es_push_secret_key(const json_t *data);
const char *es_push_remote_key(const json_t *data);
const char *es_push_property(const json_t *data);

/* `applies[i]` says whether dataTo[i] is for this store. `renderer` may be NULL, see
 * push_keys.h. Texts of errors are the reference's, and all of them are of ES_E_CONFIG
 * but for memory, ceilings and transforms. */
int es_push_plan_make(struct es_push_plan *ret, const json_t *spec, const bool *applies,
                      const struct es_values *source, const struct es_renderer *renderer,
                      struct es_error *err);
void es_push_plan_fini(struct es_push_plan *plan);

/* What is pushed for an entry: one pair named by its secretKey, or all. ES_E_CONFIG:
 * "secret key %s does not exist", or names that collide. */
int es_push_entry_values(const struct es_push_entry *entry, const struct es_values *source,
                         struct es_values *ret, struct es_error *err);

#endif
