#include "core/controller/finalizer.h"

#include "core/base/text.h"
#include "core/kube/obj.h"

#define ATTEMPTS 3

static json_t *finalizers_patch(const json_t *object, const char *finalizer, bool present)
{
    json_t *list = json_array();
    json_t *have;
    size_t i;

    json_array_foreach (es_obj_at(object, "metadata", "finalizers"), i, have)
        if (!es_streq(json_string_value(have), finalizer))
            json_array_append(list, have);
    if (present)
        json_array_append_new(list, json_string(finalizer));
    return json_pack("{s:{s:o,s:s,s:s}}", "metadata", "finalizers", list, "resourceVersion",
                     es_obj_str(object, "metadata", "resourceVersion"), "uid",
                     es_obj_str(object, "metadata", "uid"));
}

static void replace(json_t **object, json_t *take_newer)
{
    json_decref(*object);
    *object = take_newer;
}

/* The object as it will be. Its metadata are its own: others may hold the old ones. */
static int patch_copy(struct es_env *env, const struct es_kind *kind, const json_t *change, json_t **object,
                      struct es_error *err)
{
    json_t *changed = json_copy(*object), *metadata = json_copy(json_object_get(*object, "metadata"));
    bool ready = changed && metadata && json_object_set(changed, "metadata", metadata) == 0;
    int rc =
        ready ? es_cluster_patch_metadata(env->cluster, kind, changed, change, err) : es_error_nomem(err);

    json_decref(metadata);
    if (rc == 0)
        replace(object, changed);
    else
        json_decref(changed);
    return rc;
}

static int patch(struct es_env *env, const struct es_kind *kind, const char *finalizer, bool present,
                 json_t **object, struct es_error *err)
{
    json_t *answer = NULL, *change = finalizers_patch(*object, finalizer, present);
    struct es_error first = ES_ERROR_INIT;
    int rc = change ? patch_copy(env, kind, change, object, &first) : es_error_nomem(&first);

    if (rc == ES_E_UNSUPPORTED)
        rc = es_cluster_patch(env->cluster, kind, es_obj_namespace(*object), es_obj_name(*object), NULL,
                              change, NULL, &answer, err);
    else if (rc < 0 && err)
        *err = first;
    json_decref(change);
    if (answer)
        replace(object, answer);
    return rc;
}

/* After a conflict: the live object, whose uid may be another one's. */
static int look_again(struct es_env *env, const struct es_kind *kind, json_t **object, struct es_error *err)
{
    json_t *live = NULL;
    int rc = es_cluster_get(env->cluster, kind, es_obj_namespace(*object), es_obj_name(*object), &live, err);

    if (rc == 0)
        replace(object, live);
    return rc;
}

int es_finalizer_set(struct es_env *env, const struct es_kind *kind, const char *finalizer, bool present,
                     json_t **object, struct es_error *err)
{
    int rc = ES_E_CONFLICT;

    for (int attempt = 0; attempt < ATTEMPTS && rc == ES_E_CONFLICT; attempt++) {
        if (attempt && (rc = look_again(env, kind, object, err)) < 0)
            return rc;
        if (es_obj_has_finalizer(*object, finalizer) == present || (present && es_obj_deleting(*object)))
            return 0;
        rc = patch(env, kind, finalizer, present, object, err);
    }
    return rc;
}
