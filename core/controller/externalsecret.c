/* The ExternalSecret controller: from the object to its target.
 *
 * One pass, top to bottom, in the order of the specification (externalsecret,
 * section 3). What has its own idea stands in files of its own: when to refresh
 * (refresh.c), how values are read (fetch.c) and shaped (core/secret), templates
 * (template.c), status (status.c), and what becomes of the values: a Secret
 * (secret_target.c) or an object of another kind (generic_target.c). */
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/controller/externalsecret_own.h"
#include "core/controller/fetch.h"
#include "core/controller/finalizer.h"
#include "core/controller/generic_watch.h"
#include "core/controller/refresh.h"
#include "core/controller/status.h"
#include "core/controller/template_watched.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"
#include "core/secret/rules.h"
#include "core/secret/target.h"

#define COMPONENT "external-secrets"
#define NEW_STORE_PAUSE_MS 1000
#define VANISHED_PAUSE_MS 10000

/* The object to work on from here on; what was read from it follows. */
static void adopt(struct es_pass *p, json_t *take_es)
{
    json_decref(p->es);
    p->es = take_es;
    p->target_name = es_target_name(p->es);
    p->generic = es_obj_at(p->es, "spec", "target", "manifest");
    p->seen.made = p->generic ? NULL : p->target_name;
    p->policy = es_creation_policy_of(p->es);
    p->deletion_policy = es_obj_str(p->es, "spec", "target", "deletionPolicy");
    if (!*p->deletion_policy)
        p->deletion_policy = "Retain";
}

void es_pass_say(struct es_pass *p, enum es_event_type type, const char *reason, const char *message)
{
    es_event_record(p->env->events, &es_kind_external_secret, p->es, type, reason, COMPONENT, message);
}

/* ---- status ---- */

/* Ready=True, or one of its shades: the pass is done, the interval starts. */
int es_pass_finish(struct es_pass *p, const char *reason, const char *message, const char *binding,
                   struct es_error *err)
{
    char now[ES_TIME_TEXT_MAX];
    struct es_condition ready = {.status = "True", .reason = reason, .message = message};

    p->ready = ES_TALLY_TRUE;
    json_t *status = json_pack("{s:s,s:s,s:o}", "refreshTime", es_time_format(p->started_unix_ms, now),
                               "syncedResourceVersion", p->version, "conditions",
                               es_status_conditions(p->es, &ready, p->started_unix_ms));
    if (status && binding)
        json_object_set_new(status, "binding", json_pack("{s:s}", "name", binding));
    json_t *now_written = NULL;
    int rc = es_status_write(p->env, &es_kind_external_secret, p->es, status, &now_written, err);
    if (now_written)
        adopt(p, now_written);
    if (rc == ES_E_CONFLICT) {
        p->out->after_ms = ES_CONFLICT_PAUSE_MS;
        return 0;
    }
    p->seen_holds = rc == 0;
    es_pass_note_seen(p);
    p->out->after_ms = es_refresh_after_sync_ms(p->es);
    return rc;
}

/* Ready=False with the reference's text and the cause behind it. */
int es_pass_report(struct es_pass *p, const char *message, struct es_error *err)
{
    struct es_condition ready = {
        .status = "False", .reason = p->failure, .message = message, .cause = err->text};
    struct es_error status_err = ES_ERROR_INIT;

    p->ready = ES_TALLY_FALSE;
    p->failed = true;
    es_pass_say(p, ES_EVENT_WARNING, "UpdateFailed", err->text);
    json_t *status =
        json_pack("{s:o}", "conditions", es_status_conditions(p->es, &ready, p->started_unix_ms));
    if (es_status_patch(p->env, &es_kind_external_secret, p->es, status, &status_err) < 0)
        es_log(ES_WARN, "controllers.ExternalSecret", "the status could not be written",
               ES_F_STR("namespace", p->ns), ES_F_STR("name", p->name), ES_F_STR("error", status_err.text));
    return err->code;
}

/* The same for failures that only an edit can end. */
int es_pass_report_and_wait(struct es_pass *p, const char *message, struct es_error *err)
{
    es_pass_report(p, message, err);
    p->out->after_ms = es_refresh_after_sync_ms(p->es);
    return 0;
}

/* ---- finalizer and deletion ---- */

static int set_finalizer(struct es_pass *p, bool present, struct es_error *err)
{
    json_t *newest = json_incref(p->es);
    int rc = es_finalizer_set(p->env, &es_kind_external_secret, ES_FINALIZER, present, &newest, err);

    adopt(p, newest);
    if (rc == 0)
        es_pass_note_seen(p);
    return rc;
}

