/* The PushSecret controller: from Secrets of the cluster to secrets at providers.
 *
 * One pass, top to bottom, in the order of the specification (push-and-cluster, section
 * 1.3). What has its own idea stands in files of its own: what is pushed (push_source.c),
 * where to (push_stores.c), under which names (core/secret/push_plan.c), the writing
 * (push_write.c), and what is said of it all (push_status.c). */
#include "core/base/text.h"
#include "core/controller/finalizer.h"
#include "core/controller/push_watched.h"
#include "core/controller/pushsecret_own.h"
#include "core/controller/refresh.h"
#include "core/controller/sources.h"
#include "core/controller/store_hold.h"
#include "core/controller/template_watched.h"
#include "core/kube/obj.h"

#define DEFAULT_PASS_MS (5 * 60 * INT64_C(1000))
#define VANISHED_PAUSE_MS 10000

/* The object to work on from here on. */
static void adopt(struct es_push_pass *p, json_t *take_ps)
{
    json_decref(p->ps);
    p->ps = take_ps;
    p->deletes = es_streq(es_obj_str(p->ps, "spec", "deletionPolicy"), "Delete");
}

static int64_t now_ms(const struct es_push_pass *p)
{
    return p->env->clock->unix_ms(p->env->clock->ctx);
}

/* Deletes what is noted and was not pushed again. False: the pass is over, with the result
 * *ret_rc. */
static bool remove_stale(struct es_push_pass *p, const char *message, int *ret_rc, struct es_error *err)
{
    json_t *left = es_push_all_noted(p);
    int rc = left ? es_push_remove_stale(p, left, err) : es_error_nomem(err);

    if (rc < 0)
        *ret_rc = es_push_settle_failure(p, rc, message, left, err);
    json_decref(left);
    return rc == 0;
}

/* ---- finalizer and deletion ---- */

static int stop_vanished(struct es_push_pass *p)
{
    *p->out = (struct es_outcome){.after_ms = VANISHED_PAUSE_MS, .calm = true};
    return 0;
}

static int set_finalizer(struct es_push_pass *p, bool present, struct es_error *err)
{
    json_t *newest = json_incref(p->ps);
    int rc = es_finalizer_set(p->env, &es_kind_push_secret, ES_PUSH_FINALIZER, present, &newest, err);

    adopt(p, newest);
    return rc < 0 && rc != ES_E_NOT_FOUND ? es_error_wrap(err, "could not update finalizers: ") : rc;
}

