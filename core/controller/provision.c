/* The ClusterExternalSecret and ClusterPushSecret controllers: a child in each namespace that
 * the parent selects, and nowhere else.
 *
 * A pass compares what has to be with what the caches show, whatever the status says: a
 * child that was made just before a crash, or under a former name, is found by its owner
 * reference. */
#include "core/controller/provision.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/events.h"
#include "core/controller/finalizer.h"
#include "core/controller/provision_news.h"
#include "core/controller/provision_own.h"
#include "core/kube/obj.h"

#define DEFAULT_INTERVAL_MS (60 * 60 * INT64_C(1000))

/* So many namespaces in a row that the API server has not answered for: it is away, and
 * each of thousands more would wait for its time to be over. */
#define UNANSWERED_MAX 3

#define COMPONENT "external-secrets-controller"
#define FINALIZERS "externalsecrets.external-secrets.io/"

const struct es_provisioner es_provision_external_secrets = {
    .id = ES_CLUSTER_EXTERNAL_SECRET,
    .child_id = ES_EXTERNAL_SECRET,
    .tally = ES_TALLY_CLUSTER_EXTERNAL_SECRET,
    .kind = &es_kind_cluster_external_secret,
    .child = &es_kind_external_secret,
    .logger = "controllers.ClusterExternalSecret",
    .spec = "externalSecretSpec",
    .name = "externalSecretName",
    .metadata = "externalSecretMetadata",
    .own_finalizer = FINALIZERS "clusterexternalsecret-cleanup",
    .namespace_finalizer = FINALIZERS "ces-",
    .mirrored = "external-secrets.io/force-sync",
    .taken = "external secret already exists in namespace",
    .not_written = "could not create or update ExternalSecret",
    .not_deleted = "external secret in non matching namespace could not be deleted"};

const struct es_provisioner es_provision_push_secrets = {.id = ES_CLUSTER_PUSH_SECRET,
                                                         .child_id = ES_PUSH_SECRET,
                                                         .tally = ES_TALLY_CLUSTER_PUSH_SECRET,
                                                         .kind = &es_kind_cluster_push_secret,
                                                         .child = &es_kind_push_secret,
                                                         .logger = "controllers.ClusterPushSecret",
                                                         .spec = "pushSecretSpec",
                                                         .name = "pushSecretName",
                                                         .metadata = "pushSecretMetadata",
                                                         .taken = "push secret already exists in namespace",
                                                         .not_written =
                                                             "could not create or update PushSecret",
                                                         .not_deleted = "failed to delete push secret"};

struct pass {
    struct es_env *env;
    const struct es_provisioner *how;
    json_t *parent; /* as cached, or newer */
    char *held;     /* the finalizer on namespaces, or NULL */
    json_t *places; /* the namespaces to look at, as keys; NULL: all */
    json_t *wanted; /* names of the selected ones among them, as keys */
    json_t *provisioned;
    json_t *failed;        /* {"namespace", "reason"} each, of the status */
    struct es_error retry; /* the first failure that trying again may end; code 0: none */
    int unanswered;        /* failures in a row without an answer */
    bool behind;           /* the cache was: what is to be said will be known next time */
    struct es_outcome *out;
};

/* ---- finalizers of namespaces ---- */

