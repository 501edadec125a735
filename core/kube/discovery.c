#include "core/kube/discovery.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/kind_set.h"
#include "core/kube/obj.h"

struct finding {
    const struct es_kind *kind;
    int64_t until_ms;
};

struct es_discovery {
    struct es_kube *kube;
    const struct es_clock *clock;
    pthread_mutex_t lock; /* guards what follows */
    struct es_kind_set kinds;
    struct finding found[ES_KIND_SET_MAX];
    size_t found_count;
};

struct es_discovery *es_discovery_new(struct es_kube *kube, const struct es_clock *clock)
{
    struct es_discovery *d = es_mem_calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->kube = kube;
    d->clock = clock;
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void es_discovery_free(struct es_discovery *d)
{
    if (!d)
        return;
    es_kind_set_fini(&d->kinds);
    pthread_mutex_destroy(&d->lock);
    es_mem_free(d);
}

/* ---- what is known ---- */

struct wanted {
    char group[ES_API_NAME_MAX], version[ES_API_NAME_MAX];
    const char *kind;
};

static struct finding *find_locked(struct es_discovery *d, const struct wanted *w)
{
    for (size_t i = 0; i < d->found_count; i++) {
        const struct es_kind *k = d->found[i].kind;
        if (es_streq(k->kind, w->kind) && es_streq(k->group, w->group) && es_streq(k->version, w->version))
            return &d->found[i];
    }
    return NULL;
}

static const struct es_kind *recall(struct es_discovery *d, const struct wanted *w)
{
    int64_t now_ms = d->clock->mono_ms(d->clock->ctx);

    pthread_mutex_lock(&d->lock);
    const struct finding *f = find_locked(d, w);
    const struct es_kind *kind = f && now_ms < f->until_ms ? f->kind : NULL;
    pthread_mutex_unlock(&d->lock);
    return kind;
}

/* A definition may have been made anew, with another plural or scope: the newest
 * answer takes the place of the one before. */
static int remember(struct es_discovery *d, const struct wanted *w, const struct es_kind *kind,
                    const struct es_kind **ret, struct es_error *err)
{
    int64_t until_ms = d->clock->mono_ms(d->clock->ctx) + ES_DISCOVERY_TTL_MS;

    pthread_mutex_lock(&d->lock);
    const struct es_kind *own = es_kind_set_put(&d->kinds, kind);
    struct finding *f = own ? find_locked(d, w) : NULL;
    if (own && !f) /* there are never more findings than kinds */
        f = &d->found[d->found_count++];
    if (f)
        *f = (struct finding){own, until_ms};
    pthread_mutex_unlock(&d->lock);
    if (!own)
        return es_error_set(err, ES_E_TOO_LARGE, "no room for kind %s: %d kinds are known already", w->kind,
                            ES_KIND_SET_MAX);
    *ret = own;
    return 0;
}

/* ---- asking ---- */

static int no_match(const char *api_version, const char *kind, struct es_error *err)
{
    return es_error_set(err, ES_E_NOT_FOUND,
                        "no matches for kind \"%s\" in version \"%s\": is its CustomResourceDefinition "
                        "installed?",
                        kind, api_version);
}

/* Of "deployments", "deployments/status", "deployments/scale" the first. */
static const json_t *find_resource(const json_t *list, const char *kind)
{
    json_t *resource;
    size_t i;

    json_array_foreach (json_object_get(list, "resources"), i, resource) {
        const char *name = es_obj_str(resource, "name");
        if (es_streq(es_obj_str(resource, "kind"), kind) && *name && !strchr(name, '/'))
            return resource;
    }
    return NULL;
}

static int ask(struct es_discovery *d, const struct wanted *w, const char *api_version,
               const struct es_kind **ret, struct es_error *err)
{
    char path[16 + 2 * ES_API_NAME_MAX];
    json_t *list = NULL;

    snprintf(path, sizeof path, "%s/%s", *w->group ? "/apis" : "/api", api_version);
    int rc = es_kube_get_path(d->kube, path, &list, err);
    if (rc == ES_E_NOT_FOUND)
        return no_match(api_version, w->kind, err);
    if (rc < 0)
        return es_error_wrap(err, "asking for the resources of %s: ", api_version);
    const json_t *resource = find_resource(list, w->kind);
    struct es_kind kind = {.group = w->group,
                           .version = w->version,
                           .plural = es_obj_str(resource, "name"),
                           .kind = w->kind,
                           .namespaced = es_obj_bool(resource, "namespaced"),
                           .holds = ES_HOLDS_PLAIN};
    rc = resource ? remember(d, w, &kind, ret, err) : no_match(api_version, w->kind, err);
    json_decref(list);
    return rc;
}

int es_discovery_resolve(struct es_discovery *d, const char *api_version, const char *kind,
                         const struct es_kind **ret, struct es_error *err)
{
    struct wanted w = {.kind = kind};

    if (!es_kind_split(api_version, w.group, w.version))
        return es_error_set(err, ES_E_INVALID,
                            "apiVersion \"%.100s\" is none: expected GROUP/VERSION, or v1 for the core group",
                            api_version);
    const struct es_kind *known = recall(d, &w);
    if (known) {
        *ret = known;
        return 0;
    }
    return ask(d, &w, api_version, ret, err);
}
