/* core/controller/sources.h: what stores were opened with.
 *
 * The credentials and certificates of a store stand in Secrets, ConfigMaps and
 * ServiceAccounts. Whoever reads one on behalf of a store has it noted here, with the
 * version that was seen, or that it was missing. When such a source changes,
 * comes or goes, those who have seen something else are outdated: what is
 * open for them is replaced at its next use, their store is validated at once, and
 * the ExternalSecrets that wait for it are woken. Nothing is scanned: a source
 * knows its readers, a store too.
 *
 * A resourceVersion is enough to tell versions apart, across deletions too: an
 * API server never gives one out twice. All functions may be called on any
 * thread, but for es_sources_new, es_sources_free and es_sources_sweep. */
#ifndef ES_CONTROLLER_SOURCES_H
#define ES_CONTROLLER_SOURCES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/controller/store_table.h"
#include "core/plugin/services.h"

/* One for each key of the pool: a store, and the consumer's namespace where that
 * decides what is read. */
struct es_reader;

struct es_sources *es_sources_new(struct es_env *env); /* NULL without memory */
void es_sources_free(struct es_sources *s);            /* after the cluster has stopped; NULL is fine */

/* The reader of this version of a store; release it. `consumer_ns` is "" unless
 * the store is a referent one. ES_E_CONFLICT: the store was edited, or has
 * gone, since the caller looked it up. */
int es_sources_reader(struct es_env *env, const struct es_store *store, const char *consumer_ns,
                      struct es_reader **ret, struct es_error *err);
void es_reader_release(struct es_env *env, struct es_reader *r); /* NULL is fine */

/* The pool's key, and the version of what is opened now: it grows with each
 * version of the store and each change of a source. */
const char *es_reader_key(const struct es_reader *r);
uint64_t es_reader_edition(struct es_env *env, const struct es_reader *r);

/* ---- reading: to be put around each live read ---- */

/* From here on changes of the source are not missed. Returns what
 * es_sources_read wants to have back. */
uint64_t es_sources_reading(struct es_env *env, struct es_reader *r, enum es_kube_read what, const char *ns,
                            const char *name);

/* What the read has found: a resourceVersion, "" when there is no such object, NULL
 * when that could not be told. */
void es_sources_read(struct es_env *env, struct es_reader *r, enum es_kube_read what, const char *ns,
                     const char *name, const char *rv, uint64_t reading);

/* ---- news ---- */

/* An object is now this version, or is gone: then `rv` is that of its end, or NULL. */
void es_sources_news(struct es_env *env, enum es_kube_read what, const char *ns, const char *name,
                     const char *rv, bool gone);

/* We have written an object of a kind, or removed it (`rv` is NULL). A store may be
 * opened with a Secret that we make, and no watch brings our own writes back. */
void es_sources_wrote(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                      const char *rv);

/* A full list of `what` begins. When it has ended, what was not in it is gone,
 * unless es_source_elsewhere finds it. */
void es_sources_list_begins(struct es_env *env, enum es_kube_read what);
void es_sources_list_ended(struct es_env *env, enum es_kube_read what);

/* A store has another spec, or none any more (`kept` is NULL): what was read for it
 * is forgotten. */
void es_sources_store_changed(struct es_env *env, const struct es_kind *kind, const char *ns,
                              const char *name, const json_t *kept);

/* A PushSecret or a template reads such objects: from here on es_push_source_changed and
 * es_template_source_changed are told of them. Not from a cache's callback. */
void es_sources_watch(struct es_env *env, enum es_kube_read what);

/* Ends watches that nobody needs. Called now and then, by the main thread. */
void es_sources_sweep(struct es_env *env);

/* How many objects of a kind are sources of some store. */
size_t es_sources_count(struct es_env *env, enum es_kube_read what);

#endif