static int hold(struct pass *p, const char *ns, bool held, struct es_error *err)
{
    json_t *object = NULL;
    int rc = es_cache_get(p->env->namespaces, "", ns, &object, NULL);

    if (rc == 0 && es_obj_has_finalizer(object, p->held) == held)
        goto out;
    json_decref(object);
    object = NULL;
    rc = es_cluster_get(p->env->cluster, &es_kind_namespace, "", ns, &object, err);
    if (rc == 0)
        rc = es_finalizer_set(p->env, &es_kind_namespace, p->held, held, &object, err);
    if (rc < 0 && rc != ES_E_NOT_FOUND)
        es_error_wrap(err, "could not update the finalizers of Namespace \"%s\": ", ns);
out:
    json_decref(object);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

/* ---- failures ---- */

static void note_failure(struct pass *p, const char *ns, const char *reason)
{
    json_array_append_new(p->failed, json_pack("{s:s, s:s}", "namespace", ns, "reason", reason));
}

/* What an edit elsewhere has to end is told by the watches; the rest is tried again. That the
 * cache was behind is nothing to tell anybody. */
static void fail(struct pass *p, const char *ns, const char *what, struct es_error *err)
{
    if (err->code != ES_E_EXISTS)
        es_error_wrap(err, "%s: ", what);
    if (err->code == ES_E_CONFLICT)
        p->behind = true;
    else
        note_failure(p, ns, err->text);
    if (err->code != ES_E_EXISTS && !p->retry.code)
        p->retry = *err;
    p->unanswered = err->code == ES_E_RETRY && !err->http_status ? p->unanswered + 1 : 0;
}

/* The API server does not answer, or esod ends: the rest is for the next pass, and what is to be
 * said too. */
static bool stop_early(struct pass *p)
{
    const bool *cancelled = p->env->cancelled;
    bool ending = cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED);
    bool stop = ending || p->unanswered >= UNANSWERED_MAX;

    if (stop && !p->retry.code)
        es_error_set(&p->retry, ES_E_CANCELLED, "esod is ending");
    p->behind = p->behind || stop;
    return stop;
}

/* ---- children ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names, as the status shows them. */
static const char **sorted_names(const json_t *set)
{
    const char **names = es_mem_calloc(json_object_size(set) + 1, sizeof *names), *name;
    size_t count = 0;
    json_t *value;

    if (!names)
        return NULL;
    json_object_foreach ((json_t *)(uintptr_t)set, name, value)
        names[count++] = name;
    qsort(names, count, sizeof *names, by_text);
    return names;
}

static void provision(struct pass *p, const char *ns)
{
    struct es_error err = ES_ERROR_INIT;
    int rc = p->held ? hold(p, ns, true, &err) : 0;

    if (rc == 0)
        rc = es_provision_write_child(p->env, p->how, p->parent, ns, &err);
    if (rc == 0 || rc == ES_E_GONE || rc == ES_E_NOT_FOUND) /* the namespace is ending, or has ended */
        p->unanswered = 0;
    if (rc == 0)
        json_array_append_new(p->provisioned, json_string(ns));
    else if (rc != ES_E_GONE && rc != ES_E_NOT_FOUND)
        fail(p, ns, p->how->not_written, &err);
}

static int provision_all(struct pass *p, struct es_error *err)
{
    const char **names = sorted_names(p->wanted);

    if (!names)
        return es_error_nomem(err);
    for (size_t i = 0; names[i] && !stop_early(p); i++)
        provision(p, names[i]);
    es_mem_free(names);
    return 0;
}

/* A former child, which the parent does not want where it is, or under its name. */
static void release_child(void *ctx, const char *ns, const char *name)
{
    struct pass *p = ctx;
    struct es_error err = ES_ERROR_INIT;

    if (json_object_get(p->wanted, ns) && es_streq(name, es_provision_child_name(p->how, p->parent)))
        return;
    if (stop_early(p))
        return;
    if (es_provision_delete_child(p->env, p->how, p->parent, ns, name, &err) < 0)
        fail(p, ns, p->how->not_deleted, &err);
}

static void release_namespace(void *ctx, const char *none, const char *ns)
{
    struct pass *p = ctx;
    struct es_error err = ES_ERROR_INIT;

    (void)none;
    if (json_object_get(p->wanted, ns) || stop_early(p))
        return;
    if (hold(p, ns, false, &err) < 0)
        fail(p, ns, p->how->not_deleted, &err);
}

static bool is_held(const struct pass *p, const char *ns)
{
    json_t *object = NULL;
    bool held = p->held && es_cache_get(p->env->namespaces, "", ns, &object, NULL) == 0 &&
                es_obj_has_finalizer(object, p->held);

    json_decref(object);
    return held;
}