int es_pass_stop_vanished(struct es_pass *p)
{
    *p->out = (struct es_outcome){.after_ms = VANISHED_PAUSE_MS, .calm = true};
    return 0;
}

/* In a namespace that is being deleted nothing can be created any more, and the
 * stores and Secrets that go before the ExternalSecret are no failures of it. */
static bool namespace_is_ending(const struct es_pass *p)
{
    json_t *ns = NULL;
    bool ending = p->env->namespaces && es_cache_get(p->env->namespaces, "", p->ns, &ns, NULL) == 0 &&
                  es_obj_bool(ns, "ending");

    json_decref(ns);
    return ending;
}

static int clean_up(struct es_pass *p, struct es_error *err)
{
    int rc = 0;

    p->out->after_ms = -1;
    if (!es_obj_has_finalizer(p->es, ES_FINALIZER))
        return 0;
    if (es_streq(p->deletion_policy, "Delete"))
        rc = p->generic ? es_generic_delete(p, err) : es_secret_delete(p, err);
    if (rc < 0)
        return es_pass_report(p, "could not delete secret", err);
    rc = set_finalizer(p, false, err);
    return rc == ES_E_NOT_FOUND ? es_pass_stop_vanished(p) : rc;
}

/* ---- the pass ---- */

/* From when on a read is fresh enough for this pass. A refresh that only time has
 * brought may take one that is a little older: what comes due within seconds of
 * each other is read once. */
static int64_t fresh_since_ms(const struct es_pass *p)
{
    const char *synced = es_obj_str(p->es, "status", "syncedResourceVersion");
    int64_t window_ms = es_refresh_interval_ms(p->es) / 10;

    /* The edit may be newer than the event that led here: the cache had it when the
     * pass began, and the pass that its own event asks for will find it done. Who
     * forces a sync must see what he has changed, so nothing older than now will do. */
    if (*synced && !es_streq(synced, p->version))
        return p->env->clock->mono_ms(p->env->clock->ctx);
    if (!p->cause->periodic || !*synced || window_ms < 0)
        return p->cause->since_ms;
    if (window_ms > p->env->settings.read_window_ms)
        window_ms = p->env->settings.read_window_ms;
    return p->cause->since_ms - window_ms;
}

int es_pass_fetch(struct es_pass *p, struct es_values *ret, struct es_error *err)
{
    int rc = es_external_secret_check(p->es, err);

    p->synced = true;
    p->seen.stamp = (struct es_stamp){0};
    p->seen_holds = false;
    if (rc < 0) {
        es_pass_report_and_wait(p, "could not update secret", err);
        return 1;
    }
    rc = es_fetch(p->env, p->es, fresh_since_ms(p), ret, err);
    if (rc == ES_E_CANCELLED && p->env->cancelled && __atomic_load_n(p->env->cancelled, __ATOMIC_RELAXED))
        return rc; /* the daemon is ending: the next start goes on */
    if (rc == ES_E_UNDECIDED) {
        p->out->after_ms = NEW_STORE_PAUSE_MS;
        return 1;
    }
    return rc < 0 ? es_pass_report(p, "could not get secret data from provider", err) : 0;
}

/* Does the finalizer have to be there before the Secret? Only where it stands
 * for a clean-up of ours. */
static bool finalizer_comes_first(const struct es_pass *p)
{
    return es_streq(p->deletion_policy, "Delete");
}

/* Is what the pass has in hand what a next one would find? */
static bool is_newest(const struct es_pass *p)
{
    char rv[ES_RV_MAX];
    return es_cache_rv(p->env->external_secrets, p->ns, p->name, rv) &&
           es_streq(rv, es_obj_str(p->es, "metadata", "resourceVersion"));
}

/* Elsewhere it may come in a pass of its own, once nothing urgent waits: a
 * thousand new ExternalSecrets get their Secrets first. Only where that next pass
 * is sure to find nothing else to do, or it would put the finalizer off again. */
static bool finalizer_may_wait(struct es_pass *p)
{
    int64_t interval = es_refresh_interval_ms(p->es);

    return p->synced && (interval <= 0 || interval >= 10000) && is_newest(p) &&
           !es_refresh_is_due(p->es, p->version, p->started_unix_ms) &&
           (p->generic ? es_generic_is_settled(p) : es_secret_is_settled(p));
}

static int sync(struct es_pass *p, struct es_error *err)
{
    if (es_synced_version(p->version, p->es, err) < 0 || es_field_manager(p->manager, p->name, err) < 0)
        return err->code;
    es_template_watch(p->env, es_obj_at(p->es, "spec", "target", "template"));
    return p->generic ? es_generic_sync(p, err) : es_secret_sync(p, err);
}

