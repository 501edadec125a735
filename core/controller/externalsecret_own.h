/* core/controller/externalsecret_own.h: one pass over one ExternalSecret, for the
 * files that it is made of: externalsecret.c, and one for what it writes:
 * secret_target.c or generic_target.c. */
#ifndef ES_CONTROLLER_EXTERNALSECRET_OWN_H
#define ES_CONTROLLER_EXTERNALSECRET_OWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/cluster/events.h"
#include "core/controller/controller.h"
#include "core/controller/tally.h"
#include "core/controller/template.h"
#include "core/secret/hash.h"
#include "core/secret/target.h"

#define ES_CONFLICT_PAUSE_MS 50 /* somebody else was quicker: look again */

/* What one pass knows. */
struct es_pass {
    struct es_env *env;
    const char *ns, *name;
    const struct es_cause *cause;
    json_t *es;           /* the ExternalSecret as cached */
    json_t *known_target; /* digest of the target Secret, NULL: not managed or not there */
    const char *target_name;
    bool generic; /* it has a target.manifest */
    const struct es_creation_policy *policy;
    const char *deletion_policy;
    const char *failure; /* reason of the condition when the pass fails */
    int64_t started_unix_ms;
    char version[ES_SYNCED_VERSION_MAX]; /* what syncedResourceVersion will be */
    char manager[ES_FIELD_MANAGER_MAX];
    bool synced;                  /* this pass has asked the provider */
    struct es_template_seen seen; /* by the template */
    bool seen_holds;              /* and the target is made of that */
    int64_t rest_ms;              /* news of the template has to wait so long; 0: there is none */
    /* For the metrics: what became of it. */
    enum es_tally_ready ready;
    bool failed, foreign;
    struct es_outcome *out;
};

/* An event about the ExternalSecret. */
void es_pass_say(struct es_pass *p, enum es_event_type type, const char *reason, const char *message);

/* Ready=True, or one of its shades: the pass is done, the interval starts.
 * `binding`: the Secret's name, or NULL. */
int es_pass_finish(struct es_pass *p, const char *reason, const char *message, const char *binding,
                   struct es_error *err);

/* Ready=False with the reference's text and the cause behind it; returns its code. */
int es_pass_report(struct es_pass *p, const char *message, struct es_error *err);

/* The same for failures that only an edit can end: 0, and looked at again when the
 * interval is over. */
int es_pass_report_and_wait(struct es_pass *p, const char *message, struct es_error *err);

/* The provider's values. 1: there are none yet, and the pass is over; below 0 it
 * has failed and that is reported. */
int es_pass_fetch(struct es_pass *p, struct es_values *ret, struct es_error *err);

/* The API server says that the object is gone. The watch is about to say so too;
 * should it not, then the first word was wrong and the work is still to be done. 0. */
int es_pass_stop_vanished(struct es_pass *p);

/* ---- what the template is made of (template_news.c) ---- */

/* Is there anything to do beyond the target? By the clock, the version, or since the
 * ConfigMaps and Secrets of templateFrom are others than the last time. */
bool es_pass_is_due(struct es_pass *p);

/* If not: when it will be. */
int64_t es_pass_rest_ms(const struct es_pass *p);

/* If what was seen is what the target is made of: kept with the version of the
 * ExternalSecret that this pass leaves. */
void es_pass_note_seen(const struct es_pass *p);

/* ---- targets that are Secrets (secret_target.c) ---- */

/* The pass from the decision on whether anything is to be done. */
int es_secret_sync(struct es_pass *p, struct es_error *err);

/* Is the target there, as the last pass left it? */
bool es_secret_is_settled(const struct es_pass *p);

/* With deletionPolicy=Delete, of an ExternalSecret that is being deleted: the target goes
 * as well, if it is ours. */
int es_secret_delete(struct es_pass *p, struct es_error *err);

/* ---- targets of any kind (generic_target.c) ---- */

/* The pass from the check of target.manifest on. */
int es_generic_sync(struct es_pass *p, struct es_error *err);

/* Is the target as the last pass left it? */
bool es_generic_is_settled(struct es_pass *p);

/* With deletionPolicy=Delete, of an ExternalSecret that is being deleted: the target goes too. */
int es_generic_delete(struct es_pass *p, struct es_error *err);

#endif