/* Former names are none of these: who changes the name edits the parent. */
static void release_places(struct pass *p)
{
    const char *ns;
    json_t *value;

    json_object_foreach (p->places, ns, value) {
        release_child(p, ns, es_provision_child_name(p->how, p->parent));
        if (is_held(p, ns))
            release_namespace(p, "", ns);
    }
}

/* Everything that is there and not wanted. The finalizers last: while one is there, its
 * namespace is known to hold a child. */
static int release_all(struct pass *p, struct es_error *err)
{
    char term[ES_PROVISION_TERM_MAX];

    es_provision_owner_term(term, p->how->kind->kind, es_obj_name(p->parent));
    int rc = es_cache_each(es_provision_children(p->env, p->how), term, release_child, p);
    if (rc == 0 && p->held) {
        es_provision_held_term(term, p->held);
        rc = es_cache_each(p->env->namespaces, term, release_namespace, p);
    }
    return rc < 0 ? es_error_nomem(err) : 0;
}

/* ---- telling ---- */

static int write_status(struct pass *p, struct es_error *err)
{
    int rc = p->places ? es_provision_keep_former(p->parent, p->places, p->provisioned, p->failed, err) : 0;
    return rc < 0 ? rc : es_provision_write_status(p->env, p->how, p->parent, p->provisioned, p->failed, err);
}

static void say(struct pass *p, const char *message)
{
    es_event_record(p->env->events, p->how->kind, p->parent, ES_EVENT_WARNING, "Errored", COMPONENT, message);
}

/* Says what failed, and asks for another try where that may help. */
static int settle(struct pass *p, struct es_error *err)
{
    int rc = p->behind ? 0 : write_status(p, err);

    if (rc < 0 || !p->retry.code)
        return rc;
    if (!p->behind)
        say(p, p->retry.text);
    *err = p->retry;
    return err->code;
}

/* ---- the pass ---- */

static int set_finalizer(struct pass *p, bool present, struct es_error *err)
{
    int rc = es_finalizer_set(p->env, p->how->kind, p->how->own_finalizer, present, &p->parent, err);
    return rc < 0 && rc != ES_E_NOT_FOUND ? es_error_wrap(err, "could not update finalizers: ") : rc;
}

/* Nothing is wanted any more. Where there is no finalizer the garbage collector follows the
 * owner references. */
