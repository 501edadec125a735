#include "core/check/subject.h"

#include <dlfcn.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/trial.h"
#include "core/check/watch.h"
#include "core/plugin/crd.h"
#include "core/plugin/crd_validate.h"
#include "core/plugin/document.h"

#define ENTRY_SYMBOL "esp_plugin_entry_v1"

/* Where the checker's stores are, and who uses them. */
#define STORE_KIND "SecretStore"
#define STORE_NAMESPACE "esp-check"
#define STORE_NAME "store"

void es_subject_init(struct es_subject *s, const struct es_check_opts *opts)
{
    *s = (struct es_subject){.opts = opts, .rounds = opts->quick ? 100 : 1000};
}

bool es_subject_map(struct es_subject *s)
{
    es_check_at("loading the file");
    void *module = dlopen(s->opts->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = module ? dlsym(module, ENTRY_SYMBOL) : NULL;

    if (!symbol) {
        const char *why = dlerror();
        es_check_fail("the loader refuses it: %s", why ? why : "it has no " ENTRY_SYMBOL);
        return false;
    }
    memcpy(&s->entry, &symbol, sizeof s->entry); /* see ask_entry in core/plugin/loader.c */
    es_check_at("its entry");
    return true;
}

static int make_registry(struct es_subject *s, struct es_error *err)
{
    static const char *const all[] = {"all", NULL};
    const struct es_plugin_entry entry = {.name = s->opts->file, .ambient = all};
    const struct es_plugin *const *plugins;
    struct es_services services;

    es_script_services(&services, s->live ? s->opts->objects : NULL);
    int rc = s->live ? es_http_new(&services.http, NULL, err) : 0;
    es_watch_live(s->live);
    if (rc == 0)
        rc = es_registry_new(&s->registry, &services, err);
    if (rc == 0)
        rc = es_registry_add(s->registry, s->data, &entry, err);
    if (rc < 0)
        return rc;
    es_registry_plugins(s->registry, &plugins);
    s->plugin = plugins[0];
    return 0;
}

bool es_subject_load(struct es_subject *s)
{
    struct es_error err = ES_ERROR_INIT;

    if (!es_subject_map(s))
        return false;
    s->data = s->entry(es_watch_today());
    if (!s->data) {
        es_check_fail("its entry returned NULL for today's host table");
        return false;
    }
    es_check_at("looking at its tables");
    if (make_registry(s, &err) < 0) {
        es_check_fail("%s", err.text);
        return false;
    }
    return true;
}

/* ---- stores ---- */

/* What an API server makes of the block: checked, and with the schema's defaults. */
static bool fit(struct es_store *st)
{
    const struct es_crd_provider provider = {st->provider->name, st->provider->schema};
    struct es_crds *crds = NULL;
    struct es_error err = ES_ERROR_INIT;
    json_t *object = json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:{s:O}}}", "apiVersion", "external-secrets.io/v1",
                               "kind", STORE_KIND, "metadata", "name", STORE_NAME, "namespace",
                               STORE_NAMESPACE, "spec", "provider", st->provider->name, st->spec);

    int rc = object ? es_crds_new(&crds, &provider, 1, &err) : es_error_nomem(&err);
    if (rc == 0)
        rc = es_crd_validate(crds, object, &err);
    es_crds_free(crds);
    json_decref(object);
    return rc == 0;
}

void es_store_init(struct es_store *st, struct es_subject *s, const struct es_provider *p)
{
    *st = (struct es_store){
        .subject = s, .provider = p, .ops = p->component->store, .script = &es_script_refused};
    st->spec = s->opts->spec ? json_deep_copy(s->opts->spec) : json_object();
    st->fits = fit(st);
    st->who = (struct es_authority){.store_kind = STORE_KIND,
                                    .store_namespace = STORE_NAMESPACE,
                                    .store_name = STORE_NAME,
                                    .store_generation = 1,
                                    .consumer_namespace = STORE_NAMESPACE,
                                    .spec = st->spec,
                                    .cancelled = &st->cancelled};
    st->id = es_doc_store(&st->who);
}

void es_store_fini(struct es_store *st)
{
    es_store_close(st);
    es_mem_free(st->id);
    json_decref(st->spec);
}

bool es_store_open(struct es_store *st)
{
    struct es_trial t;

    if (!st->fits) {
        es_check_skip(
            "a store of component %s cannot be opened: its schema has required fields; give its block "
            "with --spec",
            st->provider->name);
        return false;
    }
    es_check_at("open of component %s", st->provider->name);
    es_trial_story(&t, st, ES_OP_OPEN, NULL);
    st->instance = t.instance;
    st->is_open = t.code == 0;
    if (!st->is_open)
        es_check_skip("a store of component %s cannot be opened here: %s", st->provider->name, t.err.text);
    es_trial_end(&t);
    return st->is_open;
}

void es_store_close(struct es_store *st)
{
    struct es_trial t;

    if (!st->is_open)
        return;
    st->is_open = false;
    if (!st->ops->close)
        return;
    es_check_at("close of component %s", st->provider->name);
    es_trial_story(&t, st, ES_OP_CLOSE, NULL);
    es_trial_end(&t);
}

/* ---- which of them ---- */

static bool is_wanted(const struct es_subject *s, const struct es_provider *p)
{
    return !s->opts->component || es_streq(s->opts->component, p->name);
}

static void each(struct es_subject *s, void (*fn)(struct es_store *st), bool open)
{
    size_t tried = 0;

    for (size_t i = 0; i < s->plugin->provider_count; i++) {
        struct es_store st;
        if (!is_wanted(s, &s->plugin->providers[i]))
            continue;
        tried++;
        es_store_init(&st, s, &s->plugin->providers[i]);
        if (!open || es_store_open(&st)) {
            if (open)
                es_check_ran();
            fn(&st);
        }
        es_store_fini(&st);
    }
    if (!tried)
        es_check_skip("it has no store to try, and this core calls no generators yet");
}

void es_subject_each(struct es_subject *s, void (*fn)(struct es_store *st))
{
    each(s, fn, false);
}

void es_subject_each_open(struct es_subject *s, void (*fn)(struct es_store *st))
{
    each(s, fn, true);
}