/* Nothing is pushed any more for what is being deleted. */
static int clean_up(struct es_push_pass *p, struct es_error *err)
{
    int rc = 0;

    p->out->after_ms = -1;
    if (!es_obj_has_finalizer(p->ps, ES_PUSH_FINALIZER))
        return 0;
    if (p->deletes && !remove_stale(p, "Failed to Delete Secrets from Provider", &rc, err))
        return rc;
    rc = set_finalizer(p, false, err);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

/* ---- is anything to be done? ---- */

static bool has_reason(const struct es_push_pass *p, const char *reason)
{
    return es_streq(es_obj_str(es_obj_condition(p->ps, "Ready"), "reason"), reason);
}

static bool has_lost_source(const struct es_push_pass *p)
{
    return has_reason(p, "SourceDeleted");
}

/* What failed is tried again whenever there is an occasion. */
static bool has_failed(const struct es_push_pass *p)
{
    return has_reason(p, "Errored");
}

static bool is_edited(const struct es_push_pass *p)
{
    return !es_streq(es_obj_str(p->ps, "status", "syncedResourceVersion"), p->version);
}

static bool is_due(const struct es_push_pass *p)
{
    int64_t interval_ms = es_refresh_interval_ms(p->ps), refreshed_ms;

    if (is_edited(p) || has_failed(p))
        return true;
    if (interval_ms <= 0)
        return false;
    if (es_time_parse(es_obj_str(p->ps, "status", "refreshTime"), &refreshed_ms) < 0)
        return true;
    return refreshed_ms + interval_ms < p->started_unix_ms || refreshed_ms > p->started_unix_ms;
}

/* Between two refreshes: are the sources or the stores others than at the last one? After
 * a start nobody remembers, but their times tell. */
static bool has_news(const struct es_push_pass *p)
{
    int64_t refreshed_ms = 0;
    uint64_t noted = es_cache_noted(p->env->push_secrets, p->ns, p->name,
                                    es_obj_str(p->ps, "metadata", "resourceVersion"));

    if (has_lost_source(p))
        return !p->sources.missing;
    if (noted)
        return noted != es_push_stamp(p);
    es_time_parse(es_obj_str(p->ps, "status", "refreshTime"), &refreshed_ms);
    return p->sources.missing || p->sources.changed_unix_ms > refreshed_ms ||
           p->stores.created_unix_ms > refreshed_ms;
}

/* With an interval of nothing values are pushed once: what changes later is no news. */
static bool may_have_news(const struct es_push_pass *p)
{
    return es_refresh_interval_ms(p->ps) > 0 && es_obj_at(p->ps, "spec", "selector", "secret");
}

/* ---- the pass ---- */

/* The source is gone, and so is what was made of it. It is looked at again when the source
 * comes back. */
static int follow_lost_source(struct es_push_pass *p, struct es_error *err)
{
    int rc = 0;

    p->out->after_ms = -1;
    return remove_stale(p, "failed to cleanup provider secrets", &rc, err) ? es_push_finish_lost(p, err) : rc;
}

static int report_lost_source(struct es_push_pass *p, int rc, struct es_error *err)
{
    const json_t *before = es_obj_at(p->ps, "status", "syncedPushSecrets");

    if (p->sources.missing && has_lost_source(p) && !is_edited(p))
        return 0; /* and that was dealt with */
    if (p->sources.missing && p->deletes && json_object_size(before))
        return follow_lost_source(p, err);
    return es_push_is_interrupted(p, rc, NULL) ? rc
                                               : es_push_report(p, "could not get source secret", NULL, err);
}

/* The stores are kept before anything is pushed that has to be deleted one day. */
static int hold_stores(struct es_push_pass *p, struct es_error *err)
{
    for (size_t i = 0; p->deletes && i < p->stores.count; i++) {
        const struct es_store *s = p->stores.items[i];
        int rc = es_store_hold(p->env, s->kind, s->ns, s->name, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int push_one(struct es_push_pass *p, const json_t *secret, const char **ret_message,
                    struct es_error *err)
{
    struct es_push_source source = {0};
    int rc = es_push_source_make(p, secret, &source, err);

    if (rc < 0)
        return rc;
    rc = es_push_to_stores(p, &source, err);
    *ret_message = "set secret failed";
    es_push_source_fini(&source);
    return rc;
}

/* Every source in turn; the later ones overwrite the earlier. */
static int push_all(struct es_push_pass *p, struct es_error *err)
{
    const json_t *secret;
    size_t i;
    int rc = 0;

    json_array_foreach (p->sources.items, i, secret) {
        const char *message = NULL;
        rc = push_one(p, secret, &message, err);
        if (rc < 0) {
            json_t *synced = es_push_all_noted(p);
            rc = es_push_settle_failure(p, rc, message, synced, err);
            json_decref(synced);
            return rc;
        }
    }
    if (p->deletes && !remove_stale(p, "Failed to Delete Secrets from Provider", &rc, err))
        return rc;
    return es_push_finish(p, err);
}

/* With sources and stores in hand. */
static int push(struct es_push_pass *p, struct es_error *err)
{
    if (!p->stores.count) {
        p->foreign = true;
        return 0;
    }
    int rc = es_push_match_data_to(es_obj_at(p->ps, "spec"), &p->stores, err);
    if (rc == 0)
        rc = hold_stores(p, err);
    if (rc < 0)
        return es_push_is_interrupted(p, rc, NULL) ? rc : es_push_report(p, NULL, NULL, err);
    return push_all(p, err);
}

static int sync_due(struct es_push_pass *p, struct es_error *err)
{
    if (es_push_check_data_to(es_obj_at(p->ps, "spec"), err) < 0)
        return es_push_report_and_wait(p, err);
    int rc = es_push_sources_read(p, &p->sources, err);
    if (rc < 0)
        return report_lost_source(p, rc, err);
    rc = es_push_stores_find(p, &p->stores, err);
    return rc < 0 ? es_push_report(p, NULL, NULL, err) : push(p, err);
}

/* Nothing is due. But whoever woke us may have brought news; what cannot be read now is
 * looked at when it is due. */
static int sync_early(struct es_push_pass *p, struct es_error *err)
{
    p->out->after_ms = es_refresh_after_ms(p->ps, now_ms(p));
    if (!may_have_news(p))
        return 0;
    int rc = es_push_sources_read(p, &p->sources, NULL);
    if ((rc < 0 && !p->sources.missing) || es_push_stores_find(p, &p->stores, err) < 0)
        return 0;
    if (!has_news(p)) {
        es_push_note_stamp(p);
        return 0;
    }
    p->out->after_ms = -1;
    es_push_sources_fini(&p->sources);
    es_push_stores_fini(p->env, &p->stores);
    return sync_due(p, err);
}

static int sync(struct es_push_pass *p, struct es_error *err)
{
    int rc = es_synced_version(p->version, p->ps, err);

    if (rc < 0)
        return rc;
    if (es_obj_at(p->ps, "spec", "selector", "secret"))
        es_sources_watch(p->env, ES_READ_SECRET);
    es_template_watch(p->env, es_obj_at(p->ps, "spec", "template"));
    return is_due(p) ? sync_due(p, err) : sync_early(p, err);
}

static int run(struct es_push_pass *p, struct es_error *err)
{
    int rc = 0;

    if (es_obj_deleting(p->ps))
        return clean_up(p, err);
    if (es_obj_has_finalizer(p->ps, ES_PUSH_FINALIZER) != p->deletes)
        rc = set_finalizer(p, p->deletes, err);
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? stop_vanished(p) : rc;
    if (es_obj_deleting(p->ps))
        return clean_up(p, err);
    rc = sync(p, err);
    return rc < 0 ? rc : es_store_let_go(p->env, p->ns, err);
}

/* A pass that had nothing to do leaves the condition as the last one wrote it. */
static void count(struct es_push_pass *p, int rc, int64_t started_ns)
{
    const char *status = es_obj_str(es_obj_condition(p->ps, "Ready"), "status");

    if (p->ready == ES_TALLY_UNKNOWN && !p->foreign && *status)
        p->ready = es_streq(status, "True") ? ES_TALLY_TRUE : ES_TALLY_FALSE;
    es_tally_count(p->env->tally, &(struct es_tally_pass){.kind = ES_TALLY_PUSH_SECRET,
                                                          .ns = p->ns,
                                                          .name = p->name,
                                                          .object = p->ps,
                                                          .duration_ns = es_mono_ns() - started_ns,
                                                          .failed = rc < 0,
                                                          .ready = p->ready});
}

static int follow_deletion(struct es_env *env, const char *ns, const char *name, struct es_error *err)
{
    es_tally_gone(env->tally, ES_TALLY_PUSH_SECRET, ns, name, 0);
    return es_store_let_go(env, ns, err);
}

int es_push_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                             const struct es_cause *cause, struct es_outcome *ret, struct es_error *err)
{
    int64_t pass_ms = env->settings.pass_timeout_ms ? env->settings.pass_timeout_ms : DEFAULT_PASS_MS;
    struct es_push_pass p = {.env = env,
                             .ns = ns,
                             .name = name,
                             .who = {ES_PUSH_SECRET, ns, name},
                             .started_unix_ms = env->clock->unix_ms(env->clock->ctx),
                             .deadline_ms = env->clock->mono_ms(env->clock->ctx) + pass_ms,
                             .out = ret};
    int64_t started_ns = es_mono_ns();
    json_t *ps = NULL;
    int rc = env->push_secrets ? es_cache_get(env->push_secrets, ns, name, &ps, err) : ES_E_NOT_FOUND;

    (void)cause;
    ret->after_ms = -1;
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? follow_deletion(env, ns, name, err) : rc;
    adopt(&p, ps);
    p.pushed = json_object();
    rc = p.pushed ? run(&p, err) : es_error_nomem(err);
    count(&p, rc, started_ns);
    es_push_sources_fini(&p.sources);
    es_push_stores_fini(env, &p.stores);
    json_decref(p.pushed);
    json_decref(p.ps);
    return rc;
}
