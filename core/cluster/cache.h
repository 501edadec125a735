/* core/cluster/cache.h: what is known about one watched resource.
 *
 * Per object it keeps the key and a compact text: the object without what
 * nobody reads, or a digest of it. Targets keep no secret value. Readers get a
 * parsed copy of their own; there is no sharing of trees between threads.
 *
 * Writers put the API server's answer in at once, so that a pass that follows
 * sees what the one before has written, even when the watch lags behind. */
#ifndef ES_CLUSTER_CACHE_H
#define ES_CLUSTER_CACHE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/kube/kind.h"
#include "core/kube/watch.h"

struct es_cache;

/* Collects the index terms of an object, e.g. "store:SecretStore/ns/name". */
struct es_terms;
void es_terms_add(struct es_terms *t, const char *term);

struct es_marks {
    uint64_t spec, state;
};

#define ES_CHANGED_SPEC 1u
#define ES_CHANGED_STATE 2u
#define ES_CHANGED_GONE 4u
#define ES_CHANGED_OWN 8u /* told by the answer to a write of ours, not by the watch */

struct es_cache_opts {
    const struct es_kind *kind;
    const char *label_selector; /* or NULL; key=value, key!=value or key, several with commas */
    bool metadata_only;         /* no spec, data or status is sent; answers of writes are not taken */

    /* Thousands that look alike are expected: their texts are kept packed
     * (pack.h). Not for kinds that may hold secrets. */
    bool packed;

    /* Turns an object into what is kept, in place; it may also replace it.
     * Without one managedFields are dropped and the rest kept. 0 keeps, 1 leaves
     * the object out (as if it were gone), or ES_E_NOMEM. */
    int (*digest)(json_t **object);

    /* Terms under which es_cache_each finds the object; called with what is
     * kept. May be NULL. At most ES_TERMS_MAX. */
    void (*index)(const json_t *kept, struct es_terms *terms);

    /* Two numbers that stand for what a pass depends on: the part that people
     * write and the part that controllers write. Changes that leave both alone are
     * stored silently. Called with what is kept; NULL: the resourceVersion is
     * the first. */
    void (*marks)(const json_t *kept, struct es_marks *ret);

    /* A change was stored; `what` is a set of ES_CHANGED_*. Runs without locks on
     * whichever thread brought it. `kept` is the new state, or the last known one
     * when gone. */
    void (*changed)(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept);
    void *ctx;

    /* For who wants to hear of a few among very many: it is told all that the watch
     * brings, and the cache keeps nothing. `known` and `trouble` are not used. NULL:
     * all of the above. Must live as long as the cache. */
    const struct es_watch_sink *listener;
};

#define ES_TERMS_MAX 64

int es_cache_new(struct es_cache **ret, const struct es_cache_opts *opts, struct es_error *err);
void es_cache_free(struct es_cache *c);
const struct es_cache_opts *es_cache_opts_of(const struct es_cache *c);

/* The watch's events wait for the writes that they may be echoes of, see writes.h.
 * Before the cache is fed; `writes` must outlive it. */
struct es_writes;
void es_cache_mind_writes(struct es_cache *c, struct es_writes *writes);

/* Does the object belong here, by the label selector? */
bool es_cache_selects(const struct es_cache *c, const json_t *object);

/* Feeding: the sink of a watch. */
struct es_watch_sink es_cache_sink(struct es_cache *c);

/* A write's answer. Ignored when the cache knows something newer, or the same. A
 * change of the marks is told with ES_CHANGED_OWN unless `silent`. `object` is
 * borrowed. */
void es_cache_put(struct es_cache *c, const json_t *object, bool silent);

/* The same where it is known what the answer says: `text` (of `len`) is kept as it is,
 * without being parsed; `object` says the same. */
void es_cache_put_text(struct es_cache *c, const json_t *object, const char *text, size_t len);

/* The object was deleted by us, or found missing. One with finalizers stays until the watch
 * tells of its end. */
void es_cache_remove(struct es_cache *c, const char *ns, const char *name, const char *uid);

/* A parsed copy of what is kept, or ES_E_NOT_FOUND. The error's text is that of
 * client-go's cached reader: SecretStore.external-secrets.io "x" not found. */
int es_cache_get(struct es_cache *c, const char *ns, const char *name, json_t **ret, struct es_error *err);

/* The resourceVersion of what is kept, without parsing it; false: none. */
#define ES_RV_MAX 64
bool es_cache_rv(struct es_cache *c, const char *ns, const char *name, char out[ES_RV_MAX]);

/* A number that a reader attaches to one version of an object, e.g. the hash
 * of what it was checked against. Gone (0) with the next version. */
void es_cache_note(struct es_cache *c, const char *ns, const char *name, const char *rv, uint64_t note);
uint64_t es_cache_noted(struct es_cache *c, const char *ns, const char *name, const char *rv);

/* Calls `fn` with the key of each object that has this term. The keys are
 * copied first: fn may do anything. 0 or ES_E_NOMEM. */
int es_cache_each(struct es_cache *c, const char *term,
                  void (*fn)(void *ctx, const char *ns, const char *name), void *ctx);

/* The same for all objects. */
int es_cache_each_all(struct es_cache *c, void (*fn)(void *ctx, const char *ns, const char *name), void *ctx);

/* Has any object but ns/name this term? */
bool es_cache_has_other(struct es_cache *c, const char *term, const char *ns, const char *name);

size_t es_cache_count(struct es_cache *c);
bool es_cache_synced(struct es_cache *c);

/* Why the watch is not healthy, copied to err->text; false when it is. */
bool es_cache_trouble(struct es_cache *c, struct es_error *err);

#endif
