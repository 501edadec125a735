#include "core/controller/status.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/kube/obj.h"

#define MESSAGE_MAX 1024

static void format_message(char out[MESSAGE_MAX + 1], const struct es_condition *c)
{
    bool cause = c->cause && *c->cause;
    int n = snprintf(out, MESSAGE_MAX + 1, "%s%s%s", c->message, cause ? ": " : "", cause ? c->cause : "");
    if (n <= MESSAGE_MAX)
        return;
    /* The cut may have split the last character. */
    size_t start = MESSAGE_MAX;
    uint32_t rune;
    while (start && ((unsigned char)out[start - 1] & 0xC0) == 0x80)
        start--;
    if (start && !es_utf8_decode(out + start - 1, MESSAGE_MAX - (start - 1), &rune))
        out[start - 1] = '\0';
}

static json_t *ready_condition(const json_t *old, const struct es_condition *c, int64_t now_ms)
{
    char message[MESSAGE_MAX + 1], now[ES_TIME_TEXT_MAX];
    const char *since = es_obj_str(old, "lastTransitionTime");

    format_message(message, c);
    if (!*since || !es_streq(es_obj_str(old, "status"), c->status))
        since = es_time_format(now_ms, now);
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "Ready", "status", c->status, "reason", c->reason,
                     "message", message, "lastTransitionTime", since);
}

json_t *es_status_conditions(const json_t *object, const struct es_condition *ready, int64_t now_ms)
{
    json_t *list = json_array();
    json_t *have;
    size_t i;

    json_array_foreach (es_obj_at(object, "status", "conditions"), i, have)
        if (!es_streq(es_obj_str(have, "type"), "Ready"))
            json_array_append_new(list, json_deep_copy(have));
    json_t *c = ready_condition(es_obj_condition(object, "Ready"), ready, now_ms);
    if (json_array_append_new(list, c) < 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* A member that is an object on both sides is compared again; others are replaced. */
static int add_difference(json_t *diff, const char *name, const json_t *old, json_t *value)
{
    if (old && json_equal(old, value))
        return 0;
    if (json_is_object(old) && json_is_object(value))
        return json_object_set_new(diff, name, es_status_diff(old, value));
    return json_object_set(diff, name, value);
}

json_t *es_status_diff(const json_t *have, const json_t *want)
{
    json_t *diff = json_object();
    const char *name;
    json_t *value;
    int failed = !diff;

    json_object_foreach ((json_t *)(uintptr_t)want, name, value)
        failed |= add_difference(diff, name, json_object_get(have, name), value);
    json_object_foreach ((json_t *)(uintptr_t)have, name, value)
        if (!json_object_get(want, name))
            failed |= json_object_set_new(diff, name, json_null());
    if (failed) {
        json_decref(diff);
        return NULL;
    }
    return diff;
}

static void drop_equal_members(json_t *status, const json_t *have)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe (status, next, name, value) {
        const json_t *old = json_object_get(have, name);
        if (old ? json_equal(old, value) : json_is_null(value))
            json_object_del(status, name);
    }
}

/* The object as it was seen, with the changed members in its status. Its metadata is
 * its own, for it will have another version. */
static json_t *with_status(const json_t *object, const json_t *changes)
{
    json_t *whole = json_copy((json_t *)(uintptr_t)object);
    json_t *metadata = json_copy(json_object_get(object, "metadata"));
    json_t *old = json_object_get(object, "status");
    json_t *status = old ? json_deep_copy(old) : json_object();

    if (!whole || !metadata || !status || es_json_merge_patch(status, changes) < 0 ||
        json_object_set(whole, "status", status) < 0 || json_object_set(whole, "metadata", metadata) < 0) {
        json_decref(whole);
        whole = NULL;
    }
    json_decref(metadata);
    json_decref(status);
    return whole;
}

/* What the API server likes best: the whole object, guarded by its version. */
static int replace_status(struct es_env *env, const struct es_kind *kind, const json_t *object,
                          const json_t *changes, json_t **ret, struct es_error *err)
{
    json_t *whole = with_status(object, changes);
    int rc = whole ? es_cluster_update_status(env->cluster, kind, whole, err) : es_error_nomem(err);

    if (rc < 0)
        json_decref(whole);
    else
        *ret = whole;
    return rc;
}

/* What always fits: only the changes, whatever else has changed meanwhile. */
static int patch_status(struct es_env *env, const struct es_kind *kind, const json_t *object, json_t *changes,
                        json_t **ret, struct es_error *err)
{
    json_t *patch = json_pack("{s:{s:s},s:O}", "metadata", "uid", es_obj_str(object, "metadata", "uid"),
                              "status", changes);
    int rc = patch ? es_cluster_patch(env->cluster, kind, es_obj_namespace(object), es_obj_name(object),
                                      "status", patch, NULL, ret, err)
                   : es_error_nomem(err);

    json_decref(patch);
    return rc;
}

int es_status_write(struct es_env *env, const struct es_kind *kind, const json_t *object, json_t *take_status,
                    json_t **ret, struct es_error *err)
{
    int rc = 0;

    if (!take_status)
        return es_error_nomem(err);
    drop_equal_members(take_status, json_object_get(object, "status"));
    if (json_object_size(take_status)) {
        struct es_error first = ES_ERROR_INIT;
        rc = replace_status(env, kind, object, take_status, ret, &first);
        if (rc == ES_E_CONFLICT || rc == ES_E_UNSUPPORTED)
            rc = patch_status(env, kind, object, take_status, ret, err);
        else if (rc < 0)
            *err = first;
    }
    json_decref(take_status);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

int es_status_patch(struct es_env *env, const struct es_kind *kind, const json_t *object, json_t *take_status,
                    struct es_error *err)
{
    json_t *now = NULL;
    int rc = es_status_write(env, kind, object, take_status, &now, err);

    json_decref(now);
    return rc;
}
