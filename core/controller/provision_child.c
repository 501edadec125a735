/* One child of a ClusterExternalSecret or ClusterPushSecret. */
#include <string.h>

#include "core/base/text.h"
#include "core/controller/provision_own.h"
#include "core/kube/obj.h"

const char *es_provision_child_name(const struct es_provisioner *how, const json_t *parent)
{
    const char *name = es_obj_str(parent, "spec", how->name);
    return *name ? name : es_obj_name(parent);
}

/* ---- ownership ---- */

static bool is_reference_to(const json_t *owner, const struct es_kind *kind, const char *name)
{
    size_t len = strlen(kind->group);
    const char *version = es_obj_str(owner, "apiVersion");

    return es_streq(es_obj_str(owner, "kind"), kind->kind) && es_streq(es_obj_str(owner, "name"), name) &&
           es_str_starts(version, kind->group) && version[len] == '/';
}

/* By name and not by uid, so that a parent that was deleted without its children, and
 * applied again, has them back. */
bool es_provision_is_child(const struct es_provisioner *how, const json_t *parent, const json_t *child)
{
    return is_reference_to(es_obj_controller(child), how->kind, es_obj_name(parent));
}

static json_t *reference_to(const struct es_provisioner *how, const json_t *parent)
{
    char version[128];
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", es_kind_api_version(how->kind, version),
                     "kind", how->kind->kind, "name", es_obj_name(parent), "uid",
                     es_obj_str(parent, "metadata", "uid"), "controller", 1, "blockOwnerDeletion", 1);
}

static int own(const struct es_provisioner *how, const json_t *parent, json_t *child)
{
    json_t *owners = es_obj_at(child, "metadata", "ownerReferences"), *owner;
    json_t *reference = reference_to(how, parent);
    size_t i;

    json_array_foreach (owners, i, owner)
        if (is_reference_to(owner, how->kind, es_obj_name(parent)))
            return json_array_set_new(owners, i, reference);
    if (owners)
        return json_array_append_new(owners, reference);
    return es_obj_set(child, json_pack("[o]", reference), "metadata", "ownerReferences");
}

/* ---- what it has to be ---- */

static json_t *wanted_annotations(const struct es_provisioner *how, const json_t *parent)
{
    json_t *given = es_obj_at(parent, "spec", how->metadata, "annotations");
    json_t *all = json_is_object(given) ? json_copy(given) : json_object();
    json_t *mirrored = how->mirrored ? es_obj_at(parent, "metadata", "annotations", how->mirrored) : NULL;

    if (all && mirrored && json_object_set(all, how->mirrored, mirrored) < 0) {
        json_decref(all);
        return NULL;
    }
    return all;
}

/* An empty map is none, as the API server has it. */
static int put_map(json_t *child, const char *member, json_t *take_map)
{
    if (take_map && !json_object_size(take_map)) {
        json_decref(take_map);
        return es_obj_unset(child, "metadata", member);
    }
    return es_obj_set(child, take_map, "metadata", member);
}

static int name_kind(const struct es_provisioner *how, json_t *child)
{
    char version[128];
    int failed =
        json_object_set_new(child, "apiVersion", json_string(es_kind_api_version(how->child, version)));
    return failed | json_object_set_new(child, "kind", json_string(how->child->kind));
}

static int shape(const struct es_provisioner *how, const json_t *parent, json_t *child)
{
    json_t *labels = es_obj_at(parent, "spec", how->metadata, "labels");
    json_t *spec = es_obj_at(parent, "spec", how->spec);
    int failed = put_map(child, "labels", json_is_object(labels) ? json_copy(labels) : json_object());

    failed |= put_map(child, "annotations", wanted_annotations(how, parent));
    failed |= json_object_set_new(child, "spec", spec ? json_deep_copy(spec) : json_object());
    return failed | own(how, parent, child);
}

/* ---- writing ---- */

/* Nobody tells the child's controller of our own write. */
static int wake(struct es_env *env, const struct es_provisioner *how, const char *ns, const char *name)
{
    env->enqueue(env->enqueue_ctx, how->child_id, ns, name);
    return 0;
}

static int create(struct es_env *env, const struct es_provisioner *how, const json_t *parent, const char *ns,
                  struct es_error *err)
{
    const char *name = es_provision_child_name(how, parent);
    json_t *child = json_pack("{s:{s:s, s:s}}", "metadata", "name", name, "namespace", ns);
    int rc = !child || name_kind(how, child) || shape(how, parent, child)
                 ? es_error_nomem(err)
                 : es_cluster_create(env->cluster, how->child, ns, child, NULL, NULL, err);

    json_decref(child);
    if (rc == ES_E_EXISTS) /* the watch is late: it will tell whose that is */
        return err->code = ES_E_CONFLICT;
    return rc < 0 ? rc : wake(env, how, ns, name);
}

static int update(struct es_env *env, const struct es_provisioner *how, const json_t *parent, json_t *before,
                  struct es_error *err)
{
    json_t *child = name_kind(how, before) == 0 ? json_deep_copy(before) : NULL;
    int rc = !child || shape(how, parent, child) ? es_error_nomem(err) : 0;

    bool changed = rc == 0 && !json_equal(before, child);
    if (changed)
        rc = es_cluster_update(env->cluster, how->child, es_obj_namespace(before), es_obj_name(before), child,
                               NULL, NULL, err);
    json_decref(child);
    return changed && rc == 0 ? wake(env, how, es_obj_namespace(before), es_obj_name(before)) : rc;
}

int es_provision_write_child(struct es_env *env, const struct es_provisioner *how, const json_t *parent,
                             const char *ns, struct es_error *err)
{
    json_t *before = NULL;
    int rc =
        es_cache_get(es_provision_children(env, how), ns, es_provision_child_name(how, parent), &before, err);

    if (rc == ES_E_NOT_FOUND)
        rc = create(env, how, parent, ns, err);
    else if (rc == 0 && !es_provision_is_child(how, parent, before))
        rc = es_error_set(err, ES_E_EXISTS, "%s", how->taken);
    else if (rc == 0 && es_obj_deleting(before)) /* its end will be told */
        rc = es_error_set(err, ES_E_EXISTS, "the former %s is still being deleted", how->child->kind);
    else if (rc == 0)
        rc = update(env, how, parent, before, err);
    json_decref(before);
    return rc;
}

/* A child without finalizers is gone at once, and what is kept about it may go. */
static int remove_child(struct es_env *env, const struct es_provisioner *how, const json_t *child,
                        struct es_error *err)
{
    const char *ns = es_obj_namespace(child), *name = es_obj_name(child);
    int rc = es_cluster_remove(env->cluster, how->child, ns, name, es_obj_str(child, "metadata", "uid"), err);

    return rc < 0 ? rc : wake(env, how, ns, name);
}

int es_provision_delete_child(struct es_env *env, const struct es_provisioner *how, const json_t *parent,
                              const char *ns, const char *name, struct es_error *err)
{
    json_t *child = NULL;
    int rc = es_cache_get(es_provision_children(env, how), ns, name, &child, err);

    if (rc == 0 && es_provision_is_child(how, parent, child) && !es_obj_deleting(child))
        rc = remove_child(env, how, child, err);
    json_decref(child);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}
