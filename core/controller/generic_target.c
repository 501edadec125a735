/* Targets of any kind: spec.target.manifest names what an ExternalSecret makes
 * instead of a Secret (specification: externalsecret, section 9).
 *
 * The pass is that of externalsecret.c, read top to bottom from es_generic_sync at
 * the end of this file; how the object looks is core/secret/manifest.c, and
 * how changes by others are noticed generic_watch.c. */
#include <stdio.h>
#include <string.h>

#include "core/base/hide.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/externalsecret_own.h"
#include "core/controller/generic_watch.h"
#include "core/controller/refresh.h"
#include "core/controller/sources.h"
#include "core/controller/template.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"

#define CONFLICT_PAUSE_MS 1000

/* What the pass knows beyond es_pass. */
struct generic {
    struct es_pass *p;
    const struct es_kind *kind;
    struct es_cache *cache; /* of the kind, or NULL */
    json_t *known;          /* what the cache has of the target, or NULL */
    json_t *existing;       /* the live target with managedFields, or NULL: not read, or not there */
    struct es_values values;
    json_t *steps; /* what the template made of them, or NULL */
    struct es_error *err;
};

static void generic_fini(struct generic *g)
{
    json_decref(g->known);
    json_decref(g->existing);
    json_decref(g->steps);
    es_values_fini(&g->values);
}

/* ---- which object ---- */

/* No retry: only an edit helps, of the object or of esod's settings. */
static int refuse(struct es_pass *p, struct es_error *err)
{
    es_generic_watches_release(p->env->generic, p->ns, p->name);
    es_pass_report(p, "invalid generic target", err);
    p->out->after_ms = -1;
    return 0;
}

static int check_manifest(const struct es_pass *p, struct es_error *err)
{
    const json_t *manifest = es_obj_at(p->es, "spec", "target", "manifest");

    if (!p->env->settings.generic_targets)
        return es_error_set(err, ES_E_CONFIG,
                            "generic targets are disabled. Enable with --unsafe-allow-generic-targets flag");
    if (!*es_obj_str(manifest, "apiVersion"))
        return es_error_set(err, ES_E_CONFIG, "target.manifest.apiVersion is required");
    if (!*es_obj_str(manifest, "kind"))
        return es_error_set(err, ES_E_CONFIG, "target.manifest.kind is required");
    return 0;
}

/* An ExternalSecret has the rights of its namespace. What belongs to no namespace
 * is nobody's in there to write. */
static int check_scope(const struct es_kind *kind, struct es_error *err)
{
    char api_version[128];

    if (kind->namespaced)
        return 0;
    return es_error_set(
        err, ES_E_CONFIG,
        "target.manifest: %s of %s is cluster-scoped, and an ExternalSecret writes into its own "
        "namespace only: name a namespaced kind",
        kind->kind, es_kind_api_version(kind, api_version));
}

static int find_kind(struct es_pass *p, const struct es_kind **ret, struct es_error *err)
{
    const json_t *manifest = es_obj_at(p->es, "spec", "target", "manifest");
    int rc = es_cluster_resolve(p->env->cluster, es_obj_str(manifest, "apiVersion"),
                                es_obj_str(manifest, "kind"), ret, err);
    return rc < 0 ? es_error_wrap(err, "failed to get target resource: ") : 0;
}

/* ---- what is there ---- */

static int read_target(struct generic *g)
{
    struct es_pass *p = g->p;

    json_decref(g->existing);
    g->existing = NULL;
    int rc = es_cluster_get(p->env->cluster, g->kind, p->ns, p->target_name, &g->existing, g->err);
    if (rc == ES_E_NOT_FOUND) {
        *g->err = (struct es_error)ES_ERROR_INIT;
        return 0;
    }
    return rc < 0 ? es_error_wrap(g->err, "failed to get target resource: ") : 0;
}

static int look(struct generic *g)
{
    struct es_pass *p = g->p;

    if (p->policy->writes)
        g->cache = es_generic_watches_use(p->env->generic, p->ns, p->name, g->kind);
    else
        es_generic_watches_release(p->env->generic, p->ns, p->name);
    if (!g->cache)
        return 0;
    int rc = es_cache_get(g->cache, p->ns, p->target_name, &g->known, NULL);
    return rc < 0 && rc != ES_E_NOT_FOUND ? es_error_nomem(g->err) : 0;
}

