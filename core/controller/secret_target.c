/* Targets that are Secrets: what becomes of the values unless there is a
 * target.manifest (specification: externalsecret, sections 6 and 7).
 *
 * Read from es_secret_sync at the end of this file; how a Secret looks is
 * core/secret/target.c. */
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/hide.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/drift.h"
#include "core/controller/externalsecret_own.h"
#include "core/controller/refresh.h"
#include "core/controller/sources.h"
#include "core/controller/template.h"
#include "core/kube/obj.h"

static int remove_secret(struct es_pass *p, const char *name, const char *uid, struct es_error *err)
{
    int rc = es_cluster_remove(p->env->cluster, &es_kind_secret, p->ns, name, uid, err);
    if (rc == 0)
        es_sources_wrote(p->env, &es_kind_secret, p->ns, name, NULL);
    return rc;
}

/* ---- writing it ---- */

struct orphans {
    struct es_pass *p;
    struct es_error *err;
    int rc;
    const char *owner; /* what the label of our targets says */
};

static void remove_orphan(void *ctx, const char *ns, const char *name)
{
    struct orphans *o = ctx;
    struct es_pass *p = o->p;
    json_t *known = NULL;

    if (o->rc < 0 || es_streq(name, p->target_name) ||
        es_cache_get(p->env->targets, ns, name, &known, NULL) < 0)
        return;
    /* The index goes by hashes; what is deleted has to be ours for certain. */
    if (!es_streq(es_obj_str(known, "createdBy"), o->owner)) {
        json_decref(known);
        return;
    }
    o->rc = remove_secret(p, name, es_obj_str(known, "metadata", "uid"), o->err);
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
    struct orphans o = {.p = p, .owner = owner, .err = err};

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
    const struct es_rendered_template *rendered; /* NULL: no template, or not rendered */
    uint64_t inputs;
    enum es_target_fault fault;
    bool frozen;  /* what is there keeps its content, so that nothing was rendered */
    bool missing; /* there is no target, and the policy does not create one */
    bool wrote;
};

/* After a write or a comparison that found nothing to do: remember for what. */
static void settle(struct es_pass *p, const struct write *w, const json_t *secret)
{
    const char *rv = es_obj_str(secret, "metadata", "resourceVersion");

    es_cache_note(p->env->targets, p->ns, p->target_name, rv, w->inputs);
    es_sources_wrote(p->env, &es_kind_secret, p->ns, p->target_name, rv);
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
            es_drift_tell(p, existing);
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
            return w->frozen ? ES_E_CONFLICT : create_target(p, w, err);
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
    struct write w = {.values = values, .frozen = es_target_is_frozen(p->es, p->known_target)};

    if (!p->policy->writes)
        return es_pass_finish(p, "SecretSynced", "secret synced", NULL, err);
    int rc = remove_orphans(p, err);
    if (rc < 0)
        return es_pass_report(p, "could not delete orphaned secrets", err);
    rc = es_hash_values(values_hash, values, err);
    if (rc == 0 && !w.frozen)
        rc = es_template_render(p->env, p->es, values, &p->seen, &rendered, &templated, err);
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
        p->out->after_ms = ES_CONFLICT_PAUSE_MS;
        return 0;
    }
    if (rc == ES_E_GONE || rc == ES_E_NOT_FOUND)
        return es_pass_stop_vanished(p); /* with its namespace */
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
    int rc = p->known_target
                 ? remove_secret(p, p->target_name, es_obj_str(p->known_target, "metadata", "uid"), err)
                 : ES_E_NOT_FOUND;
    if (rc == 0)
        es_pass_say(p, ES_EVENT_NORMAL, "Deleted", "secret deleted due to DeletionPolicy=Delete");
    else if (rc != ES_E_NOT_FOUND)
        return es_pass_report(p, "could not delete secret", err);
    return es_pass_finish(p, "SecretDeleted", "secret deleted due to DeletionPolicy=Delete", NULL, err);
}

/* ---- the pass ---- */

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

bool es_secret_is_settled(const struct es_pass *p)
{
    json_t *target = NULL;
    bool settled = es_cache_get(p->env->targets, p->ns, p->target_name, &target, NULL) == 0 &&
                   es_obj_bool(target, "intact");
    json_decref(target);
    return settled;
}

int es_secret_delete(struct es_pass *p, struct es_error *err)
{
    json_t *secret = NULL;
    int rc = es_cluster_get(p->env->cluster, &es_kind_secret, p->ns, p->target_name, &secret, err);

    if (rc == ES_E_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    const char *owner_uid = es_obj_str(es_obj_controller(secret), "uid");
    if (es_streq(owner_uid, es_obj_str(p->es, "metadata", "uid")))
        rc = remove_secret(p, p->target_name, es_obj_str(secret, "metadata", "uid"), err);
    json_decref(secret);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

int es_secret_sync(struct es_pass *p, struct es_error *err)
{
    int rc = es_cache_get(p->env->targets, p->ns, p->target_name, &p->known_target, NULL);
    if (rc < 0 && rc != ES_E_NOT_FOUND)
        return es_error_nomem(err);
    if (!es_pass_is_due(p) && is_settled_target(p)) {
        p->out->after_ms = es_pass_rest_ms(p);
        return 0;
    }
    return sync_values(p, err);
}
