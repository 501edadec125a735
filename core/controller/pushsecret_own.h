/* core/controller/pushsecret_own.h: one pass over one PushSecret, for the files that it
 * is made of: pushsecret.c from top to bottom, push_source.c for what is pushed,
 * push_stores.c for where to, push_write.c for doing it, push_status.c for what is said. */
#ifndef ES_CONTROLLER_PUSHSECRET_OWN_H
#define ES_CONTROLLER_PUSHSECRET_OWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/controller/controller.h"
#include "core/controller/store_access.h"
#include "core/controller/store_table.h"
#include "core/controller/tally.h"
#include "core/secret/hash.h"

/* ---- what is pushed (push_source.c) ---- */

/* The Secrets that spec.selector means, as they were when they were read. */
struct es_push_sources {
    json_t *items;           /* Secrets, sorted by name */
    bool missing;            /* the one that is named does not exist */
    uint64_t stamp;          /* stands for which they are, in which versions; never 0 */
    int64_t changed_unix_ms; /* when one of them was last written, to the second */
};

/* One of them, ready to be pushed: template rendered, values decoded. */
struct es_push_source {
    struct es_values values;
    json_t *labels, *annotations;
    char *type;
};

/* ---- where to (push_stores.c) ---- */

struct es_push_stores {
    const struct es_store **items; /* in the order of the spec, each once */
    size_t count;
    uint64_t stamp;          /* stands for which they are */
    int64_t created_unix_ms; /* when the newest of them was created */
};

/* ---- the pass ---- */

/* What one pass knows. */
struct es_push_pass {
    struct es_env *env;
    const char *ns, *name;
    json_t *ps;   /* the PushSecret as cached, or in a newer version that a write has brought */
    bool deletes; /* deletionPolicy is Delete */
    struct es_consumer who;
    int64_t started_unix_ms;
    int64_t deadline_ms; /* monotonic, of all calls of plugins together */
    char version[ES_SYNCED_VERSION_MAX];
    struct es_push_sources sources;
    struct es_push_stores stores;
    json_t *pushed; /* what this pass has pushed, in the form of status.syncedPushSecrets */
    enum es_tally_ready ready;
    bool foreign; /* all its stores are served by others */
    struct es_outcome *out;
};

/* ---- what is said of it (push_status.c) ---- */

/* Ready=False with the reference's text and the cause behind it; message NULL: the cause
 * alone. `synced` is what is noted as pushed from now on, NULL: as before. Returns the failure. */
int es_push_report(struct es_push_pass *p, const char *message, const json_t *synced, struct es_error *err);

/* The same for failures that only an edit can end: 0, and looked at again when the interval
 * is over. */
int es_push_report_and_wait(struct es_push_pass *p, struct es_error *err);

/* Ends a part of the pass that has failed in writing to providers: a report, unless it was
 * interrupted, or will be repeated at once since somebody else was writing. */
int es_push_settle_failure(struct es_push_pass *p, int rc, const char *message, const json_t *synced,
                           struct es_error *err);

/* Ready=True: p->pushed is noted, the interval starts. */
int es_push_finish(struct es_push_pass *p, struct es_error *err);

/* The source was deleted, and what was pushed of it. */
int es_push_finish_lost(struct es_push_pass *p, struct es_error *err);

/* What was noted before, and what this pass has pushed; json_decref it. */
json_t *es_push_all_noted(const struct es_push_pass *p);

/* Nothing more can be written: the daemon is ending, or another one leads. */
bool es_push_is_over(const struct es_push_pass *p);

/* Did that end the pass? It is nobody's failure then. What was pushed until now is noted if
 * that is still possible, so that it is not forgotten. */
bool es_push_is_interrupted(struct es_push_pass *p, int rc, const json_t *synced);

/* Stands for sources and stores: what a refresh that brings nothing new has to find again.
 * It is kept beside the version of the PushSecret that the pass leaves. */
uint64_t es_push_stamp(const struct es_push_pass *p);
void es_push_note_stamp(struct es_push_pass *p);

/* ---- sources, stores, writes ---- */

/* Reads the sources live. ES_E_NOT_FOUND, and `missing` with its stamp, when the Secret that is
 * named does not exist; the error's text is the cause for the condition. */
int es_push_sources_read(struct es_push_pass *p, struct es_push_sources *ret, struct es_error *err);
void es_push_sources_fini(struct es_push_sources *s);

int es_push_source_make(struct es_push_pass *p, const json_t *secret, struct es_push_source *ret,
                        struct es_error *err);
void es_push_source_fini(struct es_push_source *s);

/* Those that spec.secretStoreRefs means, without what is being deleted and what other
 * controllers serve. */
int es_push_stores_find(struct es_push_pass *p, struct es_push_stores *ret, struct es_error *err);
void es_push_stores_fini(struct es_env *env, struct es_push_stores *s);

/* Does every dataTo name a store of spec.secretStoreRefs? Pure. */
int es_push_check_data_to(const json_t *spec, struct es_error *err);

/* Does every labelSelector of dataTo match one of the stores? Pure. */
int es_push_match_data_to(const json_t *spec, const struct es_push_stores *stores, struct es_error *err);

/* Whether dataTo[i] is for this store. 1, 0, or an error. */
int es_push_applies(const json_t *data_to, const struct es_store *store, struct es_error *err);

/* Pushes a source to all stores, and notes what was pushed in p->pushed. A store that fails
 * keeps none of the others from getting its values; the error tells of all of them.
 * ES_E_CONFLICT: somebody else is writing one of these secrets just now. */
int es_push_to_stores(struct es_push_pass *p, const struct es_push_source *source, struct es_error *err);

/* Deletes from the providers what `left`, a copy of status.syncedPushSecrets or more, has and
 * p->pushed does not; what is deleted is taken out of `left`. Errors as above. */
int es_push_remove_stale(struct es_push_pass *p, json_t *left, struct es_error *err);

#endif