/* A number for the content that the target has; "" is content that cannot be hashed. */
static uint64_t content_number(const char *hash)
{
    uint64_t n = es_hash64(hash, strlen(hash));
    return n ? n : 1;
}

/* Is the content what the last pass left there? Where the API server adds defaults
 * that is not what the annotation's hash was made of. */
static bool is_as_left(const struct generic *g, const char *content)
{
    return es_generic_watches_noted(g->p->env->generic, g->p->ns, g->p->name) == content_number(content);
}

static bool is_known_valid(const struct generic *g)
{
    return g->known && (es_obj_bool(g->known, "intact") || is_as_left(g, es_obj_str(g->known, "content")));
}

static bool is_valid_live(const struct generic *g)
{
    char content[ES_SHA3_224_HEX_MAX];

    if (!g->existing || !es_manifest_is_managed(g->existing))
        return false;
    es_manifest_hash(content, g->existing);
    return es_manifest_is_intact(g->existing) || is_as_left(g, content);
}

/* Is there nothing to repair? 1 yes, 0 no. What is not in the cache may be there all
 * the same: the watch has only just begun, or is not allowed. */
static int is_valid(struct generic *g)
{
    if (es_streq(g->p->policy->name, "Orphan") || !g->p->policy->writes)
        return 1;
    if (g->known)
        return is_known_valid(g);
    if (g->cache && es_cache_synced(g->cache))
        return 0;
    int rc = read_target(g);
    return rc < 0 ? rc : is_valid_live(g);
}

/* ---- writing ---- */

/* What the API server says about an object may quote what is in it. */
static void hide_values(const struct generic *g)
{
    for (size_t i = 0; i < g->values.count; i++)
        es_hide_in_error(g->err, g->values.items[i].blob.ptr, g->values.items[i].blob.len);
}

/* Stands for all that decides how the target looks, see inputs_of in secret_target.c. */
static uint64_t inputs_of(const struct generic *g)
{
    char hash[ES_SHA3_224_HEX_MAX] = "", text[512];
    size_t len = 0;
    char *steps = g->steps ? es_json_text(g->steps, &len) : NULL;

    es_hash_values(hash, &g->values, NULL);
    int n = snprintf(text, sizeof text, "%s|%s|%s|%016llx", es_obj_str(g->p->es, "metadata", "uid"),
                     g->p->version, hash, steps ? (unsigned long long)es_hash64(steps, len) : 0ULL);
    es_mem_free(steps);
    uint64_t inputs = es_hash64(text, n > 0 ? strlen(text) : 0);
    return inputs ? inputs : 1;
}

static bool is_settled(const struct generic *g)
{
    const char *rv = es_obj_str(g->known, "metadata", "resourceVersion");
    return g->known && es_cache_noted(g->cache, g->p->ns, g->p->target_name, rv) == inputs_of(g);
}

/* After a write or a comparison that found nothing to do: remember what for, and what came of it. */
static void settle(const struct generic *g, const json_t *object)
{
    const char *rv = es_obj_str(object, "metadata", "resourceVersion");
    char content[ES_SHA3_224_HEX_MAX];

    es_manifest_hash(content, object);
    es_generic_watches_note(g->p->env->generic, g->p->ns, g->p->name, content_number(content));
    if (g->cache)
        es_cache_note(g->cache, g->p->ns, g->p->target_name, rv, inputs_of(g));
    es_sources_wrote(g->p->env, g->kind, g->p->ns, g->p->target_name, rv);
}

static void say_done(const struct generic *g, const char *what)
{
    char message[600];
    snprintf(message, sizeof message, "%s %s %s", what, g->kind->kind, g->p->target_name);
    es_pass_say(g->p, ES_EVENT_NORMAL, what, message);
}

static int create(struct generic *g, const json_t *object)
{
    json_t *answer = NULL;
    int rc = es_cluster_create(g->p->env->cluster, g->kind, g->p->ns, object, g->p->manager, &answer, g->err);

    if (rc == 0) {
        settle(g, answer);
        say_done(g, "Created");
    } else if (rc != ES_E_EXISTS) {
        es_error_wrap(g->err, "failed to create target resource: ");
    }
    json_decref(answer);
    return rc;
}