static int refuse_policy(struct es_pass *p, struct es_error *err)
{
    es_error_set(err, ES_E_CONFIG, "spec.target.creationPolicy: %s is not a policy",
                 es_obj_str(p->es, "spec", "target", "creationPolicy"));
    return es_pass_report_and_wait(p, "could not update secret", err);
}

/* With --enable-cluster-store-reconciler=false another operator serves them. */
static bool is_switched_off(const struct es_pass *p)
{
    return !p->env->settings.cluster_stores &&
           es_streq(es_obj_str(p->es, "spec", "secretStoreRef", "kind"), es_kind_cluster_secret_store.kind);
}

static int sync_if_ours(struct es_pass *p, struct es_error *err)
{
    if (is_switched_off(p)) {
        p->foreign = true;
        p->out->after_ms = -1;
        return 0;
    }
    if (!p->policy)
        return refuse_policy(p, err);
    int rc = es_fetch_is_foreign(p->env, p->es, err);
    if (rc < 0)
        return es_pass_report(p, "could not get secret data from provider", err);
    if (rc) {
        p->foreign = true;
        p->out->after_ms = -1;
        return 0;
    }
    return sync(p, err);
}

static int run(struct es_pass *p, struct es_error *err)
{
    struct es_error late = ES_ERROR_INIT;
    int rc = 0;

    if (es_obj_deleting(p->es))
        return clean_up(p, err);
    if (namespace_is_ending(p))
        return es_pass_stop_vanished(p);
    if (!es_obj_has_finalizer(p->es, ES_FINALIZER) && finalizer_comes_first(p))
        rc = set_finalizer(p, true, err);
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? es_pass_stop_vanished(p) : rc;
    if (es_obj_deleting(p->es))
        return clean_up(p, err);
    rc = sync_if_ours(p, err);
    if (es_obj_has_finalizer(p->es, ES_FINALIZER))
        return rc;
    if (rc == 0 && finalizer_may_wait(p)) {
        *p->out = (struct es_outcome){.after_ms = 0, .calm = true};
        return 0;
    }
    int late_rc = set_finalizer(p, true, &late);
    if (rc < 0 || late_rc >= 0)
        return rc;
    *err = late;
    return late_rc == ES_E_NOT_FOUND ? es_pass_stop_vanished(p) : late_rc;
}

/* What is late is told from the last pass that ended well, by the time that it named. One that
 * only waits for quiet hours (calm) names none. */
static int64_t next_due_ms(const struct es_pass *p, int rc)
{
    if (rc < 0 || p->failed || p->out->calm)
        return 0;
    return p->out->after_ms < 0 ? -1 : p->env->clock->mono_ms(p->env->clock->ctx) + p->out->after_ms;
}

/* A pass that had nothing to do leaves the condition as the last one wrote it,
 * before the last restart perhaps. Of what others serve they tell. */
static void count(struct es_pass *p, int rc, int64_t started_ns)
{
    const char *status = es_obj_str(es_obj_condition(p->es, "Ready"), "status");

    if (p->ready == ES_TALLY_UNKNOWN && !p->foreign && *status)
        p->ready = es_streq(status, "True") ? ES_TALLY_TRUE : ES_TALLY_FALSE;
    es_tally_count(p->env->tally, &(struct es_tally_pass){.kind = ES_TALLY_EXTERNAL_SECRET,
                                                          .ns = p->ns,
                                                          .name = p->name,
                                                          .object = p->es,
                                                          .duration_ns = es_mono_ns() - started_ns,
                                                          .failed = p->failed || rc < 0,
                                                          .ready = p->ready,
                                                          .due_ms = next_due_ms(p, rc)});
}

int es_external_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                                 const struct es_cause *cause, struct es_outcome *ret, struct es_error *err)
{
    struct es_pass p = {
        .env = env, .ns = ns, .name = name, .cause = cause, .out = ret, .failure = "SecretSyncedError"};
    int64_t started_ns = es_mono_ns();
    int rc = es_cache_get(env->external_secrets, ns, name, &p.es, err);

    ret->after_ms = -1;
    if (rc == ES_E_NOT_FOUND) {
        es_generic_watches_release(env->generic, ns, name);
        es_tally_gone(env->tally, ES_TALLY_EXTERNAL_SECRET, ns, name, es_mono_ns() - started_ns);
        return 0;
    }
    if (rc < 0)
        return rc;
    p.started_unix_ms = env->clock->unix_ms(env->clock->ctx);
    adopt(&p, json_incref(p.es));
    if (!p.generic || es_obj_deleting(p.es))
        es_generic_watches_release(env->generic, ns, name);
    rc = run(&p, err);
    count(&p, rc, started_ns);
    json_decref(p.known_target);
    json_decref(p.es);
    return rc;
}
