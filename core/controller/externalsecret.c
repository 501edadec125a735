/* The ExternalSecret controller: from the object to its Secret.
 *
 * One pass, top to bottom, in the order of the specification (externalsecret,
 * section 3). What has its own idea stands in files of its own: when to refresh
 * (refresh.c), how values are read (fetch.c) and shaped (core/secret), templates
 * (template.c), status (status.c), targets that are no plain Secrets (generic_target.c). */
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/hide.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/externalsecret_own.h"
#include "core/controller/fetch.h"
#include "core/controller/generic_watch.h"
#include "core/controller/refresh.h"
#include "core/controller/status.h"
#include "core/controller/template.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"
#include "core/secret/rules.h"
#include "core/secret/target.h"

#define COMPONENT "external-secrets"
#define CONFLICT_PAUSE_MS 50
#define NEW_STORE_PAUSE_MS 1000
#define VANISHED_PAUSE_MS 10000

/* The object to work on from here on; what was read from it follows. */
static void adopt(struct es_pass *p, json_t *take_es)
{
    json_decref(p->es);
    p->es = take_es;
    p->target_name = es_target_name(p->es);
    p->generic = es_obj_at(p->es, "spec", "target", "manifest");
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
    int rc = es_status_patch(p->env, &es_kind_external_secret, p->es, status, err);
    if (rc == ES_E_CONFLICT) {
        p->out->after_ms = CONFLICT_PAUSE_MS;
        return 0;
    }
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

static json_t *finalizers_patch(const json_t *es, bool present)
{
    json_t *list = json_array();
    json_t *have;
    size_t i;

    json_array_foreach (es_obj_at(es, "metadata", "finalizers"), i, have)
        if (!es_streq(json_string_value(have), ES_FINALIZER))
            json_array_append(list, have);
    if (present)
        json_array_append_new(list, json_string(ES_FINALIZER));
    return json_pack("{s:{s:o,s:s,s:s}}", "metadata", "finalizers", list, "resourceVersion",
                     es_obj_str(es, "metadata", "resourceVersion"), "uid", es_obj_str(es, "metadata", "uid"));
}

/* Adds or removes ours among the finalizers. The list is sent whole, so it is
 * guarded by the resourceVersion: somebody else's must not get lost. */
static int set_finalizer(struct es_pass *p, bool present, struct es_error *err)
{
    int rc = ES_E_CONFLICT;

    for (int attempt = 0; attempt < 3 && rc == ES_E_CONFLICT; attempt++) {
        if (attempt) {
            json_t *live = NULL;
            rc = es_cluster_get(p->env->cluster, &es_kind_external_secret, p->ns, p->name, &live, err);
            if (rc < 0)
                break;
            adopt(p, live);
            /* To what is being deleted no finalizer can be added any more. */
            if (es_obj_has_finalizer(p->es, ES_FINALIZER) == present || (present && es_obj_deleting(p->es)))
                return 0;
        }
        json_t *answer = NULL;
        json_t *patch = finalizers_patch(p->es, present);
        rc = patch ? es_cluster_patch(p->env->cluster, &es_kind_external_secret, p->ns, p->name, NULL, patch,
                                      NULL, &answer, err)
                   : es_error_nomem(err);
        json_decref(patch);
        if (rc == 0)
            adopt(p, answer);
    }
    return rc;
}

/* The API server says that the object is gone. The watch is about to say so
 * too; should it not, then the first word was wrong and the work is still to be done. */
static int stop_vanished(struct es_pass *p)
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

/* With deletionPolicy=Delete the target goes as well, if it is ours. */
static int delete_target_of_deleted(struct es_pass *p, struct es_error *err)
{
    json_t *secret = NULL;
    int rc = es_cluster_get(p->env->cluster, &es_kind_secret, p->ns, p->target_name, &secret, err);

    if (rc == ES_E_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    const char *owner_uid = es_obj_str(es_obj_controller(secret), "uid");
    if (es_streq(owner_uid, es_obj_str(p->es, "metadata", "uid")))
        rc = es_cluster_remove(p->env->cluster, &es_kind_secret, p->ns, p->target_name,
                               es_obj_str(secret, "metadata", "uid"), err);
    json_decref(secret);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

static int clean_up(struct es_pass *p, struct es_error *err)
{
    int rc = 0;

    p->out->after_ms = -1;
    if (!es_obj_has_finalizer(p->es, ES_FINALIZER))
        return 0;
    if (es_streq(p->deletion_policy, "Delete"))
        rc = p->generic ? es_generic_delete(p, err) : delete_target_of_deleted(p, err);
    if (rc < 0)
        return es_pass_report(p, "could not delete secret", err);
    rc = set_finalizer(p, false, err);
    return rc == ES_E_NOT_FOUND ? stop_vanished(p) : rc;
}

/* ---- writing the target ---- */

struct orphans {
    struct es_pass *p;
    struct es_error *err;
    int rc;
};

static void remove_orphan(void *ctx, const char *ns, const char *name)
{
    struct orphans *o = ctx;
    struct es_pass *p = o->p;
    json_t *known = NULL;

    if (o->rc < 0 || es_streq(name, p->target_name) ||
        es_cache_get(p->env->targets, ns, name, &known, NULL) < 0)
        return;
    o->rc = es_cluster_remove(p->env->cluster, &es_kind_secret, ns, name,
                              es_obj_str(known, "metadata", "uid"), o->err);
    json_decref(known);
    if (o->rc == 0)
        es_pass_say(p, ES_EVENT_NORMAL, "Deleted", "secret deleted because it was orphaned");
    else if (o->rc == ES_E_NOT_FOUND || o->rc == ES_E_CONFLICT)
        o->rc = 0; /* gone already, or another one by that name */
}

/* A renamed target leaves the old Secret behind; its label says whose it was. */
static int remove_orphans(struct es_pass *p, struct es_error *err)
{
    char owner[ES_SHA3_224_HEX_MAX], wanted[640];
    struct orphans o = {.p = p, .err = err};

    if (!p->policy->owns)
        return 0;
    if (es_owner_hash(owner, p->ns, p->name, err) < 0)
        return err->code;
    snprintf(wanted, sizeof wanted, "created-by:%s/%s", p->ns, owner);
    if (es_cache_each(p->env->targets, wanted, remove_orphan, &o) < 0)
        return es_error_nomem(err);
    return o.rc;
}

/* Stands for all that decides how the target looks: kept with the version of
 * the target that it led to, it says without a read that nothing is to be written. */
static uint64_t inputs_of(const struct es_pass *p, const char *values_hash,
                          const struct es_rendered_template *rendered)
{
    char hash[ES_SHA3_224_HEX_MAX] = "", text[512];
    char *labels = rendered && rendered->labels ? es_json_text(rendered->labels, NULL) : NULL;
    char *annotations = rendered && rendered->annotations ? es_json_text(rendered->annotations, NULL) : NULL;

    if (rendered && es_hash_values(hash, &rendered->data, NULL) < 0)
        hash[0] = '\0';
    int n = snprintf(text, sizeof text, "%s|%s|%s|%s|%016llx%016llx", es_obj_str(p->es, "metadata", "uid"),
                     p->version, values_hash, hash,
                     labels ? (unsigned long long)es_hash64(labels, strlen(labels)) : 0ULL,
                     annotations ? (unsigned long long)es_hash64(annotations, strlen(annotations)) : 0ULL);
    es_mem_free(labels);
    es_mem_free(annotations);
    uint64_t inputs = es_hash64(text, n > 0 ? strlen(text) : 0);
    return inputs ? inputs : 1;
}

static bool is_settled(const struct es_pass *p, uint64_t inputs)
{
    const char *rv = es_obj_str(p->known_target, "metadata", "resourceVersion");
    return p->known_target && es_cache_noted(p->env->targets, p->ns, p->target_name, rv) == inputs;
}

/* The condition that goes with a failure to shape or write. */
static int report_write(struct es_pass *p, enum es_target_fault fault, struct es_error *err)
{
    switch (fault) {
    case ES_TARGET_OTHER_OWNER:
        return es_pass_report_and_wait(p, "target is owned by another ExternalSecret", err);
    case ES_TARGET_FOREIGN_OWNER:
        return es_pass_report_and_wait(p, "failed to take ownership of target secret", err);
    case ES_TARGET_IMMUTABLE:
        return es_pass_report_and_wait(p, "could not update secret, target is immutable", err);
    default:
        return es_pass_report(p, "could not update secret", err);
    }
}

struct write {
    const struct es_values *values;
    const struct es_rendered_template *rendered; /* NULL: no template */
    uint64_t inputs;
    enum es_target_fault fault;
    bool missing; /* there is no target, and the policy does not create one */
    bool wrote;
};

/* After a write or a comparison that found nothing to do: remember for what. */
static void settle(struct es_pass *p, const struct write *w, const json_t *secret)
{
    es_cache_note(p->env->targets, p->ns, p->target_name, es_obj_str(secret, "metadata", "resourceVersion"),
                  w->inputs);
}

/* Why a write was refused is worth knowing, but it may be somebody's webhook that
 * says it, and quotes what it was shown: as text, or in base64 as it came. */
static void hide_values(const json_t *secret, struct es_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach (json_object_get(secret, "data"), key, value) {
        struct es_blob plain = {0};
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        size_t len = json_string_length(value);
        es_hide_in_error(err, text, len);
        if (es_base64_decode(&plain, ES_BASE64_STD, text, len, NULL) == 0)
            es_hide_in_error(err, plain.ptr, plain.len);
        es_blob_fini(&plain);
    }
}

static int create_target(struct es_pass *p, struct write *w, struct es_error *err)
{
    struct es_target_change change = {0};
    json_t *answer = NULL;
    int rc = es_target_shape(&change, p->es, NULL, w->values, w->rendered, &w->fault, err);

    if (rc < 0)
        return rc;
    rc = es_cluster_create(p->env->cluster, &es_kind_secret, p->ns, change.object, p->manager, &answer, err);
    if (rc == 0) {
        settle(p, w, answer);
        w->wrote = true;
        es_pass_say(p, ES_EVENT_NORMAL, "Created", "secret created");
    } else {
        hide_values(change.object, err);
    }
    json_decref(answer);
    json_decref(change.object);
    return rc;
}

static int update_target(struct es_pass *p, struct write *w, const json_t *existing, struct es_error *err)
{
    struct es_target_change change = {0};
    json_t *answer = NULL;
    int rc = es_target_shape(&change, p->es, existing, w->values, w->rendered, &w->fault, err);

    if (rc < 0)
        return es_error_wrap(err, "unable to %s secret %s: ",
                             w->fault == ES_TARGET_IMMUTABLE ? "update" : "mutate", p->target_name);
    if (!change.differs) {
        settle(p, w, existing);
    } else {
        rc = es_cluster_update(p->env->cluster, &es_kind_secret, p->ns, p->target_name, change.object,
                               p->manager, &answer, err);
        if (rc == 0) {
            settle(p, w, answer);
            w->wrote = true;
            es_pass_say(p, ES_EVENT_NORMAL, "Updated", "secret updated");
        } else if (rc == ES_E_NOT_FOUND) {
            rc = ES_E_CONFLICT; /* deleted meanwhile: look again */
        } else if (rc != ES_E_CONFLICT) {
            hide_values(change.object, err);
            es_error_wrap(err, "unable to update secret %s: ", p->target_name);
        }
    }
    json_decref(answer);
    json_decref(change.object);
    return rc;
}

/* Creates or updates with as few requests as possible: a target that is not in
 * the cache is most likely not there, so creating it is the first question. */
static int write_target(struct es_pass *p, struct write *w, struct es_error *err)
{
    json_t *existing = NULL;
    int rc = 0;

    if (!p->known_target && p->policy->creates) {
        rc = create_target(p, w, err);
        if (rc != ES_E_EXISTS)
            return rc;
        *err = (struct es_error)ES_ERROR_INIT;
    }
    rc = es_cluster_get(p->env->cluster, &es_kind_secret, p->ns, p->target_name, &existing, err);
    if (rc == ES_E_NOT_FOUND) {
        *err = (struct es_error)ES_ERROR_INIT;
        if (p->policy->creates)
            return create_target(p, w, err);
        w->missing = true;
        return 0;
    }
    if (rc == 0)
        rc = update_target(p, w, existing, err);
    json_decref(existing);
    return rc;
}

/* The values are there: make the target agree with them. */
static int apply(struct es_pass *p, const struct es_values *values, struct es_error *err)
{
    struct es_rendered_template rendered = {0};
    char values_hash[ES_SHA3_224_HEX_MAX];
    bool templated = false;
    struct write w = {.values = values};

    if (!p->policy->writes)
        return es_pass_finish(p, "SecretSynced", "secret synced", NULL, err);
    int rc = remove_orphans(p, err);
    if (rc < 0)
        return es_pass_report(p, "could not delete orphaned secrets", err);
    rc = es_hash_values(values_hash, values, err);
    if (rc == 0)
        rc = es_template_render(p->env, p->es, values, &rendered, &templated, err);
    if (rc < 0) {
        if (p->known_target)
            es_error_wrap(err, "unable to mutate secret %s: ", p->target_name);
        return es_pass_report(p, "could not update secret", err);
    }
    w.rendered = templated ? &rendered : NULL;
    w.inputs = inputs_of(p, values_hash, w.rendered);
    if (!is_settled(p, w.inputs))
        rc = write_target(p, &w, err);
    es_template_fini(&rendered);
    if (rc == ES_E_CONFLICT || rc == ES_E_EXISTS) {
        p->out->after_ms = CONFLICT_PAUSE_MS;
        return 0;
    }
    if (rc == ES_E_GONE || rc == ES_E_NOT_FOUND)
        return stop_vanished(p); /* with its namespace */
    if (rc < 0)
        return report_write(p, w.fault, err);
    if (w.missing)
        return es_pass_finish(p, "SecretMissing", "secret will not be created due to CreationPolicy=Merge",
                              NULL, err);
    return es_pass_finish(p, "SecretSynced", "secret synced", p->target_name, err);
}

/* Nothing came from the provider, and deletionPolicy=Delete. */
static int delete_target(struct es_pass *p, struct es_error *err)
{
    if (!p->policy->owns) {
        es_error_set(err, ES_E_CONFIG, "unable to delete secret %s: creationPolicy=%s is not Owner",
                     p->target_name, p->policy->name);
        return es_pass_report_and_wait(p, "could not delete secret", err);
    }
    /* A Secret that does not carry our label is somebody else's. */
    int rc = p->known_target ? es_cluster_remove(p->env->cluster, &es_kind_secret, p->ns, p->target_name,
                                                 es_obj_str(p->known_target, "metadata", "uid"), err)
                             : ES_E_NOT_FOUND;
    if (rc == 0)
        es_pass_say(p, ES_EVENT_NORMAL, "Deleted", "secret deleted due to DeletionPolicy=Delete");
    else if (rc != ES_E_NOT_FOUND)
        return es_pass_report(p, "could not delete secret", err);
    return es_pass_finish(p, "SecretDeleted", "secret deleted due to DeletionPolicy=Delete", NULL, err);
}

/* ---- the pass ---- */

int es_pass_fetch(struct es_pass *p, struct es_values *ret, struct es_error *err)
{
    int rc = es_external_secret_check(p->es, err);

    p->synced = true;
    if (rc < 0) {
        es_pass_report_and_wait(p, "could not update secret", err);
        return 1;
    }
    rc = es_fetch(p->env, p->es, ret, err);
    if (rc == ES_E_CANCELLED && p->env->cancelled && __atomic_load_n(p->env->cancelled, __ATOMIC_RELAXED))
        return rc; /* the daemon is ending: the next start goes on */
    if (rc == ES_E_UNDECIDED) {
        p->out->after_ms = NEW_STORE_PAUSE_MS;
        return 1;
    }
    return rc < 0 ? es_pass_report(p, "could not get secret data from provider", err) : 0;
}

static int sync_values(struct es_pass *p, struct es_error *err)
{
    struct es_values values = {0};
    int rc = es_pass_fetch(p, &values, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (!values.count && es_streq(p->deletion_policy, "Delete"))
        rc = delete_target(p, err);
    else if (!values.count && es_streq(p->deletion_policy, "Retain"))
        rc = es_pass_finish(p, "SecretSynced", "secret retained due to DeletionPolicy=Retain", NULL, err);
    else
        rc = apply(p, &values, err);
    es_values_fini(&values);
    return rc;
}

/* Under None there is no target that could be anything else than it should be. */
static bool is_settled_target(const struct es_pass *p)
{
    if (es_streq(p->policy->name, "Orphan") || !p->policy->writes)
        return true;
    return p->known_target && es_obj_bool(p->known_target, "intact");
}

/* Does the finalizer have to be there before the Secret? Only where it stands
 * for a clean-up of ours. */
static bool finalizer_comes_first(const struct es_pass *p)
{
    return es_streq(p->deletion_policy, "Delete");
}

static bool is_settled_now(struct es_pass *p)
{
    json_t *target = NULL;

    if (p->generic)
        return es_generic_is_settled(p);
    bool settled = es_cache_get(p->env->targets, p->ns, p->target_name, &target, NULL) == 0 &&
                   es_obj_bool(target, "intact");
    json_decref(target);
    return settled;
}

/* Elsewhere it may come in a pass of its own, once nothing urgent waits: a
 * thousand new ExternalSecrets get their Secrets first. Only where that next pass
 * is sure to find nothing else to do, or it would put the finalizer off again. */
static bool finalizer_may_wait(struct es_pass *p)
{
    int64_t interval = es_refresh_interval_ms(p->es);
    json_t *es = NULL;
    bool settled = p->synced && (interval <= 0 || interval >= 10000) &&
                   es_cache_get(p->env->external_secrets, p->ns, p->name, &es, NULL) == 0 &&
                   !es_refresh_is_due(es, p->version, p->started_unix_ms) && is_settled_now(p);

    json_decref(es);
    return settled;
}

static int sync(struct es_pass *p, struct es_error *err)
{
    if (es_synced_version(p->version, p->es, err) < 0 || es_field_manager(p->manager, p->name, err) < 0)
        return err->code;
    if (p->generic)
        return es_generic_sync(p, err);
    int rc = es_cache_get(p->env->targets, p->ns, p->target_name, &p->known_target, NULL);
    if (rc < 0 && rc != ES_E_NOT_FOUND)
        return es_error_nomem(err);
    if (!es_refresh_is_due(p->es, p->version, p->started_unix_ms) && is_settled_target(p)) {
        p->out->after_ms = es_refresh_after_ms(p->es, p->started_unix_ms);
        return 0;
    }
    return sync_values(p, err);
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
        return stop_vanished(p);
    if (!es_obj_has_finalizer(p->es, ES_FINALIZER) && finalizer_comes_first(p))
        rc = set_finalizer(p, true, err);
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? stop_vanished(p) : rc;
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
    return late_rc == ES_E_NOT_FOUND ? stop_vanished(p) : late_rc;
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
                                                          .ready = p->ready});
}

int es_external_secret_reconcile(struct es_env *env, const char *ns, const char *name, struct es_outcome *ret,
                                 struct es_error *err)
{
    struct es_pass p = {.env = env, .ns = ns, .name = name, .out = ret, .failure = "SecretSyncedError"};
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