/* Defaults that the API server adds make the object differ from what is wanted for
 * ever; an update that changes nothing keeps the version, and is none. */
static int update(struct generic *g, const json_t *object)
{
    struct es_pass *p = g->p;
    json_t *answer = NULL;
    int rc = es_cluster_update(p->env->cluster, g->kind, p->ns, p->target_name, object, p->manager, &answer,
                               g->err);

    if (rc == 0) {
        settle(g, answer);
        if (!es_streq(es_obj_str(answer, "metadata", "resourceVersion"),
                      es_obj_str(g->existing, "metadata", "resourceVersion")))
            say_done(g, "Updated");
    } else if (rc != ES_E_CONFLICT) {
        es_error_wrap(g->err, "failed to update target resource: ");
    }
    json_decref(answer);
    return rc;
}

static int report_write(struct generic *g, bool shaped, enum es_target_fault fault)
{
    const char *message = shaped ? "could not update secret" : "could not apply template to manifest";

    hide_values(g);
    if (fault == ES_TARGET_OTHER_OWNER || fault == ES_TARGET_FOREIGN_OWNER)
        return es_pass_report_and_wait(g->p, message, g->err);
    return es_pass_report(g->p, message, g->err);
}

static int finish_synced(struct generic *g)
{
    return es_pass_finish(g->p, "ResourceSynced", "secret synced", NULL, g->err);
}

static int finish_missing(struct generic *g)
{
    return es_pass_finish(g->p, "ResourceMissing", "resource will not be created due to CreationPolicy=Merge",
                          NULL, g->err);
}

/* Makes the object that is there, or none, into the one that is wanted. 1: it came
 * into being meanwhile, look again. */
static int write_target(struct generic *g)
{
    struct es_manifest_change change = {0};
    enum es_target_fault fault = ES_TARGET_OK;
    struct es_pass *p = g->p;
    int rc = es_manifest_shape(&change, p->es, g->kind, g->existing, &g->values, g->steps, &fault, g->err);

    if (rc < 0)
        return report_write(g, false, fault);
    if (!g->existing)
        rc = create(g, change.object);
    else if (change.differs)
        rc = update(g, change.object);
    else
        settle(g, g->existing);
    json_decref(change.object);
    if (rc == ES_E_EXISTS && !g->existing)
        return 1;
    /* Gone in between, alone or with its namespace, or changed: the next pass sees
     * it as it is. */
    if (rc == ES_E_CONFLICT || rc == ES_E_GONE || (rc == ES_E_NOT_FOUND && g->existing)) {
        p->out->after_ms = CONFLICT_PAUSE_MS;
        return 0;
    }
    return rc < 0 ? report_write(g, true, fault) : finish_synced(g);
}

static int report_read(struct generic *g)
{
    return es_pass_report(g->p, "could not get target resource", g->err);
}

/* A target that is not in the cache is most likely not there, so creating it is the first question. */
static int reach_target(struct generic *g)
{
    if (g->known || g->existing || !g->p->policy->creates) {
        if (read_target(g) < 0)
            return report_read(g);
        if (!g->existing && !g->p->policy->creates)
            return finish_missing(g);
    }
    int rc = write_target(g);
    if (rc != 1)
        return rc;
    *g->err = (struct es_error)ES_ERROR_INIT;
    if (read_target(g) < 0)
        return report_read(g);
    if (g->existing)
        return write_target(g);
    g->p->out->after_ms = CONFLICT_PAUSE_MS;
    return 0;
}

/* The values are there: make the target agree with them. */
static int apply(struct generic *g)
{
    struct es_pass *p = g->p;

    if (!p->policy->writes)
        return finish_synced(g);
    int rc = es_kind_same(g->kind, &es_kind_secret) ? es_target_check_template(p->es, g->err) : 0;
    if (rc == 0)
        rc = es_template_steps(p->env, p->es, &g->values, &p->seen, &g->steps, g->err);
    if (rc < 0)
        return report_write(g, false, ES_TARGET_TEMPLATE);
    return is_settled(g) ? finish_synced(g) : reach_target(g);
}

/* ---- deleting ---- */

/* Deletes the target if it is one of ours. By its uid: what comes after it under its
 * name is somebody else's. 1: there was nothing to delete. */
