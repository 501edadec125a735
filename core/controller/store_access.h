/* core/controller/store_access.h: which store a consumer may use.
 *
 * A consumer is the object that reads from stores or pushes to them. Spec: stores,
 * section 4. */
#ifndef ES_CONTROLLER_STORE_ACCESS_H
#define ES_CONTROLLER_STORE_ACCESS_H

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/controller/store_table.h"

struct es_consumer {
    enum es_controller_id id;
    const char *ns, *name;
};

/* The store of that name (in the consumer's namespace, if its kind has one), if this
 * controller serves it and its conditions let the consumer in; release it in the end.
 * Whom conditions turn away is woken when the labels of his namespace change. ES_E_CONFIG
 * also when there is no such store: ES_E_NOT_FOUND would pass for a missing value. */
int es_store_for(struct es_env *env, const struct es_consumer *who, const struct es_kind *kind,
                 const char *name, const struct es_store **ret, struct es_error *err);

/* Opens a store to work with it. What no such thing should say would be taken for a
 * missing value, or for a store that is too new: both are failures here. ES_E_CONFLICT:
 * it was edited since the caller got it. */
int es_store_open_to_use(struct es_env *env, const struct es_store *s, const char *consumer_ns,
                         int64_t deadline_ms, struct es_open_store *ret, struct es_error *err);

/* The same of the store of that name. In the end es_store_close, then es_store_release of
 * ret->store. A store that is edited meanwhile is looked up again. */
int es_store_open_for(struct es_env *env, const struct es_consumer *who, const struct es_kind *kind,
                      const char *name, int64_t deadline_ms, struct es_open_store *ret, struct es_error *err);

#endif