static int clean_up(struct pass *p, struct es_error *err)
{
    p->out->after_ms = -1;
    if (!p->how->own_finalizer || !es_obj_has_finalizer(p->parent, p->how->own_finalizer))
        return 0;
    int rc = release_all(p, err);
    if (rc < 0)
        return rc;
    if (p->behind || json_array_size(p->failed))
        return settle(p, err);
    rc = set_finalizer(p, false, err);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

/* A selector that cannot be read: nothing is touched until it is edited. */
static int report_selector(struct pass *p, struct es_error *err)
{
    es_error_wrap(err, "failed to get target Namespaces: ");
    note_failure(p, "unknown", err->text);
    say(p, err->text);
    json_decref(p->places); /* what was so is not known any more */
    p->places = NULL;
    es_provision_news_all(p->env->provision_news, p->how->id, es_obj_name(p->parent));
    return write_status(p, err);
}

static int64_t interval_ms(const json_t *parent)
{
    int64_t ms;
    bool given = es_duration_parse(es_obj_str(parent, "spec", "refreshTime"), &ms) == 0;
    return given && ms > 0 ? ms : DEFAULT_INTERVAL_MS;
}

static int look_and_write(struct pass *p, struct es_error *err)
{
    int rc = es_provision_select(p->env, p->parent, p->places, p->wanted, err);

    if (rc == ES_E_CONFIG)
        return report_selector(p, err);
    if (rc == 0 && p->places)
        release_places(p);
    else if (rc == 0)
        rc = release_all(p, err);
    if (rc == 0)
        rc = provision_all(p, err);
    return rc < 0 ? rc : settle(p, err);
}

static int sync(struct pass *p, struct es_error *err)
{
    struct es_provision_news *news = p->env->provision_news;
    const char *name = es_obj_name(p->parent);
    int64_t began_ms = p->env->clock->mono_ms(p->env->clock->ctx), interval = interval_ms(p->parent);

    p->places = es_provision_news_take(news, p->how->id, name, began_ms, interval);
    bool all = !p->places;
    int rc = look_and_write(p, err);
    if (rc < 0)
        es_provision_news_all(news, p->how->id, name);
    else if (all)
        es_provision_news_complete(news, p->how->id, name, began_ms);
    else
        p->out->after_ms = es_provision_news_left_ms(news, p->how->id, name, began_ms, interval);
    return rc;
}

static int run(struct pass *p, struct es_error *err)
{
    int rc = 0;

    p->out->after_ms = interval_ms(p->parent);
    if (es_obj_deleting(p->parent))
        return clean_up(p, err);
    if (p->how->own_finalizer && !es_obj_has_finalizer(p->parent, p->how->own_finalizer))
        rc = set_finalizer(p, true, err);
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? 0 : rc;
    return es_obj_deleting(p->parent) ? clean_up(p, err) : sync(p, err);
}

static int prepare(struct pass *p, struct es_error *err)
{
    p->wanted = json_object();
    p->provisioned = json_array();
    p->failed = json_array();
    if (p->how->namespace_finalizer)
        p->held = es_strf("%s%s", p->how->namespace_finalizer, es_obj_name(p->parent));
    return !p->wanted || !p->provisioned || !p->failed || (p->how->namespace_finalizer && !p->held)
               ? es_error_nomem(err)
               : 0;
}

static enum es_tally_ready ready(const struct pass *p, int rc)
{
    if (p->behind)
        return ES_TALLY_UNKNOWN;
    return rc < 0 || json_array_size(p->failed) ? ES_TALLY_FALSE : ES_TALLY_TRUE;
}

static void count(const struct pass *p, int rc, int64_t started_ns)
{
    es_tally_count(p->env->tally, &(struct es_tally_pass){.kind = p->how->tally,
                                                          .ns = "",
                                                          .name = es_obj_name(p->parent),
                                                          .object = p->parent,
                                                          .duration_ns = es_mono_ns() - started_ns,
                                                          .failed = rc < 0,
                                                          .ready = ready(p, rc)});
}

static int reconcile(struct es_env *env, const struct es_provisioner *how, const char *name,
                     struct es_outcome *ret, struct es_error *err)
{
    struct pass p = {.env = env, .how = how, .out = ret};
    struct es_cache *parents = es_provision_parents(env, how);
    int64_t started_ns = es_mono_ns();
    int rc = parents ? es_cache_get(parents, "", name, &p.parent, err) : ES_E_NOT_FOUND;

    ret->after_ms = -1;
    if (rc == ES_E_NOT_FOUND)
        es_tally_gone(env->tally, how->tally, "", name, 0);
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? 0 : rc;
    rc = prepare(&p, err);
    if (rc == 0)
        rc = run(&p, err);
    count(&p, rc, started_ns);
    json_decref(p.parent);
    json_decref(p.places);
    json_decref(p.wanted);
    json_decref(p.provisioned);
    json_decref(p.failed);
    es_mem_free(p.held);
    return rc;
}

int es_cluster_external_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                                         const struct es_cause *cause, struct es_outcome *ret,
                                         struct es_error *err)
{
    (void)ns, (void)cause;
    return reconcile(env, &es_provision_external_secrets, name, ret, err);
}

int es_cluster_push_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                                     const struct es_cause *cause, struct es_outcome *ret,
                                     struct es_error *err)
{
    (void)ns, (void)cause;
    return reconcile(env, &es_provision_push_secrets, name, ret, err);
}
