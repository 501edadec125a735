#include "core/cmd/load.h"

#include <stdio.h>

#include "core/base/log.h"
#include "core/cmd/providers.h"
#include "core/wire/fence.h"

int es_load_plugins_that_can(struct es_registry **ret, const struct es_config *config,
                             const struct es_services *services, es_load_refused_fn *refused, void *ctx,
                             struct es_error *err)
{
    struct es_registry *r = NULL;
    const struct es_isolation_opts isolation = {.isolation = config->isolation, .runner = config->runner};
    int rc = es_registry_new(&r, services, err);

    if (rc == 0)
        es_registry_isolate(r, &isolation);
    if (rc == 0 && !config->plugins_given)
        rc = es_registry_load_all(r, config->plugin_path, err);
    for (size_t i = 0; rc == 0 && i < config->plugin_count; i++) {
        rc = es_registry_load(r, config->plugin_path, &config->plugins[i], err);
        if (rc < 0 && refused) {
            refused(ctx, err);
            rc = 0;
        }
    }
    if (rc < 0) {
        es_registry_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int es_load_plugins(struct es_registry **ret, const struct es_config *config,
                    const struct es_services *services, struct es_error *err)
{
    return es_load_plugins_that_can(ret, config, services, NULL, NULL, err);
}

void es_say_no_plugins(const struct es_config *config)
{
    fputs("No plugins found. They are looked for in:\n", stderr);
    for (size_t i = 0; i < config->plugin_path_count; i++)
        fprintf(stderr, "  %s\n", config->plugin_path[i]);
}

/* What is around a process is worth knowing. Containers often have no namespaces to
 * give, and seccomp still holds; without that there is nothing to speak of. */
static void log_plugin(const struct es_plugin *p)
{
    struct es_buf fences;

    es_buf_init(&fences, 256);
    es_fences_text(&fences, p->fences);
    es_log(ES_INFO, "setup", "plugin loaded", ES_F_STR("plugin", p->name), ES_F_STR("version", p->version),
           ES_F_STR("path", p->path),
           ES_F_STR("isolation", p->isolation == ES_ISOLATION_PROCESS ? "process" : "none"),
           ES_F_STR("fences", es_buf_str(&fences)));
    if (es_fences_missing(p)) {
        es_buf_reset(&fences);
        es_fences_text(&fences, es_fences_missing(p));
        es_log(es_fences_missing(p) & ES_FENCE_SECCOMP ? ES_WARN : ES_INFO, "setup",
               "this system lacks a part of what holds a plugin's process back", ES_F_STR("plugin", p->name),
               ES_F_STR("missing", es_buf_str(&fences)));
    }
    es_buf_fini(&fences);
}

void es_log_plugins(const struct es_registry *r)
{
    const struct es_plugin *const *plugins;
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_plugins(r, &plugins);

    for (size_t i = 0; i < count; i++)
        log_plugin(plugins[i]);
    if (!count)
        es_log_plain(ES_WARN, "setup", "no plugin is loaded: no store can work");
    count = es_registry_refusals(r, &refusals);
    for (size_t i = 0; i < count; i++)
        es_log(ES_WARN, "setup", "an optional plugin was refused", ES_F_STR("plugin", refusals[i].name),
               ES_F_STR("reason", refusals[i].reason));
}
