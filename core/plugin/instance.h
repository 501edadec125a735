/* core/plugin/instance.h: an opened store, and the operations on it.
 *
 * An instance may be shared by many threads: calls are serialised here unless
 * the provider says ESP_CAP_CONCURRENT. For providers with
 * ESP_CAP_WHOLE_VALUES property lookup and maps are done here, in one way for
 * all of them. Codes are the ABI's; NOT_FOUND is the typed "no secret" error,
 * its text is "Secret does not exist" unless the plugin said more. */
#ifndef ES_PLUGIN_INSTANCE_H
#define ES_PLUGIN_INSTANCE_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/plugin/registry.h"
#include "core/plugin/services.h"

struct es_instance;

/* How a store is opened, beside its provider's block (authority->spec). */
struct es_open_opts {
    const json_t *retry_settings; /* or NULL */
    const char *ca_pem;           /* caBundle or caProvider, resolved; or NULL */
    struct es_reads *reads;       /* where its answers are shared, or NULL; outlives the instance */
};

/* The plugin's static check of a block, without instance or network. Warnings
 * are handed to `warn` (may be NULL). */
int es_provider_check(const struct es_registry *r, const struct es_provider *p,
                      const struct es_authority *who, const struct es_open_opts *opts,
                      void (*warn)(void *ctx, const char *text), void *ctx, struct es_error *err);

/* Opens a store. ES_E_UNDECIDED with an empty text when a referent credential has
 * no consumer yet (validation of a ClusterSecretStore): a good answer there. */
int es_instance_open(struct es_instance **ret, const struct es_registry *r, const struct es_provider *p,
                     const struct es_authority *who, const struct es_open_opts *opts, struct es_error *err);

/* No call may be in flight. NULL is fine. The plugin gets 5 s to say goodbye
 * and may read nothing of the cluster any more. */
void es_instance_close(struct es_instance *i);

/* Whether it died with its plugin's process: it has to be opened again. */
bool es_instance_stale(const struct es_instance *i);

const struct es_provider *es_instance_provider(const struct es_instance *i);

/* 0 ready; ES_E_UNDECIDED with err->text "" when it cannot tell and that is
 * fine, with a text when the plugin gave a reason; anything else an error. */
int es_instance_validate(struct es_instance *i, const struct es_authority *who, struct es_error *err);

/* `ref` is the remoteRef object (key, property, version, metadataPolicy). With
 * who->reading an answer may be one that somebody else has got from this instance.
 * It is the store's answer: the consumer's namespace decides about nothing but
 * which instance is used. */
int es_instance_get(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                    struct es_blob *ret, struct es_error *err);
int es_instance_get_map(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                        struct es_values *ret, struct es_error *err);

/* What will be asked for with es_instance_get, or with es_instance_get_map. */
struct es_wanted {
    const json_t *ref;
    bool map;
    bool others; /* somebody else wants it as well */
};

/* Reads these in as few calls as the provider can, ahead of the get or get_map of each, which then finds the
 * answer or the failure with who->reading. Does nothing where that is not shared, or the provider
 * has no get_batch: each is read when it is asked for. */
void es_instance_read_ahead(struct es_instance *i, const struct es_authority *who,
                            const struct es_wanted *wanted, size_t count);

/* Whether that would do anything. */
bool es_instance_reads_ahead(const struct es_instance *i, const struct es_authority *who);

/* `find` is the find object (name.regexp, tags, path): list, the regexp, and
 * what is needed to get the values (get_batch where there is one). A secret that
 * vanishes between list and get is left out. Names are the plugin's: no key
 * conversion here. */
int es_instance_find(struct es_instance *i, const struct es_authority *who, const json_t *find,
                     struct es_values *ret, struct es_error *err);

/* `request` as the ABI documents it for push, remove, exists; "store" and
 * "namespace" are added, strings that are missing are "". What was read of the
 * store before a push or remove serves nobody who reads after it. */
int es_instance_push(struct es_instance *i, const struct es_authority *who, const json_t *request,
                     const struct es_values *values, struct es_error *err);
int es_instance_remove(struct es_instance *i, const struct es_authority *who, const json_t *request,
                       struct es_error *err);
int es_instance_exists(struct es_instance *i, const struct es_authority *who, const json_t *request,
                       bool *ret, struct es_error *err);

/* A place where the pool keeps what it knows about an instance. */
void **es_instance_slot(struct es_instance *i);

#endif
