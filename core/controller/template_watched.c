#include "core/controller/template_watched.h"

#include <stdio.h>

#include "core/base/text.h"
#include "core/controller/sources.h"
#include "core/kube/obj.h"

#define TERM_MAX 640

/* What templateFrom may name. */
static const struct {
    enum es_kube_read what;
    const char *member; /* of templateFrom */
} sources[] = {{ES_READ_CONFIG_MAP, "configMap"}, {ES_READ_SECRET, "secret"}};

#define SOURCES (sizeof sources / sizeof *sources)

/* One object, or with two empty texts all of its kind. False: its name is too long to exist. */
static bool term_of(char text[TERM_MAX], enum es_kube_read what, const char *ns, const char *name)
{
    return snprintf(text, TERM_MAX, "template:%d:%s/%s", (int)what, ns, name) < TERM_MAX;
}

static void add_term(struct es_terms *t, enum es_kube_read what, const char *ns, const char *name)
{
    char text[TERM_MAX];
    if (term_of(text, what, ns, name))
        es_terms_add(t, text);
}

static bool takes_from(const json_t *template, const char *member)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (es_obj_at(template, "templateFrom"), i, entry)
        if (json_object_get(entry, member))
            return true;
    return false;
}

void es_template_terms(struct es_terms *t, const char *ns, const json_t *template)
{
    const json_t *entry;
    size_t i;

    for (size_t s = 0; s < SOURCES; s++) {
        if (takes_from(template, sources[s].member))
            add_term(t, sources[s].what, "", "");
        json_array_foreach (es_obj_at(template, "templateFrom"), i, entry) {
            const char *name = es_obj_str(entry, sources[s].member, "name");
            if (*name)
                add_term(t, sources[s].what, ns, name);
        }
    }
}

bool es_template_has_sources(const json_t *template)
{
    for (size_t s = 0; s < SOURCES; s++)
        if (takes_from(template, sources[s].member))
            return true;
    return false;
}

void es_template_watch(struct es_env *env, const json_t *template)
{
    for (size_t s = 0; s < SOURCES; s++)
        if (takes_from(template, sources[s].member))
            es_sources_watch(env, sources[s].what);
}

static bool has_term(struct es_cache *cache, const char *term)
{
    return cache && es_cache_has_other(cache, term, "", "");
}

bool es_template_wants(struct es_env *env, enum es_kube_read what)
{
    char text[TERM_MAX];

    return term_of(text, what, "", "") &&
           (has_term(env->external_secrets, text) || has_term(env->push_secrets, text));
}

/* ---- waking ---- */

/* One event wakes them all, so one read of a provider serves them all. */
struct waking {
    struct es_env *env;
    enum es_controller_id id;
    int64_t since_ms;
};

static void wake(void *ctx, const char *ns, const char *name)
{
    const struct waking *w = ctx;
    w->env->enqueue_since(w->env->enqueue_ctx, w->id, ns, name, w->since_ms);
}

static void wake_all(struct es_env *env, struct es_cache *cache, enum es_controller_id id, const char *term)
{
    struct waking w = {.env = env, .id = id, .since_ms = env->clock->mono_ms(env->clock->ctx)};

    if (cache)
        es_cache_each(cache, term, wake, &w);
}

void es_template_source_changed(struct es_env *env, enum es_kube_read what, const char *ns, const char *name)
{
    char text[TERM_MAX];

    if (!term_of(text, what, ns, name))
        return;
    wake_all(env, env->external_secrets, ES_EXTERNAL_SECRET, text);
    wake_all(env, env->push_secrets, ES_PUSH_SECRET, text);
}

void es_template_sources_unsure(struct es_env *env, enum es_kube_read what)
{
    es_template_source_changed(env, what, "", "");
}
