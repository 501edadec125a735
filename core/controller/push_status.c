/* What a pass over a PushSecret says in the end: condition, event, and what is noted as
 * pushed (specification: push-and-cluster, section 1.2). */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/pushsecret_own.h"
#include "core/controller/refresh.h"
#include "core/controller/status.h"
#include "core/kube/obj.h"

#define COMPONENT "pushsecret"
#define CONFLICT_PAUSE_MS 50 /* somebody else was quicker: look again */

/* A condition and its event; `synced` is what is noted as pushed, NULL: as before. */
static int write_status(struct es_push_pass *p, const struct es_condition *ready, const json_t *synced,
                        json_t *take_more, struct es_error *err)
{
    json_t *status = take_more ? take_more : json_object();
    json_t *diff = synced ? es_status_diff(es_obj_at(p->ps, "status", "syncedPushSecrets"), synced) : NULL;
    int failed = !status || (synced && !diff);

    if (!failed && ready)
        failed =
            json_object_set_new(status, "conditions", es_status_conditions(p->ps, ready, p->started_unix_ms));
    if (!failed && json_object_size(diff))
        failed = json_object_set(status, "syncedPushSecrets", diff);
    json_decref(diff);
    if (failed) {
        json_decref(status);
        return es_error_nomem(err);
    }
    return es_status_patch(p->env, &es_kind_push_secret, p->ps, status, err);
}

static void say(struct es_push_pass *p, enum es_event_type type, const struct es_condition *c)
{
    char *text = c->cause ? es_strf("%s: %s", c->message, c->cause) : es_mem_strdup(c->message);

    if (text)
        es_event_record(p->env->events, &es_kind_push_secret, p->ps, type, c->reason, COMPONENT, text);
    es_mem_free(text);
}

static void log_status_failure(const struct es_push_pass *p, const struct es_error *err)
{
    es_log(ES_WARN, "controllers.PushSecret", "the status could not be written", ES_F_STR("namespace", p->ns),
           ES_F_STR("name", p->name), ES_F_STR("error", err->text));
}

int es_push_report(struct es_push_pass *p, const char *message, const json_t *synced, struct es_error *err)
{
    struct es_condition ready = {.status = "False",
                                 .reason = "Errored",
                                 .message = message ? message : err->text,
                                 .cause = message ? err->text : NULL};
    struct es_error status_err = ES_ERROR_INIT;

    p->ready = ES_TALLY_FALSE;
    say(p, ES_EVENT_WARNING, &ready);
    if (write_status(p, &ready, synced, NULL, &status_err) < 0)
        log_status_failure(p, &status_err);
    return err->code;
}

int es_push_report_and_wait(struct es_push_pass *p, struct es_error *err)
{
    es_push_report(p, NULL, NULL, err);
    p->out->after_ms = es_refresh_after_sync_ms(p->ps);
    return 0;
}

uint64_t es_push_stamp(const struct es_push_pass *p)
{
    return p->sources.stamp ^ p->stores.stamp;
}

void es_push_note_stamp(struct es_push_pass *p)
{
    char rv[ES_RV_MAX];

    if (es_cache_rv(p->env->push_secrets, p->ns, p->name, rv))
        es_cache_note(p->env->push_secrets, p->ns, p->name, rv, es_push_stamp(p));
}

int es_push_finish(struct es_push_pass *p, struct es_error *err)
{
    bool careful = es_streq(es_obj_str(p->ps, "spec", "updatePolicy"), "IfNotExists");
    struct es_condition ready = {
        .status = "True",
        .reason = "Synced",
        .message = careful ? "PushSecret synced successfully. Existing secrets in providers unchanged."
                           : "PushSecret synced successfully"};
    char now[ES_TIME_TEXT_MAX];

    p->ready = ES_TALLY_TRUE;
    int rc = write_status(p, &ready, p->pushed,
                          json_pack("{s:s,s:s}", "refreshTime", es_time_format(p->started_unix_ms, now),
                                    "syncedResourceVersion", p->version),
                          err);
    if (rc == ES_E_CONFLICT) {
        p->out->after_ms = CONFLICT_PAUSE_MS;
        return 0;
    }
    if (rc < 0)
        return rc;
    say(p, ES_EVENT_NORMAL, &ready);
    es_push_note_stamp(p);
    p->out->after_ms = es_refresh_after_sync_ms(p->ps);
    return 0;
}

int es_push_finish_lost(struct es_push_pass *p, struct es_error *err)
{
    struct es_condition ready = {.status = "False",
                                 .reason = "SourceDeleted",
                                 .message = "source secret deleted; provider secrets cleaned up"};

    p->ready = ES_TALLY_FALSE;
    say(p, ES_EVENT_NORMAL, &ready);
    return write_status(p, &ready, p->pushed, NULL, err);
}

/* ---- what is at the providers ---- */

json_t *es_push_all_noted(const struct es_push_pass *p)
{
    const json_t *before = es_obj_at(p->ps, "status", "syncedPushSecrets");
    json_t *all = before ? json_deep_copy(before) : json_object();
    const char *id;
    json_t *entries;

    json_object_foreach (p->pushed, id, entries) {
        json_t *have = json_object_get(all, id);
        if (have)
            json_object_update(have, entries);
        else
            json_object_set_new(all, id, json_deep_copy(entries));
    }
    return all;
}

bool es_push_is_over(const struct es_push_pass *p)
{
    return (p->env->cancelled && __atomic_load_n(p->env->cancelled, __ATOMIC_RELAXED)) ||
           es_cluster_may_write(p->env->cluster, NULL) < 0;
}

bool es_push_is_interrupted(struct es_push_pass *p, int rc, const json_t *synced)
{
    struct es_error err = ES_ERROR_INIT;

    if (rc != ES_E_CANCELLED || !es_push_is_over(p))
        return false;
    if (synced && write_status(p, NULL, synced, NULL, &err) < 0)
        log_status_failure(p, &err);
    return true;
}

int es_push_settle_failure(struct es_push_pass *p, int rc, const char *message, const json_t *synced,
                           struct es_error *err)
{
    if (rc == ES_E_CONFLICT) {
        p->out->after_ms = CONFLICT_PAUSE_MS;
        return 0;
    }
    return es_push_is_interrupted(p, rc, synced) ? rc : es_push_report(p, message, synced, err);
}
