/* core/controller/store_table.h: the stores, parsed once per version.
 *
 * Thousands of ExternalSecrets read the same few stores. Each version of a
 * store is parsed once and shared by all passes that need it; the watch's cache
 * says which version is the newest. */
#ifndef ES_CONTROLLER_STORE_TABLE_H
#define ES_CONTROLLER_STORE_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/controller/controller.h"

struct es_store {
    const struct es_kind *kind;
    const json_t *object; /* constant: never change it, it is shared */
    const char *ns, *name, *uid, *controller;
    int64_t generation;
    const char *provider; /* the only key of spec.provider; "" when there is not exactly one */
    const json_t *block;  /* its value, or NULL */
    bool ready;           /* Ready is True */
    bool judged;          /* there is a Ready condition */
    bool referent;        /* a ClusterSecretStore that is opened for each consumer's namespace by itself */
};

struct es_store_table *es_store_table_new(void);
void es_store_table_free(struct es_store_table *t);

/* ES_E_NOT_FOUND with the cached reader's text. Release it in the end. */
int es_store_get(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                 const struct es_store **ret, struct es_error *err);

/* The same for whoever refers to the store. What was applied together arrives by a
 * watch for each kind, in any order: a store that the cache does not know yet is
 * asked for, before somebody is told that there is none. */
int es_store_find(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                  const struct es_store **ret, struct es_error *err);
void es_store_release(struct es_env *env, const struct es_store *s);

/* Forgets a store that changed or went. */
void es_store_forget(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name);

/* Does this controller serve it (spec.controller)? */
bool es_store_is_ours(const struct es_env *env, const struct es_store *s);

/* An opened instance for a consumer in `consumer_ns` ("": the store's own
 * validation). The authority is filled for calls on it; both live until
 * es_store_close. */
struct es_open_store {
    const struct es_store *store;
    struct es_instance *instance;
    struct es_reader *reader; /* under which it is noted what the store was opened with */
    struct es_authority authority;
};

/* ES_E_CONFLICT: the store was edited since the caller got it. Get it again. */
int es_store_open(struct es_env *env, const struct es_store *s, const char *consumer_ns, int64_t deadline_ms,
                  struct es_open_store *ret, struct es_error *err);
void es_store_close(struct es_env *env, struct es_open_store *open);

#endif
