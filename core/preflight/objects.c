/* Objects that are there already and that this esod would not, or could not, serve. */
#include <string.h>

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/preflight/own.h"

#define CHECK "objects"

struct stores {
    struct es_preflight *p;
    json_t *strange;   /* "ns/name": the provider that nobody here has */
    json_t *providers; /* that provider: so many stores */
    json_t *classes;   /* a controller class that is not ours: so many stores */
    json_t *waiting;   /* that provider: so many ExternalSecrets */
    size_t seen;
    bool nomem;
};

static void count(struct stores *s, json_t *in, const char *key)
{
    json_int_t before = json_integer_value(json_object_get(in, key));

    if (json_object_set_new(in, key, json_integer(before + 1)) < 0)
        s->nomem = true;
}

/* "" is that of whoever comes first. */
static bool is_of_another(const struct stores *s, const json_t *store)
{
    const char *class = es_obj_str(store, "spec", "controller");
    return *class && !es_streq(class, s->p->config->controller_class);
}

static void store_key(char out[600], const char *ns, const char *name)
{
    snprintf(out, 600, "%s/%s", ns, name);
}

static void look_at_store(struct stores *s, const json_t *store)
{
    const char *provider;
    json_t *block;
    char key[600];

    s->seen++;
    if (is_of_another(s, store)) {
        count(s, s->classes, es_obj_str(store, "spec", "controller"));
        return;
    }
    json_object_foreach (es_obj_at(store, "spec", "provider"), provider, block)
        if (!es_registry_provider(s->p->registry, provider)) {
            count(s, s->providers, provider);
            store_key(key, es_obj_namespace(store), es_obj_name(store));
            if (json_object_set_new(s->strange, key, json_string(provider)) < 0)
                s->nomem = true;
        }
}

static int look_at_external_secret(void *ctx, json_t *es)
{
    struct stores *s = ctx;
    const json_t *ref = es_obj_at(es, "spec", "secretStoreRef");
    bool cluster = es_streq(es_obj_str(ref, "kind"), es_kind_cluster_secret_store.kind);
    char key[600];

    store_key(key, cluster ? "" : es_obj_namespace(es), es_obj_str(ref, "name"));
    const char *provider = json_string_value(json_object_get(s->strange, key));
    if (provider)
        count(s, s->waiting, provider);
    return s->nomem ? ES_E_NOMEM : 0;
}

static int each_store(struct stores *s, const struct es_kind *kind, struct es_error *err)
{
    const char *ns = kind->namespaced ? s->p->config->ns : NULL;
    json_t *all = NULL, *store;
    size_t i;
    int rc = es_check_list(s->p, kind, ns, NULL, &all, err);

    json_array_foreach (all, i, store)
        look_at_store(s, store);
    json_decref(all);
    /* What is not installed has been said. */
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

static void count_anew(void *ctx)
{
    struct stores *s = ctx;
    json_object_clear(s->waiting);
}

/* One by one: there may be ten thousand. */
static int each_external_secret(struct stores *s, struct es_error *err)
{
    int rc = es_kube_list(s->p->kube, &es_kind_external_secret, s->p->config->ns, NULL,
                          look_at_external_secret, count_anew, s, NULL, err);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

static void tell(struct stores *s)
{
    struct es_report *r = s->p->report;
    const char *name;
    json_t *number;

    json_object_foreach (s->providers, name, number) {
        long long stores = json_integer_value(number),
                  waiting = json_integer_value(json_object_get(s->waiting, name));
        es_report_add(r, CHECK, ES_WARNING,
                      "%lld store%s provider %s, which no plugin here has; %lld "
                      "ExternalSecret%s could not be refreshed",
                      stores, stores == 1 ? " names" : "s name", name, waiting, waiting == 1 ? "" : "s");
        es_report_remedy(r,
                         "load a plugin with that provider (plugins: in the configuration), or leave these "
                         "stores to another operator by spec.controller");
    }
    json_object_foreach (s->classes, name, number) {
        long long stores = json_integer_value(number);
        es_report_add(r, CHECK, ES_WARNING, "%lld store%s left alone: controller class %s, not %s", stores,
                      stores == 1 ? " is" : "s are", name, s->p->config->controller_class);
        es_report_remedy(r, "an operator with that class has to run; or set controllerClass: %s", name);
    }
    if (!json_object_size(s->providers) && !json_object_size(s->classes))
        es_report_add(r, CHECK, ES_FINE, "%zu store%s, all of which esod can serve", s->seen,
                      s->seen == 1 ? "" : "s");
}

static int look(struct stores *s, struct es_error *err)
{
    const struct es_config *c = s->p->config;
    int rc = c->secret_stores ? each_store(s, &es_kind_secret_store, err) : 0;

    if (rc == 0 && c->cluster_stores)
        rc = each_store(s, &es_kind_cluster_secret_store, err);
    if (rc == 0 && json_object_size(s->strange))
        rc = each_external_secret(s, err);
    return rc == 0 && s->nomem ? es_error_nomem(err) : rc;
}

int es_check_objects(struct es_preflight *p)
{
    struct es_error err = ES_ERROR_INIT;
    struct stores s = {.p = p,
                       .strange = json_object(),
                       .providers = json_object(),
                       .classes = json_object(),
                       .waiting = json_object()};

    if (look(&s, &err) < 0)
        es_check_unasked(p, CHECK, "which stores there are", &err);
    else
        tell(&s);
    json_decref(s.strange);
    json_decref(s.providers);
    json_decref(s.classes);
    json_decref(s.waiting);
    return 0;
}