static int delete_target(struct generic *g)
{
    struct es_pass *p = g->p;
    int rc = read_target(g);

    if (rc < 0)
        return rc;
    const json_t *owner = es_obj_controller(g->existing);
    bool ours = !owner || es_streq(es_obj_str(owner, "uid"), es_obj_str(p->es, "metadata", "uid"));
    if (!g->existing || !ours || !es_manifest_is_managed(g->existing))
        return 1;
    rc = es_cluster_remove(p->env->cluster, g->kind, p->ns, p->target_name,
                           es_obj_str(g->existing, "metadata", "uid"), g->err);
    if (rc == ES_E_NOT_FOUND)
        return 1;
    if (rc < 0)
        return es_error_wrap(g->err, "failed to delete target resource: ");
    es_sources_wrote(p->env, g->kind, p->ns, p->target_name, NULL);
    say_done(g, "Deleted");
    return 0;
}

/* Nothing came from the provider, and deletionPolicy=Delete. */
static int apply_deletion(struct generic *g)
{
    struct es_pass *p = g->p;

    if (!p->policy->owns) {
        es_error_set(g->err, ES_E_CONFIG, "unable to delete resource: creationPolicy=%s is not Owner",
                     p->policy->name);
        return es_pass_report_and_wait(p, "could not delete resource", g->err);
    }
    if (delete_target(g) < 0)
        return es_pass_report(p, "could not delete resource", g->err);
    return es_pass_finish(p, "ResourceDeleted", "secret deleted due to DeletionPolicy=Delete", NULL, g->err);
}

/* A kind that does not exist has no objects, and one that is refused got none from us. */
int es_generic_delete(struct es_pass *p, struct es_error *err)
{
    struct generic g = {.p = p, .err = err};

    if (check_manifest(p, err) < 0)
        return 0;
    int rc = find_kind(p, &g.kind, err);
    if (rc == ES_E_NOT_FOUND || rc == ES_E_INVALID)
        return 0;
    if (rc == 0 && g.kind->namespaced)
        rc = delete_target(&g);
    generic_fini(&g);
    return rc < 0 ? rc : 0;
}

/* ---- the pass ---- */

bool es_generic_is_settled(struct es_pass *p)
{
    struct es_error ignored = ES_ERROR_INIT;
    struct generic g = {.p = p, .err = &ignored};
    bool settled = check_manifest(p, &ignored) == 0 && find_kind(p, &g.kind, &ignored) == 0 &&
                   g.kind->namespaced && look(&g) == 0 && is_known_valid(&g);

    generic_fini(&g);
    return settled;
}

static int sync_values(struct generic *g)
{
    struct es_pass *p = g->p;
    int rc = es_pass_fetch(p, &g->values, g->err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (!g->values.count && es_streq(p->deletion_policy, "Delete"))
        return apply_deletion(g);
    if (!g->values.count && es_streq(p->deletion_policy, "Retain"))
        return es_pass_finish(p, "ResourceSynced", "secret retained due to DeletionPolicy=Retain", NULL,
                              g->err);
    return apply(g);
}

/* Between two refreshes only what others changed is repaired. True: the pass is over. */
static bool is_left_alone(struct generic *g, bool valid)
{
    struct es_pass *p = g->p;

    p->out->after_ms = valid ? es_pass_rest_ms(p)
                             : es_generic_watches_repair_in(p->env->generic, p->ns, p->name,
                                                            p->env->clock->mono_ms(p->env->clock->ctx));
    return valid || p->out->after_ms > 0;
}

static int sync(struct generic *g)
{
    struct es_pass *p = g->p;
    int rc = look(g);

    if (rc == 0 && !es_pass_is_due(p)) {
        rc = is_valid(g);
        if (rc >= 0 && is_left_alone(g, rc == 1))
            return 0;
    }
    return rc < 0 ? report_read(g) : sync_values(g);
}

int es_generic_sync(struct es_pass *p, struct es_error *err)
{
    struct generic g = {.p = p, .err = err};
    int rc = check_manifest(p, err);

    if (rc < 0)
        return refuse(p, err);
    p->failure = "ResourceSyncedError";
    rc = find_kind(p, &g.kind, err);
    if (rc < 0)
        return report_read(&g);
    if (check_scope(g.kind, err) < 0) {
        p->failure = "SecretSyncedError";
        return refuse(p, err);
    }
    rc = sync(&g);
    generic_fini(&g);
    return rc;
}
