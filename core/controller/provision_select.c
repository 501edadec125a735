/* Which namespaces a ClusterExternalSecret or ClusterPushSecret selects. */
#include "core/base/text.h"
#include "core/controller/provision_own.h"
#include "core/kube/obj.h"

static bool is_named(const json_t *parent, const char *ns)
{
    json_t *name;
    size_t i;

    json_array_foreach (es_obj_at(parent, "spec", "namespaces"), i, name)
        if (es_streq(json_string_value(name), ns))
            return true;
    return false;
}

/* 1, 0, or ES_E_CONFIG: any of the ways to select it. */
static int selects(const json_t *parent, const char *ns, const json_t *labels, struct es_error *err)
{
    json_t *selector = es_obj_at(parent, "spec", "namespaceSelector");
    int rc = is_named(parent, ns);
    size_t i;

    if (rc == 0 && selector)
        rc = es_label_selector_match(selector, labels, err);
    json_array_foreach (es_obj_at(parent, "spec", "namespaceSelectors"), i, selector) {
        if (rc != 0)
            break;
        rc = es_label_selector_match(selector, labels, err);
    }
    return rc;
}

struct selection {
    const struct es_env *env;
    const json_t *parent;
    json_t *wanted;
    int rc;
    struct es_error *err;
};

static void look_at(void *ctx, const char *none, const char *name)
{
    struct selection *s = ctx;
    json_t *ns = NULL;

    (void)none;
    if (s->rc < 0 || es_cache_get(s->env->namespaces, "", name, &ns, NULL) < 0)
        return;
    if (!es_obj_bool(ns, "ending")) {
        json_t *labels = es_obj_at(ns, "metadata", "labels"), *empty = labels ? NULL : json_object();
        s->rc = selects(s->parent, name, labels ? labels : empty, s->err);
        if (s->rc > 0)
            s->rc = json_object_set_new(s->wanted, name, json_true()) < 0 ? es_error_nomem(s->err) : 0;
        json_decref(empty);
    }
    json_decref(ns);
}

static int look_at_each(struct selection *s, const json_t *places)
{
    const char *name;
    json_t *value;

    if (!places)
        return es_cache_each_all(s->env->namespaces, look_at, s);
    json_object_foreach ((json_t *)(uintptr_t)places, name, value)
        look_at(s, "", name);
    return 0;
}

int es_provision_select(const struct es_env *env, const json_t *parent, const json_t *places, json_t *wanted,
                        struct es_error *err)
{
    struct selection s = {.env = env, .parent = parent, .wanted = wanted, .err = err};
    int rc = look_at_each(&s, places);

    if (s.rc < 0)
        return s.rc;
    return rc < 0 ? es_error_nomem(err) : 0;
}
