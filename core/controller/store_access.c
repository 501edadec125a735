#include "core/controller/store_access.h"

#include <string.h>

#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/controller/denied.h"
#include "core/kube/obj.h"

#define EDITS_MAX 5 /* of a store or a namespace while we look at it */

/* ---- conditions of ClusterSecretStores ---- */

static json_t *namespace_labels(struct es_env *env, const char *ns, struct es_error *err)
{
    json_t *object = NULL;
    int rc = env->namespaces ? es_cache_get(env->namespaces, "", ns, &object, err)
                             : es_cluster_get(env->cluster, &es_kind_namespace, "", ns, &object, err);
    json_t *labels = rc == 0 ? json_incref(es_obj_at(object, "metadata", "labels")) : NULL;
    if (rc == 0 && !labels)
        labels = json_object();
    json_decref(object);
    return labels;
}

static int names_match(const json_t *condition, const char *ns, struct es_error *err)
{
    json_t *item;
    size_t i;

    json_array_foreach (es_obj_at(condition, "namespaces"), i, item)
        if (es_streq(json_string_value(item), ns))
            return 1;
    json_array_foreach (es_obj_at(condition, "namespaceRegexes"), i, item) {
        struct es_regex *re = NULL;
        int rc = es_regex_new(&re, json_is_string(item) ? json_string_value(item) : "", err);
        if (rc == 0)
            rc = es_regex_search(re, ns, strlen(ns), err);
        es_regex_free(re);
        if (rc)
            return rc;
    }
    return 0;
}

/* Does any condition let consumers of `ns` in? 1, 0, or an error. */
static int any_matches(struct es_env *env, const json_t *conditions, const char *ns, struct es_error *err)
{
    json_t *labels = namespace_labels(env, ns, err), *condition;
    size_t i;
    int rc = 0;

    if (!labels)
        return err->code;
    json_array_foreach (conditions, i, condition) {
        rc = es_label_selector_match(es_obj_at(condition, "namespaceSelector"), labels, err);
        if (rc == 0)
            rc = names_match(condition, ns, err);
        if (rc)
            break;
    }
    json_decref(labels);
    return rc;
}

static void namespace_version(struct es_env *env, const char *ns, char rv[ES_RV_MAX])
{
    if (!env->namespaces || !es_cache_rv(env->namespaces, "", ns, rv))
        rv[0] = '\0';
}

/* Whoever may not use the store is noted before the verdict is final: labels that
 * changed meanwhile are looked at again, those that change later wake him. */
static int check_conditions(struct es_env *env, const struct es_consumer *who, const struct es_store *s,
                            struct es_error *err)
{
    const json_t *conditions = es_obj_at(s->object, "spec", "conditions");
    char seen[ES_RV_MAX], now[ES_RV_MAX];
    int rc = 0;

    if (s->kind->namespaced || !json_array_size(conditions))
        return 0;
    namespace_version(env, who->ns, now);
    for (int edits = 0; edits < EDITS_MAX; edits++) {
        memcpy(seen, now, sizeof seen);
        rc = any_matches(env, conditions, who->ns, err);
        if (rc != 0)
            break;
        es_denied_add(env->denied, who->id, who->ns, who->name);
        namespace_version(env, who->ns, now);
        if (es_streq(seen, now))
            break;
    }
    if (rc < 0)
        return rc;
    return rc ? 0
              : es_error_set(err, ES_E_CONFIG,
                             "using cluster store \"%s\" is not allowed from namespace \"%s\": denied by "
                             "spec.condition",
                             s->name, who->ns);
}

/* ---- stores ---- */

int es_store_for(struct es_env *env, const struct es_consumer *who, const struct es_kind *kind,
                 const char *name, const struct es_store **ret, struct es_error *err)
{
    const struct es_store *s = NULL;
    int rc = es_store_find(env, kind, kind->namespaced ? who->ns : "", name, &s, err);

    if (rc < 0) {
        es_error_wrap(err, "could not get %s \"%s\", ", kind->kind, name);
        return err->code = rc == ES_E_NOT_FOUND ? ES_E_CONFIG : rc;
    }
    if (!es_store_is_ours(env, s))
        rc = es_error_set(err, ES_E_CONFIG, "can not reference unmanaged store");
    if (rc == 0)
        rc = check_conditions(env, who, s, err);
    if (rc < 0)
        es_store_release(env, s);
    else
        *ret = s;
    return rc;
}

int es_store_open_to_use(struct es_env *env, const struct es_store *s, const char *consumer_ns,
                         int64_t deadline_ms, struct es_open_store *ret, struct es_error *err)
{
    int rc = es_store_open(env, s, consumer_ns, deadline_ms, ret, err);

    if (rc == ES_E_NOT_FOUND)
        return err->code = ES_E_CONFIG;
    if (rc != ES_E_UNDECIDED)
        return rc;
    if (!*err->text)
        es_error_set(err, ES_E_RETRY, "the store could not be opened: its provider cannot tell why");
    return err->code = ES_E_RETRY;
}

int es_store_open_for(struct es_env *env, const struct es_consumer *who, const struct es_kind *kind,
                      const char *name, int64_t deadline_ms, struct es_open_store *ret, struct es_error *err)
{
    int rc = ES_E_CONFLICT;

    for (int edits = 0; edits < EDITS_MAX && rc == ES_E_CONFLICT; edits++) {
        const struct es_store *s = NULL;
        rc = es_store_for(env, who, kind, name, &s, err);
        if (rc < 0)
            return rc;
        rc = es_store_open_to_use(env, s, who->ns, deadline_ms, ret, err);
        if (rc < 0)
            es_store_release(env, s);
    }
    return rc == ES_E_CONFLICT ? (err->code = ES_E_RETRY) : rc;
}
